//! Beginning and end of a member's data, which are scanned with what lies around it.

use super::super::bytes::{ReadAt, SourceRange};
use super::entry::Entry;
use super::{CONTEXT_BYTES, is_text};
use std::io::{self, Write};

/// A text of up to this size is scanned with its name and with what follows it.
const WHOLE_BYTES: u64 = 2 * CONTEXT_BYTES;

/// Both ends of a member's data; as a writer it collects them.
#[derive(Default)]
pub(super) struct Ends {
    /// The first [`CONTEXT_BYTES`].
    pub(super) first: Vec<u8>,
    /// At least the last [`WHOLE_BYTES`].
    last: Vec<u8>,
    size: u64,
}

impl Ends {
    pub(super) fn of(data: &dyn ReadAt) -> io::Result<Self> {
        let size = data.len();
        Ok(Self {
            first: SourceRange::new(data, 0, CONTEXT_BYTES).to_vec()?,
            last: SourceRange::new(data, size.saturating_sub(WHOLE_BYTES), WHOLE_BYTES).to_vec()?,
            size,
        })
    }

    /// Returns the text that goes on behind the data; empty if the data is none.
    pub(super) fn text(mut self, entry: &Entry, texts: &[u8]) -> Vec<u8> {
        if !is_text(entry, &self.first) {
            return Vec::new();
        }
        if self.size <= WHOLE_BYTES {
            return [texts, &self.last].concat();
        }
        self.keep_last(CONTEXT_BYTES);
        self.last
    }

    fn keep_last(&mut self, most: u64) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.last.drain(..self.last.len().saturating_sub(most));
    }
}

impl Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(CONTEXT_BYTES).unwrap_or(usize::MAX) - self.first.len();
        self.first.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.last.extend_from_slice(bytes);
        if self.last.len() as u64 > 2 * WHOLE_BYTES {
            self.keep_last(WHOLE_BYTES);
        }
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
