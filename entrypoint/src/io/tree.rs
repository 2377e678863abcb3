//! The processes of the tree: reaping, looking and signalling. Nothing outside
//! the tree is ever touched: only our own children are, which stay ours until
//! they are reaped, in one place.

use super::sys;
use crate::supervise::{Pid, Process, Target, Tree as Happened};
use common::report::ChildEnd;
use common::signal::Signal;
use common::timestamp::Timestamp;
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus};
use std::io;

/// Command lines are cut here: a name is for recognising a process.
const NAME_LIMIT: usize = 200;

/// The child's tree.
#[derive(Debug, Default)]
pub(super) struct Tree {
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

/// How entrypoint's children can be found.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Proc {
    #[default]
    Untried,
    Readable,
    /// Not mounted, or for another pid namespace.
    Unusable,
}

impl Tree {
    /// The child that has just been started.
    pub(super) fn started(&mut self, pid: i32) {
        self.child = Some(Child { pid, life: Life::Running });
    }

    /// When the child was reaped.
    pub(super) fn child_ended(&self) -> Option<Timestamp> {
        self.child_ended
    }

    /// Reaps whoever has ended.
    pub(super) fn reap(&mut self) -> Vec<Happened> {
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
                    happened.push(Happened::Gone);
                    return happened;
                }
            }
        }
    }

    fn reaped(&mut self, pid: i32, status: WaitStatus) -> Option<Happened> {
        let end = match (status.exit_status(), status.terminating_signal().and_then(Signal::from_raw)) {
            (Some(code), _) => ChildEnd::ExitCode(code),
            (None, Some(signal)) => ChildEnd::Signal(signal),
            // Stopped or continued, which was not asked for.
            (None, None) => return None,
        };
        match &mut self.child {
            Some(child) if child.pid == pid && child.life == Life::Running => {
                child.life = Life::Reaped;
                self.child_ended = Some(Timestamp::now());
                Some(Happened::ChildEnded(end))
            }
            Some(_) | None => Some(Happened::Reaped(Pid(pid))),
        }
    }

    /// Looks for our children, the direct one excluded.
    pub(super) fn scan(&mut self) -> Happened {
        if self.proc == Proc::Untried {
            self.proc = if shows_us() { Proc::Readable } else { Proc::Unusable };
        }
        let found = match self.proc {
            Proc::Readable => children(),
            Proc::Unusable | Proc::Untried => None,
        };
        let child = self.child.map(|child| child.pid);
        match found {
            None => Happened::Unknown,
            Some(pids) => Happened::Children(
                pids.into_iter()
                    .filter(|pid| self.running_child() != Some(*pid))
                    .map(|pid| Process {
                        pid: Pid(pid),
                        filter: reads_a_pipe(pid),
                        in_group: child.is_some() && sys::group_of(pid) == child,
                    })
                    .collect(),
            ),
        }
    }

    fn running_child(&self) -> Option<i32> {
        self.child.filter(|child| child.life == Life::Running).map(|child| child.pid)
    }

    /// Sends a signal. That the target is gone is no error.
    pub(super) fn signal(&self, target: Target, signal: Signal) -> io::Result<()> {
        let sent = match target {
            Target::Child => self.running_child().map_or(Ok(()), |pid| sys::kill(pid, signal)),
            Target::ChildGroup => match self.child {
                Some(child) if is_ours(child.pid) => sys::kill(-child.pid, signal),
                Some(_) | None => Ok(()),
            },
            Target::Process(Pid(pid)) => sys::kill(pid, signal),
            Target::GroupOf(Pid(pid)) => {
                if let Some(group) = sys::group_of(pid).filter(|group| sys::group_of(0) != Some(*group)) {
                    // Its members may be gone or may not be ours to signal; the
                    // process itself counts.
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

/// Whether a child of ours is in this process group, running or not: only then
/// does its number still mean our tree.
fn is_ours(group: i32) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let Some(group) = Pid::from_raw(group) else { return false };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pgid(Some(group)), look).is_ok()
}

/// Whether /proc is mounted and numbers processes as we do.
fn shows_us() -> bool {
    let own = std::process::id().to_string();
    std::fs::read_link("/proc/self").is_ok_and(|link| link.as_os_str() == own.as_str())
}

/// Our children. The kernel lists them where it is built to
/// (`CONFIG_PROC_CHILDREN`); else every process is asked for its parent.
fn children() -> Option<Vec<i32>> {
    if let Ok(text) = std::fs::read_to_string("/proc/thread-self/children") {
        return Some(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect());
    }
    let own = std::process::id();
    let pids = std::fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        (parent_of(pid)? == own).then_some(pid)
    });
    Some(pids.collect())
}

/// The fourth field of `proc_pid_stat(5)`; the second may hold anything but is
/// in parentheses.
fn parent_of(pid: i32) -> Option<u32> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit(|byte| *byte == b')').next()?;
    std::str::from_utf8(after_name).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn reads_a_pipe(pid: i32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/fd/0"))
        .is_ok_and(|target| target.as_os_str().as_encoded_bytes().starts_with(b"pipe:"))
}

/// Whether no thread of the process is in uninterruptible sleep.
///
/// A thread that waits for a dead file system in a page fault can hold the lock
/// that reading the command line needs: then the reader waits with it.
fn is_awake(pid: i32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.filter_map(Result::ok).all(|thread| {
        let stat = std::fs::read(thread.path().join("stat")).unwrap_or_default();
        state_of(&stat) != Some(b'D')
    })
}

/// The third field of `proc_pid_stat(5)`, a letter; the second may hold anything
/// but is in parentheses.
fn state_of(stat: &[u8]) -> Option<u8> {
    let after_name = stat.rsplit(|byte| *byte == b')').next()?;
    after_name.iter().copied().find(|byte| *byte != b' ')
}

/// `<pid> <command line>`, on one line.
pub(super) fn name(Pid(pid): Pid) -> String {
    let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let mut line = if is_awake(pid) { read("cmdline") } else { Vec::new() };
    if line.is_empty() {
        // A kernel thread, a process that has just ended, or one that sleeps.
        line = read("comm");
    }
    let text = String::from_utf8_lossy(&line);
    let shown: String = text
        .trim_end_matches(['\0', '\n'])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(NAME_LIMIT)
        .collect();
    format!("{pid} {shown}")
}
