//! Pins: I1, I3; entrypoint/README.md, "Codes".
//!
//! entrypoint and the tree of its child: who is signalled, who is ended, who is
//! left alone. As a plain process and as a real PID 1.

use common::signal::Signal;
use harness::bins;
use harness::pod::{Entry, Pod};
use harness::process::{self, Ended, Running};
use harness::wait;
use rustix::process::Pid;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

/// How entrypoint is started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among the processes of the machine, as under `shareProcessNamespace`.
    Plain,
    /// As PID 1 of a pid namespace of its own.
    Pid1,
}

/// Whether this machine lets us make a pid namespace.
pub(crate) fn namespaces() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc", "true"]);
    unshare.output().is_ok_and(|output| output.status.success())
}

/// One entry with its entrypoint, in one of the places.
pub(crate) struct Case {
    pub(crate) pod: Pod,
    pub(crate) entry: Entry,
    pub(crate) running: Running,
    place: Place,
}

impl Case {
    pub(crate) fn start(place: Place, args: &[&str], options: Value) -> Self {
        Self::start_in(Pod::new(), place, args, |_| options)
    }

    /// In a pod that needs to be prepared.
    pub(crate) fn start_in(
        pod: Pod,
        place: Place,
        args: &[&str],
        prepare: impl FnOnce(&Pod) -> Value,
    ) -> Self {
        let entry = pod.entry("test");
        let options = prepare(&pod);
        let options = pod.entrypoint_options(&entry, args, options).to_string();
        let entrypoint = bins::program("entrypoint");
        let mut command = match place {
            Place::Plain => Command::new(entrypoint),
            Place::Pid1 => {
                let mut command = Command::new("unshare");
                command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(entrypoint);
                command
            }
        };
        command.env("ENTRYPOINT_OPTIONS", options).current_dir(pod.path(""));
        let running = process::start(pod.tree(), &mut command);
        Self { pod, entry, running, place }
    }

    /// Sends entrypoint itself a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        assert!(self.try_signal(signal), "entrypoint runs");
    }

    /// Sends entrypoint itself a signal; `false` when it has ended.
    pub(crate) fn try_signal(&self, signal: Signal) -> bool {
        let number = rustix::process::Signal::from_named_raw(signal.as_raw()).expect("a named signal");
        self.pid().is_some_and(|pid| rustix::process::kill_process(pid, number).is_ok())
    }

    /// The process id of entrypoint itself, while it runs.
    pub(crate) fn pid(&self) -> Option<Pid> {
        if self.place == Place::Plain {
            return Some(self.running.pid());
        }
        let own = bins::program("entrypoint").display().to_string();
        let members = self.pod.tree().members();
        members.iter().find(|member| member.command == own).and_then(|member| Pid::from_raw(member.pid))
    }

    #[track_caller]
    pub(crate) fn end(self, code: i32) -> (Pod, Entry, Ended) {
        let ended = self.running.wait();
        ended.expect_code(code);
        assert_eq!(self.entry.code(), Some(code.to_string()), "{ended:#?}");
        assert_eq!(self.pod.tree().members(), [], "I3: nobody of the tree is left");
        (self.pod, self.entry, ended)
    }
}

/// Runs each test as a plain process and as PID 1.
macro_rules! in_each_place {
    ($($(#[$attribute:meta])* fn $name:ident($place:ident) $body:block)*) => {
        $($(#[$attribute])* fn $name($place: Place) $body)*
        mod plain {
            use super::Place;
            $(#[test] fn $name() { super::$name(Place::Plain); })*
        }
        mod pid_1 {
            use super::Place;
            $(#[test] fn $name() {
                if !super::namespaces() {
                    harness::skip!("a pid namespace is not permitted here");
                }
                super::$name(Place::Pid1);
            })*
        }
    };
}

/// A script that leaves two processes behind that ignore INT and TERM.
pub(crate) fn two_deaf_ones() -> String {
    let until = "until grep -q ready a && grep -q ready b; do sleep 0.02; done";
    format!("{HOSTILE} ignore > a & {HOSTILE} ignore > b & {until}")
}

const GRACEFUL: &str = "error|Process gracefully exited before 15s grace period";

in_each_place! {

fn shell_that_dies_of_term_leaves_its_childs_clean_up_time_through_tee(place) {
    let script = format!("{HOSTILE} cleanup 10 150 2>&1 | tee copy; true");
    let case = Case::start(place, &["sh", "-c", &script], json!({"artifact_dir": ""}));
    case.entry.until_log("ready");
    case.signal(Signal::TERM);
    let (_pod, entry, _) = case.end(130);
    let lines = entry.log_lines();
    for line in 1..=10 {
        assert!(lines.contains(&format!("clean-up line {line}")), "{lines:?}");
    }
    let [.., graceful, sentence] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(graceful, GRACEFUL);
    assert!(sentence.starts_with("error|aborted by SIGTERM; "), "{sentence}");
    assert_eq!(entry.report()["reason"], "aborted");
}

fn output_through_a_process_substitution_arrives(place) {
    let script = format!("exec > >(sed -u 's/^/> /'); {HOSTILE} cleanup 10 50; true");
    let case = Case::start(place, &["bash", "-c", &script], json!({}));
    case.entry.until_log("> ready");
    case.signal(Signal::TERM);
    let (_pod, entry, _) = case.end(130);
    let lines = entry.log_lines();
    for line in 1..=10 {
        assert!(lines.contains(&format!("> clean-up line {line}")), "{lines:?}");
    }
    let [.., graceful, sentence] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(graceful, GRACEFUL);
    assert!(sentence.starts_with("error|aborted by SIGTERM; "), "{sentence}");
}

fn leftover_that_holds_the_pipe_delays_nothing(place) {
    let case = Case::start(place, &[HOSTILE, "holder", "60"], json!({}));
    let (_pod, entry, ended) = case.end(0);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    let report = entry.report();
    assert_eq!(report["leftovers"]["ended"], 1, "{report}");
    assert!(entry.log_text().contains("Process left behind: "), "{}", entry.log_text());
    assert!(report["leftovers"]["names"][0].as_str().is_some_and(|name| name.contains("sleep 60")), "{report}");
}

fn daemon_in_an_own_session_is_ended(place) {
    let script = format!("{HOSTILE} daemon 60 | head -n 1");
    let case = Case::start(place, &["sh", "-c", &script], json!({}));
    let (_pod, entry, _) = case.end(0);
    assert_eq!(entry.report()["leftovers"]["ended"], 1, "{}", entry.report());
}

fn leftovers_deaf_to_term_are_killed(place) {
    let case = Case::start(place, &["sh", "-c", &format!("{}; exit 4", two_deaf_ones())], json!({}));
    let (_pod, entry, _) = case.end(4);
    let report = entry.report();
    assert_eq!(report["leftovers"]["unkillable"], 0, "{report}");
    assert_eq!(report["leftovers"]["killed"], 2, "{report}");
}

fn timeout_kills_the_whole_tree(place) {
    let script = format!("{HOSTILE} ignore & {HOSTILE} ignore");
    let options = json!({"timeout": "700ms", "grace_period": "700ms"});
    let case = Case::start(place, &["sh", "-c", &script], options);
    let (_pod, entry, ended) = case.end(127);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    let lines = entry.log_lines();
    assert!(lines.contains(&"error|Process did not exit before 700ms grace period".to_owned()), "{lines:?}");
    let sentence = "timed out after 700ms; did not exit within 700ms; killed";
    assert_eq!(entry.report()["cause"], sentence);
}

fn timeout_signals_reach_the_child_of_a_waiting_shell(place) {
    let script = format!("trap '' INT; {HOSTILE} deaf-to-int");
    let options = json!({
        "timeout": "1s", "grace_period": "30s",
        "supervision": {"escalation": [{"signal": "SIGTERM", "after": "300ms"}]},
    });
    let case = Case::start(place, &["sh", "-c", &script], options);
    let (_pod, entry, ended) = case.end(127);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    let graceful = "error|Process gracefully exited before 30s grace period".to_owned();
    assert!(entry.log_lines().contains(&graceful), "{:?}", entry.log_lines());
}

fn orphans_are_reaped(place) {
    let case = Case::start(place, &[HOSTILE, "orphans", "50"], json!({}));
    case.end(7);
}

fn child_that_stopped_itself_is_ended(place) {
    let script = "echo ready; kill -STOP $$; echo never";
    let options = json!({"grace_period": "500ms"});
    let case = Case::start(place, &["sh", "-c", script], options);
    case.entry.until_log("ready");
    case.signal(Signal::TERM);
    let (_pod, entry, _) = case.end(130);
    assert!(!entry.log_text().contains("never"));
}

fn storm_of_signals_changes_nothing(place) {
    let case = Case::start(place, &[HOSTILE, "signals"], json!({"grace_period": "60s"}));
    case.entry.until_log("ready");
    let pid = case.pid().expect("entrypoint runs");
    for _ in 0..1000 {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("sent");
    }
    case.entry.until_log("got 15");
    case.signal(Signal::USR1);
    let (_pod, entry, _) = case.end(130);
    let lines = entry.log_lines();
    assert_eq!(lines.iter().filter(|line| *line == "got 15").count(), 1, "{lines:?}");
    assert_eq!(entry.report()["child"], json!({"exit_code": 5}));
}

fn hangup_and_quit_end_the_job(place) {
    for (signal, word) in [(Signal::HUP, "hangup"), (Signal::QUIT, "quit")] {
        let case = Case::start(place, &["sh", "-c", "echo ready; exec sleep 60"], json!({}));
        case.entry.until_log("ready");
        case.signal(signal);
        let (_pod, entry, _) = case.end(130);
        assert_eq!(entry.log_lines()[1], format!("error|Entrypoint received interrupt: {word}"));
    }
}

fn child_that_closes_its_output_goes_on(place) {
    let script = "echo first; exec > /dev/null 2>&1; sleep 0.5; exit 6";
    let case = Case::start(place, &["sh", "-c", script], json!({}));
    let (_pod, entry, ended) = case.end(6);
    assert_eq!(entry.log_lines(), ["first", "error|exited with code 6"]);
    assert!(ended.took > Duration::from_millis(500));
}

fn leftovers_that_keep_forking_are_ended_all_500(place) {
    // Each starts its own successor and ends: a moving target.
    let script = r#"
        walk() { trap "" TERM; while :; do sh -c "exec sleep 2"; done; }
        i=0; while [ $i -lt 500 ]; do walk & i=$((i+1)); done; exit 0"#;
    let case = Case::start(place, &["sh", "-c", script], json!({}));
    let (_pod, entry, _) = case.end(0);
    let report = entry.report();
    assert_eq!(report["leftovers"]["unkillable"], 0, "{report}");
    assert_eq!(report["leftovers"]["names"].as_array().map(Vec::len), Some(20), "{report}");
}

}

#[test]
fn signal_scope_group_signals_the_whole_group() {
    let options = json!({"supervision": {"signal_scope": "group"}, "grace_period": "60s"});
    let script = format!("trap '' INT TERM; {HOSTILE} signals & wait; wait; exit 0");
    let case = Case::start(Place::Plain, &["sh", "-c", &script], options);
    case.entry.until_log("ready");
    case.signal(Signal::INT);
    case.entry.until_log("got 2");
    case.signal(Signal::TERM);
    case.entry.until_log("got 15");
    let members = case.pod.tree().members();
    let member = members.iter().find(|member| member.command.ends_with("hostile signals")).expect("there");
    let pid = Pid::from_raw(member.pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::USR1).expect("sent");
    case.end(130);
}

#[test]
fn leftovers_keep_leaves_them_running() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let options = json!({"supervision": {"leftovers": "keep"}});
    let script = format!("{HOSTILE} daemon 60 | head -n 1");
    let ended = pod.entrypoint(&entry, &["sh", "-c", &script], options).wait();
    ended.expect_code(0);
    let members = pod.tree().members();
    assert!(members.iter().any(|member| member.command.ends_with("detached 60")), "{members:?}");
    assert_eq!(entry.report()["leftovers"]["ended"], 0);
}

#[test]
fn processes_outside_the_tree_are_not_touched() {
    let bystander = Pod::new();
    let mut command = Command::new("sleep");
    let mut other = process::start(bystander.tree(), command.arg("60"));
    let script = format!("{HOSTILE} ignore & {HOSTILE} ignore");
    let options = json!({"timeout": "300ms", "grace_period": "300ms"});
    Case::start(Place::Plain, &["sh", "-c", &script], options).end(127);
    assert!(!other.has_ended());
}

#[test]
fn sigkill_frees_the_lock_and_ends_the_child() {
    let case = Case::start(Place::Plain, &["sh", "-c", "echo ready; exec sleep 60"], json!({}));
    case.entry.until_log("ready");
    let mut watch = common::lock::EntryMonitor::new(&case.entry.marker);
    let held = common::lock::EntryStatus::Waiting(common::lock::LockState::Held);
    assert_eq!(watch.poll(), held);
    case.running.signal(Signal::KILL);
    wait::until("the lost entry", || (watch.poll() == common::lock::EntryStatus::Lost).then_some(()));
    wait::until("the child's end", || case.pod.tree().members().is_empty().then_some(()));
    assert_eq!(case.entry.code(), None);
}

#[test]
fn leftovers_are_ended_but_unnamed_without_proc() {
    if !namespaces() {
        harness::skip!("a pid namespace is not permitted here");
    }
    let pod = Pod::new();
    let entry = pod.entry("test");
    let options = pod.entrypoint_options(&entry, &["sh", "-c", &two_deaf_ones()], json!({})).to_string();
    let mut command = Command::new("unshare");
    command.current_dir(pod.path(""));
    // The proc that stays mounted belongs to the namespace outside.
    command.args(["--pid", "--fork", "--kill-child"]).arg(bins::program("entrypoint"));
    command.env("ENTRYPOINT_OPTIONS", options);
    process::run(pod.tree(), &mut command).expect_code(0);
    assert_eq!(entry.report()["leftovers"]["unknown"], true);
    assert_eq!(pod.tree().members(), []);
}

#[test]
fn lost_or_aborted_predecessor_stops_the_chain() {
    let pod = Pod::new();
    let (first, second) = (pod.entry("first"), pod.entry("second"));
    let one = pod.entrypoint(&first, &["sh", "-c", "echo ready; exec sleep 60"], json!({}));
    first.until_log("ready");
    let two = pod.entrypoint(&second, &["echo", "never"], json!({"previous_marker": first.marker}));
    second.until_locked();
    one.signal(Signal::KILL);
    two.wait().expect_code(106);
    let lost = "error|not started because the previous step was lost: its entrypoint ended without a result";
    assert_eq!(second.log_lines(), ["info|Skipping as previous step was lost", lost]);
    assert_eq!(second.report()["reason"], "previous_failed");
}

#[test]
fn abort_while_waiting_for_the_predecessor_is_130() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let options = json!({"previous_marker": pod.path("not/there/yet")});
    let running = pod.entrypoint(&entry, &["echo", "never"], options);
    entry.until_locked();
    running.signal(Signal::TERM);
    running.wait().expect_code(130);
    assert_eq!(entry.code().as_deref(), Some("130"));
    let lines = entry.log_lines();
    let [.., cancelled, sentence] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(cancelled, "error|Received interrupt terminated, cancelling...");
    assert_eq!(sentence, "error|aborted by SIGTERM before the process was started");
    assert_eq!(entry.report()["reason"], "aborted");
}
