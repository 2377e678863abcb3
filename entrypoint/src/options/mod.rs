//! Entrypoint's options, and the policy they ask for.
//!
//! [`options`](mod@common::options) says how to add an option.

mod budget;
mod command;
mod supervision;

pub use budget::{CANCEL_GRACE_VARIABLE, NotSeconds, OuterGrace, SIGNAL_GRACE_VARIABLE, outer_grace};
pub use command::command;
pub use common::options::LoadError;
pub use supervision::{Escalation, RecordFormat, SupervisionOptions, TERMINATION_MESSAGE_PATH};

use crate::supervise::{EscalationStep, Interrupt, Policy, StopSignals};
use common::duration::GoDuration;
use common::entry::{Entry, EntryError};
use common::json::Notes;
use common::options::{flag, inline, object};
use common::signal::Signal;
use std::ffi::OsString;

/// The environment variable that holds the options as JSON.
pub const VARIABLE: &str = "ENTRYPOINT_OPTIONS";

/// The timeout in force when none is given: upstream's.
pub const DEFAULT_TIMEOUT: GoDuration = GoDuration::from_secs(2 * 60 * 60);

/// The grace period in force when none is given: upstream's.
pub const DEFAULT_GRACE_PERIOD: GoDuration = GoDuration::from_secs(15);

/// Where upstream's pods expect the program.
const COPY_DESTINATION: &str = "/tools/entrypoint";

common::options! {
    /// The options of entrypoint. Zero as a time means its default.
    pub struct EntrypointOptions {
        /// Time from the start of the command to SIGINT.
        pub timeout: GoDuration = flag("timeout").always().default(|| DEFAULT_TIMEOUT.to_string()),
        /// Time from SIGINT to SIGKILL, for the whole process tree.
        pub grace_period: GoDuration = flag("grace-period").always().default(|| DEFAULT_GRACE_PERIOD.to_string()),
        /// A directory to make before the command starts.
        pub artifact_dir: String = flag("artifact-dir").value("DIRECTORY"),
        /// The marker of an entry to wait for; the command does not run when that entry failed or was lost.
        pub previous_marker: String = flag("previous-marker").value("FILE"),
        /// Exits with 0 once the marker is written.
        pub always_zero: bool = flag("always-zero"),
        /// Exits with the command's own code after a timeout or an interrupt.
        pub propagate_error_code: bool = flag("propagate-error-code"),
        /// Copies this program to the copy destination and exits.
        pub copy_mode_only: bool = flag("copy-mode-only"),
        /// The file to copy this program to.
        pub copy_dst: String = flag("copy-destination").value("FILE").flag_default(COPY_DESTINATION),
        /// The wrapped process and its files.
        pub entry: Entry = inline("Files"),
        /// Options that upstream does not have.
        pub supervision: SupervisionOptions = object("Supervision"),
    }
}

/// Loads the options from the environment, else from the command line `args`
/// (without the program's name).
pub fn load(args: impl IntoIterator<Item = OsString>) -> Result<(EntrypointOptions, Notes), LoadError> {
    let mut options = EntrypointOptions::default();
    let notes = common::options::load(VARIABLE, args, command, &mut options, &mut [])?;
    Ok((options, notes))
}

/// Options that cannot work. Each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// There is no command.
    #[error("args is empty; allowed is the command to run with its arguments")]
    NoCommand,
    /// Two answers to one question.
    #[error("always_zero and propagate_error_code are both true; allowed is one of them at most")]
    TwoAnswers,
    /// The entry names no place for its files.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Signals are to come by an escalation that is not there.
    #[error(
        "supervision.interrupt is \"int_then_escalation\" and supervision.escalation is empty; allowed is \"int_then_received\" or \"received\" then"
    )]
    NoEscalation,
    /// A signal that no process can catch.
    #[error("supervision.stop_signals: {0} cannot be caught; allowed are other signals")]
    Uncatchable(String),
    /// A step of the escalation that can never be reached or has no time.
    #[error("supervision.escalation: {signal} after {after}; allowed are times from 0s on")]
    Escalation {
        /// Its signal.
        signal: String,
        /// Its time.
        after: GoDuration,
    },
}

impl EntrypointOptions {
    /// Checks what supervision needs (E-10 to E-12), in upstream's order.
    pub fn validate(&self) -> Result<(), OptionsError> {
        if self.entry.args.is_empty() {
            return Err(OptionsError::NoCommand);
        }
        if self.always_zero && self.propagate_error_code {
            return Err(OptionsError::TwoAnswers);
        }
        self.entry.validate()?;
        let supervision = &self.supervision;
        if supervision.interrupt == Interrupt::IntThenEscalation && supervision.escalation.is_empty() {
            return Err(OptionsError::NoEscalation);
        }
        let uncatchable = |signal: &&Signal| [Signal::KILL, Signal::STOP, Signal::CHLD].contains(signal);
        if let Some(signal) = supervision.stop_signals.iter().find(uncatchable) {
            return Err(OptionsError::Uncatchable(signal.to_string()));
        }
        for rung in &self.supervision.escalation {
            if rung.after < GoDuration::ZERO {
                let signal = rung.signal.to_string();
                return Err(OptionsError::Escalation { signal, after: rung.after });
            }
        }
        Ok(())
    }

    /// Returns the base name of the command, with control characters escaped.
    fn program_name(&self) -> String {
        let command = self.entry.args.first().map_or("", String::as_str);
        let name = command.rsplit('/').find(|part| !part.is_empty()).unwrap_or(command);
        name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
    }

    /// The policy these options ask for. `outer` is the platform's own grace
    /// period, which counts when none was given here.
    pub fn policy(&self, outer: Option<OuterGrace>) -> Policy {
        let or = |given: GoDuration, default| if given.is_zero() { default } else { given };
        let default_grace = outer.map_or(DEFAULT_GRACE_PERIOD, |outer| outer.inner);
        let rung = |rung: &Escalation| EscalationStep { signal: rung.signal, after: rung.after };
        Policy {
            timeout: or(self.timeout, DEFAULT_TIMEOUT),
            grace_period: or(self.grace_period, default_grace),
            await_previous: !self.previous_marker.is_empty(),
            program: self.program_name(),
            is_init: false,
            stop_signals: StopSignals::new(&self.supervision.stop_signals),
            interrupt: self.supervision.interrupt,
            escalation: self.supervision.escalation.iter().map(rung).collect(),
            leftovers: self.supervision.leftovers,
            signal_scope: self.supervision.signal_scope,
            propagate_error_code: self.propagate_error_code,
            always_zero: self.always_zero,
        }
    }
}

#[cfg(test)]
mod tests;
