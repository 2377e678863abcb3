//! Stores into a bucket: a thread fills parts, the runtime sends them.
//!
//! ```text
//! pump ──▶ part being filled ──▶ channel ──▶ parts being sent
//!   ▲         one permit each, for as long as it is in memory
//!   └────────────── waits for a permit before it begins a part
//! ```

use super::output::{ContentHeaders, PumpError, Sink, Totals};
use super::pump::pump;
use super::{Limits, Stored, Upload, UploadError, gave_up};
use crate::censor::Censor;
use crate::io::store::{Buffer, Buffers, Multipart, Properties, Remote, WriteError};
use bytes::Bytes;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Upper bound on the parts of one object
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const MAX_PARTS: u64 = 10_000;

/// The step in which parts grow.
const PART_STEP_BYTES: u64 = 1024 * 1024;

/// Google takes pieces of a resumable upload in multiples of this
/// (<https://docs.cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload>).
const PIECE_STEP_BYTES: usize = 256 * 1024;

/// Makes one attempt. Dropping the future stops the thread at its next part
/// and aborts a multipart upload.
pub(super) async fn store(
    remote: &Remote,
    upload: &Upload,
    censor: Option<&Arc<Censor>>,
    limits: &Limits,
) -> Result<Stored, UploadError> {
    let (sender, mut parts) = mpsc::channel(1);
    let permits = Arc::new(Semaphore::new(limits.parts_in_memory.max(1)));
    let _closing = CloseOnDrop(Arc::clone(&permits));
    let sink = PartSink::new(sender, permits, remote.buffers(), *limits);
    let thread = start(upload.clone(), censor.cloned(), sink);
    let Some(first) = parts.recv().await else {
        return Err(match finished(thread).await {
            Ok(_) => gave_up().into(),
            Err(error) => error,
        });
    };
    let properties = Properties {
        content_type: first.head.content_type.clone(),
        content_encoding: first.head.content_encoding,
        metadata: upload.metadata.clone(),
    };
    let head = first.head.clone();
    let (totals, version) = if first.last {
        let totals = finished(thread).await?;
        let put = remote.put(&upload.key, first.bytes, &properties, &upload.precondition);
        (totals, put.await?)
    } else {
        let mut multipart = Multipart::begin(remote, &upload.key, &properties, &upload.precondition).await?;
        send(remote, &mut multipart, first, &mut parts, limits).await?;
        // Only a source that was read to its end makes an object.
        let totals = finished(thread).await?;
        (totals, multipart.complete(remote).await?)
    };
    Ok(Stored::new(&totals, &head, version))
}

/// Sends all parts, several at a time.
async fn send(
    remote: &Remote,
    multipart: &mut Multipart,
    first: Part,
    parts: &mut mpsc::Receiver<Part>,
    limits: &Limits,
) -> Result<(), WriteError> {
    multipart.send_part(remote, first.bytes, first.last)?;
    loop {
        let room = multipart.parts_in_flight() < limits.parts_in_memory;
        tokio::select! {
            part = parts.recv(), if room => match part {
                Some(part) => multipart.send_part(remote, part.bytes, part.last)?,
                None => break,
            },
            Some(result) = multipart.part_sent() => result?,
        }
    }
    while let Some(result) = multipart.part_sent().await {
        result?;
    }
    Ok(())
}

fn start(upload: Upload, censor: Option<Arc<Censor>>, mut sink: PartSink) -> JoinHandle<Pumped> {
    tokio::task::spawn_blocking(move || {
        let totals = pump(&upload, upload.compress, censor.as_deref(), &mut sink)?;
        sink.finish().map_err(PumpError::Sink)?;
        Ok(totals)
    })
}

type Pumped = Result<Totals, PumpError<WriteError>>;

async fn finished(thread: JoinHandle<Pumped>) -> Result<Totals, UploadError> {
    match thread.await {
        Ok(pumped) => Ok(pumped?),
        Err(error) => Err(super::thread_lost(&error)),
    }
}

/// A piece of an object.
struct Part {
    head: ContentHeaders,
    bytes: Bytes,
    last: bool,
}

/// Collects bytes into parts.
struct PartSink {
    runtime: Handle,
    sender: mpsc::Sender<Part>,
    permits: Arc<Semaphore>,
    buffers: Arc<Buffers>,
    limits: Limits,
    part_bytes: usize,
    /// Bytes still to come, as far as known.
    expected: u64,
    head: Option<ContentHeaders>,
    filling: Option<Buffer>,
}

impl PartSink {
    fn new(
        sender: mpsc::Sender<Part>,
        permits: Arc<Semaphore>,
        buffers: Arc<Buffers>,
        limits: Limits,
    ) -> Self {
        let runtime = Handle::current();
        let part_bytes = match limits.part_bytes % PIECE_STEP_BYTES {
            rest if rest < limits.part_bytes => limits.part_bytes - rest,
            _ => limits.part_bytes,
        };
        Self { runtime, sender, permits, buffers, limits, part_bytes, expected: 0, head: None, filling: None }
    }

    /// Returns the size of the parts of an object that may get this large.
    fn part_for(&self, at_most: u64) -> Result<usize, WriteError> {
        let most = self.limits.max_part_bytes;
        part_bytes(self.part_bytes, at_most, most).ok_or_else(|| {
            WriteError::Permanent(format!(
                "it is too large: {at_most} bytes do not fit into {MAX_PARTS} parts of {most} bytes, the most for \
                 delivery.memory"
            ))
        })
    }

    /// Returns the part to append to; sends a full one first.
    fn part(&mut self) -> Result<&mut Vec<u8>, WriteError> {
        if self.filling.as_ref().is_some_and(|part| part.bytes.len() >= self.part_bytes) {
            self.send(false)?;
        }
        if self.filling.is_none() {
            let permit = self.runtime.block_on(Arc::clone(&self.permits).acquire_owned());
            let capacity = self.part_bytes.min(usize::try_from(self.expected).unwrap_or(usize::MAX));
            self.filling = Some(self.buffers.take(capacity, permit.map_err(|_| gave_up())?));
        }
        self.filling.as_mut().map(|part| &mut part.bytes).ok_or_else(gave_up)
    }

    fn send(&mut self, last: bool) -> Result<(), WriteError> {
        let (Some(head), Some(filled)) = (&self.head, self.filling.take()) else {
            return Ok(());
        };
        let part = Part { head: head.clone(), bytes: filled.freeze(), last };
        self.sender.blocking_send(part).map_err(|_| gave_up())
    }

    /// Sends the rest; an empty object is one empty part.
    fn finish(mut self) -> Result<(), WriteError> {
        if self.filling.is_none() {
            self.part()?;
        }
        self.send(true)
    }
}

impl Sink for PartSink {
    type Error = WriteError;

    fn accepts(&self, at_most: u64) -> Result<(), WriteError> {
        self.part_for(at_most).map(|_| ())
    }

    fn begin(&mut self, head: &ContentHeaders, at_most: u64) -> Result<(), WriteError> {
        self.head = Some(head.clone());
        self.expected = at_most;
        let part_bytes = self.part_for(at_most)?;
        if part_bytes > self.part_bytes {
            // Parts that have grown are filled and sent in turns.
            self.permits.forget_permits(self.limits.parts_in_memory.saturating_sub(1));
        }
        self.part_bytes = part_bytes;
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            let room = self.part_bytes;
            let part = self.part()?;
            let (now, rest) = bytes.split_at(bytes.len().min(room - part.len()));
            part.extend_from_slice(now);
            self.expected = self.expected.saturating_sub(now.len() as u64);
            bytes = rest;
        }
        Ok(())
    }

    fn wanted(&self) -> Result<(), WriteError> {
        if self.sender.is_closed() { Err(gave_up()) } else { Ok(()) }
    }
}

/// Returns the size of a part, grown where an object would need too many of them;
/// `None` where it would exceed `most`: a job can make a sparse file of any size at no
/// cost.
fn part_bytes(configured: usize, object: u64, most: usize) -> Option<usize> {
    let needed = object.div_ceil(MAX_PARTS);
    if needed <= configured as u64 {
        return Some(configured);
    }
    let grown = usize::try_from(needed.div_ceil(PART_STEP_BYTES) * PART_STEP_BYTES).ok()?;
    (grown <= most).then_some(grown)
}

/// Wakes the thread that waits for memory when the attempt is given up.
struct CloseOnDrop(Arc<Semaphore>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;
    const MOST: usize = 32 << 20;

    #[test]
    fn ten_thousand_parts_are_enough() {
        assert_eq!(part_bytes(5 << 20, 300 * MIB, MOST), Some(5 << 20));
        for object in [50_000 * MIB, 50_001 * MIB, 320_000 * MIB] {
            let part = part_bytes(5 << 20, object, MOST).expect("it fits") as u64;
            assert!(object.div_ceil(part) <= MAX_PARTS, "{object}");
        }
    }

    #[test]
    fn i8_a_sparse_file_of_any_size_takes_no_memory() {
        for object in [320_001 * MIB, 16 * MIB * MIB, u64::MAX] {
            assert_eq!(part_bytes(5 << 20, object, MOST), None, "{object}");
        }
        assert_eq!(part_bytes(5 << 20, 60_000 * MIB, 6 << 20), Some(6 << 20));
        assert_eq!(part_bytes(5 << 20, 60_001 * MIB, 6 << 20), None);
    }
}
