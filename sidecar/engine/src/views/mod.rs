//! Views of a text in which escaped, wrapped and listed values are plain.
//!
//! ```text
//! window ─▶ gate ─ seams beside a value ─▶ canonical ─┐
//!    │                                                ├─▶ matcher ─▶ spans in the window
//!    └────▶ numbers ─ lists of bytes ─────────────────┘
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | `canonical` | layout and escapes removed, with places back to the text |
//! | `gate` | where that is worth a search |
//! | `lists` | where lists of numbers may be |
//! | `numbers` | bytes written as decimal or hexadecimal numbers |
//!
//! A view is searched in *regions* around the places that may be part of a match,
//! so text without such places costs little. A region that may go on is held back.

mod canonical;
mod gate;
mod lists;
mod numbers;

pub use canonical::canonical;

use canonical::Canonical;
use gate::Gate;
use numbers::Numbers;
use std::fmt;

/// Minimum length of a pattern that is looked for in views; shorter ones would be
/// found everywhere.
pub const MIN_VIEW_BYTES: usize = gate::LONG;

/// Maximum length of a pattern whose reach is taken into account.
const MAX_REACH_BYTES: usize = 24 << 10;

/// Text around a seam, beside the longest pattern, that belongs to its region.
const MARGIN_BYTES: usize = 512;

/// Bytes of the text that a byte of a value can take in a match that spans two windows.
const MAX_STRETCH: usize = 12;

/// Maximum size of a part of a region that is decoded at a time.
const MAX_PART_BYTES: usize = 128 << 10;

/// Minimum number of bytes that are examined together, unless the text ends.
const MIN_STEP_BYTES: usize = 2048;

/// Searches a whole text for patterns, and reports the range of each match.
type Search<'a> = dyn FnMut(&[u8], &mut dyn FnMut(usize, usize)) + 'a;

/// Everything a search of views needs.
pub(super) struct Views {
    gate: Gate,
    reach: usize,
}

/// The position of a stream in its views.
#[derive(Debug, Default)]
pub(super) struct ViewProgress {
    /// The first place that has not been examined.
    next: usize,
    /// Where a region begins that may go on.
    open: Option<usize>,
    regions: Vec<(usize, usize)>,
    canonical: Canonical,
    numbers: Numbers,
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Views {
    /// Prepares views for values in canonical form; `longest` is the length of the
    /// longest pattern.
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a [u8]> + Clone, longest: usize) -> Self {
        Self { gate: Gate::new(values), reach: longest.min(MAX_REACH_BYTES) + MARGIN_BYTES }
    }

    pub(super) fn memory(&self) -> usize {
        self.gate.memory()
    }

    /// Finds matches in all views, and returns the length of the part of the window
    /// that is final.
    pub(super) fn scan(
        &self,
        state: &mut ViewProgress,
        window: &[u8],
        end: bool,
        search: &mut Search<'_>,
        found: &mut dyn FnMut(usize, usize),
    ) -> usize {
        let limit = if end { window.len() } else { window.len().saturating_sub(self.reach) };
        if end || limit >= state.next + MIN_STEP_BYTES {
            self.examine(state, window, limit);
            for &(from, to) in &state.regions {
                for (from, to) in parts(from, to, self.reach) {
                    let text = &window[from..to];
                    state.canonical.decode(text);
                    search(state.canonical.bytes(), &mut |start, stop| {
                        state
                            .canonical
                            .origins(start, stop, text, |start, stop| found(from + start, from + stop));
                    });
                }
            }
            let scan = numbers::Scan { window, from: state.next, to: limit, reach: self.reach };
            state.numbers.scan(&scan, |bytes, places| {
                search(bytes, &mut |start, stop| places.origins(start, stop, &mut *found));
            });
            state.next = state.next.max(limit);
        }
        if end {
            return window.len();
        }
        let held = state.next.saturating_sub(self.reach);
        let open = [state.open, state.numbers.open()].into_iter().flatten().min().unwrap_or(held);
        open.max(state.next.saturating_sub(MAX_STRETCH * self.reach)).min(held)
    }

    /// Collects the regions around seams up to `limit`.
    fn examine(&self, state: &mut ViewProgress, window: &[u8], limit: usize) {
        state.regions.clear();
        let (reach, open) = (self.reach, state.open.take());
        let regions = &mut state.regions;
        self.gate.scan(window, state.next, limit, &mut state.canonical, |first, behind| {
            let from = first.saturating_sub(reach);
            let to = (behind + reach).min(window.len());
            match regions.last_mut() {
                Some(last) if from <= last.1 => last.1 = to,
                _ => regions.push((from, to)),
            }
        });
        if let (Some(open), Some(first)) = (open, regions.first_mut())
            && first.0 <= state.next
        {
            first.0 = first.0.min(open);
        }
        state.open = regions.last().filter(|last| last.1 + reach > limit).map(|last| last.0);
    }

    /// Accounts for bytes that were removed from the front of the window.
    pub(super) fn release(state: &mut ViewProgress, released: usize) {
        state.next = state.next.saturating_sub(released);
        state.open = state.open.map(|open| open.saturating_sub(released));
        state.numbers.release(released);
    }
}

/// Divides a region into parts that overlap.
fn parts(from: usize, to: usize, reach: usize) -> impl Iterator<Item = (usize, usize)> {
    let overlap = MAX_STRETCH * reach;
    let size = MAX_PART_BYTES.max(2 * overlap);
    let step = size - overlap;
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let part = next.take()?;
        let end = (part + size).min(to);
        if end < to {
            next = Some(part + step);
        }
        Some((part, end))
    })
}
