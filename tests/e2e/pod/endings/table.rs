//! The endings, each with the whole sentence that people read about it.
//!
//! The table in sidecar/README.md is made of this one; a test compares them.

use common::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A way to end, and what is said of it.
pub(super) struct Ending {
    /// The first column of the documents' table.
    pub(super) name: &'static str,
    pub(super) how: How,
    pub(super) result: &'static str,
    /// The sentence. `DIR` stands for the pod's directory and `N` for a number.
    pub(super) sentence: &'static str,
    /// The same in entrypoint's own places, where it is another one or none ("").
    pub(super) entrypoints: Option<&'static str>,
    /// The same on the terminal of `podutils run`, where that knows more.
    pub(super) terminals: Option<&'static str>,
    /// The log could not take the sentence.
    pub(super) is_without_log: bool,
}

pub(super) enum How {
    /// A script that says `ready` before it waits for a signal to entrypoint.
    Script { script: &'static str, options: Value, signal: Option<Signal> },
    /// A file that is no program.
    Program(&'static str),
    /// A test of its own, in `special.rs`.
    Special,
}

/// Says `ready` once signals have their defaults. Dash, until it has executed another program, catches
/// SIGINT, so that SIGTERM may be what ends it.
const READY: &str = concat!("exec ", env!("CARGO_BIN_EXE_hostile"), " ready 60");

const IGNORING: &str = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done";

const NEVER_STARTED: &str = "the container never started, or could not write to DIR/logs: it left no lock, no log \
                             and no report there; the pod's status says why";

fn of(name: &'static str, how: How, result: &'static str, sentence: &'static str) -> Ending {
    // A plain success is nothing to talk about.
    let entrypoints = (sentence == "exited with code 0").then_some("");
    Ending { name, how, result, sentence, entrypoints, terminals: None, is_without_log: false }
}

fn script(name: &'static str, script: &'static str, result: &'static str, sentence: &'static str) -> Ending {
    of(name, How::Script { script, options: json!({}), signal: None }, result, sentence)
}

fn timeout(name: &'static str, script: &'static str, sentence: &'static str) -> Ending {
    let options = json!({"timeout": "1s", "grace_period": "1s"});
    of(name, How::Script { script, options, signal: None }, "FAILURE", sentence)
}

fn signal(
    name: &'static str,
    signal: Signal,
    script: &'static str,
    result: &'static str,
    sentence: &'static str,
) -> Ending {
    let options = json!({"grace_period": "1s"});
    of(name, How::Script { script, options, signal: Some(signal) }, result, sentence)
}

fn program(name: &'static str, file: &'static str, sentence: &'static str) -> Ending {
    of(name, How::Program(file), "FAILURE", sentence)
}

fn special(name: &'static str, result: &'static str, sentence: &'static str) -> Ending {
    of(name, How::Special, result, sentence)
}

pub(super) fn endings() -> Vec<Ending> {
    let mut all = by_itself();
    all.extend(told_to_end());
    all.extend(not_started());
    all.extend(around_the_job());
    all
}

fn by_itself() -> Vec<Ending> {
    vec![
        script("the command passes", "exit 0", "SUCCESS", "exited with code 0"),
        script("it fails", "exit 3", "FAILURE", "exited with code 3"),
        script("it gets a SIGKILL from outside", "kill -KILL $$", "FAILURE", "killed from outside (SIGKILL)"),
        script("it crashes", "kill -SEGV $$", "FAILURE", "died of SIGSEGV"),
        script("its session hangs up", "kill -HUP $$", "FAILURE", "killed from outside (SIGHUP)"),
        special(
            "the kernel kills it for lack of memory",
            "FAILURE",
            "killed from outside (SIGKILL); the kernel killed a process of this container for lack of memory",
        ),
        special(
            "the kernel kills a process of it, and it fails",
            "FAILURE",
            "exited with code 2; the kernel killed a process of this container for lack of memory",
        ),
        special(
            "the kernel kills a process of it, and it passes",
            "SUCCESS",
            "exited with code 0; the kernel killed a process of this container for lack of memory",
        ),
        Ending {
            is_without_log: true,
            ..special(
                "the log volume becomes full",
                "FAILURE",
                "exited with code 3; N bytes of the output did not fit into the log",
            )
        },
    ]
}

fn told_to_end() -> Vec<Ending> {
    let (term, int) = (Signal::TERM, Signal::INT);
    vec![
        timeout("a timeout, and it ends", "exec sleep 60", "timed out after 1s; died of SIGINT"),
        timeout("a timeout, and it stays", IGNORING, "timed out after 1s; did not exit within 1s; killed"),
        signal("SIGTERM, and it dies", term, READY, "ABORTED", "aborted by SIGTERM; died of SIGINT"),
        signal(
            "SIGTERM, and it exits with a code",
            term,
            "trap '' INT; trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done",
            "ABORTED",
            "aborted by SIGTERM; exited with code 9",
        ),
        signal(
            "SIGTERM, and it exits with 0",
            term,
            "trap '' INT; trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done",
            "ABORTED",
            "aborted by SIGTERM; exited with 0 after SIGTERM",
        ),
        signal(
            "SIGTERM, and it stays",
            term,
            IGNORING,
            "ABORTED",
            "aborted by SIGTERM; did not exit within 1s; killed",
        ),
        Ending {
            // As a kubelet does it passes SIGTERM on.
            terminals: Some("aborted by SIGTERM; died of SIGINT"),
            ..signal("Ctrl-C", int, READY, "ABORTED", "aborted by SIGINT; died of SIGINT")
        },
        Ending {
            entrypoints: Some(""),
            terminals: Some("entrypoint was killed by SIGKILL and left no result"),
            ..signal(
                "entrypoint is killed",
                Signal::KILL,
                READY,
                "FAILURE",
                "entrypoint was killed and left no result; the pod's status says why",
            )
        },
        special(
            "the first of two containers times out",
            "FAILURE",
            "first: timed out after 1s; died of SIGINT",
        ),
    ]
}

fn not_started() -> Vec<Ending> {
    vec![
        program(
            "the command is missing",
            "missing",
            "could not start the process: fork/exec DIR/missing: no such file or directory",
        ),
        program(
            "it is not executable",
            "plain-file",
            "could not start the process: fork/exec DIR/plain-file: permission denied: its mode 0644 does not allow to run it",
        ),
        Ending {
            terminals: Some("error: COMMAND DIR/directory: it is a directory; allowed is a program"),
            ..program(
                "it is a directory",
                "directory",
                "could not start the process: fork/exec DIR/directory: permission denied: it is a directory",
            )
        },
        program(
            "it is for another machine",
            "other-machine",
            "could not start the process: fork/exec DIR/other-machine: exec format error: it is built for machine 65534, and this machine is MACHINE",
        ),
        Ending {
            entrypoints: Some("not started because the previous step exited 7"),
            ..special("the entry before it failed", "FAILURE", "first: exited with code 7")
        },
        Ending {
            entrypoints: Some(
                "not started because the previous step was lost: its entrypoint ended without a result",
            ),
            ..special(
                "the entry before it was lost",
                "FAILURE",
                "first: entrypoint was killed and left no result; the pod's status says why",
            )
        },
        Ending { entrypoints: Some(""), ..special("the container never starts", "FAILURE", NEVER_STARTED) },
        Ending {
            entrypoints: Some(""),
            ..special("SIGTERM before the container starts", "ABORTED", NEVER_STARTED)
        },
        Ending {
            entrypoints: Some(
                "could not reserve space beside marker_file \"DIR/logs/test-marker.txt\": no space left on device",
            ),
            is_without_log: true,
            ..special(
                "the log volume is full from the start",
                "FAILURE",
                "entrypoint ended without a result: it was killed, or its log volume DIR/logs is full (N bytes free)",
            )
        },
        Ending {
            entrypoints: Some(
                "could not take the lock for marker_file \"DIR/logs/test-marker.txt\": read-only file system",
            ),
            is_without_log: true,
            ..special("the log volume cannot be written", "FAILURE", NEVER_STARTED)
        },
    ]
}

fn around_the_job() -> Vec<Ending> {
    vec![
        special("a secret cannot be loaded", "SUCCESS", "exited with code 0"),
        special("the job's metadata is no JSON", "SUCCESS", "exited with code 0"),
        special("the store is down", "", "exited with code 3"),
        special("the store refuses", "", "exited with code 3"),
        special("the store hangs", "", "exited with code 3"),
        special("the bucket is missing", "", "exited with code 3"),
    ]
}

/// The ending of that name.
#[track_caller]
pub(super) fn named(name: &str) -> Ending {
    let found = endings().into_iter().find(|ending| ending.name == name);
    found.unwrap_or_else(|| panic!("no ending is called {name:?}"))
}

/// The documents' table.
fn markdown() -> String {
    let mut lines = vec!["| how it ends | result | sentence |".to_owned(), "| --- | --- | --- |".to_owned()];
    for ending in endings() {
        let result =
            if ending.result.is_empty() { "none".to_owned() } else { format!("`{}`", ending.result) };
        let shown = |sentence: &str| {
            sentence.replace("DIR/", "…/").replace("MACHINE", "…").replace("N bytes", "… bytes")
        };
        let mut sentence = shown(ending.sentence);
        if let Some(other) = ending.entrypoints.filter(|other| !other.is_empty()) {
            sentence = format!("{sentence} (entrypoint's own: {})", shown(other));
        }
        if let Some(other) = ending.terminals {
            sentence = format!("{sentence} (`run`: {})", shown(other));
        }
        lines.push(format!("| {} | {result} | {sentence} |", ending.name));
    }
    lines.join("\n")
}

#[test]
fn documents_have_the_table_of_endings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sidecar/README.md");
    let document = fs::read_to_string(path).expect("a document");
    let table = markdown();
    assert!(
        document.contains(&format!("\n{table}\n")),
        "sidecar/README.md does not have this table:\n{table}"
    );
}

#[test]
fn every_special_ending_has_its_test() {
    let endings = endings();
    assert!(endings.len() >= 26, "{}", endings.len());
    let tests = include_str!("special.rs");
    for ending in endings.iter().filter(|ending| matches!(ending.how, How::Special)) {
        assert!(tests.contains(&format!("\"{}\"", ending.name)), "nothing provokes {:?}", ending.name);
    }
}
