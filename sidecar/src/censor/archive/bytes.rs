//! Sources with random access, and readers of them.

use super::CHUNK_BYTES;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;

/// Content of known length with random access.
pub trait ReadAt {
    /// Returns the length in bytes.
    fn len(&self) -> u64;

    /// Returns whether there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at an offset; returns 0 only at or behind the end.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Returns whether a range is a hole of a sparse file: zeros that need not be read.
    fn is_hole(&self, _at: u64, _length: u64) -> bool {
        false
    }
}

/// Returns whether all bytes are zero.
pub(super) fn are_zeros(bytes: &[u8]) -> bool {
    // Each byte equals the one before: that compares many of them at a time.
    bytes.first().is_none_or(|first| *first == 0 && bytes[1..] == bytes[..bytes.len() - 1])
}

impl ReadAt for &[u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let read = into.len().min(<[u8]>::len(rest));
        into[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

/// A private file, and its length.
impl ReadAt for (File, u64) {
    fn len(&self) -> u64 {
        self.1
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(into, at)
    }
}

/// A range of another source.
#[derive(Clone, Copy)]
pub(super) struct SourceRange<'a> {
    whole: &'a dyn ReadAt,
    from: u64,
    length: u64,
}

impl<'a> SourceRange<'a> {
    /// Selects the part of the range that exists.
    pub(super) fn new(whole: &'a dyn ReadAt, from: u64, length: u64) -> Self {
        let from = from.min(whole.len());
        Self { whole, from, length: length.min(whole.len() - from) }
    }

    /// Reads all of it; for small records.
    pub(super) fn to_vec(self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Cursor::new(&self).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl ReadAt for SourceRange<'_> {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        if most == 0 { Ok(0) } else { self.whole.read_at(self.from + at, &mut into[..most]) }
    }
}

/// A buffered reader of a source.
pub(super) struct Cursor<'a> {
    source: &'a dyn ReadAt,
    /// The offset of the buffer's end.
    at: u64,
    buffer: Vec<u8>,
    taken: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: &'a dyn ReadAt) -> Self {
        Self { source, at: 0, buffer: Vec::new(), taken: 0 }
    }

    /// Returns the offset of the next byte.
    pub(super) fn position(&self) -> u64 {
        self.at - (self.buffer.len() - self.taken) as u64
    }

    /// Continues at an offset.
    pub(super) fn seek(&mut self, to: u64) {
        (self.at, self.taken) = (to, 0);
        self.buffer.clear();
    }

    /// Returns at least `wanted` bytes, or all that are left.
    pub(super) fn at_least(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.taken < wanted && self.fill()? > 0 {}
        Ok(&self.buffer[self.taken..])
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let before = self.buffer.len();
        let left = self.source.len().saturating_sub(self.at);
        let more = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        self.buffer.resize(before + more, 0);
        let read = self.source.read_at(self.at, &mut self.buffer[before..]);
        self.buffer.truncate(before + *read.as_ref().unwrap_or(&0));
        self.at += *read.as_ref().unwrap_or(&0) as u64;
        read
    }
}

impl BufRead for Cursor<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.at_least(1)
    }

    fn consume(&mut self, bytes: usize) {
        self.taken += bytes;
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let buffer = self.fill_buf()?;
        let read = buffer.len().min(into.len());
        into[..read].copy_from_slice(&buffer[..read]);
        self.consume(read);
        Ok(read)
    }
}

/// Reads until the buffer is full or the input ends.
pub(super) fn read_full(input: &mut (impl Read + ?Sized), into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match input.read(&mut into[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
