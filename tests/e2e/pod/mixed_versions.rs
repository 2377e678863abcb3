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
