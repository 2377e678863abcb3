//! The kubelet's part: start, signals, grace period, kill.

use super::follower::Follower;
use super::options::Options;
use super::pod::{Pod, Programs};
use super::reap;
use crate::terminal::{self, Problem};
use common::signal::Signal;
use rustix::process::{Pid, kill_process, set_child_subreaper};
use std::future::pending;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;
use tokio::signal::unix::{self, SignalKind};
use tokio::time::{Instant, sleep_until};

/// Upper bound on checks for readiness; then the program gets its signal all the same.
const MAX_READY_CHECKS: u32 = 500;

/// Interval of these checks.
const READY_CHECK_INTERVAL: Duration = Duration::from_millis(2);

/// Between two looks at what sidecar says of the destination.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// The ends of both programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// Entrypoint.
    pub(crate) entrypoint: End,
    /// Sidecar.
    pub(crate) sidecar: End,
    /// Set if the pod's grace period was over first.
    pub(crate) killed: bool,
    /// Set if the pod was told to end.
    pub(crate) told: bool,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this status.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

impl End {
    /// The exit status as shells give it.
    pub(crate) fn status(self) -> u8 {
        common::codes::exit_status(match self {
            Self::Code(code) => code,
            Self::Signal(signal) => common::codes::died_of(signal.as_raw()),
        })
    }
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        match status.signal().and_then(Signal::from_raw) {
            Some(signal) => Self::Signal(signal),
            // A process that was not killed has a code (wait(2)).
            None => Self::Code(status.code().unwrap_or(1)),
        }
    }
}

/// Runs the pod to its end.
pub(crate) async fn run(pod: &Pod, programs: &Programs, options: &Options) -> Result<Ends, Problem> {
    let mut children = watch(SignalKind::child())?;
    let mut interrupt = watch(SignalKind::interrupt())?;
    let mut terminate = watch(SignalKind::terminate())?;
    let mut hang_up = watch(SignalKind::hangup())?;
    // Emulators of other processors refuse it, qemu's for example.
    if let Err(error) = set_child_subreaper(Some(rustix::process::getpid())) {
        crate::terminal::line(&format!(
            "warning: orphans are adopted only by PID 1 ({error}): processes of the job stay if entrypoint is killed"
        ));
    }
    let mut kubelet = Kubelet::start(pod, programs)?;
    let mut follower = Follower::new(pod.sidecar_log());
    let mut looks = tokio::time::interval(FOLLOW_INTERVAL);
    loop {
        let deadline = kubelet.deadline;
        let over = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = children.recv() => kubelet.look()?,
            _ = interrupt.recv() => kubelet.tell(Signal::INT, options),
            _ = terminate.recv() => kubelet.tell(Signal::TERM, options),
            _ = hang_up.recv() => kubelet.tell(Signal::HUP, options),
            () = over => kubelet.kill(),
            _ = looks.tick() => show(&mut follower),
        }
        if let (Some(entrypoint), Some(sidecar)) = (kubelet.entrypoint.end, kubelet.sidecar.end) {
            // Sidecar may have ended between two looks.
            show(&mut follower);
            let told = kubelet.deadline.is_some();
            return Ok(Ends { entrypoint, sidecar, killed: kubelet.killed, told });
        }
    }
}

fn watch(kind: SignalKind) -> Result<unix::Signal, Problem> {
    unix::signal(kind).map_err(|error| Problem::new(format!("cannot catch signals: {error}")))
}

/// Runs sidecar alone, for a pod that has ended; returns how it ended, and whether it was killed.
/// The first signal tells it to come to an end, the second one kills it.
pub(super) async fn deliver(pod: &Pod, programs: &Programs) -> Result<(End, bool), Problem> {
    let mut children = watch(SignalKind::child())?;
    let mut interrupt = watch(SignalKind::interrupt())?;
    let mut terminate = watch(SignalKind::terminate())?;
    let mut sidecar = pod
        .sidecar_command(programs)
        .and_then(|mut command| Process::start(&mut command))
        .map_err(|error| Problem::new(format!("sidecar does not start: {error}")))?;
    let mut follower = Follower::new(pod.sidecar_log());
    let mut looks = tokio::time::interval(FOLLOW_INTERVAL);
    let mut signals = 0_u32;
    loop {
        let told = tokio::select! {
            _ = children.recv() => false,
            _ = looks.tick() => false,
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
        };
        show(&mut follower);
        let ended = sidecar.has_just_ended();
        ended.map_err(|error| Problem::new(format!("cannot watch sidecar: {error}")))?;
        if let Some(end) = sidecar.end {
            return Ok((end, signals > 1));
        }
        if told {
            signals += 1;
            if signals == 1 {
                sidecar.wait_until_ready();
                sidecar.signal(rustix::process::Signal::TERM);
                terminal::line("coming to an end; the same signal again ends it at once");
            } else {
                sidecar.signal(rustix::process::Signal::KILL);
            }
        }
    }
}

/// Runs a program to its end. One that takes longer, or an interrupt meanwhile, kills it.
pub(super) async fn run_for(command: &mut Command, limit: Duration) -> Result<(), Problem> {
    let mut children = watch(SignalKind::child())?;
    let mut interrupt = watch(SignalKind::interrupt())?;
    let mut terminate = watch(SignalKind::terminate())?;
    let fail = |error: std::io::Error| Problem::new(format!("sidecar: {error}"));
    let mut process = Process::start(command).map_err(fail)?;
    let deadline = Instant::now() + limit;
    loop {
        process.has_just_ended().map_err(fail)?;
        match process.end {
            Some(End::Code(0)) => return Ok(()),
            Some(End::Code(code)) => return Err(Problem::new(format!("sidecar ended with {code}"))),
            Some(End::Signal(signal)) => return Err(Problem::new(format!("sidecar was killed by {signal}"))),
            None => {}
        }
        tokio::select! {
            _ = children.recv() => {}
            _ = interrupt.recv() => process.signal(rustix::process::Signal::KILL),
            _ = terminate.recv() => process.signal(rustix::process::Signal::KILL),
            () = sleep_until(deadline), if Instant::now() < deadline => {
                process.signal(rustix::process::Signal::KILL);
            }
        }
    }
}

/// Prints what sidecar has said of the destination since the last look.
fn show(follower: &mut Follower) {
    follower.news().iter().for_each(|line| terminal::line(line));
}

/// A running pod.
struct Kubelet<'a> {
    pod: &'a Pod,
    entrypoint: Process,
    sidecar: Process,
    /// When the pod is killed; `None` until it is told to end.
    deadline: Option<Instant>,
    killed: bool,
}

impl<'a> Kubelet<'a> {
    fn start(pod: &'a Pod, programs: &Programs) -> Result<Self, Problem> {
        let mut sidecar = pod
            .sidecar_command(programs)
            .and_then(|mut command| Process::start(&mut command))
            .map_err(|error| Problem::new(format!("sidecar does not start: {error}")))?;
        match Process::start(&mut pod.entrypoint_command(programs)) {
            Ok(entrypoint) => Ok(Self { pod, entrypoint, sidecar, deadline: None, killed: false }),
            Err(error) => {
                sidecar.signal(rustix::process::Signal::KILL);
                Err(Problem::new(format!("entrypoint does not start: {error}")))
            }
        }
    }

    /// Sees who has ended.
    fn look(&mut self) -> Result<(), Problem> {
        let fail = |error: std::io::Error| Problem::new(format!("cannot watch the pod's programs: {error}"));
        if self.entrypoint.has_just_ended().map_err(fail)? {
            reap::adopted(&[self.entrypoint.pid, self.sidecar.pid]);
            if !self.pod.has_begun() {
                // It would wait for ever.
                self.sidecar.signal(rustix::process::Signal::KILL);
            }
        }
        if self.sidecar.has_just_ended().map_err(fail)? && self.entrypoint.end.is_none() {
            terminal::line(
                "sidecar has ended while the test runs: the test goes on, but its results stay in the pod directory",
            );
        }
        Ok(())
    }

    /// A signal from outside: the pod is told to end, once.
    fn tell(&mut self, signal: Signal, options: &Options) {
        let doing =
            if self.entrypoint.end.is_none() { "waiting for the test to end" } else { "delivering results" };
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            terminal::line(&format!(
                "{signal} again: still {doing}, for {} at most; nothing is lost yet",
                terminal::time(left)
            ));
            return;
        }
        self.deadline = Some(Instant::now() + self.pod.grace_period());
        for process in [&mut self.entrypoint, &mut self.sidecar] {
            process.wait_until_ready();
            process.signal(rustix::process::Signal::TERM);
        }
        terminal::line(&format!(
            "{signal}: {doing}; the test has {} to end, then its results have {} to be delivered",
            options.grace_period, options.upload_budget
        ));
    }

    /// The pod's grace period is over.
    fn kill(&mut self) {
        // Once: what survives a kill has nothing left to be told.
        self.deadline = Some(Instant::now() + Duration::from_hours(1));
        self.killed = true;
        terminal::line(&format!(
            "the pod's grace period of {} is over: killed",
            terminal::time(self.pod.grace_period())
        ));
        self.entrypoint.signal(rustix::process::Signal::KILL);
        self.sidecar.signal(rustix::process::Signal::KILL);
    }
}

/// One of the two programs.
struct Process {
    child: Child,
    pid: Pid,
    end: Option<End>,
}

impl Process {
    fn start(command: &mut Command) -> std::io::Result<Self> {
        let child = command.spawn()?;
        Ok(Self { pid: Pid::from_child(&child), child, end: None })
    }

    /// Returns whether it ended since the last look.
    fn has_just_ended(&mut self) -> std::io::Result<bool> {
        if self.end.is_some() {
            return Ok(false);
        }
        self.end = self.child.try_wait()?.map(End::from);
        Ok(self.end.is_some())
    }

    /// Waits until the program handles TERM: in the first milliseconds of its
    /// life a signal would kill it, and its results with it.
    fn wait_until_ready(&self) {
        for _ in 0..MAX_READY_CHECKS {
            if self.end.is_some() || handles_term(self.pid) {
                return;
            }
            std::thread::sleep(READY_CHECK_INTERVAL);
        }
    }

    fn signal(&mut self, signal: rustix::process::Signal) {
        if self.end.is_none() {
            // Its pid is ours until it is reaped, so nobody else can be hit, and
            // one that has ended needs no signal.
            let _ = kill_process(self.pid, signal);
        }
    }
}

/// Returns whether a process catches TERM, or blocks it to read it from a descriptor
/// (`SigCgt` and `SigBlk` of proc(5)); one that has ended needs no waiting for.
fn handles_term(pid: Pid) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    };
    let is_zombie = status.lines().any(|line| line.starts_with("State:\tZ"));
    is_zombie || (mask("SigCgt:") | mask("SigBlk:")) & (1 << (Signal::TERM.as_raw() - 1)) != 0
}
