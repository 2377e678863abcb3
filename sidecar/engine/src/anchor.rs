//! The choice of grams that represent a pattern.
//!
//! Secrets share prefixes (PEM headers, the first part of a JWT), and some of
//! their parts look like ordinary text. A pattern is therefore represented by
//! grams that are rare among all patterns and unlike plain text.

use super::gram::{Width, hash, place};

/// Number of places at the front of a pattern where grams are taken: text before
/// a gram must be held back, and shared prefixes are shorter than this.
pub(super) const MAX_PLACES: usize = 256;

/// Cost of a gram that no other pattern has and that is not all lower-case
/// letters and digits; the search for a better one ends.
const GOOD_COST: u32 = 16 + 4;

/// From this place on any unique gram of differing bytes is accepted.
const GOOD_ENOUGH_FROM: usize = 64;
const GOOD_ENOUGH_COST: u32 = 16 + 7;

/// Number of counters, as a power of two.
const COUNTERS_LOG: std::ops::RangeInclusive<u32> = 10..=20;

/// Approximate gram frequencies, never too low.
pub(super) struct Census {
    counts: Vec<u8>,
    bits: u32,
    width: Width,
}

impl Census {
    /// Counts the grams of all patterns of a length class.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a [u8]> + Clone, width: Width) -> Self {
        let total: usize = patterns.clone().map(|pattern| pattern.len().min(MAX_PLACES)).sum();
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

    /// Finds the place of the rarest gram for each remainder modulo the stride.
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
                let good = if place < GOOD_ENOUGH_FROM { GOOD_COST } else { GOOD_ENOUGH_COST };
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

/// A gram's place in a pattern, and its cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    cost: u32,
    pub(super) place: usize,
}

fn words(pattern: &[u8], width: Width) -> impl Iterator<Item = u64> {
    (0..(pattern.len() + 1 - width.bytes()).min(MAX_PLACES)).map(move |at| width.word(pattern, at))
}

/// Rates a gram's resemblance to ordinary log text: equal neighbours first, then
/// lower-case letters, spaces and digits.
fn plainness(word: u64) -> u32 {
    // A byte of zeros wherever a byte equals its neighbour.
    let equal = word ^ (word >> 8);
    let repeats = if equal.trailing_zeros() >= 16 { 8 } else { 0 };
    // Of ASCII only lower-case letters, spaces and digits have this bit.
    repeats + (word & 0x2020_2020_2020_2020).count_ones()
}
