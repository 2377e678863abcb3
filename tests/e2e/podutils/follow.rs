//! Pins: deploy/README.md, "podutils show".
//!
//! `podutils show --follow`: the log of a job that runs.

use super::run::Desk;
use harness::bins;
use harness::job::{JOB_PATH, Job, RunningJob};
use harness::process::{self, Running};
use harness::s3::BUCKET;
use serde_json::json;
use std::fs;
use std::process::Command;

/// Starts `podutils show --follow` for a job that runs.
fn start(desk: &Desk, job: &RunningJob) -> Running {
    let credentials = job.job.s3.as_ref().expect("a bucket").credentials_file(&desk.path(""));
    let mut command = Command::new(bins::program("podutils"));
    command.args(["show", "--follow", "--s3-credentials-file"]).arg(credentials);
    command.arg(format!("s3://{BUCKET}/{JOB_PATH}"));
    process::start(desk.tree(), &mut command)
}

#[test]
fn log_of_a_running_job_is_followed_to_its_result() {
    let desk = Desk::new();
    let job = Job::s3().running(
        "printf 'ready\\n\\033]0;owned\\007half a'; until test -e \"$ARTIFACTS/go\"; do sleep 0.05; done; echo ' line'; exit 3",
        json!({"delivery": {"checkpoint_interval": "50ms"}}),
    );
    let mut follow = start(&desk, &job);
    follow.until_stdout("ready\n");
    assert!(!follow.has_ended(), "the job still runs");
    fs::write(job.job.pod.artifacts().join("go"), "").expect("written");
    job.test.wait().expect_code(3);
    job.sidecar.wait().expect_code(0);
    let ended = follow.wait();
    ended.expect_code(0);
    // What follows is entrypoint's own record.
    let log = "ready\n\\u{1b}]0;owned\\u{7}half a line\n{\"component\":\"entrypoint\",";
    assert!(ended.stdout.starts_with(log) && ended.stdout.ends_with("}\n"), "{}", ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 3, "{}", ended.stdout);
    assert!(
        ended.stderr.contains("FAILURE  s3://") && ended.stderr.contains("exited with code 3"),
        "{}",
        ended.stderr
    );
}

#[test]
fn log_that_is_not_there_yet_is_waited_for_and_a_provisional_result_is_no_end() {
    let desk = Desk::new();
    let (dir, made) = (desk.path("results"), desk.path("made"));
    let mut command = Command::new(bins::program("podutils"));
    command.args(["show", "--follow"]).arg(&dir);
    let mut follow = process::start(desk.tree(), &mut command);
    follow.until_stderr("no log is there yet");
    fs::create_dir(&made).expect("made");
    fs::write(made.join("a-build-log.txt"), "one\n").expect("written");
    fs::write(made.join("b-build-log.txt"), "two\n").expect("written");
    fs::write(made.join("finished.json"), r#"{"timestamp":1,"result":"ABORTED"}"#).expect("written");
    fs::rename(&made, &dir).expect("renamed");
    follow.until_stdout("b: two\n");
    assert!(!follow.has_ended(), "the result is provisional");
    fs::write(dir.join("b-build-log.txt"), "two\nthree").expect("written");
    fs::write(dir.join("finished.json"), r#"{"timestamp":2,"result":"SUCCESS"}"#).expect("written");
    fs::write(dir.join("manifest.json"), r#"{"version":1,"objects":[]}"#).expect("written");
    let ended = follow.wait();
    ended.expect_code(0);
    assert_eq!(ended.stdout, "a: one\nb: two\nb: three\n");
    assert!(ended.stderr.contains("SUCCESS  "), "{}", ended.stderr);
}

#[test]
fn compressed_log_is_followed_line_by_line() {
    let desk = Desk::new();
    let options = json!({
        "gcs_options": {"compress_file_types": ["txt"]},
        "delivery": {"checkpoint_interval": "50ms"},
    });
    let script =
        "seq 1 2000; echo ready; until test -e \"$ARTIFACTS/go\"; do sleep 0.05; done; seq 2001 3000";
    let job = Job::s3().running(script, options);
    let mut follow = start(&desk, &job);
    follow.until_stdout("ready\n");
    assert!(!follow.has_ended(), "the job still runs");
    fs::write(job.job.pod.artifacts().join("go"), "").expect("written");
    job.test.wait().expect_code(0);
    job.sidecar.wait().expect_code(0);
    assert_eq!(job.job.listed("build-log.txt")["content_encoding"], "gzip");
    let ended = follow.wait();
    ended.expect_code(0);
    let lines = (1..=2000).map(|n| n.to_string()).chain(["ready".to_owned()]);
    let expected: Vec<String> = lines.chain((2001..=3000).map(|n| n.to_string())).collect();
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), expected, "each line once");
}
