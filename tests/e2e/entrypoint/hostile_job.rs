//! Pins: I1, I3; common/README.md, "Opening files that a hostile job can replace".
//!
//! entrypoint when the job makes its own entry odd: directories where files
//! belong, filters that outlive it, a process that nothing can kill.

use common::signal::Signal;
use harness::pod::Pod;
use harness::{skip, wait};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

#[test]
fn directories_in_place_of_marker_report_and_lock_are_replaced() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = format!(
        "for f in '{0}' '{0}.report.json' '{0}.lock'; do rm -f $f; mkdir $f; echo kept > $f/inside; done; exit 3",
        entry.marker.display()
    );
    pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(3);
    assert_eq!(entry.code().as_deref(), Some("3"));
    assert_eq!(entry.report()["reason"], "exited");
    let aside = fs::read_dir(pod.logs()).expect("listed").filter_map(|found| {
        let path = found.expect("an entry").path();
        (path.extension()? == "moved").then(|| fs::read_to_string(path.join("inside")).expect("read"))
    });
    assert_eq!(aside.collect::<Vec<_>>(), ["kept\n", "kept\n"], "marker's and report's, moved aside");
}

#[test]
fn directories_of_an_earlier_run_are_moved_aside() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    for suffix in ["", ".lock", ".report.json"] {
        fs::create_dir_all(format!("{}{suffix}", entry.marker.display())).expect("made");
    }
    pod.entrypoint(&entry, &["true"], json!({})).wait().expect_code(0);
    assert_eq!(entry.code().as_deref(), Some("0"));
    assert_eq!(entry.report()["reason"], "exited");
}

#[test]
fn directory_in_place_of_the_log_is_moved_aside() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = format!("echo before; rm '{0}'; mkdir '{0}'; echo after", entry.log.display());
    pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(0);
    assert_eq!(entry.log_text(), "before\nafter\n");
}

#[test]
fn leftover_that_reads_a_pipe_gets_term_before_kill() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let filter = "trap 'echo told > told; exit 0' TERM; echo > ready; while :; do sleep 0.02; done";
    let script = format!("{HOSTILE} ignore | sh -c \"{filter}\" & until [ -e ready ]; do sleep 0.02; done");
    let mut command = pod.entrypoint_command(&entry, &["sh", "-c", &script], json!({}));
    let ended = harness::process::run(pod.tree(), command.current_dir(pod.path("")));
    ended.expect_code(0);
    assert!(pod.path("told").exists(), "{ended:#?}");
    let report = entry.report();
    assert_eq!(report["leftovers"]["killed"], 1, "only the deaf one: {report}");
    assert_eq!(pod.tree().members(), []);
}

#[test]
fn volume_full_at_the_very_end_gets_marker_and_report() {
    let mount =
        "mount -t tmpfs -o size=128k none \"$1\" && cd \"$1\" && \"$0\"; code=$?; cp -a . \"$2\"; exit $code";
    let mut probe = std::process::Command::new("unshare");
    if !probe.args(["--mount", "true"]).output().is_ok_and(|output| output.status.success()) {
        skip!("a mount namespace is not permitted here");
    }
    let pod = Pod::new();
    let entry = pod.entry("test");
    let copy = pod.path("copy");
    fs::create_dir(&copy).expect("made");
    let script = format!(
        "echo said; until [ -s '{}' ]; do sleep 0.02; done; cat /dev/zero > filler 2>/dev/null; exit 3",
        entry.log.display()
    );
    let own = json!({"artifact_dir": ""});
    let options = pod.entrypoint_options(&entry, &["sh", "-c", &script], own).to_string();
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", mount]).arg(harness::bins::program("entrypoint"));
    command.arg(pod.logs()).arg(&copy).env("ENTRYPOINT_OPTIONS", options);
    harness::process::run(pod.tree(), &mut command).expect_code(3);
    let at_end = |path: &Path| fs::read_to_string(copy.join(path.file_name().expect("a name")));
    assert_eq!(at_end(&entry.marker).expect("a marker"), "3");
    let log = at_end(&entry.log).expect("a log");
    let lines = log.lines().map(harness::pod::record_text).collect::<Vec<_>>();
    // The log's own block has room for the record.
    assert_eq!(lines, ["said", "error|exited with code 3"]);
    let report = at_end(&common::marker::report_path(&entry.marker)).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("a whole report");
    assert_eq!((&report["reason"], &report["code"]), (&json!("exited"), &json!(3)));
}

/// A control group of the first version's freezer: not even SIGKILL ends what is
/// frozen in it. Thawed and removed with the value.
pub(crate) struct Freezer(PathBuf);

impl Freezer {
    pub(crate) fn new() -> Option<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pod-utils-{}-{number}", std::process::id());
        let group = Path::new("/sys/fs/cgroup/freezer").join(name);
        fs::create_dir(&group).ok()?;
        Some(Self(group))
    }

    pub(crate) fn freeze(&self, pid: &str) {
        fs::write(self.0.join("cgroup.procs"), pid).expect("moved");
        fs::write(self.0.join("freezer.state"), "FROZEN").expect("frozen");
        wait::until("the process is frozen", || {
            let state = fs::read_to_string(self.0.join("freezer.state")).ok()?;
            (state.trim() == "FROZEN").then_some(())
        });
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        fs::write(self.0.join("freezer.state"), "THAWED").expect("thawed");
        wait::until("the group is empty", || fs::remove_dir(&self.0).ok());
    }
}

#[test]
fn unkillable_process_is_named_and_delays_nothing() {
    let Some(freezer) = Freezer::new() else {
        skip!("there is no freezer of control groups version 1");
    };
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = "sleep 1000 & echo $! > pid; until [ -e frozen ]; do sleep 0.02; done; exit 4";
    let mut command = pod.entrypoint_command(&entry, &["sh", "-c", script], json!({}));
    let running = harness::process::start(pod.tree(), command.current_dir(pod.path("")));
    let pid = wait::until("the leftover runs", || {
        fs::read_to_string(pod.path("pid")).ok().filter(|text| text.ends_with('\n'))
    });
    freezer.freeze(pid.trim());
    fs::write(pod.path("frozen"), "").expect("written");
    running.wait().expect_code(4);
    assert_eq!(entry.code().as_deref(), Some("4"));
    let report = entry.report();
    assert_eq!(report["leftovers"]["unkillable"], 1, "{report}");
    assert_eq!(report["interrupts"][0]["signal"], Signal::TERM.to_string(), "{report}");
    drop(freezer);
    wait::until("what was frozen dies of its SIGKILL", || pod.tree().members().is_empty().then_some(()));
}
