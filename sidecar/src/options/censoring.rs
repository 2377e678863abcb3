//! The deprecated keys beside `censoring_options`.

use super::OptionError;
use crate::censor::CensoringOptions;
use common::options::key_only;

common::options! {
    /// The deprecated form at the top level. A present empty list counts.
    pub struct DeprecatedCensoring {
        /// Deprecated: belongs in `censoring_options`.
        pub secret_directories: Option<Vec<String>> = key_only(),
        /// Deprecated, accepted without effect.
        pub censoring_concurrency: Option<i64> = key_only(),
        /// Deprecated, accepted without effect.
        pub censoring_buffer_size: Option<i64> = key_only(),
    }
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

    /// Rules in force together with `current` (O-60).
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
