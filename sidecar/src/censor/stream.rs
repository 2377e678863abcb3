//! Masking a stream that passes through a window.

use super::engine::{Matcher, Progress};
use std::sync::Arc;

/// The interface between a file reader and the matching engine.
///
/// The caller owns the window: it appends what it reads, calls [`mask`], and
/// takes what was released from the front. What remains must be at the front
/// of the next window, unchanged.
///
/// [`mask`]: Mask::mask
pub trait Mask: Send {
    /// Overwrites secrets in the window and returns how many bytes, counted
    /// from the front, are final. The rest could still be part of a match.
    /// With `end` no further bytes follow, and all are final.
    fn mask(&mut self, window: &mut [u8], end: bool) -> usize;

    /// Bytes overwritten so far.
    fn masked(&self) -> u64;
}

/// A mask for one stream.
pub(super) struct WindowMask {
    matcher: Arc<Matcher>,
    progress: Progress,
}

impl WindowMask {
    pub(super) fn new(matcher: Arc<Matcher>) -> Self {
        Self { progress: matcher.start(), matcher }
    }
}

impl Mask for WindowMask {
    fn mask(&mut self, window: &mut [u8], end: bool) -> usize {
        self.matcher.mask(&mut self.progress, window, end)
    }

    fn masked(&self) -> u64 {
        self.progress.masked()
    }
}
