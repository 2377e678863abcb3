//! Grams: a few bytes of text as one number, and their hashes.

/// Length of the shortest gram; a shorter pattern has none that would distinguish it.
pub(super) const GRAM_BYTES: usize = 4;

/// Returns whether a pattern is one byte repeated, and found as a run.
pub(super) fn is_run(pattern: &[u8]) -> bool {
    pattern.len() >= GRAM_BYTES && pattern[1..] == pattern[..pattern.len() - 1]
}

/// Returns whether a pattern is found by its grams.
pub(super) fn has_grams(pattern: &[u8]) -> bool {
    pattern.len() >= GRAM_BYTES && !is_run(pattern)
}

/// An odd number with well-mixed bits (2^64 divided by the golden ratio).
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// An odd number from `SplitMix64`, so that hash and check are independent.
const MIX_CHECK: u64 = 0xbf58_476d_1ce4_e5b9;

/// The bit that distinguishes upper from lower case. Grams lack it, so that one
/// table serves case-sensitive and case-insensitive patterns; the comparison
/// behind the table distinguishes them.
const CASE: u64 = 0x2020_2020_2020_2020;

/// Length of a gram in bytes, at most eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width(usize);

impl Width {
    pub(super) const fn new(bytes: usize) -> Self {
        assert!(1 <= bytes && bytes <= 8, "a gram is part of a 64-bit word");
        Self(bytes)
    }

    pub(super) const fn bytes(self) -> usize {
        self.0
    }

    /// Bits of a word that belong to the gram.
    pub(super) const fn mask(self) -> u64 {
        self.bytes_mask() & !CASE
    }

    const fn bytes_mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.0)
    }

    /// Returns the gram at a place that has at least as many bytes.
    pub(super) fn at(self, text: &[u8], at: usize) -> u64 {
        self.word(text, at) & self.mask()
    }

    /// Returns the gram's bytes, case included.
    pub(super) fn word(self, text: &[u8], at: usize) -> u64 {
        if let Some(word) = text[at..].first_chunk() {
            return u64::from_le_bytes(*word) & self.bytes_mask();
        }
        let mut word = [0; 8];
        word[..self.0].copy_from_slice(&text[at..at + self.0]);
        u64::from_le_bytes(word)
    }
}

/// Hashes a gram; the upper bits depend on all of its bytes.
#[inline]
pub(super) const fn hash(gram: u64) -> u64 {
    gram.wrapping_mul(MIX)
}

/// Second hash of a gram, which distinguishes the grams that share a bucket.
#[inline]
pub(super) const fn check(gram: u64) -> u32 {
    ((gram ^ (gram >> 29)).wrapping_mul(MIX_CHECK) >> 32) as u32
}

/// Length of the block whose hash distinguishes long patterns with equal grams.
pub(super) const LONG_BYTES: usize = 24;

/// Third hash, of the block that begins with the gram at a place: texts of few
/// letters have few grams, but many blocks. `None` where the text ends before.
#[inline]
pub(super) fn long_check(text: &[u8], at: usize) -> Option<u32> {
    let block: &[u8; LONG_BYTES] = text.get(at..)?.first_chunk()?;
    let mixed = block.as_chunks::<8>().0.iter().fold(0, |mixed: u64, word| {
        let mixed = (mixed ^ (u64::from_le_bytes(*word) & !CASE)).wrapping_mul(MIX_CHECK);
        mixed ^ (mixed >> 29)
    });
    Some((mixed.wrapping_mul(MIX) >> 32) as u32)
}

/// Returns the `bits` upper bits of a hash.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "tables have far fewer than 2^32 places")]
pub(super) const fn place(hash: u64, bits: u32) -> usize {
    (hash >> (64 - bits)) as usize
}
