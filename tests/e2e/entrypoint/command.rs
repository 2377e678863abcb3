//! Pins: I3; entrypoint/README.md.
//!
//! entrypoint and its child: arguments, environment, files.

use common::marker;
use harness::bins;
use harness::pod::{Entry, Pod};
use harness::process::{self, Ended};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

/// Runs one entry to its end; exit status and marker have to agree.
#[track_caller]
pub(crate) fn run(args: &[&str], options: Value, code: i32) -> (Pod, Entry, Ended) {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let ended = pod.entrypoint(&entry, args, options).wait();
    ended.expect_code(code & 0xff);
    assert_eq!(entry.code(), Some(code.to_string()), "{ended:#?}");
    assert_eq!(pod.tree().members(), [], "I3: nobody of the tree is left");
    (pod, entry, ended)
}

/// entrypoint with flags, in the pod's directory.
pub(crate) fn by_hand(pod: &Pod, args: &[&str]) -> Command {
    let mut command = Command::new(bins::program("entrypoint"));
    command.args(args).current_dir(pod.path("")).env_remove("ENTRYPOINT_OPTIONS");
    command
}

#[test]
fn program_found_in_the_current_directory_is_refused() {
    let pod = Pod::new();
    fs::write(pod.path("tool"), "#!/bin/sh\n").expect("written");
    fs::set_permissions(pod.path("tool"), fs::Permissions::from_mode(0o755)).expect("set");
    let entry = pod.entry("test");
    let mut command = pod.entrypoint_command(&entry, &["tool"], json!({}));
    command.env("PATH", "").current_dir(pod.path(""));
    process::run(pod.tree(), &mut command).expect_code(127);
    let mut command = pod.entrypoint_command(&entry, &["tool"], json!({}));
    command.env("PATH", ":/bin").current_dir(pod.path(""));
    process::run(pod.tree(), &mut command).expect_code(127);
    let reason = r#"exec: "tool": cannot run executable found relative to current directory"#;
    assert_eq!(entry.log_text(), format!("could not start the process: {reason}"));
}

#[test]
fn empty_arguments_reach_the_child() {
    let (_pod, entry, _) = run(&["printf", "%s|", "", "a", ""], json!({}), 0);
    assert_eq!(entry.log_text(), "|a||");
}

#[test]
fn arguments_of_two_mebibytes_are_refused_by_the_kernel_and_said() {
    let pod = Pod::new();
    // Almost what the kernel takes; what entrypoint adds to the environment is too much.
    let word = "x".repeat(120_000);
    let fits = |count: usize| {
        let mut words = vec!["--process-log=log", "--marker-file=marker", "--", "/bin/true"];
        words.extend(std::iter::repeat_n(word.as_str(), count));
        let mut command = by_hand(&pod, &words);
        command.env_clear().stdout(std::process::Stdio::null());
        command.spawn().map(|child| child.wait_with_output().expect("ended"))
    };
    let started = (1..40).rev().find_map(|count| fits(count).ok());
    let status = started.expect("one of them fits").status.code();
    assert!(status == Some(0) || status == Some(127), "{status:?}");
    if status == Some(127) {
        let log = fs::read_to_string(pod.path("log")).expect("a log");
        assert!(log.ends_with("argument list too long"), "{log}");
    }
}

#[test]
fn child_is_told_timeout_and_grace_period() {
    let script = "echo $ENTRYPOINT_TIMEOUT $ENTRYPOINT_GRACE_PERIOD";
    let (_pod, entry, _) = run(&["sh", "-c", script], json!({}), 0);
    assert_eq!(entry.log_text(), "7200 15\n");
    let (_pod, entry, _) = run(&["sh", "-c", script], json!({"timeout": "90s", "grace_period": "1.5s"}), 0);
    assert_eq!(entry.log_text(), "90 1.5\n");
}

#[test]
fn announced_grace_period_is_used_less_a_margin() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    for (given, expected) in [(json!({}), "27"), (json!({"grace_period": "5s"}), "5")] {
        let mut command =
            pod.entrypoint_command(&entry, &["sh", "-c", "echo $ENTRYPOINT_GRACE_PERIOD"], given);
        command.env("BUILDKITE_CANCEL_GRACE_PERIOD", "30");
        let ended = process::run(pod.tree(), &mut command);
        ended.expect_code(0);
        assert_eq!(entry.log_text(), format!("{expected}\n"));
        assert!(ended.stderr.contains("BUILDKITE_CANCEL_GRACE_PERIOD"), "{ended:#?}");
    }
}

#[test]
fn child_has_an_own_session_a_clean_signal_mask_and_no_input() {
    let script = r"
        read -r pid name state ppid pgrp session rest < /proc/self/stat
        [ $$ = $pgrp ] && [ $$ = $session ] && echo 'own session'
        grep -E '^Sig(Blk|Ign)' /proc/self/status
        readlink /proc/self/fd/0
        ls -l /proc/self/fd";
    let (pod, entry, _) = run(&["dash", "-c", script], json!({}), 0);
    let lines = entry.log_lines();
    let none = "0000000000000000";
    let expected = ["own session", &format!("SigBlk:\t{none}"), &format!("SigIgn:\t{none}"), "/dev/null"];
    assert_eq!(lines[..4], expected);
    let open = lines[4..].join("\n");
    for ours in [pod.path("").display().to_string().as_str(), "signalfd", "inotify"] {
        assert!(!open.contains(ours), "{ours} is inherited: {open}");
    }
}

#[test]
fn files_are_readable_by_others_whatever_the_umask() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let own = bins::program("entrypoint");
    let options = pod.entrypoint_options(&entry, &["echo", "x"], json!({})).to_string();
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$0\""]).arg(own).env("ENTRYPOINT_OPTIONS", options);
    process::run(pod.tree(), &mut command).expect_code(0);
    for path in [
        entry.log.clone(),
        entry.marker.clone(),
        marker::lock_path(&entry.marker),
        marker::report_path(&entry.marker),
    ] {
        let mode = path.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o444, 0o444, "{}", path.display());
    }
    assert_eq!(fs::read(&entry.marker).expect("read"), b"0");
}

#[test]
fn stale_files_are_removed_before_the_child_starts() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::write(&entry.marker, "0").expect("written");
    fs::write(marker::report_path(&entry.marker), "{}").expect("written");
    fs::write(&entry.log, "old output").expect("written");
    let script = format!("ls {}; exit 4", pod.logs().display());
    pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(4);
    let names = entry.log_text();
    assert!(!names.lines().any(|name| name == "test-marker.txt"), "{names}");
    assert!(!names.contains("old output"), "{names}");
    assert_eq!(entry.code().as_deref(), Some("4"));
}

#[test]
fn volume_holds_exactly_the_five_files_at_the_end() {
    let (pod, _entry, _) = run(&["true"], json!({}), 0);
    let names = ["test-log.txt", "test-marker.txt", "test-marker.txt.lock", "test-marker.txt.report.json"];
    assert_eq!(harness::pod::files_below(&pod.logs()), names);
    assert!(pod.artifacts().is_dir());
}

#[test]
fn report_counts_and_checksum_match_the_log() {
    let (_pod, entry, ended) = run(&[HOSTILE, "flood", "3000001"], json!({}), 0);
    let log = fs::read(&entry.log).expect("readable");
    let report = entry.report();
    assert_eq!(report["output"]["child_bytes"], 3_000_001);
    assert_eq!(report["output"]["log_bytes"], log.len());
    assert_eq!(report["output"]["dropped_bytes"], 0);
    assert_eq!(report["output"]["log_crc32c"], format!("{:08x}", crc32c(&log)));
    assert_eq!(ended.stdout.len(), 3_000_001);
}

/// CRC32C bit by bit, as RFC 3720 defines it.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 }
            },
        )
    })
}
