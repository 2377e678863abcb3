//! Decoding of `censoring_options` and of the deprecated keys beside it.

use super::OptionError;
use crate::censor::CensoringOptions;
use common::json::{Document, JsonError, Notes, Raw};
use serde::Serialize;

impl Document for CensoringOptions {
    const KEYS: &'static [&'static str] = &[
        "secret_directories",
        "censoring_concurrency",
        "censoring_buffer_size",
        "include_directories",
        "exclude_directories",
        "ini_filenames",
        "minimum_secret_length",
        "structured_filenames",
        "strict",
        "archive_depth",
        "archive_ratio",
        "archive_unpacked_bytes",
        "archive_members",
        "archive_cpu_time",
        "archive_memory",
        "archive_spool_bytes",
    ];

    fn set(&mut self, key: &'static str, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "secret_directories" => value.set_strings(&mut self.secret_directories),
            "censoring_concurrency" => value.set_option(&mut self.censoring_concurrency, Raw::set_i64),
            "censoring_buffer_size" => value.set_option(&mut self.censoring_buffer_size, Raw::set_i64),
            "include_directories" => value.set_strings(&mut self.include_directories),
            "exclude_directories" => value.set_strings(&mut self.exclude_directories),
            "ini_filenames" => value.set_strings(&mut self.ini_filenames),
            "minimum_secret_length" => value.set_option(&mut self.minimum_secret_length, Raw::set_i64),
            "structured_filenames" => value.set_strings(&mut self.structured_filenames),
            "strict" => value.set_bool(&mut self.strict),
            "archive_depth" => value.set_option(&mut self.archives.depth, Raw::set_i64),
            "archive_ratio" => value.set_option(&mut self.archives.ratio, Raw::set_i64),
            "archive_unpacked_bytes" => value.set_option(&mut self.archives.unpacked_bytes, Raw::set_i64),
            "archive_members" => value.set_option(&mut self.archives.members, Raw::set_i64),
            "archive_cpu_time" => value.set_option(&mut self.archives.cpu_time, Raw::set_duration),
            "archive_memory" => value.set_option(&mut self.archives.memory, Raw::set_i64),
            "archive_spool_bytes" => value.set_option(&mut self.archives.spool_bytes, Raw::set_i64),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

/// The deprecated form at the top level. A present empty list counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeprecatedCensoring {
    /// As in `censoring_options`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_directories: Option<Vec<String>>,
    /// As in `censoring_options`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub censoring_concurrency: Option<i64>,
    /// As in `censoring_options`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub censoring_buffer_size: Option<i64>,
}

impl DeprecatedCensoring {
    /// The first of the keys that is present.
    fn present(&self) -> Option<&'static str> {
        let keys = [
            (self.secret_directories.is_some(), "secret_directories"),
            (self.censoring_concurrency.is_some(), "censoring_concurrency"),
            (self.censoring_buffer_size.is_some(), "censoring_buffer_size"),
        ];
        keys.into_iter().find(|(present, _)| *present).map(|(_, key)| key)
    }

    /// What is in force together with `current` (O-60).
    pub(super) fn merged_into(
        &self,
        current: Option<&CensoringOptions>,
    ) -> Result<Option<CensoringOptions>, OptionError> {
        match (self.present(), current) {
            (None, current) => Ok(current.cloned()),
            (Some(key), Some(_)) => Err(OptionError::from_text(format!(
                "{key}: the deprecated key and censoring_options are both given; allowed is censoring_options alone"
            ))),
            (Some(_), None) => Ok(Some(CensoringOptions {
                secret_directories: self.secret_directories.clone().unwrap_or_default(),
                censoring_concurrency: self.censoring_concurrency,
                censoring_buffer_size: self.censoring_buffer_size,
                ..CensoringOptions::default()
            })),
        }
    }
}
