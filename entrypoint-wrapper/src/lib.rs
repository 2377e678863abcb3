//! Wraps a command and forwards every SIGINT and SIGTERM to it, blindly.
//!
//! Nothing is decided and nothing is timed here: whoever sends a signal decides
//! when, and the command decides what it means. The order of steps:
//!
//! ```text
//! catch signals → options → copy (and done), or start the command
//!                                             → forward signals, reap → exit with its code
//! ```
//!
//! ci-operator's part (`SHARED_DIR`, kubeconfig, the Secret) is deliberately
//! absent so far: where its environment is present, the program refuses to run
//! rather than to lose a step's shared files.

mod copy;
mod exec;
mod options;
mod signals;

use common::codes;
use options::Task;
use signals::Signals;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Runs the program with its command line, `args[0]` being its own name.
pub fn run(args: Vec<OsString>) -> ExitCode {
    // Before anything else: a signal that comes from here on reaches the command.
    let done =
        Signals::catch().map_err(|error| format!("cannot catch signals: {error}")).and_then(|signals| {
            match options::parse(args) {
                Ok(task) => perform(task, signals),
                Err(stop) if stop.status == 0 => {
                    // Nobody reads the help that was asked for.
                    let _ = std::io::stdout().write_all(stop.text.as_bytes());
                    Ok(stop.status)
                }
                Err(stop) => {
                    say(&stop.text);
                    Ok(stop.status)
                }
            }
        });
    ExitCode::from(done.unwrap_or_else(|problem| {
        say(&format!("error: {problem}"));
        codes::EXIT_FAILURE
    }))
}

/// Does what the options ask for. The error is one line without its prefix.
fn perform(task: Task, signals: Signals) -> Result<u8, String> {
    match task {
        Task::CopySelf { destination } => copy::own_executable(&destination).map(|()| 0),
        Task::CopyFile { source, destination } => copy::file(&source, &destination).map(|()| 0),
        Task::Forward { program, args } => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .map_err(|error| format!("cannot start the event loop: {error}"))?;
            runtime.block_on(exec::forward(&program, &args, signals))
        }
    }
}

/// Writes one line to stderr.
fn say(text: &str) {
    // There is nobody left to tell when stderr is gone.
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}
