//! Pins: I4; sidecar/README.md, "Times when told to stop".
//!
//! Whatever ends the job: the orders of events that lose results elsewhere.

use common::signal::Signal;
use harness::job::{Job, RunningJob};
use harness::process::Running;
use harness::s3::Fault;
use harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// Waits until sidecar wrote a record that contains this text.
#[track_caller]
fn until_said(sidecar: &Running, text: &str) {
    wait::until(&format!("{text:?} in sidecar's records"), || sidecar.stderr().contains(text).then_some(()));
}

/// Waits until `finished.json` has this result.
#[track_caller]
fn until_result(job: &Job, result: &str) {
    wait::until(&format!("{result} in finished.json"), || {
        job.finished_now().filter(|finished| finished["result"] == result).map(|_| ())
    });
}

fn native(more: &Value) -> Value {
    let mut options = json!({"delivery": {"native_sidecar": true}});
    harness::pod::overlay(&mut options, more.clone());
    options
}

#[test]
fn term_during_the_final_upload_changes_nothing() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| {
        let slow = seen.makes_an_object() && seen.key.ends_with("build-log.txt");
        if slow { Fault::Delay(Duration::from_secs(1)) } else { Fault::None }
    });
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({}));
    job.pod.entrypoint(&entry, &["echo", "done"], json!({})).wait().expect_code(0);
    wait::until("the upload of the log", || {
        s3.seen().iter().any(|seen| seen.key.ends_with("build-log.txt")).then_some(())
    });
    sidecar.signal(Signal::TERM);
    sidecar.wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("build-log.txt"), "done\n");
}

#[test]
fn term_twice_still_ends_with_the_final_result() {
    let RunningJob { job, entry, sidecar, test } = Job::s3().running("echo ready; exec sleep 60", json!({}));
    for _ in 0..2 {
        sidecar.signal(Signal::TERM);
        until_result(&job, "ABORTED");
    }
    for _ in 0..2 {
        test.signal(Signal::TERM);
    }
    test.wait().expect_code(130);
    sidecar.wait().expect_code(0);
    job.expect_result("ABORTED");
    assert_eq!(job.text("build-log.txt"), entry.log_text());
}

#[test]
fn marker_during_the_best_effort_pass_gives_the_final_result() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| {
        let first = seen.makes_an_object() && seen.key.ends_with("finished.json") && seen.earlier == 0;
        if first { Fault::Hang } else { Fault::None }
    });
    let go = job.pod.path("go");
    let script = format!("echo ready; until [ -e {} ]; do sleep 0.01; done; echo end", go.display());
    let RunningJob { job, sidecar, test, .. } = job.running(&script, json!({}));
    let s3 = job.s3.as_ref().expect("a bucket");
    sidecar.signal(Signal::TERM);
    wait::until("the provisional result", || {
        s3.seen().iter().any(|seen| seen.key.ends_with("finished.json")).then_some(())
    });
    fs::write(go, "").expect("written");
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("build-log.txt"), "ready\nend\n");
}

#[test]
fn test_that_ends_within_the_grace_period_delivers_its_last_lines() {
    let script = "trap '' INT; trap 'for i in 1 2 3 4 5; do echo tail $i; sleep 0.05; done; exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let RunningJob { job, entry, sidecar, test } = Job::s3().running(script, json!({}));
    sidecar.signal(Signal::TERM);
    test.signal(Signal::TERM);
    test.wait().expect_code(130);
    sidecar.wait().expect_code(0);
    job.expect_result("ABORTED");
    let log = job.text("build-log.txt");
    assert_eq!(log, entry.log_text());
    assert!(log.contains("tail 5\n"), "{log}");
}

#[test]
fn log_that_grows_during_the_best_effort_pass_arrives_whole() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({}));
    let script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.01; done; echo the end";
    let test = job.pod.entrypoint(&entry, &["sh", "-c", script], json!({}));
    entry.until_log("line 5\n");
    sidecar.signal(Signal::TERM);
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("build-log.txt"), entry.log_text());
    assert!(job.text("build-log.txt").ends_with("the end\n"));
}

#[test]
fn store_that_hangs_during_the_best_effort_pass_gets_everything_later() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| if seen.key.ends_with("build-log.txt") { Fault::Hang } else { Fault::None });
    let RunningJob { job, entry, sidecar, test } = job.running("echo ready; exec sleep 60", json!({}));
    let s3 = job.s3.as_ref().expect("a bucket");
    sidecar.signal(Signal::TERM);
    wait::until("an upload", || {
        s3.seen().iter().any(|seen| seen.key.ends_with("build-log.txt")).then_some(())
    });
    s3.script(|_| Fault::None);
    test.signal(Signal::TERM);
    test.wait().expect_code(130);
    sidecar.wait().expect_code(0);
    job.expect_result("ABORTED");
    assert_eq!(job.text("build-log.txt"), entry.log_text());
}

#[test]
fn entrypoint_killed_with_its_group_is_a_lost_entry() {
    let RunningJob { job, sidecar, test, .. } = Job::s3().running("echo ready; exec sleep 60", json!({}));
    test.signal(Signal::KILL);
    sidecar.wait().expect_code(0);
    job.expect_result("FAILURE");
    assert_eq!(job.finished()["metadata"]["pod-utils"]["entries"]["test"]["reason"], "lost");
    assert_eq!(job.text("build-log.txt"), "ready\n");
}

#[test]
fn lost_entry_waits_for_the_other_one() {
    let job = Job::s3();
    let (first, second) = (job.pod.entry("first"), job.pod.entry("second"));
    let sidecar = job.sidecar(&[&first, &second], json!({}));
    let lost = job.pod.entrypoint(&first, &["sh", "-c", "echo ready; exec sleep 60"], json!({}));
    let go = job.pod.path("go");
    let script = format!("until [ -e {} ]; do sleep 0.01; done; echo second", go.display());
    let runs = job.pod.entrypoint(&second, &["sh", "-c", &script], json!({}));
    first.until_log("ready");
    lost.signal(Signal::KILL);
    until_said(&sidecar, "first is lost");
    assert!(job.finished_now().is_none(), "the wait goes on for the other");
    fs::write(go, "").expect("written");
    runs.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    job.expect_result("FAILURE");
    assert_eq!(job.text("second-build-log.txt"), "second\n");
    assert_eq!(job.text("first-build-log.txt"), "ready\n");
}

#[test]
fn grace_period_over_within_a_large_file_still_delivers_the_result() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| if seen.key.ends_with("large.bin") { Fault::Hang } else { Fault::None });
    let entry = job.pod.entry("test");
    fs::create_dir_all(job.pod.artifacts()).expect("made");
    fs::write(job.pod.artifacts().join("large.bin"), vec![7; 12 << 20]).expect("written");
    fs::write(job.pod.artifacts().join("small.txt"), "small").expect("written");
    let sidecar = job.sidecar(&[&entry], json!({"delivery": {"grace_period": "6s"}}));
    job.pod.entrypoint(&entry, &["echo", "done"], json!({})).wait().expect_code(0);
    wait::until("the large file", || {
        s3.seen().iter().any(|seen| seen.key.ends_with("large.bin")).then_some(())
    });
    let began = std::time::Instant::now();
    sidecar.signal(Signal::TERM);
    sidecar.wait().expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(job.finished()["result"], "SUCCESS");
    assert_eq!(job.text("artifacts/small.txt"), "small");
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    let objects = manifest["objects"].as_array().expect("a list");
    let large =
        objects.iter().find(|object| object["key"].as_str().is_some_and(|key| key.ends_with("large.bin")));
    assert_eq!(large.expect("named")["state"], "skipped", "{manifest}");
}

#[test]
fn native_sidecar_ends_after_an_ordinary_run_and_term() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], native(&json!({})));
    job.pod.entrypoint(&entry, &["echo", "done"], json!({})).wait().expect_code(0);
    sidecar.signal(Signal::TERM);
    sidecar.wait().expect_code(0);
    job.expect_result("SUCCESS");
}

#[test]
fn native_sidecar_stays_until_term() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], native(&json!({})));
    job.pod.entrypoint(&entry, &["echo", "done"], json!({})).wait().expect_code(0);
    until_said(&sidecar, "waiting to be told to end");
    job.expect_result("SUCCESS");
    sidecar.signal(Signal::TERM);
    sidecar.wait().expect_code(0);
}

#[test]
fn native_sidecar_under_term_calls_an_entry_without_lock_lost() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    fs::write(&entry.log, "as far as it came\n").expect("written");
    let sidecar = job.sidecar(&[&entry], native(&json!({})));
    sidecar.signal(Signal::TERM);
    sidecar.wait().expect_code(0);
    job.expect_result("FAILURE");
    assert_eq!(job.text("build-log.txt"), "as far as it came\n");
    assert_eq!(job.finished()["metadata"]["pod-utils"]["entries"]["test"]["reason"], "lost");
}

#[test]
fn native_sidecar_killed_and_restarted_delivers() {
    let RunningJob { job, entry, sidecar, test } =
        Job::s3().running("echo ready; exec sleep 60", native(&json!({})));
    sidecar.signal(Signal::KILL);
    sidecar.wait();
    test.signal(Signal::TERM);
    test.wait().expect_code(130);
    let restarted = job.sidecar(&[&entry], native(&json!({})));
    restarted.signal(Signal::TERM);
    restarted.wait().expect_code(0);
    job.expect_result("ABORTED");
}

#[test]
fn interim_result_is_written_before_prow_kills_the_pod() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let mut command = job.sidecar_command(&[&entry], json!({"ignore_interrupts": true}));
    // Prow gives this pod two seconds.
    let spec = json!({"type": "periodic", "job": "job", "buildid": "1", "decoration_config": {"grace_period": "2s"}});
    command.env("JOB_SPEC", spec.to_string());
    let sidecar = harness::process::start(job.pod.tree(), &mut command);
    let test = job.pod.entrypoint(
        &entry,
        &["sh", "-c", "trap '' TERM INT; echo ready; while :; do sleep 0.01; done"],
        json!({}),
    );
    entry.until_log("ready");
    sidecar.signal(Signal::TERM);
    until_result(&job, "ABORTED");
    assert_eq!(entry.code(), None, "the test still runs");
    test.signal(Signal::KILL);
    sidecar.wait().expect_code(0);
    assert_eq!(job.finished()["metadata"]["pod-utils"]["entries"]["test"]["reason"], "lost");
}

#[test]
fn grace_period_too_short_is_warned_about_at_the_start() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({"delivery": {"grace_period": "8s"}}));
    until_said(&sidecar, "allow at least 10s");
    job.pod.entrypoint(&entry, &["true"], json!({})).wait().expect_code(0);
    sidecar.wait().expect_code(0);
}

#[test]
fn term_before_any_entry_is_known_loses_nothing() {
    let pod = harness::pod::Pod::new();
    let entry = pod.entry("test");
    let sidecar = pod.sidecar(&[&entry], json!({}));
    let pid = sidecar.pid();
    wait::until("sidecar to watch files", || harness::process::watches_files(pid).then_some(()));
    sidecar.signal(Signal::TERM);
    let provisional = wait::until("the provisional result", || {
        pod.out()
            .join("finished.json")
            .exists()
            .then(|| harness::pod::json_of(&pod.out().join("finished.json")))
    });
    assert_eq!(provisional["result"], "ABORTED");
    pod.entrypoint(&entry, &["echo", "late"], json!({})).wait().expect_code(0);
    sidecar.wait().expect_code(0);
    assert_eq!(pod.delivered("build-log.txt"), "late\n");
    assert_eq!(pod.finished()["result"], "SUCCESS");
}
