//! A table of bits in front of the exact tables: most text ends here.

/// Bits of the table for each gram: with three bits per gram about one in six
/// hundred foreign grams passes.
const BITS_PER_GRAM: usize = 24;

/// Smaller tables would not be faster: all of this fits the first-level cache.
const LEAST_WORDS_LOG: u32 = 9;

/// A larger table would pass fewer grams, but leave the second-level cache.
const MOST_WORDS_LOG: u32 = 17;

/// A Bloom filter whose bits for one gram lie in one word.
pub(super) struct Filter {
    words: Box<[u64]>,
}

impl Filter {
    /// An empty filter for about so many grams.
    pub(super) fn new(grams: usize) -> Self {
        let words_log = (grams * BITS_PER_GRAM / 64).max(1).next_power_of_two().trailing_zeros();
        let words_log = words_log.clamp(LEAST_WORDS_LOG, MOST_WORDS_LOG);
        Self { words: vec![0; 1 << words_log].into_boxed_slice() }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let index = index(hash, self.words.len());
        self.words[index] |= 1 << (hash >> 58) | 1 << ((hash >> 52) & 63) | 1 << ((hash >> 46) & 63);
    }

    /// The table as the loop over the text wants it.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.words)
    }
}

/// 1 if a gram with this hash may have been inserted, else 0.
#[inline]
pub(super) fn passes(words: &[u64], hash: u64) -> u64 {
    let word = words[index(hash, words.len())];
    (word >> (hash >> 58)) & (word >> ((hash >> 52) & 63)) & (word >> ((hash >> 46) & 63)) & 1
}

/// The 18 upper bits of a hash choose three bits of a word, those below choose the word.
#[inline]
fn index(hash: u64, words: usize) -> usize {
    (hash >> (46 - MOST_WORDS_LOG)) as usize & (words - 1)
}
