//! Exact comparison, in bounded time per byte of text.
//!
//! An adversarial text makes long patterns nearly match at every place. The union of
//! matches so far and the `comparison` before avoid comparing the same bytes again and
//! again, and what remains has a budget.

use super::comparison::{Comparisons, common_prefix};
use super::excerpts::Excerpts;
use super::fold::{Texts, folded};
use super::gram::GRAM_BYTES;
use super::patterns::Patterns;
use super::prefix_groups::{NONE, PrefixGroups};
use super::spans::Spans;
use super::table::Entry;
use super::trailing_lines::{MAX_DISTANCE_BYTES, SearchWindow, TrailingLines};

/// Work allowed per byte of a scan, in units of about a nanosecond, of the text and of
/// its views, in which a byte can be searched twice; and the most that a stream can save up.
const MAX_WORK_PER_BYTE: usize = 4;
const MAX_WORK_PER_BYTE_OF_VIEWS: usize = 2;
const MAX_CREDIT: usize = 2 << 20;

/// Work of fetching a pattern, of noting a match, and of noting where a trailing
/// line can follow it.
const FETCH_WORK: usize = 8;
const NOTE_WORK: usize = 8;
const TRAILING_WORK: usize = 16;

/// The budget before an automaton takes over shrinks by this power of two after
/// one has taken over, so that a text that goes on like that wastes little.
const DENSE_SHIFT: u32 = 3;

/// The budgets of a stream.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Work that is saved up.
    credit: usize,
    /// Work added per byte.
    per_byte: usize,
    /// Shift of the budget before an automaton takes over.
    dense_shift: u32,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { credit: MAX_CREDIT, per_byte: MAX_WORK_PER_BYTE, dense_shift: 0 }
    }
}

impl Allowance {
    /// Returns the budgets of the views of a stream.
    pub(super) fn of_views() -> Self {
        Self { per_byte: MAX_WORK_PER_BYTE_OF_VIEWS, ..Self::default() }
    }

    /// Forgets the windows before by and by.
    pub(super) fn relax(&mut self) {
        self.dense_shift = self.dense_shift.saturating_sub(1);
    }
}

/// The patterns, and the relations between them.
#[derive(Clone, Copy)]
pub(super) struct PatternSet<'a> {
    pub(super) patterns: &'a Patterns,
    pub(super) prefix_groups: &'a PrefixGroups,
    pub(super) trailing: &'a TrailingLines,
    pub(super) excerpts: &'a Excerpts,
}

/// Compares patterns with one window of text.
pub(super) struct Verifier<'a> {
    patterns: &'a Patterns,
    prefix_groups: &'a PrefixGroups,
    trailing: &'a TrailingLines,
    excerpts: &'a Excerpts,
    texts: &'a Texts<'a>,
    spans: &'a mut Spans,
    windows: &'a mut Vec<SearchWindow>,
    comparisons: Comparisons,
    allowance: &'a mut Allowance,
    work: usize,
    max_work: usize,
    /// Work of all scans before this one.
    earlier_work: u64,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(
        known: PatternSet<'a>,
        texts: &'a Texts<'a>,
        spans: &'a mut Spans,
        windows: &'a mut Vec<SearchWindow>,
        allowance: &'a mut Allowance,
    ) -> Self {
        let PatternSet { patterns, prefix_groups, trailing, excerpts } = known;
        Self {
            patterns,
            prefix_groups,
            trailing,
            excerpts,
            texts,
            spans,
            windows,
            comparisons: Comparisons::default(),
            work: 0,
            max_work: allowance.credit,
            allowance,
            earlier_work: 0,
        }
    }

    /// Starts the budget of a scan over this many bytes.
    pub(super) fn allow_work(&mut self, bytes: usize) {
        self.earlier_work = self.total_work();
        let unspent = self.max_work.saturating_sub(self.work);
        let credit = unspent.saturating_add(bytes.saturating_mul(self.allowance.per_byte));
        (self.work, self.max_work) = (0, credit.min(MAX_CREDIT));
    }

    /// Counts work.
    #[inline]
    pub(super) fn spend(&mut self, work: usize) {
        self.work += work;
    }

    /// Ends the last scan, and saves up what is left of the budget.
    pub(super) fn save(&mut self) {
        self.allowance.credit = self.max_work.saturating_sub(self.work);
        self.allowance.relax();
    }

    /// Returns the work done in all scans.
    pub(super) fn total_work(&self) -> u64 {
        self.earlier_work + self.work as u64
    }

    /// Returns the work of this scan as counted against the dense buckets' budget.
    pub(super) fn dense_work(&self) -> usize {
        self.work << self.allowance.dense_shift
    }

    /// Shrinks the dense buckets' budget when an automaton takes over; the other goes on.
    pub(super) fn leave_dense(&mut self) {
        self.allowance.dense_shift = DENSE_SHIFT + 1;
    }

    /// Returns whether the budget of this scan is used up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.work > self.max_work
    }

    /// Returns the most bytes that are masked before the start of this pattern, and from
    /// there on, where it is found.
    pub(super) fn extent(&self, pattern: u32) -> (usize, usize) {
        self.excerpts.extent(pattern, self.patterns, self.prefix_groups)
    }

    /// Masks a range in which a match is possible, and where a trailing line could
    /// follow it.
    pub(super) fn mask_unverified(&mut self, start: usize, end: usize) {
        let trailing = if self.trailing.is_empty() { 0 } else { MAX_DISTANCE_BYTES };
        self.spans.push(start, end + trailing);
    }

    /// Returns whether a match of this pattern is of use even where its bytes are
    /// masked already.
    pub(super) fn leads_on(&self, pattern: u32) -> bool {
        !self.prefix_groups.extensions(pattern).is_empty()
            || self.trailing.has(pattern)
            || self.excerpts.has(pattern)
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
        self.work += FETCH_WORK;
        if end > self.window().len() || self.spans.covers(start, end) && !self.leads_on(pattern) {
            return false;
        }
        let text = self.text_for(pattern);
        self.comparisons.matches_at(text, start, (pattern, bytes), &mut self.work)
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
        self.work += NOTE_WORK;
        self.note_around(pattern, start, end);
    }

    /// Notes what a match of this pattern leads on to.
    fn note_around(&mut self, pattern: u32, start: usize, end: usize) {
        if !self.trailing.is_empty() {
            self.work += TRAILING_WORK;
            self.trailing.note(pattern, end, self.windows);
        }
        if !self.excerpts.is_empty() {
            let (from, to, work) = self.excerpts.around(pattern, self.window(), start, end);
            self.work += NOTE_WORK + work;
            self.spans.push(from, to);
        }
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
            self.work += FETCH_WORK;
            pattern = self.prefix_groups.shorter(pattern);
            if pattern == NONE {
                return common;
            }
        }
        self.found(pattern, start);
        // All of its prefixes match there, too.
        let lead_on = !self.trailing.is_empty() || !self.excerpts.is_empty();
        while lead_on && self.prefix_groups.shorter(pattern) != NONE {
            self.work += FETCH_WORK;
            pattern = self.prefix_groups.shorter(pattern);
            let end = start + self.patterns.get(pattern).len();
            self.note_around(pattern, start, end);
        }
        common
    }
}
