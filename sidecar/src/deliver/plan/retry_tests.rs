//! Failures that another attempt may cure.

use super::super::retry::{MAX_ATTEMPTS, MAX_LAST_ATTEMPTS, backoff};
use super::tests::{
    TERMS, TestPlan, WEIGHTS, document, file, number, plan, started, state, store, transient,
};
use super::*;
use std::time::Duration;

/// Objects `f0`, `f1`, … of a plan that sends two at a time.
fn files(count: usize) -> TestPlan {
    let mut plan = Plan::new(Weights { in_flight: 2, ..WEIGHTS });
    let _ = plan.reconcile(Policy::Final, (0..count).map(|n| file(&format!("f{n}"), 1, 1)).collect());
    plan
}

fn fail(plan: &mut TestPlan, key: &str) -> Option<Again> {
    plan.failed(number(plan, key), transient(), &TERMS)
}

#[test]
fn an_object_is_tried_for_as_long_as_the_others_arrive() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::Final, (0..100).map(|n| file(&format!("f{n:02}"), 1, 1)).collect());
    let mut first = started(&mut plan);
    assert_eq!(first.remove(0), "f00");
    for attempt in 1..50 {
        store(&mut plan, &first.pop().expect("another one"), 1);
        assert_eq!(fail(&mut plan, "f00"), Some(Again::After(backoff(attempt, 0, None))));
        plan.wake(0);
        first.extend(started(&mut plan).into_iter().filter(|key| key != "f00"));
    }
    assert!(!plan.is_settled(Part::Bulk), "and it goes on");
}

#[test]
fn one_object_asks_a_store_that_is_out() {
    let mut plan = Plan::new(Weights { in_flight: 2, ..WEIGHTS });
    let all = (0..100).map(|n| file(&format!("f{n:02}"), 1, 1)).collect();
    assert_eq!(plan.reconcile(Policy::Final, all), [], "nothing is aborted");
    assert_eq!(started(&mut plan), ["f00", "f01"]);
    assert_eq!(fail(&mut plan, "f00"), Some(Again::Probe(backoff(1, 0, None))));
    assert_eq!(fail(&mut plan, "f01"), Some(Again::WithOthers));
    for probe in 2..10 {
        assert!(started(&mut plan).is_empty(), "nobody asks in the pause");
        plan.probe();
        let asks = format!("f{:02}", probe - 1);
        assert_eq!(started(&mut plan), [asks.as_str()], "they take turns");
        assert!(started(&mut plan).is_empty(), "one at a time");
        assert_eq!(fail(&mut plan, &asks), Some(Again::Probe(backoff(probe.min(5), 0, None))));
    }
    plan.probe();
    assert_eq!(started(&mut plan), ["f09"]);
    store(&mut plan, "f09", 1);
    assert_eq!(started(&mut plan), ["f00", "f01"], "all go on with it");
    assert_eq!(plan.summary().failed, 0);
}

#[test]
fn the_smallest_object_asks() {
    let mut plan: TestPlan = Plan::new(Weights { in_flight: 1, ..WEIGHTS });
    let log = Desired { bytes: 1 << 40, ..document("build-log.txt", Class::BuildLog) };
    let _ = plan.reconcile(Policy::Final, vec![log, file("a", 9, 1), file("b", 1, 1)]);
    assert_eq!(started(&mut plan), ["build-log.txt"]);
    let _ = fail(&mut plan, "build-log.txt");
    plan.probe();
    assert_eq!(started(&mut plan), ["b"]);
    plan.part_arrived();
    assert!(started(&mut plan).is_empty(), "one is in flight");
    store(&mut plan, "b", 1);
    assert_eq!(started(&mut plan), ["build-log.txt"], "in the order of a pass again");
}

#[test]
fn a_part_that_arrives_ends_an_outage() {
    let mut plan = files(3);
    let _ = started(&mut plan);
    let _ = (fail(&mut plan, "f0"), fail(&mut plan, "f1"));
    plan.probe();
    assert_eq!(started(&mut plan), ["f1"]);
    plan.part_arrived();
    assert_eq!(started(&mut plan), ["f0"]);
}

#[test]
fn objects_that_the_store_refuses_for_themselves_hold_up_no_others() {
    let mut plan: TestPlan = Plan::new(Weights { in_flight: 2, ..WEIGHTS });
    let latest = Desired { bytes: 1, ..document("latest-build.txt", Class::LatestBuild) };
    let log = Desired { bytes: 9, ..document("build-log.txt", Class::BuildLog) };
    let all = vec![latest, log, file("a", 1, 1), file("b", 9, 1)];
    assert_eq!(plan.reconcile(Policy::Final, all), [], "nothing is aborted");
    assert_eq!(started(&mut plan), ["latest-build.txt", "build-log.txt"]);
    assert!(matches!(fail(&mut plan, "latest-build.txt"), Some(Again::Probe(_))));
    assert_eq!(fail(&mut plan, "build-log.txt"), Some(Again::WithOthers));
    for asks in ["a", "build-log.txt", "b", "latest-build.txt", "a", "build-log.txt"] {
        plan.probe();
        assert_eq!(started(&mut plan), [asks], "from small to large, and round again");
        assert!(matches!(fail(&mut plan, asks), Some(Again::Probe(_))));
    }
    plan.probe();
    assert_eq!(started(&mut plan), ["b"]);
    store(&mut plan, "b", 9);
    assert_eq!(started(&mut plan), ["latest-build.txt", "build-log.txt"], "in the order of a pass again");
}

#[test]
fn what_is_given_up_is_tried_again_by_the_next_pass_only() {
    let mut plan = files(3);
    let _ = started(&mut plan);
    let _ = (fail(&mut plan, "f0"), fail(&mut plan, "f1"));
    plan.probe();
    let _ = started(&mut plan);
    assert_eq!(plan.give_up("503 (given up)"), [0, 2], "f1 is on its way");
    assert_eq!(state(&plan, "f2"), &State::Failed("503 (given up)".into()));
    assert_eq!(fail(&mut plan, "f1"), None);
    assert_eq!(state(&plan, "f1"), &State::Failed("503 (tried 2 times)".into()));
    assert!(plan.is_settled(Part::Bulk));
    assert_eq!((plan.completeness(), plan.open()), (Completeness::Incomplete, 0));
    let _ = plan.reconcile(Policy::Final, vec![file("f2", 1, 1)]);
    assert_eq!(started(&mut plan), ["f2"]);
    assert!(matches!(fail(&mut plan, "f2"), Some(Again::Probe(_))), "for as long as before");
}

#[test]
fn after_everything_was_given_up_closing_objects_get_few_attempts() {
    for (class, attempts) in [
        (Class::OwnLog, MAX_LAST_ATTEMPTS),
        (Class::Manifest, MAX_LAST_ATTEMPTS),
        (Class::Result, MAX_ATTEMPTS),
    ] {
        let mut plan = files(1);
        let _ = started(&mut plan);
        let _ = fail(&mut plan, "f0");
        let _ = plan.give_up("503");
        let _ = plan.submit(document("d", class));
        let mut tries = 0;
        while started(&mut plan) == ["d"] {
            tries += 1;
            let _ = fail(&mut plan, "d");
            plan.wake(1);
        }
        assert_eq!(tries, attempts, "{class:?}");
    }
}

#[test]
fn a_result_is_not_held_back_by_an_outage() {
    let mut plan = files(2);
    let _ = started(&mut plan);
    let _ = (fail(&mut plan, "f0"), fail(&mut plan, "f1"));
    let _ = plan.submit(document("finished.json", Class::Result));
    assert_eq!(started(&mut plan), ["finished.json"]);
    assert_eq!(fail(&mut plan, "finished.json"), Some(Again::After(backoff(1, 0, None))));
    plan.probe();
    assert_eq!(started(&mut plan), ["f1"], "the others have their own pause");
}

#[test]
fn a_provisional_result_need_not_wait_for_a_long_outage() {
    let mut plan = files(2);
    let _ = started(&mut plan);
    let _ = (fail(&mut plan, "f0"), fail(&mut plan, "f1"));
    for asks in ["f1", "f0", "f1", "f0"] {
        assert!(!plan.is_stalled(Part::Bulk));
        plan.probe();
        assert_eq!(started(&mut plan), [asks]);
        assert!(!plan.is_stalled(Part::Bulk), "one is on its way");
        assert!(matches!(fail(&mut plan, asks), Some(Again::Probe(_))));
    }
    assert!(plan.is_stalled(Part::Bulk));
}

#[test]
fn a_file_that_never_rests_is_read_a_few_times() {
    let mut plan = files(1);
    for attempt in 1..MAX_ATTEMPTS {
        assert_eq!(started(&mut plan), ["f0"]);
        let again = plan.failed(0, Failure::Unsteady("it moved".to_owned()), &TERMS);
        assert_eq!(again, Some(Again::After(backoff(attempt, 0, None))));
        plan.wake(0);
    }
    let _ = started(&mut plan);
    assert_eq!(plan.failed(0, Failure::Unsteady("it moved".to_owned()), &TERMS), None);
    assert_eq!(state(&plan, "f0"), &State::Failed("it moved (tried 5 times)".into()));
    plan.wake(0);
    assert!(started(&mut plan).is_empty(), "a late timer changes nothing");
}

#[test]
fn without_time_left_a_failure_is_the_last_one() {
    let mut plan = files(2);
    let _ = started(&mut plan);
    let terms = |left| Terms { left: Some(Duration::from_millis(left)), ..TERMS };
    let again = plan.failed(0, transient(), &terms(400));
    assert_eq!(again, Some(Again::Probe(Duration::from_millis(100))), "several more attempts fit");
    assert_eq!(plan.failed(1, transient(), &terms(0)), None);
    assert_eq!(state(&plan, "f1"), &State::Failed("503 (tried once)".into()));
    plan.probe();
    assert_eq!(started(&mut plan), ["f0"]);
    assert_eq!(plan.failed(0, transient(), &terms(0)), None);
    let _ = plan.submit(document("sidecar-logs.json", Class::OwnLog));
    assert_eq!(started(&mut plan), ["sidecar-logs.json"], "nothing waits behind it");
}
