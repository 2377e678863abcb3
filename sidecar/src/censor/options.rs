//! The object `censoring_options` (contract 1.7).

use serde::Serialize;

/// What is censored, and what with.
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
    /// Withhold everything but the result when a secret cannot be loaded.
    #[serde(skip_serializing_if = "is_false")]
    pub strict: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
