//! The test container: entrypoint's core, the child and its child, and the files
//! they leave in the log volume.

use crate::config::Mutation;
use crate::processes::{Life, Processes, policy};
use common::report::{ChildEnd, Reason};
use common::signal::Signal;
use entrypoint::supervise::{Effect, Event, Marker, Output, Setup, State, Tree, begin, step};
use sidecar::deliver::{Observation, ReportSummary};
use std::time::Duration;

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
    pub(crate) tree: Processes<1>,
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
            tree: Processes::new(),
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
        (self.tree.child, self.tree.others) = (Life::Gone, [Life::Gone]);
        self.tree.timers.clear();
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
            Event::Fired(timer) => drop(self.tree.timers.remove(timer)),
            Event::Setup(Setup::Prepared) => self.lock = Lock::Held,
            Event::Setup(Setup::Spawned) => {
                (self.tree.child, self.tree.others) = (Life::Ours, [Life::Hidden]);
            }
            Event::Signal(_) => self.told_from_outside = true,
            Event::Output(Output::Bytes) => self.pump(),
            Event::Output(Output::Closed) => {
                self.pump();
                self.pipe_open = false;
            }
            Event::Setup(_) | Event::Tree(_) | Event::Marker(_) => {}
        }
        self.tree.queue.push_back(event);
        self.pass_on()
    }

    /// Passes what the I/O layer reports to the core.
    fn pass_on(&mut self) -> Result<(), String> {
        while let Some(event) = self.tree.queue.pop_front() {
            let Some(state) = self.core.take() else { return Ok(()) };
            let next = step(policy(), state, event);
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
            Effect::Scan => self.tree.scan(),
            Effect::Signal { signal: Signal::KILL, .. }
                if self.mutation == Some(Mutation::MarkerBeforeKill) =>
            {
                let gone =
                    [Event::Tree(Tree::ChildEnded(ChildEnd::Signal(Signal::KILL))), Event::Tree(Tree::Gone)];
                self.tree.queue.extend(gone);
            }
            Effect::Signal { signal, to, .. } => self.tree.signal(signal, to),
            Effect::Arm(timer, _) => drop(self.tree.timers.insert(timer)),
            Effect::DisarmAll => self.tree.timers.clear(),
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
        self.tree.timers.clear();
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

    /// The direct child ends.
    pub(crate) fn child_ends(&mut self, end: ChildEnd) -> Result<(), String> {
        self.tree.end_child(end);
        self.pass_on()
    }

    /// The child's child ends, reaped by its parent.
    pub(crate) fn other_ends(&mut self) -> Result<(), String> {
        self.tree.end_other(0);
        self.pass_on()
    }

    /// I1 and I3.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.core.is_none() && self.lock == Lock::Held {
            return Err("I1: entrypoint is gone and its lock is held".to_owned());
        }
        if self.marker.is_some() && self.tree.anybody_alive() && !self.unkillable_named {
            return Err("I3: a process outlives the marker".to_owned());
        }
        Ok(())
    }
}
