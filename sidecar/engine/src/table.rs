//! From a gram to the patterns it stands for.

use super::gram::{check, hash, place};

/// Bits of an entry for the place of the gram in the pattern.
const PLACE_BITS: u32 = 8;

/// One gram of one pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    check: u32,
    /// The pattern's number, and where the gram is in it.
    what: u32,
}

impl Entry {
    /// Patterns are told apart by so many numbers.
    pub(super) const MOST_PATTERNS: usize = 1 << (32 - PLACE_BITS);

    #[expect(clippy::cast_possible_truncation, reason = "places are fewer than 2^8")]
    pub(super) const fn new(gram: u64, pattern: u32, place: usize) -> Self {
        Self { check: check(gram), what: pattern << PLACE_BITS | place as u32 }
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

const _: () = assert!(super::anchor::PLACES <= 1 << PLACE_BITS);

/// All entries, those of a bucket side by side.
pub(super) struct Table {
    /// Where each bucket starts, and the end of the last one.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
    bits: u32,
}

impl Table {
    /// A table of grams with their entries.
    pub(super) fn new(grams: &[(u64, Entry)]) -> Self {
        // Two to four entries a bucket: they share a line of the cache, and so do more of the starts.
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

    /// How many entries the largest bucket has.
    pub(super) fn largest(&self) -> usize {
        self.starts.windows(2).map(|ends| (ends[1] - ends[0]) as usize).max().unwrap_or(0)
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.entries)
    }
}
