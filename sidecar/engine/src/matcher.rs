//! The matcher and its place in a stream.

use super::class::{Class, classes};
use super::fold::Texts;
use super::patterns::{Pattern, Patterns};
use super::runs::Runs;
use super::short::Short;
use super::spans::Spans;
use super::table::Entry;
use super::verify::Verifier;
use std::fmt;

/// What stands in place of each byte of a secret (C-23).
pub const MASK: u8 = b'X';

/// No pattern has this number.
const NONE: u32 = u32::MAX;

/// Finds many patterns at once.
pub struct Matcher {
    patterns: Patterns,
    classes: Vec<Class>,
    short: Option<Short>,
    runs: Option<Runs>,
    /// Runs of a letter in either case.
    folded_runs: Option<Runs>,
    shorter: Box<[u32]>,
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
    spans: Spans,
    masked: u64,
}

impl Matcher {
    /// Takes the patterns as they are to be found; empty ones are left out.
    ///
    /// Fails when they have more than 4 GiB together or are more than 2^24.
    pub fn new<P: Into<Pattern>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, TooLarge> {
        let patterns = Patterns::new(patterns.into_iter().map(Into::into)).ok_or(TooLarge)?;
        if patterns.len() > Entry::MOST_PATTERNS {
            return Err(TooLarge);
        }
        let classes = classes(&patterns);
        let short = Short::new(&patterns).map_err(|_| TooLarge)?;
        let (runs, folded_runs) = (Runs::new(&patterns, true), Runs::new(&patterns, false));
        let shorter = shorter(&patterns);
        Ok(Self { patterns, classes, short, runs, folded_runs, shorter })
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
        let mut verifier = Verifier::new(&self.patterns, &self.shorter, &texts, &mut progress.spans);
        for (class, next) in self.classes.iter().zip(&mut progress.next) {
            *next = class.scan(*next, end, &mut verifier);
            released = released.min(next.saturating_sub(class.before()));
        }
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
        progress.next_short = progress.next_short.saturating_sub(released);
        progress.next_runs = progress.next_runs.saturating_sub(released);
        progress.next_folded_runs = progress.next_folded_runs.saturating_sub(released);
        released
    }

    /// Bytes of memory, with those of the patterns and without.
    pub fn memory(&self) -> (usize, usize) {
        let tables = self.classes.iter().map(Class::memory).sum::<usize>()
            + self.short.as_ref().map_or(0, Short::memory)
            + size_of_val(&*self.shorter);
        (self.patterns.memory() + tables, tables)
    }
}

impl Progress {
    /// Bytes overwritten so far.
    pub fn masked(&self) -> u64 {
        self.masked
    }
}

/// For each pattern the longest one that is a proper beginning of it.
fn shorter(patterns: &Patterns) -> Box<[u32]> {
    let mut shorter = vec![NONE; patterns.len()].into_boxed_slice();
    let mut open: Vec<u32> = Vec::new();
    for (id, pattern) in patterns.iter() {
        if open.last().is_some_and(|last| patterns.is_exact(*last) != patterns.is_exact(id)) {
            open.clear();
        }
        while open.last().is_some_and(|last| !pattern.starts_with(patterns.get(*last))) {
            open.pop();
        }
        if let Some(last) = open.last() {
            shorter[id as usize] = *last;
        }
        open.push(id);
    }
    shorter
}
