//! Pins: I1.
//!
//! The programs as PID 1 of real containers: read-only root, no capabilities,
//! not root.

use harness::docker::{Container, Engine};
use harness::pod::{self, Entry, Pod};
use harness::skip;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// The engine, or the end of the test with a line that says what is missing.
macro_rules! engine_or_skip {
    () => {
        match Engine::find() {
            Ok(engine) => engine,
            Err(reason) => skip!("{reason}"),
        }
    };
}
pub(crate) use engine_or_skip;

/// A pod whose log volume any user of a container may write.
pub(crate) fn open_pod() -> (Pod, Entry) {
    let pod = Pod::new();
    std::fs::set_permissions(pod.path(""), std::fs::Permissions::from_mode(0o755)).expect("the pod's mode");
    std::fs::set_permissions(pod.logs(), std::fs::Permissions::from_mode(0o777)).expect("the volume's mode");
    let entry = pod.entry("test");
    (pod, entry)
}

/// Starts `command` with an entrypoint's options for `args` in the container,
/// hardened as a careful cluster does it.
pub(crate) fn start(
    engine: &Engine,
    pod: &Pod,
    entry: &Entry,
    args: &[&str],
    more: Value,
    extra: &[&str],
    command: &[&str],
) -> Container {
    let options = pod.entrypoint_options(entry, args, more);
    let options = options.to_string().replace(&pod.logs().display().to_string(), "/logs");
    let volume = format!("{}:/logs", pod.logs().display());
    let variable = format!("ENTRYPOINT_OPTIONS={options}");
    let mut all = vec![
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--user=1000:1000",
        "--volume",
        &volume,
        "--env",
        &variable,
    ];
    all.extend_from_slice(extra);
    engine.run(&all, command)
}

pub(crate) const ENTRYPOINT: &[&str] = &["/tools/entrypoint"];

#[test]
fn hardened_container_runs_to_its_end() {
    let engine = engine_or_skip!();
    let (pod, entry) = open_pod();
    let container = start(
        &engine,
        &pod,
        &entry,
        &["sh", "-c", "echo out; echo err >&2; exit 3"],
        json!({}),
        &[],
        ENTRYPOINT,
    );
    assert_eq!(container.wait(), 3, "{}", container.logs());
    assert_eq!(entry.code().as_deref(), Some("3"));
    assert_eq!(entry.log_lines(), ["out", "err", "error|exited with code 3"]);
    assert_eq!(entry.report()["reason"], "exited");
}

#[test]
fn stop_reaches_the_child_as_interrupt_then_term() {
    let engine = engine_or_skip!();
    let (pod, entry) = open_pod();
    let script = "trap 'echo got INT' INT; trap 'echo got TERM; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let container = start(&engine, &pod, &entry, &["sh", "-c", script], json!({}), &[], ENTRYPOINT);
    container.until_logs("ready");
    container.stop(pod.tree(), 30).wait().expect_code(0);
    assert_eq!(container.wait(), 130, "{}", container.logs());
    assert_eq!(entry.code().as_deref(), Some("130"));
    let log = entry.log_text();
    let (int, term) = (log.find("got INT"), log.find("got TERM"));
    assert!(int.is_some() && int < term, "{log}");
    assert_eq!(entry.report()["reason"], "aborted");
}

#[test]
fn nothing_of_the_tree_survives_in_the_container() {
    let engine = engine_or_skip!();
    let (pod, entry) = open_pod();
    let script = "setsid sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' & setsid sleep 1000 & sleep 0.3; echo main done";
    let container = start(&engine, &pod, &entry, &["sh", "-c", script], json!({}), &[], ENTRYPOINT);
    assert_eq!(container.wait(), 0, "{}", container.logs());
    let report = entry.report();
    assert_eq!(report["reason"], "exited");
    assert!(report["leftovers"]["ended"].as_u64() >= Some(1), "{report}");
    assert!(report["leftovers"]["killed"].as_u64() >= Some(1), "{report}");
}

/// The option of an engine that makes it refuse these system calls, by a file with
/// a seccomp profile.
pub(crate) fn refusing(pod: &Pod, calls: &[&str]) -> String {
    let denied = json!([{"names": calls, "action": "SCMP_ACT_ERRNO"}]);
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": denied});
    let path = pod.path("seccomp.json");
    std::fs::write(&path, profile.to_string()).expect("written");
    format!("--security-opt=seccomp={}", path.display())
}

#[test]
fn start_without_signalfd_is_127_with_a_marker() {
    let engine = engine_or_skip!();
    let (pod, entry) = open_pod();
    let refused = refusing(&pod, &["signalfd", "signalfd4"]);
    let container = start(&engine, &pod, &entry, &["echo", "x"], json!({}), &[&refused], ENTRYPOINT);
    assert_eq!(container.wait(), 127, "{}", container.logs());
    assert_eq!(entry.code().as_deref(), Some("127"));
    let report = entry.report();
    assert_eq!(report["reason"], "internal_error", "{report}");
    assert!(report["cause"].as_str().is_some_and(|cause| cause.contains("signals")), "{report}");
}

#[test]
fn previous_marker_is_polled_for_without_inotify() {
    let engine = engine_or_skip!();
    let (pod, entry) = open_pod();
    let before = pod.entry("before");
    let refused = refusing(&pod, &["inotify_init", "inotify_init1", "inotify_add_watch"]);
    let own = json!({"previous_marker": before.marker});
    let container = start(&engine, &pod, &entry, &["sh", "-c", "echo x"], own, &[&refused], ENTRYPOINT);
    container.until_logs("fsnotify watch error");
    std::fs::write(&before.marker, "0").expect("written");
    assert_eq!(container.wait(), 0, "{}", container.logs());
    assert_eq!(entry.code().as_deref(), Some("0"));
}

#[test]
fn chain_of_wrapper_and_entrypoint_passes_signals_and_codes() {
    let engine = engine_or_skip!();
    let (pod, entry) = open_pod();
    // A bash may run the trap of TERM inside that of INT, before its first
    // command, so neither ends the script here and their order is not looked at;
    // the order is the matter of `stop_reaches_the_child_as_interrupt_then_term`.
    let script = "trap 'echo got INT; int=1' INT; trap 'echo got TERM; term=1' TERM; echo ready; \
                  until [ \"$int$term\" = 11 ]; do :; done; exit 7";
    let more = json!({"propagate_error_code": true});
    let chain = ["/tools/entrypoint-wrapper", "/tools/entrypoint"];
    let container = start(&engine, &pod, &entry, &["bash", "-c", script], more, &[], &chain);
    container.until_logs("ready");
    container.stop(pod.tree(), 30).wait().expect_code(0);
    assert_eq!(container.wait(), 7, "{}", container.logs());
    assert_eq!(entry.code().as_deref(), Some("7"));
    assert!(container.logs().contains("received signal 15, forwarding"), "{}", container.logs());
    let log = entry.log_text();
    assert!(log.contains("got INT") && log.contains("got TERM"), "{log}");
}

#[test]
fn copy_mode_fills_the_tools_volume_of_a_read_only_pod() {
    let engine = engine_or_skip!();
    let (pod, _) = open_pod();
    let volume = format!("{}:/tools-volume", pod.logs().display());
    let options = ["--read-only", "--cap-drop=ALL", "--user=1000:1000", "--volume", &volume];
    for _ in 0..2 {
        let command =
            ["/tools/entrypoint", "--copy-mode-only", "--copy-destination=/tools-volume/entrypoint"];
        let container = engine.run(&options, &command);
        assert_eq!(container.wait(), 0, "{}", container.logs());
    }
    assert_eq!(pod::files_below(&pod.logs()), ["entrypoint"]);
    let mode = pod.logs().join("entrypoint").metadata().expect("copied").permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
}
