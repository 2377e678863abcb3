//! The world around the machine: processes, pipe, timers, and an I/O layer that
//! carries out effects and reports events in order.

use super::super::*;
use common::report::ChildEnd;
use std::collections::{BTreeSet, VecDeque};

/// State of a process of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Life {
    /// Not started yet.
    Future,
    /// Running under a parent other than us.
    Hidden,
    /// Our child.
    Ours,
    /// Our child, and SIGKILL was sent to it.
    Doomed,
    Gone,
}

impl Life {
    pub(super) fn is_alive(self) -> bool {
        matches!(self, Life::Hidden | Life::Ours | Life::Doomed)
    }

    pub(super) fn is_ours(self) -> bool {
        matches!(self, Life::Ours | Life::Doomed)
    }
}

/// State of everything outside the machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(super) struct World {
    pub(super) child: Life,
    pub(super) others: [Life; 2],
    /// `others` were started after the first signal.
    pub(super) late: bool,
    /// The last signal that each of `others` got by itself.
    pub(super) last_sent: [Option<Signal>; 2],
    pub(super) pipe_open: bool,
    pub(super) timers: BTreeSet<Timer>,
    /// Events that the I/O layer will report next, in order.
    pub(super) queue: VecDeque<Event>,
    pub(super) signals_left: u8,
    pub(super) last_sent_to_child: Option<Signal>,
    /// The pipe was drained after the last process had ended.
    pub(super) drained: bool,
    pub(super) marker: bool,
    pub(super) unkillable_named: bool,
    pub(super) exit: Option<u8>,
}

const OTHERS: [Pid; 2] = [Pid(8), Pid(9)];

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

fn identity(index: usize) -> Identity {
    Identity { pid: OTHERS[index], started: 1 }
}

fn index_of(pid: Pid) -> usize {
    usize::from(pid == OTHERS[1])
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            child: Life::Future,
            others: [Life::Future; 2],
            late: false,
            last_sent: [None; 2],
            pipe_open: true,
            timers: BTreeSet::new(),
            queue: VecDeque::new(),
            signals_left: 2,
            last_sent_to_child: None,
            drained: false,
            marker: false,
            unkillable_named: false,
            exit: None,
        }
    }

    /// Shares of the grace period end before it does, the smaller ones first.
    pub(super) fn can_be_next(&self, timer: Timer) -> bool {
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
        !self.timers.iter().any(is_earlier)
    }

    pub(super) fn anybody_ours(&self) -> bool {
        self.child.is_ours() || self.others.iter().any(|life| life.is_ours())
    }

    pub(super) fn anybody_alive(&self) -> bool {
        self.child.is_alive() || self.others.iter().any(|life| life.is_alive())
    }

    /// Ends a process: we adopt its children; the I/O layer reaps and reports.
    pub(super) fn end(&mut self, who: Option<usize>, end: ChildEnd) {
        match who {
            None => {
                self.child = Life::Gone;
                if self.others[0] == Life::Hidden {
                    self.others[0] = Life::Ours;
                } else if !self.others[0].is_alive() && self.others[1] == Life::Hidden {
                    self.others[1] = Life::Ours;
                }
                self.queue.push_back(Event::Tree(Tree::ChildEnded(end)));
            }
            Some(index) => {
                let ours = self.others[index].is_ours();
                self.others[index] = Life::Gone;
                if index == 0 && self.others[1] == Life::Hidden {
                    self.others[1] = Life::Ours;
                }
                if ours {
                    self.queue.push_back(Event::Tree(Tree::Reaped(OTHERS[index])));
                }
            }
        }
        if !self.anybody_ours() && self.child == Life::Gone {
            self.queue.push_back(Event::Tree(Tree::Gone));
        }
    }

    pub(super) fn execute(&mut self, policy: &Policy, proc: bool, effect: &Effect) {
        match effect {
            Effect::Scan => self.scan(proc),
            Effect::Signal { signal, to, .. } => self.signal(*signal, *to),
            Effect::ScanTree => self.scan_tree(proc),
            Effect::Arm(timer, _) | Effect::ArmWithinGrace(timer, _) => {
                self.timers.insert(*timer);
            }
            Effect::DisarmAll => self.timers.clear(),
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

    pub(super) fn scan(&mut self, proc: bool) {
        if self.child == Life::Gone && !self.anybody_ours() {
            self.queue.push_back(Event::Tree(Tree::Gone));
            return;
        }
        if !proc {
            self.queue.push_back(Event::Tree(Tree::Unknown));
            return;
        }
        let ours = (0..2).filter(|index| self.others[*index].is_ours());
        let processes =
            ours.map(|index| Process { id: identity(index), filter: index == 1, in_group: index == 0 });
        let processes = processes.collect();
        self.queue.push_back(Event::Tree(Tree::Children(processes)));
    }

    pub(super) fn scan_tree(&mut self, proc: bool) {
        if !proc {
            return;
        }
        let hidden = (0..2).filter(|index| self.others[*index] == Life::Hidden);
        let descendants = hidden.map(|index| {
            let beneath_child = index == 0 || self.others[0] == Life::Hidden;
            let top = if beneath_child { Top::Child } else { Top::Adopted };
            Descendant { id: identity(index), top, filter: index == 1 }
        });
        let descendants = descendants.collect();
        self.queue.push_back(Event::Tree(Tree::Descendants(descendants)));
    }

    /// A process other than the direct child gets a signal of its own.
    pub(super) fn signal_other(&mut self, index: usize, signal: Signal) {
        if signal != Signal::KILL {
            assert_ne!(self.last_sent[index], Some(signal), "twice in a row: {self:?}");
            self.last_sent[index] = Some(signal);
        }
    }

    pub(super) fn signal(&mut self, signal: Signal, to: Target) {
        let kill = signal == Signal::KILL;
        let doom = |life: &mut Life| {
            if kill && *life == Life::Ours {
                *life = Life::Doomed;
            }
        };
        match to {
            Target::Child => {
                assert_ne!(self.child, Life::Gone, "a reaped child is never signalled");
                if !kill && [Signal::INT, Signal::TERM].contains(&signal) {
                    assert_ne!(self.last_sent_to_child, Some(signal), "twice in a row");
                }
                self.last_sent_to_child = Some(signal);
                doom(&mut self.child);
            }
            Target::ChildGroup => {
                doom(&mut self.child);
                doom(&mut self.others[0]);
            }
            Target::Descendant(id) => {
                let index = index_of(id.pid);
                assert_eq!(self.others[index], Life::Hidden, "its parent is alive");
                assert!(!self.late, "a process born later is left to its parent");
                assert_eq!(index, 0, "a filter is spared");
                self.signal_other(index, signal);
            }
            Target::Process(pid) | Target::GroupOf(pid) => {
                let index = index_of(pid);
                assert_ne!(self.others[index], Life::Hidden, "only our own children are signalled");
                doom(&mut self.others[index]);
                self.signal_other(index, signal);
            }
        }
    }

    /// Checks I2 and I3 as far as the machine is concerned.
    pub(super) fn check_before_marker(&self, policy: &Policy) {
        assert!(self.drained, "I2: the pipe is drained before the marker");
        let kept = policy.leftovers == Leftovers::Keep;
        if self.child != Life::Future {
            let alive = if kept { self.child.is_alive() } else { self.anybody_alive() };
            assert!(!alive || self.unkillable_named, "I3: {self:?}");
        }
    }
}

/// Checks that nobody gets SIGINT and SIGTERM in one step, except the direct child
/// (or its group) where upstream's contract wants it so.
pub(super) fn check_signals(policy: &Policy, effects: &[Effect]) {
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
