//! The union of all matches.

use super::bare_number::{Behind, is_numeric};
use super::escape_ends::widened;

/// Upper bound on what is held back because of what it ends with.
const MAX_HELD_BYTES: usize = 64;

/// Returns how much of a window can be released so that a number, and blanks or backslashes
/// in a row, are looked at with what follows them.
pub(super) fn without_open_end(window: &[u8], released: usize) -> usize {
    let is_open = |byte: &&u8| is_numeric(**byte) || matches!(**byte, b' ' | b'\t' | b'\\' | b'"' | b'\'');
    let open = window[..released].iter().rev().take(MAX_HELD_BYTES + 1).take_while(is_open).count();
    if open > MAX_HELD_BYTES { released } else { released - open }
}

/// Matches merged as they are found, in roughly ascending order.
#[derive(Debug, Default)]
pub(super) struct Spans {
    ranges: Vec<(usize, usize)>,
    behind: Behind,
}

impl Spans {
    /// Returns whether the last span covers this range; earlier ones are not asked.
    #[inline]
    pub(super) fn covers(&self, start: usize, end: usize) -> bool {
        self.ranges.last().is_some_and(|last| last.0 <= start && end <= last.1)
    }

    pub(super) fn push(&mut self, start: usize, end: usize) {
        match self.ranges.last_mut() {
            Some(last) if start <= last.1 && last.0 <= end => {
                *last = (last.0.min(start), last.1.max(end));
            }
            Some(_) | None => self.ranges.push((start, end)),
        }
    }

    /// Widens the spans by backslashes that belong to what they cover; at their ends only
    /// those that end before `end`, so that each is widened once.
    pub(super) fn widen(&mut self, window: &[u8], end: usize, is_end: bool) {
        for (start, stop) in &mut self.ranges {
            let is_final = *stop <= end;
            let (front, back) = widened(window, *start, *stop, is_end);
            (*start, *stop) = (front, if is_final { back } else { *stop });
        }
    }

    /// Overwrites every spanned byte before `end`, makes the remaining spans
    /// relative to `end`, and returns the number of bytes overwritten. A number
    /// that stands where documents have numbers stays one. With `is_end` no bytes follow
    /// the window.
    #[expect(clippy::stable_sort_primitive, reason = "linear where they are few ascending sequences")]
    pub(super) fn apply(&mut self, window: &mut [u8], end: usize, mask: u8, is_end: bool) -> u64 {
        if self.ranges.is_empty() {
            self.behind.remember(&window[..end]);
            return 0;
        }
        self.ranges.sort();
        self.ranges.dedup_by(|next, last| {
            let is_overlapping = next.0 <= last.1;
            if is_overlapping {
                last.1 = last.1.max(next.1);
            }
            is_overlapping
        });
        let mut masked = 0;
        for &(start, stop) in &self.ranges {
            let mask = self.behind.number_mask(window, start, stop, is_end).unwrap_or(mask);
            let stop = stop.min(end);
            if stop - start.min(stop) == 1 {
                window[start] = mask;
                masked += 1;
            } else if start < stop {
                window[start..stop].fill(mask);
                masked += (stop - start) as u64;
            }
        }
        self.behind.remember(&window[..end]);
        self.ranges.retain(|span| span.1 > end);
        for span in &mut self.ranges {
            *span = (span.0.saturating_sub(end), span.1 - end);
        }
        masked
    }

    /// Removes all spans, and hands over those before `end`.
    pub(super) fn drain(&mut self, end: usize, mut found: impl FnMut(usize, usize)) {
        for (start, stop) in self.ranges.drain(..) {
            found(start, stop.min(end));
        }
    }
}
