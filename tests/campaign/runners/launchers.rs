//! Pins: entrypoint/README.md, "Reports that survive a timeout", its table of launchers.
//!
//! Programs that run another one, in a process group of their own: a signal is sent to
//! the launcher alone, as scope `child` does.

use common::signal::Signal;
use harness::process::{self, Exit};
use harness::tree::Tree;
use harness::{announce_skip, skip, wait};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Says its number, which signals it gets, and goes on.
const COMMAND: &str = "#!/bin/sh\n\
    trap 'echo INT >>\"$GOT\"' INT; trap 'echo TERM >>\"$GOT\"' TERM; trap 'echo HUP >>\"$GOT\"' HUP\n\
    echo \"pid $$\" >>\"$GOT\"; while :; do sleep 0.05; done\n";

/// Between the command's first word and the signal: its launcher may not have returned
/// from fork(2), and `timeout` takes itself for the child until it has.
const STARTED: Duration = Duration::from_millis(500);

/// Longer than a launcher takes to pass a signal on or to end of it.
const SETTLED: Duration = Duration::from_secs(3);

/// Consequences of SIGINT and of SIGTERM: what the command gets; the launcher `waits` or
/// how it ends; for a shell what happens when the command is gone.
type Row = (&'static str, &'static [&'static str], [&'static str; 2]);

const LAUNCHERS: &[Row] = &[
    ("env", &["env"], ["INT, waits", "TERM, waits"]),
    ("nohup", &["nohup"], ["INT, waits", "TERM, waits"]),
    ("nice", &["nice"], ["INT, waits", "TERM, waits"]),
    ("stdbuf", &["stdbuf", "-oL"], ["INT, waits", "TERM, waits"]),
    ("timeout", &["timeout", "600"], ["INT, waits", "TERM, waits"]),
    ("timeout --foreground", &["timeout", "--foreground", "600"], ["INT, waits", "TERM, waits"]),
    // It ends its shell, which bash has replaced with the command and dash has not.
    (
        "script, bash",
        &["env", "SHELL=/bin/bash", "script", "-qec", "./command", "/dev/null"],
        ["TERM, 0", "TERM, 0"],
    ),
    (
        "script, dash",
        &["env", "SHELL=/bin/dash", "script", "-qec", "./command", "/dev/null"],
        ["HUP, 0", "HUP, 0"],
    ),
    ("flock", &["flock", "./lock"], ["nothing, INT", "nothing, TERM"]),
    ("setsid -w", &["setsid", "-w"], ["nothing, INT", "nothing, TERM"]),
    ("unshare --fork", &["unshare", "--fork"], ["nothing, waits", "nothing, waits"]),
    ("bash", &["bash", "-c", "./command; echo B"], ["nothing, waits, B", "nothing, TERM"]),
    ("dash", &["dash", "-c", "./command; echo B"], ["nothing, waits, INT", "nothing, TERM"]),
    ("zsh", &["zsh", "-c", "./command; echo B"], ["nothing, waits, INT", "nothing, TERM"]),
    ("mksh", &["mksh", "-c", "./command; echo B"], ["nothing, waits, INT", "nothing, waits, TERM"]),
    ("fish", &["fish", "-c", "./command; echo B"], ["nothing, waits, 137", "nothing, TERM"]),
    ("npm", &["npm", "--silent", "run", "job"], ["nothing, waits", "nothing, TERM"]),
];

fn end(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => code.to_string(),
        Exit::Signal(signal) => signal.to_string().trim_start_matches("SIG").to_owned(),
    }
}

/// Starts a launcher, signals it, and says what becomes of it and its command.
fn seen(words: &[&str], signal: Signal) -> String {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::new();
    let got = dir.path().join("got");
    // Written by another process: a descriptor of ours would be open for writing in what
    // other threads start in the meantime, and execve(2) would fail with ETXTBSY.
    let write = r#"printf %s "$1" >command && chmod +x command"#;
    let written = Command::new("sh").args(["-c", write, "sh", COMMAND]).current_dir(dir.path()).status();
    assert!(written.unwrap().success());
    // A shell cannot trap a signal that was ignored when it started, as SIGINT is in a
    // script's background job.
    let mut launcher = Command::new("env");
    launcher
        .arg("--default-signal=HUP,INT,TERM")
        .args(words)
        .current_dir(dir.path())
        .env("GOT", &got)
        .process_group(0);
    std::fs::write(dir.path().join("package.json"), r#"{"scripts": {"job": "./command"}}"#).unwrap();
    let is_named = words[0] == "npm" || words.iter().any(|word| word.contains("./command"));
    if !is_named {
        launcher.arg("./command");
    }
    let mut launcher = process::start(&tree, &mut launcher);
    let text = |got: &Path| std::fs::read_to_string(got).unwrap_or_default();
    let pid = wait::until("the command", || text(&got).strip_prefix("pid ")?.lines().next()?.parse().ok());
    std::thread::sleep(STARTED);
    launcher.signal_now(signal);
    let ended = wait::within(SETTLED, || launcher.has_ended().then_some(())).is_some();
    // `timeout` signals its child and its group: a shell may see that as one or as two.
    let mut signals = text(&got).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    signals.dedup();
    let signals = signals.join(" ");
    let signals = if signals.is_empty() { "nothing".to_owned() } else { signals };
    if ended {
        return format!("{signals}, {}", end(launcher.wait().exit));
    }
    if !words.contains(&"-c") {
        return format!("{signals}, waits");
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    let last = launcher.wait();
    let then = if last.stdout.contains('B') { "B".to_owned() } else { end(last.exit) };
    format!("{signals}, waits, {then}")
}

#[test]
fn launchers_do_with_signals_what_the_table_says() {
    if std::env::var_os("POD_UTILS_RUNNERS_DIR").is_none() {
        skip!("POD_UTILS_RUNNERS_DIR names no directory of tests/campaign/runners/install.sh");
    }
    let mut different = Vec::new();
    std::thread::scope(|scope| {
        let runs = LAUNCHERS.iter().map(|(name, words, expected)| {
            scope.spawn(move || {
                if Command::new(words[0]).arg("--version").output().is_err() {
                    announce_skip(&format!("{name}: there is no {}", words[0]));
                    return None;
                }
                let seen = [Signal::INT, Signal::TERM].map(|signal| seen(words, signal));
                println!("{name}: {seen:?}");
                (seen != *expected).then(|| format!("{name}: {seen:?}, not {expected:?}"))
            })
        });
        let runs = runs.collect::<Vec<_>>();
        different.extend(runs.into_iter().filter_map(|run| run.join().expect("no panic")));
    });
    assert!(different.is_empty(), "{}", different.join("\n"));
}
