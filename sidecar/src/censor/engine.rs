//! Finding patterns in a buffer.

use super::secrets::Patterns;
use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind};
use std::ops::Range;

/// What is searched at a time once something was found.
const REGION_BYTES: usize = 64 * 1024;

/// Finds the places of patterns.
pub(super) trait Matcher: Send + Sync {
    /// Tells the places of patterns in `text`, ordered by their ends. Together
    /// they cover every occurrence, overlapping ones too.
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>));

    /// The bytes of the longest pattern; 0 when there is none.
    fn longest(&self) -> usize;
}

/// All patterns in one automaton: the same time per byte whatever their number.
pub(super) struct Automaton {
    searcher: AhoCorasick,
    longest: usize,
}

impl Automaton {
    /// Fails only when the patterns need more states than 32 bits can number.
    pub(super) fn new(patterns: &Patterns) -> Result<Self, BuildError> {
        let patterns = patterns.as_slice();
        let searcher = AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns)?;
        Ok(Self { searcher, longest: patterns.iter().map(Vec::len).max().unwrap_or(0) })
    }
}

impl Matcher for Automaton {
    /// The search for any match is several times as fast as the one for all
    /// matches. So a match found is only where the thorough search begins.
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        let (mut from, mut told) = (0, 0);
        while let Some(first) = self.searcher.find(Input::new(text).range(from..)) {
            // Of all matches this one ends first, so none begins before here.
            let begin = from.max(first.end().saturating_sub(self.longest));
            let end = text.len().min(first.end() + self.longest + REGION_BYTES);
            for each in self.searcher.find_overlapping_iter(Input::new(text).range(begin..end)) {
                if each.end() > told {
                    found(each.range());
                }
            }
            told = end;
            if end == text.len() {
                return;
            }
            // What begins before this place also ends in the region.
            from = end + 1 - self.longest;
        }
    }

    fn longest(&self) -> usize {
        self.longest
    }
}

/// The oracle: tries every pattern at every place.
#[cfg(test)]
pub(super) struct Naive(pub(super) Vec<Vec<u8>>);

#[cfg(test)]
impl Matcher for Naive {
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        for end in 0..=text.len() {
            for pattern in self.0.iter().filter(|pattern| text[..end].ends_with(pattern)) {
                found(end - pattern.len()..end);
            }
        }
    }

    fn longest(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or(0)
    }
}
