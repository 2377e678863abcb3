//! One run of a runner under entrypoint, stopped in one way.

use crate::report::{self, State};
use crate::table::{Runner, Way};
use common::signal::Signal;
use common::timestamp::Timestamp;
use harness::pod::Pod;
use harness::process::{self, Running};
use harness::wait;
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// The default grace period, which the table's states are for.
const GRACE: &str = "15s";

/// Between the begin of the test that waits and its interruption, at least: a runner
/// that has started a test is not always ready for a signal at once, nor has it noted
/// the end of the test before.
const SETTLED: Duration = Duration::from_secs(1);

/// Longer than any runner takes to begin on a busy machine.
const MAX_START: Duration = Duration::from_mins(3);

/// A directory with the runners and a copy of the sample.
pub(crate) struct Bench {
    runners: PathBuf,
    work: tempfile::TempDir,
}

impl Bench {
    /// Copies and prepares the sample.
    pub(crate) fn new(runners: &Path, runner: Runner) -> Self {
        let parent = runners.join("work");
        std::fs::create_dir_all(&parent).unwrap();
        // Below the runners: that is where Node looks for modules.
        let work = tempfile::Builder::new().prefix("sample-").tempdir_in(parent).unwrap();
        let bench = Self { runners: runners.to_owned(), work };
        let sample =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("campaign/runners/samples").join(runner.sample);
        let mut copy = Command::new("sh");
        let script =
            format!("cp -r {}/. . && mkdir reports && {{ {}; }}", sample.display(), or_true(runner.prepare));
        let output = bench.at_home(copy.args(["-ec", &script])).output().unwrap();
        assert!(output.status.success(), "{}: {output:?}", runner.name);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// The environment of the runners, and the sample as working directory.
    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        with_runners(&self.runners, command);
        command.current_dir(self.work.path());
        command.envs([("REACHED", self.path("reached")), ("FINISHED", self.path("finished"))])
    }

    /// Returns true if there is such a program.
    pub(crate) fn has(runners: &Path, program: &str) -> bool {
        let mut look = Command::new("sh");
        look.args(["-c", "command -v \"$0\"", program]);
        with_runners(runners, &mut look);
        look.output().is_ok_and(|output| output.status.success())
    }
}

/// The environment in which the runners are found.
fn with_runners(runners: &Path, command: &mut Command) {
    let mut path = std::ffi::OsString::new();
    for bin in ["py/bin", "bin", "node_modules/.bin", "node_modules/bats/bin"] {
        path.push(runners.join(bin));
        path.push(":");
    }
    path.push(std::env::var_os("PATH").unwrap_or_default());
    command.envs([("PATH", path.as_os_str()), ("RUNNERS", runners.as_os_str())]);
    command.env("VIRTUAL_ENV", runners.join("py"));
    command.env("MAVEN_OPTS", format!("-Dmaven.repo.local={}", runners.join("m2").display()));
    command.envs([("CI", "true"), ("YARN_ENABLE_TELEMETRY", "0"), ("NO_UPDATE_NOTIFIER", "1")]);
}

fn or_true(command: &str) -> &str {
    if command.is_empty() { "true" } else { command }
}

/// The end of a run.
pub(crate) struct Stopped {
    pub(crate) state: State,
    /// From the start to the begin of the test that waits.
    pub(crate) start: Duration,
    /// From the first signal to the marker.
    pub(crate) took: Duration,
    /// Status of the runner.
    pub(crate) child: Value,
}

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, start, took, child } = self;
        write!(formatter, "{state}, begun after {start:.1?}, stopped within {took:.1?}, {child}")
    }
}

/// Runs and stops it, with another timeout as often as that did not stop its second test.
pub(crate) fn stop(runners: &Path, runner: Runner, way: Way, mut timeout: Duration) -> Stopped {
    let started = Instant::now();
    loop {
        timeout = match attempt(runners, runner, way, timeout) {
            Ok(stopped) => return stopped,
            Err(Missed::TooEarly) => timeout * 2,
            Err(Missed::TooLate { start }) => timeout_for(start),
        };
        assert!(started.elapsed() < MAX_START * 2, "{} ({}) is not stopped in time", runner.name, way.name);
    }
}

/// The timeout that stops the second test of a runner that takes so long to begin it.
pub(crate) fn timeout_for(start: Duration) -> Duration {
    start * 2 + SETTLED
}

/// A timeout that did not stop the second test.
enum Missed {
    /// It had not begun.
    TooEarly,
    /// It had ended by itself: an earlier start had taken much longer.
    TooLate {
        /// From the start to its begin.
        start: Duration,
    },
}

/// One run.
fn attempt(runners: &Path, runner: Runner, way: Way, timeout: Duration) -> Result<Stopped, Missed> {
    let bench = Bench::new(runners, runner);
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = format!("{}; code=$?; echo \"ended with $code\"; exit $code", runner.command);
    let args = if way.script { vec!["bash", "-c", &script] } else { runner.command.split(' ').collect() };
    let mut command = pod.entrypoint_command(&entry, &args, options(way, timeout));
    let started = Instant::now();
    let running = process::start(pod.tree(), bench.at_home(&mut command));
    let begun = wait_for_begin(&bench, &entry, running, way);
    let (running, begun) = begun.ok_or(Missed::TooEarly)?;
    let start = started.elapsed();
    if !way.timeout {
        // Nothing shows that a runner is ready.
        let _ = wait::within(SETTLED, || None::<()>);
        running.signal(Signal::TERM);
    }
    let ended = running.wait_for(MAX_START);
    let what = format!("{} ({}): {ended:#?}", runner.name, way.name);
    let report = entry.report();
    let first = first_signal(&report).ok_or(Missed::TooLate { start })?;
    if way.timeout && begun + SETTLED > first {
        return Err(Missed::TooEarly);
    }
    ended.expect_code(if way.timeout { 127 } else { 130 });
    assert_eq!(report["output"]["dropped_bytes"], 0, "{what}");
    assert_eq!(pod.tree().members(), [], "I3: {what}");
    Ok(Stopped {
        state: report::state(&reports(&bench), bench.path("finished").exists()),
        start,
        took: SystemTime::now().duration_since(first).unwrap_or_default(),
        child: report["child"].clone(),
    })
}

/// The directory of the reports; meson chooses its own.
fn reports(bench: &Bench) -> PathBuf {
    let meson = bench.path("build/meson-logs");
    if meson.is_dir() { meson } else { bench.path("reports") }
}

/// Options as `podutils run` and `inject` set them, or Prow's.
fn options(way: Way, timeout: Duration) -> Value {
    let timeout = if way.timeout { timeout } else { MAX_START };
    let mut options = json!({"grace_period": GRACE, "timeout": format!("{}ms", timeout.as_millis())});
    if !way.prow {
        options["supervision"] = json!({
            "signal_scope": "group", "interrupt": "int_then_escalation",
            "escalation": [{"signal": "SIGTERM", "after": "10s"}]});
    }
    options
}

/// Waits for the second test; nothing when entrypoint has ended before.
fn wait_for_begin(
    bench: &Bench,
    entry: &harness::pod::Entry,
    mut running: Running,
    way: Way,
) -> Option<(Running, SystemTime)> {
    let reached = bench.path("reached");
    // k6 can write no file.
    let has_begun = || reached.exists() || entry.log_text().contains("msg=reached");
    let begun = wait::within(MAX_START, || (has_begun() || running.has_ended()).then(SystemTime::now));
    if has_begun() {
        return begun.map(|begun| (running, begun));
    }
    assert!(way.timeout, "the runner never began: {running:#?}");
    None
}

/// When the first signal was sent.
fn first_signal(report: &Value) -> Option<SystemTime> {
    let at: Timestamp = report["interrupts"][0]["at"].as_str()?.parse().expect("RFC 3339");
    let nanos = u64::try_from(at.as_nanos()).expect("after 1970");
    Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos))
}
