//! Which part of a pattern is looked for first.
//!
//! Secrets share beginnings (PEM headers, the first part of a JWT), and some of
//! their parts look like any text. A pattern is therefore anchored where its
//! grams are rare among all patterns, and unlike plain text.

use super::gram::{Width, hash, place};

/// Anchors lie in this many bytes of a pattern: what lies before an anchor is
/// held back, and beginnings that patterns share are shorter.
const NEAR: usize = 256;

/// Grams per place of the counters.
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
        let total: usize = patterns.clone().map(|pattern| pattern.len().min(NEAR)).sum();
        let bits = total.max(1).next_power_of_two().trailing_zeros();
        let bits = bits.clamp(*COUNTERS_LOG.start(), *COUNTERS_LOG.end());
        let mut census = Self { counts: vec![0; 1 << bits], bits, width };
        for pattern in patterns {
            for gram in grams(near(pattern), width) {
                let count = &mut census.counts[place(hash(gram), bits)];
                *count = count.saturating_add(1);
            }
        }
        census
    }

    /// Where the `stride` grams of a pattern begin that are rarest together.
    pub(super) fn anchor(&self, pattern: &[u8], stride: usize, costs: &mut Vec<u32>) -> usize {
        costs.clear();
        costs.extend(grams(near(pattern), self.width).map(|gram| {
            let count = u32::from(self.counts[place(hash(gram), self.bits)]);
            count * 16 + plainness(gram)
        }));
        let mut sum: u32 = costs[..stride].iter().sum();
        let (mut best, mut least) = (0, sum);
        for next in stride..costs.len() {
            sum = sum + costs[next] - costs[next - stride];
            if sum < least {
                (best, least) = (next + 1 - stride, sum);
            }
        }
        best
    }
}

fn near(pattern: &[u8]) -> &[u8] {
    &pattern[..pattern.len().min(NEAR)]
}

fn grams(bytes: &[u8], width: Width) -> impl Iterator<Item = u64> {
    (0..=bytes.len() - width.bytes()).map(move |at| width.at(bytes, at))
}

/// How much a gram looks like what stands in any log: equal neighbours first,
/// then lower-case letters, spaces and digits.
fn plainness(gram: u64) -> u32 {
    // A byte of zeros wherever a byte equals its neighbour.
    let equal = gram ^ (gram >> 8);
    let repeats = if equal.trailing_zeros() >= 16 { 8 } else { 0 };
    // Of ASCII only lower-case letters, spaces and digits have this bit.
    repeats + (gram & 0x2020_2020_2020_2020).count_ones()
}
