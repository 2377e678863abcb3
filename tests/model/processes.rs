//! The processes of a job, as the kernel and entrypoint's I/O layer treat them: the
//! direct child, and a chain of descendants, each the child of the one before.

use common::report::ChildEnd;
use common::signal::Signal;
use entrypoint::options::EntrypointOptions;
use entrypoint::supervise::{Event, Identity, Pid, Policy, Process, Target, Timer, Tree};
use std::collections::{BTreeSet, VecDeque};
use std::sync::LazyLock;

/// State of a process of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Life {
    /// Not started yet.
    Future,
    /// Running under a parent other than entrypoint.
    Hidden,
    /// Entrypoint's child.
    Ours,
    /// Entrypoint's child, and SIGKILL was sent to it.
    Doomed,
    Gone,
}

impl Life {
    pub(crate) fn is_alive(self) -> bool {
        matches!(self, Self::Hidden | Self::Ours | Self::Doomed)
    }

    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Doomed)
    }

    fn kill(&mut self) {
        if *self == Self::Ours {
            *self = Self::Doomed;
        }
    }
}

const PIDS: [Pid; 2] = [Pid(8), Pid(9)];

/// Returns the place of a descendant in the chain.
pub(crate) fn index_of(pid: Pid) -> usize {
    usize::from(pid == PIDS[1])
}

pub(crate) fn identity(index: usize) -> Identity {
    Identity { pid: PIDS[index], started: 1 }
}

/// The child with its descendants, the timers, and the events about them. The second
/// descendant is a filter and has a group of its own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Processes<const N: usize> {
    pub(crate) child: Life,
    pub(crate) others: [Life; N],
    pub(crate) timers: BTreeSet<Timer>,
    /// Events that the I/O layer will report next, in order.
    pub(crate) queue: VecDeque<Event>,
}

impl<const N: usize> Processes<N> {
    pub(crate) fn new() -> Self {
        let others = [Life::Future; N];
        Self { child: Life::Future, others, timers: BTreeSet::new(), queue: VecDeque::new() }
    }

    pub(crate) fn anybody_ours(&self) -> bool {
        self.child.is_ours() || self.others.iter().any(|life| life.is_ours())
    }

    pub(crate) fn anybody_alive(&self) -> bool {
        self.child.is_alive() || self.others.iter().any(|life| life.is_alive())
    }

    /// Ends the direct child: entrypoint adopts the first living descendant.
    pub(crate) fn end_child(&mut self, end: ChildEnd) {
        self.child = Life::Gone;
        self.orphan(0);
        self.queue.push_back(Event::Tree(Tree::ChildEnded(end)));
        self.report_if_gone();
    }

    /// Ends a descendant, which its parent reaps.
    pub(crate) fn end_other(&mut self, index: usize) {
        let ours = self.others[index].is_ours();
        self.others[index] = Life::Gone;
        self.orphan(index + 1);
        if ours {
            self.queue.push_back(Event::Tree(Tree::Reaped(PIDS[index])));
            self.report_if_gone();
        }
    }

    /// The first living descendant from `index` on has lost its parent.
    fn orphan(&mut self, index: usize) {
        if let Some(life) = self.others.iter_mut().skip(index).find(|life| life.is_alive())
            && *life == Life::Hidden
        {
            *life = Life::Ours;
        }
    }

    fn report_if_gone(&mut self) {
        if self.child == Life::Gone && !self.anybody_ours() {
            self.queue.push_back(Event::Tree(Tree::Gone));
        }
    }

    /// Reports entrypoint's children other than the direct one.
    pub(crate) fn scan(&mut self) {
        if self.child == Life::Gone && !self.anybody_ours() {
            self.queue.push_back(Event::Tree(Tree::Gone));
            return;
        }
        let ours = (0..N).filter(|index| self.others[*index].is_ours());
        let process = |index| Process { id: identity(index), filter: index == 1, in_group: index == 0 };
        let children = ours.map(process).collect();
        self.queue.push_back(Event::Tree(Tree::Children(children)));
    }

    /// Sends a signal. Only SIGKILL has an effect that is certain.
    pub(crate) fn signal(&mut self, signal: Signal, to: Target) {
        if signal != Signal::KILL {
            return;
        }
        match to {
            Target::Child => self.child.kill(),
            Target::ChildGroup => {
                self.child.kill();
                self.others[0].kill();
            }
            Target::Process(pid) | Target::GroupOf(pid) => self.others[index_of(pid)].kill(),
            Target::Descendant(id) => self.others[index_of(id.pid)].kill(),
        }
    }
}

/// Returns the policy of entrypoint's defaults, as the process with pid 1.
pub(crate) fn policy() -> &'static Policy {
    static DEFAULT: LazyLock<Policy> =
        LazyLock::new(|| Policy { is_init: true, ..EntrypointOptions::default().policy(None) });
    &DEFAULT
}
