//! Patterns too short for grams: all in one small automaton.

use super::patterns::Patterns;
use super::spans::Spans;
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind};

/// Shorter patterns than this have no gram that would tell them from anything.
pub(super) const GRAM_BYTES: usize = 4;

/// Finds patterns of fewer than [`GRAM_BYTES`] bytes.
///
/// The automaton keeps bytes of them that are not zeroed when it is dropped.
pub(super) struct Short {
    automaton: AhoCorasick,
}

impl Short {
    /// `None` when there is no such pattern. Fails only when the patterns need
    /// more states than 32 bits can number.
    pub(super) fn new(patterns: &Patterns) -> Result<Option<Self>, BuildError> {
        let short: Vec<&[u8]> = patterns
            .iter()
            .map(|(_, pattern)| pattern)
            .filter(|pattern| pattern.len() < GRAM_BYTES)
            .collect();
        if short.is_empty() {
            return Ok(None);
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(short)?;
        Ok(Some(Self { automaton }))
    }

    /// Finds what starts at `from` or later, and returns where the next search
    /// has to begin: what starts before is complete.
    pub(super) fn scan(&self, window: &[u8], from: usize, spans: &mut Spans) -> usize {
        for found in self.automaton.find_overlapping_iter(Input::new(window).range(from..)) {
            spans.push(found.start(), found.end());
        }
        from.max((window.len() + 1).saturating_sub(GRAM_BYTES - 1))
    }

    pub(super) fn memory(&self) -> usize {
        self.automaton.memory_usage()
    }
}
