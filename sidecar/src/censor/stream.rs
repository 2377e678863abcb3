//! Masking a stream that passes through a window.

use super::engine::Matcher;
use std::sync::Arc;

/// What stands in place of each byte of a secret (C-23).
const MASK: u8 = b'X';

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
    matcher: Arc<dyn Matcher>,
    /// Bytes at the front of the window that a match begun before them covers.
    covered: usize,
    masked: u64,
}

impl WindowMask {
    pub(super) fn new(matcher: Arc<dyn Matcher>) -> Self {
        Self { matcher, covered: 0, masked: 0 }
    }
}

impl Mask for WindowMask {
    fn mask(&mut self, window: &mut [u8], end: bool) -> usize {
        let held = self.matcher.longest().saturating_sub(1);
        // What is held back is searched again; with less than this many new
        // bytes that would be most of the work.
        if !end && window.len() < 2 * held {
            return 0;
        }
        let released = if end { window.len() } else { window.len() - held };
        let covered = union(&*self.matcher, window, self.covered);
        self.covered = 0;
        for (start, stop) in covered {
            if start >= released {
                break;
            }
            let now = stop.min(released);
            window[start..now].fill(MASK);
            self.masked += (now - start) as u64;
            // The rest stays readable for matches that begin in it.
            self.covered = stop - now;
        }
        released
    }

    fn masked(&self) -> u64 {
        self.masked
    }
}

/// What all matches cover together, as ascending disjoint intervals; the first
/// `covered` bytes are known to be.
fn union(matcher: &dyn Matcher, window: &[u8], covered: usize) -> Vec<(usize, usize)> {
    let mut intervals: Vec<(usize, usize)> = Vec::new();
    if covered > 0 {
        intervals.push((0, covered));
    }
    matcher.find(window, &mut |found| {
        let (mut start, mut stop) = (found.start, found.end);
        while let Some(&(last_start, last_stop)) = intervals.last()
            && last_stop >= start
        {
            start = start.min(last_start);
            stop = stop.max(last_stop);
            intervals.pop();
        }
        intervals.push((start, stop));
    });
    intervals
}
