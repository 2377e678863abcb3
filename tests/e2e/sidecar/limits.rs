//! Pins: sidecar/README.md, "Limits of a delivery".
//!
//! Limits of a job's cost: beyond them artifacts are left out, named and counted, and the
//! delivery is incomplete; the log and the result are there.

use harness::job::{JOB_PATH, Job};
use harness::pod::Entry;
use harness::process::{self, Ended};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const SECRET: &str = "a-secret-of-the-limits";

fn ended_job(job: &Job) -> Entry {
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("token"), SECRET).expect("written");
    let entry = job.pod.entry("test");
    let command = ["echo", "the log says", SECRET];
    job.pod.entrypoint(&entry, &command, json!({})).wait().expect_code(0);
    entry
}

/// Packs bytes with gzip(1).
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut command = Command::new("gzip");
    let mut running = command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip");
    running.stdin.take().expect("piped").write_all(content).expect("written");
    running.wait_with_output().expect("ended").stdout
}

fn is_gzip(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "gz")
}

fn write(job: &Job, name: &str, content: impl AsRef<[u8]>) {
    fs::write(job.pod.artifacts().join(name), content).expect("written");
}

/// Delivers within these limits; the delivery is incomplete.
#[track_caller]
fn deliver(job: &Job, entry: &Entry, limits: &Value) -> (Ended, String) {
    let message = job.pod.path("termination-message");
    fs::write(&message, "").expect("written");
    let more = json!({
        "censoring_options": {"secret_directories": [job.pod.path("secrets")]},
        "delivery": {"fail_on_error": true, "limits": limits, "termination_message_path": message},
    });
    let ended = job.sidecar(&[entry], more).wait();
    ended.expect_code(1);
    job.expect_result("SUCCESS");
    (ended, fs::read_to_string(&message).expect("there"))
}

/// Checks that every place which tells of the delivery tells of its limits.
#[track_caller]
fn expect_told(job: &Job, message: &str, about: &str, told: &str) {
    assert!(message.contains(told), "{message}");
    let finished = job.finished();
    let problem = finished["metadata"]["sidecar-errors"][about].as_str().unwrap_or_default();
    assert!(problem.contains(told), "{finished:#}");
    let place = job.objects_dir().display().to_string();
    for subcommand in ["verify", "show"] {
        let mut command = Command::new(harness::bins::program("podutils"));
        let read = process::run(job.pod.tree(), command.args([subcommand, &place]));
        assert!(read.stdout.contains(told), "{subcommand}: {read:#?}");
        if subcommand == "verify" {
            read.expect_code(1);
        }
    }
}

#[test]
fn beyond_the_processor_time_artifacts_are_left_out_and_a_log_is_withheld() {
    let job = Job::local();
    let entry = ended_job(&job);
    write(&job, "a.txt", "the first text");
    write(&job, "b.txt.gz", gzip(b"the second text"));
    let (ended, message) = deliver(&job, &entry, &json!({"cpu_time": 1}));
    for name in ["artifacts/a.txt", "artifacts/b.txt.gz"] {
        job.expect_refused(name, "skipped", "delivery.limits.cpu_time");
    }
    job.expect_refused("build-log.txt", "withheld", "delivery.limits.cpu_time");
    assert!(job.text("build-log.txt.withheld.txt").contains("cpu_time"));
    assert!(!ended.stderr.contains(SECRET), "I6: {}", ended.stderr);
    expect_told(&job, &message, "limits", "2 objects beyond a limit, first by delivery.limits.cpu_time");
}

#[test]
fn beyond_the_unpacked_bytes_containers_are_left_out_and_texts_are_not() {
    let job = Job::local();
    let entry = ended_job(&job);
    for number in 0..4 {
        write(&job, &format!("{number}.gz"), gzip(&vec![b'a' + number; 100_000]));
    }
    write(&job, "plain.txt", format!("a text with {SECRET}"));
    let (_, message) = deliver(&job, &entry, &json!({"unpacked_bytes": 150_000}));
    let states = |state: &str| {
        let objects = job.manifest()["objects"].as_array().expect("a list").clone();
        let gz = |object: &&Value| object["key"].as_str().is_some_and(is_gzip);
        objects.iter().filter(gz).filter(|object| object["state"] == state).count()
    };
    // Those that are scanned at the same time are all beyond it.
    let (stored, skipped) = (states("stored"), states("skipped"));
    assert!(stored <= 1 && stored + skipped == 4, "{:#}", job.manifest());
    assert_eq!(job.text("artifacts/plain.txt"), format!("a text with {}", "X".repeat(SECRET.len())));
    assert_eq!(job.listed("build-log.txt")["state"], "stored");
    expect_told(&job, &message, "limits", "first by delivery.limits.unpacked_bytes");
}

#[test]
fn beyond_the_number_of_files_they_are_counted_only() {
    let job = Job::local();
    let entry = ended_job(&job);
    for number in 0..20 {
        write(&job, &format!("{number:02}"), "content");
    }
    std::os::unix::fs::symlink("/nowhere", job.pod.artifacts().join("0-link")).expect("linked");
    let (ended, message) = deliver(&job, &entry, &json!({"files": 5}));
    let gap = json!({"complete": false, "files": 5, "reason": "delivery.limits.files was reached", "not_listed": 16});
    assert_eq!(job.manifest()["listing"], gap);
    let stored = job.names().iter().filter(|name| name.starts_with("artifacts/")).count();
    assert_eq!(stored, 4, "the link counts: {:?}", job.names());
    assert!(ended.stderr.contains("16 more were counted only"), "{}", ended.stderr);
    expect_told(&job, &message, "listing", "16 more were counted only");
}

#[test]
fn beyond_the_bytes_to_send_the_largest_artifacts_are_left_out() {
    let job = Job::s3();
    let entry = ended_job(&job);
    for (name, bytes) in [("a", 3000), ("b", 2000), ("c", 1000)] {
        write(&job, name, vec![b'x'; bytes]);
    }
    let (_, message) = deliver(&job, &entry, &json!({"sent_bytes": 3500}));
    job.expect_refused("artifacts/a", "skipped", "delivery.limits.sent_bytes");
    for name in ["artifacts/b", "artifacts/c", "build-log.txt"] {
        assert_eq!(job.listed(name)["state"], "stored");
    }
    assert!(message.contains("1 object beyond a limit"), "{message}");
}

#[test]
fn when_the_time_is_over_artifacts_under_way_are_left_out() {
    let job = Job::s3();
    let entry = ended_job(&job);
    write(&job, "stuck.txt", "it is never stored");
    write(&job, "a.txt", "it is stored at once");
    let stuck = format!("{JOB_PATH}/artifacts/stuck.txt");
    let s3 = job.s3.as_ref().expect("a store");
    s3.script(
        move |seen| {
            if seen.key == stuck { harness::s3::Fault::Hang } else { harness::s3::Fault::None }
        },
    );
    let (ended, message) = deliver(&job, &entry, &json!({"time": "2s"}));
    assert!(ended.took < std::time::Duration::from_secs(20), "{:?}", ended.took);
    job.expect_refused("artifacts/stuck.txt", "skipped", "delivery.limits.time");
    assert_eq!(job.listed("artifacts/a.txt")["state"], "stored");
    assert!(message.contains("delivery.limits.time"), "{message}");
}

#[test]
fn links_to_one_archive_cost_one_scan() {
    let job = Job::local();
    let entry = ended_job(&job);
    write(&job, "0.gz", gzip(&vec![b'a'; 100_000]));
    let artifacts = job.pod.artifacts();
    for number in 1..50 {
        fs::hard_link(artifacts.join("0.gz"), artifacts.join(format!("{number}.gz"))).expect("linked");
    }
    for number in 50..100 {
        std::os::unix::fs::symlink("0.gz", artifacts.join(format!("{number}.gz"))).expect("linked");
    }
    // A second scan would be beyond the limit.
    let more = json!({
        "censoring_options": {"secret_directories": [job.pod.path("secrets")]},
        "delivery": {"fail_on_error": true, "limits": {"unpacked_bytes": 150_000}},
    });
    job.sidecar(&[&entry], more).wait().expect_code(0);
    let stored = job.names().iter().filter(|name| is_gzip(name)).count();
    assert_eq!(stored, 100);
}
