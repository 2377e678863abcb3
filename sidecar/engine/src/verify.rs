//! Exact comparison, in bounded time per byte of text.
//!
//! A text can be made so that long patterns nearly match at every place. Some
//! memories keep that from being compared again and again: the union found so
//! far, the last differences, both by their place in the text and by that in
//! the pattern, and the last match of a pattern that overlaps itself.

use super::family::{Families, NONE};
use super::fold::{Texts, folded};
use super::patterns::Patterns;
use super::short::GRAM_BYTES;
use super::spans::Spans;
use super::table::Entry;
use super::tails::{Near, Tails};

/// Last differences that are kept, each for its share of the patterns.
const DIFFERENCES: usize = 64;

/// Bytes compared at a time: comparing arrays of this size takes two vector
/// instructions, and no call.
const LANE: usize = 16;

/// For shorter patterns comparing is as quick as thinking about it.
const LONG: usize = 64;

/// The patterns, and what is known of them.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) patterns: &'a Patterns,
    pub(super) families: &'a Families,
    pub(super) tails: &'a Tails,
}

/// Compares patterns with one window.
pub(super) struct Verifier<'a> {
    patterns: &'a Patterns,
    families: &'a Families,
    tails: &'a Tails,
    texts: &'a Texts<'a>,
    spans: &'a mut Spans,
    near: &'a mut Vec<Near>,
    differences: [Difference; DIFFERENCES],
    last: Option<Match>,
}

/// Where a pattern and the text differed.
#[derive(Clone, Copy)]
struct Difference {
    text: usize,
    pattern: usize,
}

/// The last match of a long pattern.
#[derive(Clone, Copy)]
struct Match {
    pattern: u32,
    start: usize,
    /// The smallest period of the pattern, once it is asked for.
    period: Option<usize>,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(
        known: Known<'a>,
        texts: &'a Texts<'a>,
        spans: &'a mut Spans,
        near: &'a mut Vec<Near>,
    ) -> Self {
        let Known { patterns, families, tails } = known;
        Self {
            patterns,
            families,
            tails,
            texts,
            spans,
            near,
            differences: [Difference { text: usize::MAX, pattern: usize::MAX }; DIFFERENCES],
            last: None,
        }
    }

    pub(super) fn window(&self) -> &'a [u8] {
        self.texts.plain()
    }

    /// The window as this pattern is compared with it.
    #[inline]
    fn text_for(&self, pattern: u32) -> &'a [u8] {
        if self.patterns.is_exact(pattern) { self.texts.plain() } else { self.texts.folded() }
    }

    pub(super) fn texts(&self) -> &'a Texts<'a> {
        self.texts
    }

    pub(super) fn patterns(&self) -> &'a Patterns {
        self.patterns
    }

    /// Whether the pattern can stand at this place, by its last bytes.
    ///
    /// Asked for many candidates one after another, it also has the processor
    /// wait for their memory together.
    #[inline]
    pub(super) fn may_stand(&self, pattern: u32, start: usize) -> bool {
        let bytes = self.patterns.get(pattern);
        let text = self.window().get(start..start + bytes.len()).unwrap_or_default();
        let (text, bytes) = (text.last_chunk::<GRAM_BYTES>(), bytes.last_chunk::<GRAM_BYTES>());
        if self.patterns.is_exact(pattern) {
            text == bytes
        } else {
            // The whole window is folded for those only that pass.
            text.map(|text| text.map(folded)).as_ref() == bytes
        }
    }

    /// Notes the pattern as found when it stands at this place.
    pub(super) fn candidate(&mut self, pattern: u32, start: usize) {
        if self.stands_anew(pattern, start) {
            self.found(pattern, start);
        }
    }

    /// Whether it stands there and that tells something new.
    fn stands_anew(&mut self, pattern: u32, start: usize) -> bool {
        let bytes = self.patterns.get(pattern);
        let end = start + bytes.len();
        let leads_on = || !self.families.followers(pattern).is_empty() || self.tails.has(pattern);
        end <= self.window().len()
            && (!self.spans.covers(start, end) || leads_on())
            && self.stands(pattern, bytes, start)
    }

    /// Notes a pattern that stands at this place, and those that are found by it.
    pub(super) fn found(&mut self, pattern: u32, start: usize) {
        self.note(pattern, start);
        for follower in self.families.followers(pattern) {
            if self.stands_anew(follower, start) {
                self.note(follower, start);
            }
        }
    }

    fn note(&mut self, pattern: u32, start: usize) {
        let end = start + self.patterns.get(pattern).len();
        self.spans.push(start, end);
        self.tails.note(pattern, end, self.near);
    }

    /// Notes the longest pattern found at this place of those that are given,
    /// which are in ascending order and all exact, or none. Returns how many bytes were equal.
    ///
    /// Of the patterns up to the text in that order, the last one shares the
    /// most bytes with it, and all that stand here are its beginnings.
    pub(super) fn longest(&mut self, of: &[Entry], start: usize) -> usize {
        let Some(first) = of.first() else { return 0 };
        let text = &self.text_for(first.pattern())[start..];
        let up_to = of.partition_point(|entry| self.patterns.get(entry.pattern()) <= text);
        let Some(last) = up_to.checked_sub(1) else { return 0 };
        let mut pattern = of[last].pattern();
        let common = common_prefix(self.patterns.get(pattern), text);
        while self.patterns.get(pattern).len() > common {
            pattern = self.families.shorter(pattern);
            if pattern == NONE {
                return common;
            }
        }
        self.found(pattern, start);
        // All that are beginnings of it stand there too.
        while self.families.shorter(pattern) != NONE {
            pattern = self.families.shorter(pattern);
            let end = start + self.patterns.get(pattern).len();
            self.tails.note(pattern, end, self.near);
        }
        common
    }

    fn stands(&mut self, pattern: u32, bytes: &[u8], start: usize) -> bool {
        let text = &self.text_for(pattern)[start..start + bytes.len()];
        let slot = pattern as usize % DIFFERENCES;
        let difference = self.differences[slot];
        for index in [difference.pattern, difference.text.wrapping_sub(start)] {
            if index < bytes.len() && bytes[index] != text[index] {
                return false;
            }
        }
        let known = match self.repeats(pattern, bytes, start) {
            Repeat::Unknown => 0,
            Repeat::Impossible => return false,
            Repeat::From(known) => known,
        };
        let common = known + common_prefix(&bytes[known..], &text[known..]);
        if common < bytes.len() {
            self.differences[slot] = Difference { text: start + common, pattern: common };
            return false;
        }
        if bytes.len() >= LONG {
            let period = self.last.filter(|last| last.pattern == pattern).and_then(|last| last.period);
            self.last = Some(Match { pattern, start, period });
        }
        true
    }

    /// What the last match tells of the same pattern a little further on.
    fn repeats(&mut self, pattern: u32, bytes: &[u8], start: usize) -> Repeat {
        let Some(last) = self.last.as_mut().filter(|last| last.pattern == pattern) else {
            return Repeat::Unknown;
        };
        let Some(distance) = start.checked_sub(last.start).filter(|distance| *distance < bytes.len()) else {
            return Repeat::Unknown;
        };
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
    /// It cannot overlap itself at this distance.
    Impossible,
    /// So many bytes are equal.
    From(usize),
}

/// How many bytes are equal at the front.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let equal = |(a, b): &(&[u8; LANE], &[u8; LANE])| a == b;
    let lanes = a.as_chunks::<LANE>().0.iter().zip(b.as_chunks::<LANE>().0).take_while(equal).count();
    let from = lanes * LANE;
    from + a[from..].iter().zip(&b[from..]).take_while(|(a, b)| a == b).count()
}

/// The smallest distance at which the bytes agree with themselves (Knuth,
/// Morris and Pratt).
fn smallest_period(bytes: &[u8]) -> usize {
    // The longest proper beginning that is also an end, for each beginning.
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
        fn a_common_prefix_ends_at_the_first_difference(
            a in proptest::collection::vec(0..2_u8, 0..40), b in proptest::collection::vec(0..2_u8, 0..40), cut in 0..60_usize,
        ) {
            let a = [&b[..cut.min(b.len())], &a[..]].concat();
            let expected = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(common_prefix(&a, &b), expected);
        }
    }
}
