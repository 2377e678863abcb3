//! Pins: V-EP-1 to 10, V-CP-1, E-6, E-26.
//!
//! The vectors of upstream's entrypoint, with the whole program.

use crate::entrypoint::command::{by_hand, run};
use common::signal::Signal;
use harness::bins;
use harness::pod::Pod;
use harness::process::{self};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn exit_0_writes_marker_0() {
    let (_pod, entry, ended) = run(&["sh", "-c", "exit 0"], json!({}), 0);
    assert_eq!((entry.log_text(), ended.stdout), (String::new(), String::new()));
    assert_eq!(entry.report()["reason"], "exited");
}

#[test]
fn output_goes_to_the_log_and_to_stdout() {
    let (_pod, entry, ended) = run(&["echo", "test"], json!({}), 0);
    assert_eq!((entry.log_text().as_str(), ended.stdout.as_str()), ("test\n", "test\n"));
}

#[test]
fn exit_code_of_the_child_is_marker_and_status() {
    let (_pod, entry, ended) = run(&["sh", "-c", "exit 12"], json!({}), 12);
    assert_eq!(entry.log_lines(), ["error|exited with code 12"]);
    assert!(ended.stdout.contains("wrapped process failed: exit status 12"), "{ended:#?}");
}

#[test]
fn timeout_is_127() {
    let (_pod, entry, _) = run(&["sleep", "10"], json!({"timeout": "1s", "grace_period": "1s"}), 127);
    assert_eq!(
        entry.log_lines(),
        [
            "error|Process did not finish before 1s timeout",
            "error|ERROR: sleep timed out after 1s",
            "error|Process gracefully exited before 1s grace period",
            "error|timed out after 1s; died of SIGINT",
        ]
    );
    assert_eq!(entry.report()["child"], json!({"signal": "SIGINT"}));
}

#[test]
fn environment_is_inherited() {
    let (_pod, entry, _) = run(&["sh", "-c", "echo $PATH"], json!({}), 0);
    assert_eq!(entry.log_text(), format!("{}\n", std::env::var("PATH").unwrap_or_default()));
}

#[test]
fn always_zero_hides_the_childs_code() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    pod.entrypoint(&entry, &["sh", "-c", "exit 7"], json!({"always_zero": true})).wait().expect_code(0);
    assert_eq!(entry.code().as_deref(), Some("7"));
}

#[test]
fn failed_predecessor_stops_the_chain_with_1130() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::write(pod.path("previous"), "9").expect("written");
    let options = json!({"previous_marker": pod.path("previous")});
    pod.entrypoint(&entry, &["echo", "test"], options).wait().expect_code(106);
    assert_eq!(entry.code().as_deref(), Some("1130"));
    assert_eq!(
        entry.log_lines(),
        ["info|Skipping as previous step exited 9", "error|not started because the previous step exited 9"]
    );
    assert_eq!(entry.report()["reason"], "previous_failed");
}

#[test]
fn successful_predecessor_lets_the_child_start() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    fs::write(pod.path("previous"), "0").expect("written");
    let options = json!({"previous_marker": pod.path("previous")});
    pod.entrypoint(&entry, &["sh", "-c", "exit 0"], options).wait().expect_code(0);
    assert_eq!((entry.code().as_deref(), entry.log_text().as_str()), (Some("0"), ""));
}

#[test]
fn clean_up_of_a_script_is_awaited() {
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
            "error|aborted by SIGTERM; exited with code 3",
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
fn missing_program_is_127_and_a_line_in_the_log() {
    let (_pod, entry, ended) = run(&["./this-command-does-not-exist"], json!({}), 127);
    let reason = "could not start the process: fork/exec ./this-command-does-not-exist: \
                  no such file or directory";
    assert_eq!(entry.log_text(), reason);
    assert!(ended.stdout.contains(reason), "{ended:#?}");
    assert_eq!(entry.report()["reason"], "start_failed");
}

#[test]
fn copy_mode_copies_the_running_program_twice() {
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
fn copy_mode_without_a_destination_is_refused() {
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

/// Commands that could not be started, and the words for it.
#[test]
fn start_failure_is_told_in_upstreams_words() {
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
    for (args, reason, hint) in [
        (vec![dir.as_str()], format!("fork/exec {dir}: permission denied"), "it is a directory"),
        (
            vec![plain.as_str()],
            format!("fork/exec {plain}: permission denied"),
            "its mode 0644 does not allow to run it",
        ),
        (
            vec![foreign.as_str()],
            format!("fork/exec {foreign}: exec format error"),
            "it is built for x86, and",
        ),
        (
            vec![no_shebang.as_str()],
            format!("fork/exec {no_shebang}: exec format error"),
            "it is neither a program nor a script that begins with #!",
        ),
        (
            vec![no_interpreter.as_str()],
            format!("fork/exec {no_interpreter}: no such file or directory"),
            "its interpreter /does/not/exist does not exist",
        ),
        (vec![under_file.as_str()], format!("fork/exec {under_file}: not a directory"), ""),
        (
            vec!["no-such-command"],
            r#"exec: "no-such-command": executable file not found in $PATH"#.to_owned(),
            "",
        ),
        (vec![""], "fork/exec : no such file or directory".to_owned(), ""),
    ] {
        let entry = pod.entry("test");
        pod.entrypoint(&entry, &args, json!({})).wait().expect_code(127);
        let said = format!("could not start the process: {reason}");
        let cause = entry.report()["cause"].as_str().unwrap_or_default().to_owned();
        assert_eq!(entry.log_text().lines().next(), Some(said.as_str()));
        if hint.is_empty() {
            assert_eq!((entry.log_text(), cause), (said.clone(), said));
        } else {
            assert!(cause.starts_with(&said) && cause.contains(hint), "{cause}");
            assert_eq!(entry.log_lines()[1..], [format!("error|{cause}")]);
        }
        assert_eq!(entry.code().as_deref(), Some("127"));
    }
}
