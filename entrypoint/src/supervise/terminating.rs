//! Terminating: the tree was told to end and has its grace period.

use super::effect::{Effect, Record, Target};
use super::ending::drain;
use super::event::{Event, Output, Process, Timer, Tree};
use super::machine::{Pipe, State, Step};
use super::roster::{Filters, Gone, Roster, Telling, send};
use super::sweeping::Killing;
use super::verdict::{Cause, Ending, Grace, Tally};
use super::{Leftovers, Policy, SignalScope};
use common::report::{ChildEnd, Origin};
use common::signal::Signal;
use std::time::Duration;

/// Orphans arrive without an event, so the tree is looked at this often. A
/// tenth of a second is nothing in a grace period of seconds.
const RESCAN: Duration = Duration::from_millis(100);

/// How long filters get to see end of file when nobody else is left: a moment
/// for a `sed` with a full pipe in front of it.
const FILTER_PAUSE: Duration = Duration::from_secs(2);

/// The tree was told to end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Terminating {
    cause: Cause,
    pipe: Pipe,
    child: Option<ChildEnd>,
    /// What the child was told, each signal once, in order.
    told: Vec<Signal>,
    /// The signal that was sent last: it is never sent twice in a row.
    last: Signal,
    /// Who is known of the tree; nobody looked yet while this is `None`.
    roster: Option<Roster>,
    filters: Filters,
    tally: Tally,
}

/// Whether a signal from outside ends the job. The others are passed on.
pub(super) fn is_interrupt(signal: Signal) -> bool {
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM].contains(&signal)
}

/// Whether a signal from outside is passed on to the child without further effect.
fn is_passed_on(signal: Signal) -> bool {
    [Signal::USR1, Signal::USR2, Signal::WINCH, Signal::CONT].contains(&signal)
}

/// Where the signals of a termination come from.
pub(super) fn origin(cause: Cause) -> Origin {
    match cause {
        Cause::Timeout => Origin::Timeout,
        Cause::Abort(_) => Origin::Outside,
    }
}

/// Begins a termination: SIGINT first, then what came from outside.
pub(super) fn terminate(policy: &Policy, cause: Cause, pipe: Pipe) -> Step {
    let (record, told) = match cause {
        Cause::Timeout => (Record::TimedOut(policy.timeout), vec![Signal::INT]),
        Cause::Abort(Signal::INT) => (Record::Interrupted(Signal::INT), vec![Signal::INT]),
        Cause::Abort(signal) => (Record::Interrupted(signal), vec![Signal::INT, signal]),
    };
    // The look comes before the signals: whoever is there now was adopted earlier.
    let mut effects = vec![Effect::DisarmAll, Effect::Record(record), Effect::Scan];
    let target = match policy.signal_scope {
        SignalScope::Child => Target::Child,
        SignalScope::Group => Target::ChildGroup,
    };
    send(&told, target, origin(cause), &mut effects);
    effects.push(Effect::Arm(Timer::Grace, policy.grace_period.as_std()));
    effects.push(Effect::Arm(Timer::Rescan, RESCAN));
    for (index, rung) in policy.escalation.iter().enumerate() {
        effects.push(Effect::Arm(Timer::Escalation(index), rung.after.as_std()));
    }
    let last = told.last().copied().unwrap_or(Signal::INT);
    let state = Terminating {
        cause,
        pipe,
        child: None,
        told,
        last,
        roster: None,
        filters: Filters::default(),
        tally: Tally::default(),
    };
    Step::new(State::Terminating(state), effects)
}

impl Terminating {
    /// One step.
    pub fn step(mut self, policy: &Policy, event: Event) -> Step {
        let mut effects = Vec::new();
        match event {
            Event::Signal(signal) if is_interrupt(signal) => {
                if signal != self.last {
                    effects.push(Effect::Record(Record::Interrupted(signal)));
                    self.forward(policy, signal, Origin::Outside, &mut effects);
                }
            }
            Event::Signal(signal) => pass_on(signal, self.child, &mut effects),
            Event::Fired(Timer::Escalation(index)) => {
                if let Some(rung) = policy.escalation.get(index)
                    && rung.signal != self.last
                {
                    self.forward(policy, rung.signal, origin(self.cause), &mut effects);
                }
            }
            Event::Tree(Tree::ChildEnded(end)) => {
                self.child = Some(end);
                self.tell_early(policy, &mut effects);
                effects.push(Effect::Scan);
            }
            Event::Tree(Tree::Reaped(pid)) => {
                let gone = self.roster.as_mut().map(|roster| roster.reaped(pid));
                if gone == Some(Gone::Ended) {
                    self.tally.ended += 1;
                }
                effects.push(Effect::Scan);
            }
            Event::Tree(Tree::Children(children)) => {
                self.look_at(policy, &children, &mut effects);
                if self.is_over(policy, &children) {
                    return self.ended(policy);
                }
            }
            Event::Tree(Tree::Unknown) => {
                self.look_without_proc(policy, &mut effects);
                if policy.leftovers == Leftovers::Keep && self.child.is_some() {
                    return self.ended(policy);
                }
            }
            Event::Tree(Tree::Gone) if self.child.is_some() => return self.ended(policy),
            Event::Fired(Timer::Rescan) => {
                effects.extend([Effect::Scan, Effect::Arm(Timer::Rescan, RESCAN)]);
            }
            Event::Fired(Timer::FilterPause) => {
                self.filters = Filters::Told;
                if let Some(roster) = &mut self.roster {
                    roster.tell_spared(&self.told, origin(self.cause), &mut effects);
                }
            }
            Event::Fired(Timer::Grace) => return self.grace_over(policy),
            Event::Output(Output::Closed) => self.pipe = Pipe::Closed,
            // Nothing to do, or the business of other states.
            Event::Output(Output::Bytes)
            | Event::Tree(Tree::Gone)
            | Event::Setup(_)
            | Event::Fired(_)
            | Event::Marker(_) => {}
        }
        Step::new(State::Terminating(self), effects)
    }

    /// A later signal goes to everybody who was told the earlier ones.
    fn forward(&mut self, policy: &Policy, signal: Signal, from: Origin, effects: &mut Vec<Effect>) {
        self.last = signal;
        if !self.told.contains(&signal) {
            self.told.push(signal);
        }
        match (policy.signal_scope, self.child) {
            (SignalScope::Group, _) => send(&[signal], Target::ChildGroup, from, effects),
            (SignalScope::Child, None) => send(&[signal], Target::Child, from, effects),
            (SignalScope::Child, Some(_)) => {}
        }
        if let Some(roster) = &self.roster {
            roster.tell_again(signal, from, effects);
        }
    }

    fn tell_early(&mut self, policy: &Policy, effects: &mut Vec<Effect>) {
        let telling = Telling::of(policy, self.filters, origin(self.cause));
        match (&mut self.roster, policy.leftovers) {
            (Some(roster), Leftovers::End) => roster.tell_early(&self.told, telling, effects),
            (Some(_), Leftovers::Keep) | (None, _) => {}
        }
    }

    fn look_at(&mut self, policy: &Policy, children: &[Process], effects: &mut Vec<Effect>) {
        let telling = Telling::of(policy, self.filters, origin(self.cause));
        if let Some(roster) = &mut self.roster {
            roster.tell_arrivals(children, &self.told, telling, effects);
        } else {
            let mut roster = Roster::default();
            roster.enter_early(children);
            self.roster = Some(roster);
            if self.child.is_some() {
                self.tell_early(policy, effects);
            }
        }
        let alone = self.child.is_some() && self.roster.as_ref().is_some_and(Roster::only_filters);
        if alone && self.filters == Filters::Spared {
            self.filters = Filters::Pausing;
            effects.push(Effect::Arm(Timer::FilterPause, FILTER_PAUSE));
        }
    }

    /// Without /proc nobody can be told by name; the group can, once the child
    /// has ended.
    fn look_without_proc(&mut self, policy: &Policy, effects: &mut Vec<Effect>) {
        let known = policy.signal_scope == SignalScope::Group || self.tally.unknown;
        if self.child.is_some() && !known {
            self.tally.unknown = true;
            if policy.leftovers == Leftovers::End {
                send(&self.told, Target::ChildGroup, origin(self.cause), effects);
            }
        }
    }

    /// Whether only those are left who are to be kept.
    fn is_over(&self, policy: &Policy, children: &[Process]) -> bool {
        policy.leftovers == Leftovers::Keep
            && self.child.is_some()
            && self
                .roster
                .as_ref()
                .is_some_and(|roster| roster.only_early() && roster.arrivals(children).is_empty())
    }

    fn ended(self, policy: &Policy) -> Step {
        let ending = Ending::Terminated { cause: self.cause, child: self.child, grace: Grace::Tree };
        drain(policy, ending, self.pipe, self.tally)
    }

    fn grace_over(self, policy: &Policy) -> Step {
        let grace = if self.child.is_some() { Grace::ChildOnly } else { Grace::Nobody };
        Killing::begin(policy, self.cause, self.child, grace, self.roster.unwrap_or_default(), self.tally)
    }
}

/// Passes a signal without further effect on to the child.
pub(super) fn pass_on(signal: Signal, child: Option<ChildEnd>, effects: &mut Vec<Effect>) {
    if child.is_none() && is_passed_on(signal) {
        send(&[signal], Target::Child, Origin::Outside, effects);
    }
}
