//! Pins: I1.
//!
//! entrypoint brought into each of its states, then killed or told to end there.

use crate::entrypoint::hostile_job::Freezer;
use crate::entrypoint::process_tree::{Case, Place, namespaces, two_deaf_ones};
use common::lock::{EntryMonitor, EntryStatus, LockState};
use common::signal::Signal;
use harness::process::Exit;
use harness::{skip, wait};
use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyResponse, InitFlags, MarkFlags, MaskFlags, Response,
};
use serde_json::json;
use std::fs;
use std::path::Path;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

/// How often a state that lasts two seconds is tried: a busy machine may need
/// longer to look.
const TRIES: usize = 10;

/// An entrypoint in a known state, and what keeps it there.
struct Stage {
    case: Case,
    watch: EntryMonitor,
}

impl Stage {
    fn new(place: Place, args: &[&str], options: serde_json::Value) -> Self {
        let case = Case::start(place, args, options);
        case.entry.until_locked();
        let mut watch = EntryMonitor::new(&case.entry.marker);
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Held));
        Self { case, watch }
    }

    /// SIGKILL: the lock is free and there is no marker, and nobody is left.
    /// `false` when the state was over before the signal came.
    fn killed(mut self, after: impl FnOnce()) -> bool {
        // Stopped, it stays in its state, whichever that is.
        let stop = Signal::from_raw(19).expect("SIGSTOP");
        let stopped = self.case.try_signal(stop);
        if !stopped || self.case.entry.code().is_some() {
            self.case.try_signal(Signal::KILL);
            return false;
        }
        self.case.signal(Signal::KILL);
        let (pod, entry) = (self.case.pod, self.case.entry);
        self.case.running.wait();
        // A child that is being started holds the lock until it dies, too.
        wait::until("I1: the lost entry", || (self.watch.poll() == EntryStatus::Lost).then_some(()));
        assert_eq!(entry.code(), None, "I1");
        after();
        wait::until("the child is gone too", || pod.tree().members().is_empty().then_some(()));
        true
    }
}

/// Waits for the one program that is being started, in the middle of its start.
struct Gate(Fanotify);

impl Gate {
    fn before(program: &Path) -> Option<Self> {
        let flags = InitFlags::FAN_CLASS_CONTENT | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
        let gate = Fanotify::init(flags, EventFFlags::O_RDONLY).ok()?;
        let here = rustix::fs::CWD;
        gate.mark(MarkFlags::FAN_MARK_ADD, MaskFlags::FAN_OPEN_EXEC_PERM, here, Some(program)).ok()?;
        Some(Self(gate))
    }

    fn arrival(&self) -> nix::sys::fanotify::FanotifyEvent {
        wait::until("the start of the program", || self.0.read_events().ok()?.into_iter().next())
    }

    fn open(&self, event: &nix::sys::fanotify::FanotifyEvent) {
        let program = event.fd().expect("the program");
        self.0.write_response(FanotifyResponse::new(program, Response::FAN_ALLOW)).expect("answered");
    }
}

fn awaiting_previous() -> Stage {
    Stage::new(Place::Plain, &["echo", "never"], json!({"previous_marker": "not/there"}))
}

/// The child exists and has not become its program yet.
fn spawning() -> Option<(Stage, Gate, nix::sys::fanotify::FanotifyEvent)> {
    let pod = harness::pod::Pod::new();
    let program = pod.path("program");
    fs::copy("/bin/sleep", &program).expect("copied");
    let gate = Gate::before(&program)?;
    let stage = Stage::new(Place::Plain, &[&program.display().to_string(), "60"], json!({}));
    let event = gate.arrival();
    Some((stage, gate, event))
}

fn running() -> Stage {
    let stage = Stage::new(Place::Plain, &["sh", "-c", "echo ready; exec sleep 60"], json!({}));
    stage.case.entry.until_log("ready");
    stage
}

fn terminating() -> Stage {
    let stage = Stage::new(Place::Plain, &[HOSTILE, "held", "release"], json!({"grace_period": "60s"}));
    stage.case.entry.until_log("ready");
    stage.case.signal(Signal::TERM);
    stage.case.entry.until_log("received interrupt");
    stage
}

/// SIGKILL has been sent, and the child is frozen.
fn killing(freezer: &Freezer) -> Stage {
    let script = "echo ready; echo $$ > pid; exec sleep 60";
    let stage = Stage::new(Place::Plain, &["sh", "-c", script], json!({"grace_period": "100ms"}));
    let pid = wait::until("the child's number", || {
        fs::read_to_string(stage.case.pod.path("pid")).ok().filter(|text| text.ends_with('\n'))
    });
    freezer.freeze(pid.trim());
    stage.case.signal(Signal::TERM);
    stage.case.entry.until_log("did not exit before");
    stage
}

/// The child has ended and somebody still writes.
fn draining() -> Stage {
    let script = "sh ./chat & exec true";
    let chat = "until [ -e go ]; do sleep 0.02; done; while :; do echo more; sleep 0.05; done";
    let stage = Stage::new(Place::Pid1, &["sh", "-c", &format!("echo '{chat}' > chat; {script}")], json!({}));
    fs::write(stage.case.pod.path("go"), "").expect("written");
    wait::until("the child's end", || {
        let commands = stage.case.pod.tree().members().into_iter().map(|member| member.command);
        let commands: Vec<_> = commands.collect();
        let chats = commands.iter().any(|command| command == "sh ./chat");
        let ended = !commands.iter().any(|command| command.starts_with("sh -c") || command == "true");
        (chats && ended).then_some(())
    });
    stage
}

fn leftovers() -> Stage {
    let script = format!("{}; exit 4", two_deaf_ones());
    let stage = Stage::new(Place::Pid1, &["sh", "-c", &script], json!({}));
    stage.case.entry.until_log("Process left behind");
    stage
}

#[test]
fn sigkill_while_awaiting_the_previous_marker_is_a_lost_entry() {
    assert!(awaiting_previous().killed(|| {}));
}

#[test]
fn sigkill_while_spawning_is_a_lost_entry() {
    let Some((stage, _gate, _event)) = spawning() else {
        skip!("the start of a program cannot be held up here (fanotify)");
    };
    assert!(stage.killed(|| {}));
}

#[test]
fn sigkill_while_running_or_terminating_is_a_lost_entry() {
    assert!(running().killed(|| {}));
    assert!(terminating().killed(|| {}));
}

#[test]
fn sigkill_while_killing_is_a_lost_entry() {
    for _ in 0..TRIES {
        let Some(freezer) = Freezer::new() else {
            skip!("there is no freezer of control groups version 1");
        };
        if killing(&freezer).killed(|| drop(freezer)) {
            return;
        }
    }
    panic!("not once in time");
}

#[test]
fn sigkill_while_draining_or_ending_leftovers_is_a_lost_entry() {
    if !namespaces() {
        skip!("a pid namespace is not permitted here");
    }
    assert!((0..TRIES).any(|_| draining().killed(|| {})), "not once in time");
    assert!((0..TRIES).any(|_| leftovers().killed(|| {})), "not once in time");
}

/// The marker's directory is gone for now.
fn marking() -> Case {
    let script = "rm -r markers; echo in the way > markers; exit 3";
    let pod = harness::pod::Pod::new();
    let case = Case::start_in(pod, Place::Plain, &["sh", "-c", script], |pod| {
        fs::create_dir(pod.path("markers")).expect("made");
        json!({"marker_file": pod.path("markers/marker"), "grace_period": "60s"})
    });
    wait::until("the first try", || {
        case.running.stdout().contains("Error writing exit code to marker file").then_some(())
    });
    case
}

#[test]
fn sigkill_while_marking_is_a_lost_entry() {
    let case = marking();
    let marker = case.pod.path("markers/marker");
    case.signal(Signal::KILL);
    let ended = case.running.wait();
    assert_eq!(ended.exit, Exit::Signal(Signal::KILL), "{ended:#?}");
    assert!(!marker.exists(), "I1");
    assert_eq!(case.pod.tree().members(), []);
}

#[test]
fn term_while_marking_changes_nothing() {
    let case = marking();
    case.signal(Signal::TERM);
    fs::remove_file(case.pod.path("markers")).expect("removed");
    let ended = case.running.wait();
    ended.expect_code(3);
    assert_eq!(fs::read_to_string(case.pod.path("markers/marker")).expect("a marker"), "3");
}

#[test]
fn term_before_exec_aborts() {
    let Some((stage, gate, event)) = spawning() else {
        skip!("the start of a program cannot be held up here (fanotify)");
    };
    stage.case.signal(Signal::TERM);
    gate.open(&event);
    let (_pod, entry, _) = stage.case.end(130);
    let report = entry.report();
    assert_eq!(report["reason"], "aborted", "{report}");
    assert!(report["child"]["signal"].is_string(), "it ran and was ended: {report}");
}

#[test]
fn more_signals_while_terminating_shorten_nothing() {
    let stage = terminating();
    for signal in [Signal::TERM, Signal::INT, Signal::TERM, Signal::INT] {
        stage.case.signal(signal);
    }
    assert_eq!(stage.case.entry.code(), None);
    fs::write(stage.case.pod.path("release"), "").expect("written");
    let (_pod, entry, _) = stage.case.end(130);
    assert_eq!(entry.report()["child"], json!({"exit_code": 0}));
    assert!(entry.log_text().contains("released"));
}

#[test]
fn term_while_killing_changes_nothing() {
    let Some(freezer) = Freezer::new() else {
        skip!("there is no freezer of control groups version 1");
    };
    let mut stage = killing(&freezer);
    if !stage.case.running.has_ended() {
        stage.case.signal(Signal::INT);
    }
    let ended = stage.case.running.wait();
    ended.expect_code(130);
    assert_eq!(stage.case.entry.code().as_deref(), Some("130"));
    let report = stage.case.entry.report();
    assert_eq!(report["leftovers"]["unkillable"], 1, "{report}");
    drop(freezer);
    wait::until("its end", || stage.case.pod.tree().members().is_empty().then_some(()));
}

#[test]
fn term_while_draining_or_ending_leftovers_changes_nothing() {
    if !namespaces() {
        skip!("a pid namespace is not permitted here");
    }
    for (stage, code) in [(draining(), 0), (leftovers(), 4)] {
        let mut stage = stage;
        if !stage.case.running.has_ended() {
            stage.case.signal(Signal::TERM);
        }
        let (_pod, entry, _) = stage.case.end(code);
        assert_eq!(entry.report()["reason"], "exited");
    }
}
