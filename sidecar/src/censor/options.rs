//! The object `censoring_options` (contract 1.7).

use super::archive::Limits;
use common::duration::GoDuration;
use serde::Serialize;

/// What to censor, and with which secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CensoringOptions {
    /// Directories whose files are secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret_directories: Vec<String>,
    /// Accepted for compatibility; the engine needs no setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub censoring_concurrency: Option<i64>,
    /// Accepted for compatibility; the engine needs no setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub censoring_buffer_size: Option<i64>,
    /// Globs of the item files to censor; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include_directories: Vec<String>,
    /// Globs of the item files to leave alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_directories: Vec<String>,
    /// Base names of secrets that are INI files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ini_filenames: Vec<String>,
    /// Secrets with fewer bytes than this are not masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_secret_length: Option<i64>,
    /// Base names of secrets that are YAML or JSON documents: each value in them is a secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub structured_filenames: Vec<String>,
    /// Withhold everything but the result when a secret cannot be loaded.
    #[serde(skip_serializing_if = "is_false")]
    pub strict: bool,
    /// Limits on containers.
    #[serde(flatten)]
    pub archives: ArchiveOptions,
}

/// Limits on the cost of one container file; absent means the default of [`Limits`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveOptions {
    /// Maximum nesting of containers.
    #[serde(rename = "archive_depth", skip_serializing_if = "Option::is_none")]
    pub depth: Option<i64>,
    /// Maximum number of unpacked bytes per packed byte.
    #[serde(rename = "archive_ratio", skip_serializing_if = "Option::is_none")]
    pub ratio: Option<i64>,
    /// Maximum number of unpacked bytes of one file.
    #[serde(rename = "archive_unpacked_bytes", skip_serializing_if = "Option::is_none")]
    pub unpacked_bytes: Option<i64>,
    /// Maximum number of members of one file.
    #[serde(rename = "archive_members", skip_serializing_if = "Option::is_none")]
    pub members: Option<i64>,
    /// Maximum processor time for one file.
    #[serde(rename = "archive_cpu_time", skip_serializing_if = "Option::is_none")]
    pub cpu_time: Option<GoDuration>,
    /// Maximum memory for spooled content, in bytes.
    #[serde(rename = "archive_memory", skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// Maximum disk space for spooled content, in bytes.
    #[serde(rename = "archive_spool_bytes", skip_serializing_if = "Option::is_none")]
    pub spool_bytes: Option<i64>,
}

impl ArchiveOptions {
    /// Returns the limits; negative numbers count as 0.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        let number = |option: Option<i64>, default| option.map_or(default, |n| u64::try_from(n).unwrap_or(0));
        let depth = number(self.depth, default.depth.into());
        Limits {
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
            ratio: number(self.ratio, default.ratio),
            unpacked_bytes: number(self.unpacked_bytes, default.unpacked_bytes),
            members: number(self.members, default.members),
            cpu_time: self.cpu_time.map_or(default.cpu_time, GoDuration::as_std),
            memory: number(self.memory, default.memory),
            spool_bytes: number(self.spool_bytes, default.spool_bytes),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
