//! An upload in parts as the store knows it: its requests, and their repetition.
//!
//! A transient failure repeats the part, or the completion, that it befell: an object of
//! hundreds of parts would otherwise begin anew with every failure, and never be complete.

use super::WriteError;
use super::bucket::Bucket;
use super::failure::{Failure, classify, message};
use super::google::Session;
use super::http::{Extra, Outcome, expect_checksum, with_call_context};
use super::refusable::{Refusable, may_refuse};
use crate::deliver::{MAX_PART_ATTEMPTS, backoff};
use crate::io::jitter::jitter;
use crate::io::pause::pause;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult};
use std::sync::{Arc, Mutex, PoisonError};

/// A part that has arrived.
#[derive(Debug, Default)]
pub(super) struct SentPart {
    /// Its name in an upload with a name.
    pub(super) id: Option<PartId>,
    /// The checksum that went with it to S3.
    pub(super) checksum: Option<String>,
}

/// An upload in parts. Clones are the same upload.
#[derive(Clone, Debug)]
pub(super) enum Upload {
    /// One with a name, to which any request can refer, also once more.
    Named { store: Arc<dyn Bucket>, path: Path, id: String, refusable: Option<Arc<Refusable>> },
    /// One that the library keeps account of; taken out for its completion.
    OfLibrary(Arc<Mutex<Option<Box<dyn MultipartUpload>>>>),
    /// One of Google's JSON API, with its condition.
    Resumable(Session),
}

impl Upload {
    pub(super) fn named(store: Arc<dyn Bucket>, path: Path, id: String) -> Self {
        Self::Named { store, path, id, refusable: None }
    }

    /// One of a client whose requests the store may refuse.
    pub(super) fn refusable(client: Arc<Refusable>, path: Path, id: String) -> Self {
        Self::Named { store: client.client(), path, id, refusable: Some(client) }
    }

    pub(super) fn of_library(upload: Box<dyn MultipartUpload>) -> Self {
        Self::OfLibrary(Arc::new(Mutex::new(Some(upload))))
    }

    /// Returns whether the store holds it to the precondition with which it was begun.
    pub(super) fn keeps_precondition(&self) -> bool {
        matches!(self, Self::Resumable(_))
    }

    /// Sends a part; parts are begun in their order.
    pub(super) fn send_part(
        &self,
        number: usize,
        content: Bytes,
        is_last: bool,
        checksum: Option<Extra>,
    ) -> BoxFuture<'static, Result<SentPart, WriteError>> {
        match self.clone() {
            Self::Resumable(session) => async move {
                session.send_part(number, content, is_last).await?;
                Ok(SentPart::default())
            }
            .boxed(),
            Self::Named { store, path, id, refusable } => async move {
                let content = PutPayload::from_bytes(content);
                for attempt in 1.. {
                    let part = store.put_part(&path, &id, number, content.clone());
                    let (result, ended) = with_call_context(checksum.clone(), part).await;
                    let failure = match result {
                        Ok(id) => return Ok(SentPart { id: Some(id), checksum: ended.checksum }),
                        Err(error) => classify(&error, &ended),
                    };
                    match failure {
                        Failure::Write(WriteError::Transient { retry_after, .. })
                            if attempt < MAX_PART_ATTEMPTS =>
                        {
                            pause(backoff(attempt, jitter(), retry_after)).await;
                        }
                        // The next attempt begins another upload.
                        Failure::NotFound(message) if message.contains("NoSuchUpload") => {
                            return Err(transient(message));
                        }
                        failure @ (Failure::NotFound(_) | Failure::NotImplemented(_) | Failure::Write(_)) => {
                            let failure = without_it_next(failure, refusable.as_deref(), ended.last.as_ref());
                            return Err(failure.into_write_error());
                        }
                    }
                }
                Err(transient("the part was not sent".to_owned()))
            }
            .boxed(),
            Self::OfLibrary(upload) => {
                let mut upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
                let part = upload.as_mut().map(|upload| upload.put_part(PutPayload::from_bytes(content)));
                async move {
                    let Some(part) = part else { return Err(completed_before()) };
                    let (result, ended) = with_call_context(checksum, part).await;
                    result
                        .map(|()| SentPart::default())
                        .map_err(|error| classify(&error, &ended).into_write_error())
                }
                .boxed()
            }
        }
    }

    /// Makes the object of these parts visible. `header` is its precondition, `checksum` the
    /// one that the store should have of it.
    pub(super) async fn complete(
        &self,
        parts: Vec<PartId>,
        header: Option<Extra>,
        checksum: Option<String>,
    ) -> Result<PutResult, Failure> {
        let (store, path, id, refusable) = match self {
            Self::Named { store, path, id, refusable } => (store, path, id, refusable.as_deref()),
            Self::Resumable(session) => return session.complete().await,
            Self::OfLibrary(upload) => {
                let taken = upload.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(mut taken) = taken else { return Err(Failure::Write(completed_before())) };
                let (result, ended) = with_call_context(header, taken.complete()).await;
                *upload.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
                return result.map_err(|error| classify(&error, &ended));
            }
        };
        let mut attempt = 1;
        loop {
            let complete = async {
                expect_checksum(checksum.clone());
                store.complete_multipart(path, id, parts.clone()).await
            };
            let (result, ended) = with_call_context(header.clone(), complete).await;
            let failure = match result {
                Ok(result) => return Ok(result),
                Err(error) => classify(&error, &ended),
            };
            // After a lost answer the upload may be gone, and the object there.
            let was_answered = matches!(ended.last, Some(Outcome::Answered { .. }));
            match failure {
                Failure::Write(WriteError::Transient { retry_after, .. })
                    if was_answered && attempt < MAX_PART_ATTEMPTS =>
                {
                    pause(backoff(attempt, jitter(), retry_after)).await;
                    attempt += 1;
                }
                // A request before this one may have completed it all the same.
                Failure::NotFound(message) | Failure::Write(WriteError::Permanent(message))
                    if attempt > 1 =>
                {
                    return Err(Failure::Write(transient(message)));
                }
                failure @ (Failure::NotFound(_) | Failure::NotImplemented(_) | Failure::Write(_)) => {
                    return Err(without_it_next(failure, refusable, ended.last.as_ref()));
                }
            }
        }
    }

    /// Throws the upload away; a failure is only logged.
    pub(super) async fn abort(&self) {
        let (aborted, ended) = with_call_context(None, self.try_abort()).await;
        if let Err(error) = aborted {
            let error = message(&error, &ended);
            tracing::debug!(error, "A multipart upload could not be aborted");
        }
    }

    async fn try_abort(&self) -> object_store::Result<()> {
        match self {
            Self::Named { store, path, id, .. } => store.abort_multipart(path, id).await,
            Self::Resumable(session) => session.abort().await,
            Self::OfLibrary(upload) => {
                let taken = upload.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(mut taken) = taken else { return Ok(()) };
                taken.abort().await
            }
        }
    }
}

/// Makes the end of an upload transient where the store may have refused what its client asks
/// for, and lets the next attempt go without it.
fn without_it_next(failure: Failure, client: Option<&Refusable>, last: Option<&Outcome>) -> Failure {
    match client.filter(|_| may_refuse(last)) {
        Some(client) => {
            let message = failure.into_write_error().to_string();
            client.give_up(&message);
            Failure::Write(transient(message))
        }
        None => failure,
    }
}

fn transient(message: String) -> WriteError {
    WriteError::Transient { message, retry_after: None }
}

pub(super) fn completed_before() -> WriteError {
    WriteError::Permanent("the upload was completed before".to_owned())
}
