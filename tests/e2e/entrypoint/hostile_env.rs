//! Pins: I1, I2, I3.
//!
//! entrypoint where the surroundings are odd: a clock that jumps, a program with
//! another user's rights, a stdout that belongs to somebody else.

use crate::entrypoint::process_tree::{Case, Place, namespaces};
use common::lock::{EntryMonitor, EntryStatus};
use common::signal::Signal;
use harness::pod::{Entry, Pod};
use harness::process::{self, Running};
use harness::{bins, skip, wait};
use rustix::process::Pid;
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

/// Somebody who owns nothing.
const NOBODY: u32 = 65_534;

/// A libc in front of libc: the wall clock jumps by years, to and fro and each
/// time further, whenever it is read.
const JUMPING_CLOCK: &str = "
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int reads;
    int result = syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME) { reads++; time->tv_sec += (reads % 2 ? reads : -reads) * 31536000L; }
    return result;
}
";

#[test]
fn clock_jump_does_not_move_a_timeout() {
    if std::env::var_os("POD_UTILS_BIN_DIR").is_some() {
        skip!("a static program asks no library for the time");
    }
    let pod = Pod::new();
    let (source, library) = (pod.path("clock.c"), pod.path("clock.so"));
    fs::write(&source, JUMPING_CLOCK).expect("written");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(built.is_ok_and(|status| status.success()), "a C compiler is needed to build the programs, too");
    let entry = pod.entry("test");
    let options = json!({"timeout": "700ms", "grace_period": "700ms"});
    let mut command =
        pod.entrypoint_command(&entry, &["env", "-u", "LD_PRELOAD", HOSTILE, "ignore"], options);
    let ended = process::run(pod.tree(), command.env("LD_PRELOAD", &library));
    ended.expect_code(127);
    // Killed after both times, not a year early and not a year late.
    assert!(ended.took >= Duration::from_millis(1400), "{:?}", ended.took);
    assert_eq!(entry.report()["cause"], "timed out after 700ms; did not exit within 700ms; killed");
    let year = |key: &str| entry.report()[key].as_str().map(|time| time[..4].to_owned());
    let interrupted = entry.report()["interrupts"][0]["at"].as_str().map(|time| time[..4].to_owned());
    assert_ne!(year("started"), interrupted, "the clock did jump: {}", entry.report());
}

/// A program that takes another user's rights when it starts, whereupon the
/// kernel forgets its parent-death signal.
fn setuid_program(pod: &Pod) -> Option<String> {
    let program = pod.path("setuid");
    fs::copy(HOSTILE, &program).expect("copied");
    std::os::unix::fs::chown(&program, Some(NOBODY), None).ok()?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("set");
    Some(program.display().to_string())
}

/// Whether a member of the tree runs with the rights of nobody.
fn has_changed(pod: &Pod) -> bool {
    pod.tree().members().iter().any(|member| {
        let status = fs::read_to_string(format!("/proc/{}/status", member.pid)).unwrap_or_default();
        let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        ids.and_then(|ids| ids.split_whitespace().nth(1)) == Some(&NOBODY.to_string())
    })
}

/// The case, when the program really has other rights (a mount may forbid it).
fn with_setuid_child(place: Place, options: Value) -> Option<Case> {
    let pod = Pod::new();
    let program = setuid_program(&pod)?;
    let case = Case::start_in(pod, place, &[&program, "ignore"], |_| options);
    case.entry.until_log("ready");
    has_changed(&case.pod).then_some(case)
}

#[test]
fn setuid_child_is_ended_like_any_other() {
    let options = json!({"grace_period": "300ms"});
    let Some(case) = with_setuid_child(Place::Plain, options) else {
        skip!("a program cannot have another user's rights here");
    };
    case.signal(Signal::TERM);
    case.end(130);
}

#[test]
fn setuid_child_that_outlives_entrypoint_does_not_hold_the_lock() {
    let Some(case) = with_setuid_child(Place::Plain, json!({})) else {
        skip!("a program cannot have another user's rights here");
    };
    let mut watch = EntryMonitor::new(&case.entry.marker);
    watch.poll();
    case.running.signal(Signal::KILL);
    wait::until("the lost entry", || (watch.poll() == EntryStatus::Lost).then_some(()));
    assert!(has_changed(&case.pod), "the kernel took its parent-death signal away");
}

#[test]
fn setuid_child_dies_with_pid_1() {
    if !namespaces() {
        skip!("a pid namespace is not permitted here");
    }
    let Some(case) = with_setuid_child(Place::Pid1, json!({})) else {
        skip!("a program cannot have another user's rights here");
    };
    case.signal(Signal::KILL);
    case.running.wait();
    assert_eq!(case.pod.tree().members(), []);
}

/// Copies a program by another process: a descriptor of ours that is open for writing
/// could be inherited by what another thread starts just then, and nobody can run a
/// program that is open for writing.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "{} is copied", from.display());
}

/// An entrypoint of nobody's, whose stdout is a pipe of ours: it may not be
/// opened again through /proc. `None` where we are nobody ourselves.
pub(crate) fn with_foreign_stdout(args: &[&str]) -> Option<(Pod, Entry, Running, std::io::PipeReader)> {
    let pod = Pod::new();
    let entry = pod.entry("test");
    for dir in [pod.path(""), pod.logs()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).expect("set");
    }
    let program = pod.path("entrypoint");
    copy_program(&bins::program("entrypoint"), &program);
    let hostile = pod.path("hostile");
    copy_program(HOSTILE.as_ref(), &hostile);
    let hostile = hostile.display().to_string();
    let args: Vec<_> =
        args.iter().map(|word| if *word == HOSTILE { hostile.as_str() } else { word }).collect();
    let as_nobody = |command: &mut Command| {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    };
    let mut probe = Command::new("setpriv");
    as_nobody(&mut probe);
    if !probe.arg("true").output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = Command::new("setpriv");
    as_nobody(&mut command);
    let options = pod.entrypoint_options(&entry, &args, json!({"artifact_dir": ""}));
    command.arg(&program).env("ENTRYPOINT_OPTIONS", options.to_string());
    let running = process::start_with(pod.tree(), &mut command, Stdio::from(writer), Stdio::piped());
    Some((pod, entry, running, reader))
}

/// Whether entrypoint writes to a description of its own.
pub(crate) fn opened_again(pid: Pid) -> bool {
    let fds = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).into_iter().flatten().flatten();
    let stdout = fs::read_link(format!("/proc/{}/fd/1", pid.as_raw_nonzero())).expect("its stdout");
    fds.filter(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == stdout)).count() > 1
}

#[test]
fn stdout_that_cannot_be_reopened_gives_a_slow_reader_everything() {
    // A pipe may hold all of it: the job stays until it has been looked at.
    let script = "\"$0\" flood 1000000; until [ -e \"$0.seen\" ]; do sleep 0.01; done";
    let Some((pod, entry, running, mut reader)) = with_foreign_stdout(&["sh", "-c", script, HOSTILE]) else {
        skip!("another user cannot be taken on here");
    };
    wait::until("a full pipe", || (!entry.log_text().is_empty()).then_some(()));
    assert!(!opened_again(running.pid()));
    fs::write(pod.path("hostile.seen"), "").expect("written");
    let (mut total, mut buffer) = (0, vec![0; 20_000]);
    loop {
        match reader.read(&mut buffer).expect("read") {
            0 => break,
            count => total += count,
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    running.wait().expect_code(0);
    assert_eq!(total, 1_000_000);
    assert_eq!(entry.log_text().len(), 1_000_000);
    assert_eq!(entry.report()["output"]["live_dropped_bytes"], 0, "{}", entry.report());
}

#[test]
fn stdout_that_cannot_be_reopened_and_is_never_read_stops_nothing() {
    let Some((_pod, entry, running, reader)) = with_foreign_stdout(&[HOSTILE, "flood", "2000000"]) else {
        skip!("another user cannot be taken on here");
    };
    running.wait().expect_code(0);
    assert_eq!(entry.log_text().len(), 2_000_000);
    let output = &entry.report()["output"];
    assert_eq!(output["dropped_bytes"], 0, "{output}");
    assert!(output["live_dropped_bytes"].as_u64().is_some_and(|dropped| dropped > 0), "{output}");
    drop(reader);
}

#[test]
fn output_after_the_log_is_closed_is_not_pumped() {
    // A daemon that is to be kept writes on and on while the marker cannot be written.
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::create_dir(pod.path("markers")).expect("made");
    let script = "(while [ -e logs ]; do echo noise; sleep 0.01; done) & \
                  sleep 0.1; rm -r markers; echo in the way > markers; exit 3";
    let options = json!({
        "marker_file": pod.path("markers/marker"), "grace_period": "60s",
        "supervision": {"leftovers": "keep"},
    });
    let mut command = pod.entrypoint_command(&entry, &["sh", "-c", script], options);
    let running = process::start(pod.tree(), command.current_dir(pod.path("")));
    wait::until("the first try", || {
        running.stdout().contains("Error writing exit code to marker file").then_some(())
    });
    let before = entry.log_text();
    fs::remove_file(pod.path("markers")).expect("removed");
    running.wait().expect_code(3);
    assert_eq!(entry.log_text(), before);
    let report = fs::read_to_string(pod.path("markers/marker.report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("whole");
    assert_eq!(report["output"]["log_bytes"], before.len(), "{report}");
}
