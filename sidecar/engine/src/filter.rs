//! A Bloom filter in front of the exact tables; it rejects most text.

/// Filter size in bits per gram. With three bits set per gram, about one foreign
/// gram in 600 passes.
const BITS_PER_GRAM: usize = 24;

/// Smaller filters would not be faster: this one fits the first-level cache.
const MIN_WORDS_LOG: u32 = 9;

/// Larger filters would let fewer grams pass, but exceed the second-level cache.
const MAX_WORDS_LOG: u32 = 17;

/// A Bloom filter whose bits for one gram lie in one word.
pub(super) struct Filter {
    words: Box<[u64]>,
}

impl Filter {
    /// Creates an empty filter sized for `grams`.
    pub(super) fn new(grams: usize) -> Self {
        let words_log = (grams * BITS_PER_GRAM / 64).max(1).next_power_of_two().trailing_zeros();
        let words_log = words_log.clamp(MIN_WORDS_LOG, MAX_WORDS_LOG);
        Self { words: vec![0; 1 << words_log].into_boxed_slice() }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let index = index(hash, self.words.len());
        self.words[index] |= 1 << (hash >> 58) | 1 << ((hash >> 52) & 63) | 1 << ((hash >> 46) & 63);
    }

    /// Returns the words, for [`passes`].
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.words)
    }
}

/// Returns 1 if a gram with this hash may have been inserted, else 0.
#[inline]
pub(super) fn passes(words: &[u64], hash: u64) -> u64 {
    let word = words[index(hash, words.len())];
    (word >> (hash >> 58)) & (word >> ((hash >> 52) & 63)) & (word >> ((hash >> 46) & 63)) & 1
}

/// Returns the word of a hash. Its 18 upper bits select three bits of the word.
#[inline]
fn index(hash: u64, words: usize) -> usize {
    (hash >> (46 - MAX_WORDS_LOG)) as usize & (words - 1)
}
