use super::*;

type Step = WriteStep<u8>;

fn put(precondition: Precondition<u8>) -> Step {
    WriteStep::Put { precondition, unless_stored: false }
}

fn present(version: u8, content: &str) -> ObjectStatus<u8> {
    ObjectStatus::Present { version, content: content.into() }
}

fn intent(class: Class, policy: Policy, is_large: bool) -> WriteIntent<u8> {
    WriteIntent::of(class, policy, is_large, Some(1), "7")
}

fn provisional(known: Option<u8>, yields: bool) -> (Write<u8>, Step) {
    Write::start(WriteIntent::Provisional { known, yields }, true)
}

#[test]
fn a_pass_before_the_final_one_is_provisional() {
    for policy in [Policy::Checkpoint, Policy::BestEffort] {
        for class in [Class::Alias, Class::BuildLog, Class::Artifact, Class::OwnLog, Class::Manifest] {
            let expected = WriteIntent::Provisional { known: Some(1), yields: false };
            assert_eq!(intent(class, policy, true), expected, "{class:?}");
        }
        let expected = WriteIntent::Provisional { known: Some(1), yields: true };
        assert_eq!(intent(Class::Result, policy, false), expected);
    }
    assert_eq!(intent(Class::Artifact, Policy::Final, true), WriteIntent::UnlessStored);
    assert_eq!(intent(Class::Artifact, Policy::Final, false), WriteIntent::Overwrite);
    assert_eq!(intent(Class::Result, Policy::Final, true), WriteIntent::Overwrite);
    for policy in [Policy::Checkpoint, Policy::BestEffort, Policy::Final] {
        assert_eq!(intent(Class::LatestBuild, policy, false), WriteIntent::LatestBuild("7".into()));
    }
}

#[test]
fn a_provisional_write_follows_what_others_wrote() {
    let (mut write, step) = provisional(None, false);
    assert_eq!(step, put(Precondition::IfAbsent));
    assert_eq!(write.precondition_failed(true), WriteStep::LookAt { content: false });
    assert_eq!(write.looked_at(present(9, "")), put(Precondition::IfVersion(9)));
    assert_eq!(write.precondition_failed(true), WriteStep::LookAt { content: false });
    assert_eq!(write.looked_at(ObjectStatus::Absent), put(Precondition::IfAbsent));
    assert!(write.is_abortable());
    assert_eq!(provisional(Some(3), false).1, put(Precondition::IfVersion(3)));
}

#[test]
fn what_cannot_be_looked_at_is_overwritten_and_waited_for_but_a_result_yields() {
    let (mut write, _) = provisional(None, false);
    let _ = write.precondition_failed(true);
    assert_eq!(write.looked_at(ObjectStatus::Unreadable), put(Precondition::Overwrite));
    assert!(!write.is_abortable());
    let (mut result, _) = provisional(None, true);
    let _ = result.precondition_failed(true);
    assert_eq!(result.looked_at(ObjectStatus::Unreadable), WriteStep::Yield);
}

#[test]
fn a_look_without_answer_fails_the_attempt() {
    for yields in [false, true] {
        let (mut write, _) = provisional(None, yields);
        let _ = write.precondition_failed(true);
        let step = write.looked_at(ObjectStatus::Unanswered("503".to_owned()));
        assert_eq!(step, WriteStep::Fail(Failure::Transient { message: "503".to_owned(), wish: None }));
    }
}

#[test]
fn an_object_that_somebody_writes_all_the_time_is_asked_for_five_times() {
    for (yields, last) in [(false, put(Precondition::Overwrite)), (true, WriteStep::Yield)] {
        let (mut write, _) = provisional(None, yields);
        for version in 0..MAX_PUTS - 1 {
            let _ = write.precondition_failed(true);
            assert_eq!(write.looked_at(present(version, "")), put(Precondition::IfVersion(version)));
        }
        let _ = write.precondition_failed(true);
        assert_eq!(write.looked_at(present(99, "")), last);
        assert_eq!(write.is_abortable(), yields);
    }
}

#[test]
fn the_latest_build_never_goes_back() {
    let latest = || Write::<u8>::start(WriteIntent::LatestBuild("12".into()), true);
    let (mut write, step) = latest();
    assert_eq!(step, WriteStep::LookAt { content: true });
    assert_eq!(write.looked_at(present(1, "11")), put(Precondition::IfAbsent), "it must be refused");
    assert_eq!(write.precondition_failed(true), put(Precondition::IfVersion(1)));
    assert_eq!(write.precondition_failed(true), WriteStep::LookAt { content: true });
    let newer = WriteStep::Fail(Failure::Skipped("it holds the newer build 13".to_owned()));
    assert_eq!(write.looked_at(present(2, "13\n")), newer);
    assert_eq!(latest().0.looked_at(ObjectStatus::Absent), put(Precondition::IfAbsent));
    let (mut write, _) = latest();
    assert_eq!(write.looked_at(ObjectStatus::Unreadable), put(Precondition::Overwrite));
    assert!(write.is_abortable(), "no other write of this sidecar follows");
    let unanswered = latest().0.looked_at(ObjectStatus::Unanswered("503".to_owned()));
    assert_eq!(unanswered, WriteStep::Fail(Failure::Transient { message: "503".to_owned(), wish: None }));
}

#[test]
fn the_latest_build_is_given_up_and_not_overwritten_after_lost_races() {
    let (mut write, _) = Write::<u8>::start(WriteIntent::LatestBuild("12".into()), true);
    assert_eq!(write.looked_at(present(77, "11")), put(Precondition::IfAbsent));
    assert_eq!(write.precondition_failed(true), put(Precondition::IfVersion(77)));
    assert_eq!(write.precondition_failed(true), WriteStep::LookAt { content: true });
    for version in 0..MAX_PUTS - 1 {
        assert_eq!(write.looked_at(present(version, "11")), put(Precondition::IfVersion(version)));
        assert_eq!(write.precondition_failed(true), WriteStep::LookAt { content: true });
    }
    assert_eq!(write.looked_at(present(99, "11")), put(Precondition::IfVersion(99)), "looked at once more");
    let step = write.precondition_failed(true);
    assert!(matches!(step, WriteStep::Fail(Failure::Skipped(_))), "{step:?}");
    let (mut write, _) = Write::<u8>::start(WriteIntent::LatestBuild("12".into()), true);
    let _ = (write.looked_at(ObjectStatus::Absent), write.precondition_failed(true));
    let step = write.looked_at(ObjectStatus::Unreadable);
    assert!(matches!(step, WriteStep::Fail(Failure::Skipped(_))), "{step:?}");
}

#[test]
fn without_preconditions_the_latest_build_is_overwritten() {
    let intent = WriteIntent::LatestBuild("12".into());
    let (mut write, step) = Write::<u8>::start(intent.clone(), false);
    assert_eq!(step, put(Precondition::Overwrite));
    let permanent = "the object was written by somebody else meanwhile".to_owned();
    assert_eq!(write.precondition_failed(false), WriteStep::Fail(Failure::Permanent(permanent)));
    let (mut write, _) = Write::<u8>::start(intent, true);
    let _ = write.looked_at(ObjectStatus::Absent);
    assert_eq!(write.precondition_failed(false), put(Precondition::Overwrite), "it refuses them since");
}

#[test]
fn a_store_that_replaces_what_must_not_be_there_is_found_out() {
    let asking = |preconditions| {
        let (mut write, _) = Write::<u8>::start(WriteIntent::LatestBuild("12".into()), true);
        assert_eq!(write.looked_at(present(1, "12")), put(Precondition::IfAbsent));
        let applied = write.applied(preconditions);
        (write, applied)
    };
    let again = Applied::Doubtful(put(Precondition::IfAbsent));
    let (mut write, applied) = asking(true);
    assert_eq!((applied, write.applied(true)), (again.clone(), Applied::Unguarded));
    // Somebody had deleted it after the look.
    let (mut write, applied) = asking(true);
    assert_eq!(applied, again);
    assert_eq!(write.precondition_failed(true), WriteStep::LookAt { content: true });
    assert_eq!(write.looked_at(present(2, "12")), put(Precondition::IfVersion(2)));
    assert_eq!(write.applied(true), Applied::Stored);
    assert_eq!(asking(false).1, Applied::Stored, "it has said so itself meanwhile");
}

#[test]
fn a_write_that_may_succeed_says_nothing_of_the_store() {
    let (mut write, _) = Write::<u8>::start(WriteIntent::LatestBuild("12".into()), true);
    assert_eq!(write.looked_at(ObjectStatus::Absent), put(Precondition::IfAbsent));
    assert_eq!(write.applied(true), Applied::Stored);
    for known in [None, Some(1)] {
        assert_eq!(provisional(known, true).0.applied(true), Applied::Stored);
    }
}

#[test]
fn only_larger_numbers_are_newer() {
    assert_eq!(newer(b"12\n", "9").as_deref(), Some("12"));
    for (held, ours) in [("9", "12"), ("12", "12"), ("x", "1"), ("2", "x"), ("", "1")] {
        assert_eq!(newer(held.as_bytes(), ours), None, "{held} {ours}");
    }
    assert!(newer(b"1944444444444444445", "1944444444444444444").is_some());
}
