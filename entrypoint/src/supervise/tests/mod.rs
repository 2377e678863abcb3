//! One test for each rule; the interleavings are the explorer's.

mod ending;
mod sentences;
mod signalling;
mod starting;

use super::*;
use common::report::{ChildEnd, Origin, Reason};

fn policy() -> Policy {
    Policy {
        timeout: GoDuration::from_secs(7200),
        grace_period: GoDuration::from_secs(15),
        await_previous: false,
        program: "pytest".to_owned(),
        is_init: false,
        stop_signals: StopSignals::new(&DEFAULT_STOP_SIGNALS),
        interrupt: Interrupt::default(),
        escalation: Vec::new(),
        leftovers: Leftovers::End,
        signal_scope: SignalScope::Child,
        propagate_error_code: false,
        always_zero: false,
    }
}

/// A machine, and the effects it requested since the last call of `sent`.
struct Run {
    policy: Policy,
    state: State,
    effects: Vec<Effect>,
}

impl Run {
    fn prepared(policy: Policy) -> Self {
        let Step { state, .. } = begin();
        let mut run = Self { policy, state, effects: Vec::new() };
        run.on(Event::Setup(Setup::Prepared));
        run
    }

    fn running(policy: Policy) -> Self {
        let mut run = Self::prepared(policy);
        run.on(Event::Setup(Setup::Spawned));
        run.effects.clear();
        run
    }

    /// Passes an event to the machine and returns its effects.
    fn on(&mut self, event: Event) -> Vec<Effect> {
        let state = std::mem::replace(&mut self.state, State::Done);
        let Step { state, effects } = step(&self.policy, state, event);
        self.state = state;
        self.effects.extend(effects.iter().cloned());
        effects
    }

    fn all(&mut self, events: &[Event]) {
        for event in events {
            self.on(event.clone());
        }
    }

    /// Takes the signals sent so far, with their targets.
    fn sent(&mut self) -> Vec<(Signal, Target)> {
        let effects = std::mem::take(&mut self.effects);
        let mut sent = Vec::new();
        for effect in effects {
            if let Effect::Signal { signal, to, .. } = effect {
                sent.push((signal, to));
            }
        }
        sent
    }

    fn marked(&self) -> (Verdict, Tally) {
        for effect in self.effects.iter().rev() {
            if let Effect::WriteMarker(verdict, tally) = effect {
                return (verdict.clone(), *tally);
            }
        }
        panic!("the marker was not asked for: {:?}", self.effects);
    }

    fn verdict(&self) -> Verdict {
        self.marked().0
    }

    fn tally(&self) -> Tally {
        self.marked().1
    }

    fn recorded(&self, record: &Record) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Record(other) if other == record))
    }
}

fn exited(code: i32) -> Event {
    Event::Tree(Tree::ChildEnded(ChildEnd::ExitCode(code)))
}

fn died(signal: Signal) -> Event {
    Event::Tree(Tree::ChildEnded(ChildEnd::Signal(signal)))
}

fn children(processes: &[(i32, bool)]) -> Event {
    let process =
        |(pid, filter): &(i32, bool)| Process { id: identity(*pid), filter: *filter, in_group: true };
    Event::Tree(Tree::Children(processes.iter().map(process).collect()))
}

const GONE: Event = Event::Tree(Tree::Gone);
const CLOSED: Event = Event::Output(Output::Closed);
const GRACE: GoDuration = GoDuration::from_secs(15);

const fn fired(timer: Timer) -> Event {
    Event::Fired(timer)
}

fn identity(pid: i32) -> Identity {
    Identity { pid: Pid(pid), started: 1 }
}

fn waiting(pid: i32) -> Target {
    Target::Descendant(identity(pid))
}

fn follow_up(pid: i32) -> Effect {
    Effect::ArmWithinGrace(Timer::FollowUp(to(pid)), Share::HALF)
}

fn descendants(processes: &[(i32, Top, bool)]) -> Event {
    let descendant =
        |(pid, top, filter): &(i32, Top, bool)| Descendant { id: identity(*pid), top: *top, filter: *filter };
    Event::Tree(Tree::Descendants(processes.iter().map(descendant).collect()))
}

fn to(pid: i32) -> Target {
    Target::Process(Pid(pid))
}
