//! The matcher and its place in a stream.

use super::class::{Class, classes};
use super::family::Families;
use super::fold::Texts;
use super::patterns::{Pattern, Patterns};
use super::runs::Runs;
use super::short::Short;
use super::spans::Spans;
use super::table::Entry;
use super::tails::{Near, Tails};
use super::verify::{Known, Verifier};
use std::fmt;

/// What stands in place of each byte of a secret (C-23).
pub const MASK: u8 = b'X';

/// Finds many patterns at once.
pub struct Matcher {
    patterns: Patterns,
    classes: Vec<Class>,
    short: Option<Short>,
    runs: Option<Runs>,
    /// Runs of a letter in either case.
    folded_runs: Option<Runs>,
    families: Families,
    tails: Tails,
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").finish_non_exhaustive()
    }
}

/// The patterns are too many or too large to be numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secrets have more than 4 GiB in all their forms, or there are too many")]
pub struct TooLarge;

/// Where a stream has got to.
#[derive(Debug)]
pub struct Progress {
    /// The next place of the window that each class looks at.
    next: Vec<usize>,
    /// Where the search for short patterns goes on.
    next_short: usize,
    /// Where the search for runs goes on.
    next_runs: usize,
    /// The same for those in either case.
    next_folded_runs: usize,
    /// Where last lines are looked for.
    near: Vec<Near>,
    spans: Spans,
    masked: u64,
}

impl Matcher {
    /// Takes the patterns as they are to be found; empty ones are left out.
    ///
    /// Fails when they have more than 4 GiB together or are more than 2^24.
    pub fn new<P: Into<Pattern>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, TooLarge> {
        let (patterns, tails) = Patterns::new(patterns.into_iter().map(Into::into)).ok_or(TooLarge)?;
        if patterns.len() > Entry::MOST_PATTERNS {
            return Err(TooLarge);
        }
        let families = Families::new(&patterns);
        let classes = classes(&patterns, &families);
        let short = Short::new(&patterns).map_err(|_| TooLarge)?;
        let (runs, folded_runs) = (Runs::new(&patterns, true), Runs::new(&patterns, false));
        Ok(Self { patterns, classes, short, runs, folded_runs, families, tails })
    }

    /// Whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.patterns.len() == 0
    }

    /// The beginning of a stream.
    pub fn start(&self) -> Progress {
        let next = vec![0; self.classes.len()];
        Progress {
            next,
            next_short: 0,
            next_runs: 0,
            next_folded_runs: 0,
            near: Vec::new(),
            spans: Spans::default(),
            masked: 0,
        }
    }

    /// Overwrites what every pattern covers in the window, as far as it is
    /// final, and returns how far that is. With `end` no further bytes follow,
    /// and all are final; else what was not released must be at the front of
    /// the next window.
    pub fn mask(&self, progress: &mut Progress, window: &mut [u8], end: bool) -> usize {
        let released = self.find(progress, window, end);
        progress.masked += progress.spans.apply(window, released, MASK);
        released
    }

    /// Notes what is to be masked, and returns how far that is final.
    fn find(&self, progress: &mut Progress, window: &[u8], end: bool) -> usize {
        let mut released = window.len();
        let texts = Texts::new(window);
        let known = Known { patterns: &self.patterns, families: &self.families, tails: &self.tails };
        let mut verifier = Verifier::new(known, &texts, &mut progress.spans, &mut progress.near);
        for (class, next) in self.classes.iter().zip(&mut progress.next) {
            *next = class.scan(*next, end, &mut verifier);
            released = released.min(next.saturating_sub(class.before()));
        }
        released = released.min(self.tails.scan(window, end, &mut progress.near, &mut progress.spans));
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
        progress.near.iter_mut().for_each(|near| near.move_by(released));
        progress.next_short = progress.next_short.saturating_sub(released);
        progress.next_runs = progress.next_runs.saturating_sub(released);
        progress.next_folded_runs = progress.next_folded_runs.saturating_sub(released);
        released
    }

    /// Bytes of memory, with those of the patterns and without.
    pub fn memory(&self) -> (usize, usize) {
        let tables = self.classes.iter().map(Class::memory).sum::<usize>()
            + self.short.as_ref().map_or(0, Short::memory)
            + self.families.memory()
            + self.tails.memory();
        (self.patterns.memory() + tables, tables)
    }
}

impl Progress {
    /// Bytes overwritten so far.
    pub fn masked(&self) -> u64 {
        self.masked
    }
}
