//! The machine's states and its steps on the way to a running child.

use super::Policy;
use super::effect::{Effect, Record};
use super::ending::{self, Draining, Marking, drain};
use super::event::{Event, Output, Pace, Predecessor, Setup, Timer, Tree};
use super::sweeping::{Killing, Sweep};
use super::terminating::{self, Terminating, is_interrupt, pass_on};
use super::verdict::{Cause, Ending, NotStarted, Tally};
use common::codes;
use common::signal::Signal;

/// A predecessor's marker that stays unreadable, or a lock that stays vanished,
/// for this many due looks (one a second) will not become better.
const ODD_LOOKS: u8 = 5;

/// Whether somebody can still write to the child's pipe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pipe {
    /// Somebody may.
    Open,
    /// End of file was seen.
    Closed,
}

/// Where the supervision stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// The I/O layer makes what is needed; a signal may be waiting.
    Preparing(Option<Signal>),
    /// The entry before this one has not ended yet.
    AwaitingPrevious {
        /// Due looks in a row that made no sense.
        odd_looks: u8,
    },
    /// The child is being started; a signal may be waiting.
    Spawning(Option<Signal>),
    /// The child runs.
    Running(Pipe),
    /// It was told to end.
    Terminating(Terminating),
    /// Its grace period is over.
    Killing(Killing),
    /// The direct child has ended; its output may not have.
    Draining(Draining),
    /// What an ordinary child left behind is being ended.
    Leftovers(Sweep),
    /// The marker is being written.
    Marking(Marking),
    /// Nothing happens any more.
    Done,
}

/// What a step leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Step {
    /// The new state.
    pub state: State,
    /// What the I/O layer has to do, in this order.
    pub effects: Vec<Effect>,
}

impl Step {
    /// A step to `state`.
    pub fn new(state: State, effects: Vec<Effect>) -> Self {
        Self { state, effects }
    }
}

/// The first step.
pub fn begin() -> Step {
    Step::new(State::Preparing(None), vec![Effect::Prepare])
}

/// One step.
pub fn step(policy: &Policy, state: State, event: Event) -> Step {
    match state {
        State::Preparing(signal) => preparing(policy, signal, event),
        State::AwaitingPrevious { odd_looks } => awaiting_previous(policy, odd_looks, event),
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

fn preparing(policy: &Policy, waiting: Option<Signal>, event: Event) -> Step {
    match event {
        Event::Setup(Setup::Prepared) => match waiting {
            Some(signal) => not_started(policy, NotStarted::Aborted(signal), Vec::new()),
            None if policy.await_previous => {
                Step::new(State::AwaitingPrevious { odd_looks: 0 }, vec![Effect::WatchPrevious])
            }
            None => Step::new(State::Spawning(None), vec![Effect::Spawn]),
        },
        Event::Setup(Setup::Unprepared(text)) => not_started(policy, NotStarted::Internal(text), Vec::new()),
        Event::Signal(signal) => Step::new(State::Preparing(first_interrupt(waiting, signal)), Vec::new()),
        Event::Setup(_) | Event::Tree(_) | Event::Output(_) | Event::Fired(_) | Event::Marker(_) => {
            Step::new(State::Preparing(waiting), Vec::new())
        }
    }
}

fn awaiting_previous(policy: &Policy, odd_looks: u8, event: Event) -> Step {
    let wait = |odd_looks| Step::new(State::AwaitingPrevious { odd_looks }, Vec::new());
    let stop = |why, record: Option<Record>| {
        let mut effects = vec![Effect::UnwatchPrevious];
        effects.extend(record.map(Effect::Record));
        not_started(policy, why, effects)
    };
    match event {
        Event::Setup(Setup::Previous(look, pace)) => match look {
            Predecessor::Waiting => wait(0),
            Predecessor::Vanished | Predecessor::Unreadable(_) if pace == Pace::Hinted => wait(odd_looks),
            Predecessor::Vanished | Predecessor::Unreadable(_) if odd_looks < ODD_LOOKS => {
                wait(odd_looks + 1)
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
        Event::Signal(signal) if is_interrupt(signal) => {
            stop(NotStarted::Aborted(signal), Some(Record::Cancelled(signal)))
        }
        Event::Signal(_)
        | Event::Setup(_)
        | Event::Tree(_)
        | Event::Output(_)
        | Event::Fired(_)
        | Event::Marker(_) => wait(odd_looks),
    }
}

fn spawning(policy: &Policy, waiting: Option<Signal>, event: Event) -> Step {
    match event {
        Event::Setup(Setup::Spawned) => match waiting {
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
        Event::Signal(signal) => Step::new(State::Spawning(first_interrupt(waiting, signal)), Vec::new()),
        Event::Setup(_) | Event::Tree(_) | Event::Output(_) | Event::Fired(_) | Event::Marker(_) => {
            Step::new(State::Spawning(waiting), Vec::new())
        }
    }
}

/// The signal to act on as soon as that is possible: the first one counts.
fn first_interrupt(waiting: Option<Signal>, signal: Signal) -> Option<Signal> {
    waiting.or_else(|| is_interrupt(signal).then_some(signal))
}

fn running(policy: &Policy, pipe: Pipe, event: &Event) -> Step {
    match event {
        Event::Tree(Tree::ChildEnded(end)) => drain(policy, Ending::ByItself(*end), pipe, Tally::default()),
        Event::Fired(Timer::Timeout) => terminating::terminate(policy, Cause::Timeout, pipe),
        Event::Signal(signal) if is_interrupt(*signal) => {
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
