//! An object that is sent in parts (a multipart upload).

use super::bucket::Properties;
use super::bytes_in_flight::BytesGuard;
use super::failure::Failure;
use super::remote::{Remote, version_of};
use super::upload::{SentPart, Upload, completed_before};
use super::{CleanupTasks, Precondition, Version, WriteError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum_combine};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use std::collections::BTreeMap;
use std::time::Duration;

/// The time that an abort waits for the parts in flight: a part that arrives after
/// the abort can leave its bytes in the store.
const LATE_PARTS_TIMEOUT: Duration = Duration::from_millis(500);

/// An upload that is aborted when it is dropped before its completion.
#[derive(Debug)]
pub(in crate::io) struct Multipart {
    upload: Option<Upload>,
    path: Path,
    in_flight: Parts,
    begun: usize,
    /// The parts that have arrived, with their lengths.
    sent: BTreeMap<usize, (SentPart, usize)>,
    precondition: Precondition,
    cleanup: CleanupTasks,
    guard: BytesGuard,
}

type Parts = FuturesUnordered<BoxFuture<'static, Result<(usize, SentPart, usize), WriteError>>>;

impl Multipart {
    /// Starts a multipart upload.
    pub(in crate::io) async fn begin(
        remote: &Remote,
        key: &str,
        properties: &Properties,
        precondition: &Precondition,
    ) -> Result<Self, WriteError> {
        let path = remote.path_to_write(key)?;
        let upload = remote.open_multipart(&path, properties, precondition).await?;
        Ok(Self {
            upload: Some(upload),
            path,
            in_flight: Parts::new(),
            begun: 0,
            sent: BTreeMap::new(),
            precondition: precondition.clone(),
            cleanup: remote.cleanup().clone(),
            guard: remote.bytes_in_flight().begin(),
        })
    }

    /// Starts to send the next part; [`Multipart::part_sent`] drives it.
    pub(in crate::io) fn send_part(
        &mut self,
        remote: &Remote,
        content: Bytes,
        is_last: bool,
    ) -> Result<(), WriteError> {
        let upload = self.upload.as_ref().ok_or_else(completed_before)?;
        let (number, bytes, guard) = (self.begun, content.len(), self.guard.clone());
        let checksum = remote.checksum(&content);
        let part = upload.send_part(number, content, is_last, checksum);
        self.begun += 1;
        let counted = part.map(move |sent| {
            let sent = sent?;
            guard.add(bytes);
            Ok((number, sent, bytes))
        });
        self.in_flight.push(counted.boxed());
        Ok(())
    }

    /// Returns the number of parts in flight.
    pub(in crate::io) fn parts_in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Returns how the next part ended; `None` when none is in flight.
    pub(in crate::io) async fn part_sent(&mut self) -> Option<Result<(), WriteError>> {
        let sent = self.in_flight.next().await?;
        Some(sent.map(|(number, part, bytes)| {
            self.sent.insert(number, (part, bytes));
        }))
    }

    /// Makes the object visible. When that fails or its outcome is unknown, this
    /// aborts the upload before it returns, so that it cannot complete later.
    pub(in crate::io) async fn complete(mut self, remote: &Remote) -> Result<Option<Version>, WriteError> {
        let header = remote.completion_header(&self.precondition);
        let conditional = header.is_some();
        let upload = self.upload.clone().ok_or_else(completed_before)?;
        if !conditional && !upload.keeps_precondition() {
            remote.check_precondition(&self.path, &self.precondition).await?;
        }
        let checksum = whole_checksum(self.sent.values());
        let parts = std::mem::take(&mut self.sent).into_values().filter_map(|(part, _)| part.id).collect();
        let failure = match upload.complete(parts, header, checksum).await {
            Ok(result) => {
                self.upload = None;
                return Ok(version_of(result));
            }
            Err(failure) => failure,
        };
        upload.abort().await;
        self.upload = None;
        match failure {
            Failure::NotImplemented(message) if conditional => {
                // An upload in parts is begun anew, and that record says why.
                let _ = remote.ignore_preconditions();
                Err(WriteError::Transient { message, retry_after: None })
            }
            // S3's answer when the object to be replaced is gone.
            Failure::NotFound(message) if conditional && message.contains("NoSuchKey") => {
                Err(WriteError::PreconditionFailed)
            }
            Failure::NotFound(message) if message.contains("NoSuchUpload") => {
                Err(WriteError::Transient { message, retry_after: None })
            }
            failure @ (Failure::NotFound(_) | Failure::NotImplemented(_) | Failure::Write(_)) => {
                Err(failure.into_write_error())
            }
        }
    }
}

/// Returns the checksum of all parts together, as S3 writes it; `None` where one has none.
fn whole_checksum<'a>(parts: impl Iterator<Item = &'a (SentPart, usize)>) -> Option<String> {
    let mut whole = None;
    for (part, bytes) in parts {
        let sum = STANDARD.decode(part.checksum.as_deref()?).ok()?;
        let sum = u64::from_be_bytes(sum.try_into().ok()?);
        let joined = |before| checksum_combine(CrcAlgorithm::Crc64Nvme, before, sum, *bytes as u64);
        whole = Some(whole.map_or(sum, joined));
    }
    whole.map(|whole| STANDARD.encode(whole.to_be_bytes()))
}

impl Drop for Multipart {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        let parts = std::mem::take(&mut self.in_flight);
        self.cleanup.spawn(async move {
            // The outcome of parts is irrelevant here; late ones are dropped.
            let _ = tokio::time::timeout(LATE_PARTS_TIMEOUT, parts.for_each(|_| async {})).await;
            upload.abort().await;
        });
    }
}
