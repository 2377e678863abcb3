//! What upstream's sidecar does not have: the object `delivery`.

use super::OptionError;
use common::duration::GoDuration;
use common::json::{Document, JsonError, Notes, Raw};
use serde::Serialize;

/// Memory for transfers when nothing else is said: 64 MiB.
pub const DEFAULT_MEMORY: i64 = 64 << 20;

/// The least memory with which one transfer can work: 8 MiB.
pub const LEAST_MEMORY: i64 = 8 << 20;

/// How delivery behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryOptions {
    /// Exit with status 1 when an object could not be delivered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fail_on_error: bool,
    /// Bytes that transfers may take together; absent means [`DEFAULT_MEMORY`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// Time from the first interrupt to the end of the pod; absent means that
    /// nothing is cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<GoDuration>,
}

impl Document for DeliveryOptions {
    const KEYS: &'static [&'static str] = &["fail_on_error", "memory", "grace_period"];

    fn set(&mut self, key: &'static str, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "fail_on_error" => value.set_bool(&mut self.fail_on_error),
            "memory" => value.set_option(&mut self.memory, Raw::set_i64),
            "grace_period" => value.set_option(&mut self.grace_period, Raw::set_duration),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

impl DeliveryOptions {
    /// Checks what JSON types cannot say.
    pub fn validate(&self) -> Result<(), OptionError> {
        match self.memory {
            Some(bytes) if bytes < LEAST_MEMORY => {
                let allowed = "a number of bytes, at least 8388608 (8 MiB)";
                return Err(OptionError::new("delivery.memory", &bytes.to_string(), allowed));
            }
            Some(_) | None => {}
        }
        match self.grace_period {
            Some(time) if time.as_nanos() <= 0 => {
                let allowed = "a time above zero, or nothing";
                Err(OptionError::new("delivery.grace_period", &time.to_string(), allowed))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Bytes that transfers may take together.
    pub fn memory_bytes(&self) -> u64 {
        self.memory.unwrap_or(DEFAULT_MEMORY).max(LEAST_MEMORY).unsigned_abs()
    }
}
