//! The open source of an attempt.

use crate::io::source::{OpenFile, Source, Stamp};
use std::io::{self, Read};
use thiserror::Error;

/// Bytes read from a file at a time. The page cache delivers more per second up
/// to about this size, and it fits the processor's cache beside the output.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// The reason why a source delivers no more bytes.
#[derive(Debug, Error)]
pub(super) enum SourceError {
    #[error("it cannot be opened: {0}")]
    Open(io::Error),
    #[error("it cannot be read: {0}")]
    Read(io::Error),
    #[error("it cannot be unpacked: {0}")]
    Decompress(io::Error),
}

/// An open source.
pub(super) enum Input<'a> {
    Bytes(&'a [u8]),
    Compressed(Box<dyn Read + Send>, u64),
    File(OpenFile),
}

impl<'a> Input<'a> {
    pub(super) fn open(source: &'a Source) -> Result<Self, SourceError> {
        match source {
            Source::Bytes(bytes) => Ok(Self::Bytes(bytes)),
            Source::Compressed(document) => Ok(Self::Compressed(Box::new(document.open()), document.bytes())),
            Source::File(file) => file.open().map(Self::File).map_err(SourceError::Open),
        }
    }

    /// Returns the size in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Compressed(_, bytes) => *bytes,
            Self::File(file) => file.stamp().size,
        }
    }

    /// Appends up to [`READ_BYTES`] to the window; false at the end.
    pub(super) fn read(&mut self, window: &mut Vec<u8>) -> Result<bool, SourceError> {
        match self {
            Self::Bytes(bytes) => {
                window.extend_from_slice(bytes);
                *bytes = &[];
                Ok(false)
            }
            Self::Compressed(document, _) => {
                let limit = READ_BYTES as u64;
                let read = document.as_mut().take(limit).read_to_end(window);
                Ok(read.map_err(SourceError::Decompress)? as u64 == limit)
            }
            Self::File(file) => {
                let room = READ_BYTES.min(usize::try_from(file.left()).unwrap_or(usize::MAX));
                window.reserve(room);
                let read = file.append_to(window).map_err(SourceError::Read)?;
                Ok(read > 0 && file.left() > 0)
            }
        }
    }

    /// Skips a hole of a sparse file; returns its length, 0 for none.
    pub(super) fn skip_hole(&mut self, least: u64) -> u64 {
        match self {
            Self::Bytes(_) | Self::Compressed(..) => 0,
            Self::File(file) => file.skip_hole(least),
        }
    }

    /// Returns whether the source is at its end.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Compressed(..) => false,
            Self::File(file) => file.left() == 0,
        }
    }

    /// Returns whether the source changed while `read` bytes of it were read.
    pub(super) fn changed(&self, read: u64) -> bool {
        match self {
            Self::Bytes(_) | Self::Compressed(..) => false,
            Self::File(file) => file.changed() || read != file.stamp().size,
        }
    }

    /// Returns what identified a file when it was opened.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::Bytes(_) | Self::Compressed(..) => None,
            Self::File(file) => Some(file.stamp()),
        }
    }
}
