//! Pins: O-14; sidecar/README.md, "Options".
//!
//! Options of sidecar that cannot work, each in one clear line, and nothing lost.

use harness::bins;
use harness::pod::{Entry, Pod};
use harness::process::{self, Ended, Exit};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// The one fatal record that a mistake may cost, as `msg` and `error` together.
#[track_caller]
pub(crate) fn complaint(ended: &Ended) -> String {
    let fatal = |line: &&str| line.contains(r#""level":"fatal""#);
    let lines: Vec<_> = ended.stderr.lines().filter(fatal).collect();
    assert_eq!(lines.len(), 1, "{ended:#?}");
    let record: Value = serde_json::from_str(lines[0]).expect("a record");
    let error = record["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{}{error}", record["msg"].as_str().unwrap_or_default())
}

/// A sidecar with nothing in its environment but what is given.
pub(crate) fn sidecar(pod: &Pod, options: &Value, job_spec: Option<&str>) -> Ended {
    let mut command = Command::new(bins::program("sidecar"));
    command.env_remove("JOB_SPEC").env("SIDECAR_OPTIONS", options.to_string());
    command.envs(job_spec.map(|spec| ("JOB_SPEC", spec)));
    process::run(pod.tree(), &mut command)
}

/// A pod whose test has ended and left a log and an artifact.
pub(crate) fn pod_with_results() -> (Pod, Entry) {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = r#"echo output; echo artifact > "$ARTIFACTS/file.txt""#;
    pod.entrypoint(&entry, &["sh", "-c", script], json!({})).wait().expect_code(0);
    (pod, entry)
}

#[track_caller]
pub(crate) fn expect_nothing_lost(pod: &Pod, entry: &Entry) {
    assert_eq!(entry.log_text(), "output\n");
    assert_eq!(fs::read_to_string(pod.artifacts().join("file.txt")).expect("kept"), "artifact\n");
    assert_eq!(entry.code().as_deref(), Some("0"));
}

pub(crate) const SPEC: &str = r#"{"type":"periodic","job":"job","buildid":"1"}"#;

#[test]
fn bad_options_name_the_key_and_lose_nothing() {
    let (pod, entry) = pod_with_results();
    let bucket = |more: Value| {
        let mut options = pod.sidecar_options(&[&entry], json!({}));
        options["gcs_options"] = json!({"bucket": "gs://b", "path_strategy": "explicit", "dry_run": false});
        harness::pod::overlay(&mut options, more);
        options
    };
    for (options, spec, parts) in [
        (bucket(json!({})), None, &["JOB_SPEC"][..]),
        (bucket(json!({})), Some("{"), &["JOB_SPEC"]),
        (bucket(json!({})), Some(r#"{"type":"nightly","job":"j","buildid":"1"}"#), &["nightly", "periodic"]),
        (bucket(json!({})), Some(r#"{"type":"presubmit","job":"j","buildid":"1"}"#), &["presubmit", "refs"]),
        (
            bucket(json!({"gcs_options": {"path_strategy": "whatever"}})),
            Some(SPEC),
            &["gcs_options.path_strategy", "whatever", "explicit"],
        ),
        (
            bucket(json!({"gcs_options": {"path_strategy": "legacy"}})),
            Some(SPEC),
            &["gcs_options.default_org"],
        ),
        (
            bucket(json!({"gcs_options": {"bucket": "ftp://b"}})),
            Some(SPEC),
            &["gcs_options.bucket", "ftp://b", "s3://"],
        ),
        (bucket(json!({"gcs_options": {"bucket": ""}})), Some(SPEC), &["gcs_options.bucket"]),
        (bucket(json!({"gcs_options": {"dry_run": "false"}})), Some(SPEC), &["gcs_options.dry_run", "false"]),
        (bucket(json!({"entries": []})), Some(SPEC), &["entries"]),
        (bucket(json!({"entries": [{"process_log": "p"}]})), Some(SPEC), &["entries[0]", "marker_file"]),
        (
            bucket(json!({"secret_directories": [], "censoring_options": {}})),
            Some(SPEC),
            &["secret_directories"],
        ),
        (
            json!({"gcs_options": {"local_output_dir": "relative"}, "entries": [{"process_log": "p", "marker_file": "m"}]}),
            Some(SPEC),
            &["gcs_options.local_output_dir", "relative"],
        ),
    ] {
        let ended = sidecar(&pod, &options, spec);
        ended.expect_code(1);
        let complaint = complaint(&ended);
        for part in parts {
            assert!(complaint.contains(part), "{options}: no {part} in {complaint}");
        }
    }
    expect_nothing_lost(&pod, &entry);
}

#[test]
fn local_destination_needs_no_job_spec() {
    let (pod, entry) = pod_with_results();
    sidecar(&pod, &pod.sidecar_options(&[&entry], json!({})), None).expect_code(0);
    assert_eq!(pod.finished()["result"], "SUCCESS");
}

#[test]
fn credential_with_a_control_character_is_refused_before_anything_is_sent() {
    let (pod, entry) = pod_with_results();
    for (scheme, variable) in [
        ("s3", "AWS_ACCESS_KEY_ID"),
        ("s3", "AWS_SECRET_ACCESS_KEY"),
        ("s3", "AWS_SESSION_TOKEN"),
        ("s3", "AWS_REGION"),
        ("az", "AZURE_STORAGE_ACCOUNT"),
        ("az", "AZURE_STORAGE_SAS_TOKEN"),
    ] {
        let mut options = pod.sidecar_options(&[&entry], json!({}));
        options["gcs_options"] =
            json!({"bucket": format!("{scheme}://b"), "path_strategy": "explicit", "dry_run": false});
        let mut command = Command::new(bins::program("sidecar"));
        command.env("SIDECAR_OPTIONS", options.to_string()).env("JOB_SPEC", SPEC);
        command
            .env("AZURE_STORAGE_ACCOUNT", "ci")
            .env("AWS_ACCESS_KEY_ID", "id")
            .env("AWS_SECRET_ACCESS_KEY", "key");
        command.env(variable, "hunter\n2");
        let ended = process::run(pod.tree(), &mut command);
        ended.expect_code(1);
        let said = complaint(&ended);
        assert!(said.contains(variable) && !ended.stderr.contains("hunter"), "{variable}: {ended:#?}");
    }
    expect_nothing_lost(&pod, &entry);
}

/// The runtime's pair of sockets is refused by a limit, as it is by a seccomp profile.
#[test]
fn refused_descriptors_are_one_line_and_no_crash() {
    let (pod, entry) = pod_with_results();
    // Where sidecar starts, too few descriptors for its destination pass by themselves.
    let options = pod.sidecar_options(&[&entry], json!({"delivery": {"retry_for": "2s"}})).to_string();
    let ended = &|limit: u32| {
        let script = format!("ulimit -n {limit} && exec \"$0\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(bins::program("sidecar"));
        command.env("SIDECAR_OPTIONS", &options).env("JOB_SPEC", SPEC);
        (limit, process::run(pod.tree(), &mut command))
    };
    // Side by side: they wait most of the time.
    let all: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (4..16).map(|limit| scope.spawn(move || ended(limit))).collect();
        runs.into_iter().map(|run| run.join().expect("it ends")).collect()
    });
    let mut refused = 0;
    for (limit, ended) in all {
        let Exit::Code(code) = ended.exit else { panic!("{limit}: {ended:#?}") };
        assert!(![101, 134].contains(&code) && !ended.stderr.contains("panicked"), "{limit}: {ended:#?}");
        if ended.stderr.contains("Signals cannot be caught") {
            assert_eq!(code, 1, "{limit}: {ended:#?}");
            complaint(&ended);
            refused += 1;
        }
    }
    assert!(refused > 0, "no limit was low enough");
    expect_nothing_lost(&pod, &entry);
}
