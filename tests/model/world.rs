//! The pod as a whole, and what can happen next in it.

use crate::bucket::{Bucket, Content, Key, Write};
use crate::config::Config;
use crate::delivery::Delivery;
use crate::processes::Life;
use crate::test_container::TestContainer;
use common::report::ChildEnd;
use common::signal::Signal;
use entrypoint::supervise::{Event, Marker, Output, Setup, State};
use sidecar::deliver::{Observation, Timer};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Sidecar's container.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Sidecar {
    Alive(Rc<Delivery>),
    /// It ended by itself.
    Done {
        /// Uploads were cut.
        cut: bool,
    },
    /// It was killed; a native one is restarted.
    Dead,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub(crate) struct World {
    pub(crate) test: Rc<TestContainer>,
    pub(crate) sidecar: Sidecar,
    pub(crate) bucket: Bucket,
    /// The pod was told to stop; who has not heard of it yet.
    pub(crate) told: bool,
    pub(crate) test_to_hear: bool,
    pub(crate) sidecar_to_hear: bool,
    /// The grace period is over, or the node is gone.
    pub(crate) killed: bool,
    pub(crate) faults: u8,
    pub(crate) crashes: u8,
    /// Objects that a sidecar gave up because nothing arrived for too long.
    pub(crate) given_up: BTreeSet<Key>,
    pub(crate) config: Config,
}

/// A possible step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// To entrypoint.
    Entry(Event),
    Marked(Marker),
    ChildWrites,
    ChildEnds(ChildEnd),
    OtherEnds,
    /// The container is out of memory.
    TestDies,
    PodIsToldToStop,
    TestHears,
    PodIsKilled,
    SidecarDies,
    SidecarRestarts,
    /// A step of sidecar, or news that reach it.
    Sidecar(Act),
    ApplyLate(usize),
}

/// A possible step of sidecar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    HearTerm,
    See,
    Fire(Timer),
    List,
    /// A listing finds the first files.
    Find,
    /// The result is composed, with metadata or without.
    Compose(bool),
    Serve(u32),
    Refuse(u32),
    LoseAnswer(u32),
    /// The task of a request panics, before the store has seen it.
    Panic(u32),
    /// A request that was aborted ends: the store never saw it,
    Abort(u32),
    /// has applied it,
    AbortApplied(u32),
    /// or will apply it later.
    AbortLate(u32),
}

impl World {
    pub(crate) fn new(config: Config) -> Result<Self, String> {
        Ok(Self {
            test: Rc::new(TestContainer::new(config.mutation)?),
            sidecar: Sidecar::Alive(Rc::new(Delivery::new(&config))),
            bucket: Bucket::default(),
            told: false,
            test_to_hear: false,
            sidecar_to_hear: false,
            killed: false,
            faults: config.faults,
            crashes: config.crashes,
            given_up: BTreeSet::new(),
            config,
        })
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self.bucket.late().into_iter().map(Step::ApplyLate).collect();
        if self.killed || matches!(self.sidecar, Sidecar::Done { .. }) {
            return steps;
        }
        self.test_steps(&mut steps);
        self.kubelet_steps(&mut steps);
        if let Sidecar::Alive(delivery) = &self.sidecar {
            self.sidecar_steps(delivery, &mut steps);
        }
        steps
    }

    fn test_steps(&self, steps: &mut Vec<Step>) {
        let test = &self.test;
        let Some(core) = &test.core else { return };
        match core {
            State::Preparing(_) => steps.push(Step::Entry(Event::Setup(Setup::Prepared))),
            State::Spawning(_) => steps.push(Step::Entry(Event::Setup(Setup::Spawned))),
            State::Marking(_) if test.marking.is_some() => {
                steps.push(Step::Marked(Marker::Visible));
                if self.faults > 0 {
                    steps.push(Step::Marked(Marker::Failed));
                }
            }
            State::AwaitingPrevious { .. }
            | State::Running(_)
            | State::Terminating(_)
            | State::Killing(_)
            | State::Draining(_)
            | State::Leftovers(_)
            | State::Marking(_)
            | State::Done => {}
        }
        steps.extend(test.tree.timers.iter().map(|timer| Step::Entry(Event::Fired(*timer))));
        if test.in_pipe {
            steps.push(Step::Entry(Event::Output(Output::Bytes)));
        }
        if test.pipe_open && test.tree.child == Life::Gone && !test.tree.others[0].is_alive() {
            steps.push(Step::Entry(Event::Output(Output::Closed)));
        }
        if test.tree.child == Life::Ours && !test.wrote {
            steps.push(Step::ChildWrites);
        }
        match test.tree.child {
            Life::Ours => {
                steps.extend([0, 3].map(|code| Step::ChildEnds(ChildEnd::ExitCode(code))));
            }
            Life::Doomed => steps.push(Step::ChildEnds(ChildEnd::Signal(Signal::KILL))),
            Life::Future | Life::Hidden | Life::Gone => {}
        }
        if test.tree.others[0].is_alive() {
            steps.push(Step::OtherEnds);
        }
        if self.crashes > 0 {
            steps.push(Step::TestDies);
        }
    }

    fn kubelet_steps(&self, steps: &mut Vec<Step>) {
        steps.push(if self.told { Step::PodIsKilled } else { Step::PodIsToldToStop });
        if self.test_to_hear && self.test.core.is_some() {
            steps.push(Step::TestHears);
        }
        let ended = self.test.core.is_none();
        let may_hear = self.sidecar_to_hear || (self.config.native && ended);
        match &self.sidecar {
            Sidecar::Alive(_) if may_hear => steps.push(Step::Sidecar(Act::HearTerm)),
            Sidecar::Dead if self.config.native => steps.push(Step::SidecarRestarts),
            Sidecar::Alive(_) | Sidecar::Done { .. } | Sidecar::Dead => {}
        }
        if self.crashes > 0 && matches!(self.sidecar, Sidecar::Alive(_)) {
            steps.push(Step::SidecarDies);
        }
    }

    fn sidecar_steps(&self, delivery: &Delivery, steps: &mut Vec<Step>) {
        if delivery.core.machine().end(0).is_none()
            && !matches!(self.test.look(), Observation::Waiting | Observation::Absent)
        {
            steps.push(Step::Sidecar(Act::See));
        }
        // The parts of a given time end one after another.
        let in_order = [Timer::WaitShare, Timer::Cutoff, Timer::Deadline];
        let first = in_order.into_iter().find(|timer| delivery.timers.contains(timer));
        // A request that is not answered in time is a fault of the store.
        let fires = |timer: &&Timer| {
            let is_fault = matches!(timer, Timer::Attempt(_));
            // A container that is there takes its lock sooner.
            let too_early = matches!(timer, Timer::Start(_)) && self.test.core.is_some();
            !too_early
                && (!is_fault || self.faults > 0)
                && (!in_order.contains(timer) || first == Some(**timer))
        };
        steps.extend(delivery.timers.iter().filter(fires).map(|timer| Step::Sidecar(Act::Fire(*timer))));
        if delivery.listing.is_some() {
            steps.push(Step::Sidecar(Act::List));
            if !delivery.found {
                steps.push(Step::Sidecar(Act::Find));
            }
        }
        if delivery.composing.is_some() {
            steps.extend([true, false].map(|has_metadata| Step::Sidecar(Act::Compose(has_metadata))));
        }
        for (number, request) in &delivery.requests {
            steps.push(Step::Sidecar(Act::Serve(*number)));
            if delivery.may_end(*number, request) {
                steps.push(Step::Sidecar(Act::Abort(*number)));
                if request.write.is_some() {
                    steps.extend([Act::AbortApplied, Act::AbortLate].map(|act| Step::Sidecar(act(*number))));
                }
            } else if self.faults > 0 && request.write.is_some() {
                steps.extend([Act::Refuse, Act::LoseAnswer].map(|act| Step::Sidecar(act(*number))));
                // Nothing can stand for a result whose task panics.
                if request.key != Key::Result {
                    steps.push(Step::Sidecar(Act::Panic(*number)));
                }
            }
        }
    }

    pub(crate) fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Entry(event) => self.test_mut().event(event.clone()),
            Step::Marked(outcome) => {
                self.faults -= u8::from(*outcome == Marker::Failed);
                self.test_mut().marked(*outcome)
            }
            Step::ChildWrites => {
                let test = self.test_mut();
                (test.wrote, test.in_pipe) = (true, true);
                Ok(())
            }
            Step::ChildEnds(end) => self.test_mut().child_ends(*end),
            Step::OtherEnds => self.test_mut().other_ends(),
            Step::TestDies => {
                self.crashes -= 1;
                self.test_mut().kill();
                self.test_to_hear = false;
                Ok(())
            }
            Step::PodIsToldToStop => {
                (self.told, self.test_to_hear, self.sidecar_to_hear) =
                    (true, self.test.core.is_some(), !self.config.native);
                Ok(())
            }
            Step::TestHears => {
                self.test_to_hear = false;
                self.test_mut().event(Event::Signal(Signal::TERM))
            }
            Step::PodIsKilled => {
                self.nothing_follows();
                Ok(())
            }
            Step::SidecarDies => {
                self.crashes -= 1;
                self.abandon_all();
                self.sidecar = Sidecar::Dead;
                if !self.config.native {
                    self.nothing_follows();
                }
                Ok(())
            }
            Step::SidecarRestarts => {
                self.sidecar = Sidecar::Alive(Rc::new(Delivery::new(&self.config)));
                Ok(())
            }
            Step::ApplyLate(index) => {
                let write = self.bucket.late.remove(*index);
                self.bucket.apply(write);
                Ok(())
            }
            Step::Sidecar(act) => self.act(*act),
        }
    }

    fn test_mut(&mut self) -> &mut TestContainer {
        Rc::make_mut(&mut self.test)
    }

    /// Nobody will send anything any more. What the test container does from now
    /// on is of no interest here, so that all these states become few.
    fn nothing_follows(&mut self) {
        self.abandon_all();
        self.killed = true;
        self.sidecar = Sidecar::Dead;
        *self.test_mut() = TestContainer::gone();
        (self.test_to_hear, self.sidecar_to_hear, self.faults, self.crashes) = (false, false, 0, 0);
    }

    fn act(&mut self, act: Act) -> Result<(), String> {
        let (log, look) = (self.test.log, self.test.look());
        let Sidecar::Alive(delivery) = &mut self.sidecar else { return Ok(()) };
        let delivery = Rc::make_mut(delivery);
        let write = |number: u32, delivery: &Delivery| -> Option<Write> { delivery.requests[&number].write };
        match act {
            Act::HearTerm => {
                self.sidecar_to_hear = false;
                delivery.term(look, log)?;
            }
            Act::See => delivery.see(look, log)?,
            Act::Fire(timer) => {
                self.faults -= u8::from(matches!(timer, Timer::Attempt(_)));
                if timer == Timer::GiveUp {
                    self.given_up.extend(delivery.waiting());
                }
                delivery.fire(timer, log)?;
                if matches!(timer, Timer::Start(_)) {
                    // It makes sidecar look.
                    delivery.see(look, log)?;
                }
            }
            Act::List => delivery.list(log)?,
            Act::Find => delivery.find(log)?,
            Act::Compose(has_metadata) => delivery.composed(has_metadata, log)?,
            Act::Serve(number) => {
                delivery.served(number, &mut self.bucket, self.config.readable, log)?;
            }
            Act::Refuse(number) => {
                self.faults -= 1;
                delivery.failed(number, log)?;
            }
            Act::LoseAnswer(number) => {
                self.faults -= 1;
                self.bucket.apply_all(write(number, delivery));
                delivery.failed(number, log)?;
            }
            Act::Panic(number) => {
                self.faults -= 1;
                self.given_up.insert(delivery.requests[&number].key);
                delivery.panicked(number, log)?;
            }
            Act::Abort(number) => delivery.aborted(number, log)?,
            Act::AbortApplied(number) => {
                self.bucket.apply_all(write(number, delivery));
                delivery.aborted(number, log)?;
            }
            Act::AbortLate(number) => {
                self.bucket.abandon_all(write(number, delivery));
                delivery.aborted(number, log)?;
            }
        }
        if delivery.core.machine().is_over() {
            if delivery.expired {
                self.nothing_follows();
                return Ok(());
            }
            let cut = delivery.cut;
            self.abandon_all();
            self.sidecar = Sidecar::Done { cut };
        }
        Ok(())
    }

    /// Sidecar ends: the store may still come to what it had sent.
    fn abandon_all(&mut self) {
        if let Sidecar::Alive(delivery) = &self.sidecar {
            // A request that nothing may abort is the gap that the README names.
            let abortable =
                delivery.requests.iter().filter(|(number, _)| delivery.core.is_abortable(**number));
            self.bucket.abandon_all(abortable.filter_map(|(_, request)| request.write));
        }
    }

    /// The invariants, in this state and in the step that led to it.
    pub(crate) fn check(&self, before: &Self) -> Result<(), String> {
        if !self.killed {
            self.test.check()?;
        }
        if let Sidecar::Alive(delivery) = &self.sidecar {
            delivery.check()?;
        }
        self.bucket.check(&before.bucket)?;
        self.check_order(before)
    }

    /// I4: when the final result appears, everything else is there.
    fn check_order(&self, before: &Self) -> Result<(), String> {
        let appears = |key: Key| self.bucket.get(key) != before.bucket.get(key);
        if let Some(Content::Result(Some(_))) = self.bucket.get(Key::Result)
            && appears(Key::Result)
            && !self.config.interim
            && self.bucket.get(Key::Manifest).is_none()
            && !self.given_up.contains(&Key::Manifest)
        {
            return Err("I4: a final result without a manifest".to_owned());
        }
        Ok(())
    }
}
