//! Checks of the core of delivery: files, listings in pieces, cuts, limits, answers of a
//! store and signals in an order that the input gives. Afterwards everything goes well,
//! and the bucket is judged.

mod mutation;
mod steps;

use common::signal::Signal;
pub use mutation::Mutation;
use sidecar::deliver::{
    Budget, Bulk, Class, Completeness, Config, Coordinator, Desired, Document, Effect, Event, Input, Moment,
    Observation, Outcome, Policy, Precondition, Remembered, Setup, Timer, Weights,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Sizes of files on both sides of what counts as small.
const SIZES: [u64; 4] = [0, 1 << 10, 1 << 20, 40 << 20];

/// Contents of results and documents; those of files are smaller and unique.
const PROVISIONAL: u32 = 1 << 20;
const FINAL: u32 = 2 << 20;
const DOCUMENT: u32 = 3 << 20;

/// Longer than an input that a fuzzer makes of interesting steps.
const MAX_STEPS: usize = 300;

/// The content that was stored, which is its own version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Held(Option<u32>);

impl Remembered for Held {
    type Version = u32;

    fn version(&self) -> Option<&u32> {
        self.0.as_ref()
    }

    fn forget_version(&mut self) {
        self.0 = None;
    }
}

/// A request on its way; a look writes nothing.
struct Request {
    key: String,
    class: Class,
    bytes: u64,
    write: Option<(u32, Precondition<u32>)>,
    aborted: bool,
}

/// A listing under way.
struct Walk {
    policy: Policy,
    next: usize,
}

struct World {
    core: Coordinator<(), u32, Held>,
    weights: Weights,
    entries: usize,
    /// The size and the content of each file.
    files: BTreeMap<String, (u64, u32)>,
    bucket: BTreeMap<String, u32>,
    last_applied: String,
    requests: BTreeMap<u32, Request>,
    timers: BTreeSet<Timer>,
    composing: Vec<Document>,
    walk: Option<Walk>,
    /// Files of the last listing, as they were found; whether these were all.
    listed: BTreeMap<String, u32>,
    is_whole: bool,
    listings: usize,
    sent: u64,
    result_failed: bool,
    next: u32,
    now: Duration,
    /// Nothing is tried again from then on, whether its timer has fired or not.
    deadline: Option<Duration>,
    is_over: bool,
    mutation: Option<Mutation>,
}

type In = Input<(), u32, Held, u32>;

fn desired(key: &str, class: Class, bytes: u64, fingerprint: u32) -> Desired<(), u32> {
    Desired { key: key.into(), class, bytes, source: (), fingerprint }
}

fn class_of(key: &str) -> Class {
    match key {
        "latest-build.txt" => Class::LatestBuild,
        "build-log.txt" => Class::BuildLog,
        _ => Class::Artifact,
    }
}

impl World {
    fn new(setup: [u8; 4], mutation: Option<Mutation>) -> Self {
        let flag = |bit: u8| setup[0] >> bit & 1 == 1;
        let entries = 1 + usize::from(flag(0));
        let machine = Config {
            entries,
            ignore_interrupts: flag(1),
            budget: flag(2).then(|| Budget::of(Duration::from_secs(30))),
            page: flag(3),
            checkpoints: flag(4),
            interim: (flag(5) && !flag(2)).then_some(Duration::from_secs(16)),
            native: flag(6),
            start_timeout: flag(7).then_some(Duration::from_mins(1)),
        };
        let weights = Weights {
            memory: 1 << (20 + setup[1] % 8),
            largest: 1 << (10 + setup[1] / 16),
            in_flight: 1 + usize::from(setup[2] % 8),
            sent_bytes: (setup[2] > 127).then(|| u64::from(setup[3]) << 14),
        };
        let core = Coordinator::new(Setup {
            machine,
            weights: mutation::weights(mutation, weights),
            checkpoint_interval: Duration::from_secs(30),
            retry_for: Duration::from_mins(15),
            pass_time: (setup[3] % 2 == 1).then_some(Duration::from_mins(1)),
            build_id: "5".into(),
        });
        let mut world = Self {
            core,
            weights,
            entries,
            files: ["build-log.txt", "latest-build.txt"].map(|key| (key.to_owned(), (1, 0))).into(),
            bucket: BTreeMap::new(),
            last_applied: String::new(),
            requests: BTreeMap::new(),
            timers: BTreeSet::new(),
            composing: Vec::new(),
            walk: None,
            listed: BTreeMap::new(),
            is_whole: false,
            listings: 0,
            sent: 0,
            result_failed: false,
            next: 1,
            now: Duration::ZERO,
            deadline: None,
            is_over: false,
            mutation,
        };
        let effects = world.core.start(&world.moment());
        world.carry_out(effects);
        world
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, random: self.next, preconditions: true, accepted: 0 }
    }

    fn unique(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn input(&mut self, input: In) {
        if !self.is_over {
            let effects = self.core.handle(input, &self.moment());
            self.carry_out(effects);
        }
    }

    fn event(&mut self, event: Event) {
        self.input(Input::Event(event));
    }

    fn carry_out(&mut self, effects: Vec<Effect<u32>>) {
        for effect in effects {
            match effect {
                Effect::Arm(Timer::Pause(_), _) if self.mutation == Some(Mutation::PausesForgotten) => {}
                Effect::Arm(timer, after) | Effect::ArmEarliest(timer, after) => {
                    if timer == Timer::Deadline {
                        let at = self.now + after;
                        self.deadline = Some(self.deadline.map_or(at, |earlier| earlier.min(at)));
                    }
                    self.timers.insert(timer);
                }
                Effect::Disarm(timer) => drop(self.timers.remove(&timer)),
                Effect::List(policy) => {
                    self.walk = Some(Walk { policy, next: 0 });
                    self.listed.clear();
                    (self.listings, self.is_whole) = (self.listings + 1, false);
                }
                Effect::CutListing => {
                    if let Some(walk) = self.walk.take() {
                        self.input(Input::Found(walk.policy, Bulk::default()));
                    }
                }
                Effect::Compose(Document::WithheldNote { number, class, reason }) => {
                    let key = format!("{}.withheld.txt", self.core.plan().object(number).desired.key);
                    // The core knows its class.
                    let note = desired(&key, Class::Artifact, 9, DOCUMENT);
                    self.input(Input::Composed(Document::WithheldNote { number, class, reason }, note));
                }
                Effect::Compose(document) => {
                    if matches!(document, Document::Result(_)) {
                        self.composing.retain(|other| !matches!(other, Document::Result(_)));
                    }
                    self.composing.push(document);
                }
                Effect::StartTransfer { number, precondition, .. } => self.start(number, Some(precondition)),
                Effect::LookAtObject { number, .. } => self.start(number, None),
                Effect::AbortTransfer(number) => self.abort(number),
                Effect::DistrustPreconditions(number) => panic!("the store keeps conditions: {number}"),
                Effect::Finish => self.is_over = true,
                Effect::Log(_)
                | Effect::LogTransfer(..)
                | Effect::LogStore(_)
                | Effect::LookAtEntries
                | Effect::BeginPass(_) => {}
            }
        }
    }

    fn start(&mut self, number: u32, precondition: Option<Precondition<u32>>) {
        let object = self.core.plan().object(number);
        let (key, class, bytes) =
            (object.desired.key.to_string(), object.desired.class, object.desired.bytes);
        assert!(self.requests.values().all(|other| other.key != key), "I5: {key} is on its way twice");
        if class == Class::Result && precondition == Some(Precondition::Overwrite) {
            assert!(self.requests.is_empty(), "I4: something is on its way together with the final result");
            let is_open = |class, is_open| class != Class::Result && is_open;
            let open =
                self.core.plan().objects().find(|other| is_open(other.desired.class, other.state.is_open()));
            assert!(open.is_none(), "I4: the final result comes before {open:?}");
            let manifest = self.core.plan().find("manifest.json");
            assert!(manifest.is_some_and(|manifest| !manifest.state.is_open()), "I4: no manifest");
        }
        // A file is read when it is sent; one that is gone has any content.
        let content = match class {
            Class::Alias | Class::LatestBuild | Class::BuildLog | Class::Artifact => {
                self.files.get(&key).map_or(object.desired.fingerprint, |(_, content)| *content)
            }
            Class::OwnLog | Class::Page | Class::Manifest | Class::Result => object.desired.fingerprint,
        };
        let write = precondition.map(|precondition| (content, precondition));
        self.requests.insert(number, Request { key, class, bytes, write, aborted: false });
        assert!(self.requests.len() <= self.weights.in_flight.max(1), "I8: too many transfers");
        let weight: u64 = self.requests.values().map(|other| other.bytes.min(self.weights.largest)).sum();
        assert!(self.requests.len() == 1 || weight <= self.weights.memory, "I8: too much memory");
    }

    fn abort(&mut self, number: u32) {
        let request = self.requests.get_mut(&number).expect("it is on its way");
        request.aborted = true;
        if self.mutation == Some(Mutation::AbortNotAwaited) {
            // As if nothing of it could take effect any more.
            self.input(Input::TransferEnded(number, Outcome::Aborted));
        }
    }

    /// Lets everything go well until the end.
    fn finish(&mut self) {
        for entry in 0..2 {
            self.see(entry, Observation::Marker { code: 0, report: None });
        }
        for _ in 0..5_000 {
            let wakes = |timer: &&Timer| matches!(timer, Timer::Pause(_) | Timer::Probe);
            if self.is_over {
                return;
            } else if self.walk.is_some() {
                self.find(usize::MAX, true, false);
            } else if let Some((number, request)) = self.requests.iter().next() {
                let (number, is_aborted) = (*number, request.aborted);
                if is_aborted { self.aborted(number, false) } else { self.served(number) }
            } else if !self.composing.is_empty() {
                self.compose(0, true);
            } else if let Some(timer) = self.timers.iter().find(wakes).copied() {
                self.timers.remove(&timer);
                self.event(Event::Fired(timer));
            } else {
                assert!(self.core.machine().is_awaiting_term(), "I7: nobody will wake sidecar up");
                self.event(Event::Interrupt(Signal::TERM));
            }
            self.retire();
        }
        panic!("I7: the delivery does not end");
    }

    /// Judges the bucket after an end that nothing hurried.
    fn judge(&self) {
        let summary = self.core.plan().summary();
        assert_eq!(summary.open, 0, "something is left over");
        let known = summary.stored + summary.skipped + summary.cut + summary.over_limit;
        let known = known + summary.withheld + summary.failed;
        assert!(
            known >= self.listed.len(),
            "of {} files only {known} are known: {summary:?}",
            self.listed.len()
        );
        let completeness = self.core.completeness();
        assert!(self.is_whole || completeness == Completeness::Incomplete, "the listing is not whole");
        if completeness == Completeness::Complete && summary.withheld + summary.skipped == 0 {
            for (key, content) in &self.listed {
                assert!(self.bucket.get(key) >= Some(content), "{key} is missing, or old");
            }
        }
        if !self.result_failed {
            assert!(self.core.is_result_stored(), "there is no result");
            assert_eq!(self.last_applied, "finished.json", "I4: another object is written last");
            let result = self.bucket["finished.json"];
            assert!((FINAL..DOCUMENT).contains(&result), "I5: the result is provisional");
        }
    }
}

/// Checks the core with the steps that the input gives, two bytes each.
pub fn delivery(data: &[u8]) {
    check(data, None);
}

/// Does the same with a core that is broken on purpose.
pub fn broken(data: &[u8], mutation: Mutation) {
    check(data, Some(mutation));
}

fn check(data: &[u8], mutation: Option<Mutation>) {
    let Some((setup, steps)) = data.split_first_chunk() else { return };
    let mut world = World::new(*setup, mutation);
    for step in steps.chunks_exact(2).take(MAX_STEPS) {
        world.take(step[0], step[1]);
        if world.is_over {
            return;
        }
    }
    world.finish();
    world.judge();
}
