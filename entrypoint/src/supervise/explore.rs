//! Explores every interleaving of a small world: breadth first over the states of
//! the machine together with the state of the world, checking the invariants after
//! every step.
//!
//! The world consists of the direct child, its child, that one's child (a filter),
//! the pipe, the timers, and an I/O layer that carries out effects and reports
//! events in order. Everything possible may happen at any time: signals, ends,
//! running timers, orphans, a process that not even SIGKILL ends, a marker that
//! cannot be written.

use super::*;
use common::report::ChildEnd;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// State of a process of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Life {
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
    fn is_alive(self) -> bool {
        matches!(self, Life::Hidden | Life::Ours | Life::Doomed)
    }

    fn is_ours(self) -> bool {
        matches!(self, Life::Ours | Life::Doomed)
    }
}

/// State of everything outside the machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
struct World {
    child: Life,
    others: [Life; 2],
    pipe_open: bool,
    timers: BTreeSet<Timer>,
    /// Events that the I/O layer will report next, in order.
    queue: VecDeque<Event>,
    signals_left: u8,
    last_sent_to_child: Option<Signal>,
    /// The pipe was drained after the last process had ended.
    drained: bool,
    marker: bool,
    unkillable_named: bool,
    exit: Option<u8>,
}

type Node = (State, World);

const OTHERS: [Pid; 2] = [Pid(8), Pid(9)];

impl World {
    fn new() -> Self {
        Self {
            child: Life::Future,
            others: [Life::Future; 2],
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

    fn anybody_ours(&self) -> bool {
        self.child.is_ours() || self.others.iter().any(|life| life.is_ours())
    }

    fn anybody_alive(&self) -> bool {
        self.child.is_alive() || self.others.iter().any(|life| life.is_alive())
    }

    /// Ends a process: we adopt its children; the I/O layer reaps and reports.
    fn end(&mut self, who: Option<usize>, end: ChildEnd) {
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

    fn execute(&mut self, policy: &Policy, proc: bool, effect: &Effect) {
        match effect {
            Effect::Scan => self.scan(proc),
            Effect::Signal { signal, to, .. } => self.signal(*signal, *to),
            Effect::Arm(timer, _) => {
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
            | Effect::Record(_)
            | Effect::LogText(_)
            | Effect::CloseLog(_) => {}
        }
    }

    fn scan(&mut self, proc: bool) {
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
            ours.map(|index| Process { pid: OTHERS[index], filter: index == 1, in_group: index == 0 });
        let processes = processes.collect();
        self.queue.push_back(Event::Tree(Tree::Children(processes)));
    }

    fn signal(&mut self, signal: Signal, to: Target) {
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
            Target::Process(pid) | Target::GroupOf(pid) => {
                let index = usize::from(pid == OTHERS[1]);
                assert_ne!(self.others[index], Life::Hidden, "only our own children are signalled");
                doom(&mut self.others[index]);
            }
        }
    }

    /// Checks I2 and I3 as far as the machine is concerned.
    fn check_before_marker(&self, policy: &Policy) {
        assert!(self.drained, "I2: the pipe is drained before the marker");
        let kept = policy.leftovers == Leftovers::Keep;
        if self.child != Life::Future {
            let alive = if kept { self.child.is_alive() } else { self.anybody_alive() };
            assert!(!alive || self.unkillable_named, "I3: {self:?}");
        }
    }
}

/// Returns the events that can happen next, each with the world after it.
fn possible_events(state: &State, world: &World, previous: &[Predecessor]) -> Vec<(Event, World)> {
    let mut all = Vec::new();
    let with = |change: &dyn Fn(&mut World), event: Event| {
        let mut next = world.clone();
        change(&mut next);
        (event, next)
    };
    // The I/O layer handles its queue before it waits for anything else.
    if let Some(event) = world.queue.front() {
        let event = event.clone();
        return vec![with(&|next| drop(next.queue.pop_front()), event)];
    }
    match state {
        State::Preparing(_) => {
            all.push(with(&|_| {}, Event::Setup(Setup::Prepared)));
            all.push(with(&|_| {}, Event::Setup(Setup::Unprepared("x".to_owned()))));
        }
        State::AwaitingPrevious { .. } => {
            for found in previous {
                let checks = [Trigger::Interval, Trigger::Inotify]
                    .map(|trigger| Setup::Previous(found.clone(), trigger));
                all.extend(checks.map(|check| with(&|_| {}, Event::Setup(check))));
            }
        }
        State::Spawning(_) => {
            let started = |next: &mut World| (next.child, next.others) = (Life::Ours, [Life::Hidden; 2]);
            all.push(with(&started, Event::Setup(Setup::Spawned)));
            all.push(with(&|_| {}, Event::Setup(Setup::SpawnFailed("x".to_owned()))));
        }
        State::Marking(_) => {
            all.push(with(&|next| next.marker = true, Event::Marker(Marker::Visible)));
            all.push(with(&|_| {}, Event::Marker(Marker::Failed)));
        }
        State::Running(_)
        | State::Terminating(_)
        | State::Killing(_)
        | State::Draining(_)
        | State::Leftovers(_)
        | State::Done => {}
    }
    for timer in &world.timers {
        let fire = |next: &mut World| next.timers.retain(|other| other != timer);
        all.push(with(&fire, Event::Fired(*timer)));
    }
    if world.signals_left > 0 {
        for signal in [Signal::INT, Signal::TERM, Signal::USR1] {
            all.push(with(&|next| next.signals_left -= 1, Event::Signal(signal)));
        }
    }
    if world.pipe_open && world.child != Life::Future {
        all.push(with(&|_| {}, Event::Output(Output::Bytes)));
        if !world.anybody_alive() || world.child == Life::Ours {
            all.push(with(&|next| next.pipe_open = false, Event::Output(Output::Closed)));
        }
    }
    all
}

/// Returns the worlds after what can happen to the processes without an event.
fn process_changes(world: &World) -> Vec<World> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut World)| {
        let mut next = world.clone();
        change(&mut next);
        all.push(next);
    };
    match world.child {
        Life::Ours => {
            with(&|next| next.end(None, ChildEnd::ExitCode(0)));
            with(&|next| next.end(None, ChildEnd::ExitCode(3)));
        }
        Life::Doomed => with(&|next| next.end(None, ChildEnd::Signal(Signal::KILL))),
        Life::Future | Life::Hidden | Life::Gone => {}
    }
    for index in 0..2 {
        match world.others[index] {
            Life::Hidden => {
                // A parent in between ends, or it does, reaped by its parent.
                with(&|next| next.others[index] = Life::Ours);
                with(&|next| next.end(Some(index), ChildEnd::ExitCode(0)));
            }
            Life::Ours | Life::Doomed => with(&|next| next.end(Some(index), ChildEnd::ExitCode(0))),
            Life::Future | Life::Gone => {}
        }
    }
    all
}

/// Visits every reachable node and returns their number.
fn explore(policy: &Policy, proc: bool) -> usize {
    let previous = [
        Predecessor::Waiting,
        Predecessor::Vanished,
        Predecessor::Code(0),
        Predecessor::Code(9),
        Predecessor::Unreadable("x".to_owned()),
        Predecessor::Lost,
    ];
    let first: Node = (begin().state, World::new());
    let mut numbers = HashMap::from([(first.clone(), 0)]);
    let mut graph = Graph { parents: vec![Vec::new()], ends: Vec::new() };
    let mut frontier = VecDeque::from([(0, first)]);
    while let Some((number, (state, world))) = frontier.pop_front() {
        if state == State::Done {
            graph.ends.push(number);
            continue;
        }
        let mut next: Vec<Node> = Vec::new();
        for (event, mut world) in possible_events(&state, &world, &previous) {
            let step = step(policy, state.clone(), event);
            for effect in &step.effects {
                world.execute(policy, proc, effect);
            }
            check_after_step(&step.state, &world);
            next.push((step.state, world));
        }
        if world.queue.is_empty() {
            next.extend(process_changes(&world).into_iter().map(|world| (state.clone(), world)));
        }
        for node in next {
            let known = numbers.get(&node).copied();
            let child = known.unwrap_or_else(|| {
                let child = graph.parents.len();
                numbers.insert(node.clone(), child);
                graph.parents.push(Vec::new());
                frontier.push_back((child, node));
                child
            });
            graph.parents[child].push(number);
        }
    }
    let trapped = graph.trapped();
    let shown = numbers.iter().find(|(_, number)| trapped.contains(number));
    assert!(trapped.is_empty(), "no way out of {shown:?}");
    numbers.len()
}

/// The reached nodes by number, each with its predecessors.
struct Graph {
    parents: Vec<Vec<usize>>,
    ends: Vec<usize>,
}

impl Graph {
    /// Returns the nodes from which the end cannot be reached, of which there must be none.
    fn trapped(&self) -> Vec<usize> {
        let mut free = vec![false; self.parents.len()];
        let mut frontier = self.ends.clone();
        while let Some(number) = frontier.pop() {
            if !std::mem::replace(&mut free[number], true) {
                frontier.extend(&self.parents[number]);
            }
        }
        (0..free.len()).filter(|number| !free[*number]).collect()
    }
}

/// Checks I1: entrypoint exits, which frees its lock, only after the marker is visible
/// or was given up with status 127.
fn check_after_step(state: &State, world: &World) {
    assert_eq!(*state == State::Done, world.exit.is_some(), "I1: done means exiting");
    if let Some(status) = world.exit {
        assert!(world.marker || status == 127, "I1: {world:?}");
        assert_ne!(world.child, Life::Ours, "a child that was never told to end is left alone");
    }
}

fn policy() -> Policy {
    Policy {
        timeout: GoDuration::from_secs(60),
        grace_period: GoDuration::from_secs(15),
        await_previous: false,
        escalation: Vec::new(),
        leftovers: Leftovers::End,
        signal_scope: SignalScope::Child,
        propagate_error_code: false,
        always_zero: false,
    }
}

#[test]
fn i1_i2_i3_hold_in_every_interleaving() {
    let nodes = explore(&policy(), true);
    assert!(nodes > 10_000, "{nodes} is no exploration");
}

#[test]
fn i1_i2_i3_hold_while_waiting_for_a_predecessor() {
    explore(&Policy { await_previous: true, ..policy() }, true);
}

#[test]
fn i1_i2_i3_hold_with_escalation() {
    let escalation = vec![EscalationStep { signal: Signal::TERM, after: GoDuration::from_secs(5) }];
    explore(&Policy { escalation, ..policy() }, true);
}

#[test]
fn i1_i2_i3_hold_for_groups_for_kept_leftovers_and_without_proc() {
    explore(&Policy { signal_scope: SignalScope::Group, ..policy() }, true);
    explore(&Policy { leftovers: Leftovers::Keep, ..policy() }, true);
    explore(&policy(), false);
    explore(&Policy { leftovers: Leftovers::Keep, signal_scope: SignalScope::Group, ..policy() }, false);
}
