//! Patterns that are one byte, repeated.
//!
//! Every part of such a pattern looks like any other, so nothing tells where in
//! a run of the byte it could start. But of all patterns of one byte only the
//! shortest counts: together its places are the whole run.

use super::patterns::Patterns;
use super::short::GRAM_BYTES;
use super::spans::Spans;

/// The shortest pattern for each byte.
pub(super) struct Runs {
    /// Its length, or `usize::MAX`.
    lengths: [usize; 256],
    shortest: usize,
    longest: usize,
}

/// Whether a pattern is found as a run, not by its grams.
pub(super) fn is_run(pattern: &[u8]) -> bool {
    pattern.len() >= GRAM_BYTES && pattern[1..] == pattern[..pattern.len() - 1]
}

impl Runs {
    /// Of the patterns that are exact, or of those that are not; `None` when none is a run.
    pub(super) fn new(patterns: &Patterns, exact: bool) -> Option<Self> {
        let mut lengths = [usize::MAX; 256];
        let runs = patterns.iter().filter(|(id, pattern)| patterns.is_exact(*id) == exact && is_run(pattern));
        for (_, pattern) in runs {
            let length = &mut lengths[usize::from(pattern[0])];
            *length = pattern.len().min(*length);
        }
        let some = || lengths.iter().copied().filter(|length| *length < usize::MAX);
        Some(Self { shortest: some().min()?, longest: some().max()?, lengths })
    }

    /// Looks at every place from `from` on whose shortest run the window holds
    /// to its end, and returns the first place it did not look at.
    pub(super) fn scan(&self, window: &[u8], from: usize, end: bool, spans: &mut Spans) -> usize {
        // A run as long as this cannot lie between two places that are looked at.
        let stride = self.shortest / 2;
        let needed = if end { stride } else { self.longest };
        let Some(last) = window.len().checked_sub(needed) else { return from };
        let (mut at, mut known) = (from, 0);
        while at <= last {
            let byte = window[at];
            let length = self.lengths[usize::from(byte)];
            // Both ends of a stride tell most other text from a run.
            if length < usize::MAX && at >= known && window[at + stride - 1] == byte {
                let before = window[..at].iter().rev().take_while(|other| **other == byte).count();
                let behind = window[at..].iter().take_while(|other| **other == byte).count();
                known = at + behind;
                if before + behind >= length {
                    spans.push(at - before, known);
                }
            }
            at += stride;
        }
        at
    }

    /// Most bytes of a run before the first place that is looked at in it.
    pub(super) fn before(&self) -> usize {
        self.shortest / 2
    }
}
