//! The matcher, and its position in a stream.

use super::fold::Texts;
use super::length_class::{LengthClass, classes};
use super::patterns::{Pattern, Patterns, Unsorted};
use super::prefix_groups::PrefixGroups;
use super::runs::Runs;
use super::short_patterns::ShortPatterns;
use super::spans::Spans;
use super::table::Entry;
use super::trailing_lines::{SearchWindow, TrailingLines, UnnumberedLines};
use super::verify::{Allowance, PatternSet, Verifier};
use std::fmt;

/// The byte that replaces each byte of a secret (C-23).
pub const MASK: u8 = b'X';

/// Finds many patterns at once.
pub struct Matcher {
    patterns: Patterns,
    classes: Vec<LengthClass>,
    short: Option<ShortPatterns>,
    runs: Option<Runs>,
    /// Runs of one letter in either case.
    folded_runs: Option<Runs>,
    prefix_groups: PrefixGroups,
    trailing: TrailingLines,
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
#[derive(Debug)]
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
}

impl Matcher {
    /// Builds the matcher; empty patterns are ignored.
    ///
    /// Fails when there are more than 2^24 patterns, or more than 4 GiB together.
    pub fn new<P: Into<Pattern>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, TooLarge> {
        let (mut unsorted, mut trailing) = (Unsorted::default(), UnnumberedLines::default());
        for pattern in patterns {
            match pattern.into().into_after_line() {
                Ok(line) => trailing.push(line),
                Err(pattern) => unsorted.push(pattern),
            }
        }
        unsorted.append(trailing.take_patterns());
        let patterns = Patterns::new(unsorted).ok_or(TooLarge)?;
        let trailing = trailing.numbered(&patterns);
        if patterns.len() > Entry::MAX_PATTERNS {
            return Err(TooLarge);
        }
        let prefix_groups = PrefixGroups::new(&patterns);
        let classes = classes(&patterns, &prefix_groups);
        let short = ShortPatterns::new(&patterns).map_err(|_| TooLarge)?;
        let (runs, folded_runs) = (Runs::new(&patterns, true), Runs::new(&patterns, false));
        Ok(Self { patterns, classes, short, runs, folded_runs, prefix_groups, trailing })
    }

    /// Returns whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.patterns.len() == 0
    }

    /// Returns the state at the start of a stream.
    pub fn start(&self) -> Progress {
        let next = vec![0; self.classes.len()];
        Progress {
            next,
            next_short: 0,
            next_runs: 0,
            next_folded_runs: 0,
            windows: Vec::new(),
            spans: Spans::default(),
            masked: 0,
            work: 0,
            allowance: Allowance::default(),
        }
    }

    /// Overwrites every match in the final part of the window, and returns the
    /// length of that part. With `end` no bytes follow, and all are final;
    /// otherwise the next window must begin with the bytes that were not final.
    pub fn mask(&self, progress: &mut Progress, window: &mut [u8], end: bool) -> usize {
        let released = self.find(progress, window, end);
        progress.masked += progress.spans.apply(window, released, MASK);
        released
    }

    /// Finds all matches, and returns the length of the final part.
    fn find(&self, progress: &mut Progress, window: &[u8], end: bool) -> usize {
        let mut released = window.len();
        let texts = Texts::new(window);
        let known = PatternSet {
            patterns: &self.patterns,
            prefix_groups: &self.prefix_groups,
            trailing: &self.trailing,
        };
        let mut verifier =
            Verifier::new(known, &texts, &mut progress.spans, &mut progress.windows, &mut progress.allowance);
        for (class, next) in self.classes.iter().zip(&mut progress.next) {
            *next = class.scan(*next, end, &mut verifier);
            released = released.min(next.saturating_sub(class.before()));
        }
        verifier.save();
        progress.work += verifier.total_work();
        released = released.min(self.trailing.scan(window, end, &mut progress.windows, &mut progress.spans));
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
        if end {
            released = window.len();
        }
        progress.next.iter_mut().for_each(|next| *next = next.saturating_sub(released));
        progress.windows.iter_mut().for_each(|window| window.move_by(released));
        progress.next_short = progress.next_short.saturating_sub(released);
        progress.next_runs = progress.next_runs.saturating_sub(released);
        progress.next_folded_runs = progress.next_folded_runs.saturating_sub(released);
        released
    }

    /// Returns the memory in bytes, with the patterns and without.
    pub fn memory(&self) -> (usize, usize) {
        let tables = self.classes.iter().map(LengthClass::memory).sum::<usize>()
            + self.short.as_ref().map_or(0, ShortPatterns::memory)
            + self.prefix_groups.memory()
            + self.trailing.memory();
        (self.patterns.memory() + tables, tables)
    }
}

impl Progress {
    /// Returns the work of comparing patterns so far, in units of about a
    /// nanosecond. It is bounded by the length of the text, whatever patterns and text are.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Returns the number of bytes overwritten so far.
    pub fn masked(&self) -> u64 {
        self.masked
    }
}
