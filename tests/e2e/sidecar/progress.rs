//! Pins: sidecar/README.md.
//!
//! Sidecar's records of progress while it uploads.

use harness::job::Job;
use harness::process;
use harness::s3::Fault;
use serde_json::json;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A job whose last artifact waits until the test has seen enough.
fn held_up() -> (Job, harness::pod::Entry, Arc<AtomicBool>) {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    fs::write(job.pod.artifacts().join("small.txt"), "artifact\n").expect("written");
    fs::write(job.pod.artifacts().join("large.bin"), vec![9; 12 << 20]).expect("written");
    let seen_enough = Arc::new(AtomicBool::new(false));
    let release = Arc::clone(&seen_enough);
    let is_held = move |query: &str| query.contains("partNumber=2&") && !release.load(Ordering::Relaxed);
    // A part that is refused is sent again a little later, for about 15 s, which
    // is more than the time between two records.
    job.s3.as_ref().expect("a store").script(move |seen| {
        if is_held(&seen.query) { Fault::Delay(std::time::Duration::from_secs(7)) } else { Fault::None }
    });
    (job, entry, seen_enough)
}

#[test]
fn progress_records_give_objects_bytes_rate_and_estimate() {
    let (job, entry, seen_enough) = held_up();
    let mut sidecar = job.sidecar(&[&entry], json!({}));
    sidecar.until_stderr("objects are stored");
    seen_enough.store(true, Ordering::Relaxed);
    let ended = sidecar.wait();
    ended.expect_code(0);
    let record = ended.stderr.lines().find(|line| line.contains("objects are stored")).expect("a record");
    let record: serde_json::Value = serde_json::from_str(record).expect("JSON");
    assert!(record["msg"].as_str().expect("a text").contains(" of "), "{record}");
    // The first part of the large object is there, though the object is not.
    assert!(record["bytes"].as_u64().expect("a number") >= 5 << 20, "{record}");
    assert!(record["open_bytes"].as_u64().expect("a number") > 0, "{record}");
    assert!(record["bytes_per_second"].as_u64().expect("a number") > 0, "{record}");
    job.expect_result("SUCCESS");
}

#[test]
fn progress_on_a_terminal_is_a_bar() {
    let (job, entry, seen_enough) = held_up();
    let sidecar = job.sidecar_command(&[&entry], json!({}));
    // script(1) gives the program a terminal of its own.
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command"]).arg(sidecar.get_program()).arg("/dev/null");
    command.envs(sidecar.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("TERM", "xterm");
    if Command::new("script").arg("--version").output().is_err() {
        harness::skip!("script(1) is not installed");
    }
    let mut running = process::start(job.pod.tree(), &mut command);
    running.until_stdout("of 4 objects");
    seen_enough.store(true, Ordering::Relaxed);
    let ended = running.wait();
    ended.expect_code(0);
    assert!(ended.stdout.contains(" of 12.0 MiB, "), "{ended:#?}");
    assert!(ended.stdout.contains(r#""msg":"Finished upload""#), "records are there as well: {ended:#?}");
    job.expect_result("SUCCESS");
}
