use super::*;

pub(super) type TestPlan = Plan<(), u32, &'static str>;

pub(super) const TERMS: Terms = Terms { random: 0, left: None };

pub(super) const WEIGHTS: Weights =
    Weights { memory: 64 << 20, largest: 16 << 20, in_flight: 4, sent_bytes: None };

pub(super) fn plan() -> TestPlan {
    Plan::new(WEIGHTS)
}

pub(super) fn file(key: &str, bytes: u64, fingerprint: u32) -> Desired<(), u32> {
    Desired { key: key.into(), class: Class::Artifact, bytes, source: (), fingerprint }
}

pub(super) fn document(key: &str, class: Class) -> Desired<(), u32> {
    Desired { key: key.into(), class, bytes: 10, source: (), fingerprint: 0 }
}

pub(super) fn transient() -> Failure {
    Failure::Transient { message: "503".to_owned(), wish: None }
}

/// Keys of the objects that start.
pub(super) fn started(plan: &mut TestPlan) -> Vec<String> {
    let actions = plan.start_more(None);
    actions
        .into_iter()
        .map(|action| match action {
            Action::Start(number) => plan.object(number).desired.key.to_string(),
            Action::Abort(number) => panic!("gave {number} up"),
        })
        .collect()
}

pub(super) fn number(plan: &TestPlan, key: &str) -> u32 {
    let found = (0..u32::MAX).find(|number| plan.object(*number).desired.key == *key);
    found.expect("it is there")
}

pub(super) fn store(plan: &mut TestPlan, key: &str, fingerprint: u32) {
    plan.stored(number(plan, key), fingerprint, false, "stored");
}

pub(super) fn state<'a>(plan: &'a TestPlan, key: &str) -> &'a State {
    &plan.find(key).expect("it is there").state
}

#[test]
fn a_pass_goes_by_class_then_from_small_to_large() {
    let mut plan = plan();
    let listing = vec![
        file("z/large", 100, 1),
        file("a/small", 1, 1),
        document("latest-build.txt", Class::LatestBuild),
        document("build-log.txt", Class::BuildLog),
    ];
    assert_eq!(plan.reconcile(Policy::BestEffort, listing), []);
    assert_eq!(started(&mut plan), ["latest-build.txt", "build-log.txt", "a/small", "z/large"]);
    assert!(!plan.is_settled(Part::Bulk));
    for (key, fingerprint) in [("latest-build.txt", 0), ("build-log.txt", 0), ("a/small", 1), ("z/large", 1)]
    {
        store(&mut plan, key, fingerprint);
    }
    assert!(plan.is_settled(Part::Bulk));
    assert_eq!(plan.completeness(), Completeness::Complete);
}

#[test]
fn i8_memory_and_number_bound_what_is_in_flight() {
    let mut small = plan();
    let _ = small.reconcile(Policy::BestEffort, (0..10).map(|n| file(&format!("f{n}"), 1, 1)).collect());
    assert_eq!(started(&mut small).len(), 4);
    store(&mut small, "f0", 1);
    assert_eq!(started(&mut small).len(), 1);
    let mut large = plan();
    let _ =
        large.reconcile(Policy::BestEffort, (0..10).map(|n| file(&format!("f{n}"), 1 << 40, 1)).collect());
    assert_eq!(started(&mut large).len(), 3, "three parts of 16 MiB and their buffers fit into 64 MiB");
    let mut tight: TestPlan = Plan::new(Weights { memory: 1, ..WEIGHTS });
    let _ = tight.reconcile(Policy::BestEffort, vec![file("f", 1 << 40, 1), file("g", 1, 1)]);
    assert_eq!(started(&mut tight), ["g"], "one is always in flight");
}

#[test]
fn only_differences_are_sent_again() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("same", 1, 1), file("other", 1, 1)]);
    let _ = plan.start_more(None);
    store(&mut plan, "same", 1);
    store(&mut plan, "other", 1);
    assert_eq!(
        plan.reconcile(Policy::BestEffort, vec![file("same", 1, 1), file("other", 2, 2), file("new", 1, 1)]),
        []
    );
    assert_eq!(started(&mut plan), ["new", "other"]);
}

#[test]
fn a_source_that_changed_while_it_was_read_is_sent_again() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 1, 1)]);
    let _ = plan.start_more(None);
    plan.stored(0, 1, true, "stored");
    assert_eq!(state(&plan, "log"), &State::Changed);
    let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 1, 1)]);
    assert_eq!(started(&mut plan), ["log"]);
}

#[test]
fn what_was_read_counts_not_what_was_listed() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 1, 1)]);
    let _ = plan.start_more(None);
    plan.stored(0, 2, false, "stored");
    let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 9, 2)]);
    assert!(started(&mut plan).is_empty());
    assert_eq!(state(&plan, "log"), &State::Stored);
}

#[test]
fn i5_a_transfer_is_adopted_when_unchanged_else_given_up_before_it_starts_again() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("same", 1, 1), file("log", 1, 1)]);
    let _ = plan.start_more(None);
    let log = number(&plan, "log");
    assert_eq!(
        plan.reconcile(Policy::BestEffort, vec![file("same", 1, 1), file("log", 2, 2)]),
        [Action::Abort(log)]
    );
    assert!(started(&mut plan).is_empty(), "the first transfer may still take effect");
    assert!(!plan.is_settled(Part::Bulk));
    plan.aborted(log);
    assert_eq!(started(&mut plan), ["log"]);
    store(&mut plan, "log", 2);
    store(&mut plan, "same", 1);
    assert!(plan.is_settled(Part::Bulk));
}

#[test]
fn a_transfer_that_ends_while_it_is_given_up() {
    for (fingerprint, again) in [(1, true), (2, false)] {
        let mut plan = plan();
        let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 1, 1)]);
        let _ = plan.start_more(None);
        let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 2, 2)]);
        store(&mut plan, "log", fingerprint);
        assert_eq!(!started(&mut plan).is_empty(), again);
    }
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 1, 1)]);
    let _ = plan.start_more(None);
    let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 2, 2)]);
    assert_eq!(plan.failed(0, transient(), &TERMS), None);
    assert_eq!(started(&mut plan), ["log"]);
}

#[test]
fn permanent_failures_stop_nothing_else() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1), file("b", 1, 1)]);
    let _ = plan.start_more(None);
    assert_eq!(plan.failed(0, Failure::Permanent("403".to_owned()), &TERMS), None);
    store(&mut plan, "b", 1);
    let summary = plan.summary();
    assert_eq!((summary.stored, summary.failed, summary.open), (1, 1, 0));
}

#[test]
fn what_vanishes_before_its_turn_is_skipped() {
    let mut plan: TestPlan = Plan::new(Weights { in_flight: 1, ..WEIGHTS });
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1), file("b", 2, 1)]);
    assert_eq!(started(&mut plan), ["a"]);
    assert_eq!(plan.reconcile(Policy::BestEffort, vec![]), []);
    assert!(matches!(state(&plan, "b"), State::Skipped(_)));
    assert_eq!(state(&plan, "a"), &State::InFlight, "what is being read is delivered");
}

#[test]
fn a_cut_gives_up_the_bulk_only() {
    let mut plan: TestPlan = Plan::new(Weights { in_flight: 2, ..WEIGHTS });
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1), file("b", 2, 1), file("c", 3, 1)]);
    let _ = plan.start_more(None);
    store(&mut plan, "a", 1);
    assert_eq!(plan.cut(Part::Bulk), [Action::Abort(1)]);
    assert!(!plan.is_settled(Part::Bulk));
    plan.aborted(1);
    assert!(plan.is_settled(Part::Bulk));
    assert_eq!(state(&plan, "a"), &State::Stored);
    for key in ["b", "c"] {
        assert_eq!(state(&plan, key), &State::OutOfTime);
    }
    assert_eq!(plan.completeness(), Completeness::Incomplete);
    let _ = plan.submit(document("sidecar-logs.json", Class::OwnLog));
    assert_eq!(started(&mut plan), ["sidecar-logs.json"]);
    assert!(!plan.is_settled(Part::OwnLog));
}

#[test]
fn an_abandoned_result_is_given_up_and_can_be_wanted_again() {
    let mut plan = plan();
    let _ = plan.submit(document("finished.json", Class::Result));
    let _ = plan.start_more(None);
    assert_eq!(plan.abandon("finished.json"), Some(Action::Abort(0)));
    plan.aborted(0);
    let _ = plan.submit(Desired { fingerprint: 7, ..document("finished.json", Class::Result) });
    assert_eq!(started(&mut plan), ["finished.json"]);
    let mut plan = super::tests::plan();
    let _ = plan.submit(document("finished.json", Class::Result));
    assert_eq!(plan.abandon("finished.json"), None);
    assert!(matches!(state(&plan, "finished.json"), State::Skipped(_)));
}

#[test]
fn withheld_objects_stay_so_until_their_content_changes() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1)]);
    let _ = plan.start_more(None);
    assert_eq!(plan.failed(0, Failure::Withheld("encrypted".to_owned()), &TERMS), None);
    assert_eq!(plan.completeness(), Completeness::Complete);
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1)]);
    assert!(started(&mut plan).is_empty());
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 2)]);
    assert_eq!(started(&mut plan), ["a"]);
}

#[test]
fn skipped_objects_are_listed_and_keep_what_was_stored() {
    let mut plan = plan();
    plan.skip(file("link", 0, 0), "a symbolic link that leaves the item");
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1)]);
    let _ = plan.start_more(None);
    store(&mut plan, "a", 1);
    plan.skip(file("a", 0, 0), "no regular file any more");
    assert!(plan.find("a").expect("there").stored.is_some());
    let keys: Vec<_> = plan.objects().map(|object| object.desired.key.to_string()).collect();
    assert_eq!(keys, ["a", "link"]);
    assert_eq!(plan.summary().skipped, 2);
}

#[test]
fn what_is_displaced_is_listed_and_leaves_the_object_alone() {
    let mut plan = plan();
    let taken = |keys: [&str; 2]| keys.map(|key| (file(key, 0, 0), "its name is taken".to_owned()));
    let aborted = plan.reconcile(Policy::BestEffort, vec![file("b", 1, 1), file("d", 1, 1)]);
    assert!(aborted.is_empty(), "nothing was on its way: {aborted:?}");
    plan.displace(taken(["d", "c"]));
    assert_eq!(started(&mut plan), ["b", "d"]);
    store(&mut plan, "d", 1);
    plan.begin_listing();
    plan.displace(taken(["d", "a"]));
    let listed: Vec<_> =
        plan.objects().map(|object| (object.desired.key.to_string(), object.stored.is_some())).collect();
    let expected = [("a", false), ("b", false), ("d", true), ("d", false)];
    assert_eq!(listed, expected.map(|(key, is_stored)| (key.to_owned(), is_stored)));
    assert_eq!((plan.summary().skipped, plan.summary().stored), (2, 1));
    assert!(plan.find("a").is_none());
}

#[test]
fn what_is_still_open_is_missing() {
    let mut plan = plan();
    assert_eq!(plan.completeness(), Completeness::Complete);
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1)]);
    assert_eq!(plan.completeness(), Completeness::Incomplete);
    let _ = plan.start_more(None);
    assert_eq!(plan.completeness(), Completeness::Incomplete);
    store(&mut plan, "a", 1);
    assert_eq!(plan.completeness(), Completeness::Complete);
}

#[test]
fn a_queued_object_whose_size_changes_is_sent_once() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 1, 1)]);
    let _ = plan.reconcile(Policy::BestEffort, vec![file("log", 2, 2)]);
    assert_eq!(started(&mut plan), ["log"]);
}

#[test]
fn what_failed_and_is_gone_by_the_next_pass_is_not_missing() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1), file("b", 1, 1)]);
    let _ = plan.start_more(None);
    let _ = plan.failed(0, Failure::Permanent("unreadable".to_owned()), &TERMS);
    let _ = plan.cut(Part::Bulk);
    plan.aborted(1);
    let _ = plan.reconcile(Policy::BestEffort, vec![]);
    assert_eq!(plan.completeness(), Completeness::Complete);
    assert_eq!(plan.summary().skipped, 2);
}

#[test]
fn a_listing_comes_in_pieces_and_what_it_did_not_find_is_gone_at_its_end() {
    let mut plan: TestPlan = Plan::new(Weights { in_flight: 2, ..WEIGHTS });
    let _ = plan.reconcile(Policy::BestEffort, vec![file("b", 3, 1), file("d", 4, 1), file("z", 5, 1)]);
    plan.begin_listing();
    assert_eq!(plan.add(Policy::BestEffort, vec![file("c", 1, 1), file("a", 2, 1)]), []);
    assert_eq!(started(&mut plan), ["c", "a"], "they need not wait for the rest");
    assert_eq!(state(&plan, "z"), &State::Queued, "it may come yet");
    assert_eq!(plan.add(Policy::BestEffort, vec![file("d", 4, 1)]), []);
    plan.end_listing();
    for gone in ["b", "z"] {
        assert!(matches!(state(&plan, gone), State::Skipped(_)), "{gone}");
    }
    let keys: Vec<_> = plan.objects().map(|object| object.desired.key.to_string()).collect();
    assert_eq!(keys, ["a", "b", "c", "d", "z"]);
    store(&mut plan, "a", 1);
    assert_eq!(started(&mut plan), ["d"]);
}

#[test]
fn a_listing_that_begins_anew_forgets_what_the_other_had_found() {
    let mut plan: TestPlan = Plan::new(Weights { in_flight: 1, ..WEIGHTS });
    let _ = plan.reconcile(Policy::BestEffort, vec![file("a", 1, 1), file("b", 1, 1), file("c", 1, 1)]);
    let _ = started(&mut plan);
    plan.begin_listing();
    let _ = plan.add(Policy::BestEffort, vec![file("b", 1, 1)]);
    plan.begin_listing();
    let _ = plan.add(Policy::Final, vec![file("c", 1, 1)]);
    plan.end_listing();
    assert!(matches!(state(&plan, "b"), State::Skipped(_)));
    assert_eq!(state(&plan, "c"), &State::Queued);
}
