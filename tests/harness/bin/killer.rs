//! `killer PID STOP`: SIGKILL to a process at the `STOP`th time that one of its
//! threads enters or leaves a system call, so at every step that it can be told
//! from outside to have made.
//!
//! The process waits stopped for it, to `exec` the program that is meant
//! ([`harness::process::stopped`]); what comes before does not count. With a
//! number that is never reached it says how many stops there were.

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let number = |index: usize| std::env::args().nth(index).and_then(|text| text.parse::<u64>().ok());
    let (Some(pid), Some(at)) = (number(1), number(2)) else {
        eprintln!("usage: killer PID STOP");
        return ExitCode::from(2);
    };
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    match strike(pid, at) {
        Ok(stops) => {
            println!("{stops} stops");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("killer: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Follows the process to its end; gives the number of stops.
fn strike(pid: Pid, at: u64) -> nix::Result<u64> {
    while !is_stopped(pid) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEEXEC;
    ptrace::seize(pid, options)?;
    kill(pid, Signal::SIGCONT)?;
    let (mut stops, mut begun) = (0, false);
    loop {
        let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(status) => status,
            Err(nix::Error::ECHILD) => return Ok(stops),
            Err(error) => return Err(error),
        };
        let (thread, signal) = match status {
            WaitStatus::PtraceSyscall(thread) => {
                stops += u64::from(begun);
                if begun && stops > at {
                    kill(pid, Signal::SIGKILL)?;
                }
                (thread, None)
            }
            WaitStatus::PtraceEvent(thread, _, event) => {
                begun |= event == nix::libc::PTRACE_EVENT_EXEC;
                (thread, None)
            }
            WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
            WaitStatus::Exited(..)
            | WaitStatus::Signaled(..)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive => continue,
        };
        match ptrace::syscall(thread, signal) {
            // It was killed meanwhile.
            Ok(()) | Err(nix::Error::ESRCH) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether it has stopped itself (proc(5), `stat`).
fn is_stopped(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}
