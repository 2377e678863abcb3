//! Terminating: the tree was signalled and has its grace period.

use super::descendants::{Descendants, Filters, Gone, SignalPolicy, send};
use super::effect::{Effect, Record, Target};
use super::ending::drain;
use super::event::{Event, Output, Process, Timer, Tree};
use super::killing::Killing;
use super::state::{Pipe, State, Step};
use super::verdict::{Cause, Ending, Grace, Tally};
use super::{Leftovers, Policy, SignalScope};
use common::report::{ChildEnd, Origin};
use common::signal::Signal;
use std::time::Duration;

/// Interval between scans for orphans, which arrive without an event. A tenth of
/// a second is nothing in a grace period of seconds.
const RESCAN_INTERVAL: Duration = Duration::from_millis(100);

/// Time filters get to read end of file when nobody else is left: enough for a
/// `sed` with a full pipe in front of it.
const FILTER_EOF_TIMEOUT: Duration = Duration::from_secs(2);

/// A tree that was asked to end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Terminating {
    cause: Cause,
    pipe: Pipe,
    child: Option<ChildEnd>,
    /// The signals that the child got, each once, in order.
    sent: Vec<Signal>,
    /// The signal that was sent last; it is never sent twice in a row.
    last: Signal,
    /// The adopted processes; `None` until the first scan.
    descendants: Option<Descendants>,
    filters: Filters,
    tally: Tally,
}

/// Returns true if a signal from outside ends the job.
pub(super) fn is_interrupt(signal: Signal) -> bool {
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM].contains(&signal)
}

/// Returns true if a signal from outside is passed to the child without further effect.
fn is_passed_on(signal: Signal) -> bool {
    [Signal::USR1, Signal::USR2, Signal::WINCH, Signal::CONT].contains(&signal)
}

/// Begins a termination: SIGINT first, then the signal from outside.
pub(super) fn terminate(policy: &Policy, cause: Cause, pipe: Pipe) -> Step {
    let (record, sent) = match cause {
        Cause::Timeout => (Record::TimedOut(policy.timeout), vec![Signal::INT]),
        Cause::Abort(Signal::INT) => (Record::Interrupted(Signal::INT), vec![Signal::INT]),
        Cause::Abort(signal) => (Record::Interrupted(signal), vec![Signal::INT, signal]),
    };
    // The scan precedes the signals: whoever it finds was adopted earlier.
    let mut effects = vec![Effect::DisarmAll, Effect::Record(record), Effect::Scan];
    let target = match policy.signal_scope {
        SignalScope::Child => Target::Child,
        SignalScope::Group => Target::ChildGroup,
    };
    send(&sent, target, cause.origin(), &mut effects);
    effects.push(Effect::Arm(Timer::Grace, policy.grace_period.as_std()));
    effects.push(Effect::Arm(Timer::Rescan, RESCAN_INTERVAL));
    for (index, step) in policy.escalation.iter().enumerate() {
        effects.push(Effect::Arm(Timer::Escalation(index), step.after.as_std()));
    }
    let last = sent.last().copied().unwrap_or(Signal::INT);
    let state = Terminating {
        cause,
        pipe,
        child: None,
        sent,
        last,
        descendants: None,
        filters: Filters::default(),
        tally: Tally::default(),
    };
    Step::new(State::Terminating(state), effects)
}

impl Terminating {
    /// Handles an event.
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
                if let Some(step) = policy.escalation.get(index)
                    && step.signal != self.last
                {
                    self.forward(policy, step.signal, self.cause.origin(), &mut effects);
                }
            }
            Event::Tree(Tree::ChildEnded(end)) => {
                self.child = Some(end);
                self.signal_pre_existing(policy, &mut effects);
                effects.push(Effect::Scan);
            }
            Event::Tree(Tree::Reaped(pid)) => {
                let gone = self.descendants.as_mut().map(|descendants| descendants.reaped(pid));
                if gone == Some(Gone::Signaled) {
                    self.tally.ended += 1;
                }
                effects.push(Effect::Scan);
            }
            Event::Tree(Tree::Children(children)) => {
                self.scanned(policy, &children, &mut effects);
                if self.is_over(policy, &children) {
                    return self.ended(policy);
                }
            }
            Event::Tree(Tree::Unknown) => {
                self.scanned_without_proc(policy, &mut effects);
                if policy.leftovers == Leftovers::Keep && self.child.is_some() {
                    return self.ended(policy);
                }
            }
            Event::Tree(Tree::Gone) if self.child.is_some() => return self.ended(policy),
            Event::Fired(Timer::Rescan) => {
                effects.extend([Effect::Scan, Effect::Arm(Timer::Rescan, RESCAN_INTERVAL)]);
            }
            Event::Fired(Timer::FilterPause) => {
                self.filters = Filters::Signaled;
                if let Some(descendants) = &mut self.descendants {
                    descendants.signal_spared_filters(&self.sent, self.cause.origin(), &mut effects);
                }
            }
            Event::Fired(Timer::Grace) => return self.grace_over(policy),
            Event::Output(Output::Closed) => self.pipe = Pipe::Closed,
            // Without consequence here.
            Event::Output(Output::Bytes)
            | Event::Tree(Tree::Gone)
            | Event::Setup(_)
            | Event::Fired(_)
            | Event::Marker(_) => {}
        }
        Step::new(State::Terminating(self), effects)
    }

    /// Sends a later signal to everybody who got the earlier ones.
    fn forward(&mut self, policy: &Policy, signal: Signal, from: Origin, effects: &mut Vec<Effect>) {
        self.last = signal;
        if !self.sent.contains(&signal) {
            self.sent.push(signal);
        }
        match (policy.signal_scope, self.child) {
            (SignalScope::Group, _) => send(&[signal], Target::ChildGroup, from, effects),
            (SignalScope::Child, None) => send(&[signal], Target::Child, from, effects),
            (SignalScope::Child, Some(_)) => {}
        }
        if let Some(descendants) = &self.descendants {
            descendants.signal_again(signal, from, effects);
        }
    }

    fn signal_pre_existing(&mut self, policy: &Policy, effects: &mut Vec<Effect>) {
        let signal_policy = SignalPolicy::of(policy, self.filters, self.cause.origin());
        match (&mut self.descendants, policy.leftovers) {
            (Some(descendants), Leftovers::End) => {
                descendants.signal_pre_existing(&self.sent, signal_policy, effects);
            }
            (Some(_), Leftovers::Keep) | (None, _) => {}
        }
    }

    fn scanned(&mut self, policy: &Policy, children: &[Process], effects: &mut Vec<Effect>) {
        let signal_policy = SignalPolicy::of(policy, self.filters, self.cause.origin());
        if let Some(descendants) = &mut self.descendants {
            descendants.signal_arrivals(children, &self.sent, signal_policy, effects);
        } else {
            let mut descendants = Descendants::default();
            descendants.record_pre_existing(children);
            self.descendants = Some(descendants);
            if self.child.is_some() {
                self.signal_pre_existing(policy, effects);
            }
        }
        let alone = self.child.is_some() && self.descendants.as_ref().is_some_and(Descendants::only_filters);
        if alone && self.filters == Filters::Spared {
            self.filters = Filters::Pausing;
            effects.push(Effect::Arm(Timer::FilterPause, FILTER_EOF_TIMEOUT));
        }
    }

    /// Without /proc no process can be signalled by its pid; the child's group
    /// can, once the child has ended.
    fn scanned_without_proc(&mut self, policy: &Policy, effects: &mut Vec<Effect>) {
        let signalled = policy.signal_scope == SignalScope::Group || self.tally.unknown;
        if self.child.is_some() && !signalled {
            self.tally.unknown = true;
            if policy.leftovers == Leftovers::End {
                send(&self.sent, Target::ChildGroup, self.cause.origin(), effects);
            }
        }
    }

    /// Returns true if only processes that are to be kept are left.
    fn is_over(&self, policy: &Policy, children: &[Process]) -> bool {
        policy.leftovers == Leftovers::Keep
            && self.child.is_some()
            && self.descendants.as_ref().is_some_and(|descendants| {
                descendants.only_pre_existing() && descendants.arrivals(children).is_empty()
            })
    }

    fn ended(self, policy: &Policy) -> Step {
        let ending = Ending::Terminated { cause: self.cause, child: self.child, grace: Grace::Tree };
        drain(policy, ending, self.pipe, self.tally)
    }

    fn grace_over(self, policy: &Policy) -> Step {
        let grace = if self.child.is_some() { Grace::ChildOnly } else { Grace::Nobody };
        let descendants = self.descendants.unwrap_or_default();
        Killing::begin(policy, self.cause, self.child, grace, descendants, self.tally)
    }
}

/// Passes a signal on to the child if it is one without further effect.
pub(super) fn pass_on(signal: Signal, child: Option<ChildEnd>, effects: &mut Vec<Effect>) {
    if child.is_none() && is_passed_on(signal) {
        send(&[signal], Target::Child, Origin::Outside, effects);
    }
}
