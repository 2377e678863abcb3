//! Short patterns that stand close behind a long one.
//!
//! The last line of a multi-line value can be so short that it is not
//! distinctive, and looking for it everywhere would slow everything down. It is
//! looked for only where the line before it was found: whatever precedes each
//! line, an indentation or a timestamp, the last one is not far behind.

use super::gram::has_grams;
use super::patterns::{AfterLine, Patterns};
use super::spans::Spans;
use zeroize::Zeroizing;

/// Maximum distance from the end of a line to the end of its trailing line.
pub(super) const MAX_DISTANCE_BYTES: usize = 256;

/// Maximum number of trailing lines of one line; more are looked for everywhere.
const MAX_PER_LINE: usize = 4;

/// Places at which trailing lines may be compared, per scan and per byte of it.
const MAX_WORK_PER_SCAN: usize = 64 * 1024;
const MAX_WORK_PER_BYTE: usize = 1;

/// A pattern, and the number of the line before it.
struct TrailingLine {
    line: u32,
    bytes: Zeroizing<Vec<u8>>,
}

/// All trailing lines, sorted by the line before.
pub(super) struct TrailingLines(Vec<TrailingLine>);

/// A stretch of text in which trailing lines are looked for.
#[derive(Debug)]
pub(super) struct SearchWindow {
    line: u32,
    from: usize,
    until: usize,
}

/// Collects trailing lines while patterns are not numbered: [`push`] all, then
/// [`take_patterns`], and [`numbered`] once those have numbers.
///
/// [`push`]: Self::push
/// [`take_patterns`]: Self::take_patterns
/// [`numbered`]: Self::numbered
#[derive(Default)]
pub(super) struct UnnumberedLines(Vec<AfterLine>);

impl UnnumberedLines {
    /// Adds one.
    pub(super) fn push(&mut self, line: AfterLine) {
        self.0.push(line);
    }

    /// Returns the patterns to look for everywhere: the lines, and what follows
    /// a line that is not distinctive.
    pub(super) fn take_patterns(&mut self) -> Vec<Zeroizing<Vec<u8>>> {
        let mut all = std::mem::take(&mut self.0);
        all.sort_unstable_by(|a, b| (&*a.line, &*a.bytes).cmp(&(&*b.line, &*b.bytes)));
        all.dedup_by(|a, b| (&*a.line, &*a.bytes) == (&*b.line, &*b.bytes));
        let mut everywhere = Vec::new();
        let mut rest = all.into_iter().peekable();
        while let Some(first) = rest.next() {
            let line = first.line.clone();
            let mut group = vec![first];
            while let Some(next) = rest.next_if(|next| next.line == line) {
                group.push(next);
            }
            if group.len() > MAX_PER_LINE || !has_grams(&line) {
                everywhere.extend(group.into_iter().map(|trailing| trailing.bytes));
            } else {
                self.0.append(&mut group);
            }
            everywhere.push(line);
        }
        everywhere
    }

    /// Replaces each line by its number.
    pub(super) fn numbered(self, patterns: &Patterns) -> TrailingLines {
        let mut from = 0;
        let mut trailing = Vec::with_capacity(self.0.len());
        for AfterLine { line, bytes } in self.0 {
            // Both are in ascending order.
            if let Some(line) = patterns.number(&line, from) {
                from = line;
                trailing.push(TrailingLine { line, bytes });
            }
        }
        TrailingLines(trailing)
    }
}

impl TrailingLines {
    /// Returns those that belong to a line.
    fn of(&self, line: u32) -> &[TrailingLine] {
        let from = self.0.partition_point(|trailing| trailing.line < line);
        let count = self.0[from..].iter().take_while(|trailing| trailing.line == line).count();
        &self.0[from..from + count]
    }

    /// Returns whether there is none at all.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether this pattern has any.
    #[inline]
    pub(super) fn has(&self, pattern: u32) -> bool {
        !self.0.is_empty() && !self.of(pattern).is_empty()
    }

    /// Returns the length of a line's longest one, or `None` if it has none.
    fn longest(&self, line: u32) -> Option<usize> {
        self.of(line).iter().map(|trailing| trailing.bytes.len()).max()
    }

    /// Notes where to look behind a line that ends at `end`.
    pub(super) fn note(&self, line: u32, end: usize, windows: &mut Vec<SearchWindow>) {
        let Some(longest) = self.longest(line) else { return };
        // Overlapping matches of one line share a window: extend the last one.
        // Nothing that begins before the second match ends behind the first window.
        if let Some(last) = windows.iter_mut().rev().take(MAX_PER_LINE).find(|window| window.line == line)
            && last.from <= end
            && end + longest <= last.until
        {
            last.until = last.until.max(end + MAX_DISTANCE_BYTES);
            return;
        }
        windows.push(SearchWindow { line, from: end, until: end + MAX_DISTANCE_BYTES });
    }

    /// Looks through all windows, and returns the first place where a trailing
    /// line can begin that the text does not contain to its end. Text that is made
    /// to have too many windows is masked in all of them, which takes linear time.
    pub(super) fn scan(
        &self,
        text: &[u8],
        end: bool,
        windows: &mut Vec<SearchWindow>,
        spans: &mut Spans,
    ) -> usize {
        let mut first = text.len();
        let mut work_left = MAX_WORK_PER_SCAN + text.len().saturating_mul(MAX_WORK_PER_BYTE);
        windows.retain_mut(|window| {
            let until = window.until.min(text.len());
            let longest = self.longest(window.line).unwrap_or(0);
            let trailing_lines = self.of(window.line);
            let work = until.saturating_sub(window.from).saturating_mul(trailing_lines.len());
            work_left = work_left.saturating_sub(work);
            if work_left == 0 {
                spans.push(window.from, window.until);
                return false;
            }
            for trailing in trailing_lines {
                let near = text.get(window.from..until).unwrap_or_default();
                let places = near.windows(trailing.bytes.len()).enumerate();
                for (at, _) in places.filter(|(_, place)| *place == trailing.bytes.as_slice()) {
                    spans.push(window.from + at, window.from + at + trailing.bytes.len());
                }
            }
            if end || until == window.until {
                return false;
            }
            window.from = window.from.max((until + 1).saturating_sub(longest));
            first = first.min(window.from);
            true
        });
        first
    }

    pub(super) fn memory(&self) -> usize {
        let bytes = self.0.iter().map(|trailing| trailing.bytes.capacity()).sum::<usize>();
        self.0.capacity() * size_of::<TrailingLine>() + bytes
    }
}

impl SearchWindow {
    /// Accounts for bytes that were removed from the front of the text.
    pub(super) fn move_by(&mut self, bytes: usize) {
        self.from = self.from.saturating_sub(bytes);
        self.until = self.until.saturating_sub(bytes);
    }
}
