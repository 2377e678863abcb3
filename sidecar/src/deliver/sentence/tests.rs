use super::*;
use common::report::{Cgroup, Leftovers, Output, Usage, VERSION};
use common::timestamp::Timestamp;

fn report(reason: Reason, cause: &str, code: i32) -> Report {
    Report {
        version: VERSION,
        reason,
        cause: cause.to_owned(),
        code,
        child: None,
        child_ended: None,
        started: Timestamp::from_nanos(0),
        finished: Timestamp::from_nanos(0),
        timeout_ns: 0,
        grace_period_ns: 0,
        interrupts: Vec::new(),
        output: Output::default(),
        leftovers: Leftovers::default(),
        usage: Usage::default(),
        cgroup: None,
        processes: Vec::new(),
        course: None,
        trace: None,
    }
}

fn marker(code: i32) -> End {
    End::Marker { code, report: None }
}

const LOST: Option<End> = Some(End::Lost { told_to_stop: false });

fn evidence(locked: bool, logged: bool, free: u64, after_interrupt: Option<Duration>) -> Evidence {
    let volume = Volume { path: "/logs".to_owned(), free_bytes: Some(free) };
    Evidence { locked, logged, volume, after_interrupt }
}

#[test]
fn a_lost_entry_is_told_by_what_it_left_and_never_by_a_guess() {
    let later = Some(Duration::from_millis(12_900));
    for (locked, logged, free, after, said) in [
        (
            false,
            false,
            1 << 30,
            None,
            "the container never started, or could not write to /logs: it left no lock, no log and no report \
             there; the pod's status says why",
        ),
        (
            false,
            false,
            0,
            later,
            "the container never started, or could not write to /logs: it left no lock, \
             no log and no report there; the pod's status says why",
        ),
        (false, true, 1 << 30, None, "the container ended without a result; the pod's status says why"),
        (
            true,
            false,
            0,
            None,
            "entrypoint ended without a result: it was killed, or its log volume /logs is full (0 bytes free)",
        ),
        (
            true,
            true,
            4096,
            later,
            "entrypoint ended without a result: it was killed, or its log volume /logs is full (4096 bytes free)",
        ),
        (
            true,
            true,
            1 << 30,
            later,
            "entrypoint was killed 12 s after the pod was told to stop, and left no result",
        ),
        (
            true,
            false,
            1 << 30,
            None,
            "entrypoint was killed before it started the command, and left no result; the pod's status says why",
        ),
        (true, true, 1 << 30, None, "entrypoint was killed and left no result; the pod's status says why"),
    ] {
        let told = Told::of(LOST, None, &evidence(locked, logged, free, after));
        assert_eq!((told.reason, told.cause.as_str(), told.code), ("lost", said, None));
    }
    let unknown = Evidence { locked: true, logged: true, ..Evidence::default() };
    assert!(Told::of(LOST, None, &unknown).cause.starts_with("entrypoint was killed and left no result"));
}

#[test]
fn a_report_without_its_marker_still_tells() {
    let report = report(Reason::Exited, "exited with code 3", 3);
    let told = Told::of(LOST, Some(&report), &Evidence::default());
    assert_eq!(told.cause, "exited with code 3; entrypoint was killed before it wrote its marker");
    assert_eq!((told.reason, told.code), ("lost", None));
}

#[test]
fn codes_of_an_entrypoint_without_reports_are_explained() {
    for (code, said) in [
        (0, "exited with code 0"),
        (3, "exited with code 3"),
        (127, "timed out, or could not be started (code 127)"),
        (130, "was told to stop, and ended (code 130)"),
        (1130, "not started because the previous step failed"),
    ] {
        let told = Told::of(Some(marker(code)), None, &Evidence::default());
        assert_eq!((told.reason, told.cause.as_str(), told.code), ("ended", said, Some(code)));
        assert_eq!(told.is_worth_telling(), code != 0);
    }
    assert_eq!(Told::of(Some(End::Unreadable), None, &Evidence::default()).code, Some(-1));
    assert_eq!(Told::of(None, None, &Evidence::default()).reason, "running");
}

#[test]
fn what_a_success_leaves_to_say_is_said_once() {
    let told = |report: &Report| Told::of(Some(marker(report.code)), Some(report), &Evidence::default());
    let mut passed = report(Reason::Exited, "exited with code 0", 0);
    assert!(!told(&passed).is_worth_telling());
    passed.cgroup = Some(Cgroup { memory_peak_bytes: None, oom_kills: Some(1) });
    passed.output.dropped_bytes = 1_250_000;
    assert_eq!(
        told(&passed).cause,
        "exited with code 0; the kernel killed a process of this container for lack of memory; 1.2 MB of its \
         output did not fit into the log volume"
    );
    assert!(told(&passed).is_worth_telling() && told(&passed).has_passed());
    passed.cause = told(&passed).cause;
    assert_eq!(told(&passed).cause, passed.cause, "an entrypoint that says so itself");
    let aborted = report(Reason::Aborted, "aborted by SIGTERM; exited with code 0", 0);
    assert!(told(&aborted).is_worth_telling(), "a success after an interrupt is no plain one");
}

#[test]
fn a_job_of_several_names_who_failed() {
    let told = |reason, cause: &str, code| Told { reason, cause: cause.to_owned(), code, is_noted: false };
    let passed = told("exited", "exited with code 0", Some(0));
    let failed = told("exited", "exited with code 1", Some(1));
    let skipped = told("previous_failed", "not started because the previous step exited 1", Some(1130));
    let lost = told("lost", "entrypoint was killed", None);
    assert_eq!(of_job(&[("a", &failed)]), "exited with code 1");
    assert_eq!(of_job(&[("a", &passed), ("b", &passed)]), "all 2 containers exited with code 0");
    assert_eq!(of_job(&[("a", &passed), ("b", &failed), ("c", &skipped)]), "b: exited with code 1");
    assert_eq!(of_job(&[("a", &lost), ("b", &failed)]), "a: entrypoint was killed; b: exited with code 1");
    assert_eq!(
        of_job(&[("a", &failed), ("b", &failed), ("c", &failed), ("d", &failed)]),
        "a: exited with code 1; b: exited with code 1; c: exited with code 1; one more failed"
    );
    let noted = Told { is_noted: true, ..passed.clone() };
    assert_eq!(of_job(&[("a", &passed), ("b", &noted)]), "b: exited with code 0");
    assert_eq!(
        of_job(&[("a", &passed), ("b", &skipped)]),
        "b: not started because the previous step exited 1",
        "nobody else can be blamed"
    );
}

#[test]
fn containers_without_or_with_the_same_name_are_told_apart() {
    assert_eq!(
        unique_names(["test", "", "test", "test-2", "test"]),
        ["test", "entry-2", "test-2", "test-2-2", "test-3"]
    );
}

#[test]
fn sizes_are_decimal() {
    let sizes = [0, 1, 999, 1000, 3_145_728, 9_999_999_999, 5_000_000_000_000_000].map(size);
    assert_eq!(sizes, ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "3.1 MB", "9.9 GB", "5000.0 TB"]);
}
