//! A running program: its output, signals to it, its end.

use crate::refused::behind;
use crate::tree::Tree;
use crate::wait;
use common::signal::Signal;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

/// A process that has ended, and what it wrote.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// Everything from its stdout.
    pub stdout: String,
    /// Everything from its stderr.
    pub stderr: String,
    /// From its start to its end.
    pub took: Duration,
}

impl Ended {
    /// Checks how it ended; a mismatch shows what it wrote.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.exit, Exit::Code(code), "{self:#?}");
        self
    }

    /// Checks that each line of stderr is a record: nobody forged one with a name
    /// that goes on in the next line.
    #[track_caller]
    pub fn expect_records(&self) -> &Self {
        for line in self.stderr.lines() {
            let record = serde_json::from_str::<serde_json::Value>(line);
            assert!(record.is_ok_and(|record| record["component"].is_string()), "{line:?} in {self:#?}");
        }
        self
    }

    /// The one line of stderr that a user's mistake may cost.
    #[track_caller]
    pub fn only_line(&self) -> &str {
        let mut lines = self.stderr.lines();
        let line = lines.next().unwrap_or_else(|| panic!("nothing was said: {self:#?}"));
        assert_eq!(lines.next(), None, "more than one line: {self:#?}");
        line
    }
}

/// A running program; killed on drop.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    stdout: Captured,
    stderr: Captured,
    started: Instant,
}

/// Starts a program as a member of `tree`. Its stdin is empty; stdout and stderr
/// are collected.
pub fn start(tree: &Tree, command: &mut Command) -> Running {
    start_with(tree, command, Stdio::piped(), Stdio::piped())
}

/// Like [`start`], with stdout and stderr of the caller's choice; what is not
/// piped is not collected.
pub fn start_with(tree: &Tree, command: &mut Command, stdout: Stdio, stderr: Stdio) -> Running {
    let (variable, mark) = tree.variable();
    command.env(variable, mark).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let name = command.get_program().display().to_string();
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
    let stdout = child.stdout.take().map(Captured::of).unwrap_or_default();
    let stderr = child.stderr.take().map(Captured::of).unwrap_or_default();
    Running { name, child, stdout, stderr, started: Instant::now() }
}

/// The same program behind a shell that stops itself before it becomes it.
pub fn stopped(command: &Command) -> Command {
    behind("sh", &["-c", r#"kill -STOP $$; exec "$0" "$@""#], command)
}

/// Runs a program to its end.
pub fn run(tree: &Tree, command: &mut Command) -> Ended {
    start(tree, command).wait()
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal, once it can take it: one that comes while it starts
    /// would end it by the signal's default.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        if signal != Signal::KILL {
            let ready = || (catches(self.pid(), signal) || self.is_over()).then_some(());
            wait::until(&format!("{} to catch {signal}", self.name), ready);
        }
        self.signal_now(signal);
    }

    /// Sends it a signal, whether it can take it or not.
    pub fn signal_now(&self, signal: Signal) {
        let number = rustix::process::Signal::from_named_raw(signal.as_raw()).expect("a signal with a name");
        kill_process(self.pid(), number)
            .unwrap_or_else(|error| panic!("{} gets no {signal}: {error}", self.name));
    }

    /// Whether it has ended; its status stays to be asked for.
    fn is_over(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid()), look), Ok(None))
    }

    /// Returns its stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Returns its stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until its stdout contains `text`.
    #[track_caller]
    pub fn until_stdout(&mut self, text: &str) {
        let found =
            wait::within(wait::PATIENCE, || (self.stdout().contains(text) || self.has_ended()).then_some(()));
        assert!(found.is_some() && self.stdout().contains(text), "no {text:?} from {self:#?}");
    }

    /// Waits until its stderr contains `text`.
    #[track_caller]
    pub fn until_stderr(&mut self, text: &str) {
        let found =
            wait::within(wait::PATIENCE, || (self.stderr().contains(text) || self.has_ended()).then_some(()));
        assert!(found.is_some() && self.stderr().contains(text), "no {text:?} from {self:#?}");
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(self) -> Ended {
        self.wait_for(wait::PATIENCE)
    }

    /// Waits for its end, `patience` at most.
    #[track_caller]
    pub fn wait_for(mut self, patience: Duration) -> Ended {
        let status = wait::within(patience, || self.child.try_wait().expect("its status"));
        let Some(status) = status else { panic!("still running after {patience:?}: {self:#?}") };
        let took = self.started.elapsed();
        // A descendant that still holds the pipe must not hold up the test.
        let _ = wait::within(Duration::from_secs(2), || {
            (self.stdout.ended() && self.stderr.ended()).then_some(())
        });
        Ended { exit: exit_of(status), stdout: self.stdout.text(), stderr: self.stderr.text(), took }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended and been reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process watches files, which sidecar begins after it has learnt to
/// catch signals.
///
/// That it catches a signal ([`catches`]) is known a moment too early: its
/// handler is there before what the handler looks up.
pub fn watches_files(pid: Pid) -> bool {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut targets = fds.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    targets.any(|target| target.as_os_str() == "anon_inode:inotify")
}

/// Whether a process catches a signal (`SigCgt` of proc(5)), or blocks it to read
/// it from a signalfd (`SigBlk`).
pub fn catches(pid: Pid, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    };
    (mask("SigCgt:") | mask("SigBlk:")) & (1 << (signal.as_raw() - 1)) != 0
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal().and_then(Signal::from_raw)) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => panic!("neither exited nor killed: {status}"),
    }
}

/// A stream that a thread of its own reads to the end.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    open: bool,
}

/// The text, which is what a failed test needs to show.
impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text().fmt(f)
    }
}

impl Captured {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let captured = Self(Arc::new(Mutex::new(Contents { bytes: Vec::new(), open: true })));
        let into = captured.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = stream.read(&mut buffer).unwrap_or(0);
                let mut contents = into.0.lock().unwrap();
                if count == 0 {
                    contents.open = false;
                    return;
                }
                contents.bytes.extend_from_slice(&buffer[..count]);
            }
        });
        captured
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().bytes).into_owned()
    }

    fn ended(&self) -> bool {
        !self.0.lock().unwrap().open
    }
}

/// Returns the peak resident set of a process in KiB; `None` once it has ended.
pub fn peak_memory(pid: Pid) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
