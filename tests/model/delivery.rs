//! Sidecar: its two cores, and a driver that does what the real one does.

use crate::bucket::{Bucket, Condition, Content, Key, Write};
use crate::world::{Config, Mutation};
use common::signal::Signal;
use sidecar::deliver::{
    Action, Budget, Class, Desired, Effect, Event, Failure, Look, Machine, Part, Plan, Policy, State, Timer,
    Weights,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

type Objects = Plan<Content, u8, Content>;

/// A transfer on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Flight {
    pub(crate) write: Write,
    /// It was told to end.
    pub(crate) given_up: bool,
    /// It may be given up.
    pub(crate) fenced: bool,
    /// It yields to what it may not look at.
    yields: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Delivery {
    pub(crate) machine: Machine,
    pub(crate) plan: Objects,
    pub(crate) timers: BTreeSet<Timer>,
    pub(crate) flights: BTreeMap<u32, Flight>,
    pub(crate) listing: Option<Policy>,
    listed: Option<u8>,
    policy: Policy,
    awaited_part: Option<(Policy, Part)>,
    awaited_result: Option<Policy>,
    results: u8,
    /// The deadline has come.
    pub(crate) expired: bool,
    /// The time for uploads was over.
    pub(crate) cut: bool,
    readable: bool,
    mutation: Option<Mutation>,
}

fn key(class: Class) -> Key {
    match class {
        Class::OwnLog => Key::OwnLog,
        Class::Manifest => Key::Manifest,
        Class::Result => Key::Result,
        Class::Alias | Class::LatestBuild | Class::BuildLog | Class::Artifact => Key::Log,
    }
}

fn desired(key: &str, class: Class, source: Content, fingerprint: u8) -> Desired<Content, u8> {
    Desired { key: key.into(), class, bytes: 1, source, fingerprint }
}

impl Delivery {
    pub(crate) fn new(config: &Config) -> Self {
        let machine = Machine::new(sidecar::deliver::Config {
            entries: 1,
            ignore_interrupts: config.ignore_interrupts,
            budget: config.deadline.then(|| Budget::of(Duration::from_secs(30))),
            checkpoints: config.checkpoints,
            interim: config.interim.then_some(Duration::from_secs(16)),
            native: config.native,
        });
        let mut this = Self {
            machine,
            plan: Plan::new(Weights { memory: 1 << 20, largest: 1 << 16, in_flight: 4 }),
            timers: BTreeSet::new(),
            flights: BTreeMap::new(),
            listing: None,
            listed: None,
            policy: Policy::Final,
            awaited_part: None,
            awaited_result: None,
            results: 0,
            expired: false,
            cut: false,
            readable: config.readable,
            mutation: config.mutation,
        };
        let effects = this.machine.start();
        // Nothing but a timer can be wanted at the start.
        this.timers.extend(effects.iter().map(|_| Timer::Checkpoint));
        this
    }

    /// A look at the entry.
    pub(crate) fn see(&mut self, look: Look, log: u8) -> Result<(), String> {
        if self.mutation == Some(Mutation::DeafToMarkers) && matches!(look, Look::Marker { .. }) {
            return Ok(());
        }
        self.event(Event::Seen { entry: 0, look }, log)
    }

    pub(crate) fn term(&mut self, look: Look, log: u8) -> Result<(), String> {
        self.event(Event::Interrupt(Signal::TERM), log)?;
        self.see(look, log)
    }

    pub(crate) fn fire(&mut self, timer: Timer, log: u8) -> Result<(), String> {
        self.timers.remove(&timer);
        self.expired |= timer == Timer::Deadline;
        self.cut |= timer == Timer::Cutoff;
        if timer == Timer::Deadline && self.mutation == Some(Mutation::DeadlineIgnored) {
            return Ok(());
        }
        self.event(Event::Fired(timer), log)
    }

    /// The files have been listed.
    pub(crate) fn list(&mut self, log: u8) -> Result<(), String> {
        let Some(policy) = self.listing.take() else { return Ok(()) };
        self.listed = Some(log);
        self.event(Event::Prepared(policy), log)
    }

    /// The pause of an object is over.
    pub(crate) fn wake(&mut self, number: u32, log: u8) -> Result<(), String> {
        self.plan.wake(number);
        self.proceed(Vec::new(), log)
    }

    /// The numbers of objects that pause.
    pub(crate) fn pausing(&self) -> Vec<u32> {
        (0..4)
            .filter(|number| {
                self.plan.objects().count() > *number as usize
                    && self.plan.object(*number).state == State::Pausing
            })
            .collect()
    }

    /// A transfer reached the store and its answer came back.
    pub(crate) fn served(&mut self, number: u32, bucket: &mut Bucket, log: u8) -> Result<(), String> {
        let Some(flight) = self.flights.get_mut(&number) else { return Ok(()) };
        let write = flight.write;
        if bucket.apply(write) {
            return self.stored(number, Some(write.content), log);
        }
        if flight.given_up {
            // Nobody is left to try it again.
            return self.given_up(number, log);
        }
        // What `provisional` of the driver does with a condition that failed.
        flight.write.condition = match bucket.get(write.key) {
            Some(content) if self.readable => Condition::IfContent(content),
            None => Condition::IfAbsent,
            Some(_) if flight.yields => return self.stored(number, None, log),
            Some(_) => {
                flight.fenced = false;
                Condition::Overwrite
            }
        };
        Ok(())
    }

    fn stored(&mut self, number: u32, content: Option<Content>, log: u8) -> Result<(), String> {
        self.flights.remove(&number);
        let desired = &self.plan.object(number).desired;
        let (fingerprint, held) = match content {
            Some(Content::Log(version)) => (version, Content::Log(version)),
            Some(content) => (desired.fingerprint, content),
            None => (desired.fingerprint, desired.source),
        };
        self.plan.stored(number, fingerprint, false, held);
        self.proceed(Vec::new(), log)
    }

    /// A transfer failed, whatever became of its request.
    pub(crate) fn failed(&mut self, number: u32, log: u8) -> Result<(), String> {
        self.flights.remove(&number);
        let failure = Failure::Transient { message: String::new(), wish: None };
        // The pause is over when its object is woken.
        let _ = self.plan.failed(number, failure, 0);
        self.proceed(Vec::new(), log)
    }

    /// A transfer that was given up has landed.
    pub(crate) fn given_up(&mut self, number: u32, log: u8) -> Result<(), String> {
        self.flights.remove(&number);
        self.plan.given_up(number);
        self.proceed(Vec::new(), log)
    }

    fn event(&mut self, event: Event, log: u8) -> Result<(), String> {
        self.proceed(vec![event], log)
    }

    /// As the driver's function of this name.
    fn proceed(&mut self, mut events: Vec<Event>, log: u8) -> Result<(), String> {
        loop {
            while !events.is_empty() {
                for effect in self.machine.handle(events.remove(0)) {
                    self.carry_out(effect, log)?;
                }
            }
            if self.machine.is_over() {
                return Ok(());
            }
            for action in self.plan.start_more(None) {
                self.act(action, log)?;
            }
            self.answer(&mut events);
            if events.is_empty() {
                return Ok(());
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, log: u8) -> Result<(), String> {
        match effect {
            Effect::Record(_) | Effect::Look | Effect::Finish => {}
            Effect::Arm(timer, _) | Effect::ArmEarliest(timer, _) => drop(self.timers.insert(timer)),
            Effect::ArmCheckpoint => drop(self.timers.insert(Timer::Checkpoint)),
            Effect::Disarm(timer) => drop(self.timers.remove(&timer)),
            Effect::Prepare(policy) => (self.listing, self.listed) = (Some(policy), None),
            Effect::Send(policy, part) => return self.send(policy, part, log),
            Effect::Cut => {
                for action in self.plan.cut(Part::Bulk) {
                    self.act(action, log)?;
                }
            }
            Effect::WriteResult(policy, _) => {
                self.awaited_result = Some(policy);
                self.results += 1;
                let verdict = self.machine.ends().map(sidecar::deliver::Verdict::of);
                let result = desired("finished.json", Class::Result, Content::result(verdict), self.results);
                if let Some(action) = self.plan.submit(result) {
                    self.act(action, log)?;
                }
            }
            Effect::AbandonResult => {
                if let Some(action) = self.plan.abandon("finished.json") {
                    self.act(action, log)?;
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, policy: Policy, part: Part, log: u8) -> Result<(), String> {
        self.awaited_part = Some((policy, part));
        let document = match part {
            Part::Bulk => {
                self.policy = policy;
                self.listing = None;
                let Some(listed) = self.listed.take() else { return Ok(()) };
                if self.mutation == Some(Mutation::FinalPassDoesNotLook)
                    && policy == Policy::Final
                    && self.plan.find("build-log.txt").is_some()
                {
                    return Ok(());
                }
                let listing = vec![desired("build-log.txt", Class::BuildLog, Content::Log(listed), listed)];
                for action in self.plan.reconcile(policy, listing) {
                    self.act(action, log)?;
                }
                return Ok(());
            }
            Part::OwnLog => {
                let content = u8::from(policy == Policy::Final);
                desired("sidecar-logs.json", Class::OwnLog, Content::OwnLog(content), content)
            }
            Part::Manifest => {
                let stored = self.plan.find("build-log.txt").and_then(|log| log.stored.as_deref().copied());
                let stored = stored.and_then(|content| match content {
                    Content::Log(version) => Some(version),
                    Content::OwnLog(_) | Content::Manifest(_) | Content::Result(_) => None,
                });
                if self.mutation == Some(Mutation::ResultBeforeManifest) {
                    // Its answer is said to be there before it is sent.
                    return Ok(());
                }
                desired(
                    "manifest.json",
                    Class::Manifest,
                    Content::Manifest(stored),
                    stored.unwrap_or(u8::MAX),
                )
            }
        };
        match self.plan.submit(document) {
            Some(action) => self.act(action, log),
            None => Ok(()),
        }
    }

    fn act(&mut self, action: Action, log: u8) -> Result<(), String> {
        match action {
            Action::Start(number) => self.start(number, log),
            Action::GiveUp(number) => {
                if let Some(flight) = self.flights.get_mut(&number) {
                    flight.given_up = flight.fenced;
                    if self.mutation == Some(Mutation::ProvisionalNotFenced)
                        && flight.write.key == Key::Result
                    {
                        // As if nothing of it could take effect any more.
                        self.plan.given_up(number);
                    }
                }
                Ok(())
            }
        }
    }

    fn start(&mut self, number: u32, log: u8) -> Result<(), String> {
        let object = self.plan.object(number);
        let (class, content) = (object.desired.class, object.desired.source);
        let of_result = self.awaited_result == Some(Policy::Final);
        let last = if class == Class::Result { of_result } else { self.policy == Policy::Final };
        if self.flights.contains_key(&number) {
            return Err("I5: an object is on its way twice".to_owned());
        }
        if class == Class::Result && last && !self.flights.is_empty() {
            return Err("I4: something is on its way together with the final result".to_owned());
        }
        if class == Class::Result
            && last
            && self.plan.find("manifest.json").is_none_or(|it| it.state.is_open())
        {
            return Err("I4: the final result comes before the manifest".to_owned());
        }
        let unconditional = self.mutation == Some(Mutation::ProvisionalUnconditional);
        let condition = match object.stored.as_deref() {
            _ if last || unconditional => Condition::Overwrite,
            Some(content) => Condition::IfContent(*content),
            None => Condition::IfAbsent,
        };
        // A file is read when it is sent, not when it was listed.
        let content = if class == Class::BuildLog { Content::Log(log) } else { content };
        let write = Write { key: key(class), content, condition };
        let flight = Flight { write, given_up: false, fenced: true, yields: class == Class::Result };
        self.flights.insert(number, flight);
        Ok(())
    }

    fn answer(&mut self, events: &mut Vec<Event>) {
        if let Some((policy, part)) = self.awaited_part
            && self.plan.is_settled(part)
        {
            self.awaited_part = None;
            events.push(Event::Sent(policy, part));
        }
        if let Some(policy) = self.awaited_result
            && self.plan.find("finished.json").is_none_or(|result| !result.state.is_open())
        {
            self.awaited_result = None;
            events.push(Event::ResultSettled(policy, self.plan.completeness()));
        }
    }

    /// I7: whoever is not done can be woken up, and the deadline ends everything.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.machine.is_over() {
            return Ok(());
        }
        if self.expired {
            return Err("I7: sidecar outlives its deadline".to_owned());
        }
        let waits = self.machine.end(0).is_none();
        let busy = self.listing.is_some() || !self.flights.is_empty() || !self.pausing().is_empty();
        if waits || busy || self.machine.is_staying() {
            Ok(())
        } else {
            Err("I7: nobody will wake sidecar up".to_owned())
        }
    }
}
