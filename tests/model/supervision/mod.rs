//! Explores entrypoint's core alone, in every interleaving of a small world: breadth
//! first over the states of the core together with the state of the world, checking
//! the invariants after every step.
//!
//! The world consists of the direct child, its child, that one's child (a filter),
//! which may start at any time or never, the pipe, the timers, and an I/O layer that
//! carries out effects and reports events in order. Everything possible may happen at any time: signals, ends,
//! running timers, orphans, a process that not even SIGKILL ends, a marker that
//! cannot be written.

mod world;

use crate::processes::{Life, policy};
use common::duration::GoDuration;
use common::report::ChildEnd;
use common::signal::Signal;
use entrypoint::supervise::{
    EscalationStep, Event, Interrupt, Leftovers, Marker, Output, Policy, Predecessor, Setup, SignalScope,
    State, StopSignals, Trigger, begin, step,
};
use std::collections::{HashMap, VecDeque};
use world::{World, check_signals};

type Node = (State, World);

/// Returns the events that can happen next, each with the world after it.
fn possible_events(
    state: &State,
    world: &World,
    previous: &[Predecessor],
    signals: &[Signal],
) -> Vec<(Event, World)> {
    let mut all = Vec::new();
    let with = |change: &dyn Fn(&mut World), event: Event| {
        let mut next = world.clone();
        change(&mut next);
        (event, next)
    };
    // The I/O layer handles its queue before it waits for anything else.
    if let Some(event) = world.tree.queue.front() {
        let event = event.clone();
        return vec![with(&|next| drop(next.tree.queue.pop_front()), event)];
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
            let started = |next: &mut World| next.tree.child = Life::Ours;
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
    for timer in world.tree.timers.iter().filter(|timer| world.can_be_next(**timer)) {
        let fire = |next: &mut World| next.tree.timers.retain(|other| other != timer);
        all.push(with(&fire, Event::Fired(*timer)));
    }
    if world.signals_left > 0 {
        for signal in signals {
            all.push(with(&|next| next.signals_left -= 1, Event::Signal(*signal)));
        }
    }
    if world.pipe_open && world.tree.child != Life::Future {
        all.push(with(&|_| {}, Event::Output(Output::Bytes)));
        if !world.tree.anybody_alive() || world.tree.child == Life::Ours {
            all.push(with(&|next| next.pipe_open = false, Event::Output(Output::Closed)));
        }
    }
    all
}

/// Returns the worlds after what can happen to the processes without an event.
fn process_changes(state: &State, world: &World) -> Vec<World> {
    let signalled = matches!(state, State::Terminating(_) | State::Killing(_));
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut World)| {
        let mut next = world.clone();
        change(&mut next);
        all.push(next);
    };
    match world.tree.child {
        Life::Ours => {
            with(&|next| next.tree.end_child(ChildEnd::ExitCode(0)));
            with(&|next| next.tree.end_child(ChildEnd::ExitCode(3)));
        }
        Life::Doomed => with(&|next| next.tree.end_child(ChildEnd::Signal(Signal::KILL))),
        Life::Future | Life::Hidden | Life::Gone => {}
    }
    for index in 0..2 {
        match world.tree.others[index] {
            Life::Hidden => {
                // A parent in between ends, or it does, reaped by its parent.
                with(&|next| next.tree.others[index] = Life::Ours);
                with(&|next| next.tree.end_other(index));
            }
            Life::Ours | Life::Doomed => with(&|next| next.tree.end_other(index)),
            Life::Future => {
                if world.tree.child == Life::Ours {
                    with(&|next| (next.tree.others, next.late) = ([Life::Hidden; 2], signalled));
                }
            }
            Life::Gone => {}
        }
    }
    all
}

/// Visits every reachable node and returns their number.
fn explore(policy: &Policy, proc: bool, signals: &[Signal]) -> usize {
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
        for (event, mut world) in possible_events(&state, &world, &previous, signals) {
            let step = step(policy, state.clone(), event);
            check_signals(policy, &step.effects);
            for effect in &step.effects {
                world.execute(policy, proc, effect);
            }
            check_after_step(&step.state, &world);
            next.push((step.state, world));
        }
        if world.tree.queue.is_empty() {
            next.extend(process_changes(&state, &world).into_iter().map(|world| (state.clone(), world)));
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
        assert_ne!(world.tree.child, Life::Ours, "a child that was never told to end is left alone");
    }
}

/// Signals that may arrive, in most worlds.
const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::USR1];

fn escalation() -> Vec<EscalationStep> {
    vec![EscalationStep { signal: Signal::TERM, after: GoDuration::from_secs(5) }]
}

#[test]
fn i1_i2_i3_hold_in_every_interleaving() {
    let nodes = explore(policy(), true, &SIGNALS);
    assert!(nodes > 10_000, "{nodes} is no exploration");
}

#[test]
fn i1_i2_i3_hold_while_waiting_for_a_predecessor() {
    explore(&Policy { await_previous: true, ..policy().clone() }, true, &[Signal::TERM]);
}

#[test]
fn i1_i2_i3_hold_with_escalation() {
    let signals = [Signal::INT, Signal::TERM];
    for (interrupt, signals) in [
        (Interrupt::IntThenReceived, &signals[1..]),
        (Interrupt::IntThenEscalation, &signals),
        (Interrupt::Received, &signals[1..]),
    ] {
        let policy = Policy { escalation: escalation(), interrupt, ..policy().clone() };
        explore(&policy, true, signals);
    }
}

#[test]
fn i1_i2_i3_hold_when_the_supervisor_hangs_up() {
    let stop_signals = StopSignals::new(&[Signal::HUP]);
    explore(&Policy { is_init: false, stop_signals, ..policy().clone() }, true, &[Signal::TERM, Signal::HUP]);
}

#[test]
fn i1_i2_i3_hold_for_groups_for_kept_leftovers_and_without_proc() {
    explore(&Policy { signal_scope: SignalScope::Group, ..policy().clone() }, true, &SIGNALS);
    explore(&Policy { leftovers: Leftovers::Keep, ..policy().clone() }, true, &[Signal::INT, Signal::TERM]);
    explore(policy(), false, &SIGNALS);
    let policy = Policy { leftovers: Leftovers::Keep, signal_scope: SignalScope::Group, ..policy().clone() };
    explore(&policy, false, &SIGNALS);
}
