//! The patterns themselves, side by side in one block of memory.

use super::fold::{fold, is_folded, variants};
use super::gram::GRAM_BYTES;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use zeroize::Zeroizing;

/// A byte string to find. Zeroed when dropped.
pub struct Pattern {
    bytes: Zeroizing<Vec<u8>>,
    any_case: bool,
    line: Option<Zeroizing<Vec<u8>>>,
    surroundings: Option<Surroundings>,
}

impl Pattern {
    /// Matches these bytes.
    pub fn exact(bytes: Vec<u8>) -> Self {
        Self { bytes: Zeroizing::new(bytes), any_case: false, line: None, surroundings: None }
    }

    /// Matches these bytes where they end within 256 bytes behind `line`, which is
    /// a pattern of its own. Restricting a short pattern so keeps matching fast.
    pub fn after_line(line: Vec<u8>, bytes: Vec<u8>) -> Self {
        Self { line: Some(Zeroizing::new(line)), ..Self::exact(bytes) }
    }

    /// Matches a part of a value, and whatever of the value stands around it without a
    /// gap. The part must have four bytes or more that are not all equal; of another one
    /// only the part itself is found.
    pub fn excerpt(value: &[u8], part: Range<usize>) -> Self {
        let copied = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        let surroundings =
            Surroundings { before: copied(&value[..part.start]), behind: copied(&value[part.end..]) };
        Self { surroundings: Some(surroundings), ..Self::exact(value[part].to_vec()) }
    }

    /// Matches these bytes with the letters A to F in either case, as in
    /// hexadecimal numbers.
    pub fn hexadecimal(bytes: Vec<u8>) -> Self {
        Self { any_case: true, ..Self::exact(bytes) }
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the line it must follow, if it is restricted to such places.
    pub fn line(&self) -> Option<&[u8]> {
        self.line.as_ref().map(|line| line.as_slice())
    }

    /// Returns how many bytes of the value stand before and behind a range of the text,
    /// if this is a part of one.
    pub fn around(&self, text: &[u8], start: usize) -> (usize, usize) {
        let end = start + self.bytes.len();
        self.surroundings.as_ref().map_or((0, 0), |of| of.reach(text, start, end))
    }

    pub(super) fn take_surroundings(&mut self) -> Option<Surroundings> {
        self.surroundings.take()
    }

    /// Splits a restricted pattern into its line and its bytes.
    pub(super) fn into_after_line(self) -> Result<AfterLine, Self> {
        match self {
            Self { bytes, line: Some(line), .. } if !line.is_empty() && !bytes.is_empty() => {
                Ok(AfterLine { line, bytes })
            }
            other => Err(other),
        }
    }

    /// Returns whether the case of A to F is ignored.
    pub fn is_hexadecimal(&self) -> bool {
        self.any_case
    }
}

/// The bytes of a value around a part of it.
pub(super) struct Surroundings {
    pub(super) before: Zeroizing<Vec<u8>>,
    pub(super) behind: Zeroizing<Vec<u8>>,
}

impl Surroundings {
    /// Returns the number of equal bytes in the text before and behind a range.
    pub(super) fn reach(&self, text: &[u8], start: usize, end: usize) -> (usize, usize) {
        let equal = |(a, b): &(&u8, &u8)| a == b;
        let before = text[..start].iter().rev().zip(self.before.iter().rev()).take_while(equal).count();
        (before, text[end..].iter().zip(self.behind.iter()).take_while(equal).count())
    }
}

/// A pattern that is looked for only behind a line.
pub(super) struct AfterLine {
    pub(super) line: Zeroizing<Vec<u8>>,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl From<Vec<u8>> for Pattern {
    fn from(bytes: Vec<u8>) -> Self {
        Self::exact(bytes)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

/// Distinct, non-empty patterns: first the exact ones, then those that are
/// compared with folded text, both in ascending order. Zeroed when dropped.
pub(super) struct Patterns {
    bytes: Zeroizing<Vec<u8>>,
    /// The start of each pattern, and the end of the last one.
    starts: Vec<u32>,
    exact: u32,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patterns").finish_non_exhaustive()
    }
}

impl Patterns {
    /// Takes over the patterns and zeroes the memory they came in. `None` when
    /// they have more than 4 GiB together.
    pub(super) fn new(Unsorted { exact, folded }: Unsorted) -> Option<Self> {
        let all = || exact.iter().chain(&folded);
        let total: usize = all().map(|pattern| pattern.len()).sum();
        u32::try_from(total).ok()?;
        // With its final capacity from the start, no copy is left behind by growing.
        let bytes = Zeroizing::new(Vec::with_capacity(total));
        let starts = Vec::with_capacity(exact.len() + folded.len() + 1);
        let mut patterns = Self { bytes, starts, exact: 0 };
        patterns.append(exact)?;
        patterns.exact = u32::try_from(patterns.starts.len()).ok()?;
        patterns.append(folded)?;
        patterns.starts.push(u32::try_from(patterns.bytes.len()).ok()?);
        Some(patterns)
    }

    fn append(&mut self, mut patterns: Vec<Zeroizing<Vec<u8>>>) -> Option<()> {
        // Most comparisons end within the first eight bytes, which are adjacent in memory.
        patterns.sort_by_cached_key(|pattern| prefix(pattern));
        for equal in patterns.chunk_by_mut(|a, b| prefix(a) == prefix(b)) {
            equal.sort_unstable_by(|a, b| a.as_slice().cmp(b));
        }
        let mut last = None;
        for pattern in patterns {
            if last.is_none_or(|last| self.bytes[last..] != pattern[..]) {
                last = Some(self.bytes.len());
                self.starts.push(u32::try_from(self.bytes.len()).ok()?);
                self.bytes.extend_from_slice(&pattern);
            }
        }
        Some(())
    }

    /// Returns their number.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns whether the pattern is compared with the text as it is, not folded.
    pub(super) fn is_exact(&self, id: u32) -> bool {
        id < self.exact
    }

    pub(super) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        &self.bytes[self.starts[id] as usize..self.starts[id + 1] as usize]
    }

    /// Returns the number of an exact pattern at or behind `from`; fast when it is
    /// close to `from`.
    pub(super) fn number(&self, bytes: &[u8], mut from: u32) -> Option<u32> {
        let (mut to, mut step) = (from, 1);
        while to < self.exact && self.get(to) < bytes {
            (from, to) = (to + 1, to.saturating_add(step));
            step = step.saturating_mul(2);
        }
        to = to.saturating_add(1).min(self.exact);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.get(middle).cmp(bytes) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => to = middle,
            }
        }
        None
    }

    /// Iterates over all with their numbers, in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> + Clone {
        (0..)
            .zip(self.starts.windows(2))
            .map(|(id, ends)| (id, &self.bytes[ends[0] as usize..ends[1] as usize]))
    }

    /// Returns the memory in bytes, the patterns included.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * size_of::<u32>()
    }
}

/// The patterns that a matcher looks for: all but some.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) patterns: &'a Patterns,
    /// The numbers of those that are left out, in ascending order.
    pub(super) left_out: &'a [u32],
}

impl<'a> Selection<'a> {
    /// Iterates over those selected with their numbers, in ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = (u32, &'a [u8])> + Clone {
        self.patterns.iter().filter(move |(id, _)| self.left_out.binary_search(id).is_err())
    }
}

/// Patterns as they come, split into exact and folded ones.
#[derive(Default)]
pub(super) struct Unsorted {
    exact: Vec<Zeroizing<Vec<u8>>>,
    folded: Vec<Zeroizing<Vec<u8>>>,
}

impl Unsorted {
    /// Adds a pattern. One without a letter of two cases is exact, and so are all
    /// the variants of one that is too short for folding to pay.
    pub(super) fn push(&mut self, pattern: Pattern) {
        let Pattern { mut bytes, any_case, .. } = pattern;
        if bytes.is_empty() {
            return;
        }
        if !any_case || !bytes.iter().any(|byte| is_folded(*byte)) {
            self.exact.push(bytes);
        } else if bytes.len() < GRAM_BYTES {
            self.exact.extend(variants(&bytes).into_iter().map(Zeroizing::new));
        } else {
            fold(&mut bytes);
            self.folded.push(bytes);
        }
    }

    /// Adds exact patterns, none empty.
    pub(super) fn append(&mut self, mut exact: Vec<Zeroizing<Vec<u8>>>) {
        self.exact.append(&mut exact);
    }
}

/// Returns the first eight bytes as a number that sorts as they do.
fn prefix(pattern: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = pattern.len().min(8);
    first[..length].copy_from_slice(&pattern[..length]);
    u64::from_be_bytes(first)
}
