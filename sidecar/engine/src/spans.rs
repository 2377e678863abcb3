//! The union of all matches.

use super::bare_number::Behind;

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

    /// Overwrites every spanned byte before `end`, makes the remaining spans
    /// relative to `end`, and returns the number of bytes overwritten. A number
    /// that stands where documents have numbers stays one.
    pub(super) fn apply(&mut self, window: &mut [u8], end: usize, mask: u8) -> u64 {
        if self.ranges.is_empty() {
            self.behind.remember(&window[..end]);
            return 0;
        }
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, last| {
            let is_overlapping = next.0 <= last.1;
            if is_overlapping {
                last.1 = last.1.max(next.1);
            }
            is_overlapping
        });
        let mut masked = 0;
        for &(start, stop) in &self.ranges {
            let mask = self.behind.number_mask(window, start, stop).unwrap_or(mask);
            let stop = stop.min(end);
            if start < stop {
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
