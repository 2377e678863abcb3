//! Pins: entrypoint-wrapper/README.md, "Exit status".
//!
//! entrypoint-wrapper as a blind forwarder.

use common::signal::Signal;
use harness::process::{self, Exit, Running};
use harness::tree::Tree;
use harness::{bins, refused, skip, wait};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

fn wrapper(args: &[&str]) -> Command {
    let mut command = Command::new(bins::program("entrypoint-wrapper"));
    command.args(args).env_remove("SHARED_DIR").env_remove("JOB_NAME_SAFE");
    command
}

fn started(tree: &Tree, args: &[&str]) -> Running {
    let mut running = process::start(tree, &mut wrapper(args));
    running.until_stdout("ready");
    running
}

#[test]
fn exit_status_is_the_childs() {
    let tree = Tree::new();
    for code in [0, 1, 3, 127, 255] {
        let ended = process::run(&tree, &mut wrapper(&["sh", "-c", &format!("exit {code}")]));
        ended.expect_code(code);
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn refused_descriptors_are_one_line_and_no_crash() {
    let tree = Tree::new();
    let mut refused_loops = 0;
    for limit in 4..40 {
        let limited = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
        let mut command = refused::behind("sh", &["-c", &limited], &wrapper(&["true"]));
        let ended = process::run(&tree, &mut command);
        assert!(matches!(ended.exit, Exit::Code(0 | 1)), "{limit}: {ended:#?}");
        assert!(!ended.stderr.contains("panicked"), "{limit}: {ended:#?}");
        if ended.exit == Exit::Code(1) {
            assert!(ended.only_line().starts_with("error: "), "{limit}: {ended:#?}");
        }
        refused_loops += usize::from(ended.stderr.contains("cannot start the event loop"));
    }
    assert!(refused_loops > 0, "no limit was low enough");
}

#[test]
fn refused_socketpair_is_one_line_and_no_crash() {
    let Some(mut command) = refused::without("socketpair", &wrapper(&["true"])) else {
        skip!("Python cannot set a seccomp filter here");
    };
    let ended = process::run(&Tree::new(), &mut command);
    ended.expect_code(1);
    assert!(ended.only_line().starts_with("error: cannot start the event loop: "), "{ended:#?}");
}

#[test]
fn child_killed_by_a_signal_is_128_and_its_number() {
    let tree = Tree::new();
    for signal in [1, 9, 11, 15] {
        process::run(&tree, &mut wrapper(&[HOSTILE, "die", &signal.to_string()])).expect_code(128 + signal);
    }
}

#[test]
fn every_int_and_term_reaches_the_child_and_is_logged() {
    let tree = Tree::new();
    let running = started(&tree, &[HOSTILE, "signals"]);
    for (count, signal) in [Signal::TERM, Signal::INT, Signal::TERM, Signal::TERM].into_iter().enumerate() {
        running.signal(signal);
        let received = format!("got {}\n", signal.as_raw());
        wait::until("the signal to arrive", || (running.stdout().lines().count() == count + 2).then_some(()));
        assert!(running.stdout().ends_with(&received), "{running:?}");
    }
    let child =
        tree.members().into_iter().find(|member| member.command.starts_with(HOSTILE)).expect("the child");
    let child = rustix::process::Pid::from_raw(child.pid).expect("a pid");
    rustix::process::kill_process(child, rustix::process::Signal::USR1).expect("sent");
    let ended = running.wait();
    ended.expect_code(5);
    let lines: Vec<_> = ended.stderr.lines().collect();
    let line = |signal: i32| format!("received signal {signal}, forwarding");
    assert_eq!(lines, [line(15), line(2), line(15), line(15)]);
}

#[test]
fn signal_before_the_child_is_ready_is_not_lost() {
    let tree = Tree::new();
    for _ in 0..20 {
        // Default dispositions: the child dies of TERM, whenever it comes.
        let running = process::start(&tree, &mut wrapper(&["sleep", "60"]));
        let pid = running.pid();
        // From the moment the program itself runs, which is when its name is known.
        wait::until("exec", || {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            (name.trim() == "entrypoint-wrap").then_some(())
        });
        running.signal(Signal::TERM);
        running.wait().expect_code(143);
    }
}

#[test]
fn child_that_ignores_signals_decides_itself() {
    let tree = Tree::new();
    let running = started(&tree, &[HOSTILE, "cleanup", "3", "50"]);
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let ended = running.wait();
    ended.expect_code(0);
    assert!(ended.stdout.ends_with("clean-up line 3\n"), "{ended:?}");
}

#[test]
fn child_has_an_own_process_group() {
    let tree = Tree::new();
    let ended = process::run(&tree, &mut wrapper(&["sh", "-c", "ps -o pgid= -p $$ | tr -d ' '; echo $$"]));
    ended.expect_code(0);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], lines[1], "{ended:?}");
}

#[test]
fn stdin_is_empty_and_output_passes_untouched() {
    let tree = Tree::new();
    let ended = process::run(&tree, &mut wrapper(&["sh", "-c", "cat; echo out; echo err >&2"]));
    ended.expect_code(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn grandchild_that_holds_the_output_delays_nothing() {
    let tree = Tree::new();
    let running = process::start(&tree, &mut wrapper(&[HOSTILE, "holder", "60"]));
    let ended = running.wait_for(std::time::Duration::from_secs(20));
    ended.expect_code(0);
}

#[test]
fn stalled_stderr_delays_no_signal() {
    let tree = Tree::new();
    let (_unread, stderr) = std::io::pipe().expect("a pipe");
    let mut filler = stderr.try_clone().expect("cloned");
    rustix::pipe::fcntl_setpipe_size(&filler, 4096).expect("a small pipe");
    std::io::Write::write_all(&mut filler, &[b'x'; 4096]).expect("filled");
    let running =
        process::start_with(&tree, &mut wrapper(&[HOSTILE, "signals"]), Stdio::piped(), stderr.into());
    let mut running = running;
    running.until_stdout("ready");
    running.signal(Signal::TERM);
    running.until_stdout("got 15");
    running.signal(Signal::INT);
    running.until_stdout("got 2");
}

#[test]
fn child_that_cannot_start_is_one_line_and_1() {
    let tree = Tree::new();
    for (program, word) in
        [("no-such-program", "$PATH"), ("/no/such/program", "No such file"), ("/tmp", "directory")]
    {
        let ended = process::run(&tree, &mut wrapper(&[program]));
        ended.expect_code(1);
        let line = ended.only_line();
        assert!(line.starts_with("error: ") && line.contains(program) && line.contains(word), "{line}");
    }
}

#[test]
fn pid_1_reaps_orphans_and_keeps_the_childs_code() {
    let tree = Tree::new();
    let wrapper = bins::program("entrypoint-wrapper");
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc"]).arg(wrapper).args([
        "sh",
        "-c",
        ORPHANS_AND_ZOMBIES,
        "sh",
        HOSTILE,
    ]);
    command.env_remove("SHARED_DIR").env_remove("JOB_NAME_SAFE");
    let ended = process::run(&tree, &mut command);
    if ended.stderr.contains("unshare") {
        skip!("unshare --pid is not permitted here: {}", ended.stderr.trim());
    }
    ended.expect_code(7);
    assert_eq!(ended.stdout, "no zombies\n", "{ended:?}");
}

/// Makes orphans, waits until none of them is left as a zombie, exits 7.
const ORPHANS_AND_ZOMBIES: &str = r#"
"$1" orphans 20
for i in $(seq 1 500); do
  if [ -z "$(ps -o pid= --ppid 1 | grep -vw $$)" ]; then echo "no zombies"; exit 7; fi
  sleep 0.02
done
ps -ef; exit 1
"#;

#[test]
fn copy_mode_copies_itself_and_cp_any_file() {
    let tree = Tree::new();
    let dir = tempfile::tempdir().expect("a directory");
    let copy = dir.path().join("deep/entrypoint-wrapper");
    let destination = format!("--copy-destination={}", copy.display());
    for _ in 0..2 {
        process::run(&tree, &mut wrapper(&["--copy-mode-only", &destination])).expect_code(0);
    }
    let mode = copy.metadata().expect("copied").permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    process::run(&tree, Command::new(&copy).args(["sh", "-c", "exit 4"])).expect_code(4);

    let cp = dir.path().join("cp");
    std::os::unix::fs::symlink(&copy, &cp).expect("linked");
    let again = dir.path().join("again");
    process::run(&tree, Command::new(&cp).arg(&copy).arg(&again)).expect_code(0);
    assert_eq!(std::fs::read(&copy).expect("read"), std::fs::read(&again).expect("read"));
    let ended = process::run(&tree, Command::new(&cp).arg(&copy));
    ended.expect_code(1);
    assert!(ended.only_line().contains("two operands"), "{ended:?}");
}

#[test]
fn flags_follow_gos_rules() {
    let tree = Tree::new();
    process::run(&tree, &mut wrapper(&["-h"])).expect_code(0);
    process::run(&tree, &mut wrapper(&["--no-such-flag"])).expect_code(2);
    process::run(&tree, &mut wrapper(&[])).expect_code(1);
    process::run(&tree, &mut wrapper(&["--", "sh", "-c", "exit 6"])).expect_code(6);
}
