//! An object that is sent in parts.

use super::bytes_in_flight::BytesGuard;
use super::failure::{Failure, classify, one_line};
use super::http::with_call_context;
use super::remote::{Remote, version};
use super::{CleanupTasks, Precondition, Version, WriteError};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload};
use std::time::Duration;

/// How long parts on their way may take to arrive before their upload is
/// aborted: one that arrives later can leave its bytes behind in the store.
const PARTS_ARRIVE_WITHIN: Duration = Duration::from_millis(500);

/// An object under way in parts. Dropped before its completion it is aborted.
#[derive(Debug)]
pub(in crate::io) struct Multipart {
    upload: Option<Box<dyn MultipartUpload>>,
    parts: Parts,
    path: Path,
    precondition: Precondition,
    cleanup: CleanupTasks,
    guard: BytesGuard,
}

type Parts = FuturesUnordered<BoxFuture<'static, Result<(), WriteError>>>;

impl Multipart {
    pub(super) fn new(
        upload: Box<dyn MultipartUpload>,
        path: Path,
        precondition: Precondition,
        cleanup: CleanupTasks,
        guard: BytesGuard,
    ) -> Self {
        Self { upload: Some(upload), parts: Parts::new(), path, precondition, cleanup, guard }
    }

    /// Begins to send the next part; [`Multipart::part_sent`] goes on with it.
    pub(in crate::io) fn send_part(&mut self, remote: &Remote, content: Bytes) -> Result<(), WriteError> {
        let upload = self.upload.as_mut().ok_or_else(completed_before)?;
        let (checksum, guard, bytes) = (remote.checksum(&content), self.guard.clone(), content.len());
        let part = upload.put_part(PutPayload::from_bytes(content));
        let classified = async move {
            let (result, last) = with_call_context(checksum, part).await;
            result.map_err(|error| classify(&error, last).into_write_error())?;
            guard.add(bytes);
            Ok(())
        };
        self.parts.push(classified.boxed());
        Ok(())
    }

    /// How many parts are on their way.
    pub(in crate::io) fn parts_on_their_way(&self) -> usize {
        self.parts.len()
    }

    /// How the next part ended; `None` when none is on its way.
    pub(in crate::io) async fn part_sent(&mut self) -> Option<Result<(), WriteError>> {
        self.parts.next().await
    }

    /// Makes the object visible. When that fails, or its success is unknown,
    /// the upload is aborted before this returns, so that it cannot happen later.
    pub(in crate::io) async fn complete(mut self, remote: &Remote) -> Result<Option<Version>, WriteError> {
        let header = remote.completion_header(&self.precondition);
        let conditional = header.is_some();
        if !conditional {
            remote.check(&self.path, &self.precondition).await?;
        }
        let upload = self.upload.as_mut().ok_or_else(completed_before)?;
        let (result, last) = with_call_context(header, upload.complete()).await;
        let failure = match result {
            Ok(result) => {
                self.upload = None;
                return Ok(version(result));
            }
            Err(error) => classify(&error, last),
        };
        abort(&mut **upload).await;
        self.upload = None;
        match failure {
            Failure::NotImplemented(message) if conditional => {
                remote.give_up_conditions();
                Err(WriteError::Transient { message, retry_after: None })
            }
            // S3 answers so when the object to be replaced is gone.
            Failure::NotFound(message) if conditional && message.contains("NoSuchKey") => {
                Err(WriteError::PreconditionFailed)
            }
            failure @ (Failure::NotFound(_) | Failure::NotImplemented(_) | Failure::Write(_)) => {
                Err(failure.into_write_error())
            }
        }
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        let parts = std::mem::take(&mut self.parts);
        self.cleanup.spawn(async move {
            // Late parts are dropped; how the others ended is of no interest.
            let _ = tokio::time::timeout(PARTS_ARRIVE_WITHIN, parts.for_each(|_| async {})).await;
            abort(&mut *upload).await;
        });
    }
}

fn completed_before() -> WriteError {
    WriteError::Permanent("the upload was completed before".to_owned())
}

/// Gives an upload up; a failure of that is only worth a log record.
async fn abort(upload: &mut dyn MultipartUpload) {
    if let Err(error) = upload.abort().await {
        let error = one_line(&error.to_string());
        tracing::debug!(error, "A multipart upload could not be aborted");
    }
}
