//! entrypoint by itself: the contract's vectors (10.1), its command line, its
//! files.

use common::marker;
use common::signal::Signal;
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
fn v_ep_1_success() {
    let (_pod, entry, ended) = run(&["sh", "-c", "exit 0"], json!({}), 0);
    assert_eq!((entry.log_text(), ended.stdout), (String::new(), String::new()));
    assert_eq!(entry.report()["reason"], "exited");
}

#[test]
fn v_ep_2_output_goes_to_the_log_and_to_stdout() {
    let (_pod, entry, ended) = run(&["echo", "test"], json!({}), 0);
    assert_eq!((entry.log_text().as_str(), ended.stdout.as_str()), ("test\n", "test\n"));
}

#[test]
fn v_ep_3_the_childs_code() {
    let (_pod, entry, ended) = run(&["sh", "-c", "exit 12"], json!({}), 12);
    assert_eq!(entry.log_text(), "");
    assert!(ended.stdout.contains("wrapped process failed: exit status 12"), "{ended:#?}");
}

#[test]
fn v_ep_4_timeout() {
    let (_pod, entry, _) = run(&["sleep", "10"], json!({"timeout": "1s", "grace_period": "1s"}), 127);
    assert_eq!(
        entry.log_lines(),
        [
            "error|Process did not finish before 1s timeout",
            "error|Process gracefully exited before 1s grace period",
        ]
    );
    assert_eq!(entry.report()["child"], json!({"signal": "SIGINT"}));
}

#[test]
fn v_ep_5_the_environment_is_inherited() {
    let (_pod, entry, _) = run(&["sh", "-c", "echo $PATH"], json!({}), 0);
    assert_eq!(entry.log_text(), format!("{}\n", std::env::var("PATH").unwrap_or_default()));
}

#[test]
fn v_ep_6_always_zero() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    pod.entrypoint(&entry, &["sh", "-c", "exit 7"], json!({"always_zero": true})).wait().expect_code(0);
    assert_eq!(entry.code().as_deref(), Some("7"));
}

#[test]
fn v_ep_7_a_failed_predecessor() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::write(pod.path("previous"), "9").expect("written");
    let options = json!({"previous_marker": pod.path("previous")});
    pod.entrypoint(&entry, &["echo", "test"], options).wait().expect_code(106);
    assert_eq!(entry.code().as_deref(), Some("1130"));
    assert_eq!(entry.log_lines(), ["info|Skipping as previous step exited 9"]);
    assert_eq!(entry.report()["reason"], "previous_failed");
}

#[test]
fn v_ep_8_a_successful_predecessor() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::write(pod.path("previous"), "0").expect("written");
    let options = json!({"previous_marker": pod.path("previous")});
    pod.entrypoint(&entry, &["sh", "-c", "exit 0"], options).wait().expect_code(0);
    assert_eq!((entry.code().as_deref(), entry.log_text().as_str()), (Some("0"), ""));
}

#[test]
fn v_ep_9_a_script_that_cleans_up() {
    let script = "
        clean_up() { kill $job 2>/dev/null; wait $job; exit 3; }
        trap clean_up INT TERM EXIT
        echo 'process started'
        sleep 9999 & job=$!
        wait";
    let pod = Pod::new();
    let entry = pod.entry("test");
    let running = pod.entrypoint(&entry, &["bash", "-c", script], json!({"propagate_error_code": true}));
    entry.until_log("process started");
    running.signal(Signal::TERM);
    running.wait().expect_code(3);
    assert_eq!(entry.code().as_deref(), Some("3"));
    assert_eq!(
        entry.log_lines(),
        [
            "process started",
            "error|Entrypoint received interrupt: terminated",
            "error|Process gracefully exited before 15s grace period",
        ]
    );
    let report = entry.report();
    assert_eq!(report["reason"], "aborted");
    // What was received, then what the child was sent because of it.
    for (index, signal) in ["SIGTERM", "SIGINT", "SIGTERM"].into_iter().enumerate() {
        assert_eq!(report["interrupts"][index]["signal"], signal, "{report}");
        assert_eq!(report["interrupts"][index]["from"], "outside", "{report}");
    }
    assert_eq!(report["interrupts"][1]["sent_to"], "child", "{report}");
}

#[test]
fn v_ep_10_a_missing_program() {
    let (_pod, entry, ended) = run(&["./this-command-does-not-exist"], json!({}), 127);
    let reason = "could not start the process: fork/exec ./this-command-does-not-exist: \
                  no such file or directory";
    assert_eq!(entry.log_text(), reason);
    assert!(ended.stdout.contains(reason), "{ended:#?}");
    assert_eq!(entry.report()["reason"], "start_failed");
}

#[test]
fn v_cp_1_copy_mode_copies_the_running_program_twice() {
    let pod = Pod::new();
    let copy = pod.path("tools/not/yet/there");
    for _ in 0..2 {
        let options = json!({"copy_mode_only": true, "copy_dst": copy});
        let mut command = Command::new(bins::program("entrypoint"));
        command.env("ENTRYPOINT_OPTIONS", options.to_string());
        let ended = process::run(pod.tree(), &mut command);
        ended.expect_code(0);
        assert!(ended.only_line().contains(r#""msg":"src is "#), "{ended:#?}");
        let original = fs::read(bins::program("entrypoint")).expect("readable");
        assert_eq!(fs::read(&copy).expect("copied"), original);
        assert_eq!(copy.metadata().expect("there").permissions().mode() & 0o111, 0o111);
    }
    assert_eq!(harness::pod::files_below(&pod.path("tools")), ["not/yet/there"]);
    // The mode goes along, whatever the umask.
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o757)).expect("set");
    let mut command = Command::new(&copy);
    let again = pod.path("tools/again");
    let options = json!({"copy_mode_only": true, "copy_dst": again}).to_string();
    process::run(pod.tree(), command.env("ENTRYPOINT_OPTIONS", options)).expect_code(0);
    assert_eq!(again.metadata().expect("there").permissions().mode() & 0o777, 0o757);
    process::run(pod.tree(), Command::new(&copy).arg("--help")).expect_code(0);
}

#[test]
fn e_6_copy_mode_needs_a_destination() {
    let pod = Pod::new();
    let mut command = Command::new(bins::program("entrypoint"));
    command.env("ENTRYPOINT_OPTIONS", r#"{"copy_mode_only":true}"#);
    process::run(pod.tree(), &mut command).expect_code(1);
    let destination = pod.path("file/below");
    fs::write(pod.path("file"), "").expect("written");
    let mut command =
        by_hand(&pod, &["--copy-mode-only", &format!("--copy-destination={}", destination.display())]);
    let ended = process::run(pod.tree(), &mut command);
    ended.expect_code(1);
    assert!(ended.stderr.contains(r#""level":"fatal""#), "{ended:#?}");
}

/// What could not be started, and the words for it.
#[test]
fn e_26_reasons_are_upstreams_words() {
    let pod = Pod::new();
    let file = |name: &str, text: &str, mode: u32| {
        let path = pod.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        path.display().to_string()
    };
    let dir = pod.path("").display().to_string();
    let foreign = file("foreign", "\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0", 0o755);
    let plain = file("plain", "echo hello", 0o644);
    let no_shebang = file("no-shebang", "echo hello\n", 0o755);
    let no_interpreter = file("no-interpreter", "#!/does/not/exist\n", 0o755);
    let under_file = format!("{plain}/below");
    for (args, reason) in [
        (vec![dir.as_str()], format!("fork/exec {dir}: permission denied")),
        (vec![plain.as_str()], format!("fork/exec {plain}: permission denied")),
        (vec![foreign.as_str()], format!("fork/exec {foreign}: exec format error")),
        (vec![no_shebang.as_str()], format!("fork/exec {no_shebang}: exec format error")),
        (vec![no_interpreter.as_str()], format!("fork/exec {no_interpreter}: no such file or directory")),
        (vec![under_file.as_str()], format!("fork/exec {under_file}: not a directory")),
        (
            vec!["no-such-command"],
            r#"exec: "no-such-command": executable file not found in $PATH"#.to_owned(),
        ),
        (vec![""], "fork/exec : no such file or directory".to_owned()),
    ] {
        let entry = pod.entry("test");
        pod.entrypoint(&entry, &args, json!({})).wait().expect_code(127);
        assert_eq!(entry.log_text(), format!("could not start the process: {reason}"));
        assert_eq!(entry.code().as_deref(), Some("127"));
    }
}

#[test]
fn a_hit_relative_to_the_current_directory_is_refused() {
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
fn two_mebibytes_of_arguments_are_refused_by_the_kernel_and_said() {
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
fn the_child_is_told_its_limits() {
    let script = "echo $ENTRYPOINT_TIMEOUT $ENTRYPOINT_GRACE_PERIOD";
    let (_pod, entry, _) = run(&["sh", "-c", script], json!({}), 0);
    assert_eq!(entry.log_text(), "7200 15\n");
    let (_pod, entry, _) = run(&["sh", "-c", script], json!({"timeout": "90s", "grace_period": "1.5s"}), 0);
    assert_eq!(entry.log_text(), "90 1.5\n");
}

#[test]
fn an_announced_grace_period_is_used_less_a_margin() {
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
fn the_child_has_a_session_a_clean_mask_and_no_input() {
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
fn lock_marker_report_and_log_can_be_read_by_others_whatever_the_umask() {
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
fn stale_files_of_an_earlier_run_are_gone_before_the_child_starts() {
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
fn nothing_but_the_five_files_is_left() {
    let (pod, _entry, _) = run(&["true"], json!({}), 0);
    let names = ["test-log.txt", "test-marker.txt", "test-marker.txt.lock", "test-marker.txt.report.json"];
    assert_eq!(harness::pod::files_below(&pod.logs()), names);
    assert!(pod.artifacts().is_dir());
}

#[test]
fn the_reports_numbers_are_those_of_the_log() {
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
