//! Collects the bytes of an object into parts.
//!
//! Of a file whose bytes are the object's, a part is only summed up: it is read again
//! when it is sent. Where something may have to be masked, the part that is being filled
//! is in memory all the same, in case that it happens there.

use super::output::{ContentHeaders, Sink};
use super::{Limits, gave_up};
use crate::io::source::OpenFile;
use crate::io::store::{Buffer, Buffers, Differs, FilePart, PartContent, Remote, WriteError};
use bytes::Bytes;
use ring::digest::{self, SHA256};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

/// Upper bound on the parts of one object
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const MAX_PARTS: u64 = 10_000;

/// The step in which parts grow.
const PART_STEP_BYTES: u64 = 1024 * 1024;

/// Google takes pieces of a resumable upload in multiples of this
/// (<https://docs.cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload>).
const PIECE_STEP_BYTES: usize = 256 * 1024;

/// A piece of an object.
pub(super) struct Part {
    pub(super) head: ContentHeaders,
    pub(super) content: PartContent,
    pub(super) last: bool,
}

/// Collects bytes into parts.
pub(super) struct PartSink {
    runtime: Handle,
    sender: mpsc::Sender<Part>,
    permits: Arc<Semaphore>,
    buffers: Arc<Buffers>,
    limits: Limits,
    part_bytes: usize,
    /// Bytes still to come, as far as known.
    expected: u64,
    head: Option<ContentHeaders>,
    /// Bytes of the part being filled.
    filled: usize,
    filling: Option<Buffer>,
    second_reading: Option<SecondReading>,
    copy: Option<SummedUp>,
}

/// How the parts of files are read a second time.
#[derive(Clone)]
pub(super) struct SecondReading {
    pub(super) needs_sha256: bool,
    pub(super) differs: Differs,
    pub(super) pieces: Arc<Buffers>,
}

/// The part of a file that is being summed up.
struct SummedUp {
    file: Arc<OpenFile>,
    may_differ: bool,
    terms: SecondReading,
    at: u64,
    crc32c: u32,
    sha256: Option<digest::Context>,
}

impl SummedUp {
    fn new(file: OpenFile, may_differ: bool, terms: SecondReading) -> Self {
        let sha256 = terms.needs_sha256.then(|| digest::Context::new(&SHA256));
        Self { file: Arc::new(file), may_differ, terms, at: 0, crc32c: 0, sha256 }
    }

    fn sum_up(&mut self, bytes: &[u8]) {
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        if let Some(sum) = &mut self.sha256 {
            sum.update(bytes);
        }
    }

    /// Returns the part of so many bytes that was summed up, and begins the next one.
    fn take(&mut self, bytes: usize) -> FilePart {
        let fresh = self.terms.needs_sha256.then(|| digest::Context::new(&SHA256));
        let sha256 = std::mem::replace(&mut self.sha256, fresh);
        let part = FilePart {
            file: Arc::clone(&self.file),
            at: self.at,
            bytes,
            crc32c: std::mem::take(&mut self.crc32c),
            sha256: sha256.and_then(|sum| sum.finish().as_ref().try_into().ok()),
            differs: self.terms.differs.clone(),
            pieces: Arc::clone(&self.terms.pieces),
            permit: None,
        };
        self.at += bytes as u64;
        part
    }
}

impl PartSink {
    pub(super) fn new(
        remote: &Remote,
        sender: mpsc::Sender<Part>,
        permits: Arc<Semaphore>,
        limits: Limits,
        second_reading: Option<SecondReading>,
    ) -> Self {
        let part_bytes = match limits.part_bytes % PIECE_STEP_BYTES {
            rest if rest < limits.part_bytes => limits.part_bytes - rest,
            _ => limits.part_bytes,
        };
        Self {
            runtime: Handle::current(),
            sender,
            permits,
            buffers: remote.buffers(),
            limits,
            part_bytes,
            expected: 0,
            head: None,
            filled: 0,
            filling: None,
            second_reading,
            copy: None,
        }
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

    /// Returns the memory of the part being filled.
    fn memory(&mut self) -> Result<&mut Vec<u8>, WriteError> {
        if self.filling.is_none() {
            let permit = self.runtime.block_on(Arc::clone(&self.permits).acquire_owned());
            let capacity = self.part_bytes.min(usize::try_from(self.expected).unwrap_or(usize::MAX));
            self.filling = Some(self.buffers.take(capacity, permit.map_err(|_| gave_up())?));
        }
        self.filling.as_mut().map(|part| &mut part.bytes).ok_or_else(gave_up)
    }

    fn send(&mut self, last: bool) -> Result<(), WriteError> {
        let Some(head) = self.head.clone() else { return Ok(()) };
        let bytes = std::mem::take(&mut self.filled);
        let content = match &mut self.copy {
            Some(copy) if bytes > 0 => {
                // Its memory is that of the next part.
                self.filling.iter_mut().for_each(|part| part.bytes.clear());
                PartContent::File(copy.take(bytes))
            }
            Some(_) | None => {
                PartContent::Memory(self.filling.take().map_or_else(Bytes::new, Buffer::freeze))
            }
        };
        self.sender.blocking_send(Part { head, content, last }).map_err(|_| gave_up())
    }

    /// Sends the rest; an empty object is one empty part.
    pub(super) fn finish(mut self) -> Result<(), WriteError> {
        self.send(true)
    }
}

impl Sink for PartSink {
    type Error = WriteError;

    fn accepts(&self, at_most: u64) -> Result<(), WriteError> {
        self.part_for(at_most).map(|_| ())
    }

    fn copies(&mut self, file: &OpenFile, may_differ: bool) {
        // What fits into one part is one request, with the bytes in memory.
        let is_in_parts = file.stamp().size > self.part_bytes as u64;
        if let Some(terms) = self.second_reading.clone().filter(|_| is_in_parts) {
            // Without another descriptor the parts are kept in memory.
            self.copy = file.again().ok().map(|file| SummedUp::new(file, may_differ, terms));
        }
    }

    fn differs(&mut self) {
        self.copy = self.copy.take().filter(|copy| !copy.may_differ);
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
            if self.filled >= self.part_bytes {
                self.send(false)?;
            }
            let (now, rest) = bytes.split_at(bytes.len().min(self.part_bytes - self.filled));
            if let Some(copy) = &mut self.copy {
                copy.sum_up(now);
            }
            if self.copy.as_ref().is_none_or(|copy| copy.may_differ) {
                self.memory()?.extend_from_slice(now);
            }
            self.filled += now.len();
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
