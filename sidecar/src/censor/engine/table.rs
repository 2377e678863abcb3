//! From a gram to the patterns that are anchored at it.

use super::gram::{check, hash, place};

/// Bits of an entry for the distance between the anchor and the gram.
const DISTANCE_BITS: u32 = 5;

/// One gram of one pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    check: u32,
    /// The pattern's number and the distance of the gram from its anchor.
    what: u32,
}

impl Entry {
    /// Patterns are told apart by so many numbers.
    pub(super) const MOST_PATTERNS: usize = 1 << (32 - DISTANCE_BITS);
    /// Distances are smaller than this.
    pub(super) const MOST_DISTANCE: usize = 1 << DISTANCE_BITS;

    #[expect(clippy::cast_possible_truncation, reason = "callers keep to the limits above")]
    pub(super) const fn new(gram: u64, pattern: u32, distance: usize) -> Self {
        Self { check: check(gram), what: pattern << DISTANCE_BITS | distance as u32 }
    }

    pub(super) const fn check(self) -> u32 {
        self.check
    }

    pub(super) const fn pattern(self) -> u32 {
        self.what >> DISTANCE_BITS
    }

    pub(super) const fn distance(self) -> usize {
        self.what as usize & (Self::MOST_DISTANCE - 1)
    }
}

/// All entries, those of a bucket side by side, with their order kept.
pub(super) struct Table {
    /// Where each bucket starts, and the end of the last one.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
    bits: u32,
}

impl Table {
    /// Two passes over the same grams: one counts, one puts them in place.
    pub(super) fn new<I: Iterator<Item = (u64, Entry)>>(count: usize, grams: impl Fn() -> I) -> Self {
        let bits = count.max(2).next_power_of_two().trailing_zeros();
        let mut starts = vec![0_u32; (1 << bits) + 1].into_boxed_slice();
        for (gram, _) in grams() {
            starts[place(hash(gram), bits)] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        // Filled from the back, so that every start is reached by counting down.
        let mut entries = vec![Entry::default(); count].into_boxed_slice();
        for (gram, entry) in grams() {
            let start = &mut starts[place(hash(gram), bits)];
            *start -= 1;
            entries[*start as usize] = entry;
        }
        Self { starts, entries, bits }
    }

    /// The entries that share the gram's bucket; few have another gram.
    #[inline]
    pub(super) fn bucket(&self, hash: u64) -> &[Entry] {
        let bucket = place(hash, self.bits);
        &self.entries[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }

    /// All buckets, for sorting.
    pub(super) fn buckets_mut(&mut self, mut each: impl FnMut(&mut [Entry])) {
        for ends in self.starts.windows(2) {
            each(&mut self.entries[ends[0] as usize..ends[1] as usize]);
        }
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.entries)
    }
}
