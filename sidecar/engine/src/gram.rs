//! Grams: a few bytes of text taken as one number, and their hashes.

/// An odd number with well-mixed bits (2^64 divided by the golden ratio).
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Another one (from `SplitMix64`), so that hash and check are independent.
const MIX_CHECK: u64 = 0xbf58_476d_1ce4_e5b9;

/// The bit that tells upper case from lower case. Grams do not have it, so that
/// one table serves patterns whose case counts and patterns whose case does not;
/// the comparison behind it tells them apart.
const CASE: u64 = 0x2020_2020_2020_2020;

/// How many bytes a gram has, at most eight.
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

    /// The bits of a word that belong to the gram.
    pub(super) const fn mask(self) -> u64 {
        self.bytes_mask() & !CASE
    }

    const fn bytes_mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.0)
    }

    /// The gram at a place, which has at least as many bytes.
    pub(super) fn at(self, text: &[u8], at: usize) -> u64 {
        self.word(text, at) & self.mask()
    }

    /// The bytes that the gram is made of.
    pub(super) fn word(self, text: &[u8], at: usize) -> u64 {
        if let Some(word) = text[at..].first_chunk() {
            return u64::from_le_bytes(*word) & self.bytes_mask();
        }
        let mut word = [0; 8];
        word[..self.0].copy_from_slice(&text[at..at + self.0]);
        u64::from_le_bytes(word)
    }
}

/// The hash of a gram; its upper bits depend on all of the gram's bytes.
#[inline]
pub(super) const fn hash(gram: u64) -> u64 {
    gram.wrapping_mul(MIX)
}

/// A second hash that tells apart the grams that share a bucket.
#[inline]
pub(super) const fn check(gram: u64) -> u32 {
    ((gram ^ (gram >> 29)).wrapping_mul(MIX_CHECK) >> 32) as u32
}

/// The `bits` upper bits of a hash.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "tables have far fewer than 2^32 places")]
pub(super) const fn place(hash: u64, bits: u32) -> usize {
    (hash >> (64 - bits)) as usize
}
