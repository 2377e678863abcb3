//! The interface between a file reader and the matching engine.

/// Masks secrets in a stream that passes through a window.
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
