//! Pins: I-2, I-3, I-4, I-12, E-80, E-82, U-13, U-66, U-67, U-95, I6.
//!
//! initupload, another program of sidecar's binary.

use common::signal::Signal;
use harness::bins;
use harness::pod::{Pod, json_of, overlay, read};
use harness::process::{self, Ended, Running};
use harness::s3::{Fault, S3};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

/// Where the job's objects are.
pub(crate) const JOB_PATH: &str = "pr-logs/pull/acme_widgets/77/unit/1";

fn spec() -> Value {
    json!({
        "type": "presubmit", "job": "unit", "buildid": "1",
        "refs": {
            "org": "acme", "repo": "widgets", "base_ref": "main", "base_sha": "1a2b",
            "pulls": [{"number": 77, "author": "ann", "sha": "9f8e"}],
        },
        "extra_refs": [{"org": "acme", "repo": "tools", "base_ref": "main"}],
    })
}

/// A clone log with one record for the main refs.
fn records(failed: bool) -> Value {
    json!([{
        "refs": spec()["refs"],
        "commands": [{"command": "git fetch", "output": "from the-hidden-value\n", "duration": 1_500_000_000}],
        "failed": failed,
        "final_sha": "c0ffee",
        "duration": 2_000_000_000_u64,
    }])
}

/// The text of these records.
fn text(failed: bool) -> String {
    let failed = if failed { "# FAILED\n" } else { "" };
    format!(
        "{failed}# Cloning acme/widgets at main(1a2b)\n# Checking out pulls:\n#\t77(9f8e)\n\
         $ git fetch (runtime: 1.5s)\nfrom the-hidden-value\n\
         # Final SHA: c0ffee\n# Total runtime: 2s\n"
    )
}

/// One of the programs under its own name, as an image has it; nothing of this
/// process's environment says anything to it.
fn program(pod: &Pod, name: &str) -> Command {
    let path = pod.path(name);
    if !path.exists() {
        symlink(bins::program("sidecar"), &path).expect("linked");
    }
    clean(Command::new(path))
}

pub(crate) fn clean(mut command: Command) -> Command {
    for variable in ["JOB_SPEC", "SIDECAR_OPTIONS", "INITUPLOAD_OPTIONS", "GCSUPLOAD_OPTIONS"] {
        command.env_remove(variable);
    }
    command
}

pub(crate) fn with_json(pod: &Pod, name: &str, options: &Value) -> Command {
    let mut command = program(pod, name);
    command.env(format!("{}_OPTIONS", name.to_uppercase()), options.to_string());
    command.env("JOB_SPEC", spec().to_string());
    command
}

pub(crate) fn run(pod: &Pod, name: &str, options: &Value) -> Ended {
    process::run(pod.tree(), &mut with_json(pod, name, options))
}

/// Writes a clone log; gives options that name it.
fn cloned(pod: &Pod, failed: bool, more: Value) -> Value {
    let log = pod.path("clone.json");
    fs::write(&log, records(failed).to_string()).expect("written");
    let mut options = json!({"log": log});
    overlay(&mut options, more);
    options
}

/// The records of a program's stderr.
pub(crate) fn said(ended: &Ended) -> Vec<Value> {
    ended.stderr.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// The one fatal record.
#[track_caller]
pub(crate) fn complaint(ended: &Ended) -> String {
    let records = said(ended);
    let fatal: Vec<_> = records.iter().filter(|record| record["level"] == "fatal").collect();
    assert_eq!(fatal.len(), 1, "{ended:#?}");
    format!("{}: {}", fatal[0]["msg"], fatal[0]["error"])
}

#[test]
fn started_json_and_clone_files_reach_a_bucket() {
    let (pod, s3) = (Pod::new(), S3::start());
    let options = cloned(&pod, false, s3.options(pod.path("").as_path(), &[]));
    let ended = run(&pod, "initupload", &options);
    ended.expect_code(0);
    let own = |name: &str| format!("{JOB_PATH}/{name}");
    let mut expected = vec![
        "pr-logs/directory/unit/1.txt".to_owned(),
        "pr-logs/directory/unit/latest-build.txt".to_owned(),
        "pr-logs/pull/acme_widgets/77/unit/latest-build.txt".to_owned(),
    ];
    expected.extend(["clone-log.txt", "clone-records.json", "started.json"].map(own));
    expected.sort();
    assert_eq!(s3.keys(), expected, "I-3, I-4");
    assert_eq!(s3.text(&own("clone-log.txt")), text(false));
    assert_eq!(s3.text(&own("clone-records.json")), records(false).to_string(), "byte for byte");
    assert_eq!(s3.text("pr-logs/directory/unit/1.txt"), format!("s3://bucket/{JOB_PATH}"));
    let started = s3.text(&own("started.json"));
    let (head, tail) = started.split_once(',').expect("several keys");
    let seconds: i64 = head.strip_prefix(r#"{"timestamp":"#).expect("comes first").parse().expect("seconds");
    assert!(seconds > 1_700_000_000);
    assert_eq!(
        tail,
        r#""pull":"77","repos":{"acme/tools":"main","acme/widgets":"main:1a2b,77:9f8e"},"repo-commit":"c0ffee","repo-version":"c0ffee"}"#,
        "I-12"
    );
    for record in said(&ended) {
        assert_eq!(record["component"], "initupload", "E-80");
        assert_ne!(record["level"], "debug", "E-82");
    }
    assert_eq!(s3.open_uploads(), Vec::<String>::new());
}

#[test]
fn failed_clone_becomes_the_jobs_result() {
    for remote in [false, true] {
        let pod = Pod::new();
        let s3 = remote.then(S3::start);
        let more = s3.as_ref().map_or_else(
            || json!({"local_output_dir": pod.out()}),
            |s3| s3.options(pod.path("").as_path(), &[]),
        );
        let ended = run(&pod, "initupload", &cloned(&pod, true, more));
        ended.expect_code(1);
        assert!(complaint(&ended).contains("1 of 1 clone records failed"), "{ended:#?}");
        let dir = s3.as_ref().map_or_else(|| pod.out(), |s3| s3.object_path(JOB_PATH));
        assert_eq!(
            harness::pod::files_below(&dir),
            ["build-log.txt", "clone-log.txt", "clone-records.json", "finished.json", "started.json"]
        );
        assert_eq!(read(&dir.join("build-log.txt")), text(true));
        assert_eq!(read(&dir.join("clone-log.txt")), text(true));
        let finished = json_of(&dir.join("finished.json"));
        let timestamp = finished["timestamp"].clone();
        assert_eq!(finished, json!({"timestamp": timestamp, "passed": false, "result": "FAILURE"}));
        if let Some(s3) = s3 {
            assert_eq!(s3.last_written(), Some(format!("{JOB_PATH}/finished.json")));
        }
    }
}

#[test]
fn unreadable_clone_file_uploads_nothing() {
    let pod = Pod::new();
    let log = pod.path("clone.json");
    let missing = pod.path("missing.json");
    let local = json!({"local_output_dir": pod.out(), "log": log});
    let with = |more: Value| {
        let mut options = local.clone();
        overlay(&mut options, more);
        options
    };
    let spec = spec().to_string();
    for (options, job, content, parts) in [
        (
            with(json!({"log": missing})),
            Some(spec.as_str()),
            "[]",
            &["log", "missing.json", "does not exist"][..],
        ),
        (with(json!({})), Some(&spec), "[{\"failed\":\"yes\"}]", &["log", "records[0].failed", "yes"]),
        (with(json!({})), Some(&spec), "[{", &["log", "clone.json", "JSON"]),
        (with(json!({})), Some(&spec), "", &["log", "clone.json", "JSON"]),
        (with(json!({})), None, "[]", &["JOB_SPEC", "not set"]),
        (with(json!({})), Some("{"), "[]", &["JOB_SPEC", "JSON"]),
        (with(json!({})), Some(r#"{"type":"nightly"}"#), "[]", &["nightly", "periodic"]),
        (with(json!({"local_output_dir": "out"})), Some(&spec), "[]", &["local_output_dir", "absolute"]),
        (with(json!({"local_output_dir": ""})), Some(&spec), "[]", &["bucket"]),
        (with(json!({"log": 1})), Some(&spec), "[]", &["INITUPLOAD_OPTIONS", "log", "a string"]),
    ] {
        fs::write(&log, content).expect("written");
        let mut command = with_json(&pod, "initupload", &options);
        command.env_remove("JOB_SPEC").envs(job.map(|job| ("JOB_SPEC", job)));
        let ended = process::run(pod.tree(), &mut command);
        ended.expect_code(1);
        let complaint = complaint(&ended);
        for part in parts {
            assert!(complaint.contains(part), "{options} {job:?}: no {part} in {complaint}");
        }
        assert_eq!(ended.stderr.lines().count(), 1, "one line: {ended:#?}");
        assert!(!pod.out().exists(), "{options} {job:?}");
    }
}

#[test]
fn clone_log_as_a_link_or_fifo_is_refused() {
    let pod = Pod::new();
    let options = cloned(&pod, false, json!({"local_output_dir": pod.out()}));
    let link = pod.path("link.json");
    symlink(pod.path("clone.json"), &link).expect("linked");
    let pipe = pod.path("pipe.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("starts").success());
    for path in [link, pipe] {
        let mut options = options.clone();
        options["log"] = json!(path);
        let ended = run(&pod, "initupload", &options);
        ended.expect_code(1);
        assert!(complaint(&ended).contains("clonerefs"), "{ended:#?}");
        assert!(!pod.out().exists());
    }
}

#[test]
fn clone_logs_are_censored_when_configured() {
    let pod = Pod::new();
    let secrets = pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("token"), "the-hidden-value\n").expect("written");
    let more = json!({"local_output_dir": pod.out(), "censoring_options": {"secret_directories": [secrets]}});
    let ended = run(&pod, "initupload", &cloned(&pod, true, more.clone()));
    ended.expect_code(1);
    for name in ["clone-log.txt", "clone-records.json", "build-log.txt"] {
        let text = read(&pod.out().join(name));
        assert!(text.contains("from XXXXXXXXXXXXXXXX") && !text.contains("hidden"), "{name}: {text}");
    }
    assert!(!ended.stderr.contains("the-hidden-value"), "{ended:#?}");
    json_of(&pod.out().join("clone-records.json"));

    // A malformed log may be quoted, but not its secrets.
    let mut options = cloned(&pod, false, more.clone());
    fs::write(pod.path("clone.json"), r#"[{"failed":"the-hidden-value"}]"#).expect("written");
    let ended = run(&pod, "initupload", &options);
    ended.expect_code(1);
    assert!(
        ended.stderr.contains("records[0].failed") && !ended.stderr.contains("the-hidden-value"),
        "{ended:#?}"
    );

    // Strict censoring withholds the logs, but not that the job has started.
    fs::remove_dir_all(pod.out()).expect("removed");
    options = cloned(&pod, true, more);
    options["censoring_options"]["strict"] = json!(true);
    options["censoring_options"]["secret_directories"] = json!([secrets, pod.path("no-secrets")]);
    run(&pod, "initupload", &options).expect_code(1);
    assert_eq!(
        harness::pod::files_below(&pod.out()),
        [
            "build-log.txt.withheld.txt",
            "clone-log.txt.withheld.txt",
            "clone-records.json.withheld.txt",
            "finished.json",
            "started.json"
        ]
    );
}

#[test]
fn dry_run_lists_the_uploads_and_does_nothing() {
    let (pod, s3) = (Pod::new(), S3::start());
    let mut options = s3.options(pod.path("").as_path(), &[]);
    options["dry_run"] = json!(true);
    let ended = run(&pod, "initupload", &cloned(&pod, true, options));
    ended.expect_code(1);
    let records = said(&ended);
    let would: Vec<_> = records
        .iter()
        .filter(|record| record["msg"] == "Would upload")
        .map(|record| &record["dest"])
        .collect();
    for name in ["clone-log.txt", "clone-records.json", "build-log.txt", "started.json", "finished.json"] {
        assert!(would.contains(&&json!(format!("{JOB_PATH}/{name}"))), "{name} in {would:?}");
    }
    assert!(would.contains(&&json!("pr-logs/directory/unit/latest-build.txt")), "{would:?}");
    assert_eq!(would.len(), 8);
    assert_eq!(s3.seen(), []);
}

#[test]
fn flags_without_a_job_spec_work_and_explain_themselves() {
    let pod = Pod::new();
    fs::write(pod.path("clone.json"), records(false).to_string()).expect("written");
    let mut command = clean(Command::new(bins::program("sidecar")));
    command.arg("initupload").arg("--dry-run=false").arg("-job").arg("unit").arg("--job-type=periodic");
    command.arg("--build-id=1").arg(format!("--gcs-path={}", "gs://ignored"));
    command.arg(format!("--local-output-dir={}", pod.out().display()));
    command.arg("--clone-log").arg(pod.path("clone.json"));
    process::run(pod.tree(), &mut command).expect_code(0);
    assert_eq!(
        harness::pod::files_below(&pod.out()),
        ["clone-log.txt", "clone-records.json", "started.json"]
    );
    let mut command = program(&pod, "gcsupload");
    command.args([
        "--dry-run=false",
        "--job=unit",
        "--job-type=batch",
        "--build-id=2",
        "--path-prefix=some/prefix",
    ]);
    command.arg(format!("--bucket=file://{}", pod.path("bucket").display())).arg(pod.path("clone.json"));
    process::run(pod.tree(), &mut command).expect_code(0);
    assert_eq!(
        harness::pod::files_below(&pod.path("bucket")),
        ["pr-logs/directory/unit/latest-build.txt", "some/prefix/pr-logs/pull/batch/unit/2/clone.json"],
        "U-13: the prefix is for the job's own objects"
    );
    for (name, parts) in [
        (
            "initupload",
            &["--clone-log", "INITUPLOAD_OPTIONS", "JOB_SPEC", "censoring_options", "Exit status"][..],
        ),
        ("gcsupload", &["--gcs-path", "GCSUPLOAD_OPTIONS", "JOB_SPEC", "Exit status"]),
    ] {
        let help = process::run(pod.tree(), program(&pod, name).arg("--help"));
        help.expect_code(0);
        for part in parts {
            assert!(help.stdout.contains(part), "{name}: no {part} in {}", help.stdout);
        }
        let wrong = process::run(pod.tree(), program(&pod, name).arg("--clone-lgo=x"));
        wrong.expect_code(2);
        assert!(wrong.stderr.contains("clone-lgo"), "{wrong:#?}");
    }
}

#[test]
fn refusing_or_absent_store_is_status_1() {
    let (pod, s3) = (Pod::new(), S3::start());
    s3.script(|seen| if seen.key.ends_with("clone-log.txt") { Fault::Status(403) } else { Fault::None });
    let options = cloned(&pod, false, s3.options(pod.path("").as_path(), &[]));
    let ended = run(&pod, "initupload", &options);
    ended.expect_code(1);
    assert!(complaint(&ended).contains("1 of 6 objects could not be uploaded"), "{ended:#?}");
    assert!(s3.keys().contains(&format!("{JOB_PATH}/started.json")), "one failure stops nothing else");

    let endpoint = s3.endpoint().trim_start_matches("http://").to_owned();
    drop(s3);
    // It waits for as long as a short outage may last, once for all objects.
    let mut command = with_json(&pod, "initupload", &options);
    let ended = process::start(pod.tree(), &mut command).wait_for(Duration::from_mins(5));
    ended.expect_code(1);
    assert_eq!(ended.stderr.matches("The destination has taken nothing for 1m0s").count(), 1, "{ended:#?}");
    assert!(ended.stderr.contains(&endpoint), "{ended:#?}");
    assert!(complaint(&ended).contains("6 of 6 objects"), "{ended:#?}");

    let mut options = options.clone();
    options["s3_credentials_file"] = json!(pod.path("no-such-file.json"));
    let ended = run(&pod, "initupload", &options);
    ended.expect_code(1);
    assert!(complaint(&ended).contains("no-such-file.json"), "U-66: {ended:#?}");
    assert_eq!(ended.stderr.lines().count(), 2, "nothing is tried: {ended:#?}");
}

#[test]
fn burst_of_refusals_is_retried() {
    let (pod, s3) = (Pod::new(), S3::start());
    s3.script(|seen| match seen.earlier {
        0 if seen.key.ends_with("started.json") => Fault::Status(503),
        1 if seen.key.ends_with("started.json") => Fault::LostAnswer,
        _ => Fault::None,
    });
    run(&pod, "initupload", &cloned(&pod, false, s3.options(pod.path("").as_path(), &[]))).expect_code(0);
    assert_eq!(s3.json(&format!("{JOB_PATH}/started.json"))["pull"], "77");
}

#[test]
fn term_ends_an_upload_that_hangs() {
    let (pod, s3) = (Pod::new(), S3::start());
    s3.script(|_| Fault::Hang);
    let options = s3.options(pod.path("").as_path(), &[]);
    let mut running: Running = process::start(pod.tree(), &mut with_json(&pod, "initupload", &options));
    running.until_stderr("Queued for upload");
    running.signal(Signal::TERM);
    let ended = running.wait();
    ended.expect_code(1);
    assert!(complaint(&ended).contains("SIGTERM"), "{ended:#?}");
}
