//! Pins: V-SW-1 to 6, V-SP-1 to 5, V-SM-1 to 3.
//!
//! Vectors of the existing programs that only the whole program can show:
//! markers there before sidecar looks or written while it waits, and metadata files.

use common::marker;
use harness::job::Job;
use harness::pod::Entry;
use harness::process;
use harness::wait;
use serde_json::{Value, json};
use std::fs;

/// Id, the markers' codes in the order of the entries, passed, aborted.
type Vector = (&'static str, &'static [&'static str], bool, bool);

fn entries(job: &Job, count: usize) -> Vec<Entry> {
    let entries: Vec<_> = (0..count).map(|number| job.pod.entry(&format!("test{number}"))).collect();
    for entry in &entries {
        fs::write(&entry.log, "").expect("written");
    }
    entries
}

fn references(entries: &[Entry]) -> Vec<&Entry> {
    entries.iter().collect()
}

#[track_caller]
fn expect_verdict(job: &Job, (id, codes, passed, aborted): Vector) {
    let finished = job.finished();
    let result = match (passed, aborted) {
        (true, _) => "SUCCESS",
        (false, true) => "ABORTED",
        (false, false) => "FAILURE",
    };
    assert_eq!((&finished["passed"], &finished["result"]), (&json!(passed), &json!(result)), "{id}");
    let manifest = job.manifest();
    let containers = manifest["containers"].as_array().expect("a list").iter();
    let ended = containers.filter(|container| container["state"] == "ended");
    assert_eq!(ended.count(), codes.len(), "{id}: {manifest:#}");
}

#[test]
fn markers_written_before_the_wait_give_the_verdict() {
    let vectors: [Vector; 5] = [
        ("V-SW-1", &["0"], true, false),
        ("V-SW-2", &["0", "0", "0"], true, false),
        ("V-SW-3", &["1"], false, false),
        ("V-SW-4", &["130"], false, true),
        ("V-SW-6", &["0", "1", "130", "1130", "1", "0"], false, true),
    ];
    for vector in vectors {
        let job = Job::local();
        let entries = entries(&job, vector.1.len());
        for (entry, code) in entries.iter().zip(vector.1) {
            fs::write(&entry.marker, code).expect("written");
        }
        job.sidecar(&references(&entries), json!({})).wait().expect_code(0);
        expect_verdict(&job, vector);
    }
}

/// Markers may lie in different directories, and one that is absent is waited
/// for, which differs from the vector.
#[test]
fn absent_marker_in_another_directory_is_awaited() {
    let job = Job::local();
    let mut entries = entries(&job, 2);
    let elsewhere = job.pod.path("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    entries[1].marker = "missing-marker.txt".into();
    fs::write(&entries[0].marker, "0").expect("written");
    let mut command = job.sidecar_command(&references(&entries), json!({}));
    let mut sidecar = process::start(job.pod.tree(), command.current_dir(&elsewhere));
    sidecar.until_stderr("Container test0 ended with code 0");
    assert!(!sidecar.has_ended() && job.finished_now().is_none());
    fs::write(elsewhere.join("missing-marker.txt"), "0").expect("written");
    sidecar.wait().expect_code(0);
    expect_verdict(&job, ("V-SW-5", &["0", "0"], true, false));
}

/// Starts a sidecar that waits, and writes these markers at the same time.
fn written_while_it_waits(job: &Job, entries: &[Entry], codes: &[&str], more: Value) -> process::Running {
    let sidecar = job.sidecar(&references(entries), more);
    let pid = sidecar.pid();
    wait::until("sidecar to wait", || process::watches_files(pid).then_some(()));
    std::thread::scope(|scope| {
        for (entry, code) in entries.iter().zip(codes) {
            scope.spawn(|| {
                let marker = marker::reserve(&entry.marker).expect("reserved");
                marker.publish(code.as_bytes()).expect("published");
            });
        }
    });
    sidecar
}

#[test]
fn markers_written_during_the_wait_give_the_verdict() {
    let vectors: [Vector; 4] = [
        ("V-SP-1", &["0"], true, false),
        ("V-SP-2", &["1"], false, false),
        ("V-SP-3", &["0", "1", "0"], false, false),
        ("V-SP-4", &["0", "130", "1"], false, true),
    ];
    for vector in vectors {
        let job = Job::local();
        let entries = entries(&job, vector.1.len());
        written_while_it_waits(&job, &entries, vector.1, json!({})).wait().expect_code(0);
        expect_verdict(&job, vector);
    }
}

/// A native sidecar is told by TERM that the second marker never appears.
#[test]
fn marker_that_never_appears_is_a_failure() {
    let job = Job::local();
    let entries = entries(&job, 2);
    let native = json!({"delivery": {"native_sidecar": true}});
    let mut sidecar = written_while_it_waits(&job, &entries, &["0"], native);
    sidecar.until_stderr("Container test0 ended with code 0");
    sidecar.signal(common::signal::Signal::TERM);
    sidecar.wait().expect_code(0);
    expect_verdict(&job, ("V-SP-5", &["0"], false, false));
}

#[test]
fn metadata_files_are_merged_and_errors_named() {
    let merged = |count: usize, write: &dyn Fn(&[Entry])| {
        let job = Job::local();
        let entries = entries(&job, count);
        fs::create_dir(job.pod.artifacts()).expect("made");
        for entry in &entries {
            fs::write(&entry.marker, "0").expect("written");
        }
        write(&entries);
        job.sidecar(&references(&entries), json!({})).wait().expect_code(0);
        job.expect_result("SUCCESS");
        job.finished()["metadata"].clone()
    };
    let put = |entry: &Entry, content: &str| fs::write(&entry.metadata, content).expect("written");
    assert_eq!(merged(1, &|_| {}), Value::Null, "V-SM-1");
    assert_eq!(merged(1, &|all| put(&all[0], r#"{"hello": "world"}"#)), json!({"hello": "world"}), "V-SM-2");
    let third = merged(5, &|all| {
        put(&all[0], r#"{"hello": "there"}"#);
        fs::create_dir(&all[2].metadata).expect("made");
        put(&all[3], "json-error");
        put(&all[4], r#"{"world": "thanks"}"#);
    });
    let errors = third["sidecar-errors"].as_object().expect("errors");
    assert_eq!((&third["hello"], &third["world"]), (&json!("there"), &json!("thanks")), "V-SM-3");
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["entry 2: ", "entry 3: "], "V-SM-3");
}
