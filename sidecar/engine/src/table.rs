//! From a gram to the patterns it represents.

use super::gram::{hash, place};

/// Bits of an entry that hold the gram's place in the pattern.
const PLACE_BITS: u32 = 8;

/// One gram of one pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    check: u32,
    /// The pattern's number, and the gram's place in it.
    what: u32,
}

impl Entry {
    /// Upper bound on the number of patterns.
    pub(super) const MAX_PATTERNS: usize = 1 << (32 - PLACE_BITS);

    #[expect(clippy::cast_possible_truncation, reason = "places are fewer than 2^8")]
    pub(super) const fn new(check: u32, pattern: u32, place: usize) -> Self {
        Self { check, what: pattern << PLACE_BITS | place as u32 }
    }

    pub(super) const fn check(self) -> u32 {
        self.check
    }

    pub(super) const fn pattern(self) -> u32 {
        self.what >> PLACE_BITS
    }

    pub(super) const fn place(self) -> usize {
        self.what as usize & ((1 << PLACE_BITS) - 1)
    }
}

const _: () = assert!(super::anchor::MAX_PLACES <= 1 << PLACE_BITS);

/// All entries, grouped by bucket.
pub(super) struct Table {
    /// The start of each bucket, and the end of the last one.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
    bits: u32,
}

impl Table {
    /// Builds the table of all grams.
    pub(super) fn new(grams: &[(u64, Entry)]) -> Self {
        // Two to four entries per bucket: they share a cache line, and so do more of the starts.
        let bits = grams.len().max(8).next_power_of_two().trailing_zeros() - 2;
        let mut starts = vec![0_u32; (1 << bits) + 1].into_boxed_slice();
        for (gram, _) in grams {
            starts[place(hash(*gram), bits)] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        // Filled from the back, so that every start is reached by counting down.
        let mut entries = vec![Entry::default(); grams.len()].into_boxed_slice();
        for (gram, entry) in grams {
            let start = &mut starts[place(hash(*gram), bits)];
            *start -= 1;
            entries[*start as usize] = *entry;
        }
        Self { starts, entries, bits }
    }

    /// Returns the gram's bucket; few of its entries belong to another gram.
    #[inline]
    pub(super) fn bucket(&self, hash: u64) -> &[Entry] {
        let bucket = place(hash, self.bits);
        &self.entries[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }

    /// Returns the index of a hash's bucket.
    pub(super) fn index(&self, hash: u64) -> usize {
        place(hash, self.bits)
    }

    /// Iterates over all buckets, in the order of their indices.
    pub(super) fn buckets(&self) -> impl Iterator<Item = &[Entry]> {
        self.starts.windows(2).map(|ends| &self.entries[ends[0] as usize..ends[1] as usize])
    }

    /// Visits all buckets, for sorting.
    pub(super) fn buckets_mut(&mut self, mut each: impl FnMut(&mut [Entry])) {
        for ends in self.starts.windows(2) {
            each(&mut self.entries[ends[0] as usize..ends[1] as usize]);
        }
    }

    /// Returns the size of the largest bucket.
    pub(super) fn largest(&self) -> usize {
        self.starts.windows(2).map(|ends| (ends[1] - ends[0]) as usize).max().unwrap_or(0)
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.entries)
    }
}
