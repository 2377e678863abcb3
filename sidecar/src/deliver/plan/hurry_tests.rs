use super::tests::{TestPlan, document, file, number, plan, started, state, store};
use super::*;

#[test]
fn in_a_hurry_large_artifacts_go_one_after_another() {
    let mut plan = plan();
    plan.hurry();
    let large = |key, mebibytes: u64| file(key, mebibytes << 20, 1);
    let _ = plan.reconcile(
        Policy::BestEffort,
        vec![large("c", 8), large("b", 4), file("a", 10, 1), document("build-log.txt", Class::BuildLog)],
    );
    assert_eq!(started(&mut plan), ["build-log.txt", "a", "b"]);
    store(&mut plan, "a", 1);
    assert_eq!(started(&mut plan), Vec::<String>::new());
    store(&mut plan, "b", 1);
    assert_eq!(started(&mut plan), ["c"]);
}

#[test]
fn in_a_hurry_what_does_not_fit_into_the_time_is_cut_when_it_is_its_turn() {
    let mut plan = plan();
    plan.hurry();
    let large = |key, mebibytes: u64| file(key, mebibytes << 20, 1);
    let listing = vec![large("a", 4), large("b", 8), large("c", 9), file("tiny", 10, 1)];
    let _ = plan.reconcile(Policy::Final, listing);
    let room = |mebibytes: u64| Some(mebibytes << 20);
    let starts = |plan: &mut TestPlan, room| plan.start_more(room).len();
    assert_eq!(starts(&mut plan, room(5)), 2, "the tiny one and a");
    assert_eq!(state(&plan, "b"), &State::Queued, "not its turn: the rate may become better");
    store(&mut plan, "tiny", 1);
    store(&mut plan, "a", 1);
    assert_eq!(starts(&mut plan, room(8)), 1);
    store(&mut plan, "b", 1);
    assert_eq!(starts(&mut plan, room(8)), 0);
    assert_eq!(state(&plan, "c"), &State::OutOfTime);
    assert!(plan.is_settled(Part::Bulk), "the closing objects need not wait");
    assert_eq!(plan.completeness(), Completeness::Incomplete);
}

#[test]
fn without_a_hurry_nothing_is_cut() {
    let mut plan = plan();
    let _ = plan.reconcile(Policy::Final, vec![file("a", 8 << 20, 1)]);
    assert_eq!(plan.start_more(Some(0)).len(), 1);
}

#[test]
fn i5_the_final_pass_does_not_wait_for_a_small_request_that_is_never_answered() {
    let mut plan = plan();
    let listing = || vec![file("small", 1, 1), file("large", 8 << 20, 1)];
    let _ = plan.reconcile(Policy::BestEffort, listing());
    let _ = plan.start_more(None);
    assert_eq!(plan.reconcile(Policy::BestEffort, listing()), [], "adopted");
    let small = number(&plan, "small");
    assert_eq!(plan.reconcile(Policy::Final, listing()), [Action::Abort(small)]);
    plan.aborted(small);
    assert_eq!(started(&mut plan), ["small"]);
    // The store answered in time after all.
    let _ = plan.reconcile(Policy::Final, listing());
    store(&mut plan, "small", 1);
    assert_eq!(state(&plan, "small"), &State::Stored);
}

/// An outdated transfer that arrives after no time was left for the content that is wanted.
#[test]
fn an_outdated_transfer_that_is_cut_is_not_what_was_wanted() {
    for cause in [Cause::NoTime, Cause::OverLimit] {
        let mut plan = plan();
        let listing = vec![file("new", 1, 1), file("same", 1, 1), file("read", 1, 1)];
        assert_eq!(plan.reconcile(Policy::BestEffort, listing), []);
        assert_eq!(plan.start_more(None).len(), 3);
        let listing = vec![file("new", 1, 2), file("same", 1, 1), file("read", 1, 2)];
        let aborts = plan.reconcile(Policy::Final, listing).len();
        assert_eq!(aborts, 3, "no small request of an earlier pass is adopted");
        assert_eq!(plan.leave_all(cause, |class| class == Class::Artifact), [], "they are aborted already");
        for (key, read, changed) in [("new", 1, true), ("same", 1, false), ("read", 2, false)] {
            plan.stored(number(&plan, key), read, changed, "stored");
        }
        assert_eq!(state(&plan, "new"), &cause.state());
        assert_eq!(state(&plan, "same"), &State::Stored);
        assert_eq!(state(&plan, "read"), &State::Stored, "it was read as it is wanted");
        assert_eq!(plan.completeness(), Completeness::Incomplete);
    }
}

#[test]
fn a_file_that_is_gone_while_its_transfer_is_cut_is_missing_nowhere() {
    let mut plan = plan();
    assert_eq!(plan.reconcile(Policy::BestEffort, vec![file("aborted", 1, 1), file("stored", 1, 1)]), []);
    assert_eq!(plan.start_more(None).len(), 2);
    let changed = vec![file("aborted", 1, 2), file("stored", 1, 2)];
    assert_eq!(plan.reconcile(Policy::BestEffort, changed).len(), 2);
    assert_eq!(plan.cut(Part::Bulk), [], "they are aborted already");
    assert_eq!(plan.reconcile(Policy::Final, Vec::new()), []);
    plan.aborted(number(&plan, "aborted"));
    store(&mut plan, "stored", 1);
    assert_eq!(state(&plan, "aborted"), &Cause::Gone.state());
    assert_eq!(state(&plan, "stored"), &State::Stored);
    assert_eq!(plan.completeness(), Completeness::Complete);
}
