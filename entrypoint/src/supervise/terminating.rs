//! Terminating: the tree was signalled and has its grace period.

use super::descendants::{Descendants, Filters, Gone, SignalPolicy, send};
use super::effect::{Effect, Record, Target};
use super::ending::drain;
use super::event::{Event, Output, Process, Timer, Tree};
use super::killing::Killing;
use super::progress::Progress;
use super::state::{Pipe, State, Step};
use super::verdict::{Cause, Ending, Grace, Tally};
use super::waiting::Waiting;
use super::{Interrupt, Leftovers, Policy, SignalScope};
use common::report::{ChildEnd, Origin};
use common::signal::Signal;
use std::time::Duration;

/// Interval between scans for orphans, which arrive without an event. A tenth of
/// a second is nothing in a grace period of seconds.
const RESCAN_INTERVAL: Duration = Duration::from_millis(100);

/// Time filters get to read end of file when nobody else is left: enough for a
/// `sed` with a full pipe in front of it.
const FILTER_EOF_TIMEOUT: Duration = Duration::from_secs(2);

/// Rest of the grace period once the supervisor is gone.
const HANGUP_GRACE: Duration = Duration::from_secs(1);

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
    /// The signal that the direct child got last.
    last_to_child: Signal,
    /// An outside signal other than SIGHUP arrived.
    interrupted: bool,
    /// The adopted processes; `None` until the first scan.
    descendants: Option<Descendants>,
    /// Descendants beneath a living parent.
    waiting: Waiting,
    /// The child's group, once it was signalled because /proc is not readable.
    group: Option<Progress>,
    filters: Filters,
    tally: Tally,
}

/// Returns the signals with which a termination begins.
fn first_signals(policy: &Policy, cause: Cause) -> Vec<Signal> {
    match (cause, policy.interrupt) {
        (Cause::Timeout | Cause::Abort(Signal::INT), _) | (Cause::Abort(_), Interrupt::IntThenEscalation) => {
            vec![Signal::INT]
        }
        (Cause::Abort(signal), Interrupt::IntThenReceived) => vec![Signal::INT, signal],
        (Cause::Abort(signal), Interrupt::Received) => vec![signal],
    }
}

/// Begins a termination.
pub(super) fn terminate(policy: &Policy, cause: Cause, pipe: Pipe) -> Step {
    let mut effects = vec![Effect::DisarmAll];
    match cause {
        Cause::Timeout => {
            effects.push(Effect::Record(Record::TimedOut(policy.timeout)));
            let (program, timeout) = (policy.program.clone(), policy.timeout);
            effects.push(Effect::Record(Record::TimedOutError { program, timeout }));
        }
        Cause::Abort(signal) => effects.push(Effect::Record(Record::Interrupted(signal))),
    }
    // The scans precede the signals: whoever they find was there before.
    effects.extend([Effect::Snapshot, Effect::Scan]);
    let waiting = match policy.signal_scope {
        SignalScope::Child => Waiting::begin(&mut effects),
        SignalScope::Group => Waiting::default(),
    };
    let sent = first_signals(policy, cause);
    send(&sent, direct_target(policy), cause.origin(), &mut effects);
    effects.push(Effect::Arm(Timer::Grace, policy.grace_period.as_std()));
    effects.push(Effect::Arm(Timer::Rescan, RESCAN_INTERVAL));
    for (index, step) in policy.escalation.iter().enumerate() {
        effects.push(Effect::Arm(Timer::Escalation(index), step.after.as_std()));
    }
    if policy.signal_scope == SignalScope::Child {
        waiting.arm(&mut effects);
    }
    let last = sent.last().copied().unwrap_or(Signal::INT);
    let state = Terminating {
        cause,
        pipe,
        child: None,
        sent,
        last,
        last_to_child: last,
        interrupted: matches!(cause, Cause::Abort(signal) if signal != Signal::HUP),
        descendants: None,
        waiting,
        group: None,
        filters: Filters::default(),
        tally: Tally::default(),
    };
    Step::new(State::Terminating(state), effects)
}

/// Returns the recipient of the first signals.
fn direct_target(policy: &Policy) -> Target {
    match policy.signal_scope {
        SignalScope::Child => Target::Child,
        SignalScope::Group => Target::ChildGroup,
    }
}

impl Terminating {
    /// Handles an event.
    pub fn step(mut self, policy: &Policy, event: Event) -> Step {
        let mut effects = Vec::new();
        match event {
            Event::Signal(signal) => self.received(policy, signal, &mut effects),
            Event::Fired(Timer::Grace) => return self.grace_over(policy),
            Event::Fired(timer) => self.fired(policy, timer, &mut effects),
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
            Event::Tree(Tree::Descendants(found)) => {
                self.waiting.scanned(&found, self.cause.origin(), &mut effects);
            }
            Event::Tree(Tree::Unknown) => {
                self.scanned_without_proc(policy, &mut effects);
                if policy.leftovers == Leftovers::Keep && self.child.is_some() {
                    return self.ended(policy);
                }
            }
            Event::Tree(Tree::Gone) if self.child.is_some() => return self.ended(policy),
            Event::Output(Output::Closed) => self.pipe = Pipe::Closed,
            // Without consequence here.
            Event::Output(Output::Bytes) | Event::Tree(Tree::Gone) | Event::Setup(_) | Event::Marker(_) => {}
        }
        Step::new(State::Terminating(self), effects)
    }

    /// Handles a timer other than the grace period's.
    fn fired(&mut self, policy: &Policy, timer: Timer, effects: &mut Vec<Effect>) {
        let from = self.cause.origin();
        match timer {
            Timer::Escalation(index) => {
                if let Some(step) = policy.escalation.get(index)
                    && step.signal != self.last
                {
                    self.forward(policy, step.signal, from, effects);
                }
            }
            Timer::FollowUp(Target::ChildGroup) => {
                if let Some(group) = &mut self.group {
                    group.follow_up(&self.sent, Target::ChildGroup, from, effects);
                }
            }
            Timer::FollowUp(Target::Process(pid)) => {
                if let Some(descendants) = &mut self.descendants {
                    descendants.follow_up(pid, &self.sent, from, effects);
                }
            }
            Timer::InterruptWaiting => self.waiting.interrupt(effects),
            Timer::TerminateWaiting => self.waiting.terminate(effects),
            Timer::Rescan => effects.extend([Effect::Scan, Effect::Arm(Timer::Rescan, RESCAN_INTERVAL)]),
            Timer::FilterPause => {
                self.filters = Filters::Signaled;
                if let Some(descendants) = &mut self.descendants {
                    descendants.signal_spared_filters(&self.sent, from, effects);
                }
            }
            // Timers of other states.
            Timer::FollowUp(_)
            | Timer::Timeout
            | Timer::Grace
            | Timer::Quiet
            | Timer::DrainLimit
            | Timer::LeftoversEnd
            | Timer::KillLimit
            | Timer::MarkRetry
            | Timer::MarkLimit => {}
        }
    }

    /// Handles a further signal from outside.
    fn received(&mut self, policy: &Policy, signal: Signal, effects: &mut Vec<Effect>) {
        if !policy.stop_signals.contains(signal) {
            pass_on(signal, self.child, effects);
            return;
        }
        let escalates = policy.escalation.iter().any(|step| step.signal == signal);
        let waits = policy.interrupt == Interrupt::IntThenEscalation && escalates;
        if signal != self.last && !waits {
            effects.push(Effect::Record(Record::Interrupted(signal)));
            self.forward(policy, signal, Origin::Outside, effects);
        }
        if signal != Signal::HUP {
            self.interrupted = true;
        } else if self.interrupted && !policy.is_init {
            self.hang_up(policy, effects);
        }
    }

    /// Shortens the grace period, because the supervisor that sent the first
    /// interrupt is gone, and with it the reason to wait.
    fn hang_up(&mut self, policy: &Policy, effects: &mut Vec<Effect>) {
        effects.push(Effect::Shorten(Timer::Grace, HANGUP_GRACE));
        if policy.signal_scope == SignalScope::Child {
            self.waiting.arm(effects);
        }
        if let Some(group) = self.group {
            group.arm(&self.sent, Target::ChildGroup, effects);
        }
        if let Some(descendants) = &self.descendants {
            descendants.rearm(&self.sent, effects);
        }
    }

    /// Sends a later signal to everybody who got the earlier ones.
    fn forward(&mut self, policy: &Policy, signal: Signal, from: Origin, effects: &mut Vec<Effect>) {
        self.last = signal;
        if self.child.is_none() {
            self.last_to_child = signal;
        }
        if !self.sent.contains(&signal) {
            self.sent.push(signal);
        }
        match (policy.signal_scope, self.child) {
            (SignalScope::Group, _) | (SignalScope::Child, None) => {
                send(&[signal], direct_target(policy), from, effects);
            }
            (SignalScope::Child, Some(_)) => {}
        }
        if let Some(group) = &mut self.group {
            group.forward(signal, &self.sent, Target::ChildGroup, from, effects);
        }
        if let Some(descendants) = &mut self.descendants {
            descendants.forward(signal, &self.sent, from, effects);
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
            descendants.signal_arrivals(children, &self.sent, signal_policy, &self.waiting, effects);
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
                let from = self.cause.origin();
                self.group = Some(Progress::begin(&self.sent, Target::ChildGroup, from, effects));
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
        let grace = Grace::Tree { after: self.last_to_child };
        let ending = Ending::Terminated { cause: self.cause, child: self.child, grace };
        drain(policy, ending, self.pipe, self.tally)
    }

    fn grace_over(self, policy: &Policy) -> Step {
        let grace = if self.child.is_some() { Grace::ChildOnly } else { Grace::Nobody };
        let descendants = self.descendants.unwrap_or_default();
        Killing::begin(policy, self.cause, self.child, grace, descendants, self.tally)
    }
}

/// Passes a signal from outside on to the child, unless the child has ended.
pub(super) fn pass_on(signal: Signal, child: Option<ChildEnd>, effects: &mut Vec<Effect>) {
    if child.is_none() {
        send(&[signal], Target::Child, Origin::Outside, effects);
    }
}
