//! Ends of attempts.

use super::outage::{Again, Failed, Terms};
use super::place::Place;
use super::{Class, Failure, Plan, State};
use crate::deliver::retry::{MAX_ATTEMPTS, MAX_LAST_ATTEMPTS, backoff};
use std::time::Duration;

impl<S, F: PartialEq + Clone, T> Plan<S, F, T> {
    /// An attempt succeeded. `fingerprint` is of the content that was read.
    pub(in crate::deliver) fn stored(&mut self, number: u32, fingerprint: F, changed: bool, record: T) {
        self.outage.arrived();
        self.queue.arrived(number);
        let object = &mut self.objects[number];
        object.stored = Some(Box::new(record));
        object.stored_fingerprint = (!changed).then_some(fingerprint);
        // One that finished while it was being given up is as good as any:
        // only the wish for another content remains, or that there was no time for it.
        let is_outdated = object.desired.class == Class::Result
            || object.stored_fingerprint.as_ref() != Some(&object.desired.fingerprint);
        let is_awaited = matches!(object.state, State::Restarting | State::Aborting { outdated: true, .. });
        if !(is_outdated && is_awaited && self.follow_decision(number)) {
            self.set_state(number, if changed { State::Changed } else { State::Stored });
        }
    }

    /// An object took so many bytes; `stored` follows.
    pub(in crate::deliver) fn took(&mut self, number: u32, bytes: u64) {
        if self.object(number).desired.class == Class::Artifact {
            self.queue.took(number, bytes);
        }
    }

    /// An object arrives by one request, in this time; `stored` follows.
    pub(in crate::deliver) fn measured(&mut self, number: u32, took: Duration) {
        let bytes = self.object(number).desired.bytes;
        self.queue.measured(bytes, took);
    }

    /// An attempt that began at `began` failed in a way that another one may cure:
    /// fewer are to be in flight.
    pub(in crate::deliver) fn overloaded(&mut self, began: Duration, now: Duration) {
        self.queue.overloaded(began, now);
    }

    /// A part of an object arrived: the store takes what it is sent.
    pub(in crate::deliver) fn part_arrived(&mut self) {
        if self.outage.is_out() {
            self.outage.arrived();
        }
    }

    /// An attempt failed; `None` when no other one follows.
    pub(in crate::deliver) fn failed(
        &mut self,
        number: u32,
        failure: Failure,
        terms: &Terms,
    ) -> Option<Again> {
        self.queue.leave(number);
        if self.follow_decision(number) {
            self.outage.ended(number);
            return None;
        }
        let state = match failure {
            Failure::Transient { message, wish } => return self.retry(number, &message, wish, terms),
            Failure::Unsteady(message) => {
                self.outage.ended(number);
                return self.read_again(number, &message, terms);
            }
            Failure::Permanent(message) => {
                self.outage.answered(number);
                State::Failed(message.into())
            }
            Failure::Withheld(reason) => {
                self.outage.ended(number);
                State::Withheld(reason.into())
            }
            Failure::OverLimit(reason) => {
                self.outage.ended(number);
                State::OverLimit(reason.into())
            }
            Failure::Skipped(reason) => {
                self.outage.ended(number);
                State::Skipped(reason.into())
            }
        };
        self.set_state(number, state);
        None
    }

    /// The pause after a failed attempt is over.
    pub(in crate::deliver) fn wake(&mut self, number: u32) {
        // It may have been stored meanwhile, and taken out.
        if self.objects.get(number).is_some_and(|object| object.state == State::Pausing) {
            self.set_state(number, State::Queued);
        }
    }

    /// The pause before the next probe is over.
    pub(in crate::deliver) fn probe(&mut self) {
        self.outage.ready();
    }

    /// Time is short: a store that is out is asked at once, and more often.
    pub(in crate::deliver) fn hasten(&mut self) {
        self.outage.hasten();
    }

    /// A transfer was aborted.
    pub(in crate::deliver) fn aborted(&mut self, number: u32) {
        self.queue.leave(number);
        self.outage.ended(number);
        self.follow_decision(number);
    }

    /// Nothing arrived for too long: whatever waits has failed, for this reason.
    /// Returns the numbers of these objects. Attempts in flight go on to their end.
    pub(in crate::deliver) fn give_up(&mut self, reason: &str) -> Vec<u32> {
        self.outage.give_up();
        let waits = |state: &State| matches!(state, State::Queued | State::Pausing);
        let objects = self.objects.iter().filter(|(_, object)| waits(&object.state));
        let numbers: Vec<u32> = objects.map(|(number, _)| number).collect();
        for number in &numbers {
            self.set_state(*number, State::Failed(reason.into()));
        }
        numbers
    }

    /// Returns whether objects wait for a store that is out.
    pub(in crate::deliver) fn is_out(&self) -> bool {
        self.outage.is_out()
    }

    /// Carries out what was decided about an object while it was in flight;
    /// says whether anything was.
    fn follow_decision(&mut self, number: u32) -> bool {
        let state = match self.object(number).state.clone() {
            State::Restarting => State::Queued,
            State::Aborting { cause, .. } => cause.state(),
            State::Queued
            | State::InFlight
            | State::Pausing
            | State::Stored
            | State::Changed
            | State::Skipped(_)
            | State::OutOfTime
            | State::OverLimit(_)
            | State::Withheld(_)
            | State::Failed(_) => return false,
        };
        self.set_state(number, state);
        true
    }

    /// Has a transient failure followed by another attempt for as long as there is
    /// time; once everything was given up, by a few.
    fn retry(&mut self, number: u32, message: &str, wish: Option<Duration>, terms: &Terms) -> Option<Again> {
        let (class, attempts) = self.count_attempt(number);
        let is_result = class == Class::Result;
        let most = if is_result { MAX_ATTEMPTS } else { MAX_LAST_ATTEMPTS };
        if terms.left == Some(Duration::ZERO) || self.outage.is_given_up() && attempts >= most {
            self.fail(number, message, attempts);
            self.outage.ended(number);
            return None;
        }
        // A result has its own pauses, and tells nothing of the others.
        let place = Place::of((class, self.object(number).desired.bytes, number));
        let failed = if is_result { Failed::Alone } else { self.outage.failed(place) };
        let pause = |attempts| terms.within(backoff(attempts, terms.random, wish));
        let (state, again) = match failed {
            Failed::Alone => (State::Pausing, Again::After(pause(attempts))),
            Failed::Probe(probes) => (State::Queued, Again::Probe(pause(probes))),
            Failed::Behind => (State::Queued, Again::WithOthers),
        };
        self.set_state(number, state);
        Some(again)
    }

    /// Has a file that changed under an attempt read again, a few times: a job may
    /// write to it for ever.
    fn read_again(&mut self, number: u32, message: &str, terms: &Terms) -> Option<Again> {
        let (_, attempts) = self.count_attempt(number);
        if attempts >= MAX_ATTEMPTS {
            self.fail(number, message, attempts);
            return None;
        }
        self.set_state(number, State::Pausing);
        Some(Again::After(terms.within(backoff(attempts, terms.random, None))))
    }

    fn count_attempt(&mut self, number: u32) -> (Class, u8) {
        let object = &mut self.objects[number];
        object.attempts = object.attempts.saturating_add(1);
        (object.desired.class, object.attempts)
    }

    fn fail(&mut self, number: u32, message: &str, attempts: u8) {
        let times = match attempts {
            1 => "once".to_owned(),
            u8::MAX => "very often".to_owned(),
            attempts => format!("{attempts} times"),
        };
        self.set_state(number, State::Failed(format!("{message} (tried {times})").into()));
    }
}
