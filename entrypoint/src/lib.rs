//! The supervisor of one entry: it runs a command, writes its output to a
//! process log, and always leaves a marker with its code, or a free lock.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`options`] | what was typed, and what it means |
//! | [`copy`] | copy mode |
//! | [`supervise`] | the machine that decides, without any I/O |
//! | [`shell`] | the loop that does and reports |

pub mod copy;
pub mod options;
pub mod shell;
pub mod supervise;

use common::codes;
use common::fatal;
use options::{EntrypointOptions, LoadError, OUTER_GRACE_VARIABLE, OuterGrace, outer_grace};
use shell::records::Queue;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// The whole program, with its command line less the program's name. All
/// signals must be blocked already ([`shell::block_signals`]).
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let queue = Queue::default();
    queue.install();
    let options = match options::load(args) {
        Ok((options, notes)) => {
            for key in notes.unknown_keys() {
                tracing::info!("Unknown key {key} in {} is ignored", options::VARIABLE);
            }
            options
        }
        Err(LoadError::Flags(error)) => return usage(&error),
        Err(error) => {
            fatal!("{error}");
            return ExitCode::from(codes::EXIT_FAILURE);
        }
    };
    let status = if options.copy_mode_only { copy(&options) } else { supervise(&options, &queue) };
    ExitCode::from(status)
}

fn usage(error: &common::flags::FlagError) -> ExitCode {
    // Nobody is left to tell when the output is gone.
    let _ = if error.exit_status() == 0 {
        std::io::stdout().write_all(error.text().as_bytes())
    } else {
        std::io::stderr().write_all(error.text().as_bytes())
    };
    ExitCode::from(error.exit_status())
}

fn copy(options: &EntrypointOptions) -> u8 {
    let source = std::env::args_os().next().unwrap_or_default();
    tracing::info!("src is {}", source.to_string_lossy());
    match copy::copy_self(Path::new(&options.copy_dst)) {
        Ok(()) => 0,
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
    let policy = options.policy(announced(options));
    shell::run(options, &policy, queue)
}

/// The platform's own grace period, which counts when no other was given.
fn announced(options: &EntrypointOptions) -> Option<OuterGrace> {
    let announced = std::env::var(OUTER_GRACE_VARIABLE).ok()?;
    let grace = outer_grace(&announced);
    match grace {
        None => tracing::warn!("{OUTER_GRACE_VARIABLE} is {announced:?}; allowed are whole seconds"),
        Some(_) if !options.grace_period.is_zero() => {
            tracing::info!(
                "Grace period is {} as given; {OUTER_GRACE_VARIABLE} is {announced} s",
                options.grace_period
            );
        }
        Some(grace) => {
            tracing::info!(
                "Grace period is {}: {} of {OUTER_GRACE_VARIABLE} less a margin",
                grace.inner,
                grace.outer
            );
        }
    }
    grace
}
