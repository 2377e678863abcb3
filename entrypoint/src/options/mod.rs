//! What was typed, and what it means.

mod budget;
mod flags;
mod supervision;

pub use budget::{OUTER_GRACE_VARIABLE, OuterGrace, outer_grace};
pub use flags::command;
pub use supervision::{Escalation, SupervisionOptions, TERMINATION_MESSAGE_PATH};

use crate::supervise::{EscalationStep, Policy};
use common::duration::GoDuration;
use common::entry::{Entry, EntryError};
use common::flags::FlagError;
use common::json::{self, Document, JsonError, Notes, Raw};
use common::options::{Source, source};
use serde::Serialize;
use std::ffi::OsString;

/// The environment variable that holds the options as JSON.
pub const VARIABLE: &str = "ENTRYPOINT_OPTIONS";

/// The timeout in force when none is given: upstream's.
pub const DEFAULT_TIMEOUT: GoDuration = GoDuration::from_secs(2 * 60 * 60);

/// The grace period in force when none is given: upstream's.
pub const DEFAULT_GRACE_PERIOD: GoDuration = GoDuration::from_secs(15);

/// Entrypoint's options, serialised in upstream's order and by its omit rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EntrypointOptions {
    /// How long the job may run; zero is the default, negative is over at once.
    pub timeout: GoDuration,
    /// Between SIGINT and SIGKILL; zero is the default.
    pub grace_period: GoDuration,
    /// A directory that is made before the job starts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub artifact_dir: String,
    /// The marker of an entry that has to succeed first.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub previous_marker: String,
    /// Exit with 0 once the marker is written.
    #[serde(skip_serializing_if = "is_false")]
    pub always_zero: bool,
    /// Use the child's own code after a timeout or an interrupt.
    #[serde(skip_serializing_if = "is_false")]
    pub propagate_error_code: bool,
    /// Copy the program and exit.
    #[serde(skip_serializing_if = "is_false")]
    pub copy_mode_only: bool,
    /// Where to copy it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub copy_dst: String,
    /// The wrapped process and its files.
    #[serde(flatten)]
    pub entry: Entry,
    /// What upstream does not have.
    #[serde(skip_serializing_if = "SupervisionOptions::is_default")]
    pub supervision: SupervisionOptions,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Document for EntrypointOptions {
    const KEYS: &'static [&'static str] = &[
        "timeout",
        "grace_period",
        "artifact_dir",
        "previous_marker",
        "always_zero",
        "propagate_error_code",
        "copy_mode_only",
        "copy_dst",
        "args",
        "container_name",
        "process_log",
        "marker_file",
        "metadata_file",
        "supervision",
    ];

    fn set(&mut self, key: &'static str, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "timeout" => value.set_duration(&mut self.timeout),
            "grace_period" => value.set_duration(&mut self.grace_period),
            "artifact_dir" => value.set_string(&mut self.artifact_dir),
            "previous_marker" => value.set_string(&mut self.previous_marker),
            "always_zero" => value.set_bool(&mut self.always_zero),
            "propagate_error_code" => value.set_bool(&mut self.propagate_error_code),
            "copy_mode_only" => value.set_bool(&mut self.copy_mode_only),
            "copy_dst" => value.set_string(&mut self.copy_dst),
            "supervision" => value.set_object(&mut self.supervision, notes),
            other => self.entry.set(other, value, notes),
        }
    }
}

/// Why there are no options to work with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The JSON is wrong.
    #[error("Could not initialize options: {VARIABLE}: {0}")]
    Json(#[from] JsonError),
    /// Help was asked for, or the command line is wrong.
    #[error(transparent)]
    Flags(#[from] FlagError),
}

/// Loads the options from the environment, else from the command line `args`
/// (without the program's name).
pub fn load(args: impl IntoIterator<Item = OsString>) -> Result<(EntrypointOptions, Notes), LoadError> {
    match source(VARIABLE) {
        Source::Json(text) => Ok(from_json(&text)?),
        Source::Flags => Ok((flags::parse(args)?, Notes::default())),
    }
}

/// Reads options from JSON text.
pub fn from_json(text: &str) -> Result<(EntrypointOptions, Notes), JsonError> {
    let mut options = EntrypointOptions::default();
    let notes = json::decode(&mut options, text)?;
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
    /// A rung of the escalation ladder that can never be reached or has no time.
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
        for rung in &self.supervision.escalation {
            if rung.after < GoDuration::ZERO {
                let signal = rung.signal.to_string();
                return Err(OptionsError::Escalation { signal, after: rung.after });
            }
        }
        Ok(())
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
