//! The coordinator: the whole core of delivery behind one function.
//!
//! ```text
//!  Input ─▶ Coordinator ──events──▶ Machine   when to begin, upgrade and end a pass
//!             │   ▲  └──objects──▶ Plan      what is wanted, stored, in flight
//!             │   └──directives───┘
//!             │      └──attempts──▶ Write     who may overwrite what
//!             └─▶ [Effect]
//! ```
//!
//! It holds what ties the three together: the policy in force, the part that the
//! machine waits for, the attempts in flight and how fast they are. Time,
//! randomness and what the store can do come with each input as a [`Moment`].

mod passes;
mod patience;
mod transfers;

use super::effect::Effect;
use super::event::{Bulk, Document, Event, Input, Timer};
use super::machine::Machine;
use super::plan::{Action, Completeness, Desired, Object, Plan, Weights};
use super::policy::{Part, Policy};
use super::throughput::Throughput;
use patience::{Clock, Patience};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;
use transfers::Attempt;

/// Facts remembered of a stored object; by default none are known.
pub trait Remembered: Default {
    /// The store's name for one content of an object.
    type Version: Clone + Debug + Eq + Hash;

    /// The version that was stored.
    fn version(&self) -> Option<&Self::Version>;

    /// Forgets the version: no later write needs it.
    fn forget_version(&mut self);
}

/// Settings that never change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// Settings of the machine.
    pub machine: super::Config,
    /// Limits of all transfers together.
    pub weights: Weights,
    /// The least pause between two checkpoints.
    pub checkpoint_interval: Duration,
    /// How long nothing may arrive before the remaining objects are given up.
    pub retry_for: Duration,
    /// The time for the artifacts of a pass; `None` for any.
    pub pass_time: Option<Duration>,
    /// The id of this build, for `latest-build.txt`.
    pub build_id: Box<str>,
}

/// The circumstances of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time since the start of the program.
    pub now: Duration,
    /// A random number.
    pub random: u32,
    /// The store honours preconditions, as far as is known.
    pub preconditions: bool,
    /// Bytes of incomplete objects that the store has accepted.
    pub accepted: u64,
}

/// A listing whose files are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Listing {
    policy: Policy,
    /// The plan was told.
    begun: bool,
    /// It was cut: what it had found is still to come.
    cut: bool,
    /// It has left out files.
    is_partial: bool,
}

impl Listing {
    fn new(policy: Policy) -> Self {
        Self { policy, begun: false, cut: false, is_partial: false }
    }
}

/// The result that the machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AwaitedResult {
    policy: Policy,
    /// It is not known yet what the result holds.
    composing: bool,
}

/// The core of delivery. `handle` is the only way to change it, once it was
/// started.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator<S, F, T: Remembered> {
    setup: Setup,
    machine: Machine,
    events: VecDeque<Event>,
    plan: Plan<S, F, T>,
    attempts: BTreeMap<u32, Attempt<F, T::Version>>,
    throughput: Throughput,
    /// The policy of the last listing that the plan was given.
    policy: Policy,
    listing: Option<Listing>,
    listed: Option<Bulk<S, F>>,
    /// The last listing that was used found all files.
    is_listing_complete: bool,
    /// The time of uploads is over.
    uploads_cut: bool,
    /// The time for the artifacts of this pass is over.
    artifacts_cut: bool,
    awaited_part: Option<(Policy, Part)>,
    /// Documents that are being made, without the result.
    composing: u32,
    awaited_result: Option<AwaitedResult>,
    result_key: Option<Box<str>>,
    clock: Clock,
    patience: Patience,
    pass_began: Duration,
    checkpoint_took: Duration,
}

/// Effects of a coordinator that remembers stored objects as `T`.
type Effects<T> = Vec<Effect<<T as Remembered>::Version>>;

impl<S, F: Clone + PartialEq, T: Remembered> Coordinator<S, F, T> {
    /// Knows nothing of any object; every entry runs.
    pub fn new(setup: Setup) -> Self {
        Self {
            machine: Machine::new(setup.machine.clone()),
            plan: Plan::new(setup.weights),
            setup,
            events: VecDeque::new(),
            attempts: BTreeMap::new(),
            throughput: Throughput::default(),
            policy: Policy::Final,
            listing: None,
            listed: None,
            is_listing_complete: true,
            uploads_cut: false,
            artifacts_cut: false,
            awaited_part: None,
            composing: 0,
            awaited_result: None,
            result_key: None,
            clock: Clock::default(),
            patience: Patience::default(),
            pass_began: Duration::ZERO,
            checkpoint_took: Duration::ZERO,
        }
    }

    /// Returns what is to be done before anything has happened.
    #[must_use]
    pub fn start(&mut self, moment: &Moment) -> Effects<T> {
        let mut effects = Vec::new();
        for directive in self.machine.start() {
            self.follow(directive, moment, &mut effects);
        }
        effects
    }

    /// Takes one input. The effects are to be carried out in their order.
    #[must_use]
    pub fn handle(&mut self, input: Input<S, F, T, T::Version>, moment: &Moment) -> Effects<T> {
        let mut effects = Vec::new();
        let out = &mut effects;
        self.look_for_parts(moment, out);
        match input {
            Input::Event(event) => self.event(event, moment, out),
            Input::Found(policy, bulk) if self.is_listing(policy) => self.found(policy, bulk, moment, out),
            Input::Listed(policy, bulk) if self.is_listing(policy) => {
                self.listed = Some(bulk);
                self.events.push_back(Event::Prepared(policy));
            }
            Input::ListingFailed(policy) if self.is_listing(policy) => {
                self.events.push_back(Event::Prepared(policy));
            }
            // A listing that was replaced; and parts were looked for.
            Input::Found(..) | Input::Listed(..) | Input::ListingFailed(_) | Input::Ticked => {}
            Input::Composed(document, desired) => self.composed(&document, desired, moment, out),
            Input::NotComposed => self.composing = self.composing.saturating_sub(1),
            Input::TransferEnded(number, outcome) => self.transfer_ended(number, outcome, moment, out),
            Input::ObjectLookedAt(number, status) => self.looked_at(number, status, moment, out),
        }
        self.proceed(moment, out);
        effects
    }

    /// Delivers these files, outside of any pass: nothing is waited for and no
    /// result follows. More of them may follow until the last ones.
    #[must_use]
    pub fn upload(&mut self, bulk: Bulk<S, F>, is_last: bool, moment: &Moment) -> Effects<T> {
        let mut effects = Vec::new();
        self.listing.get_or_insert(Listing::new(Policy::Final));
        self.found(Policy::Final, bulk, moment, &mut effects);
        if is_last {
            self.end_listing(&mut effects);
        }
        self.proceed(moment, &mut effects);
        effects
    }

    /// Takes the artifacts that are done with out of the plan, for the
    /// caller to write down. To be called between two inputs, when their effects are
    /// carried out.
    #[must_use]
    pub fn retire(&mut self) -> Vec<Object<S, F, T>> {
        self.plan.retire()
    }

    /// Delivers one more object, outside of any pass.
    #[must_use]
    pub fn submit(&mut self, desired: Desired<S, F>, moment: &Moment) -> Effects<T> {
        let mut effects = Vec::new();
        self.want(desired, moment, &mut effects);
        self.proceed(moment, &mut effects);
        effects
    }

    /// The machine, to ask about entries.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The plan, to ask about objects.
    pub fn plan(&self) -> &Plan<S, F, T> {
        &self.plan
    }

    /// Returns whether nothing of any part is to happen any more.
    pub fn is_settled(&self) -> bool {
        self.composing == 0
            && [Part::Bulk, Part::OwnLog, Part::Page, Part::Manifest]
                .into_iter()
                .all(|part| self.plan.is_settled(part))
    }

    /// Returns whether the destination holds everything that it should.
    pub fn completeness(&self) -> Completeness {
        if self.is_listing_complete { self.plan.completeness() } else { Completeness::Incomplete }
    }

    /// Returns whether the latest result is stored.
    pub fn is_result_stored(&self) -> bool {
        let result = self.result_key.as_deref().and_then(|key| self.plan.find(key));
        result.is_some_and(|result| result.state.is_stored())
    }

    /// Returns whether the attempt to store this object may be abandoned: false
    /// where its request would be applied whenever the store comes to it.
    pub fn is_abortable(&self, number: u32) -> bool {
        self.attempts.get(&number).is_none_or(Attempt::is_abortable)
    }

    fn event(&mut self, event: Event, moment: &Moment, out: &mut Effects<T>) {
        match event {
            Event::Fired(Timer::Attempt(number)) => self.timed_out(number, moment, out),
            Event::Fired(Timer::Pause(number)) => self.plan.wake(number),
            Event::Fired(Timer::Probe) => self.plan.probe(),
            Event::Fired(Timer::Waiting) => self.still_waiting(moment, out),
            Event::Fired(Timer::GiveUp) => self.give_up(moment, out),
            Event::Fired(Timer::PassTime) => self.limit_artifacts(moment, out),
            Event::Fired(timer) => {
                if timer == Timer::Cutoff {
                    self.clock.uploads_end = None;
                }
                self.events.push_back(event);
            }
            Event::Observed { .. }
            | Event::Interrupt(_)
            | Event::Prepared(_)
            | Event::Sent(..)
            | Event::ResultSettled(..) => self.events.push_back(event),
        }
    }

    /// Passes events on and follows directives until there are none left.
    fn proceed(&mut self, moment: &Moment, out: &mut Effects<T>) {
        loop {
            while let Some(event) = self.events.pop_front() {
                for directive in self.machine.handle(event) {
                    self.follow(directive, moment, out);
                }
            }
            if self.machine.is_over() {
                return;
            }
            let left = self.clock.uploads_end.map(|at| at.saturating_sub(moment.now));
            let room = left.and_then(|left| self.throughput.bytes_within(left));
            let actions = self.plan.start_more(room);
            self.act(actions, moment, out);
            self.settle(out);
            self.cease_to_wait(out);
            if self.events.is_empty() {
                return;
            }
        }
    }

    fn want(&mut self, desired: Desired<S, F>, moment: &Moment, out: &mut Effects<T>) {
        let action = self.plan.submit(desired);
        self.act(action, moment, out);
    }

    fn act(&mut self, actions: impl IntoIterator<Item = Action>, moment: &Moment, out: &mut Effects<T>) {
        for action in actions {
            match action {
                Action::Start(number) => self.start_attempt(number, moment, out),
                Action::Abort(number) => self.abort(number, moment, out),
            }
        }
    }
}

#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod outage_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod tests;
