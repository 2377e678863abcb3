//! Sidecar: its core, and the requests and timers that its effects lead to.

use crate::bucket::{Bucket, Content, Key, Write};
use crate::config::{Config, Mutation};
use common::signal::Signal;
use sidecar::deliver::{
    Budget, Bulk, Class, Coordinator, Desired, Document, Effect, Event, Failure, Input, Moment, ObjectStatus,
    Observation, Outcome, Policy, Precondition, Remembered, Setup, State, Timer, Verdict, Weights,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Facts that sidecar remembers of a stored object: the content is its own version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Stored {
    content: Option<Content>,
    has_version: bool,
}

impl Remembered for Stored {
    type Version = Content;

    fn version(&self) -> Option<&Content> {
        self.content.as_ref().filter(|_| self.has_version)
    }

    fn forget_version(&mut self) {
        self.has_version = false;
    }
}

type In = Input<Content, u8, Stored, Content>;

/// A request on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Request {
    /// The write; a look has none.
    pub(crate) write: Option<Write>,
    pub(crate) key: Key,
    /// It was told to end.
    pub(crate) aborted: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a mode, and three events that come in any order")]
pub(crate) struct Delivery {
    pub(crate) core: Coordinator<Content, u8, Stored>,
    pub(crate) timers: BTreeSet<Timer>,
    pub(crate) requests: BTreeMap<u32, Request>,
    pub(crate) listing: Option<Policy>,
    /// The result that is being composed, where that takes time.
    pub(crate) composing: Option<(Verdict, Desired<Content, u8>)>,
    slow_result: bool,
    /// It has found the log, but not all files.
    pub(crate) found: bool,
    /// The last listing, for a core that does not look again.
    listed: Option<u8>,
    /// The deadline has come.
    pub(crate) expired: bool,
    /// The time for uploads was over.
    pub(crate) cut: bool,
    mutation: Option<Mutation>,
}

const MOMENT: Moment = Moment { now: Duration::ZERO, random: 0, preconditions: true, accepted: 0 };

fn desired(key: &str, class: Class, source: Content, fingerprint: u8) -> Desired<Content, u8> {
    Desired { key: key.into(), class, bytes: 1, source, fingerprint }
}

fn own_log(policy: Policy) -> Desired<Content, u8> {
    let content = u8::from(policy == Policy::Final);
    desired("sidecar-logs.json", Class::OwnLog, Content::OwnLog(content), content)
}

impl Delivery {
    pub(crate) fn new(config: &Config) -> Self {
        let machine = sidecar::deliver::Config {
            entries: 1,
            ignore_interrupts: config.ignore_interrupts,
            budget: config.deadline.then(|| Budget::of(Duration::from_secs(30))),
            checkpoints: config.checkpoints,
            page: config.page,
            interim: config.interim.then_some(Duration::from_secs(16)),
            native: config.native,
            // After an interrupt the same timer is armed, with or without it.
            start_timeout: None,
        };
        let mut core = Coordinator::new(Setup {
            machine,
            weights: Weights { memory: 1 << 20, largest: 1 << 16, in_flight: 4, sent_bytes: None },
            checkpoint_interval: Duration::from_secs(30),
            retry_for: Duration::from_mins(15),
            pass_time: None,
            build_id: "1".into(),
        });
        let effects = core.start(&MOMENT);
        let mut delivery = Self {
            core,
            timers: BTreeSet::new(),
            requests: BTreeMap::new(),
            listing: None,
            composing: None,
            slow_result: config.slow_result,
            found: false,
            listed: None,
            expired: false,
            cut: false,
            mutation: config.mutation,
        };
        for effect in effects {
            delivery.carry_out(effect, 0).expect("timers break nothing");
        }
        delivery
    }

    /// A look at the entry.
    pub(crate) fn see(&mut self, look: Observation, log: u8) -> Result<(), String> {
        if self.mutation == Some(Mutation::DeafToMarkers) && matches!(look, Observation::Marker { .. }) {
            return Ok(());
        }
        self.input(Input::Event(Event::Observed { entry: 0, observation: look }), log)
    }

    pub(crate) fn term(&mut self, look: Observation, log: u8) -> Result<(), String> {
        self.input(Input::Event(Event::Interrupt(Signal::TERM)), log)?;
        self.see(look, log)
    }

    pub(crate) fn fire(&mut self, timer: Timer, log: u8) -> Result<(), String> {
        self.timers.remove(&timer);
        self.expired |= timer == Timer::Deadline;
        self.cut |= timer == Timer::Cutoff;
        if timer == Timer::Deadline && self.mutation == Some(Mutation::DeadlineIgnored) {
            return Ok(());
        }
        self.input(Input::Event(Event::Fired(timer)), log)
    }

    /// Objects that wait for another attempt.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Key> {
        let waits = |state: &State| matches!(state, State::Queued | State::Pausing);
        let waiting = self.core.plan().objects().filter(move |object| waits(&object.state));
        waiting.map(|object| Key::of(object.desired.class))
    }

    /// The files have been listed.
    pub(crate) fn list(&mut self, log: u8) -> Result<(), String> {
        let Some(policy) = self.listing.take() else { return Ok(()) };
        let found = match self.listed {
            Some(before)
                if policy == Policy::Final && self.mutation == Some(Mutation::FinalPassDoesNotLook) =>
            {
                before
            }
            Some(_) | None => log,
        };
        self.listed = Some(found);
        let wanted = vec![desired("build-log.txt", Class::BuildLog, Content::Log(found), found)];
        self.input(Input::Listed(policy, Bulk { wanted, ..Bulk::default() }), log)
    }

    /// The listing finds the log, and goes on.
    pub(crate) fn find(&mut self, log: u8) -> Result<(), String> {
        let Some(policy) = self.listing else { return Ok(()) };
        self.found = true;
        if self.mutation == Some(Mutation::PiecesUncounted) {
            return Ok(());
        }
        let wanted = vec![desired("build-log.txt", Class::BuildLog, Content::Log(log), log)];
        self.input(Input::Found(policy, Bulk { wanted, ..Bulk::default() }), log)
    }

    /// The listing is cut; what it had found has been told.
    fn cut_listing(&mut self, log: u8) -> Result<(), String> {
        let Some(policy) = self.listing.take() else { return Ok(()) };
        self.input(Input::Found(policy, Bulk::default()), log)
    }

    /// A result is composed, with the job's metadata or without.
    pub(crate) fn composed(&mut self, has_metadata: bool, log: u8) -> Result<(), String> {
        let Some((verdict, mut made)) = self.composing.take() else { return Ok(()) };
        if !has_metadata && self.mutation == Some(Mutation::NoResultWithoutMetadata) {
            return Ok(());
        }
        made.fingerprint = u8::from(has_metadata);
        self.input(Input::Composed(Document::Result(verdict), made), log)
    }

    /// A request reached the store and its answer came back.
    pub(crate) fn served(
        &mut self,
        number: u32,
        bucket: &mut Bucket,
        readable: bool,
        log: u8,
    ) -> Result<(), String> {
        let Some(request) = self.requests.remove(&number) else { return Ok(()) };
        let Some(write) = request.write else {
            let status = match bucket.get(request.key) {
                None => ObjectStatus::Absent,
                Some(content) if readable => ObjectStatus::Present { version: content, content: Vec::new() },
                Some(_) => ObjectStatus::Unreadable,
            };
            return self.input(Input::ObjectLookedAt(number, status), log);
        };
        let outcome = if bucket.apply(write) {
            let read = if let Content::Log(version) = write.content { Some(version) } else { None };
            let record = Stored { content: Some(write.content), has_version: true };
            Outcome::Stored { read, changed: false, bytes: 1, record }
        } else {
            Outcome::PreconditionFailed
        };
        self.input(Input::TransferEnded(number, outcome), log)
    }

    /// A request failed, whatever the store made of it.
    pub(crate) fn failed(&mut self, number: u32, log: u8) -> Result<(), String> {
        self.requests.remove(&number);
        let failure = match self.mutation {
            Some(Mutation::OutagesAreFinal) => Failure::Permanent(String::new()),
            Some(_) | None => Failure::Transient { message: String::new(), wish: None },
        };
        self.input(Input::TransferEnded(number, Outcome::Failed(failure)), log)
    }

    /// The task of a request panicked: its object has failed for good, in this pass.
    pub(crate) fn panicked(&mut self, number: u32, log: u8) -> Result<(), String> {
        self.requests.remove(&number);
        if self.mutation == Some(Mutation::PanicNotTold) {
            return Ok(());
        }
        let failure = Failure::Permanent("an internal error".to_owned());
        self.input(Input::TransferEnded(number, Outcome::Failed(failure)), log)
    }

    /// A request that was aborted has ended.
    pub(crate) fn aborted(&mut self, number: u32, log: u8) -> Result<(), String> {
        self.requests.remove(&number);
        self.input(Input::TransferEnded(number, Outcome::Aborted), log)
    }

    /// Hands an input to the core and carries its effects out.
    fn input(&mut self, input: In, log: u8) -> Result<(), String> {
        for effect in self.core.handle(input, &MOMENT) {
            self.carry_out(effect, log)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect<Content>, log: u8) -> Result<(), String> {
        match effect {
            Effect::Arm(timer, _) | Effect::ArmEarliest(timer, _)
                if !matches!(timer, Timer::Unseen(_) | Timer::Waiting) =>
            {
                self.timers.insert(timer);
            }
            Effect::Disarm(timer) => drop(self.timers.remove(&timer)),
            Effect::List(policy) => (self.listing, self.found) = (Some(policy), false),
            Effect::CutListing => return self.cut_listing(log),
            Effect::Compose(document) => {
                let made = self.made(&document);
                if let Document::Result(verdict) = document
                    && self.slow_result
                {
                    // A later one replaces it.
                    self.composing = Some((verdict, made));
                    return Ok(());
                }
                return self.input(Input::Composed(document, made), log);
            }
            Effect::StartTransfer { number, precondition, .. } => {
                return self.start(number, precondition, log);
            }
            Effect::LookAtObject { number, .. } => {
                let key = Key::of(self.core.plan().object(number).desired.class);
                self.requests.insert(number, Request { write: None, key, aborted: false });
            }
            Effect::AbortTransfer(number) => return self.abort(number, log),
            // It makes nothing but records.
            Effect::Arm(..)
            | Effect::ArmEarliest(..)
            | Effect::Log(_)
            | Effect::LogTransfer(..)
            | Effect::LogStore(_)
            | Effect::LookAtEntries
            | Effect::BeginPass(_)
            | Effect::DistrustPreconditions(_)
            | Effect::Finish => {}
        }
        Ok(())
    }

    fn made(&self, document: &Document) -> Desired<Content, u8> {
        let policy = if self.core.machine().ends().is_some() { Policy::Final } else { Policy::BestEffort };
        match document {
            // It is taken for the own log, which has been sent.
            Document::Manifest if self.mutation == Some(Mutation::ResultBeforeManifest) => own_log(policy),
            Document::OwnLog | Document::WithheldNote { .. } => own_log(policy),
            Document::Page => desired("report.html", Class::Page, Content::Page, 0),
            Document::Manifest => {
                let log = self.core.plan().find("build-log.txt").and_then(|log| log.stored.as_deref());
                let version = match log.and_then(|stored| stored.content) {
                    Some(Content::Log(version)) => Some(version),
                    Some(Content::OwnLog(_) | Content::Page | Content::Manifest(_) | Content::Result(_))
                    | None => None,
                };
                let fingerprint = version.unwrap_or(u8::MAX);
                desired("manifest.json", Class::Manifest, Content::Manifest(version), fingerprint)
            }
            Document::Result(_) => {
                let verdict = self.core.machine().ends().map(Verdict::of);
                desired("finished.json", Class::Result, Content::result(verdict), 0)
            }
        }
    }

    fn start(&mut self, number: u32, precondition: Precondition<Content>, log: u8) -> Result<(), String> {
        let desired = &self.core.plan().object(number).desired;
        let key = Key::of(desired.class);
        let is_last = key == Key::Result && precondition == Precondition::Overwrite;
        if self.requests.contains_key(&number) {
            return Err("I5: an object is on its way twice".to_owned());
        }
        if is_last && !self.requests.is_empty() {
            return Err("I4: something is on its way together with the final result".to_owned());
        }
        let is_open = |class, state: &State| class != Class::Result && state.is_open();
        if is_last && self.core.plan().objects().any(|other| is_open(other.desired.class, &other.state)) {
            return Err("I4: the final result comes while something may still be tried".to_owned());
        }
        let page = self.core.plan().find("report.html");
        if key == Key::Manifest && page.is_some_and(|page| page.state.is_open()) {
            return Err("I4: the manifest comes while the page may still be tried".to_owned());
        }
        let manifest = self.core.plan().find("manifest.json");
        if is_last && manifest.is_none_or(|manifest| manifest.state.is_open()) {
            return Err("I4: the final result comes before the manifest".to_owned());
        }
        let precondition = match self.mutation {
            Some(Mutation::ProvisionalUnconditional) => Precondition::Overwrite,
            Some(Mutation::ResultUnconditional) if key == Key::Result => Precondition::Overwrite,
            Some(Mutation::AbsenceNotRequired) if precondition == Precondition::IfAbsent => {
                Precondition::Overwrite
            }
            _ => precondition,
        };
        // A file is read when it is sent, not when it was listed.
        let content = if key == Key::Log { Content::Log(log) } else { desired.source };
        let write = Some(Write { key, content, precondition });
        self.requests.insert(number, Request { write, key, aborted: false });
        Ok(())
    }

    fn abort(&mut self, number: u32, log: u8) -> Result<(), String> {
        let Some(request) = self.requests.get_mut(&number) else { return Ok(()) };
        request.aborted = true;
        if self.mutation == Some(Mutation::ProvisionalNotFenced) && request.key == Key::Result {
            // As if nothing of it could take effect any more.
            return self.input(Input::TransferEnded(number, Outcome::Aborted), log);
        }
        Ok(())
    }

    /// Returns whether a request may end because it was aborted. One that nothing may
    /// abort is aborted by a broken driver as soon as its object is wanted anew.
    pub(crate) fn may_end(&self, number: u32, request: &Request) -> bool {
        request.aborted
            || self.mutation == Some(Mutation::FenceNotAwaited)
                && self.core.plan().object(number).state == sidecar::deliver::State::Restarting
    }

    /// I4: what a listing has found counts, also if it is cut. I7: whoever is not done
    /// can be woken up, and the deadline ends everything.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.found && self.core.plan().find("build-log.txt").is_none() {
            return Err("I4: a file that was found does not count".to_owned());
        }
        if self.core.machine().is_over() {
            return Ok(());
        }
        if self.expired {
            return Err("I7: sidecar outlives its deadline".to_owned());
        }
        let waits = self.core.machine().end(0).is_none();
        let pauses = self.timers.iter().any(|timer| matches!(timer, Timer::Pause(_) | Timer::Probe));
        let busy = self.listing.is_some() || !self.requests.is_empty() || pauses || self.composing.is_some();
        if waits || busy || self.core.machine().is_awaiting_term() {
            Ok(())
        } else {
            Err("I7: nobody will wake sidecar up".to_owned())
        }
    }
}
