//! Pins: sidecar/README.md, "Internal errors".
//!
//! Panics and hangs that a build for tests has on request: they cost an object, or
//! the job's metadata, but never the result.

use common::signal::Signal;
use harness::job::Job;
use harness::pod::Entry;
use harness::process::{self, Ended};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

fn ended_job(job: &Job) -> Entry {
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    for name in ["a.txt", "b.txt", "c.txt"] {
        fs::write(job.pod.artifacts().join(name), name).expect("written");
    }
    fs::write(job.pod.artifacts().join("large.bin"), vec![9; 14 << 20]).expect("written");
    entry
}

/// Delivers with a fault, of [`sidecar::io`]'s points.
fn deliver(job: &Job, entry: &Entry, fault: &str, more: Value) -> Ended {
    let mut command = job.sidecar_command(&[entry], more);
    process::start(job.pod.tree(), command.env("POD_UTILS_FAULT", fault)).wait_for(Duration::from_mins(2))
}

fn fail_on_error() -> Value {
    json!({"delivery": {"fail_on_error": true}})
}

#[test]
fn panic_in_a_transfer_is_a_failed_object_and_everything_else_arrives() {
    for point in ["transfer", "reader"] {
        for name in ["artifacts/b.txt", "artifacts/large.bin"] {
            let job = Job::s3();
            let entry = ended_job(&job);
            let fault = format!("panic {point} {}/{name}", harness::job::JOB_PATH);
            let ended = deliver(&job, &entry, &fault, fail_on_error());
            ended.expect_code(1);
            assert!(ended.stderr.contains("An internal error at "), "{}", ended.stderr);
            let listed = job.listed(name);
            assert_eq!(listed["state"], "failed", "{listed}");
            let objects = job.manifest()["objects"].as_array().expect("a list").clone();
            let missing = objects.iter().filter(|object| object["state"] != "stored").count();
            assert_eq!(missing, 1, "{objects:?}");
            assert_eq!(job.text("build-log.txt"), "output\n");
            job.expect_result("SUCCESS");
        }
    }
}

#[test]
fn panic_in_the_loop_begins_delivery_anew() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let ended = deliver(&job, &entry, "panic driver*1", fail_on_error());
    ended.expect_code(0);
    assert!(ended.stderr.contains("Delivery begins anew after an internal error"), "{}", ended.stderr);
    let objects = job.manifest()["objects"].as_array().expect("a list").clone();
    assert!(objects.iter().all(|object| object["state"] == "stored"), "{objects:?}");
    job.expect_result("SUCCESS");
}

#[test]
fn loop_that_panics_again_delivers_the_result() {
    for (more, code) in [(json!({}), 0), (fail_on_error(), 1)] {
        let job = Job::s3();
        let entry = ended_job(&job);
        let ended = deliver(&job, &entry, "panic driver", more);
        ended.expect_code(code);
        assert!(ended.stderr.contains("Only the result is delivered"), "{}", ended.stderr);
        job.expect_result("SUCCESS");
        let finished: Value = serde_json::from_str(&job.text("finished.json")).expect("JSON");
        let why = &finished["metadata"]["sidecar-errors"]["metadata"];
        assert_eq!(why, "it was left out because of an internal error");
    }
}

#[test]
fn result_whose_transfer_panics_is_sent_once_more() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let fault = format!("panic transfer {}/finished.json*1", harness::job::JOB_PATH);
    deliver(&job, &entry, &fault, fail_on_error()).expect_code(1);
    job.expect_result("SUCCESS");
    let said = &job.finished()["metadata"]["sidecar-errors"]["metadata"];
    assert!(said.as_str().is_some_and(|said| said.contains("could not be stored with it")), "{said}");
}

#[test]
fn loop_that_panics_again_leaves_a_termination_message() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let message = job.pod.path("termination-message");
    fs::write(&message, "").expect("written");
    deliver(&job, &entry, "panic driver", json!({"delivery": {"termination_message_path": message}}));
    let told = fs::read_to_string(&message).expect("there");
    assert!(told.starts_with("SUCCESS: ") && told.contains("because of an internal error"), "{told}");
}

#[test]
fn manifest_that_takes_too_long_lists_what_it_can_and_the_result_follows() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let test = job.pod.entrypoint(&entry, &["sh", "-c", "echo ready; exec sleep 100"], json!({}));
    entry.until_log("ready");
    for number in 0..60 {
        fs::write(job.pod.artifacts().join(format!("{number}.txt")), "text").expect("written");
    }
    let more = json!({"delivery": {"grace_period": "10s", "fail_on_error": true}});
    let mut command = job.sidecar_command(&[&entry], more);
    let sidecar = process::start(job.pod.tree(), command.env("POD_UTILS_FAULT", "delay row"));
    sidecar.signal(Signal::TERM);
    test.signal(Signal::TERM);
    let ended = sidecar.wait_for(Duration::from_mins(1));
    ended.expect_code(1);
    job.expect_result("ABORTED");
    let manifest = job.manifest();
    let listed = manifest["objects"].as_array().expect("a list").len();
    let gap = &manifest["listing"];
    assert!(listed > 0 && gap["not_listed"].as_u64() == Some(63 - listed as u64), "{listed} {gap}");
    assert_eq!(gap["reason"], "there was no time left to write them down");
    drop(test.wait());
}

/// initupload is sidecar's binary under another name.
#[test]
fn upload_that_panics_begins_anew_once() {
    for (fault, code) in [("panic driver*1", 0), ("panic driver", 1)] {
        let pod = harness::pod::Pod::new();
        let options = json!({"local_output_dir": pod.out(), "path_strategy": "explicit"});
        let mut command = super::initupload::with_json(&pod, "initupload", &options);
        let ended = process::run(pod.tree(), command.env("POD_UTILS_FAULT", fault));
        ended.expect_code(code);
        assert!(pod.out().join("started.json").exists(), "{ended:#?}");
        assert!(!ended.stderr.contains(r#""component":"sidecar""#), "{}", ended.stderr);
        assert!(ended.stderr.contains("The upload begins anew after an internal error"), "{}", ended.stderr);
        assert_eq!(ended.stderr.contains("Failed to upload"), code != 0, "{}", ended.stderr);
    }
}

#[test]
fn panic_in_the_loop_forgets_no_interrupt() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let test = job.pod.entrypoint(&entry, &["sh", "-c", "echo ready; exec sleep 100"], json!({}));
    entry.until_log("ready");
    let mut command = job.sidecar_command(&[&entry], fail_on_error());
    let mut sidecar = process::start(job.pod.tree(), command.env("POD_UTILS_FAULT", "panic driver*1"));
    sidecar.signal(Signal::TERM);
    sidecar.until_stderr("Best-effort upload was successful");
    test.signal(Signal::TERM);
    let ended = sidecar.wait_for(Duration::from_mins(1));
    assert!(ended.stderr.contains("Delivery begins anew"), "{}", ended.stderr);
    ended.expect_code(0);
    job.expect_result("ABORTED");
    assert!(test.wait().exit != harness::process::Exit::Code(0));
}

#[test]
fn result_goes_out_without_metadata_that_cannot_be_had() {
    for (fault, why) in [("panic compose", "internal error"), ("hang compose", "could not be read in time")] {
        let job = Job::s3();
        let entry = ended_job(&job);
        fs::write(job.pod.artifacts().join("metadata.json"), r#"{"key":"value"}"#).expect("written");
        let ended = deliver(&job, &entry, fault, json!({}));
        ended.expect_code(0);
        assert!(ended.stderr.contains("without the job's metadata"), "{}", ended.stderr);
        job.expect_result("SUCCESS");
        let finished: Value = serde_json::from_str(&job.text("finished.json")).expect("JSON");
        let said = finished["metadata"]["sidecar-errors"]["metadata"].as_str().expect("said");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn listing_that_panics_is_told_and_costs_no_log() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let ended = deliver(&job, &entry, "panic listing", fail_on_error());
    ended.expect_code(1);
    assert_eq!(job.text("build-log.txt"), "output\n");
    job.expect_result("SUCCESS");
    let gap = job.manifest()["listing"].clone();
    assert_eq!(gap, json!({"complete": false, "files": 0, "reason": "an internal error ended it"}));
}

#[test]
fn listing_that_is_not_through_at_the_cut_is_told_and_costs_no_log() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let message = job.pod.path("termination-message");
    fs::write(&message, "").expect("written");
    let delivery = json!({"fail_on_error": true, "grace_period": "3s", "termination_message_path": message});
    let mut command = job.sidecar_command(&[&entry], json!({"delivery": delivery}));
    let mut sidecar = process::start(job.pod.tree(), command.env("POD_UTILS_FAULT", "hang listing"));
    sidecar.until_stderr("Finished upload");
    sidecar.signal(Signal::TERM);
    let ended = sidecar.wait_for(Duration::from_mins(1));
    ended.expect_code(1);
    assert!(ended.took < Duration::from_secs(30), "{:?}", ended.took);
    assert_eq!(job.text("build-log.txt"), "output\n");
    job.expect_result("SUCCESS");
    let gap = job.manifest()["listing"].clone();
    assert_eq!(gap, json!({"complete": false, "files": 0, "reason": "there was no time left for it"}));
    let told = fs::read_to_string(&message).expect("there");
    assert!(told.contains("the list of files is not complete: 0 were found"), "{told}");
    let mut verify = std::process::Command::new(harness::bins::program("podutils"));
    let s3 = job.s3.as_ref().expect("a store");
    verify.args(["verify", &format!("s3://{}/{}", harness::s3::BUCKET, harness::job::JOB_PATH)]);
    verify.envs(s3.environment()).env("AWS_ALLOW_HTTP", "true");
    let verified = process::run(job.pod.tree(), &mut verify);
    verified.expect_code(1);
    assert!(verified.stdout.contains("the list of files is not complete"), "{verified:#?}");
}

/// The secrets are read again in front of the log, and the items are opened behind it.
#[test]
fn slow_items_cost_no_log_and_slow_secrets_nothing_else() {
    for (fault, has_log) in [("hang items", true), ("hang renew", false), ("panic renew", false)] {
        let job = Job::s3();
        let entry = ended_job(&job);
        let more = json!({"delivery": {"fail_on_error": true, "grace_period": "3s"},
                          "censoring_options": {"secret_directories": [job.pod.path("none")]}});
        let mut command = job.sidecar_command(&[&entry], more);
        let mut sidecar = process::start(job.pod.tree(), command.env("POD_UTILS_FAULT", fault));
        sidecar.until_stderr("Starting to upload");
        sidecar.signal(Signal::TERM);
        let ended = sidecar.wait_for(Duration::from_mins(1));
        ended.expect_code(1);
        job.expect_result("SUCCESS");
        assert_eq!(job.names().contains(&"build-log.txt".to_owned()), has_log, "{fault}: {ended:#?}");
        let s3 = job.s3.as_ref().expect("a store");
        assert!(s3.object_path("logs/job/latest-build.txt").is_file(), "{fault}");
        if !has_log {
            job.expect_refused("build-log.txt", "skipped", "it cannot be masked");
        }
    }
}

#[test]
fn hanging_metadata_leaves_time_for_the_result_within_a_given_time() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let test = job.pod.entrypoint(&entry, &["sh", "-c", "echo ready; exec sleep 100"], json!({}));
    entry.until_log("ready");
    let more = json!({"delivery": {"grace_period": "5s"}});
    let mut command = job.sidecar_command(&[&entry], more);
    let sidecar = process::start(job.pod.tree(), command.env("POD_UTILS_FAULT", "hang compose"));
    sidecar.signal(Signal::TERM);
    test.signal(Signal::TERM);
    sidecar.wait_for(Duration::from_mins(1)).expect_code(0);
    job.expect_result("ABORTED");
    drop(test.wait());
}
