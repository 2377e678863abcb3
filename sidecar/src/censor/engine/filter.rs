//! A table of bits in front of the exact tables: most text ends here.

use super::gram::place;

/// Bits of the table for each gram: with two bits per gram about one in two
/// hundred foreign grams passes.
const BITS_PER_GRAM: usize = 24;

/// Smaller tables would not be faster: all of this fits the first-level cache.
const LEAST_WORDS_LOG: u32 = 9;

/// A larger table would pass fewer grams, but leave the second-level cache.
const MOST_WORDS_LOG: u32 = 17;

/// A Bloom filter whose bits for one gram lie in one word.
pub(super) struct Filter {
    words: Box<[u64]>,
    words_log: u32,
}

impl Filter {
    /// An empty filter for about so many grams.
    pub(super) fn new(grams: usize) -> Self {
        let words_log = (grams * BITS_PER_GRAM / 64).max(1).next_power_of_two().trailing_zeros();
        let words_log = words_log.clamp(LEAST_WORDS_LOG, MOST_WORDS_LOG);
        Self { words: vec![0; 1 << words_log].into_boxed_slice(), words_log }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let (first, second) = self.bits(hash);
        self.words[place(hash, self.words_log)] |= 1 << first | 1 << second;
    }

    /// Whether a gram with this hash may have been inserted: 1, else 0.
    #[inline]
    pub(super) fn passes(&self, hash: u64) -> u64 {
        let (first, second) = self.bits(hash);
        let word = self.words[place(hash, self.words_log)];
        (word >> first) & (word >> second) & 1
    }

    /// The bits of the hash that follow those that choose the word.
    #[inline]
    fn bits(&self, hash: u64) -> (u64, u64) {
        let rest = hash << self.words_log;
        (rest >> 58, (rest >> 52) & 63)
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.words)
    }
}
