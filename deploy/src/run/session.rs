//! Starting a program in a session of its own.
//!
//! Ctrl-C on the terminal must reach `podutils` alone, as a pod's containers
//! know no terminal. A process leaves its session only by itself, so `podutils`
//! starts itself with a hidden subcommand, leaves the session and becomes the program.

use crate::contained;
use crate::terminal::Problem;
use clap::ArgMatches;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal, setsid};
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The hidden subcommand.
pub(crate) const SUBCOMMAND: &str = "exec-in-session";

/// Its words: the pid of the one who started it, and the program.
pub(crate) const WORDS: &str = "WORDS";

/// The command that runs `program` in a session of its own.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(SUBCOMMAND).arg(getpid().to_string()).arg(program);
    command
}

/// Execs the program with SIGTERM as parent-death signal, so that results are
/// delivered even if `podutils` dies.
pub(crate) fn exec(matches: &ArgMatches) -> Result<Infallible, Problem> {
    let mut words = matches.get_many::<OsString>(WORDS).unwrap_or_default();
    let (Some(parent), Some(program)) = (words.next(), words.next()) else {
        return Err(Problem::syntax(format!("{SUBCOMMAND} is for podutils itself")));
    };
    let fail = |error: std::io::Error| Problem::new(format!("cannot start {}: {error}", program.display()));
    setsid().map_err(|error| fail(error.into()))?;
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|error| fail(error.into()))?;
    if getppid().map(|pid| pid.to_string()).as_deref() != parent.to_str() {
        return Err(Problem::new("podutils has gone before the job began"));
    }
    Err(fail(Command::new(contained::executable(program)).arg0(program).exec()))
}
