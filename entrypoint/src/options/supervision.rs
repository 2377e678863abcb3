//! The object `supervision`: options that upstream does not have.

use crate::supervise::{Leftovers, SignalScope};
use common::duration::GoDuration;
use common::json::{Document, JsonError, Notes, Raw};
use common::signal::Signal;
use serde::{Serialize, Serializer};

pub use common::termination::TERMINATION_MESSAGE_PATH;

/// The object's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SupervisionOptions {
    /// What becomes of processes that the job left behind.
    #[serde(serialize_with = "leftovers")]
    pub leftovers: Leftovers,
    /// Who gets the signals of a termination.
    #[serde(serialize_with = "signal_scope")]
    pub signal_scope: SignalScope,
    /// Signals for those who do not react to the first one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<Escalation>,
    /// Whether each line of the process log begins with its time.
    pub timestamps: bool,
    /// The file that gets a cause of one line, when it exists; empty for none.
    pub termination_message_path: String,
}

impl Default for SupervisionOptions {
    fn default() -> Self {
        Self {
            leftovers: Leftovers::End,
            signal_scope: SignalScope::Child,
            escalation: Vec::new(),
            timestamps: false,
            termination_message_path: TERMINATION_MESSAGE_PATH.to_owned(),
        }
    }
}

impl SupervisionOptions {
    /// Whether nothing differs from upstream's behaviour.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One rung of the escalation ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Escalation {
    /// The signal.
    pub signal: Signal,
    /// When, counted from the first signal of the termination.
    pub after: GoDuration,
}

impl Default for Escalation {
    fn default() -> Self {
        Self { signal: Signal::TERM, after: GoDuration::ZERO }
    }
}

/// What `leftovers` allows.
pub(super) const LEFTOVERS: [(&str, Leftovers); 2] = [("end", Leftovers::End), ("keep", Leftovers::Keep)];

/// What `signal_scope` allows.
pub(super) const SCOPES: [(&str, SignalScope); 2] =
    [("child", SignalScope::Child), ("group", SignalScope::Group)];

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|row| row.0 == name).map(|row| row.1)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|row| row.1 == *value).map_or("", |row| row.0)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn leftovers<S: Serializer>(value: &Leftovers, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name_of(&LEFTOVERS, value))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn signal_scope<S: Serializer>(value: &SignalScope, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name_of(&SCOPES, value))
}

/// The value of a key that takes one of a few words; `null` leaves it.
fn set_named<T: Copy>(
    value: Raw<'_>,
    table: &[(&str, T)],
    target: &mut T,
    allowed: &'static str,
) -> Result<(), JsonError> {
    let mut name = String::new();
    value.set_string(&mut name).map_err(|_| value.refuse(allowed))?;
    if !value.is_null() {
        *target = named(table, &name).ok_or_else(|| value.refuse(allowed))?;
    }
    Ok(())
}

impl Document for SupervisionOptions {
    const KEYS: &'static [&'static str] =
        &["leftovers", "signal_scope", "escalation", "timestamps", "termination_message_path"];

    fn set(&mut self, key: &'static str, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "leftovers" => set_named(value, &LEFTOVERS, &mut self.leftovers, "\"end\" or \"keep\""),
            "signal_scope" => set_named(value, &SCOPES, &mut self.signal_scope, "\"child\" or \"group\""),
            "escalation" => value.set_list(&mut self.escalation, notes),
            "timestamps" => value.set_bool(&mut self.timestamps),
            "termination_message_path" => value.set_string(&mut self.termination_message_path),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

impl Document for Escalation {
    const KEYS: &'static [&'static str] = &["signal", "after"];

    fn set(&mut self, key: &'static str, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "signal" => {
                let mut name = String::new();
                value.set_string(&mut name)?;
                if !value.is_null() {
                    self.signal =
                        name.parse().map_err(|_| value.refuse("the name of a signal such as \"SIGTERM\""))?;
                }
                Ok(())
            }
            "after" => value.set_duration(&mut self.after),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}
