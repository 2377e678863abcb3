//! The world around the machine: processes, pipe, timers, and an I/O layer that
//! carries out effects and reports events in order.

use crate::processes::{Life, Processes, identity, index_of};
use common::signal::Signal;
use entrypoint::supervise::{
    Descendant, Effect, Event, Interrupt, Leftovers, Policy, Target, Timer, Top, Tree,
};

/// State of everything outside the machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(crate) struct World {
    pub(crate) tree: Processes<2>,
    /// `others` were started after the first signal.
    pub(crate) late: bool,
    /// The last signal that each of `others` got by itself.
    pub(crate) last_sent: [Option<Signal>; 2],
    pub(crate) pipe_open: bool,
    pub(crate) signals_left: u8,
    pub(crate) last_sent_to_child: Option<Signal>,
    /// The pipe was drained after the last process had ended.
    pub(crate) drained: bool,
    pub(crate) marker: bool,
    pub(crate) unkillable_named: bool,
    pub(crate) exit: Option<u8>,
}

/// The direct child among the recipients of a signal.
const CHILD: usize = 2;

/// Returns the processes that a signal reaches: the direct child is the third.
fn recipients(to: Target) -> Vec<usize> {
    match to {
        Target::Child => vec![CHILD],
        Target::ChildGroup => vec![CHILD, 0],
        Target::Process(pid) | Target::GroupOf(pid) => vec![index_of(pid)],
        Target::Descendant(id) => vec![index_of(id.pid)],
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            tree: Processes::new(),
            late: false,
            last_sent: [None; 2],
            pipe_open: true,
            signals_left: 2,
            last_sent_to_child: None,
            drained: false,
            marker: false,
            unkillable_named: false,
            exit: None,
        }
    }

    /// Shares of the grace period end before it does, the smaller ones first.
    pub(crate) fn can_be_next(&self, timer: Timer) -> bool {
        let is_earlier = |other: &Timer| match timer {
            Timer::Grace => {
                matches!(other, Timer::FollowUp(_) | Timer::InterruptWaiting | Timer::TerminateWaiting)
            }
            Timer::TerminateWaiting => *other == Timer::InterruptWaiting,
            Timer::Timeout
            | Timer::Escalation(_)
            | Timer::FollowUp(_)
            | Timer::InterruptWaiting
            | Timer::FilterPause
            | Timer::Rescan
            | Timer::Quiet
            | Timer::DrainLimit
            | Timer::LeftoversEnd
            | Timer::KillLimit
            | Timer::MarkRetry
            | Timer::MarkLimit => false,
        };
        !self.tree.timers.iter().any(is_earlier)
    }

    pub(crate) fn execute(&mut self, policy: &Policy, proc: bool, effect: &Effect) {
        match effect {
            Effect::Scan if proc || self.is_empty() => self.tree.scan(),
            Effect::Scan => self.tree.queue.push_back(Event::Tree(Tree::Unknown)),
            Effect::Signal { signal, to, .. } => self.signal(*signal, *to),
            Effect::ScanTree => self.scan_tree(proc),
            Effect::Arm(timer, _) | Effect::ArmWithinGrace(timer, _) => {
                self.tree.timers.insert(*timer);
            }
            Effect::DisarmAll => self.tree.timers.clear(),
            Effect::DrainPipe => self.drained = true,
            Effect::WriteMarker(_, tally) => {
                self.unkillable_named = tally.unkillable > 0 || tally.unknown;
                self.check_before_marker(policy);
            }
            Effect::Exit(status) => self.exit = Some(*status),
            Effect::Prepare
            | Effect::WatchPrevious
            | Effect::UnwatchPrevious
            | Effect::Spawn
            | Effect::ReportLeftovers(_)
            | Effect::Snapshot
            | Effect::Record(_)
            | Effect::LogText(_)
            | Effect::Shorten(..)
            | Effect::CloseLog(_) => {}
        }
    }

    /// Nobody is left, which wait(2) says without /proc.
    fn is_empty(&self) -> bool {
        self.tree.child == Life::Gone && !self.tree.anybody_ours()
    }

    fn scan_tree(&mut self, proc: bool) {
        if !proc {
            return;
        }
        let hidden = (0..2).filter(|index| self.tree.others[*index] == Life::Hidden);
        let descendants = hidden.map(|index| {
            let beneath_child = index == 0 || self.tree.others[0] == Life::Hidden;
            let top = if beneath_child { Top::Child } else { Top::Adopted };
            Descendant { id: identity(index), top, filter: index == 1 }
        });
        let descendants = descendants.collect();
        self.tree.queue.push_back(Event::Tree(Tree::Descendants(descendants)));
    }

    /// A process other than the direct child gets a signal of its own.
    fn signal_other(&mut self, index: usize, signal: Signal) {
        if signal != Signal::KILL {
            assert_ne!(self.last_sent[index], Some(signal), "twice in a row: {self:?}");
            self.last_sent[index] = Some(signal);
        }
    }

    fn signal(&mut self, signal: Signal, to: Target) {
        match to {
            Target::Child => {
                assert_ne!(self.tree.child, Life::Gone, "a reaped child is never signalled");
                if [Signal::INT, Signal::TERM].contains(&signal) {
                    assert_ne!(self.last_sent_to_child, Some(signal), "twice in a row");
                }
                self.last_sent_to_child = Some(signal);
            }
            Target::ChildGroup => {}
            Target::Descendant(id) => {
                let index = index_of(id.pid);
                assert_eq!(self.tree.others[index], Life::Hidden, "its parent is alive");
                assert!(!self.late, "a process born later is left to its parent");
                assert_eq!(index, 0, "a filter is spared");
                self.signal_other(index, signal);
            }
            Target::Process(pid) | Target::GroupOf(pid) => {
                let index = index_of(pid);
                assert_ne!(self.tree.others[index], Life::Hidden, "only our own children are signalled");
                self.signal_other(index, signal);
            }
        }
        self.tree.signal(signal, to);
    }

    /// Checks I2 and I3 as far as the machine is concerned.
    fn check_before_marker(&self, policy: &Policy) {
        assert!(self.drained, "I2: the pipe is drained before the marker");
        let kept = policy.leftovers == Leftovers::Keep;
        if self.tree.child != Life::Future {
            let alive = if kept { self.tree.child.is_alive() } else { self.tree.anybody_alive() };
            assert!(!alive || self.unkillable_named, "I3: {self:?}");
        }
    }
}

/// Checks that nobody gets SIGINT and SIGTERM in one step, except the direct child
/// (or its group) where upstream's contract wants it so.
pub(crate) fn check_signals(policy: &Policy, effects: &[Effect]) {
    let mut got = [Vec::new(), Vec::new(), Vec::new()];
    for effect in effects {
        if let Effect::Signal { signal, to, .. } = effect {
            let upstream = policy.interrupt == Interrupt::IntThenReceived
                && matches!(to, Target::Child | Target::ChildGroup);
            for index in recipients(*to) {
                let other = if *signal == Signal::INT { Signal::TERM } else { Signal::INT };
                let both = *signal != Signal::KILL && got[index].contains(&other);
                assert!(!both || upstream, "INT and TERM at once: {effects:?}");
                got[index].push(*signal);
            }
        }
    }
}
