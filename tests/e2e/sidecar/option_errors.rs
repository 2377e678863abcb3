//! Bad input and faults: each is said in one clear line, and nothing that was
//! already produced is lost.

use common::signal::Signal;
use harness::pod::{Entry, Pod, json_of};
use harness::process::{self, Ended};
use harness::s3::{Fault, S3};
use harness::tree::Tree;
use harness::{bins, wait};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// The one fatal record that a mistake may cost, as `msg` and `error` together.
#[track_caller]
fn complaint(ended: &Ended) -> String {
    let fatal = |line: &&str| line.contains(r#""level":"fatal""#);
    let lines: Vec<_> = ended.stderr.lines().filter(fatal).collect();
    assert_eq!(lines.len(), 1, "{ended:#?}");
    let record: Value = serde_json::from_str(lines[0]).expect("a record");
    let error = record["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{}{error}", record["msg"].as_str().unwrap_or_default())
}

fn entrypoint(options: &str) -> Ended {
    let mut command = Command::new(bins::program("entrypoint"));
    process::run(&Tree::new(), command.env("ENTRYPOINT_OPTIONS", options))
}

#[test]
fn entrypoint_options_that_cannot_work() {
    for (options, parts) in [
        ("", &["ENTRYPOINT_OPTIONS"][..]),
        ("{", &["ENTRYPOINT_OPTIONS"]),
        (r#"{"timeout":"soon"}"#, &["timeout", "soon", "2h45m"]),
        (r#"{"always_zero":"yes"}"#, &["always_zero", "yes"]),
        (r#"{"process_log":"p","marker_file":"m"}"#, &["args"]),
        (r#"{"args":["true"],"marker_file":"m"}"#, &["process_log"]),
        (r#"{"args":["true"],"process_log":"p"}"#, &["marker_file"]),
        (
            r#"{"args":["true"],"process_log":"p","marker_file":"m","always_zero":true,"propagate_error_code":true}"#,
            &["always_zero", "propagate_error_code"],
        ),
        (
            r#"{"args":["true"],"process_log":"p","marker_file":"m","supervision":{"leftovers":"adopt"}}"#,
            &["supervision.leftovers", "adopt", "keep"],
        ),
    ] {
        let ended = entrypoint(options);
        ended.expect_code(1);
        let complaint = complaint(&ended);
        for part in parts {
            assert!(complaint.contains(part), "{options}: no {part} in {complaint}");
        }
    }
}

#[test]
fn flags_that_are_no_flags() {
    let tree = Tree::new();
    for program in ["entrypoint", "sidecar"] {
        let run = |args: &[&str]| {
            let mut command = Command::new(bins::program(program));
            command.env_remove("ENTRYPOINT_OPTIONS").env_remove("SIDECAR_OPTIONS");
            process::run(&tree, command.args(args))
        };
        let ended = run(&["--no-such-flag"]);
        ended.expect_code(2);
        assert!(ended.stderr.contains("no-such-flag"), "{ended:#?}");
        run(&["-h"]).expect_code(0);
    }
}

#[test]
fn unknown_keys_are_ignored_and_said_once() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let options = json!({"processLog": "x", "supervision": {"leftover": "keep"}});
    let ended = pod.entrypoint(&entry, &["true"], options).wait();
    ended.expect_code(0);
    for key in ["processLog", "supervision.leftover"] {
        let said = ended.stderr.lines().chain(ended.stdout.lines()).filter(|line| line.contains(key)).count();
        assert_eq!(said, 1, "{key}: {ended:#?}");
    }
    for meant in [r#"did you mean \"process_log\"?"#, r#"did you mean \"leftovers\"?"#] {
        assert!(ended.stderr.contains(meant), "{meant}: {ended:#?}");
    }
}

#[test]
fn mistyped_flags_have_a_suggestion() {
    let tree = Tree::new();
    for (program, flag, meant) in [
        ("entrypoint", "--grace-priod=1s", "'--grace-period'"),
        ("sidecar", "-local-output-dirs=/x", "'--local-output-dir'"),
        ("entrypoint-wrapper", "--wait-for-fil=x", "'--wait-for-file'"),
    ] {
        let mut command = Command::new(bins::program(program));
        command.env_remove("ENTRYPOINT_OPTIONS").env_remove("SIDECAR_OPTIONS");
        let ended = process::run(&tree, command.arg(flag));
        ended.expect_code(2);
        assert!(ended.stderr.contains(meant), "{ended:#?}");
    }
}

#[test]
fn versions_name_package_and_commit() {
    let tree = Tree::new();
    for program in ["entrypoint", "sidecar", "entrypoint-wrapper", "podutils"] {
        let mut command = Command::new(bins::program(program));
        command.env_remove("ENTRYPOINT_OPTIONS").env_remove("SIDECAR_OPTIONS");
        let ended = process::run(&tree, command.arg("--version"));
        ended.expect_code(0);
        assert_eq!(ended.stdout, format!("{program} {}\n", common::version::VERSION));
    }
}

#[test]
fn a_log_that_cannot_be_made_is_127_with_marker_and_report() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::write(pod.path("file"), "").expect("written");
    let log = pod.path("file/log.txt");
    let ended = pod.entrypoint(&entry, &["true"], json!({"process_log": log})).wait();
    ended.expect_code(127);
    assert_eq!(entry.code().as_deref(), Some("127"));
    assert_eq!(entry.report()["reason"], "internal_error");
    assert!(ended.stderr.contains(&log.display().to_string()), "{ended:#?}");
}

#[test]
fn a_marker_directory_that_is_not_there_is_127_and_said() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let marker = pod.path("nowhere/marker.txt");
    let options = json!({"marker_file": marker, "grace_period": "100ms"});
    let ended = pod.entrypoint(&entry, &["true"], options).wait();
    ended.expect_code(127);
    assert!(ended.stderr.contains("nowhere"), "{ended:#?}");
}

/// A sidecar with nothing in its environment but what is given.
fn sidecar(pod: &Pod, options: &Value, job_spec: Option<&str>) -> Ended {
    let mut command = Command::new(bins::program("sidecar"));
    command.env_remove("JOB_SPEC").env("SIDECAR_OPTIONS", options.to_string());
    command.envs(job_spec.map(|spec| ("JOB_SPEC", spec)));
    process::run(pod.tree(), &mut command)
}

/// A pod whose test has ended and left a log and an artifact.
fn pod_with_results() -> (Pod, Entry) {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = r#"echo output; echo artifact > "$ARTIFACTS/file.txt""#;
    pod.entrypoint(&entry, &["sh", "-c", script], json!({})).wait().expect_code(0);
    (pod, entry)
}

#[track_caller]
fn expect_nothing_lost(pod: &Pod, entry: &Entry) {
    assert_eq!(entry.log_text(), "output\n");
    assert_eq!(fs::read_to_string(pod.artifacts().join("file.txt")).expect("kept"), "artifact\n");
    assert_eq!(entry.code().as_deref(), Some("0"));
}

const SPEC: &str = r#"{"type":"periodic","job":"job","buildid":"1"}"#;

#[test]
fn sidecar_options_that_cannot_work() {
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
fn a_local_destination_needs_no_job_spec() {
    let (pod, entry) = pod_with_results();
    sidecar(&pod, &pod.sidecar_options(&[&entry], json!({})), None).expect_code(0);
    assert_eq!(pod.finished()["result"], "SUCCESS");
}

#[test]
fn credentials_that_cannot_be_read_are_named_and_nothing_is_lost() {
    let (pod, entry) = pod_with_results();
    let missing = pod.path("no-credentials.json").display().to_string();
    for (bucket, key) in [("s3://bucket", "s3_credentials_file"), ("gs://bucket", "gcs_credentials_file")] {
        let mut options = pod.sidecar_options(&[&entry], json!({"delivery": {"fail_on_error": true}}));
        options["gcs_options"] = json!({
            "items": [pod.artifacts()], "bucket": bucket, "path_strategy": "explicit", "dry_run": false, key: missing,
        });
        let ended = sidecar(&pod, &options, Some(SPEC));
        ended.expect_code(1);
        let said = ended.stderr.lines().filter(|line| line.contains(&missing)).count();
        assert!(said > 0, "{ended:#?}");
        expect_nothing_lost(&pod, &entry);
    }
}

#[test]
fn a_bucket_that_cannot_be_reached_is_named_and_nothing_is_lost() {
    let (pod, entry) = pod_with_results();
    let s3 = S3::start();
    let gcs_options = s3.options(pod.path("").as_path(), &[pod.artifacts()]);
    let endpoint = s3.endpoint().trim_start_matches("http://").to_owned();
    drop(s3);
    let mut options = pod.sidecar_options(&[&entry], json!({"delivery": {"fail_on_error": true}}));
    options["gcs_options"] = gcs_options;
    let mut command = Command::new(bins::program("sidecar"));
    command.env("JOB_SPEC", SPEC).env("SIDECAR_OPTIONS", options.to_string());
    // Each object in turn is tried for as long as a short outage may last.
    let ended = process::start(pod.tree(), &mut command).wait_for(Duration::from_mins(5));
    ended.expect_code(1);
    assert!(ended.stderr.contains(&endpoint), "{ended:#?}");
    expect_nothing_lost(&pod, &entry);
}

#[test]
fn a_bucket_that_does_not_exist_is_named_at_once() {
    let (pod, entry) = pod_with_results();
    let s3 = S3::start();
    let mut options = pod.sidecar_options(&[&entry], json!({"delivery": {"fail_on_error": true}}));
    options["gcs_options"] = s3.options(pod.path("").as_path(), &[pod.artifacts()]);
    options["gcs_options"]["bucket"] = json!("s3://no-such-bucket");
    let ended = sidecar(&pod, &options, Some(SPEC));
    ended.expect_code(1);
    assert!(ended.stderr.contains("no-such-bucket"), "{ended:#?}");
    expect_nothing_lost(&pod, &entry);
}

#[test]
fn one_object_that_is_refused_stops_no_other() {
    let (pod, entry) = pod_with_results();
    let s3 = S3::start();
    s3.script(|seen| if seen.key.ends_with("file.txt") { Fault::Status(403) } else { Fault::None });
    let mut options = pod.sidecar_options(&[&entry], json!({}));
    options["gcs_options"] = s3.options(pod.path("").as_path(), &[pod.artifacts()]);
    let ended = sidecar(&pod, &options, Some(SPEC));
    ended.expect_code(0);
    assert_eq!(s3.text("logs/job/1/build-log.txt"), "output\n");
    assert_eq!(s3.json("logs/job/1/finished.json")["result"], "SUCCESS");
    assert!(ended.stderr.contains("file.txt"), "{ended:#?}");
}

#[test]
fn a_store_that_refuses_for_a_while_gets_everything_in_the_end() {
    let (pod, entry) = pod_with_results();
    let s3 = S3::start();
    s3.script(|seen| if seen.earlier == 0 { Fault::Status(503) } else { Fault::None });
    let mut options = pod.sidecar_options(&[&entry], json!({"delivery": {"fail_on_error": true}}));
    options["gcs_options"] = s3.options(pod.path("").as_path(), &[pod.artifacts()]);
    sidecar(&pod, &options, Some(SPEC)).expect_code(0);
    assert_eq!(s3.text("logs/job/1/artifacts/file.txt"), "artifact\n");
    assert_eq!(s3.last_written().as_deref(), Some("logs/job/1/finished.json"));
}

#[test]
fn the_metadata_of_a_job_cannot_break_the_result() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = r#"echo output; printf '{"half": ' > "$ARTIFACTS/test-metadata.json""#;
    pod.entrypoint(&entry, &["sh", "-c", script], json!({})).wait().expect_code(0);
    pod.sidecar(&[&entry], json!({})).wait().expect_code(0);
    let finished = pod.finished();
    assert_eq!(finished["result"], "SUCCESS");
    let errors = finished["metadata"]["sidecar-errors"].as_object().expect("said");
    assert!(errors.keys().all(|key| key.starts_with("entry 0: ")), "{finished}");
}

#[test]
fn a_log_that_is_gone_leaves_its_placeholder() {
    let (pod, entry) = pod_with_results();
    fs::remove_file(&entry.log).expect("removed");
    pod.sidecar(&[&entry], json!({})).wait().expect_code(0);
    let log = pod.delivered("build-log.txt");
    assert!(log.starts_with("Failed to open ") && log.contains(&entry.log.display().to_string()), "{log}");
    assert!(log.ends_with('\n'));
    assert_eq!(pod.finished()["result"], "SUCCESS");
}

#[test]
fn a_signal_before_anything_is_known_loses_nothing() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let sidecar = pod.sidecar(&[&entry], json!({}));
    let pid = sidecar.pid();
    wait::until("sidecar to watch files", || process::watches_files(pid).then_some(()));
    sidecar.signal(Signal::TERM);
    let provisional = wait::until("the provisional result", || {
        pod.out().join("finished.json").exists().then(|| json_of(&pod.out().join("finished.json")))
    });
    assert_eq!(provisional["result"], "ABORTED");
    pod.entrypoint(&entry, &["echo", "late"], json!({})).wait().expect_code(0);
    sidecar.wait().expect_code(0);
    assert_eq!(pod.delivered("build-log.txt"), "late\n");
    assert_eq!(pod.finished()["result"], "SUCCESS");
}
