//! Pins: sidecar/README.md, "Test reports".
//!
//! Reports in `JUnit`'s XML among the artifacts: what they say reaches the result, the
//! manifest and the termination message, masked, and never delays them.

use harness::job::Job;
use harness::pod::json_of;
use serde_json::{Value, json};
use std::fs;

const REPORT: &str = "<testsuite name='s'><testcase name='TestA' classname='c' file='a_test.go' time='1.5'>\
    <failure message='one is not hunter2&#45;hunter2'>a_test.go:4: it is hunter2-hunter2</failure></testcase>\
    <testcase name='TestB'/><testcase name='TestC'><skipped/></testcase></testsuite>";

/// Delivers a job that exits with `code` and has these artifacts; returns its termination
/// message.
fn delivered(job: &Job, code: i32, files: &[(&str, &str)], more: Value) -> String {
    let entry = job.pod.entry("test");
    for (name, content) in files {
        let path = job.pod.artifacts().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, content).expect("written");
    }
    let message = job.pod.path("termination-log");
    fs::write(&message, "").expect("made");
    let mut options = json!({"delivery": {"termination_message_path": message}});
    harness::pod::overlay(&mut options, more);
    let sidecar = job.sidecar(&[&entry], options);
    job.pod.entrypoint(&entry, &["sh", "-c", &format!("exit {code}")], json!({})).wait().expect_code(code);
    sidecar.wait().expect_code(0);
    fs::read_to_string(&message).expect("read")
}

#[test]
fn failed_tests_are_in_result_manifest_and_message_without_secrets() {
    let job = Job::s3();
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("token"), "hunter2-hunter2").expect("written");
    let censor = json!({"censoring_options": {"secret_directories": [secrets]}});
    let message = delivered(&job, 1, &[("deep/junit_01.xml", REPORT), ("other.xml", REPORT)], censor);
    let sentence = "exited with code 1; 1 of 3 tests failed: TestA";
    assert!(message.starts_with(&format!("FAILURE: {sentence}; ")), "{message}");
    let finished = job.finished();
    let own = &finished["metadata"]["pod-utils"];
    assert_eq!(own["cause"], sentence, "{finished}");
    assert_eq!(finished["metadata"]["pod-utils-cause"], sentence);
    let tests = &own["tests"];
    assert_eq!(
        (&tests["tests"], &tests["failed"], &tests["skipped"], &tests["seconds"]),
        (&json!("3"), &json!("1"), &json!("1"), &json!("1.500"))
    );
    let failure = &tests["failures"]["01"];
    assert_eq!((&failure["suite"], &failure["file"]), (&json!("c"), &json!("a_test.go")));
    // As many as the bytes of the escaped form in the file.
    assert_eq!(failure["message"], "one is not XXXXXXXXXXXXXXXXXXX", "also where an entity hid it");
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    assert_eq!(manifest["tests"]["failures"][0]["output"], "a_test.go:4: it is XXXXXXXXXXXXXXX");
    assert_eq!(manifest["tests"]["slowest"][0]["name"], "TestA");
    assert!(!job.text("manifest.json").contains("hunter2"));
}

#[test]
fn success_with_failed_tests_and_failure_without_are_said_as_such() {
    let passed = "<testsuite><testcase name='a'/></testsuite>";
    for (code, report, result, sentence) in [
        (0, REPORT, "SUCCESS", Some("exited with code 0; but 1 of 3 tests failed: TestA")),
        (1, passed, "FAILURE", Some("exited with code 1; none of 1 tests failed")),
        (0, passed, "SUCCESS", None),
    ] {
        let job = Job::local();
        let message = delivered(&job, code, &[("junit.xml", report)], json!({}));
        let finished = job.finished();
        assert_eq!(finished["result"], result);
        assert_eq!(finished["metadata"]["pod-utils"]["cause"].as_str(), sentence, "{finished}");
        let sentence = sentence.unwrap_or("exited with code 0; ");
        assert!(message.starts_with(&format!("{result}: {sentence}")), "{message}");
    }
}

#[test]
fn reading_can_be_switched_off_and_pointed_elsewhere() {
    for (globs, is_read) in
        [(json!([]), false), (json!(["reports/*.xml"]), false), (json!(["results.xml"]), true)]
    {
        let job = Job::local();
        let more = json!({"delivery": {"test_reports": globs}});
        delivered(&job, 0, &[("sub/results.xml", REPORT), ("junit.xml", "<testsuite/>")], more);
        let failed = &job.finished()["metadata"]["pod-utils"]["tests"]["failed"];
        assert_eq!(failed.as_str(), is_read.then_some("1"), "{globs}");
    }
}

#[test]
fn broken_reports_and_what_is_none_change_nothing() {
    let job = Job::local();
    let half = &REPORT[..REPORT.len() / 2];
    let deep = format!("<testsuite>{}", "<a>".repeat(10_000));
    let files =
        [("junit1.xml", half), ("junit2.xml", "no xml"), ("junit3.xml", deep.as_str()), ("junit4.xml", "")];
    delivered(&job, 0, &files, json!({}));
    let finished = job.finished();
    let tests = &finished["metadata"]["pod-utils"]["tests"];
    assert_eq!((&tests["incomplete_reports"], &tests["failed"]), (&json!("2"), &json!("1")), "{finished}");
    for (name, content) in files {
        assert_eq!(job.text(&format!("artifacts/{name}")), content);
    }
    assert!(json_of(&job.objects_dir().join("manifest.json"))["tests"].is_object());
}
