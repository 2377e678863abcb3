//! Masking of a stream that passes through a window.

use super::budget::{Budget, BudgetExceeded, thread_time};
use super::engine::{Matcher, Progress};
use std::sync::Arc;

/// The mask of one stream, between a file reader and the matching engine.
///
/// The caller owns the window: it appends what it reads, calls [`mask`], and
/// removes the final bytes from the front. The next window begins with the bytes
/// that remain, unchanged. With a budget the caller asks [`exceeded`] after each
/// call, and withholds the stream once that returns a reason.
///
/// [`mask`]: Self::mask
/// [`exceeded`]: Self::exceeded
#[derive(Debug)]
pub struct StreamMask {
    matcher: Arc<Matcher>,
    progress: Progress,
    budget: Option<Arc<Budget>>,
}

impl StreamMask {
    pub(super) fn new(matcher: Arc<Matcher>) -> Self {
        Self { progress: matcher.start(), matcher, budget: None }
    }

    /// Adds a budget that each call spends from.
    pub(super) fn within(self, budget: Option<Arc<Budget>>) -> Self {
        Self { budget, ..self }
    }

    /// Overwrites secrets in the window and returns how many bytes, counted from
    /// the front, are final; the rest could be part of a match. With `end` no
    /// bytes follow, and all are final.
    pub fn mask(&mut self, window: &mut [u8], end: bool) -> usize {
        let started = self.budget.as_ref().map(|_| thread_time());
        let released = self.matcher.mask(&mut self.progress, window, end);
        if let (Some(budget), Some(started)) = (&self.budget, started) {
            budget.spend(thread_time().saturating_sub(started));
        }
        released
    }

    /// Returns why the stream must not be delivered, if its budget is used up.
    pub fn exceeded(&self) -> Option<BudgetExceeded> {
        self.budget.as_ref().and_then(|budget| budget.time_exceeded())
    }

    /// Returns the number of bytes overwritten so far.
    pub fn masked(&self) -> u64 {
        self.progress.masked()
    }
}
