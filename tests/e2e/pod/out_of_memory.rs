//! Pins: I1.
//!
//! The kernel kills for lack of memory: entrypoint in a container of 64 MiB, sidecar
//! in another one, a volume between them. Whoever is killed, the result is a
//! failure that says why.

use crate::pod::containers::{ENTRYPOINT, engine_or_skip, open_pod, start};
use harness::docker::{Container, Engine};
use harness::pod::{Entry, Pod};
use harness::{skip, wait};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const LIMITS: [&str; 3] = ["--memory=64m", "--memory-swap=64m", "--tmpfs=/ballast:size=32m,mode=1777"];

const USER: &str = "--user=1000:1000";

/// One large line in a variable of a shell grows until the kernel ends the shell.
const GROW: &str = "x=x; while :; do x=$x$x; done";

/// A sidecar in a container of its own, as careful as the test's.
fn sidecar(engine: &Engine, pod: &Pod, entries: &[&Entry]) -> Container {
    std::fs::create_dir(pod.out()).expect("made");
    std::fs::set_permissions(pod.out(), PermissionsExt::from_mode(0o777)).expect("its mode");
    let options = pod.sidecar_options(entries, json!({})).to_string();
    let options = options
        .replace(&pod.logs().display().to_string(), "/logs")
        .replace(&pod.out().display().to_string(), "/out");
    let volumes = [format!("{}:/logs", pod.logs().display()), format!("{}:/out", pod.out().display())];
    let variable = format!("SIDECAR_OPTIONS={options}");
    let hardened = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=1000:1000"];
    let mounts = ["--volume", &volumes[0], "--volume", &volumes[1], "--env", &variable];
    engine.run(&[&hardened[..], &mounts[..]].concat(), &["/tools/sidecar"])
}

/// Runs `script` as this user and returns the job's end: its pod, and the exit status
/// of its container.
fn ended(engine: &Engine, user: &str, script: &str) -> (Pod, Entry, i32) {
    let (pod, entry) = open_pod();
    let sidecar = sidecar(engine, &pod, &[&entry]);
    let options = [&LIMITS[..], &[user]].concat();
    let test = start(engine, &pod, &entry, &["sh", "-c", script], json!({}), &options, ENTRYPOINT);
    let code = test.wait();
    assert_eq!(sidecar.wait(), 0, "{}{}", test.logs(), sidecar.logs());
    wait::until("the kernel's kill in docker's words", || test.was_out_of_memory().then_some(()));
    (pod, entry, code)
}

/// The cause in `finished.json`, and what it says of the only entry.
fn why(pod: &Pod) -> (String, Value) {
    let mut finished = pod.finished();
    assert_eq!((&finished["result"], &finished["passed"]), (&json!("FAILURE"), &json!(false)), "{finished}");
    let mut why = finished["metadata"]["pod-utils"].take();
    let cause = why["cause"].as_str().unwrap_or_else(|| panic!("no cause in {finished}")).to_owned();
    (cause, why["entries"]["test"].take())
}

#[test]
fn child_killed_by_oom_is_a_failure_with_its_cause() {
    let engine = engine_or_skip!();
    let (pod, entry, code) = ended(&engine, USER, &format!("echo growing; {GROW}"));
    assert_eq!(code, 137);
    assert_eq!(entry.code().as_deref(), Some("137"));
    let report = entry.report();
    assert_eq!((&report["reason"], &report["child"]["signal"]), (&json!("signaled"), &json!("SIGKILL")));
    let (cause, of_entry) = why(&pod);
    assert_eq!(
        cause,
        "killed from outside (SIGKILL); the kernel killed a process of this container for lack of memory"
    );
    assert_eq!((&of_entry["reason"], &of_entry["code"]), (&json!("signaled"), &json!("137")));
    assert_eq!(entry.log_lines(), ["growing".to_owned(), format!("error|{cause}")]);
    assert_eq!(pod.delivered("build-log.txt"), entry.log_text());
}

#[test]
fn grandchild_killed_by_oom_is_told_beside_the_childs_code() {
    let engine = engine_or_skip!();
    // As a build tool does when its compiler was killed.
    let script = format!("sh -c '{GROW}'; echo \"ended with $?\"; exit 2");
    let (pod, entry, code) = ended(&engine, USER, &script);
    assert_eq!(code, 2);
    assert_eq!(entry.report()["reason"], "exited");
    let (cause, of_entry) = why(&pod);
    assert_eq!(cause, "exited with code 2; the kernel killed a process of this container for lack of memory");
    assert_eq!((&of_entry["reason"], &of_entry["code"]), (&json!("exited"), &json!("2")));
    assert!(pod.delivered("build-log.txt").contains("ended with 137"), "{}", pod.delivered("build-log.txt"));
}

#[test]
fn entrypoint_killed_by_oom_is_a_lost_entry() {
    let engine = engine_or_skip!();
    // As with `memory.oom.group`, which the kubelet sets: nothing is left in the
    // container. The kernel's choice is entrypoint, with which all others end: it
    // counts as if it had all the memory there is, and the ballast is nobody's. Nobody
    // but root can say so of entrypoint, which is not dumpable.
    let script = format!(
        "echo 1000 >/proc/1/oom_score_adj && dd if=/dev/zero of=/ballast/x bs=1048576 count=24 2>/ballast/log && \
         echo growing && {{ {GROW}; }}"
    );
    let (pod, entry, code) = ended(&engine, "--user=0:0", &script);
    assert_eq!(code, 137);
    assert_eq!(entry.code(), None, "nobody was there to leave a marker");
    assert!(entry.marker.with_file_name("test-marker.txt.lock").exists(), "its lock is free");
    let (cause, of_entry) = why(&pod);
    assert_eq!(cause, "entrypoint was killed and left no result; the pod's status says why");
    assert_eq!(of_entry["reason"], "lost");
    assert_eq!(pod.delivered("build-log.txt"), "growing\n");
}
