//! Short patterns that stand near behind a long one.
//!
//! The last line of a text in lines can be so short that it says little, and
//! that looking for it everywhere would slow everything down. It is looked for
//! where the line before it was found: whatever stands in front of each line,
//! an indentation or a time, the last one is not far behind.

use super::family::has_grams;
use super::patterns::Patterns;
use super::spans::Spans;
use zeroize::Zeroizing;

/// How far behind the line before it a last line can end, in bytes.
pub(super) const NEAR: usize = 256;

/// One line can be followed by so many; more are looked for everywhere.
const MOST: usize = 4;

/// A pattern and the line before it.
struct Tail {
    line: u32,
    bytes: Zeroizing<Vec<u8>>,
}

/// All of them, by the line before.
pub(super) struct Tails(Vec<Tail>);

/// A place to look at.
#[derive(Debug)]
pub(super) struct Near {
    line: u32,
    from: usize,
    until: usize,
}

/// A pattern that stands behind a line, before the line has a number.
pub(super) struct Behind {
    pub(super) line: Zeroizing<Vec<u8>>,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// Those that are looked for behind a line only.
#[derive(Default)]
pub(super) struct Unnumbered(Vec<Behind>);

impl Unnumbered {
    /// Takes one.
    pub(super) fn push(&mut self, behind: Behind) {
        self.0.push(behind);
    }

    /// Sorts out what is to be looked for everywhere: the lines, and what stands
    /// behind lines that say little.
    pub(super) fn sort_out(&mut self) -> Vec<Zeroizing<Vec<u8>>> {
        let mut tails = std::mem::take(&mut self.0);
        tails.sort_unstable_by(|a, b| (&*a.line, &*a.bytes).cmp(&(&*b.line, &*b.bytes)));
        tails.dedup_by(|a, b| (&*a.line, &*a.bytes) == (&*b.line, &*b.bytes));
        let mut everywhere = Vec::new();
        let mut rest = tails.into_iter().peekable();
        while let Some(first) = rest.next() {
            let line = first.line.clone();
            let mut group = vec![first];
            while let Some(next) = rest.next_if(|next| next.line == line) {
                group.push(next);
            }
            if group.len() > MOST || !has_grams(&line) {
                everywhere.extend(group.into_iter().map(|tail| tail.bytes));
            } else {
                self.0.append(&mut group);
            }
            everywhere.push(line);
        }
        everywhere
    }

    /// With the numbers that the lines got.
    pub(super) fn numbered(self, patterns: &Patterns) -> Tails {
        let mut from = 0;
        let mut tails = Vec::with_capacity(self.0.len());
        for Behind { line, bytes } in self.0 {
            // Both are in ascending order.
            if let Some(line) = patterns.number(&line, from) {
                from = line;
                tails.push(Tail { line, bytes });
            }
        }
        Tails(tails)
    }
}

impl Tails {
    /// Those that stand behind a line.
    fn of(&self, line: u32) -> &[Tail] {
        let from = self.0.partition_point(|tail| tail.line < line);
        let count = self.0[from..].iter().take_while(|tail| tail.line == line).count();
        &self.0[from..from + count]
    }

    /// Whether any stands behind this pattern.
    #[inline]
    pub(super) fn has(&self, pattern: u32) -> bool {
        !self.0.is_empty() && !self.of(pattern).is_empty()
    }

    /// The length of the longest one behind a line; `None` where there is none.
    fn longest(&self, line: u32) -> Option<usize> {
        self.of(line).iter().map(|tail| tail.bytes.len()).max()
    }

    /// Notes where to look behind a line that ends at a place.
    pub(super) fn note(&self, line: u32, end: usize, near: &mut Vec<Near>) {
        let Some(longest) = self.longest(line) else { return };
        // Lines that overlap themselves are found one after another. A tail that
        // begins before the second place ends within the first one.
        if let Some(last) = near.iter_mut().rev().take(MOST).find(|near| near.line == line)
            && last.from <= end
            && end + longest <= last.until
        {
            last.until = last.until.max(end + NEAR);
            return;
        }
        near.push(Near { line, from: end, until: end + NEAR });
    }

    /// Looks at all that was noted, and returns where the first tail can begin
    /// that the window does not hold to its end.
    pub(super) fn scan(&self, window: &[u8], end: bool, near: &mut Vec<Near>, spans: &mut Spans) -> usize {
        let mut first = window.len();
        near.retain_mut(|near| {
            let until = near.until.min(window.len());
            let longest = self.longest(near.line).unwrap_or(0);
            for tail in self.of(near.line) {
                let text = window.get(near.from..until).unwrap_or_default();
                let places = text.windows(tail.bytes.len()).enumerate();
                for (at, _) in places.filter(|(_, place)| *place == tail.bytes.as_slice()) {
                    spans.push(near.from + at, near.from + at + tail.bytes.len());
                }
            }
            if end || until == near.until {
                return false;
            }
            near.from = near.from.max((until + 1).saturating_sub(longest));
            first = first.min(near.from);
            true
        });
        first
    }

    pub(super) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<Tail>() + self.0.iter().map(|tail| tail.bytes.capacity()).sum::<usize>()
    }
}

impl Near {
    /// So many bytes are gone from the front of the window.
    pub(super) fn move_by(&mut self, bytes: usize) {
        self.from = self.from.saturating_sub(bytes);
        self.until = self.until.saturating_sub(bytes);
    }
}
