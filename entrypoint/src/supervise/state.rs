//! The states, and the steps on the way to a running child.

use super::Policy;
use super::effect::{Effect, Record};
use super::ending::{self, Draining, Marking, drain};
use super::event::{Event, Output, Predecessor, Setup, Timer, Tree, Trigger};
use super::killing::Killing;
use super::leftovers::EndingLeftovers;
use super::terminating::{self, Terminating, pass_on};
use super::verdict::{Cause, Ending, NotStarted, Tally};
use common::codes;
use common::signal::Signal;

/// Number of regular checks, one a second, after which an unreadable marker or a
/// vanished lock is final.
const MAX_UNREADABLE_CHECKS: u8 = 5;

/// State of the child's pipe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pipe {
    /// Some process may still write to it.
    Open,
    /// End of file was read.
    Closed,
}

/// State of the supervision.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// The I/O layer prepares the files; a signal may be pending.
    Preparing(Option<Signal>),
    /// The previous entry has not ended yet.
    AwaitingPrevious {
        /// Consecutive regular checks that found no sensible result.
        unreadable_checks: u8,
    },
    /// The I/O layer starts the child; a signal may be pending.
    Spawning(Option<Signal>),
    /// The child runs.
    Running(Pipe),
    /// The tree was signalled and has its grace period.
    Terminating(Terminating),
    /// The grace period is over.
    Killing(Killing),
    /// The direct child has ended; its output may not have.
    Draining(Draining),
    /// Processes that the child left behind are being ended.
    Leftovers(EndingLeftovers),
    /// The I/O layer writes the marker.
    Marking(Marking),
    /// Nothing happens any more.
    Done,
}

/// Result of a transition.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Step {
    /// The new state.
    pub state: State,
    /// Requests to the I/O layer, in this order.
    pub effects: Vec<Effect>,
}

impl Step {
    /// Makes a step to `state`.
    pub fn new(state: State, effects: Vec<Effect>) -> Self {
        Self { state, effects }
    }
}

/// Returns the first step.
pub fn begin() -> Step {
    Step::new(State::Preparing(None), vec![Effect::Prepare])
}

/// Consumes a state and an event and returns the next state with its effects.
pub fn step(policy: &Policy, state: State, event: Event) -> Step {
    match state {
        State::Preparing(signal) => preparing(policy, signal, event),
        State::AwaitingPrevious { unreadable_checks } => awaiting_previous(policy, unreadable_checks, event),
        State::Spawning(signal) => spawning(policy, signal, event),
        State::Running(pipe) => running(policy, pipe, &event),
        State::Terminating(state) => state.step(policy, event),
        State::Killing(state) => state.step(policy, event),
        State::Draining(state) => state.step(policy, &event),
        State::Leftovers(state) => state.step(policy, event),
        State::Marking(state) => state.step(policy, &event),
        State::Done => Step::new(State::Done, Vec::new()),
    }
}

fn preparing(policy: &Policy, pending: Option<Signal>, event: Event) -> Step {
    match event {
        Event::Setup(Setup::Prepared) => match pending {
            Some(signal) => not_started(policy, NotStarted::Aborted(signal), Vec::new()),
            None if policy.await_previous => {
                let state = State::AwaitingPrevious { unreadable_checks: 0 };
                Step::new(state, vec![Effect::WatchPrevious])
            }
            None => Step::new(State::Spawning(None), vec![Effect::Spawn]),
        },
        Event::Setup(Setup::Unprepared(text)) => not_started(policy, NotStarted::Internal(text), Vec::new()),
        Event::Signal(signal) => {
            Step::new(State::Preparing(first_interrupt(policy, pending, signal)), Vec::new())
        }
        Event::Setup(_) | Event::Tree(_) | Event::Output(_) | Event::Fired(_) | Event::Marker(_) => {
            Step::new(State::Preparing(pending), Vec::new())
        }
    }
}

fn awaiting_previous(policy: &Policy, unreadable_checks: u8, event: Event) -> Step {
    let wait = |unreadable_checks| Step::new(State::AwaitingPrevious { unreadable_checks }, Vec::new());
    let stop = |why, record: Option<Record>| {
        let mut effects = vec![Effect::UnwatchPrevious];
        effects.extend(record.map(Effect::Record));
        not_started(policy, why, effects)
    };
    match event {
        Event::Setup(Setup::Previous(found, trigger)) => match found {
            Predecessor::Waiting => wait(0),
            Predecessor::Vanished | Predecessor::Unreadable(_) if trigger == Trigger::Inotify => {
                wait(unreadable_checks)
            }
            Predecessor::Vanished | Predecessor::Unreadable(_)
                if unreadable_checks < MAX_UNREADABLE_CHECKS =>
            {
                wait(unreadable_checks + 1)
            }
            Predecessor::Unreadable(text) => {
                stop(NotStarted::Internal(format!("the previous marker cannot be read: {text}")), None)
            }
            Predecessor::Lost | Predecessor::Vanished => {
                stop(NotStarted::PreviousLost, Some(Record::PreviousLost))
            }
            Predecessor::Code(codes::SUCCESS) => {
                Step::new(State::Spawning(None), vec![Effect::UnwatchPrevious, Effect::Spawn])
            }
            Predecessor::Code(code) => {
                stop(NotStarted::PreviousFailed(code), Some(Record::PreviousFailed(code)))
            }
        },
        Event::Signal(signal) if policy.stop_signals.contains(signal) => {
            stop(NotStarted::Aborted(signal), Some(Record::Cancelled(signal)))
        }
        Event::Signal(_)
        | Event::Setup(_)
        | Event::Tree(_)
        | Event::Output(_)
        | Event::Fired(_)
        | Event::Marker(_) => wait(unreadable_checks),
    }
}

fn spawning(policy: &Policy, pending: Option<Signal>, event: Event) -> Step {
    match event {
        Event::Setup(Setup::Spawned) => match pending {
            Some(signal) => terminating::terminate(policy, Cause::Abort(signal), Pipe::Open),
            None => Step::new(
                State::Running(Pipe::Open),
                vec![Effect::Arm(Timer::Timeout, policy.timeout.as_std())],
            ),
        },
        Event::Setup(Setup::SpawnFailed(reason)) => {
            let text = format!("could not start the process: {reason}");
            let log = vec![Effect::LogText(text.clone())];
            not_started(policy, NotStarted::StartFailed(text), log)
        }
        Event::Signal(signal) => {
            Step::new(State::Spawning(first_interrupt(policy, pending, signal)), Vec::new())
        }
        Event::Setup(_) | Event::Tree(_) | Event::Output(_) | Event::Fired(_) | Event::Marker(_) => {
            Step::new(State::Spawning(pending), Vec::new())
        }
    }
}

/// Returns the signal to act on once the child runs: the first interrupt wins.
fn first_interrupt(policy: &Policy, pending: Option<Signal>, signal: Signal) -> Option<Signal> {
    pending.or_else(|| policy.stop_signals.contains(signal).then_some(signal))
}

fn running(policy: &Policy, pipe: Pipe, event: &Event) -> Step {
    match event {
        Event::Tree(Tree::ChildEnded(end)) => drain(policy, Ending::ByItself(*end), pipe, Tally::default()),
        Event::Fired(Timer::Timeout) => terminating::terminate(policy, Cause::Timeout, pipe),
        Event::Signal(signal) if policy.stop_signals.contains(*signal) => {
            terminating::terminate(policy, Cause::Abort(*signal), pipe)
        }
        Event::Signal(signal) => {
            let mut effects = Vec::new();
            pass_on(*signal, None, &mut effects);
            Step::new(State::Running(pipe), effects)
        }
        Event::Output(Output::Closed) => Step::new(State::Running(Pipe::Closed), Vec::new()),
        Event::Output(Output::Bytes)
        | Event::Setup(_)
        | Event::Tree(_)
        | Event::Fired(_)
        | Event::Marker(_) => Step::new(State::Running(pipe), Vec::new()),
    }
}

fn not_started(policy: &Policy, why: NotStarted, effects: Vec<Effect>) -> Step {
    ending::mark(policy, &Ending::NotStarted(why), Tally::default(), effects)
}
