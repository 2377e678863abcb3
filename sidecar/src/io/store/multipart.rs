//! An object that is sent in parts (a multipart upload).

use super::bytes_in_flight::BytesGuard;
use super::failure::{Failure, classify, one_line};
use super::http::with_call_context;
use super::remote::{Properties, Remote, version_of};
use super::{CleanupTasks, Precondition, Version, WriteError};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload};
use std::time::Duration;

/// The time that an abort waits for the parts in flight: a part that arrives after
/// the abort can leave its bytes in the store.
const LATE_PARTS_TIMEOUT: Duration = Duration::from_millis(500);

/// An upload that is aborted when it is dropped before its completion.
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
    /// Starts a multipart upload.
    pub(in crate::io) async fn begin(
        remote: &Remote,
        key: &str,
        properties: &Properties,
        precondition: &Precondition,
    ) -> Result<Self, WriteError> {
        let path = remote.path(key)?;
        let upload = remote.open_multipart(&path, properties).await?;
        Ok(Self {
            upload: Some(upload),
            parts: Parts::new(),
            path,
            precondition: precondition.clone(),
            cleanup: remote.cleanup().clone(),
            guard: remote.bytes_in_flight().begin(),
        })
    }

    /// Starts to send the next part; [`Multipart::part_sent`] drives it.
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

    /// Returns the number of parts in flight.
    pub(in crate::io) fn parts_in_flight(&self) -> usize {
        self.parts.len()
    }

    /// Returns how the next part ended; `None` when none is in flight.
    pub(in crate::io) async fn part_sent(&mut self) -> Option<Result<(), WriteError>> {
        self.parts.next().await
    }

    /// Makes the object visible. When that fails or its outcome is unknown, this
    /// aborts the upload before it returns, so that it cannot complete later.
    pub(in crate::io) async fn complete(mut self, remote: &Remote) -> Result<Option<Version>, WriteError> {
        let header = remote.completion_header(&self.precondition);
        let conditional = header.is_some();
        if !conditional {
            remote.check_precondition(&self.path, &self.precondition).await?;
        }
        let upload = self.upload.as_mut().ok_or_else(completed_before)?;
        let (result, last) = with_call_context(header, upload.complete()).await;
        let failure = match result {
            Ok(result) => {
                self.upload = None;
                return Ok(version_of(result));
            }
            Err(error) => classify(&error, last),
        };
        abort(&mut **upload).await;
        self.upload = None;
        match failure {
            Failure::NotImplemented(message) if conditional => {
                remote.ignore_preconditions();
                Err(WriteError::Transient { message, retry_after: None })
            }
            // S3's answer when the object to be replaced is gone.
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
            // The outcome of parts is irrelevant here; late ones are dropped.
            let _ = tokio::time::timeout(LATE_PARTS_TIMEOUT, parts.for_each(|_| async {})).await;
            abort(&mut *upload).await;
        });
    }
}

fn completed_before() -> WriteError {
    WriteError::Permanent("the upload was completed before".to_owned())
}

/// Aborts an upload; a failure is only logged.
async fn abort(upload: &mut dyn MultipartUpload) {
    if let Err(error) = upload.abort().await {
        let error = one_line(&error.to_string());
        tracing::debug!(error, "A multipart upload could not be aborted");
    }
}
