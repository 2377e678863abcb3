//! Pins: E-31, E-33; entrypoint/README.md, "Signals".
//!
//! Which process of the tree gets which signal and when, so that test reports and
//! traps survive: adopted processes, descendants that wait beneath a shell, outside
//! signals, outer grace periods. And where records stand among the output.

use super::process_tree::{Case, Place};
use common::signal::Signal;
use common::timestamp::Timestamp;
use harness::bins;
use harness::pod::Pod;
use harness::process;
use serde_json::json;
use std::process::Command;
use std::time::Duration;

/// A script that says which signals it gets, and ends after SIGTERM.
const LISTENER: &str = "trap 'echo got INT' INT; trap 'echo got TERM; exit 0' TERM; echo listening
    while :; do sleep 0.05; done";

fn position(lines: &[String], text: &str) -> usize {
    lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text} in {lines:?}"))
}

/// Milliseconds between two signals in the report.
fn between(report: &serde_json::Value, first: (&str, &str), second: (&str, &str)) -> i64 {
    let at = |(signal, recipient): (&str, &str)| {
        let all = report["interrupts"].as_array().expect("a list");
        let found = all.iter().find(|one| one["signal"] == signal && one["sent_to"] == recipient);
        let text = found.unwrap_or_else(|| panic!("{signal} to {recipient} in {report}"))["at"].as_str();
        let time: Timestamp = text.expect("a time").parse().expect("RFC 3339");
        time.as_nanos() / 1_000_000
    };
    at(second) - at(first)
}

#[test]
fn adopted_process_gets_int_at_once_and_term_after_half_of_what_is_left() {
    // The shell dies of TERM; the listener is adopted.
    let script = format!("bash -c '{}'; true", LISTENER.replace('\'', r"'\''"));
    let case = Case::start(Place::Plain, &["bash", "-c", &script], json!({"grace_period": "6s"}));
    case.entry.until_log("listening");
    case.signal(Signal::TERM);
    case.entry.until_log("got INT");
    let (_pod, entry, _) = case.end(130);
    let lines = entry.log_lines();
    assert!(position(&lines, "got INT") < position(&lines, "got TERM"), "{lines:?}");
    let apart = between(&entry.report(), ("SIGINT", "leftovers"), ("SIGTERM", "leftovers"));
    assert!((2500..4500).contains(&apart), "{apart} ms of about 3000");
}

#[test]
fn trap_of_a_waiting_shell_runs_before_the_kill() {
    for shell in ["bash", "dash"] {
        let script = "trap 'sleep 0.2; echo cleaned up; exit 3' INT TERM; echo ready; sleep 300";
        let options = json!({"timeout": "300ms", "grace_period": "4s"});
        let case = Case::start(Place::Plain, &[shell, "-c", script], options);
        let (_pod, entry, ended) = case.end(127);
        assert!(entry.log_text().contains("cleaned up"), "{shell}: {}", entry.log_text());
        assert_eq!(entry.report()["child"], json!({"exit_code": 3}), "the clean-up was not touched");
        assert!(ended.took > Duration::from_secs(2), "{shell}: after half of the grace period");
    }
}

#[test]
fn clean_up_that_began_after_the_first_signal_is_left_alone() {
    // The sleep of the trap is a process born after the first signal, under a living parent.
    let script = r#"trap 'bash -c "trap \"echo hit\" INT TERM; sleep 4; echo cleaned"; exit 4' INT
        echo ready; while :; do sleep 0.05; done"#;
    let options = json!({"timeout": "300ms", "grace_period": "6s"});
    let case = Case::start(Place::Plain, &["bash", "-c", script], options);
    let (_pod, entry, _) = case.end(127);
    let text = entry.log_text();
    assert!(text.contains("cleaned") && !text.contains("hit"), "{text}");
}

#[test]
fn descendant_that_ignores_int_gets_term_after_four_fifths() {
    let script = format!("trap '' INT; bash -c '{}'; exit 0", LISTENER.replace('\'', r"'\''"));
    let options = json!({"timeout": "300ms", "grace_period": "5s"});
    let case = Case::start(Place::Plain, &["bash", "-c", &script], options);
    let (_pod, entry, _) = case.end(127);
    assert!(entry.log_text().contains("got TERM"), "{}", entry.log_text());
    let apart = between(&entry.report(), ("SIGINT", "child"), ("SIGTERM", "leftovers"));
    assert!((3500..4900).contains(&apart), "{apart} ms of about 4000");
}

#[test]
fn received_passes_the_signal_alone() {
    let script = "trap 'echo got INT; exit 9' INT; trap 'echo cleaned up; exit 0' TERM
        echo ready; while :; do sleep 0.05; done";
    let options = json!({"supervision": {"interrupt": "received", "signal_scope": "group"}});
    let case = Case::start(Place::Plain, &["bash", "-c", script], options);
    case.entry.until_log("ready");
    case.signal(Signal::TERM);
    let (_pod, entry, _) = case.end(130);
    let text = entry.log_text();
    assert!(text.contains("cleaned up") && !text.contains("got INT"), "{text}");
    assert_eq!(entry.report()["cause"], "aborted by SIGTERM; exited with 0 after SIGTERM");
}

#[test]
fn int_then_escalation_sends_int_and_then_term_at_its_time() {
    let options = json!({"grace_period": "20s", "supervision": {
        "interrupt": "int_then_escalation", "signal_scope": "group",
        "escalation": [{"signal": "SIGTERM", "after": "1s"}]}});
    let case = Case::start(Place::Plain, &["bash", "-c", LISTENER], options);
    case.entry.until_log("listening");
    case.signal(Signal::TERM);
    let (_pod, entry, _) = case.end(130);
    let lines = entry.log_lines();
    assert!(position(&lines, "got INT") < position(&lines, "got TERM"), "{lines:?}");
    let apart = between(&entry.report(), ("SIGINT", "child"), ("SIGTERM", "child"));
    assert!((900..3000).contains(&apart), "{apart} ms of about 1000");
}

fn kill(case: &Case, signal: &str) {
    let pid = case.pid().expect("entrypoint runs").as_raw_nonzero().to_string();
    let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{signal}");
}

#[test]
fn stop_signals_of_images_end_the_job_and_others_are_passed_on() {
    // systemd's images name SIGRTMIN+3, which Docker and containerd count from 34.
    let script = "echo ready; exec sleep 60";
    for (number, name) in [("37", "signal 37"), ("30", "power failure")] {
        let case = Case::start(Place::Plain, &["sh", "-c", script], json!({}));
        case.entry.until_log("ready");
        kill(&case, number);
        let (_pod, entry, _) = case.end(130);
        assert_eq!(entry.log_lines()[1], format!("error|Entrypoint received interrupt: {name}"));
    }
    let httpd = json!({"supervision": {"stop_signals": ["SIGWINCH"]}});
    let case = Case::start(Place::Plain, &["sh", "-c", script], httpd);
    case.entry.until_log("ready");
    case.signal(Signal::WINCH);
    let (_pod, entry, _) = case.end(130);
    assert_eq!(entry.report()["reason"], "aborted");
    let script = "trap 'echo alarm' ALRM; trap 'echo pipe' PIPE; trap 'echo real-time' 40; echo ready
        while :; do sleep 0.05; done";
    let case = Case::start(Place::Plain, &["bash", "-c", script], json!({"grace_period": "1s"}));
    case.entry.until_log("ready");
    for (number, said) in [("14", "alarm"), ("13", "pipe"), ("40", "real-time")] {
        kill(&case, number);
        case.entry.until_log(said);
    }
    case.signal(Signal::INT);
    case.end(130);
}

#[test]
fn hangup_after_an_interrupt_shortens_the_grace_period() {
    let script = "trap '' INT TERM HUP; echo ready; while :; do sleep 0.05; done";
    let case = Case::start(Place::Plain, &["bash", "-c", script], json!({"grace_period": "60s"}));
    case.entry.until_log("ready");
    case.signal(Signal::TERM);
    case.entry.until_log("received interrupt: terminated");
    case.signal(Signal::HUP);
    let (_pod, _entry, ended) = case.end(130);
    assert!(ended.took < Duration::from_secs(30), "{:?}", ended.took);
}

#[test]
fn the_shorter_outer_grace_period_counts() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let mut command =
        pod.entrypoint_command(&entry, &["sh", "-c", "echo $ENTRYPOINT_GRACE_PERIOD"], json!({}));
    command.env("BUILDKITE_CANCEL_GRACE_PERIOD", "20").env("BUILDKITE_SIGNAL_GRACE_PERIOD_SECONDS", "4");
    let ended = process::run(pod.tree(), &mut command);
    ended.expect_code(0);
    assert_eq!(entry.log_text(), "2\n");
    assert!(ended.stderr.contains("4s of BUILDKITE_SIGNAL_GRACE_PERIOD_SECONDS"), "{ended:#?}");
}

#[test]
fn records_begin_at_a_lines_start_and_a_timeout_has_one_more() {
    let script = "printf '....'; exec sleep 60";
    let options = json!({"timeout": "300ms"});
    let case = Case::start(Place::Plain, &["sh", "-c", script], options);
    let (_pod, entry, ended) = case.end(127);
    let expected = [
        "....",
        "error|Process did not finish before 300ms timeout",
        "error|ERROR: sh timed out after 300ms",
        "error|Process gracefully exited before 15s grace period",
        "error|timed out after 300ms; died of SIGINT",
    ];
    assert_eq!(entry.log_lines(), expected);
    assert!(ended.stdout.starts_with("....\n{\"component\":\"entrypoint\""), "{ended:#?}");
    let log = std::fs::read(&entry.log).expect("readable");
    assert_eq!(entry.report()["output"]["log_bytes"], log.len(), "the added line end counts");
}

#[test]
fn plain_records_are_for_stdout_only() {
    let options = json!({"timeout": "300ms", "supervision": {"record_format": "plain"}});
    let case = Case::start(Place::Plain, &["sleep", "60"], options);
    let (_pod, entry, ended) = case.end(127);
    let expected = "entrypoint: Process did not finish before 300ms timeout\n\
                    entrypoint: ERROR: sleep timed out after 300ms\n\
                    entrypoint: Process gracefully exited before 15s grace period\n\
                    entrypoint: Error executing test process: process timed out\n";
    assert_eq!(ended.stdout, expected);
    assert!(entry.log_text().lines().all(|line| line.starts_with('{')), "{}", entry.log_text());
}

#[test]
fn records_are_plain_on_a_terminal() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let options = pod.entrypoint_options(&entry, &["sleep", "60"], json!({"timeout": "300ms"})).to_string();
    // script(1) makes a terminal.
    let mut command = Command::new("script");
    command.args(["-qec", &bins::program("entrypoint").display().to_string(), "/dev/null"]);
    command.env("ENTRYPOINT_OPTIONS", options);
    let ended = process::run(pod.tree(), &mut command);
    assert!(ended.stdout.contains("entrypoint: ERROR: sleep timed out after 300ms"), "{ended:#?}");
    assert!(!ended.stdout.contains("{\""), "{ended:#?}");
}
