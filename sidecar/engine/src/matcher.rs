//! The matcher, and its position in a stream.

use super::excerpts::{Excerpts, UnnumberedExcerpts};
use super::fold::Texts;
use super::length_class::{LengthClass, classes};
use super::patterns::{Pattern, Patterns, Selection, Unsorted};
use super::prefix_groups::PrefixGroups;
use super::runs::Runs;
use super::short_patterns::ShortPatterns;
use super::spans::{Spans, without_open_end};
use super::table::Entry;
use super::trailing_lines::{SearchWindow, TrailingLines, UnnumberedLines};
use super::verify::{Allowance, PatternSet, Verifier};
use super::views::{MIN_VIEW_BYTES, ViewProgress, Views};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The byte that replaces each byte of a secret (C-23).
pub const MASK: u8 = b'X';

/// Finds many patterns at once.
pub struct Matcher {
    shared: Arc<Shared>,
    classes: Vec<LengthClass>,
    short: Option<ShortPatterns>,
    runs: Option<Runs>,
    /// Runs of one letter in either case.
    folded_runs: Option<Runs>,
    prefix_groups: PrefixGroups,
    views: Option<ViewSearch>,
}

/// The patterns, which a matcher and the one for its views share.
struct Shared {
    patterns: Patterns,
    trailing: TrailingLines,
    excerpts: Excerpts,
    /// The numbers of patterns that are too short for views, in ascending order.
    short: Vec<u32>,
}

/// Views, and the matcher for them if that is another one.
struct ViewSearch {
    views: Views,
    matcher: Option<Box<Matcher>>,
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").finish_non_exhaustive()
    }
}

/// The patterns are too many or too large to number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secrets have more than 4 GiB in all their forms, or there are too many")]
pub struct TooLarge;

/// The state of one stream.
#[derive(Debug, Default)]
pub struct Progress {
    /// The next place of the window for each length class.
    next: Vec<usize>,
    /// The next place for short patterns.
    next_short: usize,
    /// The next place for runs.
    next_runs: usize,
    /// The next place for runs in either case.
    next_folded_runs: usize,
    /// Where trailing lines are looked for.
    windows: Vec<SearchWindow>,
    spans: Spans,
    masked: u64,
    work: u64,
    allowance: Allowance,
    views: Option<Box<InViews>>,
}

/// The state of a stream in its views.
#[derive(Debug)]
struct InViews {
    view: ViewProgress,
    progress: Progress,
}

impl Matcher {
    /// Builds the matcher; empty patterns are ignored.
    ///
    /// Fails when there are more than 2^24 patterns, or more than 4 GiB together.
    pub fn new<P: Into<Pattern>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, TooLarge> {
        Self::of(Arc::new(Shared::new(patterns)?), false)
    }

    /// Builds the matcher of patterns, or of those that are long enough for views.
    fn of(shared: Arc<Shared>, in_views: bool) -> Result<Self, TooLarge> {
        let left_out = if in_views { shared.short.as_slice() } else { &[] };
        let selection = Selection { patterns: &shared.patterns, left_out };
        let prefix_groups = PrefixGroups::new(selection);
        let classes = classes(selection, &prefix_groups, &shared.excerpts);
        let short = ShortPatterns::new(selection).map_err(|_| TooLarge)?;
        let (runs, folded_runs) = (Runs::new(selection, true), Runs::new(selection, false));
        Ok(Self { shared, classes, short, runs, folded_runs, prefix_groups, views: None })
    }

    /// Builds a matcher that also finds patterns of at least [`MIN_VIEW_BYTES`] where
    /// a text is wrapped, escaped, or written as numbers. `is_value` tells of each
    /// pattern whether it is a value in [canonical form](super::canonical), or encoded
    /// data; values decide which escapes are worth a look.
    ///
    /// Fails as [`new`](Self::new) does.
    pub fn with_views(patterns: Vec<Pattern>, is_value: &[bool]) -> Result<Self, TooLarge> {
        let longest = patterns.iter().map(|pattern| pattern.bytes().len()).max().unwrap_or(0);
        let values = patterns.iter().zip(is_value).filter(|(_, is_value)| **is_value);
        let values = values.map(|(pattern, _)| pattern.bytes()).filter(|value| value.len() >= MIN_VIEW_BYTES);
        let views = Views::new(values, longest);
        let shared = Arc::new(Shared::new(patterns)?);
        if shared.short.len() == shared.patterns.len() {
            return Self::of(shared, false);
        }
        let matcher =
            if shared.short.is_empty() { None } else { Some(Box::new(Self::of(Arc::clone(&shared), true)?)) };
        Ok(Self { views: Some(ViewSearch { views, matcher }), ..Self::of(shared, false)? })
    }

    /// Returns whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.shared.patterns.len() == 0
    }

    /// Returns the state at the start of a stream.
    pub fn start(&self) -> Progress {
        Progress {
            views: self.views.as_ref().map(|search| {
                let progress =
                    search.matcher.as_deref().map_or_else(|| self.start_plain(), Self::start_plain);
                let progress = Progress { allowance: Allowance::of_views(), ..progress };
                Box::new(InViews { view: ViewProgress::default(), progress })
            }),
            ..self.start_plain()
        }
    }

    /// Returns the state at the start of a text without views.
    fn start_plain(&self) -> Progress {
        let next = vec![0; self.classes.len()];
        Progress { next, ..Progress::default() }
    }

    /// Overwrites every match in the final part of the window, and returns the
    /// length of that part. With `end` no bytes follow, and all are final;
    /// otherwise the next window must begin with the bytes that were not final.
    pub fn mask(&self, progress: &mut Progress, window: &mut [u8], end: bool) -> usize {
        let limit = self.find_in_views(progress, window, end);
        let released = self.find(progress, window, end, limit);
        if self.views.is_some() {
            progress.spans.widen(window, released, end);
        }
        progress.masked += progress.spans.apply(window, released, MASK, end);
        released
    }

    /// Finds matches in the views, and returns the length of the part that is final there.
    fn find_in_views(&self, progress: &mut Progress, window: &[u8], end: bool) -> usize {
        let Progress { spans, views, work, .. } = progress;
        let (Some(search), Some(state)) = (&self.views, views.as_deref_mut()) else { return window.len() };
        let matcher = search.matcher.as_deref().unwrap_or(self);
        let InViews { view, progress } = state;
        let mut in_text =
            |text: &[u8], found: &mut dyn FnMut(usize, usize)| matcher.each_match(progress, text, found);
        let released =
            search.views.scan(view, window, end, &mut in_text, &mut |from, to| spans.push(from, to));
        *work += std::mem::take(&mut progress.work);
        released
    }

    /// Finds all matches in a whole text, which follows others: their costs count together.
    pub(super) fn each_match(
        &self,
        progress: &mut Progress,
        text: &[u8],
        found: &mut dyn FnMut(usize, usize),
    ) {
        progress.next.fill(0);
        (progress.next_short, progress.next_runs, progress.next_folded_runs) = (0, 0, 0);
        progress.windows.clear();
        self.find(progress, text, true, text.len());
        progress.spans.drain(text.len(), found);
    }

    /// Finds all matches, and returns the length of the final part, at most `limit`.
    fn find(&self, progress: &mut Progress, window: &[u8], end: bool, limit: usize) -> usize {
        let mut released = limit;
        let texts = Texts::new(window);
        let known = PatternSet {
            patterns: &self.shared.patterns,
            prefix_groups: &self.prefix_groups,
            trailing: &self.shared.trailing,
            excerpts: &self.shared.excerpts,
        };
        let mut verifier =
            Verifier::new(known, &texts, &mut progress.spans, &mut progress.windows, &mut progress.allowance);
        for (class, next) in self.classes.iter().zip(&mut progress.next) {
            *next = class.scan(*next, end, &mut verifier);
            released = released.min(next.saturating_sub(class.before()));
        }
        verifier.save();
        progress.work += verifier.total_work();
        released =
            released.min(self.shared.trailing.scan(window, end, &mut progress.windows, &mut progress.spans));
        if let Some(runs) = &self.runs {
            progress.next_runs = runs.scan(window, progress.next_runs, end, &mut progress.spans);
            released = released.min(progress.next_runs.saturating_sub(runs.before()));
        }
        if let Some(runs) = &self.folded_runs {
            let next = &mut progress.next_folded_runs;
            *next = runs.scan(texts.folded(), *next, end, &mut progress.spans);
            released = released.min(next.saturating_sub(runs.before()));
        }
        if let Some(short) = &self.short {
            progress.next_short = short.scan(window, progress.next_short, &mut progress.spans);
            released = released.min(progress.next_short);
        }
        released = if end { window.len() } else { without_open_end(window, released) };
        progress.next.iter_mut().for_each(|next| *next = next.saturating_sub(released));
        progress.windows.iter_mut().for_each(|window| window.move_by(released));
        progress.next_short = progress.next_short.saturating_sub(released);
        progress.next_runs = progress.next_runs.saturating_sub(released);
        progress.next_folded_runs = progress.next_folded_runs.saturating_sub(released);
        if let Some(state) = &mut progress.views {
            Views::release(&mut state.view, released);
        }
        released
    }

    /// Returns the memory in bytes, with the patterns and without.
    pub fn memory(&self) -> (usize, usize) {
        let Shared { patterns, trailing, excerpts, short } = &*self.shared;
        let of_views = self.views.as_ref().map_or(0, |search| {
            let matcher = search.matcher.as_ref().map_or(0, |matcher| matcher.tables());
            search.views.memory() + matcher
        });
        let shared = trailing.memory() + excerpts.memory() + short.capacity() * size_of::<u32>();
        let tables = self.tables() + of_views + shared;
        (patterns.memory() + tables, tables)
    }

    /// Returns the memory of what is not shared.
    fn tables(&self) -> usize {
        self.classes.iter().map(LengthClass::memory).sum::<usize>()
            + self.short.as_ref().map_or(0, ShortPatterns::memory)
            + self.prefix_groups.memory()
    }
}

impl Shared {
    fn new<P: Into<Pattern>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, TooLarge> {
        let (mut unsorted, mut trailing) = (Unsorted::default(), UnnumberedLines::default());
        let mut excerpts = UnnumberedExcerpts::default();
        for pattern in patterns {
            match pattern.into().into_after_line() {
                Ok(line) => trailing.push(line),
                Err(mut pattern) => {
                    excerpts.push(&mut pattern);
                    unsorted.push(pattern);
                }
            }
        }
        let everywhere = trailing.take_patterns();
        // The ends of lines are looked for in views however short they are.
        let ends: Vec<_> = everywhere.iter().filter(|end| end.len() < MIN_VIEW_BYTES).cloned().collect();
        unsorted.append(everywhere);
        let patterns = Patterns::new(unsorted).ok_or(TooLarge)?;
        if patterns.len() > Entry::MAX_PATTERNS {
            return Err(TooLarge);
        }
        let (trailing, excerpts) = (trailing.numbered(&patterns), excerpts.numbered(&patterns));
        let ends: BTreeSet<_> = ends.iter().filter_map(|end| patterns.number(end, 0)).collect();
        let is_short = |(id, pattern): &(u32, &[u8])| pattern.len() < MIN_VIEW_BYTES && !ends.contains(id);
        let short = patterns.iter().filter(is_short).map(|(id, _)| id).collect();
        Ok(Self { patterns, trailing, excerpts, short })
    }
}

impl Progress {
    /// Returns the work of comparing patterns so far, with the views, in units of about a
    /// nanosecond. It is bounded by the length of the text, whatever patterns and text are.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Returns the number of bytes overwritten so far.
    pub fn masked(&self) -> u64 {
        self.masked
    }
}
