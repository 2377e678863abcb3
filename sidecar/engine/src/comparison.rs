//! Comparison of a pattern with a text, at places close to each other.
//!
//! Two memories avoid comparing the same bytes again: the last mismatches, by their
//! place in the text and in the pattern, and the last match of a pattern that
//! overlaps itself.

/// Number of mismatches remembered, each shared by some of the patterns.
const MAX_MISMATCHES: usize = 64;

/// Bytes compared at a time: arrays of this size take two vector instructions
/// and no call.
const LANE: usize = 16;

/// Minimum length of a pattern whose last match is remembered; comparing shorter
/// ones is as fast.
const MIN_REMEMBERED_BYTES: usize = 64;

/// The comparisons before, in one text.
pub(super) struct Comparisons {
    mismatches: [Mismatch; MAX_MISMATCHES],
    last: Option<Match>,
}

impl Default for Comparisons {
    fn default() -> Self {
        let none = Mismatch { text: usize::MAX, pattern: usize::MAX };
        Self { mismatches: [none; MAX_MISMATCHES], last: None }
    }
}

/// A mismatch: its place in the text and in the pattern.
#[derive(Clone, Copy)]
struct Mismatch {
    text: usize,
    pattern: usize,
}

/// The last match of a long pattern.
#[derive(Clone, Copy)]
struct Match {
    pattern: u32,
    start: usize,
    /// The smallest period of the pattern, computed on demand.
    period: Option<usize>,
}

impl Comparisons {
    /// Returns whether a pattern, by its number and its bytes, stands at a place of the
    /// text that has as many bytes. Adds the work.
    pub(super) fn matches_at(
        &mut self,
        text: &[u8],
        start: usize,
        (pattern, bytes): (u32, &[u8]),
        work: &mut usize,
    ) -> bool {
        let text = &text[start..start + bytes.len()];
        let slot = pattern as usize % MAX_MISMATCHES;
        let mismatch = self.mismatches[slot];
        for index in [mismatch.pattern, mismatch.text.wrapping_sub(start)] {
            if index < bytes.len() && bytes[index] != text[index] {
                return false;
            }
        }
        let known = match self.repeats(pattern, bytes, start, work) {
            Repeat::Unknown => 0,
            Repeat::Impossible => return false,
            Repeat::From(known) => known,
        };
        let common = known + common_prefix(&bytes[known..], &text[known..]);
        *work += (common - known) / LANE;
        if common < bytes.len() {
            self.mismatches[slot] = Mismatch { text: start + common, pattern: common };
            return false;
        }
        if bytes.len() >= MIN_REMEMBERED_BYTES {
            let period = self.last.filter(|last| last.pattern == pattern).and_then(|last| last.period);
            self.last = Some(Match { pattern, start, period });
        }
        true
    }

    /// Infers from the last match whether the same pattern can match a little further on.
    fn repeats(&mut self, pattern: u32, bytes: &[u8], start: usize, work: &mut usize) -> Repeat {
        let Some(last) = self.last.as_mut().filter(|last| last.pattern == pattern) else {
            return Repeat::Unknown;
        };
        let Some(distance) = start.checked_sub(last.start).filter(|distance| *distance < bytes.len()) else {
            return Repeat::Unknown;
        };
        if last.period.is_none() {
            *work += bytes.len();
        }
        let period = *last.period.get_or_insert_with(|| smallest_period(bytes));
        // Two periods that fit into the pattern together are multiples of the smallest one
        // (theorem of Fine and Wilf).
        if distance + period > bytes.len() {
            Repeat::Unknown
        } else if distance.is_multiple_of(period) {
            Repeat::From(bytes.len() - distance)
        } else {
            Repeat::Impossible
        }
    }
}

enum Repeat {
    Unknown,
    /// The pattern cannot overlap itself at this distance.
    Impossible,
    /// This many bytes are equal.
    From(usize),
}

/// Returns the length of the common prefix.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let equal = |(a, b): &(&[u8; LANE], &[u8; LANE])| a == b;
    let lanes = a.as_chunks::<LANE>().0.iter().zip(b.as_chunks::<LANE>().0).take_while(equal).count();
    let from = lanes * LANE;
    from + a[from..].iter().zip(&b[from..]).take_while(|(a, b)| a == b).count()
}

/// Returns the smallest period of the bytes (Knuth, Morris and Pratt).
fn smallest_period(bytes: &[u8]) -> usize {
    // The longest proper border of each prefix.
    let mut borders = vec![0; bytes.len()];
    let mut border = 0;
    for index in 1..bytes.len() {
        while border > 0 && bytes[border] != bytes[index] {
            border = borders[border - 1];
        }
        if bytes[border] == bytes[index] {
            border += 1;
        }
        borders[index] = border;
    }
    bytes.len() - border
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agrees(bytes: &[u8], period: usize) -> bool {
        bytes[period..] == bytes[..bytes.len() - period]
    }

    proptest! {
        #[test]
        fn a_period_is_the_smallest_one(bytes in proptest::collection::vec(0..2_u8, 1..40)) {
            let period = smallest_period(&bytes);
            prop_assert!(agrees(&bytes, period));
            prop_assert!((1..period).all(|smaller| !agrees(&bytes, smaller)));
        }

        #[test]
        fn a_common_prefix_ends_at_the_first_mismatch(
            a in proptest::collection::vec(0..2_u8, 0..40), b in proptest::collection::vec(0..2_u8, 0..40), cut in 0..60_usize,
        ) {
            let a = [&b[..cut.min(b.len())], &a[..]].concat();
            let expected = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(common_prefix(&a, &b), expected);
        }
    }
}
