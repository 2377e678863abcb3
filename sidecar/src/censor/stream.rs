//! Masking of a stream that passes through a window.

use super::engine::{Matcher, Progress};
use std::sync::Arc;

/// The mask of one stream, between a file reader and the matching engine.
///
/// The caller owns the window: it appends what it reads, calls [`mask`], and
/// removes the final bytes from the front. The next window begins with the bytes
/// that remain, unchanged.
///
/// [`mask`]: Self::mask
#[derive(Debug)]
pub struct StreamMask {
    matcher: Arc<Matcher>,
    progress: Progress,
}

impl StreamMask {
    pub(super) fn new(matcher: Arc<Matcher>) -> Self {
        Self { progress: matcher.start(), matcher }
    }

    /// Overwrites secrets in the window and returns how many bytes, counted from
    /// the front, are final; the rest could be part of a match. With `end` no
    /// bytes follow, and all are final.
    pub fn mask(&mut self, window: &mut [u8], end: bool) -> usize {
        self.matcher.mask(&mut self.progress, window, end)
    }

    /// Returns the number of bytes overwritten so far.
    pub fn masked(&self) -> u64 {
        self.progress.masked()
    }
}
