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

/// Values below this length may have no long gram on either side of a seam.
const MIN_LONG_BYTES: usize = 2 * LONG;

/// Letters of encoded data on one side of a seam that make it worth a search, and
/// those that must be on the other side of an end of a line.
const ENCODED: usize = 16;
const ENCODED_BEHIND: usize = 2;

/// Maximum length of what a table or a program adds to an end of a line on either side.
const MAX_DECORATION_BYTES: usize = 8;

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
            let passes = single_line_end(text, seam, last).and_then(|behind| {
                if is_encoded_across(text, seam, behind) {
                    return Some(true);
                }
                self.is_value_beside(text, seam, behind)
            });
            if passes.unwrap_or_else(|| self.passes_decoded(text, seam, last, scratch)) {
                found(seam, at);
            }
        }
    }

    /// Returns whether the bytes beside the end of a line are part of a value; `None` if they
    /// must be decoded to tell.
    fn is_value_beside(&self, text: &[u8], seam: usize, behind: usize) -> Option<bool> {
        let (left, right) = (plain_before::<SHORT>(text, seam)?, plain_behind::<SHORT>(text, behind)?);
        let (left, right) = (u64::from(u32::from_le_bytes(left)), u64::from(u32::from_le_bytes(right)));
        let mut is_value = self.few.contains(left) || self.few.contains(right);
        // A longer value has a long gram on one side.
        if self.short.contains(left) {
            is_value |= self.long.contains(u64::from_le_bytes(plain_before(text, seam)?));
        }
        if self.short.contains(right) {
            is_value |= self.long.contains(u64::from_le_bytes(plain_behind(text, behind)?));
        }
        Some(is_value)
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

/// Returns 1 for a seam, else 0.
#[inline]
fn seam(byte: u8) -> u8 {
    u8::from(byte < b' ') | u8::from(byte == b'\\') | u8::from(byte.wrapping_sub(b'%') < 2)
}

/// Returns the next seam.
fn next_seam(text: &[u8], from: usize, to: usize) -> Option<usize> {
    let text = text.get(from..to)?;
    let (blocks, rest) = text.as_chunks::<32>();
    // Vector instructions, and no branch but this one.
    let block = blocks.iter().position(|block| block.iter().fold(0, |any, byte| any | seam(*byte)) != 0);
    let Some(block) = block else {
        let rest_at = to - rest.len();
        return rest.iter().position(|byte| seam(*byte) != 0).map(|offset| rest_at + offset);
    };
    let seams = blocks[block].map(seam);
    let words = seams.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    let (number, word) = (0..).zip(words).find(|(_, word)| *word != 0)?;
    Some(from + 32 * block + 8 * number + word.trailing_zeros() as usize / 8)
}

/// Returns the last seam close behind a place.
fn last_seam(text: &[u8], from: usize, to: usize) -> Option<usize> {
    let text = text.get(from..to.min(from + CLUSTER_BYTES))?;
    let Some(block) = text.first_chunk::<CLUSTER_BYTES>() else {
        return text.iter().rposition(|byte| seam(*byte) != 0).map(|offset| from + offset);
    };
    let seams = block.map(seam);
    let words = seams.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    let (number, word) = (0..).zip(words).filter(|(_, word)| *word != 0).last()?;
    Some(from + 8 * number + 7 - word.leading_zeros() as usize / 8)
}

/// Returns whether encoded data goes on across the end of a line. Where a blank, a quote
/// or the border of a table is in front of that, as it is behind words, more must follow.
fn is_encoded_across(text: &[u8], seam: usize, behind: usize) -> bool {
    let (before, after) = (&text[..seam], &text[behind..]);
    // A soft end of a line has `=` in front of it.
    let soft = before.strip_suffix(b"=").unwrap_or(before);
    if is_run::<ENCODED>(soft.last_chunk()) && is_run::<ENCODED_BEHIND>(after.first_chunk())
        || is_run::<ENCODED>(after.first_chunk()) && is_run::<ENCODED_BEHIND>(soft.last_chunk())
    {
        return true;
    }
    let is_decoration = |byte: &&u8| CLASSES[usize::from(**byte)] == Class::Dropped || **byte == b'+';
    let end = seam - before.iter().rev().take(MAX_DECORATION_BYTES).take_while(is_decoration).count();
    if !is_run::<ENCODED>(before[..end].last_chunk()) {
        return false;
    }
    let start = after.iter().take(MAX_DECORATION_BYTES).take_while(is_decoration).count();
    let after = &after[start..];
    is_run::<ENCODED>(after.first_chunk()) || start > 0 && is_run::<ENCODED_BEHIND>(after.first_chunk())
}

/// Returns whether there are so many bytes, all letters of encoded data.
fn is_run<const COUNT: usize>(run: Option<&[u8; COUNT]>) -> bool {
    // Most runs are short: look at a few places first.
    run.is_some_and(|run| {
        run.iter().step_by(5).all(|byte| is_encoded(*byte)) && run.iter().all(|byte| is_encoded(*byte))
    })
}

/// Returns the last of the seams that are examined with the first one.
fn cluster(text: &[u8], first: usize, to: usize) -> usize {
    let mut last = first;
    while last - first < MAX_CLUSTER_BYTES
        && let Some(seam) = last_seam(text, last + 1, to)
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

/// Returns the last bytes in front of a seam that are not dropped; `None` if others are
/// among them, or an operator that may join two parts of a value.
fn plain_before<const COUNT: usize>(text: &[u8], seam: usize) -> Option<[u8; COUNT]> {
    let end = seam - text[..seam].iter().rev().take_while(|byte| **byte == b' ').count();
    if text[..end].ends_with(b"+") {
        return None;
    }
    if let Some(bytes) = text[..end].last_chunk()
        && are_plain(bytes)
    {
        return Some(*bytes);
    }
    let mut bytes = neighbours(text[..end].iter().rev())?;
    bytes.reverse();
    Some(bytes)
}

/// Returns the first bytes from a place on that are not dropped; `None` if others are among
/// them.
fn plain_behind<const COUNT: usize>(text: &[u8], behind: usize) -> Option<[u8; COUNT]> {
    if let Some(bytes) = text[behind..].first_chunk()
        && are_plain(bytes)
    {
        return Some(*bytes);
    }
    neighbours(text[behind..].iter())
}

#[inline]
fn are_plain<const COUNT: usize>(bytes: &[u8; COUNT]) -> bool {
    // Counted, because it is not predictable which ones are.
    bytes.iter().filter(|byte| CLASSES[usize::from(**byte)] == Class::Plain).count() == COUNT
}

/// Returns the first bytes that are not dropped; `None` if others are among them.
fn neighbours<'a, const COUNT: usize>(bytes: impl Iterator<Item = &'a u8>) -> Option<[u8; COUNT]> {
    let mut found = [0; COUNT];
    let mut count = 0;
    for byte in bytes {
        match CLASSES[usize::from(*byte)] {
            Class::Plain => {
                found[count] = *byte;
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
        let bits = (count << BITS_LOG).max(MIN_BITS);
        Self(vec![0; bits.div_ceil(64)].into())
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
        let index = ((hash >> 16 & u64::from(u32::MAX)) * self.0.len() as u64) >> 32;
        (index as usize, 1 << (hash >> 58) | 1 << (hash >> 52 & 63))
    }
}
