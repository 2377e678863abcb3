//! The test container: entrypoint's core, the child and its child, and the files
//! they leave in the log volume.

use crate::config::Mutation;
use common::duration::GoDuration;
use common::report::{ChildEnd, Reason};
use common::signal::Signal;
use entrypoint::supervise::{
    Effect, Event, Identity, Interrupt, Leftovers, Marker, Output, Pid, Policy, Process, Setup, SignalScope,
    State, StopSignals, Target, Timer, Tree, begin, step,
};
use sidecar::deliver::{Observation, ReportSummary};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Where a process of the tree stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Life {
    Future,
    /// Its parent is not entrypoint.
    Hidden,
    Ours,
    /// SIGKILL was sent to it.
    Doomed,
    Gone,
}

impl Life {
    pub(crate) fn is_alive(self) -> bool {
        matches!(self, Self::Hidden | Self::Ours | Self::Doomed)
    }

    fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Doomed)
    }
}

/// The lock file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Lock {
    None,
    Held,
    Free,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(crate) struct TestContainer {
    /// Entrypoint, while it is alive.
    pub(crate) core: Option<State>,
    pub(crate) child: Life,
    pub(crate) other: Life,
    pub(crate) timers: BTreeSet<Timer>,
    queue: VecDeque<Event>,
    /// The child has written what it writes.
    pub(crate) wrote: bool,
    /// Bytes that were not pumped yet.
    pub(crate) in_pipe: bool,
    pub(crate) pipe_open: bool,
    told_from_outside: bool,
    unkillable_named: bool,
    /// Number of writes to the log.
    pub(crate) log: u8,
    pub(crate) lock: Lock,
    pub(crate) marker: Option<i32>,
    reason: Option<Reason>,
    /// The code of the marker that is being written.
    pub(crate) marking: Option<i32>,
    mutation: Option<Mutation>,
}

const OTHER: Pid = Pid(8);

fn policy() -> Policy {
    Policy {
        timeout: GoDuration::from_secs(60),
        grace_period: GoDuration::from_secs(15),
        await_previous: false,
        program: String::new(),
        is_init: true,
        stop_signals: StopSignals::new(&[]),
        interrupt: Interrupt::default(),
        escalation: Vec::new(),
        leftovers: Leftovers::End,
        signal_scope: SignalScope::Child,
        propagate_error_code: false,
        always_zero: false,
    }
}

impl TestContainer {
    pub(crate) fn new(mutation: Option<Mutation>) -> Result<Self, String> {
        let first = begin();
        let mut this = Self { core: Some(first.state), mutation, ..Self::gone() };
        for effect in first.effects {
            this.perform(effect)?;
        }
        Ok(this)
    }

    /// A container without anything in it.
    pub(crate) fn gone() -> Self {
        Self {
            core: None,
            child: Life::Future,
            other: Life::Future,
            timers: BTreeSet::new(),
            queue: VecDeque::new(),
            wrote: false,
            in_pipe: false,
            pipe_open: true,
            told_from_outside: false,
            unkillable_named: false,
            log: 0,
            lock: Lock::None,
            marker: None,
            reason: None,
            marking: None,
            mutation: None,
        }
    }

    /// The whole container dies: out of memory, or killed by the kubelet.
    pub(crate) fn kill(&mut self) {
        (self.core, self.marking) = (None, None);
        (self.child, self.other) = (Life::Gone, Life::Gone);
        self.timers.clear();
        (self.in_pipe, self.pipe_open) = (false, false);
        if self.lock == Lock::Held {
            self.lock = Lock::Free;
        }
    }

    /// Returns what sidecar sees when it looks at the entry.
    pub(crate) fn look(&self) -> Observation {
        match (self.marker, self.lock) {
            (Some(code), _) => {
                let outside = self.told_from_outside.then_some(Duration::ZERO);
                Observation::Marker {
                    code,
                    report: self.reason.map(|reason| ReportSummary { reason, outside }),
                }
            }
            (None, Lock::None) => Observation::Absent,
            (None, Lock::Held) => Observation::Waiting,
            (None, Lock::Free) => Observation::Lost,
        }
    }

    /// Passes an event to the core, then everything that follows from it at once.
    pub(crate) fn event(&mut self, event: Event) -> Result<(), String> {
        match &event {
            Event::Fired(timer) => drop(self.timers.remove(timer)),
            Event::Setup(Setup::Prepared) => self.lock = Lock::Held,
            Event::Setup(Setup::Spawned) => (self.child, self.other) = (Life::Ours, Life::Hidden),
            Event::Signal(_) => self.told_from_outside = true,
            Event::Output(Output::Bytes) => self.pump(),
            Event::Output(Output::Closed) => {
                self.pump();
                self.pipe_open = false;
            }
            Event::Setup(_) | Event::Tree(_) | Event::Marker(_) => {}
        }
        self.queue.push_back(event);
        while let Some(event) = self.queue.pop_front() {
            let Some(state) = self.core.take() else { return Ok(()) };
            let next = step(&policy(), state, event);
            self.core = Some(next.state);
            for effect in next.effects {
                self.perform(effect)?;
            }
        }
        Ok(())
    }

    fn pump(&mut self) {
        self.log += u8::from(std::mem::take(&mut self.in_pipe));
    }

    fn perform(&mut self, effect: Effect) -> Result<(), String> {
        match effect {
            Effect::Scan => self.scan(),
            Effect::Signal { signal: Signal::KILL, .. }
                if self.mutation == Some(Mutation::MarkerBeforeKill) =>
            {
                let gone =
                    [Event::Tree(Tree::ChildEnded(ChildEnd::Signal(Signal::KILL))), Event::Tree(Tree::Gone)];
                self.queue.extend(gone);
            }
            Effect::Signal { signal, to, .. } => self.signal(signal, to),
            Effect::Arm(timer, _) => drop(self.timers.insert(timer)),
            Effect::DisarmAll => self.timers.clear(),
            // The sentence. Records before it are no more than output is, and there would
            // be eight times the states.
            Effect::CloseLog(_) => self.log += 1,
            Effect::DrainPipe if self.mutation == Some(Mutation::NoLastLook) => {}
            Effect::DrainPipe => self.pump(),
            Effect::WriteMarker(verdict, tally) => {
                self.unkillable_named = tally.unkillable > 0 || tally.unknown;
                self.reason = Some(verdict.reason);
                self.marking = Some(verdict.code);
                if self.in_pipe {
                    return Err("I2: the marker comes before what is in the pipe".to_owned());
                }
                if self.mutation == Some(Mutation::ExitWithoutMarker) {
                    return self.perform(Effect::Exit(0));
                }
            }
            Effect::Exit(status) => {
                if self.marker.is_none() && status != 127 {
                    return Err("I1: entrypoint exits without a marker".to_owned());
                }
                self.exit();
            }
            // Among them what later signals cause; those are explored beside the core
            // itself, because they change nothing for sidecar.
            Effect::ScanTree
            | Effect::ArmWithinGrace(..)
            | Effect::Shorten(..)
            | Effect::Prepare
            | Effect::WatchPrevious
            | Effect::UnwatchPrevious
            | Effect::Spawn
            | Effect::ReportLeftovers(_)
            | Effect::Snapshot
            | Effect::Record(_)
            | Effect::LogText(_) => {}
        }
        Ok(())
    }

    fn exit(&mut self) {
        self.core = None;
        self.timers.clear();
        self.lock = Lock::Free;
    }

    /// The marker was tried.
    pub(crate) fn marked(&mut self, outcome: Marker) -> Result<(), String> {
        let code = self.marking.take();
        if outcome == Marker::Visible {
            self.marker = code;
        }
        self.event(Event::Marker(outcome))
    }

    fn scan(&mut self) {
        if self.child == Life::Gone && !self.other.is_ours() {
            self.queue.push_back(Event::Tree(Tree::Gone));
            return;
        }
        let other = Process { id: Identity { pid: OTHER, started: 1 }, filter: false, in_group: true };
        let children = self.other.is_ours().then_some(other).into_iter().collect();
        self.queue.push_back(Event::Tree(Tree::Children(children)));
    }

    fn signal(&mut self, signal: Signal, to: Target) {
        let doom = |life: &mut Life| {
            if signal == Signal::KILL && *life == Life::Ours {
                *life = Life::Doomed;
            }
        };
        match to {
            Target::Child => doom(&mut self.child),
            Target::ChildGroup => {
                doom(&mut self.child);
                doom(&mut self.other);
            }
            Target::Process(_) | Target::GroupOf(_) | Target::Descendant(_) => doom(&mut self.other),
        }
    }

    /// The direct child ends.
    pub(crate) fn child_ends(&mut self, end: ChildEnd) -> Result<(), String> {
        self.child = Life::Gone;
        if self.other == Life::Hidden {
            self.other = Life::Ours;
        }
        if !self.other.is_ours() {
            self.queue.push_back(Event::Tree(Tree::ChildEnded(end)));
            return self.event(Event::Tree(Tree::Gone));
        }
        self.event(Event::Tree(Tree::ChildEnded(end)))
    }

    /// The child's child ends, reaped by its parent.
    pub(crate) fn other_ends(&mut self) -> Result<(), String> {
        let ours = self.other.is_ours();
        self.other = Life::Gone;
        if !ours {
            return Ok(());
        }
        if self.child == Life::Gone {
            self.queue.push_back(Event::Tree(Tree::Reaped(OTHER)));
            return self.event(Event::Tree(Tree::Gone));
        }
        self.event(Event::Tree(Tree::Reaped(OTHER)))
    }

    /// I1 and I3.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.core.is_none() && self.lock == Lock::Held {
            return Err("I1: entrypoint is gone and its lock is held".to_owned());
        }
        let alive = self.child.is_alive() || self.other.is_alive();
        if self.marker.is_some() && alive && !self.unkillable_named {
            return Err("I3: a process outlives the marker".to_owned());
        }
        Ok(())
    }
}
