//! Counts over all objects, and whether anything is missing.

use super::{Class, Object, Plan, State};

/// Counts over all objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Summary {
    /// Objects that are queued, in flight or pausing.
    pub open: usize,
    /// Objects that the destination holds as wanted.
    pub stored: usize,
    /// Their bytes, as listed.
    pub stored_bytes: u64,
    /// Bytes of open objects, as listed.
    pub open_bytes: u64,
    /// Objects not sent by a rule.
    pub skipped: usize,
    /// Objects for which there was no time.
    pub cut: usize,
    /// Objects beyond a limit.
    pub over_limit: usize,
    /// Objects that cannot be censored.
    pub withheld: usize,
    /// Objects that could not be stored.
    pub failed: usize,
}

/// The completeness of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Completeness {
    /// Every object was stored, or skipped by a rule.
    Complete,
    /// At least one object could not be stored, or is beyond a limit.
    Incomplete,
}

impl Summary {
    /// Counts an object.
    pub(super) fn count<S, F, T>(&mut self, object: &Object<S, F, T>) {
        match object.state {
            State::Stored | State::Changed => {
                self.stored += 1;
                self.stored_bytes = self.stored_bytes.saturating_add(object.desired.bytes);
            }
            State::Skipped(_) => self.skipped += 1,
            State::OutOfTime => self.cut += 1,
            State::OverLimit(_) => self.over_limit += 1,
            State::Withheld(_) => self.withheld += 1,
            State::Failed(_) => self.failed += 1,
            State::Queued | State::InFlight | State::Restarting | State::Aborting { .. } | State::Pausing => {
                self.open += 1;
                self.open_bytes = self.open_bytes.saturating_add(object.desired.bytes);
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.open + self.cut + self.over_limit + self.failed == 0
    }
}

impl<S, F: PartialEq + Clone, T> Plan<S, F, T> {
    /// Counts over all objects.
    pub fn summary(&self) -> Summary {
        let mut summary = self.retired().sum;
        summary.skipped += self.displaced.len();
        self.objects.iter().for_each(|(_, object)| summary.count(object));
        summary
    }

    /// Returns whether the destination holds everything that it should. The page says
    /// nothing that other objects do not: it may be missing.
    pub fn completeness(&self) -> Completeness {
        let missing = |object: &Object<S, F, T>| {
            object.desired.class != Class::Page
                && (object.state.is_open()
                    || matches!(object.state, State::OutOfTime | State::OverLimit(_) | State::Failed(_)))
        };
        let is_missing = self.objects.iter().any(|(_, object)| missing(object));
        if is_missing || !self.retired().sum.is_complete() {
            Completeness::Incomplete
        } else {
            Completeness::Complete
        }
    }
}
