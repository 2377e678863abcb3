//! The one loop: what happens goes into the core as inputs, its effects are
//! carried out.

mod compose;
mod limits;
mod listings;
mod once;
mod panics;
mod records;
mod share;
mod spares;
mod times;
mod trace;
mod uploads;

use super::context::Context;
use super::documents;
use super::fault_injection;
use super::interrupts::Interrupts;
use super::jitter::jitter;
use super::journal::Journal;
use super::listing::Walking;
use super::logs::Logs;
use super::markers::{Entries, Hints, WatchedEntry};
use super::object::{Core, Effect, Input, Wanted};
use super::own_log::OwnLog;
use super::progress::Progress;
use super::repeated::Repeated;
use super::secrets::SecretStore;
use super::store::Store;
use super::termination_message;
use super::timers::Timers;
use super::transfers::{Request, Transfers};
use crate::deliver::sentence::{Evidence, Told};
use crate::deliver::{
    Budget, Completeness, Config, Document, End, Event, Moment, Policy, Record, Setup, Verdict, Weights,
    exit_status,
};
use crate::junit::Reports;
use crate::layout::finished::sentence;
use crate::layout::manifest::ListingGap;
use crate::settings::Settings;
use common::duration::GoDuration;
use common::signal::Signal;
use compose::Composing;
pub use limits::{MAX_THREADS, threads};
pub use once::Undelivered;
pub use records::{ABOUT_DESTINATION, FAILED_UPLOAD};
use share::Share;
use spares::Spares;
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use times::Times;
use tokio::time::{Instant, MissedTickBehavior};
use trace::Tracing;

/// Between two looks at every entry, whatever was hinted: releasing a lock
/// raises no event.
const RESCAN_INTERVAL: Duration = Duration::from_secs(1);

/// Time for the store to abort uploads at the end; the rest is left to the
/// bucket's lifecycle rule.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The loop's state. `run` waits for entries and delivers; `send_once` only delivers.
#[derive(Debug)]
pub struct Driver {
    settings: Arc<Settings>,
    own_log: OwnLog,
    secrets: Option<Arc<SecretStore>>,
    entries: Entries,
    core: Core,
    inputs: VecDeque<Input>,
    context: Rc<Context>,
    transfers: Transfers,
    timers: Timers,
    listing: Option<(Policy, Walking)>,
    has_begun: bool,
    share: Share,
    /// Shorter documents, where what was composed cannot be stored.
    spares: Spares,
    /// Objects taken out of the plan in this pass.
    journal: Option<Box<Journal>>,
    /// The gap of the last listing, if it was cut.
    gap: Option<ListingGap>,
    /// The test reports read so far.
    tests: Reports,
    /// Excerpts of the logs read so far.
    logs: Logs,
    /// The result that is being made.
    composing: Option<Composing>,
    /// The page that is being made.
    paging: Option<Composing>,
    /// The first signal that told the pod to stop, and when it came.
    told_to_stop: Option<(Signal, Instant)>,
    /// Evidence about each entry, for those that were lost.
    evidence: Vec<Evidence>,
    times: Times,
    progress: Progress,
    /// Objects that were not delivered, as far as they were logged.
    repeated: Repeated,
    /// Where a trace is wanted.
    tracing: Option<Tracing>,
}

impl Driver {
    /// Everything is ready, nothing has been looked at.
    pub fn new(settings: Arc<Settings>, secrets: Option<Arc<SecretStore>>, own_log: OwnLog) -> Self {
        let (weights, limits) = limits::of(settings.delivery.memory_bytes());
        let censor = secrets.as_ref().map(|secrets| secrets.current());
        let machine = Config {
            entries: settings.entries.len(),
            ignore_interrupts: settings.ignore_interrupts,
            budget: settings.delivery.grace_period.map(|time| Budget::of(time.as_std())),
            interim: settings.pod_grace_period.map(|time| Budget::of(time).deadline),
            start_timeout: settings.delivery.start_timeout.map(GoDuration::as_std),
            native: settings.delivery.native_sidecar,
            page: settings.delivery.report_page,
            checkpoints: settings.delivery.checkpoint_interval.is_some(),
        };
        let interval = settings.delivery.checkpoint_interval.map_or(Duration::MAX, GoDuration::as_std);
        let build_id = settings.paths.latest_build.first().map_or("", |pointer| pointer.content.as_str());
        let setup = Setup {
            machine,
            weights: Weights { sent_bytes: settings.delivery.limits().sent_bytes(), ..weights },
            checkpoint_interval: interval,
            retry_for: settings.delivery.retry_for(),
            pass_time: settings.delivery.limits().time(),
            build_id: build_id.into(),
        };
        Self {
            entries: Entries::new(&settings.entries),
            core: Core::new(setup),
            inputs: VecDeque::new(),
            context: Rc::new(Context::new(&settings, censor, limits)),
            transfers: Transfers::default(),
            timers: Timers::default(),
            listing: None,
            has_begun: false,
            share: Share::of(settings.delivery.memory_bytes()),
            spares: Spares::default(),
            journal: None,
            gap: None,
            composing: None,
            paging: None,
            logs: Logs::default(),
            tests: Reports::default(),
            told_to_stop: None,
            evidence: vec![Evidence::default(); settings.entries.len()],
            times: Times::new(),
            progress: Progress::new(&own_log),
            repeated: Repeated::default(),
            tracing: None,
            settings,
            own_log,
            secrets,
        }
    }

    /// Runs until the core is done.
    async fn work(&mut self, interrupts: &mut Interrupts) {
        let hints = Hints::new(self.settings.entries.iter().map(|entry| Path::new(&entry.marker_file)));
        let mut rescan = tokio::time::interval(RESCAN_INTERVAL);
        rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let effects = self.core.start(&self.moment());
        self.carry_out(effects);
        self.look_at_entries();
        self.proceed();
        while !self.core.machine().is_over() {
            let waiting = self.core.machine().ends().is_none();
            tokio::select! {
                signal = interrupts.next() => self.interrupted(signal),
                () = hints.changed(), if waiting => self.look_at_entries(),
                _ = rescan.tick(), if waiting => self.look_at_entries(),
                timer = self.timers.next() => self.inputs.push_back(Input::Event(Event::Fired(timer))),
                ended = self.transfers.next_ended() => self.inputs.push_back(ended),
                (policy, news) = listings::news(&mut self.listing) => self.listed(policy, news),
                (verdict, made) = compose::made(&mut self.composing) => self.result_made(verdict, made),
                (_, made) = compose::made(&mut self.paging) => self.page_made(made),
                () = self.progress.tick(), if !self.transfers.is_empty() => self.show_progress(),
            }
            self.proceed();
        }
    }

    /// Hands inputs to the core and carries its effects out until there are none left.
    fn proceed(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            if let Input::TransferEnded(number, _) = &input {
                self.share.changed(1);
                fault_injection::point(format_args!("driver"));
                if let Some(tracing) = &mut self.tracing {
                    tracing.ends(*number, self.core.plan());
                }
            }
            let effects = self.core.handle(input, &self.moment());
            self.carry_out(effects);
        }
        self.make_room();
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.times.start.elapsed(),
            random: jitter(),
            preconditions: self.context.store().is_none_or(Store::conditional_writes),
            accepted: self.context.store().map_or(0, Store::bytes_in_flight),
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Log(record) => self.log(record),
                Effect::LogTransfer(number, record) => self.log_transfer(number, record),
                Effect::LogStore(record) => records::about_store(&record),
                Effect::Arm(timer, after) => self.timers.arm(timer, after),
                Effect::ArmEarliest(timer, after) => self.arm_earliest(timer, after),
                Effect::Disarm(timer) => self.timers.disarm(timer),
                Effect::LookAtEntries => self.look_at_entries(),
                Effect::BeginPass(policy) => self.begin_pass(policy),
                Effect::List(policy) => self.list(policy),
                Effect::CutListing => self.cut_listing(),
                Effect::Compose(document) => self.compose(document),
                Effect::StartTransfer { number, precondition, unless_stored } => {
                    if let Some(tracing) = &mut self.tracing {
                        tracing.begins(number);
                    }
                    let upload = Box::new(self.upload(number, precondition));
                    let spare = self.spare(self.core.plan().object(number).desired.class);
                    let request = Request::Put { upload, unless_stored, spare };
                    self.transfers.start(number, &self.context, request);
                }
                Effect::LookAtObject { number, content } => {
                    let key = self.key(number);
                    self.transfers.start(number, &self.context, Request::LookAt { key, content });
                }
                Effect::DistrustPreconditions(number) => {
                    if let Some(store) = self.context.store() {
                        store.distrust_preconditions(&self.key(number));
                    }
                }
                Effect::AbortTransfer(number) => self.transfers.abort(number),
                // The loop ends; what is in flight is abandoned by then.
                Effect::Finish => {}
            }
        }
    }

    /// Gathers evidence when an entry was lost, and writes the record.
    fn log(&mut self, record: Record) {
        if let Record::InterruptIgnored(_) | Record::InterruptCancelling(_) = record {
            self.times.interrupted.get_or_insert(Instant::now());
        }
        if let Record::Ended(entry, End::Lost { .. }) = record {
            let after = self.times.interrupted.map(|at| at.elapsed());
            self.evidence[entry] = self.entries.evidence(entry, after);
        }
        self.write_record(record);
    }

    /// Knowledge of each entry, with its container's name.
    fn told(&self) -> Vec<(&str, Told)> {
        documents::told(
            &self.settings,
            self.core.machine(),
            self.entries.iter().map(WatchedEntry::report),
            &self.evidence,
        )
    }

    /// Looks at every entry that has not ended.
    fn look_at_entries(&mut self) {
        let machine = self.core.machine();
        let seen = self.entries.look(|entry| machine.end(entry).is_none());
        self.inputs
            .extend(seen.map(|(entry, observation)| Input::Event(Event::Observed { entry, observation })));
    }

    fn begin_pass(&mut self, policy: Policy) {
        if self.settings.deprecated_entry && policy != Policy::Checkpoint {
            tracing::warn!("wrapper_options is deprecated, use entries instead");
        }
        self.times.begin(policy);
        records::beginning(policy);
        if policy != Policy::Checkpoint {
            self.own_log.freeze();
        }
    }

    fn submit(&mut self, document: Document, wanted: Wanted) {
        self.inputs.push_back(Input::Composed(document, wanted));
    }

    fn show_progress(&mut self) {
        let under_way = self.context.store().map_or(0, Store::bytes_in_flight);
        self.progress.show(self.core.plan(), under_way);
        self.inputs.push_back(Input::Ticked);
    }

    /// Abandons what is left and logs how it ended.
    async fn end(self) -> u8 {
        let verdict = self.core.machine().ends().map(Verdict::of);
        let is_result_stored = self.core.is_result_stored();
        let stored = verdict.filter(|_| is_result_stored);
        let tests = self.tests.summary(&|text| self.context.masked(text));
        let has_passed = stored.is_some_and(|verdict| verdict.passed);
        let clause = tests.as_ref().map(|tests| tests.clause(has_passed)).unwrap_or_default();
        let sentence = sentence(&self.told()) + &clause;
        let result = verdict.unwrap_or(Verdict::PROVISIONAL).result();
        let spans = if is_result_stored { self.spans(result, &sentence, tests.as_ref()) } else { None };
        let time_left = self.time_left();
        let gap = self.gap().map(|gap| gap.to_string());
        termination_message::write(&self.settings, &self.context, self.core.plan(), stored, (&sentence, gap));
        let (context, tracing) = (Rc::clone(&self.context), self.tracing);
        let mask = |text: &str| context.masked(text);
        let tell = async {
            if let (Some(tracing), Some(spans)) = (&tracing, spans) {
                tracing.telemetry.send(spans, time_left, &mask).await;
            }
        };
        tokio::join!(close(self.transfers, &self.context), tell);
        let (entry_error, fail_on_error) = (self.settings.entry_error, self.settings.delivery.fail_on_error);
        // At the deadline there may be no result at all.
        let is_whole = is_result_stored && self.spares.unlisted.is_none() && !context.shortened.get();
        let delivered = if is_whole { self.core.completeness() } else { Completeness::Incomplete };
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

/// Abandons what is still in flight, and leaves nothing of it behind.
async fn close(transfers: Transfers, context: &Context) {
    drop(transfers);
    if let Some(store) = context.store() {
        // See the constant.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, store.settled()).await;
    }
}

#[cfg(test)]
mod tests;
