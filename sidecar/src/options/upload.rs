//! What to upload and where to (contract 1.5): the object `gcs_options`.

use super::OptionError;
use super::media_type::is_media_type;
use crate::destination::Destination;
use common::json::{Document, JsonError, Notes, Raw};
use serde::Serialize;
use std::collections::BTreeMap;

/// The upload options; their order is the one in which Go encodes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UploadOptions {
    /// Files and directories to upload.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Appended to the job path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub_dir: String,
    /// The bucket string, see [`Destination::parse`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bucket: String,
    /// Put in front of the job path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path_prefix: String,
    /// `explicit`, `legacy` or `single`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path_strategy: String,
    /// The organisation that `legacy` and `single` leave out of paths.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_org: String,
    /// The repository that `legacy` and `single` leave out of paths.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_repo: String,
    /// Extension (without its dot) to media type.
    #[serde(rename = "mediaTypes", skip_serializing_if = "BTreeMap::is_empty")]
    pub media_types: BTreeMap<String, String>,
    /// Not used by these programs; kept for those that read the options.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub job_url_prefix: String,
    /// Write into this directory instead of a bucket.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub local_output_dir: String,
    /// Extensions to compress with gzip; `*` means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compress_file_types: Vec<String>,
    /// A Google credentials file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gcs_credentials_file: String,
    /// A file with S3 credentials and settings.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub s3_credentials_file: String,
    /// Say what would be uploaded, and upload nothing.
    pub dry_run: bool,
}

impl Document for UploadOptions {
    const KEYS: &'static [&'static str] = &[
        "items",
        "sub_dir",
        "bucket",
        "path_prefix",
        "path_strategy",
        "default_org",
        "default_repo",
        "mediaTypes",
        "job_url_prefix",
        "local_output_dir",
        "compress_file_types",
        "gcs_credentials_file",
        "s3_credentials_file",
        "dry_run",
    ];

    fn set(&mut self, key: &'static str, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "items" => value.set_strings(&mut self.items),
            "sub_dir" => value.set_string(&mut self.sub_dir),
            "bucket" => value.set_string(&mut self.bucket),
            "path_prefix" => value.set_string(&mut self.path_prefix),
            "path_strategy" => value.set_string(&mut self.path_strategy),
            "default_org" => value.set_string(&mut self.default_org),
            "default_repo" => value.set_string(&mut self.default_repo),
            "mediaTypes" => value.set_string_map(&mut self.media_types),
            "job_url_prefix" => value.set_string(&mut self.job_url_prefix),
            "local_output_dir" => value.set_string(&mut self.local_output_dir),
            "compress_file_types" => value.set_strings(&mut self.compress_file_types),
            "gcs_credentials_file" => value.set_string(&mut self.gcs_credentials_file),
            "s3_credentials_file" => value.set_string(&mut self.s3_credentials_file),
            "dry_run" => value.set_bool(&mut self.dry_run),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

impl UploadOptions {
    /// Checks the options in the order of O-40; the error names the key.
    pub fn validate(&self) -> Result<(), OptionError> {
        if !self.local_output_dir.is_empty() {
            return Destination::local_dir(&self.local_output_dir).map(|_| ()).map_err(destination_error);
        }
        if !self.dry_run || !self.bucket.is_empty() {
            Destination::parse(&self.bucket).map_err(destination_error)?;
        }
        for (extension, kind) in &self.media_types {
            if !is_media_type(kind) {
                let key = format!("mediaTypes.{extension}");
                return Err(OptionError::new(key, kind, "a media type such as text/plain; charset=utf-8"));
            }
        }
        match self.path_strategy.as_str() {
            "explicit" => Ok(()),
            "legacy" | "single" => self.validate_defaults(),
            other => Err(OptionError::new("path_strategy", other, "explicit, legacy or single")),
        }
    }

    fn validate_defaults(&self) -> Result<(), OptionError> {
        for (key, value) in [("default_org", &self.default_org), ("default_repo", &self.default_repo)] {
            if value.is_empty() {
                return Err(OptionError::new(
                    key,
                    value,
                    "a name; the path strategies legacy and single need it",
                ));
            }
        }
        Ok(())
    }
}

/// Destinations name key, value and what is allowed themselves.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err by name")]
fn destination_error(error: crate::destination::DestinationError) -> OptionError {
    OptionError::from_text(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> UploadOptions {
        let mut options = UploadOptions::default();
        common::json::decode(&mut options, text).expect("decodes");
        options
    }

    #[test]
    fn vectors_v_gv() {
        for (id, text, valid) in [
            ("V-GV-1", r#"{"dry_run":true,"path_strategy":"explicit"}"#, true),
            (
                "V-GV-2",
                r#"{"dry_run":false,"gcs_credentials_file":"/s","bucket":"seal","path_strategy":"explicit"}"#,
                true,
            ),
            ("V-GV-3", r#"{"dry_run":true,"path_strategy":"whatever"}"#, false),
            ("V-GV-4", r#"{"dry_run":true,"path_strategy":"explicit"}"#, true),
            ("V-GV-5", r#"{"dry_run":true,"path_strategy":"legacy"}"#, false),
            ("V-GV-6", r#"{"dry_run":true,"path_strategy":"legacy","default_repo":"r"}"#, false),
            ("V-GV-7", r#"{"dry_run":true,"path_strategy":"single"}"#, false),
            ("V-GV-8", r#"{"dry_run":true,"path_strategy":"single","default_org":"o"}"#, false),
            (
                "V-GV-9",
                r#"{"dry_run":true,"path_strategy":"single","default_org":"o","default_repo":"r"}"#,
                true,
            ),
            ("V-GT-6", r#"{"bucket":"://bucket","path_strategy":"explicit"}"#, false),
            ("O-40", r#"{"path_strategy":"explicit"}"#, false),
            ("O-40", r#"{"bucket":"b"}"#, false),
            ("O-40", r#"{"local_output_dir":"/o"}"#, true),
            ("O-40", r#"{"bucket":"b","path_strategy":"explicit","mediaTypes":{"log":"a b"}}"#, false),
            ("U-27", r#"{"local_output_dir":"o"}"#, false),
        ] {
            assert_eq!(decoded(text).validate().is_ok(), valid, "{id} {text}");
        }
    }

    #[test]
    fn errors_name_key_value_and_what_is_allowed() {
        let error = decoded(r#"{"bucket":"b","path_strategy":"x"}"#).validate().expect_err("refused");
        assert_eq!(error.to_string(), r#"path_strategy "x": allowed is explicit, legacy or single"#);
    }

    #[test]
    fn encoding_keeps_the_order_and_omits_what_is_empty() {
        let options =
            decoded(r#"{"dry_run":false,"bucket":"b","items":["/a"],"mediaTypes":{"log":"text/plain"}}"#);
        assert_eq!(
            common::json::to_go_string(&options),
            r#"{"items":["/a"],"bucket":"b","mediaTypes":{"log":"text/plain"},"dry_run":false}"#
        );
    }
}
