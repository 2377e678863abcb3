//! The object `delivery`, which upstream's sidecar does not have.

use super::OptionError;
use super::limits::{LimitOptions, above_zero};
use common::duration::GoDuration;
use common::options::{bytes, flag, object};
use common::termination::TERMINATION_MESSAGE_PATH;
use std::time::Duration;

/// Memory for the whole program when nothing else is said: 64 MiB.
pub const DEFAULT_MEMORY: i64 = 64 << 20;

/// The least memory with which one transfer can work: 20 MiB, of which 14 are
/// the program's own and 5 the smallest part that S3 accepts.
pub const MIN_MEMORY: i64 = 20 << 20;

/// Names that runners give to their reports.
const DEFAULT_TEST_REPORTS: [&str; 4] = ["junit*.xml", "*junit*.xml", "TEST-*.xml", "*.xunit"];
/// The time for which a store may be away when nothing else is said: an upgrade of one
/// takes minutes.
const DEFAULT_RETRY_FOR: Duration = Duration::from_mins(15);

common::options! {
    /// The object `delivery`.
    pub struct DeliveryOptions {
        /// Exits with 1 when an object could not be delivered.
        pub fail_on_error: bool = flag("fail-on-error"),
        /// Memory of the whole program in bytes, at least 20 MiB; decides how many transfers run together
        /// and the size of their parts.
        pub memory: Option<i64> = flag("memory").value("BYTES").default(|| bytes(DEFAULT_MEMORY)),
        /// Time from the first interrupt to the end of the pod (`terminationGracePeriodSeconds`).
        pub grace_period: Option<GoDuration> = flag("delivery-grace-period").default(|| "no limit".to_owned()),
        /// Time after which an entry counts as lost when nothing of its container was ever there: no lock,
        /// no log, no report.
        pub start_timeout: Option<GoDuration> = flag("start-timeout").default(|| "waits for ever".to_owned()),
        /// While the entries run, delivers changed logs and artifacts this often, but spends at most a
        /// tenth of the time on it.
        pub checkpoint_interval: Option<GoDuration> = flag("checkpoint-interval")
            .default(|| "at the end only".to_owned()),
        /// Globs of the artifacts that are JUnit reports, relative to their item; one without a slash is a name in
        /// any directory. An empty list reads none.
        pub test_reports: Option<Vec<String>> = flag("test-report").value("GLOB")
            .default(|| DEFAULT_TEST_REPORTS.join(", ")),
        /// Puts `report.html` beside the result: what happened, on one page.
        pub report_page: bool = flag("report-page"),
        /// While no grace period is running: how long transient failures are retried with nothing
        /// arriving in between.
        pub retry_for: Option<GoDuration> = flag("retry-for")
            .default(|| GoDuration::from_std(DEFAULT_RETRY_FOR).to_string()),
        /// Sidecar is an init container with `restartPolicy: Always`.
        pub native_sidecar: bool = flag("native-sidecar"),
        /// The file that gets the result in one line, when it exists; empty for none.
        pub termination_message_path: Option<String> = flag("termination-message-path").value("FILE")
            .default(|| TERMINATION_MESSAGE_PATH.to_owned()),
        /// The cost of one pass over artifacts; build logs and the closing objects are exempt.
        pub limits: Option<LimitOptions> = object("Limits of a delivery"),
    }
}

impl DeliveryOptions {
    /// Checks what JSON types cannot say.
    pub fn validate(&self) -> Result<(), OptionError> {
        match self.memory {
            Some(bytes) if bytes < MIN_MEMORY => {
                let allowed = "a number of bytes, at least 20971520 (20 MiB)";
                return Err(OptionError::new("delivery.memory", &bytes.to_string(), allowed));
            }
            Some(_) | None => {}
        }
        above_zero("delivery.grace_period", self.grace_period)?;
        above_zero("delivery.start_timeout", self.start_timeout)?;
        above_zero("delivery.retry_for", self.retry_for)?;
        self.limits().validate()?;
        above_zero("delivery.checkpoint_interval", self.checkpoint_interval)
    }

    /// How long nothing may arrive before the remaining objects are given up.
    pub fn retry_for(&self) -> Duration {
        self.retry_for.map_or(DEFAULT_RETRY_FOR, GoDuration::as_std)
    }

    /// The file that gets the last words.
    pub fn termination_message_path(&self) -> &str {
        self.termination_message_path.as_deref().unwrap_or(TERMINATION_MESSAGE_PATH)
    }

    /// The cost that one pass may have.
    pub fn limits(&self) -> LimitOptions {
        self.limits.clone().unwrap_or_default()
    }

    /// The globs of test reports.
    pub fn test_reports(&self) -> Vec<String> {
        self.test_reports.clone().unwrap_or_else(|| DEFAULT_TEST_REPORTS.map(str::to_owned).to_vec())
    }

    /// Bytes that the program may take.
    pub fn memory_bytes(&self) -> u64 {
        self.memory.unwrap_or(DEFAULT_MEMORY).max(MIN_MEMORY).unsigned_abs()
    }
}
