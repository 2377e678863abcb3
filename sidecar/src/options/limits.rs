//! The cost of one pass: the object `delivery.limits`.
//!
//! A job decides how many files it leaves, how much they unpack to and how slowly they
//! are masked; the operator decides with these how much of it is delivered.

use super::OptionError;
use common::duration::GoDuration;
use common::options::{bytes, flag};
use std::time::Duration;

/// Processor time for masking the artifacts of a pass, and each log.
const DEFAULT_CPU_TIME: Duration = Duration::from_mins(30);

/// Bytes that all containers of a pass may unpack to.
const DEFAULT_UNPACKED_BYTES: u64 = 256 << 30;

/// Files that a pass lists.
const DEFAULT_FILES: u64 = 1_000_000;

common::options! {
    /// The object `delivery.limits`.
    pub struct LimitOptions {
        /// Processor time for masking all artifacts of a pass; as much for each build log, which is withheld
        /// beyond it.
        pub cpu_time: Option<GoDuration> = flag("limit-cpu-time")
            .default(|| GoDuration::from_std(DEFAULT_CPU_TIME).to_string()),
        /// Bytes to unpack of all artifacts together.
        pub unpacked_bytes: Option<i64> = flag("limit-unpacked-bytes").value("BYTES")
            .default(|| bytes(DEFAULT_UNPACKED_BYTES)),
        /// Files to deliver; more of them are counted only.
        pub files: Option<i64> = flag("limit-files").value("NUMBER").default(|| DEFAULT_FILES.to_string()),
        /// Bytes of artifacts to send, from small to large.
        pub sent_bytes: Option<i64> = flag("limit-sent-bytes").value("BYTES").default(|| "no limit".to_owned()),
        /// Time for sending artifacts.
        pub time: Option<GoDuration> = flag("limit-time").default(|| "no limit".to_owned()),
    }
}

impl LimitOptions {
    /// Checks what JSON types cannot say.
    pub(super) fn validate(&self) -> Result<(), OptionError> {
        let numbers =
            [("unpacked_bytes", self.unpacked_bytes), ("files", self.files), ("sent_bytes", self.sent_bytes)];
        for (key, number) in numbers {
            if let Some(number) = number.filter(|number| *number < 0) {
                let key = format!("delivery.limits.{key}");
                return Err(OptionError::new(&key, &number.to_string(), "a number from 0 on, or nothing"));
            }
        }
        above_zero("delivery.limits.cpu_time", self.cpu_time)?;
        above_zero("delivery.limits.time", self.time)
    }

    /// Processor time for masking.
    pub fn cpu_time(&self) -> Duration {
        self.cpu_time.map_or(DEFAULT_CPU_TIME, GoDuration::as_std)
    }

    /// Bytes that all containers together may unpack to.
    pub fn unpacked_bytes(&self) -> u64 {
        number(self.unpacked_bytes).unwrap_or(DEFAULT_UNPACKED_BYTES)
    }

    /// Files to list.
    pub fn files(&self) -> u64 {
        number(self.files).unwrap_or(DEFAULT_FILES)
    }

    /// Bytes of artifacts to send; `None` for any number.
    pub fn sent_bytes(&self) -> Option<u64> {
        number(self.sent_bytes)
    }

    /// Time for artifacts; `None` for any.
    pub fn time(&self) -> Option<Duration> {
        self.time.map(GoDuration::as_std)
    }
}

fn number(option: Option<i64>) -> Option<u64> {
    option.map(|number| u64::try_from(number).unwrap_or(0))
}

/// Refuses a time that is given and not above zero.
pub(super) fn above_zero(key: &str, time: Option<GoDuration>) -> Result<(), OptionError> {
    match time {
        Some(time) if time.as_nanos() <= 0 => {
            Err(OptionError::new(key, &time.to_string(), "a time above zero, or nothing"))
        }
        Some(_) | None => Ok(()),
    }
}
