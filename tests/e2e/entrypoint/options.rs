//! Pins: O-11, O-73; entrypoint/README.md, "Options".
//!
//! entrypoint's options: what they do, and what mistakes in them cost.

use crate::entrypoint::command::{by_hand, run};
use harness::bins;
use harness::pod::Pod;
use harness::process::{self};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

#[test]
fn timestamps_begin_every_line_of_the_log() {
    let options = json!({"supervision": {"timestamps": true}});
    let (_pod, entry, ended) = run(&["printf", "a\\nb\\rc\\r\\n"], options, 0);
    assert_eq!(ended.stdout, "a\nb\rc\r\n");
    let text = entry.log_text();
    let lines: Vec<_> = text.split_inclusive(['\n', '\r']).filter(|line| *line != "\n").collect();
    assert_eq!(lines.len(), 3, "{text:?}");
    for line in lines {
        let (time, _) = line.split_once(' ').expect("a time and a space");
        time.parse::<common::timestamp::Timestamp>().expect("RFC 3339");
    }
}

#[test]
fn cause_goes_to_the_termination_message_file() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let message = pod.path("termination-log");
    let options = |timeout: &str| {
        json!({"timeout": timeout, "grace_period": "1s",
               "supervision": {"termination_message_path": message}})
    };
    pod.entrypoint(&entry, &[HOSTILE, "ignore"], options("300ms")).wait().expect_code(127);
    assert!(!message.exists(), "no file is made");
    fs::write(&message, "").expect("written");
    pod.entrypoint(&entry, &["false"], options("1h")).wait().expect_code(1);
    assert_eq!(fs::read_to_string(&message).expect("read"), "exited with code 1\n");
    fs::write(&message, "").expect("written");
    pod.entrypoint(&entry, &["true"], options("1h")).wait().expect_code(0);
    assert_eq!(fs::read_to_string(&message).expect("read"), "", "nothing for a plain success");
    let script = "head -c 3000 /dev/zero | tr '\\0' x; echo; echo the end; kill -9 $$";
    pod.entrypoint(&entry, &["sh", "-c", script], options("1h")).wait().expect_code(137);
    let text = fs::read_to_string(&message).expect("read");
    let output = text.strip_prefix("killed from outside (SIGKILL)\n").expect("the sentence first");
    assert_eq!(output, format!("{}\nthe end\n", "x".repeat(2048 - "\nthe end\n".len())));
    pod.entrypoint(&entry, &[HOSTILE, "ignore"], options("300ms")).wait().expect_code(127);
    let text = fs::read_to_string(&message).expect("read");
    assert_eq!(text, "timed out after 300ms; did not exit within 1s; killed\n");
}

#[test]
fn bad_options_are_one_line_and_leave_nothing_behind() {
    let pod = Pod::new();
    let with = |options: &str| {
        let mut command = Command::new(bins::program("entrypoint"));
        command.env("ENTRYPOINT_OPTIONS", options);
        let ended = process::run(pod.tree(), &mut command);
        ended.expect_code(1);
        ended.only_line().to_owned()
    };
    for (options, said) in [
        ("", "the text is empty"),
        ("{", "not valid JSON"),
        (r#"{"args":"x"}"#, "args: "),
        (r#"{"timeout":1.5}"#, "timeout: 1.5 is a number; allowed is an integer of nanoseconds"),
        ("{}", "args is empty"),
        (r#"{"args":["x"],"marker_file":"m"}"#, "process_log is empty"),
        (r#"{"args":["x"],"process_log":"l"}"#, "marker_file is empty"),
        (r#"{"args":["x"],"always_zero":true,"propagate_error_code":true}"#, "always_zero and propagate"),
        (r#"{"supervision":{"leftovers":"burn"}}"#, "supervision.leftovers: "),
    ] {
        let line = with(options);
        let record: Value = serde_json::from_str(&line).expect("a record");
        assert_eq!(record["level"], "fatal", "{line}");
        assert!(record["msg"].as_str().is_some_and(|msg| msg.contains(said)), "{said:?} in {line}");
    }
    assert_eq!(harness::pod::files_below(&pod.logs()), Vec::<String>::new());
}

#[test]
fn wrong_flags_are_status_2_and_help_is_0() {
    let pod = Pod::new();
    for wrong in [&["--nope"][..], &["--timeout=10"], &["--always-zero=maybe"], &["---x"], &["--timeout"]] {
        let ended = process::run(pod.tree(), &mut by_hand(&pod, wrong));
        ended.expect_code(2);
        assert!(ended.stderr.contains(wrong[0].trim_start_matches('-').split('=').next().unwrap_or("")));
    }
    let help = process::run(pod.tree(), &mut by_hand(&pod, &["-h"]));
    help.expect_code(0);
    for flag in ["--process-log", "--marker-file", "--grace-period", "--escalation", "--leftovers"] {
        assert!(help.stdout.contains(flag), "{flag} in {help:#?}");
    }
    process::run(pod.tree(), &mut by_hand(&pod, &["true"])).expect_code(1);
}

#[test]
fn flags_do_what_the_json_does() {
    let pod = Pod::new();
    let mut command = by_hand(
        &pod,
        &["-process-log", "log", "-marker-file=marker", "--artifact-dir=deep/dir", "sh", "-c", "exit 9"],
    );
    process::run(pod.tree(), &mut command).expect_code(9);
    assert_eq!(fs::read(pod.path("marker")).expect("a marker"), b"9");
    assert!(pod.path("deep/dir").is_dir());
}

#[test]
fn unknown_keys_are_logged_once_in_the_process_log() {
    let (_pod, _entry, ended) = run(&["true"], json!({"entrypoint_future": 1}), 0);
    assert_eq!(ended.stderr.matches("entrypoint_future").count(), 1, "{ended:#?}");
}

#[test]
fn files_that_cannot_be_made_are_127_and_said_on_stderr() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::write(pod.path("file"), "").expect("written");
    let missing = pod.path("missing/log");
    let below_file = pod.path("file/dir");
    for (options, said) in [
        (json!({"process_log": missing}), "process_log"),
        (json!({"artifact_dir": below_file}), "artifact_dir"),
    ] {
        let ended = pod.entrypoint(&entry, &["true"], options).wait();
        ended.expect_code(127);
        assert!(ended.stderr.contains(&format!("could not create {said}")), "{ended:#?}");
        assert_eq!(entry.code().as_deref(), Some("127"));
        assert_eq!(entry.report()["reason"], "internal_error");
    }
    let options = json!({"marker_file": pod.path("missing/marker"), "grace_period": "1500ms"});
    let ended = pod.entrypoint(&entry, &["true"], options).wait();
    ended.expect_code(127);
    assert!(ended.stderr.contains("could not take the lock for marker_file"), "{ended:#?}");
    assert!(!Path::new(&missing).exists());
}
