//! Pins: W-3, W-4, W-28, W-40, W-82.
//!
//! entrypoint-wrapper around a step in odd surroundings: temporary directories
//! and homes that cannot be used, commands that do not end, missing variables.

use crate::entrypoint::hostile_env::copy_program;
use crate::wrapper::step_pod::{StepPod, TEST0, names, printed};
use common::signal::Signal;
use harness::process::Running;
use harness::{bins, process, refused, skip, wait};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

#[test]
fn temporary_directory_with_hostile_names_works() {
    let pod = StepPod::new();
    let bytes = std::ffi::OsStr::from_bytes(b"no \xff utf-8 temp- \n x").to_owned();
    for (name, expected) in [
        ("relative".into(), "relative/secret\n".into()),
        (pod.path("temp-a/temp-b").into(), format!("{}/secret\n", pod.path("temp-a/temp-b").display())),
        (pod.path("slashes//").into(), format!("{}/secret\n", pod.path("slashes").display())),
        (bytes, "no \u{fffd} utf-8 temp- \n x/secret\n".into()),
    ] {
        let script = r#"echo "$SHARED_DIR"; [ -d "$SHARED_DIR" ] && case "$KUBECONFIG" in "${SHARED_DIR%secret}"kubeconfig-*) [ -f "$KUBECONFIG" ];; *) exit 9;; esac"#;
        let mut command = pod.command(["--dry-run", "sh", "-c", script]);
        fs::write(pod.path("original"), "x").expect("written");
        command.current_dir(pod.path("")).env("TMPDIR", &name).env("KUBECONFIG", pod.path("original"));
        let ended = pod.run(command);
        ended.expect_code(0);
        assert_eq!(ended.stdout, format!("{expected}{}", printed(&[TEST0])));
        assert_eq!(names(&pod.path("").join(&name)), [""; 0], "{name:?}");
    }
    fs::write(pod.path("file"), "").expect("written");
    let mut command = pod.command(["--dry-run", "echo", "ran"]);
    command.env("TMPDIR", pod.path("file"));
    let ended = pod.run(command);
    ended.expect_code(1);
    assert!(ended.only_line().contains("file/secret"), "{ended:?}");
}

/// The wrapper in a mount namespace with a small tmpfs at `at`, or `None` where
/// that is not permitted.
fn with_tmpfs(pod: &StepPod, at: &str, size: &str, args: &[&str]) -> Option<Running> {
    let script =
        r#"mkdir -p "$1" && mount -t tmpfs -o "size=$2" tmpfs "$1" && shift 2 && echo mounted && exec "$@""#;
    let wrapper = pod.command(args);
    let mut command = std::process::Command::new("unshare");
    pod.environment(&mut command);
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(pod.path(at)).arg(size);
    command.arg(wrapper.get_program()).args(wrapper.get_args());
    let mut running = pod.start(&mut command);
    let mounted = wait::within(wait::PATIENCE, || {
        (running.stdout().contains("mounted\n") || running.has_ended()).then_some(())
    });
    (mounted.is_some() && running.stdout().contains("mounted\n")).then_some(running)
}

#[test]
fn full_temporary_directory_is_one_line_before_the_command() {
    let pod = StepPod::new();
    fs::write(pod.path("shared/large"), vec![b'x'; 200_000]).expect("written");
    let Some(running) = with_tmpfs(&pod, "tmp", "64k", &["--dry-run", "echo", "ran"]) else {
        skip!("unshare --mount is not permitted here");
    };
    let ended = running.wait();
    ended.expect_code(1);
    assert_eq!(ended.stdout, "mounted\n");
    let line = ended.only_line();
    assert!(line.contains("tmp/secret/large") && line.contains("No space left"), "{line}");
}

#[test]
fn full_home_is_1_and_the_secret_is_written() {
    let pod = StepPod::new();
    let script = r#"head -c 200000 /dev/zero >"$HOME/filler" 2>/dev/null; exec "$@""#;
    let wrapper = pod.command(["--dry-run", "echo", "ran"]);
    let mut command = std::process::Command::new("unshare");
    pod.environment(&mut command);
    let mount = r#"mount -t tmpfs -o size=64k tmpfs "$HOME" && echo mounted && exec sh -c "$@""#;
    command.args(["--mount", "sh", "-c", mount, "sh", script, "sh"]);
    command.arg(wrapper.get_program()).args(wrapper.get_args());
    let ended = pod.run(command);
    if !ended.stdout.starts_with("mounted") {
        skip!("unshare --mount is not permitted here: {}", ended.stderr.trim());
    }
    ended.expect_code(1);
    assert_eq!(ended.stdout, format!("mounted\n{}", printed(&[TEST0])));
    let line = ended.only_line();
    assert!(line.contains(".gitconfig") && line.contains("No space left"), "{line}");
}

#[test]
fn read_only_home_is_replaced_even_for_root() {
    let pod = StepPod::new();
    let script =
        r#"mount --bind "$HOME" "$HOME" && mount -o remount,ro,bind "$HOME" && echo mounted && exec "$@""#;
    let wrapper = pod.command(["--dry-run", "sh", "-c", "echo $HOME"]);
    let mut command = std::process::Command::new("unshare");
    pod.environment(&mut command);
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(wrapper.get_program()).args(wrapper.get_args());
    let ended = pod.run(command);
    if !ended.stdout.starts_with("mounted") {
        skip!("unshare --mount is not permitted here: {}", ended.stderr.trim());
    }
    ended.expect_code(0);
    assert_eq!(ended.stdout, format!("mounted\n/alabama\n{}", printed(&[TEST0])));
}

#[test]
fn command_that_ignores_term_decides_itself() {
    let pod = StepPod::new();
    let mut running = pod.start(&mut pod.command(["--dry-run", HOSTILE, "signals"]));
    running.until_stdout("ready");
    running.signal(Signal::TERM);
    running.until_stdout("got 15");
    running.signal(Signal::INT);
    running.until_stdout("got 2");
    // USR1 is passed on, too; this command exits with 5 then.
    running.signal(Signal::USR1);
    let ended = pod.ended(running);
    ended.expect_code(5);
    assert!(ended.stdout.ends_with(&printed(&[TEST0])), "{ended:?}");
    assert!(ended.stderr.ends_with("error: command failed: exit status 5\n"), "{ended:?}");
}

#[test]
fn storm_of_signals_is_passed_on_and_changes_nothing() {
    let pod = StepPod::new();
    let mut running = pod.start(&mut pod.command(["--dry-run", HOSTILE, "signals"]));
    running.until_stdout("ready");
    for _ in 0..2000 {
        running.signal(Signal::INT);
        running.signal(Signal::TERM);
    }
    // The kernel merges what is pending, so that only the last one is certain to be seen.
    let last = |running: &Running| running.stderr().lines().count();
    wait::until("the storm to pass", || {
        let before = last(&running);
        std::thread::sleep(Duration::from_millis(200));
        (before == last(&running)).then_some(())
    });
    running.signal(Signal::USR1);
    let ended = pod.ended(running);
    ended.expect_code(5);
    let forwarded = |signal: i32| {
        ended.stderr.lines().filter(|line| *line == format!("received signal {signal}, forwarding")).count()
    };
    let got = |signal: i32| ended.stdout.lines().filter(|line| *line == format!("got {signal}")).count();
    for signal in [2, 15] {
        assert!((1..=forwarded(signal)).contains(&got(signal)), "{signal}: {ended:?}");
        assert!(forwarded(signal) <= 2000, "{signal}: {ended:?}");
    }
    assert!(ended.stdout.ends_with(&printed(&[TEST0])), "{ended:?}");
}

#[test]
fn hup_ends_the_command_too() {
    let pod = StepPod::new();
    let script = "trap 'echo got HUP; exit 4' HUP; echo ready; while :; do sleep 0.02; done";
    let mut running = pod.start(&mut pod.command(["--dry-run", "sh", "-c", script]));
    running.until_stdout("ready");
    running.signal(Signal::HUP);
    let ended = pod.ended(running);
    ended.expect_code(4);
    assert!(ended.stdout.contains("got HUP\n"), "{ended:?}");
}

#[test]
fn earlier_files_in_the_directory_stay() {
    let pod = StepPod::new();
    fs::create_dir_all(pod.path("tmp/secret")).expect("made");
    fs::write(pod.path("tmp/secret/mine"), "mine\n").expect("written");
    let running = pod.start(&mut pod.command(["--dry-run", "sh", "-c", "echo x >$SHARED_DIR/new"]));
    let ended = running.wait();
    ended.expect_code(0);
    assert_eq!(ended.stdout, printed(&[("mine", "bWluZQo="), ("new", "eAo="), TEST0]));
    assert_eq!(names(&pod.path("tmp/secret")), ["mine"]);
}

#[test]
fn refused_chmod_keeps_no_step_from_running() {
    let pod = StepPod::new();
    fs::create_dir_all(pod.path("tmp/secret")).expect("made");
    fs::set_permissions(pod.path("tmp/secret"), fs::Permissions::from_mode(0o755)).expect("set");
    fs::write(pod.path("original"), "x").expect("written");
    let mut command = pod.command(["--dry-run", "cat", "-"]);
    command.env("KUBECONFIG", pod.path("original"));
    let Some(mut command) = refused::without("chmod", &command) else {
        skip!("Python cannot set a seccomp filter here");
    };
    let ended = process::run(&pod.tree, &mut command);
    ended.expect_code(0);
    assert_eq!(ended.stdout, printed(&[TEST0]));
    let line = ended.only_line();
    assert!(line.starts_with("warning: ") && line.contains("tmp/secret keeps mode 755"), "{line}");
}

#[test]
fn refused_chmod_leaves_a_copy_that_can_be_executed() {
    let pod = StepPod::new();
    let copy = pod.path("tools/wrapper");
    let copied = |umask: &str| {
        let to = format!("--copy-destination={}", copy.display());
        let command = pod.command(["--copy-mode-only", to.as_str()]);
        let command =
            refused::behind("sh", &["-c", &format!("umask {umask} && exec \"$0\" \"$@\"")], &command);
        Some(process::run(&pod.tree, &mut refused::without("chmod", &command)?))
    };
    let Some(ended) = copied("077") else {
        skip!("Python cannot set a seccomp filter here");
    };
    ended.expect_code(0);
    assert!(ended.only_line().starts_with("warning: the mode of "), "{ended:#?}");
    process::run(&pod.tree, std::process::Command::new(&copy).arg("--version")).expect_code(0);
    fs::remove_file(&copy).expect("removed");
    // Nobody could execute this one.
    copied("0133").expect("a filter").expect_code(1);
    assert_eq!(names(&pod.path("tools")), [""; 0]);
}

#[test]
fn command_of_the_same_user_cannot_look_into_the_wrapper() {
    let pod = StepPod::new();
    let program = pod.path("wrapper");
    copy_program(&bins::program("entrypoint-wrapper"), &program);
    // The same check as for ptrace, which a limit of the kernel may refuse to all children.
    let script = "for file in environ mem; do (: </proc/$PPID/$file) 2>/dev/null && echo opened $file; done; \
                  cat /proc/self/environ >/dev/null && echo own >/proc/self/fd/1";
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", "\"$0\" \"$@\" | cat"]);
    command.arg(&program).args(["sh", "-c", script]);
    // As a forwarder: a step would write below HOME.
    command.env_remove("SHARED_DIR").env_remove("JOB_NAME_SAFE").current_dir(pod.path(""));
    let probe = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "true"])
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        skip!("another user cannot be taken on here");
    }
    let ended = process::run(&pod.tree, &mut command);
    ended.expect_code(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("own\n", ""));
}

#[test]
fn nested_wrapper_shares_its_files() {
    let pod = StepPod::new();
    let inner = pod.command([""; 0]).get_program().to_owned();
    let inner = inner.to_str().expect("a plain path");
    let ended = pod.dry_run(&[inner, "--dry-run", "sh", "-c", "echo x >$SHARED_DIR/new"]);
    ended.expect_code(0);
    let both = printed(&[("new", "eAo="), TEST0]);
    assert_eq!(ended.stdout, format!("{both}{both}"));
}

#[test]
fn dry_run_prints_early_uploads_too() {
    let pod = StepPod::new();
    let script = r#"echo '{"a": 1}' >$SHARED_DIR/kubeconfig; sleep 2.5; rm $SHARED_DIR/kubeconfig"#;
    let ended = pod.dry_run(&["sh", "-c", script]);
    ended.expect_code(0);
    let early = printed(&[("kubeconfig", "eyJhIjogMX0K"), TEST0]);
    assert_eq!(ended.stdout, format!("{early}{}", printed(&[TEST0])));
}

#[test]
fn cluster_is_needed_only_for_updates() {
    let pod = StepPod::new();
    for (args, code) in [
        (&["sh", "-c", "exit 3"][..], 1),
        (&["--mode=observer", "sh", "-c", "exit 3"], 1),
        (&["--mode=skip-kubeconfig", "sh", "-c", "exit 3"], 3),
        (&["--mode=observer", "--dry-run", "sh", "-c", "exit 3"], 3),
    ] {
        let ended = pod.run(pod.command(args));
        ended.expect_code(code);
        assert_eq!(ended.stdout, "", "{args:?} writes no Secret");
        let expected = if code == 1 {
            "error: KUBERNETES_SERVICE_HOST is not set"
        } else {
            "error: command failed: exit status 3"
        };
        assert!(ended.only_line().starts_with(expected), "{ended:?}");
    }
}

#[test]
fn missing_variable_is_one_line_that_names_it() {
    let pod = StepPod::new();
    for variable in ["SHARED_DIR", "NAMESPACE", "JOB_NAME_SAFE"] {
        for empty in [false, true] {
            let mut command = pod.command(["echo", "ran"]);
            if empty {
                command.env(variable, "");
            } else {
                command.env_remove(variable);
            }
            let ended = pod.run(command);
            ended.expect_code(1);
            assert!(ended.only_line().starts_with(&format!("error: {variable} is ")), "{ended:?}");
            assert_eq!(ended.stdout, "");
        }
    }
}
