//! Exact comparison, in bounded time per byte of text.
//!
//! An adversarial text makes long patterns nearly match at every place. Three
//! memories avoid comparing the same bytes again and again: the union of matches
//! so far; the last mismatches, by their place in the text and in the pattern;
//! and the last match of a pattern that overlaps itself.

use super::fold::{Texts, folded};
use super::gram::GRAM_BYTES;
use super::patterns::Patterns;
use super::prefix_groups::{NONE, PrefixGroups};
use super::spans::Spans;
use super::table::Entry;
use super::trailing_lines::{SearchWindow, TrailingLines};

/// Number of mismatches remembered, each shared by some of the patterns.
const MAX_MISMATCHES: usize = 64;

/// Bytes compared at a time: arrays of this size take two vector instructions
/// and no call.
const LANE: usize = 16;

/// Minimum length of a pattern whose last match is remembered; comparing shorter
/// ones is as fast.
const MIN_REMEMBERED_BYTES: usize = 64;

/// The patterns, and the relations between them.
#[derive(Clone, Copy)]
pub(super) struct PatternSet<'a> {
    pub(super) patterns: &'a Patterns,
    pub(super) prefix_groups: &'a PrefixGroups,
    pub(super) trailing: &'a TrailingLines,
}

/// Compares patterns with one window of text.
pub(super) struct Verifier<'a> {
    patterns: &'a Patterns,
    prefix_groups: &'a PrefixGroups,
    trailing: &'a TrailingLines,
    texts: &'a Texts<'a>,
    spans: &'a mut Spans,
    windows: &'a mut Vec<SearchWindow>,
    mismatches: [Mismatch; MAX_MISMATCHES],
    last: Option<Match>,
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

impl<'a> Verifier<'a> {
    pub(super) fn new(
        known: PatternSet<'a>,
        texts: &'a Texts<'a>,
        spans: &'a mut Spans,
        windows: &'a mut Vec<SearchWindow>,
    ) -> Self {
        let PatternSet { patterns, prefix_groups, trailing } = known;
        Self {
            patterns,
            prefix_groups,
            trailing,
            texts,
            spans,
            windows,
            mismatches: [Mismatch { text: usize::MAX, pattern: usize::MAX }; MAX_MISMATCHES],
            last: None,
        }
    }

    pub(super) fn window(&self) -> &'a [u8] {
        self.texts.plain()
    }

    /// Returns the window in the form this pattern is compared with.
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

    /// Returns whether the pattern can match at this place, by its last bytes.
    ///
    /// Called for many candidates in a row, it also lets their cache misses overlap.
    #[inline]
    pub(super) fn may_match(&self, pattern: u32, start: usize) -> bool {
        let bytes = self.patterns.get(pattern);
        let text = self.window().get(start..start + bytes.len()).unwrap_or_default();
        let (text, bytes) = (text.last_chunk::<GRAM_BYTES>(), bytes.last_chunk::<GRAM_BYTES>());
        if self.patterns.is_exact(pattern) {
            text == bytes
        } else {
            // The whole window is folded only for candidates that pass.
            text.map(|text| text.map(folded)).as_ref() == bytes
        }
    }

    /// Notes the pattern if it matches at this place.
    pub(super) fn candidate(&mut self, pattern: u32, start: usize) {
        if self.is_new_match(pattern, start) {
            self.found(pattern, start);
        }
    }

    /// Returns whether it matches there and that is news.
    fn is_new_match(&mut self, pattern: u32, start: usize) -> bool {
        let bytes = self.patterns.get(pattern);
        let end = start + bytes.len();
        let leads_on = || !self.prefix_groups.extensions(pattern).is_empty() || self.trailing.has(pattern);
        end <= self.window().len()
            && (!self.spans.covers(start, end) || leads_on())
            && self.matches_at(pattern, bytes, start)
    }

    /// Notes a match at this place, and those of patterns found through it.
    pub(super) fn found(&mut self, pattern: u32, start: usize) {
        self.note(pattern, start);
        for extension in self.prefix_groups.extensions(pattern) {
            if self.is_new_match(extension, start) {
                self.note(extension, start);
            }
        }
    }

    fn note(&mut self, pattern: u32, start: usize) {
        let end = start + self.patterns.get(pattern).len();
        self.spans.push(start, end);
        self.trailing.note(pattern, end, self.windows);
    }

    /// Notes the longest match at this place among the given patterns, which are
    /// in ascending order and either all exact or all folded. Returns the number of
    /// equal bytes.
    ///
    /// Of the patterns not greater than the text, the last one shares the most bytes
    /// with it, and all that match here are prefixes of it.
    pub(super) fn longest(&mut self, of: &[Entry], start: usize) -> usize {
        let Some(first) = of.first() else { return 0 };
        let text = &self.text_for(first.pattern())[start..];
        let up_to = of.partition_point(|entry| self.patterns.get(entry.pattern()) <= text);
        let Some(last) = up_to.checked_sub(1) else { return 0 };
        let mut pattern = of[last].pattern();
        let common = common_prefix(self.patterns.get(pattern), text);
        while self.patterns.get(pattern).len() > common {
            pattern = self.prefix_groups.shorter(pattern);
            if pattern == NONE {
                return common;
            }
        }
        self.found(pattern, start);
        // All of its prefixes match there, too.
        while self.prefix_groups.shorter(pattern) != NONE {
            pattern = self.prefix_groups.shorter(pattern);
            let end = start + self.patterns.get(pattern).len();
            self.trailing.note(pattern, end, self.windows);
        }
        common
    }

    fn matches_at(&mut self, pattern: u32, bytes: &[u8], start: usize) -> bool {
        let text = &self.text_for(pattern)[start..start + bytes.len()];
        let slot = pattern as usize % MAX_MISMATCHES;
        let mismatch = self.mismatches[slot];
        for index in [mismatch.pattern, mismatch.text.wrapping_sub(start)] {
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
