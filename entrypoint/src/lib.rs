//! The supervisor of one entry: runs a command, writes its output to a process log,
//! and always leaves a marker with its code, or a free lock.
//!
//! | module | purpose |
//! | --- | --- |
//! | [`options`] | options as typed, and the policy they amount to |
//! | [`mod@copy`] | copy mode |
//! | [`mod@supervise`] | the machine that decides, without any I/O |
//! | [`io`] | the loop that carries out effects and reports events |
//! | [`sys`] | unsafe system calls |
//!
//! Imports point one way: `main → lib → io → options, supervise → common`; `io` alone
//! uses `sys`.

pub mod copy;
pub mod io;
pub mod options;
pub mod supervise;
pub mod sys;

use common::codes;
use common::fatal;
use io::records::Queue;
use options::{EntrypointOptions, LoadError, OuterGrace, outer_grace};
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use supervise::Policy;
use sys::CommandLine;

/// Runs the whole program and returns its exit status. Called first in `main`.
pub fn run(words: CommandLine) -> u8 {
    if let Err(error) = io::init() {
        eprintln!("entrypoint: could not block signals, or open /dev/null for a closed stream: {error}");
        return codes::EXIT_FAILURE;
    }
    let queue = Queue::default();
    queue.install();
    let options = match options::load(words.args) {
        Ok((options, notes)) => {
            for key in notes.unknown() {
                tracing::info!("Ignoring the unknown option {key}");
            }
            options
        }
        Err(LoadError::Flags(error)) => return usage(&error),
        Err(error) => {
            fatal!("Could not initialize options: {error}");
            return codes::EXIT_FAILURE;
        }
    };
    if options.copy_mode_only { copy(&words.program, &options) } else { supervise(&options, &queue) }
}

fn usage(error: &common::options::flags::FlagError) -> u8 {
    // With the output gone nobody is left to tell.
    let _ = if error.exit_status() == 0 {
        let mut stdout = std::io::stdout();
        stdout.write_all(error.text().as_bytes()).and_then(|()| stdout.flush())
    } else {
        std::io::stderr().write_all(error.text().as_bytes())
    };
    error.exit_status()
}

fn copy(program: &OsStr, options: &EntrypointOptions) -> u8 {
    tracing::info!("src is {}", program.to_string_lossy());
    match copy::copy_self(Path::new(&options.copy_dst)) {
        Ok(None) => 0,
        Ok(Some(error)) => {
            tracing::warn!(error = %error, "Its mode cannot be set: the copy {:?} has what the umask allows", options.copy_dst);
            0
        }
        Err(error) => {
            fatal!(error = %error, "Could not copy this program to copy_dst {:?}", options.copy_dst);
            codes::EXIT_FAILURE
        }
    }
}

fn supervise(options: &EntrypointOptions, queue: &Queue) -> u8 {
    if let Err(error) = options.validate() {
        fatal!("Invalid options: {error}");
        return codes::EXIT_FAILURE;
    }
    let is_init = std::process::id() == 1;
    let policy = Policy { is_init, ..options.policy(announced(options)) };
    io::run(options, &policy, queue)
}

/// Returns the platform's own grace period, which counts when none was given.
fn announced(options: &EntrypointOptions) -> Option<OuterGrace> {
    let (grace, wrong) = outer_grace(|name| std::env::var(name).ok());
    for problem in wrong {
        tracing::warn!("{problem}");
    }
    if let Some(OuterGrace { variable, outer, inner }) = grace {
        if options.grace_period.is_zero() {
            tracing::info!("Grace period is {inner}: {outer} of {variable} less a margin");
        } else {
            tracing::info!("Grace period is {} as given; {variable} is {outer}", options.grace_period);
        }
    }
    grace
}
