//! Pins: I1; entrypoint/README.md, "Limits".
//!
//! entrypoint where something is refused or short: modes, file sizes, descriptors; and
//! what its own job must not do to it.

use super::hostile_env::{copy_program, opened_again, with_foreign_stdout};
use harness::pod::Pod;
use harness::{bins, process, refused, skip, wait};
use rustix::process::Pid;
use serde_json::json;
use std::path::Path;
use std::process::Command;

#[test]
fn refused_chmod_is_a_warning_and_the_job_runs() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let job = "touch made; chmod 600 made 2>&1; exit 7";
    let options = json!({"supervision": {"leftovers": "keep"}});
    let command = pod.entrypoint_command(&entry, &["sh", "-c", job], options);
    let Some(mut command) = refused::without("chmod", &command) else {
        skip!("Python cannot set a seccomp filter here");
    };
    let ended = process::run(pod.tree(), command.current_dir(pod.path("")));
    ended.expect_code(7);
    assert!(entry.log_text().contains("not permitted"), "the filter works: {}", entry.log_text());
    assert!(ended.stderr.contains("Modes cannot be set beside marker_file"), "{ended:#?}");
    assert_eq!(entry.code().as_deref(), Some("7"));
    assert_eq!(entry.report()["reason"], "exited");
    let temporary = std::fs::read_dir(pod.logs()).expect("done").flatten();
    let temporary = temporary.filter(|file| file.file_name().to_string_lossy().ends_with(".tmp"));
    assert_eq!(temporary.count(), 0, "nothing is left beside the result");
}

#[test]
fn refused_chmod_leaves_a_copy_that_can_be_executed() {
    let pod = Pod::new();
    let copy = pod.path("tools/entrypoint");
    let copied = |umask: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {umask} && exec \"$@\""), "sh"]).arg(bins::program("entrypoint"));
        command.arg("--copy-mode-only").arg(format!("--copy-destination={}", copy.display()));
        Some(process::run(pod.tree(), &mut refused::without("chmod", &command)?))
    };
    let Some(ended) = copied("077") else {
        skip!("Python cannot set a seccomp filter here");
    };
    ended.expect_code(0);
    let warnings = ended.stderr.lines().filter(|line| line.contains("Its mode cannot be set")).count();
    assert_eq!(warnings, 1, "{ended:#?}");
    let started = process::run(pod.tree(), Command::new(&copy).arg("--version"));
    started.expect_code(0);
    std::fs::remove_file(&copy).expect("removed");
    // Nobody could execute this one.
    copied("0133").expect("a filter").expect_code(1);
    assert_eq!(std::fs::read_dir(pod.path("tools")).expect("made").count(), 0);
}

/// Runs a job under a limit of the shell.
fn under(limit: &str, job: &str) -> (Pod, process::Ended) {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let command = pod.entrypoint_command(&entry, &["bash", "-c", job], json!({}));
    let limited = format!("{limit} && exec \"$0\" \"$@\"");
    let ended = process::run(pod.tree(), &mut refused::behind("bash", &["-c", &limited], &command));
    (pod, ended)
}

#[test]
fn file_size_limit_below_the_reservation_still_runs_the_job() {
    // In KiB: the report's space is larger, the marker's is not.
    for limit in ["ulimit -f 8", "ulimit -f 2"] {
        let (pod, ended) = under(limit, "echo output; exit 7");
        ended.expect_code(7);
        let entry = pod.entry("test");
        assert_eq!(entry.code().as_deref(), Some("7"), "{limit}");
        assert_eq!(entry.report()["reason"], "exited", "{limit}");
    }
}

#[test]
fn six_descriptors_still_run_the_job_which_gets_the_same_limit() {
    let (pod, ended) = under("ulimit -Sn 6", "ulimit -Sn; exit 7");
    ended.expect_code(7);
    let entry = pod.entry("test");
    assert_eq!(entry.log_lines().first().map(String::as_str), Some("6"), "{ended:#?}");
    assert_eq!(entry.report()["reason"], "exited");
}

#[test]
fn nine_descriptors_as_hard_limit_still_run_the_job() {
    let (pod, ended) = under("ulimit -n 9", "exit 7");
    ended.expect_code(7);
    assert_eq!(pod.entry("test").report()["reason"], "exited");
}

#[test]
fn job_of_the_same_user_cannot_look_into_entrypoint() {
    // The same check as for ptrace.
    let job = "cat /proc/$PPID/environ; cat /proc/self/environ >/dev/null && echo own";
    let Some((_pod, entry, running, _reader)) = with_foreign_stdout(&["sh", "-c", job]) else {
        skip!("another user cannot be taken on here");
    };
    running.wait().expect_code(0);
    let text = entry.log_text();
    assert!(text.contains("Permission denied") && text.contains("own"), "{text}");
    assert!(!text.contains("ENTRYPOINT_OPTIONS"), "{text}");
}

#[test]
fn own_stdout_still_opens_again_without_root() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    for dir in [pod.path(""), pod.logs()] {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(dir, all).expect("done");
    }
    let program = pod.path("entrypoint");
    copy_program(&bins::program("entrypoint"), &program);
    let options = json!({"artifact_dir": ""});
    let job = "echo ready; until [ -e seen ]; do sleep 0.01; done";
    let options = pod.entrypoint_options(&entry, &["sh", "-c", job], options).to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", "\"$0\" | cat"]);
    command.arg(&program).env("ENTRYPOINT_OPTIONS", options).current_dir(pod.path(""));
    let mut running = process::start(pod.tree(), &mut command);
    if wait::within(wait::PATIENCE, || {
        (running.has_ended() || entry.log_text().contains("ready")).then_some(())
    })
    .is_some()
        && running.has_ended()
    {
        skip!("another user cannot be taken on here: {}", running.stderr());
    }
    let is_entrypoint = |pid: &i32| {
        std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == Path::new(&program))
    };
    let pid = pod.tree().members().iter().map(|member| member.pid).find(is_entrypoint).expect("entrypoint");
    let pid = Pid::from_raw(pid).expect("a process");
    wait::until("a description of its own", || opened_again(pid).then_some(()));
    std::fs::write(pod.path("seen"), "").expect("done");
    running.wait().expect_code(0);
}
