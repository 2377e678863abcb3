//! Limits of a pass.

use super::tests::*;
use super::*;
use crate::deliver::{Budget, Class, Failure, Outcome, Record};

fn artifact(key: &str, bytes: u64) -> Desired<(), u8> {
    object(key, Class::Artifact, bytes, 1)
}

fn limited(setup: impl FnOnce(&mut Setup)) -> Core {
    let mut changed = core(None).setup;
    setup(&mut changed);
    Coordinator::new(changed)
}

fn starts(effects: &Out) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::StartTransfer { .. })).count()
}

#[test]
fn beyond_the_bytes_of_a_pass_nothing_is_sent_and_the_next_pass_has_them_anew() {
    let mut core = limited(|setup| setup.weights.sent_bytes = Some(100));
    let _ = event(&mut core, TERM);
    let files = || {
        vec![artifact("a", 40), artifact("b", 60), artifact("c", 61), object("log", Class::BuildLog, 999, 1)]
    };
    let effects = core.handle(Input::Listed(Policy::BestEffort, bulk(files())), &at(0));
    assert_eq!(starts(&effects), 3, "the log, a and b: {effects:?}");
    let summary = core.plan().summary();
    assert_eq!((summary.over_limit, summary.open), (1, 3));
    assert_eq!(core.completeness(), Completeness::Incomplete);
    let reason = core.plan().find("c").and_then(|object| object.state.over_limit());
    assert!(reason.is_some_and(|reason| reason.contains("sent_bytes")), "{reason:?}");
    // What was stored in vain gives its bytes back, and what is stored does not.
    let again = Failure::Unsteady("changed".to_owned());
    let failed = core.handle(Input::TransferEnded(0, Outcome::Failed(again)), &at(0));
    assert!(
        failed.contains(&Effect::Arm(Timer::Pause(0), crate::deliver::retry::backoff(1, 0, None))),
        "{failed:?}"
    );
    assert_eq!(starts(&core.handle(Input::Event(Event::Fired(Timer::Pause(0))), &at(1))), 1);
    let _ = stored(&mut core, 1, 1);
    let _ = event(&mut core, PASSED);
    let effects = core.handle(Input::Listed(Policy::Final, bulk(files())), &at(2));
    assert_eq!(starts(&effects), 1, "{effects:?}");
    assert!(core.plan().find("c").is_some_and(|object| object.state.is_in_flight()), "b is there already");
}

#[test]
fn what_an_object_took_counts_and_not_what_it_was_listed_with() {
    for (took, starts_next) in [(10, true), (40, true), (41, false), (1_000, false)] {
        let mut core = limited(|setup| {
            setup.weights.sent_bytes = Some(100);
            setup.weights.in_flight = 1;
        });
        assert_eq!(starts(&event(&mut core, TERM)), 0);
        let files = vec![artifact("a", 40), artifact("b", 60)];
        let effects = core.handle(Input::Listed(Policy::BestEffort, bulk(files)), &at(0));
        assert_eq!(starts(&effects), 1, "{effects:?}");
        let outcome = Outcome::Stored { read: None, changed: false, bytes: took, record: Held::default() };
        let effects = core.handle(Input::TransferEnded(0, outcome), &at(1));
        assert_eq!(starts(&effects), usize::from(starts_next), "{took}: {effects:?}");
        assert_eq!(core.plan().summary().over_limit, usize::from(!starts_next), "{took}");
    }
}

#[test]
fn when_the_time_of_a_pass_is_over_logs_go_on_and_artifacts_do_not() {
    let mut core = limited(|setup| setup.pass_time = Some(Duration::from_secs(5)));
    let effects = core.handle(Input::Event(PASSED), &at(0));
    assert!(effects.contains(&Effect::Arm(Timer::PassTime, Duration::from_secs(5))), "{effects:?}");
    let files = vec![artifact("a", 10), object("log", Class::BuildLog, 10, 1)];
    let _ = core.handle(Input::Listed(Policy::Final, bulk(files)), &at(0));
    assert_eq!(event(&mut core, Event::Fired(Timer::PassTime)), [Effect::AbortTransfer(0)]);
    assert_eq!(ended(&mut core, 0, Outcome::Aborted), []);
    assert_eq!(stored(&mut core, 1, 1), [Effect::Compose(Document::OwnLog)], "the pass closes");
    let reason = core.plan().find("a").and_then(|object| object.state.over_limit());
    assert!(reason.is_some_and(|reason| reason.contains("limits.time")), "{reason:?}");
    assert_eq!(core.completeness(), Completeness::Incomplete);
}

#[test]
fn when_the_time_of_a_pass_is_over_its_listing_ends() {
    let mut core = limited(|setup| setup.pass_time = Some(Duration::from_secs(5)));
    let _ = event(&mut core, PASSED);
    let _ = core.handle(Input::Found(Policy::Final, bulk(vec![artifact("a", 10)])), &at(0));
    let cut = event(&mut core, Event::Fired(Timer::PassTime));
    assert_eq!(cut, [Effect::AbortTransfer(0), Effect::CutListing]);
    let found = core.handle(Input::Found(Policy::Final, bulk(vec![artifact("b", 10)])), &at(0));
    assert_eq!(starts(&found), 0);
    assert_eq!(ended(&mut core, 0, Outcome::Aborted), [Effect::Compose(Document::OwnLog)]);
    assert_eq!(core.plan().summary().over_limit, 2);
}

#[test]
fn the_time_for_uploads_that_is_given_goes_before() {
    let mut core = core(Some(Budget::of(Duration::from_secs(30))));
    core.setup.pass_time = Some(Duration::from_secs(5));
    let _ = event(&mut core, PASSED);
    let effects = core.handle(Input::Event(TERM), &at(0));
    assert!(
        effects.contains(&Effect::Log(Record::InterruptLate(common::signal::Signal::TERM))),
        "{effects:?}"
    );
    let _ = core.handle(Input::Listed(Policy::Final, bulk(vec![artifact("a", 10)])), &at(0));
    let _ = event(&mut core, Event::Fired(Timer::Cutoff));
    assert_eq!(event(&mut core, Event::Fired(Timer::PassTime)), []);
    let _ = ended(&mut core, 0, Outcome::Aborted);
    assert_eq!(core.plan().summary().cut, 1);
}

#[test]
fn files_that_are_counted_only_make_the_delivery_incomplete() {
    let mut core = core(None);
    let _ = event(&mut core, PASSED);
    let partial = |wanted| Bulk { is_partial: true, ..bulk(wanted) };
    let _ = core.handle(Input::Found(Policy::Final, partial(vec![artifact("a", 1)])), &at(0));
    let _ = core.handle(Input::Listed(Policy::Final, bulk(Vec::new())), &at(0));
    let _ = stored(&mut core, 0, 1);
    assert_eq!(core.completeness(), Completeness::Incomplete);
}
