//! Attempts of tests that a report calls passed, though they failed.
//!
//! pytest-rerunfailures 16.7 and flaky 3.8 write a case for each attempt, and only the last one
//! can fail in it. pytest's names are unique, so that a name that comes once more is a further
//! attempt.

use std::collections::HashMap;
use std::mem;

/// Names that are remembered at least; attempts of one test are near each other, also where
/// several workers of pytest-xdist write.
const REMEMBERED: usize = 4096;

/// A test that has not failed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// It has run once.
    Once,
    /// It has run again; its place among the kept failures.
    Again(Option<usize>),
}

/// The passed tests of late by a hash of their names.
#[derive(Debug, Default)]
pub(super) struct Reruns {
    late: HashMap<u64, Passed>,
    before: HashMap<u64, Passed>,
}

impl Reruns {
    /// Returns what is known of a test, and forgets it.
    pub(super) fn take(&mut self, key: u64) -> Option<Passed> {
        self.late.remove(&key).or_else(|| self.before.remove(&key))
    }

    /// Remembers a test.
    pub(super) fn remember(&mut self, key: u64, passed: Passed) {
        if self.late.len() >= REMEMBERED {
            self.before = mem::take(&mut self.late);
        }
        self.late.insert(key, passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tests_are_remembered_and_not_all() {
        let mut reruns = Reruns::default();
        for key in 0..100_000 {
            reruns.remember(key, Passed::Once);
        }
        assert_eq!(reruns.take(100_000 - REMEMBERED as u64), Some(Passed::Once));
        assert_eq!(reruns.take(0), None);
        assert!(reruns.late.len() + reruns.before.len() <= 2 * REMEMBERED);
        reruns.remember(7, Passed::Again(Some(1)));
        assert_eq!((reruns.take(7), reruns.take(7)), (Some(Passed::Again(Some(1))), None));
    }
}
