//! Pins: O-14; entrypoint/README.md, "How programs take options".
//!
//! Options of entrypoint that cannot work, each in one clear line.

use crate::sidecar::option_errors::complaint;
use harness::bins;
use harness::pod::Pod;
use harness::process::{self, Ended};
use harness::tree::Tree;
use serde_json::json;
use std::fs;
use std::process::Command;

fn entrypoint(options: &str) -> Ended {
    let mut command = Command::new(bins::program("entrypoint"));
    process::run(&Tree::new(), command.env("ENTRYPOINT_OPTIONS", options))
}

#[test]
fn bad_options_name_the_key_and_what_is_allowed() {
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
fn unknown_keys_are_logged_once_with_a_suggestion() {
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
fn log_that_cannot_be_created_is_127_with_marker_and_report() {
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
fn missing_marker_directory_is_127_and_said() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let marker = pod.path("nowhere/marker.txt");
    let options = json!({"marker_file": marker, "grace_period": "100ms"});
    let ended = pod.entrypoint(&entry, &["true"], options).wait();
    ended.expect_code(127);
    assert!(ended.stderr.contains("nowhere"), "{ended:#?}");
}
