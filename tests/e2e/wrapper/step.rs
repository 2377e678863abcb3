//! Pins: V-WP-1 to 14, V-WU-4, W-29, W-42, W-50, W-52, W-54, W-65, W-73.
//!
//! entrypoint-wrapper around a step, without an API server: the vectors of
//! contract 10.7, and what pods do to a step.

use crate::wrapper::step_pod::{StepPod, TEST0, is_root, names, path_variable, printed};
use common::signal::Signal;
use harness::{skip, wait};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

/// A user and group without an entry in any passwd or group file.
const NOBODY_KNOWN: u32 = 1_000_760_000;

#[track_caller]
fn prints(pod: &StepPod, args: &[&str], expected: &str) {
    let ended = pod.dry_run(args);
    ended.expect_code(0);
    assert_eq!(ended.stdout, format!("{expected}\n{}", printed(&[TEST0])), "{ended:#?}");
    assert_eq!(ended.stderr, "");
}

#[test]
fn temporary_directory_is_created() {
    let pod = StepPod::new();
    pod.dry_run(&["true"]).expect_code(0);
    assert!(pod.path("tmp").is_dir());
}

#[test]
fn shared_dir_is_secret_in_the_temporary_directory() {
    let pod = StepPod::new();
    let secret = pod.path("tmp/secret").display().to_string();
    prints(&pod, &["sh", "-c", "echo $SHARED_DIR"], &secret);
    prints(&pod, &["stat", "-c", "%a", &secret], "700");
}

#[test]
fn cli_dir_is_appended_to_path() {
    let pod = StepPod::new();
    prints(&pod, &["sh", "-c", "echo $PATH"], &format!("{}:/cli-dir", path_variable()));
}

#[test]
fn empty_cli_dir_adds_nothing() {
    let pod = StepPod::new();
    let mut command = pod.command(["--dry-run", "sh", "-c", "echo $PATH"]);
    command.env("CLI_DIR", "");
    let ended = pod.run(command);
    assert_eq!(ended.stdout.lines().next(), Some(path_variable().as_str()));
}

#[test]
fn shared_dir_as_kubernetes_mounts_it_is_copied() {
    let pod = StepPod::new();
    let shared = pod.path("shared");
    let real = shared.join("..2020_03_09_17_18_45.291041453");
    fs::create_dir(&real).expect("made");
    fs::rename(shared.join("test0.txt"), real.join("test0.txt")).expect("moved");
    symlink("..2020_03_09_17_18_45.291041453", shared.join("..data")).expect("linked");
    symlink("..data/test0.txt", shared.join("test0.txt")).expect("linked");
    // The files are there as long as the command runs.
    prints(
        &pod,
        &["sh", "-c", "ls -A $SHARED_DIR | tr '\\n' ' '; cat $SHARED_DIR/test0.txt"],
        "test0.txt test0",
    );
}

#[test]
fn missing_home_becomes_alabama_and_the_rest_stays() {
    let pod = StepPod::new();
    let mut command = pod.command(["--dry-run", "sh", "-c", "echo $HOME $WHOA"]);
    command.env_remove("HOME").env("WHOA", "yes");
    let ended = pod.run(command);
    ended.expect_code(0);
    assert_eq!(ended.stdout, format!("/alabama yes\n{}", printed(&[TEST0])));
}

#[test]
fn missing_git_configuration_is_created() {
    let pod = StepPod::new();
    let git = ["git", "config", "--get-all", "safe.directory"];
    prints(&pod, &git, "*");
    assert_eq!(fs::read_to_string(pod.path("home/.gitconfig")).expect("made"), "[safe]\n    directory = *\n");
    fs::write(pod.path("home/.gitconfig"), "[safe]\n    directory = test\n").expect("written");
    prints(&pod, &git, "test");
}

#[test]
fn kubeconfig_is_a_private_copy_and_the_rest_stays() {
    let pod = StepPod::new();
    for (content, copied) in [(None, "no"), (Some("original"), "original")] {
        if let Some(content) = content {
            fs::write(pod.path("a"), content).expect("written");
        }
        let script = r#"echo "$KUBECONFIG" $WHOA; if [ -f "$KUBECONFIG" ]; then cat "$KUBECONFIG"; else echo -n no; fi
            echo private >"$KUBECONFIG""#;
        let mut command = pod.command(["--dry-run", "sh", "-c", script]);
        command.env("KUBECONFIG", "a").env("WHOA", "yes").current_dir(pod.path(""));
        let ended = pod.run(command);
        ended.expect_code(0);
        let (path, rest) = ended.stdout.split_once(" yes\n").expect("both variables");
        assert!(path.starts_with(&pod.path("tmp/kubeconfig-").display().to_string()), "{ended:?}");
        assert_eq!(rest, format!("{copied}{}", printed(&[TEST0])));
    }
    assert_eq!(fs::read_to_string(pod.path("a")).expect("there"), "original");
}

#[test]
fn late_kubeconfig_is_copied_once() {
    let pod = StepPod::new();
    let script = r#"echo ready; until [ -f "$KUBECONFIG" ]; do sleep 0.02; done; cat "$KUBECONFIG"; stat -c %a "$KUBECONFIG"
        echo newer >"$ORIGINAL"; sleep 2.5; cat "$KUBECONFIG""#;
    let mut command = pod.command(["--dry-run", "bash", "-c", script]);
    command.env("KUBECONFIG", pod.path("original")).env("ORIGINAL", pod.path("original"));
    let mut running = pod.start(&mut command);
    running.until_stdout("ready");
    fs::write(pod.path("part"), r#"{"kind": "Config"}"#).expect("written");
    fs::rename(pod.path("part"), pod.path("original")).expect("renamed");
    let ended = pod.ended(running);
    ended.expect_code(0);
    let copy = r#"{"kind": "Config"}"#;
    assert_eq!(ended.stdout, format!("ready\n{copy}600\n{copy}{}", printed(&[TEST0])));
}

#[test]
fn files_written_by_a_clean_up_are_shared() {
    let pod = StepPod::new();
    // When a signal comes while bash starts a command, bash may wait for its end: only short ones.
    let script = "trap 'echo cleanup >$SHARED_DIR/file' EXIT; echo ready >&2; while :; do sleep 0.05; done";
    let mut running = pod.start(&mut pod.command(["--dry-run", "bash", "-c", script]));
    running.until_stderr("ready");
    running.signal(Signal::TERM);
    let ended = pod.ended(running);
    ended.expect_code(143);
    assert_eq!(ended.stdout, printed(&[("file", "Y2xlYW51cAo="), TEST0]));
}

#[test]
fn secret_is_printed_after_the_command() {
    let pod = StepPod::new();
    let ended = pod.dry_run(&["true"]);
    ended.expect_code(0);
    assert_eq!((ended.stdout, ended.stderr), (printed(&[TEST0]), String::new()));
}

#[test]
fn command_that_dies_of_term_is_143_and_the_secret_is_printed() {
    let pod = StepPod::new();
    let running = pod.start(&mut pod.command(["--dry-run", "sleep", "1d"]));
    wait::until("the command", || {
        pod.tree.members().iter().any(|member| member.command == "sleep 1d").then_some(())
    });
    running.signal(Signal::TERM);
    let ended = pod.ended(running);
    ended.expect_code(143);
    assert_eq!(ended.stdout, printed(&[TEST0]));
    assert_eq!(ended.stderr, "received signal 15, forwarding\nerror: command failed: signal: terminated\n");
}

#[test]
fn wait_for_file_starts_the_command_when_the_file_appears() {
    let pod = StepPod::new();
    fs::create_dir(pod.path("vpn")).expect("made");
    let file = pod.path("vpn/up").display().to_string();
    // However the path is spelled, and with a limit or without one.
    let odd = format!("{}/./../vpn//up", pod.path("vpn").display());
    for (path, limit) in [(&file, Some("--wait-timeout=5s")), (&file, None), (&odd, None)] {
        let _ = fs::remove_file(&file);
        let args =
            ["--dry-run", "--wait-for-file", path].into_iter().chain(limit).chain(["test", "-e", &file]);
        let running = pod.start(&mut pod.command(args));
        std::thread::sleep(Duration::from_millis(100));
        fs::write(&file, "").expect("written");
        let ended = pod.ended(running);
        ended.expect_code(0);
        assert_eq!((ended.stdout, ended.stderr), (printed(&[TEST0]), String::new()));
    }
}

#[test]
fn wait_for_file_timeout_runs_the_command_anyway() {
    let pod = StepPod::new();
    let dir = pod.path("busy");
    fs::create_dir(&dir).expect("made");
    let never = dir.join("never").display().to_string();
    let mut command =
        pod.command(["--dry-run", "--wait-for-file", &never, "--wait-timeout", "1s", "echo", "ran"]);
    let start = Instant::now();
    let mut running = pod.start(&mut command);
    // Unrelated files come and go all the time.
    while !running.has_ended() {
        fs::write(dir.join("other"), "").expect("written");
        fs::remove_file(dir.join("other")).expect("removed");
        std::thread::sleep(Duration::from_millis(20));
        assert!(start.elapsed() < wait::PATIENCE, "it waits for ever: {running:?}");
    }
    let ended = pod.ended(running);
    ended.expect_code(0);
    assert!(ended.took >= Duration::from_secs(1), "{ended:?}");
    assert!(ended.stdout.starts_with("ran\n"), "{ended:?}");
    let line = ended.only_line();
    assert!(line.starts_with("warning: ") && line.contains("1s") && line.contains(&never), "{line}");
}

#[test]
fn wait_for_file_in_a_missing_directory_is_an_error() {
    let pod = StepPod::new();
    let file = pod.path("missing/up").display().to_string();
    let ended = pod.dry_run(&["--wait-for-file", &file, "echo", "ran"]);
    ended.expect_code(1);
    assert!(ended.only_line().contains("missing does not exist"), "{ended:?}");
    assert_eq!(ended.stdout, "");
}

#[test]
fn term_ends_the_wait_before_the_command_starts() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1] {
        let pod = StepPod::new();
        let never = pod.path("never").display().to_string();
        let running = pod.start(&mut pod.command(["--dry-run", "--wait-for-file", &never, "echo", "ran"]));
        wait::until("the copy", || pod.path("tmp/secret/test0.txt").exists().then_some(()));
        running.signal(signal);
        let ended = pod.ended(running);
        ended.expect_code(128 + signal.as_raw());
        assert_eq!(ended.stdout, "");
        assert!(ended.only_line().contains("the command is not started"), "{ended:?}");
    }
}

#[test]
fn term_ends_a_copy_that_takes_long() {
    let pod = StepPod::new();
    // Sparse, so that it costs the test nothing until it is copied.
    let huge = fs::File::create(pod.path("shared/huge")).expect("made");
    huge.set_len(1 << 40).expect("grown");
    let running = pod.start(&mut pod.command(["--dry-run", "echo", "ran"]));
    wait::until("the copy", || {
        let size = fs::metadata(pod.path("tmp/secret/huge")).map_or(0, |found| found.len());
        (size > 0).then_some(())
    });
    running.signal(Signal::TERM);
    let ended = pod.ended(running);
    ended.expect_code(143);
    assert_eq!(ended.stdout, "");
}

#[test]
fn dangling_links_are_named_and_a_missing_directory_is_an_error() {
    let pod = StepPod::new();
    symlink("nowhere", pod.path("shared/dangling")).expect("linked");
    let ended = pod.dry_run(&["true"]);
    ended.expect_code(0);
    assert_eq!(ended.stdout, printed(&[TEST0]));
    let line = ended.only_line();
    assert!(line.starts_with("warning: ") && line.contains("shared/dangling"), "{line}");

    fs::remove_dir_all(pod.path("shared")).expect("removed");
    let ended = pod.dry_run(&["echo", "ran"]);
    ended.expect_code(1);
    assert!(ended.only_line().starts_with("error: cannot read SHARED_DIR"), "{ended:?}");
    assert_eq!(ended.stdout, "");
}

#[test]
fn arbitrary_user_without_home_and_with_an_unreadable_file_runs() {
    if !is_root() {
        skip!("only root can become another user");
    }
    let pod = StepPod::new();
    fs::write(pod.path("shared/unreadable"), "x").expect("written");
    fs::set_permissions(pod.path("shared/unreadable"), fs::Permissions::from_mode(0o600)).expect("set");
    let script = "id -u; echo $HOME; echo new >$SHARED_DIR/new; stat -c %u:%a $SHARED_DIR";
    let mut command = pod.command(["--dry-run", "sh", "-c", script]);
    command.env_remove("HOME").uid(NOBODY_KNOWN).gid(0);
    let ended = pod.run(command);
    ended.expect_code(0);
    let said = format!("{NOBODY_KNOWN}\n/alabama\n{NOBODY_KNOWN}:700\n");
    assert_eq!(ended.stdout, format!("{said}{}", printed(&[("new", "bmV3Cg=="), TEST0])));
    assert!(ended.only_line().contains("shared/unreadable"), "{ended:?}");
}

#[test]
fn unwritable_home_is_replaced() {
    if !is_root() {
        skip!("root can write everywhere, and only root can become another user");
    }
    let pod = StepPod::new();
    fs::set_permissions(pod.path("home"), fs::Permissions::from_mode(0o555)).expect("set");
    for home in [pod.path("home"), pod.path("missing"), "".into()] {
        let mut command = pod.command(["--dry-run", "sh", "-c", "echo $HOME"]);
        command.env("HOME", home).uid(NOBODY_KNOWN).gid(NOBODY_KNOWN);
        let ended = pod.run(command);
        ended.expect_code(0);
        assert_eq!(ended.stdout.lines().next(), Some("/alabama"));
    }
    assert_eq!(names(&pod.path("home")), [""; 0]);
}
