//! Decides where the canonical view is worth a search.
//!
//! A match that the plain search misses spans a *seam*: an end of a line or an
//! escape. At least four canonical bytes of it lie on one side of the seam, so a
//! seam whose neighbours are no part of any value is passed over. Encoded data is
//! recognized by its letters instead, because its forms are too many to list.

use super::canonical::{CLASSES, Canonical, Class};
use crate::gram::hash;

/// Number of bits per gram in the filters, as a power of two.
const BITS_LOG: u32 = 4;

/// Minimum size of a filter in bits; this is always in the first-level cache.
const MIN_BITS: usize = 1 << 15;

/// Lengths of the two kinds of grams.
const SHORT: usize = 4;
pub(super) const LONG: usize = 8;

/// Values below this length may have no long gram beside a seam.
const MIN_LONG_BYTES: usize = 12;

/// Letters of encoded data on one side of a seam that make it worth a search, and
/// those that must be on the other side of an end of a line.
const ENCODED: usize = 16;
const ENCODED_BEHIND: usize = 2;

/// Distance in bytes between seams that are examined together, and the text around
/// them that is decoded.
const CLUSTER_BYTES: usize = 32;

/// Maximum length of a cluster; longer ones are parted.
const MAX_CLUSTER_BYTES: usize = 4096;

/// Grams of all values, as bits.
pub(super) struct Gate {
    short: Bits,
    long: Bits,
    /// Grams of values that have too few long ones.
    few: Bits,
}

impl Gate {
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let total = values.clone().map(<[u8]>::len).sum();
        let few: usize = values.clone().map(<[u8]>::len).filter(|length| *length < MIN_LONG_BYTES).sum();
        let mut gate = Self { short: Bits::new(total), long: Bits::new(total), few: Bits::new(few) };
        for value in values {
            for gram in short_grams(value) {
                gate.short.insert(gram);
                if value.len() < MIN_LONG_BYTES {
                    gate.few.insert(gram);
                }
            }
            for (left, right) in short_grams(value).zip(short_grams(value).skip(SHORT)) {
                gate.long.insert(long_gram(left, right));
            }
        }
        gate
    }

    pub(super) fn memory(&self) -> usize {
        (self.short.0.len() + self.long.0.len() + self.few.0.len()) * size_of::<u64>()
    }

    /// Reports a range of seams, in `from..to` of the text, wherever a match may
    /// span them. Returns the place behind the last seam examined.
    pub(super) fn scan(
        &self,
        text: &[u8],
        from: usize,
        to: usize,
        scratch: &mut Canonical,
        mut found: impl FnMut(usize, usize),
    ) {
        let mut at = from;
        while let Some(seam) = next_seam(text, at, to) {
            let last = cluster(text, seam, to);
            at = last + 1;
            let passes = match single_line_end(text, seam, last) {
                Some(behind) => self.passes_at_line_end(text, seam, behind),
                None => None,
            };
            if passes.unwrap_or_else(|| self.passes_decoded(text, seam, last, scratch)) {
                found(seam, at);
            }
        }
    }

    /// Examines the end of a line between ordinary bytes; `None` if it takes more.
    fn passes_at_line_end(&self, text: &[u8], seam: usize, behind: usize) -> Option<bool> {
        let left = neighbours::<SHORT>(text[..seam].iter().rev())?;
        let right = neighbours::<SHORT>(text[behind..].iter())?;
        let left = u32::from_be_bytes(left);
        let right = u32::from_le_bytes(right);
        if self.short.contains(u64::from(left)) || self.short.contains(u64::from(right)) {
            return None;
        }
        // Encoded data has no blank in front of the end of a line.
        let (before, after) = (&text[..seam], &text[behind..]);
        let is_long = |run: Option<&[u8; ENCODED]>| {
            // Most runs are short: look at a few places first.
            run.is_some_and(|run| {
                [0, 5, 10, 15].iter().all(|at| is_encoded(run[*at]))
                    && run.iter().all(|byte| is_encoded(*byte))
            })
        };
        let is_begun = |run: Option<&[u8; ENCODED_BEHIND]>| {
            run.is_some_and(|run| run.iter().all(|byte| is_encoded(*byte)))
        };
        Some(
            is_long(before.last_chunk()) && is_begun(after.first_chunk())
                || is_long(after.first_chunk()) && is_begun(before.last_chunk()),
        )
    }

    /// Examines seams by decoding them and their neighbours.
    fn passes_decoded(&self, text: &[u8], first: usize, last: usize, scratch: &mut Canonical) -> bool {
        let from = first.saturating_sub(CLUSTER_BYTES);
        let to = (last + 1 + CLUSTER_BYTES).min(text.len());
        scratch.decode(&text[from..to]);
        let bytes = scratch.bytes();
        if scratch.has_parted_run(ENCODED, &text[from..to], is_encoded) {
            return true;
        }
        let grams = || short_grams(bytes);
        if !grams().any(|gram| self.short.contains(gram)) {
            return false;
        }
        // Each half of a long gram is a short one; a filter alone would be wrong too often.
        grams().zip(grams().skip(SHORT)).any(|(left, right)| {
            self.short.contains(left)
                && self.short.contains(right)
                && (self.long.contains(long_gram(left, right))
                    || self.few.contains(left) && self.few.contains(right))
        })
    }
}

/// Returns the next seam.
fn next_seam(text: &[u8], from: usize, to: usize) -> Option<usize> {
    const BLOCK: usize = 32;
    let mut at = from;
    let seam =
        |byte: u8| u8::from(byte < b' ') | u8::from(byte == b'\\') | u8::from(byte.wrapping_sub(b'%') < 2);
    while at < to {
        if let Some(block) = text[at..to].first_chunk::<BLOCK>()
            && block.iter().fold(0, |any, byte| any | seam(*byte)) == 0
        {
            at += BLOCK;
            continue;
        }
        let end = (at + BLOCK).min(to);
        match text[at..end].iter().position(|byte| seam(*byte) != 0) {
            Some(offset) => return Some(at + offset),
            None => at = end,
        }
    }
    None
}

/// Returns the last of the seams that are examined with the first one.
fn cluster(text: &[u8], first: usize, to: usize) -> usize {
    let mut last = first;
    while last - first < MAX_CLUSTER_BYTES
        && let Some(seam) = next_seam(text, last + 1, (last + 1 + CLUSTER_BYTES).min(to))
    {
        last = seam;
    }
    last
}

/// Returns where the next line begins if the seams are one end of a line and blanks.
fn single_line_end(text: &[u8], first: usize, last: usize) -> Option<usize> {
    let is_layout = |byte: &u8| matches!(byte, b'\n' | b'\r' | b'\t' | b' ');
    if last > first + CLUSTER_BYTES || !text[first..=last].iter().all(is_layout) {
        return None;
    }
    let indentation = text[last + 1..].iter().take(CLUSTER_BYTES).take_while(|byte| **byte == b' ').count();
    Some(last + 1 + indentation)
}

/// Returns the first bytes that are not dropped; `None` if others are among them.
fn neighbours<const COUNT: usize>(bytes: impl Iterator<Item = impl AsByte>) -> Option<[u8; COUNT]> {
    let mut found = [0; COUNT];
    let mut count = 0;
    for byte in bytes {
        let byte = byte.byte();
        match CLASSES[usize::from(byte)] {
            Class::Plain => {
                found[count] = byte;
                count += 1;
                if count == COUNT {
                    return Some(found);
                }
            }
            Class::Dropped => {}
            Class::Seam | Class::Special => return None,
        }
    }
    None
}

/// A byte, or a reference to one.
trait AsByte {
    fn byte(&self) -> u8;
}

impl AsByte for &u8 {
    fn byte(&self) -> u8 {
        **self
    }
}

/// Returns whether a byte is a letter of base64, base32 or hexadecimal data.
#[inline]
fn is_encoded(byte: u8) -> bool {
    const ENCODED_BYTES: [bool; 256] = {
        let mut encoded = [false; 256];
        let mut byte: u8 = 0;
        while byte < 128 {
            encoded[byte as usize] =
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
            byte += 1;
        }
        encoded
    };
    ENCODED_BYTES[usize::from(byte)]
}

/// Returns all short grams as numbers.
fn short_grams(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.windows(SHORT).map(|gram| u64::from(u32::from_le_bytes([gram[0], gram[1], gram[2], gram[3]])))
}

/// Returns the long gram of two short ones side by side.
fn long_gram(left: u64, right: u64) -> u64 {
    left | right << 32
}

/// A set of words that may contain others.
struct Bits(Box<[u64]>);

impl Bits {
    fn new(count: usize) -> Self {
        let bits = (count << BITS_LOG).next_power_of_two().max(MIN_BITS);
        Self(vec![0; bits / 64].into())
    }

    fn insert(&mut self, word: u64) {
        let (index, bits) = self.place(word);
        self.0[index] |= bits;
    }

    #[inline]
    fn contains(&self, word: u64) -> bool {
        let (index, bits) = self.place(word);
        self.0[index] & bits == bits
    }

    #[inline]
    fn place(&self, word: u64) -> (usize, u64) {
        let hash = hash(word ^ word >> 32);
        let index = (hash >> 16) as usize & (self.0.len() - 1);
        (index, 1 << (hash >> 58) | 1 << (hash >> 52 & 63))
    }
}
