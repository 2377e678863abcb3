//! Counts over all objects, and whether anything is missing.

use super::{Class, Object, Plan, State};

/// Counts over all objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

impl<S, F: PartialEq + Clone, T> Plan<S, F, T> {
    /// Counts over all objects.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { skipped: self.displaced.len(), ..Summary::default() };
        for object in &self.objects {
            match object.state {
                State::Stored | State::Changed => {
                    summary.stored += 1;
                    summary.stored_bytes = summary.stored_bytes.saturating_add(object.desired.bytes);
                }
                State::Skipped(_) => summary.skipped += 1,
                State::OutOfTime => summary.cut += 1,
                State::OverLimit(_) => summary.over_limit += 1,
                State::Withheld(_) => summary.withheld += 1,
                State::Failed(_) => summary.failed += 1,
                State::Queued | State::InFlight | State::Restarting | State::Aborting(_) | State::Pausing => {
                    summary.open += 1;
                    summary.open_bytes = summary.open_bytes.saturating_add(object.desired.bytes);
                }
            }
        }
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
        if self.objects.iter().any(missing) { Completeness::Incomplete } else { Completeness::Complete }
    }
}
