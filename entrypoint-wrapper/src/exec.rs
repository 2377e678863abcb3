//! Starts the command, forwards every signal to it, reaps it.

use crate::signals::{Event, Events};
use crate::stderr;
use anyhow::{Context, Result, anyhow};
use common::codes;
use common::signal::Signal;
use rustix::io::Errno;
use rustix::process::{Pid, Signal as Sent, WaitOptions, WaitStatus, kill_process, wait};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// A path, or a name to look up in PATH.
    pub(crate) program: OsString,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
}

/// The end of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this exit status.
    Exited(u8),
    /// By this signal.
    Signaled(Signal),
    /// The kernel has taken it away; nobody knows how it ended.
    Unknown,
}

impl Ended {
    /// The exit status that stands for it: 128 + n for signal n.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Exited(status) => status,
            Self::Signaled(signal) => codes::exit_status(codes::died_of(signal.as_raw())),
            Self::Unknown => codes::EXIT_FAILURE,
        }
    }

    fn from_wait(status: WaitStatus) -> Option<Self> {
        let exited = status.exit_status().map(|code| Self::Exited(codes::exit_status(code)));
        exited.or_else(|| status.terminating_signal().and_then(Signal::from_raw).map(Self::Signaled))
    }
}

impl fmt::Display for Ended {
    /// In Go's words, as upstream shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signaled(signal) => write!(f, "signal: {}", signal.description()),
            Self::Unknown => f.write_str("its end was not seen"),
        }
    }
}

/// Starts the command with these variables changed, forwards signals until it has
/// ended, and says how it ended. The error is one line: it could not start.
///
/// The command gets its own process group, so that a signal to the whole group
/// of whoever started us reaches it once, through us. Only the command itself is
/// signalled; what it started is its own.
pub(crate) async fn forward(
    words: &Words,
    changes: &[(&'static str, OsString)],
    events: &mut Events,
) -> Result<Ended> {
    let child = start(words, changes)?;
    // A signal that came before this point waits in `events`.
    loop {
        match events.next().await.context("cannot watch signals")? {
            Event::Forward(signal) => pass_on(child, signal),
            Event::ChildChanged => {
                if let Some(ended) = reap(child) {
                    return Ok(ended);
                }
            }
        }
    }
}

fn start(words: &Words, changes: &[(&'static str, OsString)]) -> Result<Pid> {
    let program = words.program.as_os_str();
    let child = Command::new(program)
        .args(&words.args)
        .envs(changes.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| anyhow!("could not start {}: {}", program.display(), reason(program, &error)))?;
    // The standard library's handle is given up: all reaping happens in one place.
    Ok(Pid::from_child(&child))
}

fn reason(program: &OsStr, error: &std::io::Error) -> String {
    if error.kind() == ErrorKind::NotFound && !program.as_encoded_bytes().contains(&b'/') {
        return "there is no such program in $PATH".to_owned();
    }
    if Path::new(program).is_dir() {
        return "it is a directory".to_owned();
    }
    error.to_string()
}

/// Sends the signal to the command first and tells people afterwards.
fn pass_on(child: Pid, signal: Signal) {
    let number = signal.as_raw();
    let sent = Sent::from_named_raw(number).map_or(Err(Errno::INVAL), |signal| kill_process(child, signal));
    match sent {
        // It has ended, and the next event will say so: its pid is ours until it is reaped.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => stderr::line_unless_blocked(&format!("cannot forward signal {number}: {error}")),
    }
    stderr::line_unless_blocked(&format!("received signal {number}, forwarding"));
}

/// Reaps whatever has ended, orphans too, and says how the command ended when it
/// was among them.
fn reap(child: Pid) -> Option<Ended> {
    let mut found = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => found = Ended::from_wait(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return found,
            Err(Errno::CHILD) if found.is_some() => return found,
            Err(error) => {
                // Only a kernel that takes our children away could bring us here.
                stderr::line(&format!("error: cannot wait for the command: {error}"));
                return found.or(Some(Ended::Unknown));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_what_people_can_mend() {
        let missing = std::io::Error::from(ErrorKind::NotFound);
        assert!(reason(OsStr::new("nothing"), &missing).contains("$PATH"));
        let denied = std::io::Error::from(ErrorKind::PermissionDenied);
        assert!(reason(OsStr::new("/tmp"), &denied).contains("directory"));
        assert!(reason(OsStr::new("./nothing"), &denied).contains("denied"));
    }

    #[test]
    fn w_98_a_signal_is_128_and_its_number() {
        assert_eq!(Ended::Exited(7).status(), 7);
        assert_eq!(Ended::Signaled(Signal::KILL).status(), 137);
        assert_eq!(Ended::Signaled(Signal::TERM).to_string(), "signal: terminated");
        assert_eq!(Ended::Exited(7).to_string(), "exit status 7");
    }
}
