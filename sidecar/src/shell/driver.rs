//! The one loop: events from the system into the machine, its effects out.

mod records;
mod timers;
mod uploads;

use super::documents;
use super::flight::{Context, Flights, Landed, Place};
use super::interrupts::Interrupts;
use super::listing::{self, Item, Listing, document};
use super::markers::{Hints, WatchedEntry};
use super::object::{Fingerprint, ObjectPlan, Record as Stored};
use super::own_log::OwnLog;
use super::progress::Progress;
use crate::censor::Censor;
use crate::deliver::{
    Action, Budget, Class, Completeness, Config, Effect, Event, Failure, Machine, Part, Plan, Policy, Record,
    State, Verdict, Weights, exit_status,
};
use crate::layout::manifest::PassTimes;
use crate::layout::media_types::MediaTypes;
use crate::layout::paths::{FINISHED, MANIFEST, OWN_LOG, WITHHELD_SUFFIX};
use crate::settings::Settings;
use bytes::Bytes;
use common::timestamp::Timestamp;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use timers::{Due, Timers};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// Between two looks at every entry, whatever was hinted: releasing a lock
/// raises no event.
const RESCAN: Duration = Duration::from_secs(1);

/// What the loop works with.
#[derive(Debug)]
pub struct Driver {
    settings: Arc<Settings>,
    types: Arc<MediaTypes>,
    own_log: OwnLog,
    machine: Machine,
    /// One per marker path.
    watched: Vec<WatchedEntry>,
    /// For each entry, which of them is its own.
    watch_of: Vec<usize>,
    plan: ObjectPlan,
    context: Rc<Context>,
    flights: Flights,
    timers: Timers,
    events: VecDeque<Event>,
    listing: Option<(Policy, JoinHandle<Listing>)>,
    listed: Option<Listing>,
    items: Vec<Option<Item>>,
    composing: Option<JoinHandle<Bytes>>,
    policy: Policy,
    awaited_part: Option<(Policy, Part)>,
    awaited_result: Option<Policy>,
    passes: Vec<PassTimes>,
    began: Instant,
    progress: Progress,
}

impl Driver {
    /// Everything is ready, nothing has been looked at.
    pub fn new(settings: Arc<Settings>, censor: Option<Arc<Censor>>, own_log: OwnLog) -> Self {
        let limits = uploads::limits(settings.delivery.memory_bytes());
        let weights = Weights {
            memory: settings.delivery.memory_bytes(),
            largest: (limits.part_bytes * limits.parts_in_memory) as u64,
            in_flight: uploads::MOST_IN_FLIGHT,
        };
        let (watched, watch_of) = watches(&settings);
        Self {
            machine: Machine::new(Config {
                entries: settings.entries.len(),
                ignore_interrupts: settings.ignore_interrupts,
                budget: settings.delivery.grace_period.map(|time| Budget::of(time.as_std())),
            }),
            types: Arc::new(MediaTypes::load(Path::new("/"), &settings.upload.media_types)),
            context: Rc::new(Context { place: Place::of(&settings), censor, limits }),
            plan: Plan::new(weights),
            settings,
            own_log,
            watched,
            watch_of,
            flights: Flights::default(),
            timers: Timers::default(),
            events: VecDeque::new(),
            listing: None,
            listed: None,
            items: Vec::new(),
            composing: None,
            policy: Policy::Final,
            awaited_part: None,
            awaited_result: None,
            passes: Vec::new(),
            began: Instant::now(),
            progress: Progress::default(),
        }
    }

    /// Runs until the machine is over; gives sidecar's exit status.
    pub async fn run(mut self, interrupts: &mut Interrupts) -> u8 {
        let hints = Hints::new(self.settings.entries.iter().map(|entry| Path::new(&entry.marker_file)));
        let mut rescan = tokio::time::interval(RESCAN);
        rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.look();
        while !self.machine.is_over() {
            let waiting = self.machine.ends().is_none();
            tokio::select! {
                signal = interrupts.next() => self.handle(Event::Interrupt(signal)),
                () = hints.changed(), if waiting => self.look(),
                _ = rescan.tick(), if waiting => self.look(),
                due = self.timers.due() => self.due(due),
                (number, landed) = self.flights.land() => self.landed(number, landed),
                listed = listed(&mut self.listing) => self.listed(listed),
                content = composed(&mut self.composing) => self.composed(content),
                () = self.progress.tick(), if !self.flights.is_empty() => self.progress.record(&self.plan),
            }
        }
        self.end().await
    }

    /// Looks at every entry that has not ended.
    fn look(&mut self) {
        for watch in 0..self.watched.len() {
            let entries: Vec<usize> = (0..self.watch_of.len())
                .filter(|entry| self.watch_of[*entry] == watch && self.machine.end(*entry).is_none())
                .collect();
            if entries.is_empty() {
                continue;
            }
            let look = self.watched[watch].look();
            self.events.extend(entries.into_iter().map(|entry| Event::Seen { entry, look }));
        }
        self.proceed();
    }

    fn handle(&mut self, event: Event) {
        self.events.push_back(event);
        self.proceed();
    }

    /// Passes events on and carries effects out until there are none left.
    fn proceed(&mut self) {
        loop {
            while let Some(event) = self.events.pop_front() {
                for effect in self.machine.handle(event) {
                    self.carry_out(effect);
                }
            }
            if self.machine.is_over() {
                return;
            }
            for action in self.plan.start_more() {
                self.act(action);
            }
            self.answer();
            if self.events.is_empty() {
                return;
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Record(record) => self.record(record),
            Effect::Arm(timer, after) => self.timers.arm(timer, after),
            Effect::Disarm(timer) => self.timers.disarm(timer),
            Effect::Prepare(policy) => self.prepare(policy),
            Effect::Send(policy, part) => self.send(policy, part),
            Effect::Cut => {
                for action in self.plan.cut(Part::Bulk) {
                    self.act(action);
                }
            }
            Effect::WriteResult(policy, verdict) => self.write_result(policy, verdict),
            Effect::AbandonResult => {
                self.composing = None;
                if let Some(action) = self.plan.abandon(FINISHED) {
                    self.act(action);
                }
            }
            // The loop ends; what is in flight is given up by then.
            Effect::Finish => {}
        }
    }

    fn record(&mut self, record: Record) {
        if let Record::Starting(policy) = record {
            if self.settings.deprecated_entry {
                tracing::warn!("wrapper_options is deprecated, use entries instead");
            }
            self.began = Instant::now();
            let policy = match policy {
                Policy::BestEffort => "best_effort",
                Policy::Final => "final",
            };
            self.passes.push(PassTimes { policy, started: Timestamp::now(), finished: None });
        }
        let watched: Vec<_> = self.entries().collect();
        records::write(record, &self.settings.entries, &watched);
        if let Record::Starting(_) = record {
            self.own_log.freeze();
        }
    }

    /// The watched entries in the order of the options.
    fn entries(&self) -> impl Iterator<Item = &WatchedEntry> {
        self.watch_of.iter().map(|watch| &self.watched[*watch])
    }

    fn prepare(&mut self, policy: Policy) {
        let settings = Arc::clone(&self.settings);
        let (types, censor) = (Arc::clone(&self.types), self.context.censor.clone());
        if matches!(self.context.place, Place::Broken(_)) {
            // Credentials may have been put right meanwhile.
            let (place, censor) = (Place::of(&self.settings), self.context.censor.clone());
            self.context = Rc::new(Context { place, censor, limits: self.context.limits });
        }
        // An earlier listing goes on to nobody's use; it cannot be stopped.
        let list = move || listing::list(&settings, &types, censor.as_deref());
        self.listing = Some((policy, tokio::task::spawn_blocking(list)));
    }

    fn listed(&mut self, (policy, listing): (Policy, Listing)) {
        self.listed = Some(listing);
        self.handle(Event::Prepared(policy));
    }

    fn send(&mut self, policy: Policy, part: Part) {
        self.awaited_part = Some((policy, part));
        let submitted = match part {
            Part::Bulk => {
                self.policy = policy;
                return self.reconcile();
            }
            Part::OwnLog => document(OWN_LOG, Class::OwnLog, self.own_log.content()),
            Part::Manifest => {
                if let Some(pass) = self.passes.last_mut() {
                    pass.finished = Some(Timestamp::now());
                }
                let entries: Vec<_> = self.entries().collect();
                let mask = |text: &str| self.masked(text);
                let content = documents::manifest(&self.settings, &self.plan, &entries, &self.passes, &mask);
                document(MANIFEST, Class::Manifest, content)
            }
        };
        if let Some(action) = self.plan.submit(submitted) {
            self.act(action);
        }
    }

    /// Hands the listing to the plan; at a cutoff there may be none.
    fn reconcile(&mut self) {
        self.listing = None;
        let Some(listing) = self.listed.take() else { return };
        self.items = listing.items;
        for action in self.plan.reconcile(listing.wanted) {
            self.act(action);
        }
        for (skipped, reason) in listing.skipped {
            self.plan.skip(skipped, &reason);
        }
        let withheld: Vec<_> = self
            .plan
            .objects()
            .filter_map(|object| match &object.state {
                State::Withheld(reason) => {
                    Some((object.desired.key.clone(), object.desired.class, reason.clone()))
                }
                State::Due
                | State::InFlight
                | State::Restarting
                | State::Leaving(_)
                | State::Pausing
                | State::Stored
                | State::Changed
                | State::Skipped(_)
                | State::Cut
                | State::Failed(_) => None,
            })
            .collect();
        for (key, class, reason) in withheld {
            self.note_withheld(&key, class, &reason);
        }
    }

    fn write_result(&mut self, policy: Policy, verdict: Verdict) {
        self.awaited_result = Some(policy);
        let (settings, machine) = (Arc::clone(&self.settings), self.machine.clone());
        let reports: Vec<_> = self.entries().map(|entry| entry.report().cloned()).collect();
        let censor = self.context.censor.clone();
        let compose = move || {
            let mask =
                |text: &str| censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text));
            documents::finished(&settings, &machine, &reports, verdict, &mask)
        };
        self.composing = Some(tokio::task::spawn_blocking(compose));
    }

    fn composed(&mut self, content: Bytes) {
        if let Some(action) = self.plan.submit(document(FINISHED, Class::Result, content)) {
            self.act(action);
        }
        self.proceed();
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start(number) => self.start(number),
            Action::GiveUp(number) => self.flights.give_up(number, &self.context),
        }
    }

    fn due(&mut self, due: Due) {
        match due {
            Due::Timer(timer) => self.handle(Event::Fired(timer)),
            Due::Pause(number) => {
                self.plan.wake(number);
                self.proceed();
            }
        }
    }

    /// Tells the machine what has come to rest.
    fn answer(&mut self) {
        if let Some((policy, part)) = self.awaited_part
            && self.plan.is_settled(part)
        {
            self.awaited_part = None;
            self.events.push_back(Event::Sent(policy, part));
        }
        if let Some(policy) = self.awaited_result
            && self.composing.is_none()
            && self.plan.find(FINISHED).is_none_or(|result| !result.state.is_open())
        {
            self.awaited_result = None;
            let duration = records::go_duration(self.began.elapsed());
            tracing::info!(duration = %duration, "Finished uploading");
            self.events.push_back(Event::ResultSettled(policy, self.plan.completeness()));
        }
    }

    fn landed(&mut self, number: u32, landed: Landed) {
        let object = self.plan.object(number);
        let (key, class) = (object.desired.key.clone(), object.desired.class);
        match landed {
            Landed::GivenUp => self.plan.given_up(number),
            Landed::Stored(None) => {
                self.plan.stored(number, object.desired.fingerprint, false, Stored::default());
            }
            Landed::Stored(Some(stored)) => {
                let fingerprint =
                    stored.source_stamp.as_ref().map_or(object.desired.fingerprint, Fingerprint::of_file);
                let changed = stored.changed;
                let provisional = self.policy == Policy::BestEffort || class == Class::Result;
                tracing::info!(dest = %self.describe(&key), "Finished upload");
                self.plan.stored(number, fingerprint, changed, Stored::new(*stored, provisional));
            }
            Landed::Failed(failure) => self.failed(number, &key, class, failure),
        }
        self.proceed();
    }

    fn failed(&mut self, number: u32, key: &str, class: Class, failure: Failure) {
        let dest = self.describe(key);
        let withheld = match &failure {
            Failure::Withheld(reason) => Some(reason.clone()),
            Failure::Transient { .. } | Failure::Permanent(_) | Failure::Skipped(_) => None,
        };
        let text = match &failure {
            Failure::Transient { message, .. } => message.clone(),
            Failure::Permanent(text) | Failure::Withheld(text) | Failure::Skipped(text) => text.clone(),
        };
        if let Some(pause) = self.plan.failed(number, failure, jitter()) {
            let pause_text = records::go_duration(pause);
            tracing::debug!(dest = %dest, error = %text, "Retrying upload in {pause_text}");
            self.timers.pause(number, pause);
        } else if matches!(self.plan.object(number).state, State::Failed(_)) {
            tracing::error!(dest = %dest, error = %text, "Failed upload");
        } else if let Some(reason) = withheld {
            tracing::warn!(dest = %dest, error = %text, "Withheld, because it cannot be censored");
            self.note_withheld(key, class, &reason);
        } else {
            tracing::info!(dest = %dest, error = %text, "Skipped upload");
        }
    }

    /// Puts a line with the reason in the place of an object that is withheld.
    fn note_withheld(&mut self, key: &str, class: Class, reason: &str) {
        let note = document(format!("{key}{WITHHELD_SUFFIX}"), class, format!("{reason}\n").into());
        if let Some(action) = self.plan.submit(note) {
            self.act(action);
        }
    }

    fn masked(&self, text: &str) -> String {
        self.context.censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text))
    }

    /// Gives up what is left and says how it ended.
    async fn end(self) -> u8 {
        drop(self.flights);
        if let Some(store) = self.context.store() {
            // What a store does not answer in time is left to its bucket's lifecycle rule.
            let _ = tokio::time::timeout(Duration::from_secs(5), store.settled()).await;
        }
        let verdict = self.machine.ends().map(Verdict::of);
        let (entry_error, fail_on_error) = (self.settings.entry_error, self.settings.delivery.fail_on_error);
        let result = self.plan.find(FINISHED).map(|result| &result.state);
        let delivered = match result {
            Some(State::Stored) => self.plan.completeness(),
            // At the deadline there may be no result at all.
            Some(_) | None => Completeness::Incomplete,
        };
        let status = exit_status(verdict, delivered, entry_error, fail_on_error);
        match verdict {
            Some(verdict) if entry_error && verdict.failures > 0 => {
                common::fatal!("{} containers failed", verdict.failures);
            }
            None if entry_error => common::fatal!("not all containers ended in the given time"),
            Some(_) | None => {}
        }
        status
    }
}

/// One watch per marker path, and which of them belongs to each entry.
fn watches(settings: &Settings) -> (Vec<WatchedEntry>, Vec<usize>) {
    let mut paths: Vec<&str> = Vec::new();
    let mut watch_of = Vec::new();
    for entry in &settings.entries {
        let known = paths.iter().position(|path| *path == entry.marker_file);
        watch_of.push(known.unwrap_or_else(|| {
            paths.push(&entry.marker_file);
            paths.len() - 1
        }));
    }
    (paths.into_iter().map(|path| WatchedEntry::new(Path::new(path))).collect(), watch_of)
}

async fn listed(listing: &mut Option<(Policy, JoinHandle<Listing>)>) -> (Policy, Listing) {
    let Some((policy, handle)) = listing else { return std::future::pending().await };
    let (policy, done) = (*policy, handle.await);
    *listing = None;
    match done {
        Ok(listing) => (policy, listing),
        Err(error) => {
            tracing::error!(error = %error, "The files could not be listed");
            (policy, Listing::default())
        }
    }
}

async fn composed(composing: &mut Option<JoinHandle<Bytes>>) -> Bytes {
    let Some(handle) = composing else { return std::future::pending().await };
    let done = handle.await;
    *composing = None;
    done.unwrap_or_else(|error| {
        tracing::error!(error = %error, "The result could not be put together");
        Bytes::new()
    })
}

/// A number from the system's random source, for pauses.
fn jitter() -> u32 {
    let random = RandomState::new().hash_one(0_u8);
    u32::try_from(random >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests;
