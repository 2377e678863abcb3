//! The processes of the job's tree: reaping, scanning and signalling.
//!
//! Only our own children are ever signalled by pid. They stay ours until they are
//! reaped, in one place, so that a pid cannot be reused under us.

use super::stat::{Stat, reads_a_pipe};
use crate::supervise::{Descendant, Identity, Pid, Process, Target, Top, Tree as Event};
use crate::sys;
use common::report::ChildEnd;
use common::signal::Signal;
use common::timestamp::Timestamp;
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus};
use std::io;
use std::time::Instant;

/// The job's tree.
#[derive(Debug, Default)]
pub(super) struct Processes {
    child: Option<Child>,
    child_ended: Option<Timestamp>,
    proc: Proc,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    pid: i32,
    life: Life,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Running,
    Reaped,
}

/// Availability of /proc.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Proc {
    #[default]
    Untried,
    Readable,
    /// Not mounted, or for another pid namespace.
    Unusable,
}

impl Processes {
    /// Records the child that was just started.
    pub(super) fn started(&mut self, pid: i32) {
        self.child = Some(Child { pid, life: Life::Running });
    }

    /// Returns the time at which the child was reaped.
    pub(super) fn child_ended(&self) -> Option<Timestamp> {
        self.child_ended
    }

    /// Reaps every child that has ended.
    pub(super) fn reap(&mut self) -> Vec<Event> {
        let mut happened = Vec::new();
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    happened.extend(self.reaped(pid.as_raw_nonzero().get(), status));
                }
                Ok(None) => return happened,
                Err(Errno::INTR) => {}
                Err(_) => {
                    // The only other error is that there are no children.
                    happened.push(Event::Gone);
                    return happened;
                }
            }
        }
    }

    fn reaped(&mut self, pid: i32, status: WaitStatus) -> Option<Event> {
        let end = match (status.exit_status(), status.terminating_signal().and_then(Signal::from_raw)) {
            (Some(code), _) => ChildEnd::ExitCode(code),
            (None, Some(signal)) => ChildEnd::Signal(signal),
            // Stopped or continued, which the call did not ask for.
            (None, None) => return None,
        };
        match &mut self.child {
            Some(child) if child.pid == pid && child.life == Life::Running => {
                child.life = Life::Reaped;
                self.child_ended = Some(Timestamp::now());
                Some(Event::ChildEnded(end))
            }
            Some(_) | None => Some(Event::Reaped(Pid(pid))),
        }
    }

    fn is_proc_readable(&mut self) -> bool {
        if self.proc == Proc::Untried {
            self.proc = if shows_us() { Proc::Readable } else { Proc::Unusable };
        }
        self.proc == Proc::Readable
    }

    /// Lists our children, the direct one excluded.
    pub(super) fn scan(&mut self) -> Event {
        let found = if self.is_proc_readable() { children() } else { None };
        let child = self.child.map(|child| child.pid);
        match found {
            None => Event::Unknown,
            Some(pids) => Event::Children(
                pids.into_iter()
                    .filter(|pid| self.running_child() != Some(*pid))
                    .map(|pid| Process {
                        id: Identity { pid: Pid(pid), started: start_time(pid) },
                        filter: reads_a_pipe(pid),
                        in_group: child.is_some() && sys::group_of(pid) == child,
                    })
                    .collect(),
            ),
        }
    }

    /// Lists all processes of the tree, in ascending order, as far as there is time until
    /// `deadline`, zombies left out; none without a readable /proc. A kernel built without
    /// `CONFIG_PROC_CHILDREN` shows our own children only.
    pub(super) fn list_tree(&mut self, deadline: Instant) -> Vec<Listed> {
        let mut found = Vec::new();
        let mut open = if self.is_proc_readable() { children().unwrap_or_default() } else { Vec::new() };
        while let Some(pid) = open.pop().filter(|_| Instant::now() < deadline) {
            let Some(stat) = Stat::of(pid) else { continue };
            open.extend(children_of(pid));
            if stat.state != Some(b'Z') {
                found.push(Listed { pid, stat });
            }
        }
        found.sort_unstable_by_key(|listed| listed.pid);
        found
    }

    /// Lists the tree's processes whose parent is not us; `None` without a readable /proc.
    pub(super) fn scan_tree(&mut self) -> Option<Vec<Descendant>> {
        if !self.is_proc_readable() {
            return None;
        }
        let all = all_processes()?;
        let (own, child) = (std::process::id(), self.running_child());
        let mut found = Vec::new();
        for Listed { pid, stat } in &all {
            // A zombie cannot be signalled, and its children are another's by now.
            if stat.parent == Some(own) || stat.state == Some(b'Z') {
                continue;
            }
            if let Some(top) = top_of(*pid, &all, own) {
                found.push(Descendant {
                    id: Identity { pid: Pid(*pid), started: stat.started },
                    top: if Some(top) == child { Top::Child } else { Top::Adopted },
                    filter: reads_a_pipe(*pid),
                });
            }
        }
        Some(found)
    }

    fn running_child(&self) -> Option<i32> {
        self.child.filter(|child| child.life == Life::Running).map(|child| child.pid)
    }

    /// Sends a signal. A target that is gone is no error.
    pub(super) fn signal(&self, target: Target, signal: Signal) -> io::Result<()> {
        let sent = match target {
            Target::Child => self.running_child().map_or(Ok(()), |pid| sys::kill(pid, signal)),
            Target::ChildGroup => match self.child {
                Some(child) if is_ours(child.pid) => sys::kill(-child.pid, signal),
                Some(_) | None => Ok(()),
            },
            Target::Process(Pid(pid)) => sys::kill(pid, signal),
            Target::Descendant(id) => signal_same(id, signal),
            Target::GroupOf(Pid(pid)) => {
                if let Some(group) = sys::group_of(pid).filter(|group| sys::group_of(0) != Some(*group)) {
                    // Members may be gone or belong to another user; the process
                    // itself counts.
                    let _ = sys::kill(-group, signal);
                }
                sys::kill(pid, signal)
            }
        };
        match sent {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            other => other,
        }
    }
}

/// Returns true if a child of ours, running or not, is in this process group: only
/// then does the number still mean our tree.
fn is_ours(group: i32) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let Some(group) = Pid::from_raw(group) else { return false };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pgid(Some(group)), look).is_ok()
}

/// Returns true if /proc is mounted for our own pid namespace.
fn shows_us() -> bool {
    let own = std::process::id().to_string();
    std::fs::read_link("/proc/self").is_ok_and(|link| link.as_os_str() == own.as_str())
}

/// Returns our children. A kernel built with `CONFIG_PROC_CHILDREN` lists them; else
/// every process's parent is read.
fn children() -> Option<Vec<i32>> {
    if let Ok(text) = std::fs::read_to_string("/proc/thread-self/children") {
        return Some(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect());
    }
    let own = std::process::id();
    let pids = std::fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        (Stat::of(pid)?.parent? == own).then_some(pid)
    });
    Some(pids.collect())
}

/// A process that /proc shows.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    pub(super) pid: i32,
    pub(super) stat: Stat,
}

/// Returns all processes that /proc shows, in ascending order as the kernel lists them
/// (`proc_pid_readdir`).
fn all_processes() -> Option<Vec<Listed>> {
    let processes = std::fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        Some(Listed { pid, stat: Stat::of(pid)? })
    });
    Some(processes.collect())
}

/// Returns the children of all threads of a process.
fn children_of(pid: i32) -> Vec<i32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let texts = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    texts
        .flat_map(|text| text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Returns the ancestor of a process that is our own child.
fn top_of(pid: i32, all: &[Listed], own: u32) -> Option<i32> {
    let mut top = pid;
    // The processes were not read at one instant, so the chain may be inconsistent.
    for _ in 0..all.len() {
        let at = all.binary_search_by_key(&top, |listed| listed.pid).ok()?;
        let parent = all[at].stat.parent?;
        if parent == own {
            return Some(top);
        }
        top = i32::try_from(parent).ok()?;
    }
    None
}

/// Signals a process that is not our child, whose number the kernel may have given
/// to another one: a descriptor holds the process between check and signal.
fn signal_same(id: Identity, signal: Signal) -> io::Result<()> {
    let Pid(pid) = id.pid;
    let is_same = || Stat::of(pid).is_some_and(|stat| stat.started == id.started);
    let opened = rustix::process::Pid::from_raw(pid)
        .map(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()));
    if !is_same() {
        return Ok(());
    }
    match opened {
        Some(Ok(process)) => sys::kill_descriptor(&process, signal),
        // Kernels before 5.3 have no such descriptors, and some seccomp profiles refuse them.
        Some(Err(_)) | None => sys::kill(pid, signal),
    }
}

fn start_time(pid: i32) -> u64 {
    Stat::of(pid).map_or(0, |stat| stat.started)
}
