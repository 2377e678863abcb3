//! Which parts of a pattern are looked for.
//!
//! Secrets share beginnings (PEM headers, the first part of a JWT), and some of
//! their parts look like any text. The grams that stand for a pattern are
//! therefore those that are rare among all patterns, and unlike plain text.

use super::gram::{Width, hash, place};

/// Grams are taken from so many places at the front of a pattern: what lies
/// before a gram is held back, and beginnings that patterns share are shorter.
pub(super) const PLACES: usize = 256;

/// A gram that no other pattern has and that is not all lower-case letters and
/// digits: no better one is looked for.
const GOOD: u32 = 16 + 4;

/// Behind so many places any that no other pattern has is good, as long as
/// its bytes differ.
const ENOUGH: usize = 64;
const GOOD_ENOUGH: u32 = 16 + 7;

/// Counters, as a power of two.
const COUNTERS_LOG: std::ops::RangeInclusive<u32> = 10..=20;

/// How often grams occur, roughly, and never too low.
pub(super) struct Census {
    counts: Vec<u8>,
    bits: u32,
    width: Width,
}

impl Census {
    /// Counts the grams of all patterns of a class.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a [u8]> + Clone, width: Width) -> Self {
        let total: usize = patterns.clone().map(|pattern| pattern.len().min(PLACES)).sum();
        let bits = total.max(1).next_power_of_two().trailing_zeros();
        let bits = bits.clamp(*COUNTERS_LOG.start(), *COUNTERS_LOG.end());
        let mut census = Self { counts: vec![0; 1 << bits], bits, width };
        for pattern in patterns {
            for word in words(pattern, width) {
                let count = &mut census.counts[place(hash(word & width.mask()), bits)];
                *count = count.saturating_add(1);
            }
        }
        census
    }

    /// For each remainder of the stride the place of the rarest gram.
    pub(super) fn choose(&self, pattern: &[u8], best: &mut [Choice]) {
        best.fill(Choice { cost: u32::MAX, place: 0 });
        let stride = best.len();
        let mut remainder = 0;
        for (place, word) in words(pattern, self.width).enumerate() {
            let cost = self.cost(word);
            if cost < best[remainder].cost {
                best[remainder] = Choice { cost, place };
            }
            remainder += 1;
            if remainder == stride {
                let good = if place < ENOUGH { GOOD } else { GOOD_ENOUGH };
                if best.iter().all(|choice| choice.cost <= good) {
                    return;
                }
                remainder = 0;
            }
        }
    }

    fn cost(&self, word: u64) -> u32 {
        let gram = word & self.width.mask();
        u32::from(self.counts[place(hash(gram), self.bits)]) * 16 + plainness(word)
    }
}

/// A place of a pattern, and how bad it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    cost: u32,
    pub(super) place: usize,
}

fn words(pattern: &[u8], width: Width) -> impl Iterator<Item = u64> {
    (0..(pattern.len() + 1 - width.bytes()).min(PLACES)).map(move |at| width.word(pattern, at))
}

/// How much a gram's bytes look like what stands in any log: equal neighbours first,
/// then lower-case letters, spaces and digits.
fn plainness(word: u64) -> u32 {
    // A byte of zeros wherever a byte equals its neighbour.
    let equal = word ^ (word >> 8);
    let repeats = if equal.trailing_zeros() >= 16 { 8 } else { 0 };
    // Of ASCII only lower-case letters, spaces and digits have this bit.
    repeats + (word & 0x2020_2020_2020_2020).count_ones()
}
