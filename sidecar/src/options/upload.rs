//! Sources and destination of an upload (contract 1.5): the object `gcs_options`.

use super::OptionError;
use super::media_type::is_media_type;
use crate::destination::Destination;
use common::options::flag;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

common::options! {
    /// The object `gcs_options`.
    pub struct UploadOptions {
        /// Files and directories to upload.
        pub items: Vec<String> = flag("item").value("PATH").or_positional("ITEMS"),
        /// Appended to the job path.
        pub sub_dir: String = flag("sub-dir").value("PATH"),
        /// `gs://`, `s3://`, `az://` or `file://` destination with an optional prefix; a bare name is a GCS
        /// bucket; required unless `dry_run` or `local_output_dir` is set.
        pub bucket: String = flag("bucket").value("BUCKET"),
        /// Prepended to the job path.
        pub path_prefix: String = flag("path-prefix").value("PATH"),
        /// `explicit`, `legacy` or `single`: how the job path is made; required in JSON.
        pub path_strategy: String = flag("path-strategy").value("NAME").flag_default("explicit"),
        /// The organisation that `legacy` and `single` leave out of paths and need.
        pub default_org: String = flag("default-org").value("NAME"),
        /// The repository that `legacy` and `single` leave out of paths and need.
        pub default_repo: String = flag("default-repo").value("NAME"),
        /// Media types by file extension.
        pub media_types: BTreeMap<String, String> = flag("media-type").key("mediaTypes").value("EXT:TYPE"),
        /// Accepted without effect.
        pub job_url_prefix: String = flag("job-url-prefix").value("URL"),
        /// A directory to write into instead of a bucket; needs no job.
        pub local_output_dir: String = flag("local-output-dir").value("DIRECTORY"),
        /// File extensions to compress with gzip; `*` is all.
        pub compress_file_types: Vec<String> = flag("compress-file-type").value("EXT"),
        /// Google credentials.
        pub gcs_credentials_file: String = flag("gcs-credentials-file").value("FILE")
            .default(|| "application default, else anonymous".to_owned()),
        /// S3 credentials and settings.
        pub s3_credentials_file: String = flag("s3-credentials-file").value("FILE")
            .default(|| "AWS environment, profile or role".to_owned()),
        /// Reports what would be uploaded, and uploads nothing.
        pub dry_run: bool = flag("dry-run").always().flag_default("true"),
        /// Bucket and path prefix in one: `gs://BUCKET/PREFIX`.
        pub gcs_path: Option<GcsPath> = flag("gcs-path").no_key(),
    }
}

/// A bucket and a prefix, as upstream's only flag for them gives them (contract O-90).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcsPath {
    bucket: String,
    prefix: String,
}

/// Takes the scheme `gs`, `file` or none, and host and path only.
impl FromStr for GcsPath {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if !scheme.contains('/') => (scheme, rest),
            Some(_) | None => ("", text),
        };
        if !matches!(scheme, "" | "gs" | "file") || rest.contains(['?', '#']) {
            return Err(());
        }
        let (host, path) = match rest.strip_prefix("//") {
            Some(authority) => authority.split_once('/').unwrap_or((authority, "")),
            None if scheme.is_empty() || rest.starts_with('/') => ("", rest.trim_start_matches('/')),
            None => return Err(()),
        };
        if host.contains([':', '@']) {
            return Err(());
        }
        Ok(Self { bucket: host.to_owned(), prefix: path.to_owned() })
    }
}

impl fmt::Display for GcsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, self.prefix)
    }
}

common::text_option!(GcsPath, "URL", "gs://BUCKET/PREFIX without port, user, query and fragment");

impl UploadOptions {
    /// Puts `--gcs-path` into bucket and prefix, in place of their own flags.
    pub(super) fn resolve_gcs_path(&mut self) {
        if let Some(path) = self.gcs_path.take() {
            self.bucket = path.bucket;
            self.path_prefix = path.prefix;
        }
    }

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
