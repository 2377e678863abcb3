//! Ends of attempts.

use super::{Class, Failure, Plan, State};
use crate::deliver::retry::{MAX_ATTEMPTS, backoff};
use std::time::Duration;

/// After this many objects in a row that used up their attempts, the store
/// counts as out of order, and every other object gets one attempt, but the
/// result: it is what people wait for, and the last chance of a store that comes
/// back. One such object is enough where nothing at all was stored before it.
const OUT_OF_ORDER: u32 = 3;

impl<S, F: PartialEq + Clone, T> Plan<S, F, T> {
    /// An attempt succeeded. `fingerprint` is of the content that was read.
    pub(in crate::deliver) fn stored(&mut self, number: u32, fingerprint: F, changed: bool, record: T) {
        self.used_up_in_a_row = 0;
        self.answers = true;
        self.queue.leave(number);
        let object = &mut self.objects[number as usize];
        object.stored = Some(Box::new(record));
        object.stored_fingerprint = (!changed).then_some(fingerprint);
        // One that finished while it was being given up is as good as any:
        // only the wish for another content remains.
        let restart = object.state == State::Restarting
            && (object.desired.class == Class::Result
                || object.stored_fingerprint.as_ref() != Some(&object.desired.fingerprint));
        let state = match (restart, changed) {
            (true, _) => State::Queued,
            (false, true) => State::Changed,
            (false, false) => State::Stored,
        };
        self.set_state(number, state);
    }

    /// An attempt failed; the answer is the pause after which to call `wake`.
    /// `jitter` is any number from a random source.
    pub(in crate::deliver) fn failed(
        &mut self,
        number: u32,
        failure: Failure,
        jitter: u32,
    ) -> Option<Duration> {
        self.queue.leave(number);
        if self.follow_decision(number) {
            return None;
        }
        let state = match failure {
            Failure::Transient { message, wish } => return self.pause(number, &message, jitter, wish),
            Failure::Permanent(message) => State::Failed(message.into()),
            Failure::Withheld(reason) => State::Withheld(reason.into()),
            Failure::Skipped(reason) => State::Skipped(reason.into()),
        };
        self.set_state(number, state);
        None
    }

    /// The pause after a failed attempt is over.
    pub(in crate::deliver) fn wake(&mut self, number: u32) {
        if self.object(number).state == State::Pausing {
            self.set_state(number, State::Queued);
        }
    }

    /// A transfer was aborted.
    pub(in crate::deliver) fn aborted(&mut self, number: u32) {
        self.queue.leave(number);
        self.follow_decision(number);
    }

    /// Carries out what was decided about an object while it was in flight;
    /// says whether anything was.
    fn follow_decision(&mut self, number: u32) -> bool {
        let state = match self.object(number).state.clone() {
            State::Restarting => State::Queued,
            State::Aborting(cause) => cause.state(),
            State::Queued
            | State::InFlight
            | State::Pausing
            | State::Stored
            | State::Changed
            | State::Skipped(_)
            | State::OutOfTime
            | State::Withheld(_)
            | State::Failed(_) => return false,
        };
        self.set_state(number, state);
        true
    }

    fn pause(&mut self, number: u32, message: &str, jitter: u32, wish: Option<Duration>) -> Option<Duration> {
        let object = &mut self.objects[number as usize];
        object.attempts = object.attempts.saturating_add(1);
        let attempts = object.attempts;
        let enough = if self.answers { OUT_OF_ORDER } else { 1 };
        let out_of_order = object.desired.class != Class::Result && self.used_up_in_a_row >= enough;
        if attempts >= MAX_ATTEMPTS || out_of_order {
            self.used_up_in_a_row += 1;
            let times = if attempts == 1 { "once".to_owned() } else { format!("{attempts} times") };
            self.set_state(number, State::Failed(format!("{message} (tried {times})").into()));
            return None;
        }
        self.set_state(number, State::Pausing);
        Some(backoff(attempts, jitter, wish))
    }
}
