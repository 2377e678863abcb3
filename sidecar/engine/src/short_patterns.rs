//! Patterns too short for grams: all in one small automaton.

use super::gram::GRAM_BYTES;
use super::patterns::Selection;
use super::spans::Spans;
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind};

/// Finds patterns of fewer than [`GRAM_BYTES`] bytes.
///
/// The automaton contains their bytes, which are not zeroed when it is dropped.
pub(super) struct ShortPatterns {
    automaton: AhoCorasick,
}

impl ShortPatterns {
    /// Builds the automaton; `None` if there is no such pattern. Fails only when
    /// it needs more states than 32 bits can number.
    pub(super) fn new(selection: Selection<'_>) -> Result<Option<Self>, BuildError> {
        let short: Vec<&[u8]> = selection
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

    /// Finds matches that start at `from` or later, and returns where the next
    /// search must begin: all earlier matches are complete.
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
