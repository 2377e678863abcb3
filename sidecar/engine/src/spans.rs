//! The union of all matches.

/// Matches merged as they are found, in roughly ascending order.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<(usize, usize)>);

impl Spans {
    /// Returns whether the last span covers this range; earlier ones are not asked.
    #[inline]
    pub(super) fn covers(&self, start: usize, end: usize) -> bool {
        self.0.last().is_some_and(|last| last.0 <= start && end <= last.1)
    }

    pub(super) fn push(&mut self, start: usize, end: usize) {
        match self.0.last_mut() {
            Some(last) if start <= last.1 && last.0 <= end => {
                *last = (last.0.min(start), last.1.max(end));
            }
            Some(_) | None => self.0.push((start, end)),
        }
    }

    /// Overwrites every spanned byte before `end`, makes the remaining spans
    /// relative to `end`, and returns the number of bytes overwritten.
    pub(super) fn apply(&mut self, window: &mut [u8], end: usize, mask: u8) -> u64 {
        if self.0.is_empty() {
            return 0;
        }
        self.0.sort_unstable();
        let (mut done, mut masked) = (0, 0);
        for &(start, stop) in &self.0 {
            let (start, stop) = (start.max(done), stop.min(end));
            if start < stop {
                window[start..stop].fill(mask);
                masked += (stop - start) as u64;
                done = stop;
            }
        }
        self.0.retain(|span| span.1 > end);
        for span in &mut self.0 {
            *span = (span.0.saturating_sub(end), span.1 - end);
        }
        masked
    }
}
