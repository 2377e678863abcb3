use super::*;
use crate::deliver::{
    Budget, Class, Completeness, Config, Failure, ObjectStatus, Observation, Outcome, Precondition, Record,
    Verdict,
};
use common::signal::Signal;

/// The content that was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Held(pub(super) Option<u8>);

impl Remembered for Held {
    type Version = u8;

    fn version(&self) -> Option<&u8> {
        self.0.as_ref()
    }

    fn forget_version(&mut self) {
        self.0 = None;
    }
}

pub(super) type Core = Coordinator<(), u8, Held>;
pub(super) type Out = Vec<Effect<u8>>;

pub(super) const PASSED: Event =
    Event::Observed { entry: 0, observation: Observation::Marker { code: 0, report: None } };
pub(super) const TERM: Event = Event::Interrupt(Signal::TERM);

pub(super) fn at(seconds: u64) -> Moment {
    Moment { now: Duration::from_secs(seconds), random: 0, preconditions: true, accepted: 0 }
}

pub(super) fn core(budget: Option<Budget>) -> Core {
    Coordinator::new(Setup {
        machine: Config {
            entries: 1,
            ignore_interrupts: false,
            budget,
            page: false,
            checkpoints: false,
            interim: None,
            native: false,
            start_timeout: None,
        },
        weights: Weights { memory: 64 << 20, largest: 16 << 20, in_flight: 4, sent_bytes: None },
        checkpoint_interval: Duration::from_secs(30),
        retry_for: Duration::from_mins(15),
        pass_time: None,
        build_id: "7".into(),
    })
}

pub(super) fn object(key: &str, class: Class, bytes: u64, fingerprint: u8) -> Desired<(), u8> {
    Desired { key: key.into(), class, bytes, source: (), fingerprint }
}

pub(super) fn bulk(wanted: Vec<Desired<(), u8>>) -> Bulk<(), u8> {
    Bulk { wanted, ..Bulk::default() }
}

pub(super) fn log(fingerprint: u8) -> Bulk<(), u8> {
    bulk(vec![object("build-log.txt", Class::BuildLog, 10, fingerprint)])
}

/// The effects that start or end something.
pub(super) fn deeds(effects: Out) -> Out {
    let is_deed = |effect: &Effect<u8>| match effect {
        Effect::Log(_)
        | Effect::LogTransfer(..)
        | Effect::LogStore(_)
        | Effect::Arm(..)
        | Effect::ArmEarliest(..)
        | Effect::Disarm(_)
        | Effect::BeginPass(_) => false,
        Effect::LookAtEntries
        | Effect::List(_)
        | Effect::CutListing
        | Effect::Compose(_)
        | Effect::StartTransfer { .. }
        | Effect::LookAtObject { .. }
        | Effect::DistrustPreconditions(_)
        | Effect::AbortTransfer(_)
        | Effect::Finish => true,
    };
    effects.into_iter().filter(is_deed).collect()
}

pub(super) fn event(core: &mut Core, event: Event) -> Out {
    deeds(core.handle(Input::Event(event), &at(0)))
}

pub(super) fn stored(core: &mut Core, number: u32, version: u8) -> Out {
    let outcome = Outcome::Stored { read: None, changed: false, bytes: 1, record: Held(Some(version)) };
    deeds(core.handle(Input::TransferEnded(number, outcome), &at(0)))
}

pub(super) fn put(number: u32, precondition: Precondition<u8>) -> Effect<u8> {
    Effect::StartTransfer { number, precondition, unless_stored: false }
}

pub(super) fn ended(core: &mut Core, number: u32, outcome: Outcome<u8, Held>) -> Out {
    deeds(core.handle(Input::TransferEnded(number, outcome), &at(0)))
}

#[test]
fn a_best_effort_pass_is_overtaken_by_the_final_one() {
    let mut core = core(None);
    assert_eq!(event(&mut core, TERM), [Effect::List(Policy::BestEffort)]);
    let listed = core.handle(Input::Listed(Policy::BestEffort, log(1)), &at(0));
    assert_eq!(deeds(listed), [put(0, Precondition::IfAbsent)]);
    assert_eq!(event(&mut core, PASSED), [Effect::List(Policy::Final)]);
    let listed = core.handle(Input::Listed(Policy::Final, log(2)), &at(0));
    assert_eq!(deeds(listed), [Effect::AbortTransfer(0)], "another content is wanted");
    assert_eq!(ended(&mut core, 0, Outcome::Aborted), [put(0, Precondition::Overwrite)]);
    assert_eq!(stored(&mut core, 0, 2), [Effect::Compose(Document::OwnLog)]);
}

#[test]
fn nothing_is_settled_while_a_note_is_being_made() {
    let mut core = core(None);
    send_the_log(&mut core);
    let note = Document::WithheldNote { number: 0, class: Class::BuildLog, reason: "a secret".into() };
    let failure = Outcome::Failed(Failure::Withheld("a secret".to_owned()));
    assert_eq!(ended(&mut core, 0, failure), [Effect::Compose(note.clone())]);
    let line = object("build-log.txt.withheld.txt", Class::BuildLog, 9, 3);
    let composed = core.handle(Input::Composed(note, line), &at(0));
    assert_eq!(deeds(composed), [put(1, Precondition::Overwrite)]);
    assert_eq!(stored(&mut core, 1, 3), [Effect::Compose(Document::OwnLog)]);
}

/// Lets all entries end, so that their log is sent.
fn send_the_log(core: &mut Core) {
    assert_eq!(event(core, PASSED), [Effect::List(Policy::Final)]);
    let listed = core.handle(Input::Listed(Policy::Final, log(1)), &at(0));
    assert_eq!(deeds(listed), [put(0, Precondition::Overwrite)]);
}

/// Lets the log arrive too; own log comes next.
fn store_the_log(core: &mut Core) {
    send_the_log(core);
    assert_eq!(stored(core, 0, 1), [Effect::Compose(Document::OwnLog)]);
}

#[test]
fn i4_the_note_about_a_withheld_log_of_ours_comes_before_the_manifest() {
    let mut core = core(None);
    store_the_log(&mut core);
    let own_log = object("sidecar-logs.json", Class::OwnLog, 9, 2);
    let composed = core.handle(Input::Composed(Document::OwnLog, own_log), &at(0));
    assert_eq!(deeds(composed), [put(1, Precondition::Overwrite)]);
    let note = Document::WithheldNote { number: 1, class: Class::OwnLog, reason: "a secret".into() };
    let failure = Outcome::Failed(Failure::Withheld("a secret".to_owned()));
    assert_eq!(ended(&mut core, 1, failure), [Effect::Compose(note.clone())]);
    // Whatever class the shell gives it.
    let line = object("sidecar-logs.json.withheld.txt", Class::Artifact, 9, 3);
    let composed = core.handle(Input::Composed(note, line), &at(0));
    assert_eq!(deeds(composed), [put(2, Precondition::Overwrite)]);
    assert_eq!(stored(&mut core, 2, 3), [Effect::Compose(Document::Manifest)]);
}

#[test]
fn i4_no_note_follows_a_result_that_is_withheld() {
    let mut core = core(None);
    store_the_log(&mut core);
    let closing = [(Document::OwnLog, Class::OwnLog), (Document::Manifest, Class::Manifest)];
    for (number, (document, class)) in (1..).zip(closing) {
        let composed = Input::Composed(document, object(&format!("{number}"), class, 9, 2));
        assert_eq!(deeds(core.handle(composed, &at(0))), [put(number, Precondition::Overwrite)]);
        assert!(matches!(stored(&mut core, number, 2)[..], [Effect::Compose(_)]));
    }
    let verdict = Verdict::of(core.machine().ends().expect("all ended"));
    let result = Input::Composed(Document::Result(verdict), object("finished.json", Class::Result, 9, 4));
    assert_eq!(deeds(core.handle(result, &at(0))), [put(3, Precondition::Overwrite)]);
    let withheld = ended(&mut core, 3, Outcome::Failed(Failure::Withheld("a secret".to_owned())));
    assert!(withheld.iter().all(|effect| !matches!(effect, Effect::Compose(_))), "{withheld:?}");
}

#[test]
fn a_precondition_that_fails_is_followed_by_a_look() {
    let mut core = core(None);
    let _ = event(&mut core, TERM);
    let _ = core.handle(Input::Listed(Policy::BestEffort, log(1)), &at(0));
    let look = Effect::LookAtObject { number: 0, content: false };
    assert_eq!(ended(&mut core, 0, Outcome::PreconditionFailed), [look]);
    let present = ObjectStatus::Present { version: 9, content: Vec::new() };
    let effects = core.handle(Input::ObjectLookedAt(0, present), &at(0));
    assert_eq!(deeds(effects), [put(0, Precondition::IfVersion(9))]);
}

#[test]
fn a_store_that_ignores_preconditions_is_distrusted_when_it_has_done_so_twice() {
    let mut core = core(None);
    // The effects of the end are not what is tested here.
    let _ = event(&mut core, PASSED);
    let latest = bulk(vec![object("latest-build.txt", Class::LatestBuild, 1, 1)]);
    let look = Effect::LookAtObject { number: 0, content: true };
    assert_eq!(deeds(core.handle(Input::Listed(Policy::Final, latest), &at(0))), [look]);
    let present = ObjectStatus::Present { version: 9, content: b"1".to_vec() };
    let effects = core.handle(Input::ObjectLookedAt(0, present), &at(0));
    assert_eq!(deeds(effects), [put(0, Precondition::IfAbsent)]);
    assert_eq!(stored(&mut core, 0, 10), [put(0, Precondition::IfAbsent)], "perhaps it was deleted");
    let effects = stored(&mut core, 0, 11);
    assert_eq!(effects, [Effect::DistrustPreconditions(0), Effect::Compose(Document::OwnLog)]);
}

#[test]
fn a_write_that_could_be_applied_later_is_awaited() {
    let mut core = core(None);
    let _ = event(&mut core, TERM);
    let _ = core.handle(Input::Listed(Policy::BestEffort, log(1)), &at(0));
    let _ = ended(&mut core, 0, Outcome::PreconditionFailed);
    let unreadable = core.handle(Input::ObjectLookedAt(0, ObjectStatus::Unreadable), &at(0));
    assert_eq!(deeds(unreadable), [put(0, Precondition::Overwrite)]);
    assert!(!core.is_abortable(0));
    assert_eq!(event(&mut core, Event::Fired(Timer::Attempt(0))), [], "not even when it takes long");
    let _ = event(&mut core, PASSED);
    assert_eq!(deeds(core.handle(Input::Listed(Policy::Final, log(2)), &at(0))), []);
    assert_eq!(stored(&mut core, 0, 1), [put(0, Precondition::Overwrite)], "then the final one follows");
}

#[test]
fn without_preconditions_nothing_is_aborted() {
    let mut core = core(None);
    let _ = event(&mut core, TERM);
    let _ = core.handle(Input::Listed(Policy::BestEffort, log(1)), &at(0));
    let _ = event(&mut core, PASSED);
    let refusing = Moment { preconditions: false, ..at(0) };
    assert_eq!(deeds(core.handle(Input::Listed(Policy::Final, log(2)), &refusing)), []);
}

#[test]
fn an_attempt_that_takes_too_long_is_aborted_and_repeated() {
    let mut core = core(None);
    let _ = event(&mut core, PASSED);
    let armed = core.handle(Input::Listed(Policy::Final, log(1)), &at(0));
    assert!(armed.contains(&Effect::Arm(Timer::Attempt(0), Duration::from_secs(15))), "{armed:?}");
    assert_eq!(event(&mut core, Event::Fired(Timer::Attempt(0))), [Effect::AbortTransfer(0)]);
    let effects = core.handle(Input::TransferEnded(0, Outcome::Aborted), &at(15));
    assert!(effects.contains(&Effect::Disarm(Timer::Attempt(0))), "{effects:?}");
    assert!(effects.contains(&Effect::Arm(Timer::Probe, Duration::from_millis(500))), "{effects:?}");
    assert_eq!(event(&mut core, Event::Fired(Timer::Probe)), [put(0, Precondition::Overwrite)]);
}

#[test]
fn i4_a_result_is_written_even_when_the_same_one_is_there() {
    let mut core = core(None);
    let result = || object("finished.json", Class::Result, 10, 1);
    let compose = Document::Result(Verdict::PROVISIONAL);
    let _ = event(&mut core, TERM);
    let _ = core.handle(Input::Listed(Policy::BestEffort, bulk(Vec::new())), &at(0));
    let _ = core
        .handle(Input::Composed(Document::OwnLog, object("sidecar-logs.json", Class::OwnLog, 1, 1)), &at(0));
    assert_eq!(stored(&mut core, 0, 1), [Effect::Compose(compose.clone())]);
    let written = core.handle(Input::Composed(compose, result()), &at(0));
    assert_eq!(deeds(written), [put(1, Precondition::IfAbsent)]);
    assert_eq!(stored(&mut core, 1, 1), [], "the pass is through");
    assert!(core.is_result_stored());
    assert_eq!(core.plan().completeness(), Completeness::Complete);
    let _ = event(&mut core, PASSED);
    let _ = core.handle(Input::Listed(Policy::Final, bulk(Vec::new())), &at(0));
    let own_log = object("sidecar-logs.json", Class::OwnLog, 1, 1);
    let closing = core.handle(Input::Composed(Document::OwnLog, own_log), &at(0));
    assert_eq!(deeds(closing), [Effect::Compose(Document::Manifest)], "the own log is there already");
    let manifest = object("manifest.json", Class::Manifest, 1, 1);
    assert_eq!(
        deeds(core.handle(Input::Composed(Document::Manifest, manifest), &at(0))),
        [put(2, Precondition::Overwrite)]
    );
    let verdict = Verdict { passed: true, aborted: false, failures: 0 };
    assert_eq!(stored(&mut core, 2, 1), [Effect::Compose(Document::Result(verdict))]);
    let written = core.handle(Input::Composed(Document::Result(verdict), result()), &at(0));
    assert_eq!(deeds(written), [put(1, Precondition::Overwrite)]);
    assert_eq!(stored(&mut core, 1, 1), [Effect::Finish]);
}

#[test]
fn a_result_that_is_abandoned_while_it_is_made_is_not_sent() {
    let mut core = core(None);
    let compose = Document::Result(Verdict::PROVISIONAL);
    core.machine = Machine::new(Config {
        interim: Some(Duration::from_secs(16)),
        ignore_interrupts: true,
        ..core.setup.machine.clone()
    });
    let _ = event(&mut core, TERM);
    assert_eq!(event(&mut core, Event::Fired(Timer::Interim)), [Effect::Compose(compose.clone())]);
    let _ = event(&mut core, PASSED);
    let _ = core.handle(Input::Listed(Policy::Final, bulk(Vec::new())), &at(0));
    let own_log = object("sidecar-logs.json", Class::OwnLog, 1, 1);
    let _ = core.handle(Input::Composed(Document::OwnLog, own_log), &at(0));
    let _ = stored(&mut core, 0, 1);
    let manifest = object("manifest.json", Class::Manifest, 1, 1);
    let _ = core.handle(Input::Composed(Document::Manifest, manifest), &at(0));
    let verdict = Verdict { passed: true, aborted: false, failures: 0 };
    assert_eq!(stored(&mut core, 1, 1), [Effect::Compose(Document::Result(verdict))], "the fence was up");
    let result = object("finished.json", Class::Result, 10, 1);
    let written = core.handle(Input::Composed(Document::Result(verdict), result), &at(0));
    assert_eq!(deeds(written), [put(2, Precondition::Overwrite)]);
}

#[test]
fn at_the_cutoff_what_a_listing_has_found_counts() {
    let mut core = core(Some(Budget::of(Duration::from_secs(30))));
    let _ = event(&mut core, PASSED);
    let _ = event(&mut core, TERM);
    let found = core.handle(Input::Found(Policy::Final, log(1)), &at(0));
    assert_eq!(deeds(found), [put(0, Precondition::Overwrite)], "before the rest is known");
    let effects = event(&mut core, Event::Fired(Timer::Cutoff));
    assert_eq!(effects, [Effect::CutListing, Effect::AbortTransfer(0)]);
    let more = bulk(vec![object("artifacts/a", Class::Artifact, 1, 1)]);
    assert_eq!(deeds(core.handle(Input::Found(Policy::Final, more), &at(0))), []);
    assert_eq!(core.plan().summary().cut, 1);
    assert_eq!(deeds(core.handle(Input::Listed(Policy::Final, log(1)), &at(0))), [], "it comes too late");
    assert_eq!(stored(&mut core, 0, 1), [Effect::Compose(Document::OwnLog)]);
    assert_eq!(core.completeness(), Completeness::Incomplete);
}

#[test]
fn a_listing_that_fails_is_incomplete_and_the_next_one_is_not() {
    let mut core = core(None);
    let _ = event(&mut core, TERM);
    let effects = core.handle(Input::ListingFailed(Policy::BestEffort), &at(0));
    assert_eq!(deeds(effects), [Effect::CutListing, Effect::Compose(Document::OwnLog)]);
    assert_eq!(core.completeness(), Completeness::Incomplete);
    let _ = event(&mut core, PASSED);
    let _ = core.handle(Input::Listed(Policy::Final, bulk(Vec::new())), &at(0));
    let own_log = object("sidecar-logs.json", Class::OwnLog, 1, 1);
    let _ = core.handle(Input::Composed(Document::OwnLog, own_log), &at(0));
    let _ = stored(&mut core, 0, 1);
    assert_eq!(core.completeness(), Completeness::Complete);
}

#[test]
fn files_of_a_listing_that_was_replaced_are_ignored() {
    let mut core = core(None);
    let _ = event(&mut core, TERM);
    let _ = event(&mut core, PASSED);
    assert_eq!(deeds(core.handle(Input::Found(Policy::BestEffort, log(1)), &at(0))), []);
    assert_eq!(deeds(core.handle(Input::ListingFailed(Policy::BestEffort), &at(0))), []);
}

#[test]
fn large_artifacts_that_do_not_fit_into_the_time_left_are_not_started() {
    let mut core = core(Some(Budget::of(Duration::from_secs(30))));
    let _ = event(&mut core, PASSED);
    let _ = event(&mut core, TERM);
    let artifact = |key, bytes| object(key, Class::Artifact, bytes, 1);
    let listing = bulk(vec![artifact("a", 20 << 20), artifact("b", 400 << 20)]);
    let first = deeds(core.handle(Input::Listed(Policy::Final, listing), &at(0)));
    assert_eq!(
        first,
        [Effect::StartTransfer { number: 0, precondition: Precondition::Overwrite, unless_stored: true }]
    );
    let outcome = Outcome::Stored { read: None, changed: false, bytes: 20 << 20, record: Held(None) };
    let effects = core.handle(Input::TransferEnded(0, outcome), &at(2));
    assert_eq!(deeds(effects), [Effect::Compose(Document::OwnLog)], "400 MiB at 10 MiB/s take 40 s");
}

#[test]
fn checkpoints_rest_by_how_long_they_took() {
    let mut core = core(None);
    core.machine = Machine::new(Config { checkpoints: true, ..core.setup.machine.clone() });
    let started = core.start(&at(0));
    let unseen = Effect::Arm(Timer::Unseen(0), Duration::from_mins(1));
    assert_eq!(started, [unseen, Effect::Arm(Timer::Checkpoint, Duration::from_secs(30))]);
    let _ = core.handle(Input::Event(Event::Fired(Timer::Checkpoint)), &at(30));
    let _ = core.handle(Input::Listed(Policy::Checkpoint, log(1)), &at(31));
    let outcome = Outcome::Stored { read: None, changed: false, bytes: 1, record: Held(None) };
    let effects = core.handle(Input::TransferEnded(0, outcome), &at(40));
    assert!(effects.contains(&Effect::Log(Record::CheckpointDone)), "{effects:?}");
    assert!(effects.contains(&Effect::Arm(Timer::Checkpoint, Duration::from_secs(90))), "{effects:?}");
}

#[test]
fn an_entry_of_which_nothing_is_there_is_named_at_growing_intervals() {
    let mut core = core(None);
    for (now, pause) in [(0, 60), (60, 60), (120, 120), (240, 240), (3000, 3000), (9000, 3600)] {
        let fired = core.handle(Input::Event(Event::Fired(Timer::Unseen(0))), &at(now));
        let pause = Duration::from_secs(pause);
        assert_eq!(fired, [Effect::Log(Record::Unseen(0)), Effect::Arm(Timer::Unseen(0), pause)]);
    }
}
