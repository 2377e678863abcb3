//! What upstream's sidecar does not have: the object `delivery`.

use super::OptionError;
use common::duration::GoDuration;
use common::json::{Document, JsonError, Notes, Raw};
use common::termination::TERMINATION_MESSAGE_PATH;
use serde::Serialize;

/// Memory for the whole program when nothing else is said: 64 MiB.
pub const DEFAULT_MEMORY: i64 = 64 << 20;

/// The least memory with which one transfer can work: 20 MiB, of which 14 are
/// the program's own and 5 the smallest part that S3 accepts.
pub const LEAST_MEMORY: i64 = 20 << 20;

/// How delivery behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryOptions {
    /// Exit with status 1 when an object could not be delivered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fail_on_error: bool,
    /// Bytes that the program may take; absent means [`DEFAULT_MEMORY`]. Decides
    /// how many transfers run together, and the size of their parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// Time from the first interrupt to the end of the pod; absent means that
    /// nothing is cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<GoDuration>,
    /// While the entries run, what has changed is delivered this often; absent
    /// means at the end only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_interval: Option<GoDuration>,
    /// Sidecar is an init container with `restartPolicy: Always`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub native_sidecar: bool,
    /// The file that gets the result in one line, when it exists; absent means
    /// Kubernetes' default, empty means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_message_path: Option<String>,
}

impl Document for DeliveryOptions {
    const KEYS: &'static [&'static str] = &[
        "fail_on_error",
        "memory",
        "grace_period",
        "checkpoint_interval",
        "native_sidecar",
        "termination_message_path",
    ];

    fn set(&mut self, key: &'static str, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "fail_on_error" => value.set_bool(&mut self.fail_on_error),
            "memory" => value.set_option(&mut self.memory, Raw::set_i64),
            "termination_message_path" => {
                value.set_option(&mut self.termination_message_path, Raw::set_string)
            }
            "native_sidecar" => value.set_bool(&mut self.native_sidecar),
            "grace_period" => value.set_option(&mut self.grace_period, Raw::set_duration),
            "checkpoint_interval" => value.set_option(&mut self.checkpoint_interval, Raw::set_duration),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

impl DeliveryOptions {
    /// Checks what JSON types cannot say.
    pub fn validate(&self) -> Result<(), OptionError> {
        match self.memory {
            Some(bytes) if bytes < LEAST_MEMORY => {
                let allowed = "a number of bytes, at least 20971520 (20 MiB)";
                return Err(OptionError::new("delivery.memory", &bytes.to_string(), allowed));
            }
            Some(_) | None => {}
        }
        above_zero("delivery.grace_period", self.grace_period)?;
        above_zero("delivery.checkpoint_interval", self.checkpoint_interval)
    }

    /// The file that gets the last words.
    pub fn termination_message_path(&self) -> &str {
        self.termination_message_path.as_deref().unwrap_or(TERMINATION_MESSAGE_PATH)
    }

    /// Bytes that the program may take.
    pub fn memory_bytes(&self) -> u64 {
        self.memory.unwrap_or(DEFAULT_MEMORY).max(LEAST_MEMORY).unsigned_abs()
    }
}

fn above_zero(key: &str, time: Option<GoDuration>) -> Result<(), OptionError> {
    match time {
        Some(time) if time.as_nanos() <= 0 => {
            Err(OptionError::new(key, &time.to_string(), "a time above zero, or nothing"))
        }
        Some(_) | None => Ok(()),
    }
}
