//! Patterns of one repeated byte.
//!
//! Every part of such a pattern equals every other, so no gram shows where in a
//! run it starts. But of all patterns of one byte only the shortest matters: its
//! matches together cover the whole run.

use super::gram::is_run;
use super::patterns::Selection;
use super::spans::Spans;

/// The shortest pattern for each byte.
pub(super) struct Runs {
    /// Its length, or `usize::MAX`.
    lengths: [usize; 256],
    shortest: usize,
    longest: usize,
}

impl Runs {
    /// Collects the runs among the exact or the folded patterns; `None` if there are none.
    pub(super) fn new(selection: Selection<'_>, exact: bool) -> Option<Self> {
        let mut lengths = [usize::MAX; 256];
        let is_exact = |id| selection.patterns.is_exact(id);
        let runs = selection.iter().filter(|(id, pattern)| is_exact(*id) == exact && is_run(pattern));
        for (_, pattern) in runs {
            let length = &mut lengths[usize::from(pattern[0])];
            *length = pattern.len().min(*length);
        }
        let some = || lengths.iter().copied().filter(|length| *length < usize::MAX);
        Some(Self { shortest: some().min()?, longest: some().max()?, lengths })
    }

    /// Looks at every place from `from` on whose shortest run the window contains
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

    /// Maximum number of bytes of a run before the first place looked at in it.
    pub(super) fn before(&self) -> usize {
        self.shortest / 2
    }
}
