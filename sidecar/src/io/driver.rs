//! The one loop: events from the system into the machine, its effects out.

mod landing;
mod last_words;
mod once;
mod pass;
mod records;
mod timers;
mod uploads;

use super::earlier;
use super::flight::{Context, Flights, Place};
use super::interrupts::Interrupts;
use super::listing::{Item, Listing};
use super::markers::{Hints, WatchedEntry};
use super::object::ObjectPlan;
use super::own_log::OwnLog;
use super::progress::Progress;
use super::secrets::SecretStore;
use super::store::Store;
use crate::deliver::{
    Action, Budget, Completeness, Config, Effect, Event, Machine, Pace, Part, Plan, Policy, Record, State,
    Timer, Verdict, exit_status, rest,
};
use crate::layout::manifest::PassTimes;
use crate::layout::media_types::MediaTypes;
use crate::layout::paths::{FINISHED, MANIFEST};
use crate::settings::Settings;
use bytes::Bytes;
use common::duration::GoDuration;
use common::timestamp::Timestamp;
pub use once::Undelivered;
use std::collections::VecDeque;
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
    secrets: Option<Arc<SecretStore>>,
    machine: Machine,
    /// One per marker path.
    watched: Vec<WatchedEntry>,
    /// For each entry, which of them is its own.
    watch_of: Vec<usize>,
    plan: ObjectPlan,
    pace: Pace,
    start: Instant,
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
    /// How many results were written.
    results: u64,
    passes: Vec<PassTimes>,
    /// When the given time is over.
    deadline: Option<Timestamp>,
    began: Instant,
    checkpoint_took: Duration,
    progress: Progress,
}

impl Driver {
    /// Everything is ready, nothing has been looked at.
    pub fn new(settings: Arc<Settings>, secrets: Option<Arc<SecretStore>>, own_log: OwnLog) -> Self {
        let (weights, limits) = uploads::limits(settings.delivery.memory_bytes());
        let (watched, watch_of) = watches(&settings);
        let censor = secrets.as_ref().map(|secrets| secrets.current());
        let place = Rc::new(Place::of(&settings));
        let earlier = earlier::reading(Rc::clone(&place), settings.paths.key(MANIFEST));
        Self {
            machine: Machine::new(Config {
                entries: settings.entries.len(),
                ignore_interrupts: settings.ignore_interrupts,
                budget: settings.delivery.grace_period.map(|time| Budget::of(time.as_std())),
                interim: settings.pod_grace_period.map(|time| Budget::of(time).deadline),
                native: settings.delivery.native_sidecar,
                checkpoints: settings.delivery.checkpoint_interval.is_some(),
            }),
            types: Arc::new(MediaTypes::load(
                |path| std::fs::read_to_string(path).ok(),
                &settings.upload.media_types,
            )),
            context: Rc::new(Context { place, censor, limits, earlier }),
            plan: Plan::new(weights),
            progress: Progress::new(&own_log),
            pace: Pace::default(),
            start: Instant::now(),
            settings,
            own_log,
            secrets,
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
            results: 0,
            passes: Vec::new(),
            deadline: None,
            began: Instant::now(),
            checkpoint_took: Duration::ZERO,
        }
    }

    /// Runs until the machine is over; gives sidecar's exit status.
    pub async fn run(mut self, interrupts: &mut Interrupts) -> u8 {
        let hints = Hints::new(self.settings.entries.iter().map(|entry| Path::new(&entry.marker_file)));
        let mut rescan = tokio::time::interval(RESCAN);
        rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for effect in self.machine.start() {
            self.carry_out(effect);
        }
        self.look();
        while !self.machine.is_over() {
            let waiting = self.machine.ends().is_none();
            tokio::select! {
                signal = interrupts.next() => self.handle(Event::Interrupt(signal)),
                () = hints.changed(), if waiting => self.look(),
                _ = rescan.tick(), if waiting => self.look(),
                due = self.timers.due() => self.due(due),
                (number, sent, landed) = self.flights.land() => self.landed(number, sent, landed),
                listed = pass::listed(&mut self.listing) => self.listed(listed),
                content = pass::composed(&mut self.composing) => self.composed(content),
                () = self.progress.tick(), if !self.flights.is_empty() => self.show_progress(),
            }
        }
        self.end().await
    }

    /// Looks at every entry that has not ended.
    fn look(&mut self) {
        self.look_again();
        self.proceed();
    }

    fn look_again(&mut self) {
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
            let left = self.timers.left(Timer::Cutoff);
            for action in self.plan.start_more(left.and_then(|left| self.pace.room(left))) {
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
            Effect::ArmEarliest(timer, after) => {
                if timer == Timer::Cutoff {
                    self.plan.hurry();
                }
                if timer == Timer::Deadline {
                    let at = Timestamp::now().after(after);
                    self.deadline = Some(self.deadline.map_or(at, |armed| armed.min(at)));
                }
                self.timers.arm_earliest(timer, after);
            }
            Effect::ArmCheckpoint => {
                let interval =
                    self.settings.delivery.checkpoint_interval.map_or(Duration::MAX, GoDuration::as_std);
                self.timers.arm(Timer::Checkpoint, rest(interval, self.checkpoint_took));
            }
            Effect::Look => self.look_again(),
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
            self.starting(policy);
        }
        if record == Record::CheckpointDone {
            self.checkpoint_took = self.began.elapsed();
        }
        let watched: Vec<_> = self.entries().collect();
        records::write(record, &self.settings.entries, &watched);
        if let Record::Starting(Policy::BestEffort | Policy::Final) = record {
            self.own_log.freeze();
        }
    }

    fn starting(&mut self, policy: Policy) {
        if self.settings.deprecated_entry && policy != Policy::Checkpoint {
            tracing::warn!("wrapper_options is deprecated, use entries instead");
        }
        self.began = Instant::now();
        let name = match policy {
            Policy::Checkpoint => "checkpoint",
            Policy::BestEffort => "best_effort",
            Policy::Final => "final",
        };
        // Of many checkpoints only the last one is of interest.
        if policy == Policy::Checkpoint {
            self.passes.retain(|pass| pass.policy != name);
        }
        self.passes.push(PassTimes { policy: name, started: Timestamp::now(), finished: None });
    }

    /// The watched entries in the order of the options.
    fn entries(&self) -> impl Iterator<Item = &WatchedEntry> {
        self.watch_of.iter().map(|watch| &self.watched[*watch])
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start(number) => self.start(number),
            Action::GiveUp(number) => self.flights.give_up(number, &self.context),
        }
    }

    fn show_progress(&mut self) {
        let under_way = self.context.store().map_or(0, Store::bytes_in_flight);
        self.progress.show(&self.plan, under_way);
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

    /// Gives up what is left and says how it ended.
    async fn end(self) -> u8 {
        self.last_words();
        close(self.flights, &self.context).await;
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

/// Gives up what is still in flight, and leaves nothing of it behind.
async fn close(flights: Flights, context: &Context) {
    drop(flights);
    if let Some(store) = context.store() {
        // What a store does not answer in time is left to its bucket's lifecycle rule.
        let _ = tokio::time::timeout(Duration::from_secs(5), store.settled()).await;
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

#[cfg(test)]
mod tests;
