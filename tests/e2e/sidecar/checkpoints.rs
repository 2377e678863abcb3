//! Pins: I5; sidecar/README.md, "Checkpoints" and "Small objects".
//!
//! Checkpoints while the test runs, and transfers that give way to a later pass.

use common::signal::Signal;
use harness::job::Job;
use harness::s3::Fault;
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Waits until the bucket holds an object with this text.
#[track_caller]
fn until_text(job: &Job, name: &str, text: &str) {
    wait::until(&format!("{text:?} in {name}"), || {
        let held = fs::read_to_string(job.objects_dir().join(name)).ok()?;
        (held == text).then_some(())
    });
}

fn often() -> Value {
    json!({"delivery": {"checkpoint_interval": "20ms"}})
}

#[test]
fn checkpoint_delivers_log_and_artifacts_while_the_test_runs() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], often());
    let go = job.pod.path("go");
    let script = format!(
        "echo one; echo first > $ARTIFACTS/a.txt; until [ -e {} ]; do sleep 0.01; done; echo two; echo second > $ARTIFACTS/a.txt",
        go.display()
    );
    let test = job.pod.entrypoint(&entry, &["sh", "-c", &script], json!({}));
    until_text(&job, "build-log.txt", "one\n");
    until_text(&job, "artifacts/a.txt", "first\n");
    assert_eq!(job.finished_now(), None, "a checkpoint has no result");
    assert!(!job.names().iter().any(|name| name == "manifest.json" || name == "sidecar-logs.json"));
    fs::write(go, "").expect("written");
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("build-log.txt"), "one\ntwo\n");
    assert_eq!(job.text("artifacts/a.txt"), "second\n");
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    let policies: Vec<_> = manifest["passes"].as_array().expect("a list").iter().collect();
    assert_eq!(policies.len(), 2, "only the last checkpoint is told of: {manifest}");
    assert_eq!(policies[0]["policy"], "checkpoint");
}

#[test]
fn checkpoint_sends_only_what_has_changed() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], often());
    let go = job.pod.path("go");
    let script = format!(
        "echo kept > $ARTIFACTS/kept.txt; i=0; until [ -e {} ]; do sleep 0.01; i=$((i+1)); echo $i; done",
        go.display()
    );
    let test = job.pod.entrypoint(&entry, &["sh", "-c", &script], json!({}));
    let sent = |name: &str| {
        s3.seen().iter().filter(|seen| seen.makes_an_object() && seen.key.ends_with(name)).count()
    };
    wait::until("many checkpoints", || (sent("build-log.txt") > 5).then_some(()));
    fs::write(go, "").expect("written");
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    // Once more where the file was looked at while it was being written.
    assert!((1..=2).contains(&sent("kept.txt")), "{}", sent("kept.txt"));
    assert_eq!(job.text("build-log.txt"), entry.log_text());
}

#[test]
fn checkpoint_that_hangs_gives_way_to_the_final_pass() {
    for (name, large) in [("small.bin", false), ("large.bin", true)] {
        let job = Job::s3();
        let s3 = job.s3.as_ref().expect("a bucket");
        s3.script(move |seen| if seen.key.ends_with(name) { Fault::Hang } else { Fault::None });
        fs::create_dir_all(job.pod.artifacts()).expect("made");
        let content = vec![7; if large { 12 << 20 } else { 100 }];
        fs::write(job.pod.artifacts().join(name), &content).expect("written");
        let entry = job.pod.entry("test");
        let sidecar = job.sidecar(&[&entry], often());
        let go = job.pod.path("go");
        let script =
            format!("until [ -e {} ]; do sleep 0.01; done; echo more >> $ARTIFACTS/{name}", go.display());
        let test = job.pod.entrypoint(&entry, &["sh", "-c", &script], json!({}));
        wait::until("the checkpoint", || s3.seen().iter().any(|seen| seen.key.ends_with(name)).then_some(()));
        s3.script(|_| Fault::None);
        fs::write(go, "").expect("written");
        test.wait().expect_code(0);
        let ended = Instant::now();
        sidecar.wait().expect_code(0);
        assert!(ended.elapsed() < Duration::from_secs(14), "it waited for an answer: {:?}", ended.elapsed());
        job.expect_result("SUCCESS");
        assert_eq!(job.text(&format!("artifacts/{name}")).len(), content.len() + 5);
    }
}

#[test]
fn small_object_that_is_never_answered_does_not_delay_the_result() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| if seen.key.ends_with("small.txt") { Fault::Hang } else { Fault::None });
    fs::create_dir_all(job.pod.artifacts()).expect("made");
    fs::write(job.pod.artifacts().join("small.txt"), "small").expect("written");
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({}));
    let test = job.pod.entrypoint(&entry, &["sh", "-c", "echo ready; exec sleep 60"], json!({}));
    entry.until_log("ready");
    sidecar.signal(Signal::TERM);
    wait::until("the upload", || s3.seen().iter().any(|seen| seen.key.ends_with("small.txt")).then_some(()));
    s3.script(|_| Fault::None);
    test.signal(Signal::TERM);
    test.wait().expect_code(130);
    let ended = Instant::now();
    sidecar.wait().expect_code(0);
    assert!(ended.elapsed() < Duration::from_secs(14), "it waited for an answer: {:?}", ended.elapsed());
    job.expect_result("ABORTED");
    assert_eq!(job.text("artifacts/small.txt"), "small");
}

#[test]
fn provisional_result_yields_with_write_only_credentials() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    let (told, later) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (tell, since) = (Arc::clone(&told), Arc::clone(&later));
    s3.script(move |seen| {
        if seen.method == Method::GET || seen.method == Method::HEAD {
            return Fault::Status(403);
        }
        if since.load(Ordering::SeqCst) && seen.key.ends_with("finished.json") {
            tell.store(true, Ordering::SeqCst);
        }
        Fault::None
    });
    let entry = job.pod.entry("test");
    let go = job.pod.path("go");
    let script = format!("echo ready; until [ -e {} ]; do sleep 0.01; done", go.display());
    let test = job.pod.entrypoint(&entry, &["sh", "-c", &script], json!({}));
    entry.until_log("ready");
    // What a killed predecessor of this sidecar has left.
    let held = json!({"timestamp": 1, "passed": true, "result": "SUCCESS"});
    fs::create_dir_all(job.objects_dir()).expect("made");
    fs::write(job.objects_dir().join("finished.json"), held.to_string()).expect("written");
    later.store(true, Ordering::SeqCst);
    let mut sidecar = job.sidecar(&[&entry], json!({}));
    sidecar.signal(Signal::TERM);
    sidecar.until_stderr("Best-effort upload was successful");
    assert!(told.load(Ordering::SeqCst), "it was tried");
    assert_eq!(job.finished()["result"], "SUCCESS", "what cannot be seen is not replaced");
    fs::write(go, "").expect("written");
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_ne!(job.finished()["timestamp"], 1, "the final one is written whatever is there");
}

#[test]
fn deadline_delivers_the_artifacts_that_fit_and_names_the_others() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| {
        let slow = seen.makes_an_object() && seen.key.contains("/artifacts/");
        if slow { Fault::Delay(Duration::from_millis(700)) } else { Fault::None }
    });
    fs::create_dir_all(job.pod.artifacts()).expect("made");
    let size = |index: usize| (2 << 20) + index * 300_000;
    for index in 0..9 {
        fs::write(job.pod.artifacts().join(format!("{index}.bin")), vec![7; size(index)]).expect("written");
    }
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({"delivery": {"grace_period": "6s"}}));
    let test = job.pod.entrypoint(&entry, &["sh", "-c", "echo ready; exec sleep 60"], json!({}));
    entry.until_log("ready");
    let began = Instant::now();
    sidecar.signal(Signal::TERM);
    test.signal(Signal::TERM);
    test.wait().expect_code(130);
    sidecar.wait().expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    job.expect_result("ABORTED");
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    let state = |index: usize| {
        let objects = manifest["objects"].as_array().expect("a list");
        let name = format!("/{index}.bin");
        let object =
            objects.iter().find(|object| object["key"].as_str().is_some_and(|key| key.ends_with(&name)));
        object.expect("named")["state"].clone()
    };
    let stored = (0..9).take_while(|index| state(*index) == "stored").count();
    assert!((1..9).contains(&stored), "some fit, and not all: {manifest}");
    for index in 0..9 {
        let held =
            fs::metadata(job.objects_dir().join(format!("artifacts/{index}.bin"))).map(|meta| meta.len());
        if index < stored {
            assert_eq!(held.expect("it is there"), size(index) as u64);
        } else {
            assert_eq!(state(index), "skipped", "from small to large");
            assert!(held.is_err(), "no half ones");
        }
    }
}

#[test]
fn abort_that_is_never_answered_does_not_delay_the_result() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| {
        let part = seen.query.contains("partNumber=") || seen.method == Method::DELETE;
        if part && seen.key.ends_with("large.bin") { Fault::Hang } else { Fault::None }
    });
    fs::create_dir_all(job.pod.artifacts()).expect("made");
    fs::write(job.pod.artifacts().join("large.bin"), vec![7; 12 << 20]).expect("written");
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({"delivery": {"grace_period": "10s"}}));
    job.pod.entrypoint(&entry, &["echo", "done"], json!({})).wait().expect_code(0);
    wait::until("a part", || s3.seen().iter().any(|seen| seen.query.contains("partNumber=")).then_some(()));
    sidecar.signal(Signal::TERM);
    sidecar.wait().expect_code(0);
    assert!(s3.seen().iter().any(|seen| seen.method == Method::DELETE), "it was given up");
    assert_eq!(job.finished()["result"], "SUCCESS");
    assert!(job.text("manifest.json").contains("there was no time left"));
}
