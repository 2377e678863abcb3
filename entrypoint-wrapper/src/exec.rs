//! The command: started, told every signal, reaped.

use crate::say;
use crate::signals::{Event, Signals};
use common::codes;
use common::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal as Sent, WaitOptions, WaitStatus, kill_process, wait};
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts the command, forwards signals until it has ended, and returns the exit
/// status that stands for its end. The error is one line: it could not start.
///
/// The command gets its own process group, so that a signal to the whole group
/// of whoever started us reaches it once, through us. Only the command itself is
/// signalled; what it started is its own.
pub(crate) async fn forward(program: &OsStr, args: &[OsString], signals: Signals) -> Result<u8, String> {
    let mut events = signals.into_events().map_err(|error| format!("cannot watch signals: {error}"))?;
    let child = start(program, args)?;
    // A signal that came before this point waits in `events`.
    loop {
        match events.next().await.map_err(|error| format!("cannot watch signals: {error}"))? {
            Event::Forward(signal) => pass_on(child, signal),
            Event::ChildChanged => {
                if let Some(status) = reap(child) {
                    return Ok(status);
                }
            }
        }
    }
}

fn start(program: &OsStr, args: &[OsString]) -> Result<Pid, String> {
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("could not start {}: {}", program.display(), reason(program, &error)))?;
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
    let known = if signal == Signal::INT { Sent::INT } else { Sent::TERM };
    match kill_process(child, known) {
        // It has ended, and the next event will say so: its pid is ours until it is reaped.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => say_if_possible(&format!("cannot forward signal {}: {error}", signal.as_raw())),
    }
    say_if_possible(&format!("received signal {}, forwarding", signal.as_raw()));
}

/// Writes one line to stderr unless nobody reads it: a full pipe must not hold
/// up the signals that come next.
fn say_if_possible(line: &str) {
    let stderr = std::io::stderr();
    let mut poll_fd = [PollFd::new(&stderr, PollFlags::OUT)];
    // A pipe that polls as writable takes PIPE_BUF bytes (pipe(7)), more than a line.
    if poll(&mut poll_fd, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
        // There is nobody left to tell when stderr is gone.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// Reaps whatever has ended, orphans too, and returns the exit status that
/// stands for the command's end when it was among them.
fn reap(child: Pid) -> Option<u8> {
    let mut found = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => found = ended(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return found,
            Err(Errno::CHILD) if found.is_some() => return found,
            Err(error) => {
                // Only a kernel that takes our children away could bring us here.
                say(&format!("error: cannot wait for the command: {error}"));
                return found.or(Some(codes::EXIT_FAILURE));
            }
        }
    }
}

fn ended(status: WaitStatus) -> Option<u8> {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(codes::died_of))?;
    Some(codes::exit_status(code))
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
}
