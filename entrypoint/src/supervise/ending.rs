//! The end: the remaining output, then report and marker.

use super::effect::{Effect, Record};
use super::event::{Event, Marker, Output, Timer, Tree};
use super::leftovers::EndingLeftovers;
use super::state::{Pipe, State, Step};
use super::verdict::{Ending, Grace, Tally, Verdict, verdict};
use super::{Leftovers, Policy};
use common::codes;
use std::time::Duration;

/// Silence on the pipe after which draining ends.
const QUIET_TIMEOUT: Duration = Duration::from_secs(1);

/// Upper bound on draining.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval between attempts to write the marker.
const MARKER_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A job whose direct child has ended and whose output may not have.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Draining {
    ending: Ending,
    tally: Tally,
    rest: Rest,
}

/// Knowledge about the rest of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Rest {
    Perhaps,
    Gone,
}

/// Waits for the end of the output, now that the direct child has ended.
pub(super) fn drain(policy: &Policy, ending: Ending, pipe: Pipe, tally: Tally) -> Step {
    let draining = Draining { ending, tally, rest: Rest::Perhaps };
    match pipe {
        Pipe::Closed => draining.over(policy),
        Pipe::Open => Step::new(
            State::Draining(draining),
            vec![
                Effect::DisarmAll,
                Effect::Arm(Timer::Quiet, QUIET_TIMEOUT),
                Effect::Arm(Timer::DrainLimit, DRAIN_TIMEOUT),
            ],
        ),
    }
}

impl Draining {
    /// Handles an event. Signals change nothing any more: the child's exit decides.
    pub fn step(mut self, policy: &Policy, event: &Event) -> Step {
        match event {
            Event::Output(Output::Bytes) => {
                Step::new(State::Draining(self), vec![Effect::Arm(Timer::Quiet, QUIET_TIMEOUT)])
            }
            Event::Tree(Tree::Gone) => {
                self.rest = Rest::Gone;
                Step::new(State::Draining(self), Vec::new())
            }
            Event::Output(Output::Closed) | Event::Fired(Timer::Quiet | Timer::DrainLimit) => {
                self.over(policy)
            }
            Event::Setup(_) | Event::Signal(_) | Event::Tree(_) | Event::Fired(_) | Event::Marker(_) => {
                Step::new(State::Draining(self), Vec::new())
            }
        }
    }

    fn over(self, policy: &Policy) -> Step {
        match (&self.ending, self.rest, policy.leftovers) {
            (Ending::ByItself(end), Rest::Perhaps, Leftovers::End) => EndingLeftovers::begin(*end),
            (Ending::Terminated { grace: Grace::Tree { .. }, .. }, _, _) => {
                let graceful = Effect::Record(Record::Graceful(policy.grace_period));
                mark(policy, &self.ending, self.tally, vec![graceful])
            }
            (Ending::ByItself(_) | Ending::Terminated { .. } | Ending::NotStarted(_), _, _) => {
                mark(policy, &self.ending, self.tally, Vec::new())
            }
        }
    }
}

/// A job whose marker is being written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Marking {
    verdict: Verdict,
    tally: Tally,
    tries: Tries,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Tries {
    First,
    Again,
}

/// Drains the pipe once more, then writes `records`, then the marker, now that everything has ended.
pub(super) fn mark(policy: &Policy, ending: &Ending, tally: Tally, records: Vec<Effect>) -> Step {
    let verdict = verdict(policy, ending);
    let mut effects = vec![Effect::DisarmAll, Effect::DrainPipe];
    effects.extend(records);
    effects.extend([Effect::CloseLog(verdict.clone()), Effect::WriteMarker(verdict.clone(), tally)]);
    Step::new(State::Marking(Marking { verdict, tally, tries: Tries::First }), effects)
}

impl Marking {
    /// Handles an event.
    pub fn step(mut self, policy: &Policy, event: &Event) -> Step {
        let effects = match event {
            Event::Marker(Marker::Visible) => {
                let code = if policy.always_zero { codes::SUCCESS } else { self.verdict.code };
                return Step::new(State::Done, vec![Effect::Exit(codes::exit_status(code))]);
            }
            Event::Fired(Timer::MarkLimit) => {
                let status = codes::exit_status(codes::INTERNAL_ERROR);
                return Step::new(State::Done, vec![Effect::Exit(status)]);
            }
            Event::Marker(Marker::Failed) => {
                let mut effects = vec![Effect::Arm(Timer::MarkRetry, MARKER_RETRY_INTERVAL)];
                if self.tries == Tries::First {
                    self.tries = Tries::Again;
                    // Other processes may free space on a full volume.
                    effects.push(Effect::Arm(Timer::MarkLimit, policy.grace_period.as_std()));
                }
                effects
            }
            Event::Fired(Timer::MarkRetry) => vec![Effect::WriteMarker(self.verdict.clone(), self.tally)],
            Event::Setup(_) | Event::Signal(_) | Event::Tree(_) | Event::Output(_) | Event::Fired(_) => {
                Vec::new()
            }
        };
        Step::new(State::Marking(self), effects)
    }
}
