//! Pins: deploy/prow/README.md.
//!
//! Mixed versions: our sidecar with upstream's entrypoint, and the reverse.
//!
//! `go install sigs.k8s.io/prow/cmd/entrypoint@latest` and the same for sidecar
//! put them into `$HOME/go/bin`, or `UPSTREAM_DIR` names where they are.

use harness::pod::{Entry, Pod};
use harness::process::{self, Running};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn upstream(program: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("UPSTREAM_DIR").map(PathBuf::from);
    let dir = dir.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join("go/bin")))?;
    Some(dir.join(program)).filter(|path| path.is_file())
}

macro_rules! upstream {
    ($program:literal) => {
        match upstream($program) {
            Some(path) => path,
            None => harness::skip!("upstream's {} is not in $HOME/go/bin", $program),
        }
    };
}

/// Upstream's times are numbers.
const SECOND: u64 = 1_000_000_000;

fn entrypoint(pod: &Pod, entry: &Entry, program: PathBuf, args: &[&str], more: Value) -> Running {
    let mut options =
        pod.entrypoint_options(entry, args, json!({"timeout": 60 * SECOND, "grace_period": 10 * SECOND}));
    harness::pod::overlay(&mut options, more);
    let mut command = Command::new(program);
    command.env("ENTRYPOINT_OPTIONS", options.to_string()).env("ARTIFACTS", pod.artifacts());
    process::start(pod.tree(), &mut command)
}

const WRITES: &str = r#"echo output; echo artifact > "$ARTIFACTS/file.txt"; exit "$0""#;

#[test]
fn our_sidecar_delivers_for_upstreams_entrypoint() {
    let program = upstream!("entrypoint");
    for (code, result) in [("0", "SUCCESS"), ("3", "FAILURE")] {
        let pod = Pod::new();
        let entry = pod.entry("test");
        let sidecar = pod.sidecar(&[&entry], json!({}));
        entrypoint(&pod, &entry, program.clone(), &["sh", "-c", WRITES, code], json!({})).wait();
        sidecar.wait().expect_code(0);
        assert_eq!(entry.code().as_deref().map(str::trim), Some(code));
        assert_eq!(pod.delivered("build-log.txt"), "output\n");
        assert_eq!(pod.delivered("artifacts/file.txt"), "artifact\n");
        assert_eq!(pod.finished()["result"], result);
    }
}

#[test]
fn our_sidecar_delivers_a_timeout_of_upstreams_entrypoint() {
    let program = upstream!("entrypoint");
    let pod = Pod::new();
    let entry = pod.entry("test");
    let sidecar = pod.sidecar(&[&entry], json!({}));
    let more = json!({"timeout": SECOND, "grace_period": SECOND});
    entrypoint(&pod, &entry, program, &["sh", "-c", "echo begun; exec sleep 600"], more).wait();
    sidecar.wait().expect_code(0);
    assert!(pod.delivered("build-log.txt").starts_with("begun\n"));
    assert_eq!(pod.finished()["result"], "FAILURE");
}

#[test]
fn our_entrypoint_works_with_upstreams_sidecar() {
    let program = upstream!("sidecar");
    for (code, result) in [("0", "SUCCESS"), ("3", "FAILURE")] {
        let pod = Pod::new();
        let entry = pod.entry("test");
        let ours = pod.sidecar_command(&[&entry], json!({}));
        let mut theirs = Command::new(&program);
        theirs.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        fs::create_dir_all(pod.out()).expect("made");
        let sidecar = process::start(pod.tree(), &mut theirs);
        let ours = harness::bins::program("entrypoint");
        entrypoint(&pod, &entry, ours, &["sh", "-c", WRITES, code], json!({})).wait();
        sidecar.wait().expect_code(0);
        assert_eq!(pod.delivered("build-log.txt"), "output\n");
        assert_eq!(pod.delivered("artifacts/file.txt"), "artifact\n");
        assert_eq!(pod.finished()["result"], result);
    }
}

/// The report of version 0.1.0, and one with keys that no version has yet.
#[test]
fn our_sidecar_reads_reports_of_older_and_newer_entrypoints() {
    let old = json!({
        "version": 1, "reason": "timed_out", "cause": "timed out after 1s", "code": 127,
        "child": {"signal": "SIGINT"}, "started": "2026-11-01T10:00:00Z", "finished": "2026-11-01T10:00:02.5Z",
        "timeout_ns": SECOND, "grace_period_ns": SECOND,
        "interrupts": [{"signal": "SIGINT", "at": "2026-11-01T10:00:01Z", "from": "timeout", "sent_to": "child"}],
        "output": {"child_bytes": 7, "dropped_bytes": 0, "log_bytes": 7, "log_crc32c": "00000000"},
        "leftovers": {"ended": 0, "killed": 0, "unkillable": 0, "unknown": false, "names": []},
        "usage": {"max_rss_bytes": 1, "user_ns": 1, "system_ns": 1},
    });
    let mut new = old.clone();
    harness::pod::overlay(
        &mut new,
        json!({"next": {"key": [1]}, "output": {"next": "text"}, "usage": {"next": 1}}),
    );
    for report in [old, new] {
        let pod = Pod::new();
        let entry = pod.entry("test");
        fs::write(&entry.log, "output\n").expect("written");
        fs::write(format!("{}.report.json", entry.marker.display()), report.to_string()).expect("written");
        fs::write(&entry.marker, "127").expect("written");
        pod.sidecar(&[&entry], json!({})).wait().expect_code(0);
        assert_eq!(pod.finished()["result"], "FAILURE");
        let told = pod.finished()["metadata"].to_string();
        assert!(told.contains("timed out after 1s"), "{told}");
    }
}
