//! Names where objects go, and the credentials to get there (contract 4.11).

use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Upper bound on a full key: S3, GCS and Azure refuse longer ones
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>,
/// <https://cloud.google.com/storage/docs/objects#naming>).
pub const MAX_KEY_BYTES: usize = 1024;

/// A parsed destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Google Cloud Storage.
    Gs {
        /// The bucket's name.
        bucket: String,
        /// Prefix of every key; empty, or without a slash at either end.
        prefix: String,
    },
    /// S3 or a compatible store.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// Prefix of every key; empty, or without a slash at either end.
        prefix: String,
    },
    /// Azure Blob Storage.
    Az {
        /// The container's name.
        container: String,
        /// Prefix of every key; empty, or without a slash at either end.
        prefix: String,
    },
    /// A directory with the layout of a bucket (`file://`).
    File {
        /// The absolute directory.
        root: PathBuf,
    },
    /// A directory for one job's objects (`local_output_dir`).
    LocalDir {
        /// The absolute directory.
        root: PathBuf,
    },
}

/// Files that hold credentials (U-91 … U-93).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// A Google credentials file in JSON; unset means the default chain, then anonymous.
    pub gcs_credentials_file: Option<PathBuf>,
    /// The JSON file of U-92; unset or empty means the AWS default chain.
    pub s3_credentials_file: Option<PathBuf>,
}

/// A bucket string that names no destination, as one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{option} {value:?}: {reason}")]
pub struct DestinationError {
    option: &'static str,
    value: String,
    reason: String,
}

impl Destination {
    /// Parses a `bucket` option (U-90): `name`, `gs://name`, `name/prefix`,
    /// `s3://name/prefix`, `az://container/prefix` or `file:///absolute/directory`.
    pub fn parse(bucket: &str) -> Result<Self, DestinationError> {
        let fail = |reason: &str| {
            Err(DestinationError {
                option: "bucket",
                value: bucket.to_owned(),
                reason: format!(
                    "{reason}; allowed are gs://NAME, s3://NAME, az://CONTAINER and file:///DIRECTORY"
                ),
            })
        };
        if bucket.is_empty() {
            return fail("no bucket was given");
        }
        if bucket.starts_with('/') {
            return fail("a plain path is not a bucket, write file:// in front of it");
        }
        let (scheme, rest) = bucket.split_once("://").unwrap_or(("gs", bucket));
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/').to_owned();
        if rest.split('/').any(|segment| segment == "..") {
            return fail("a path with .. in it leads out of where objects belong");
        }
        if rest.chars().any(char::is_control) {
            return fail("it has a control character, or a line break at its end");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
        match scheme {
            "file" if rest.starts_with('/') => {
                Ok(Self::File { root: Path::new(rest).components().collect() })
            }
            "file" => fail("the directory must be absolute"),
            "gs" | "s3" | "az" if name.is_empty() => fail("the bucket's name is missing"),
            "gs" | "s3" | "az" if !name.chars().all(allowed) => {
                fail("a bucket's name consists of letters, digits, dots, hyphens and underscores")
            }
            "gs" => Ok(Self::Gs { bucket: name.to_owned(), prefix }),
            "s3" => Ok(Self::S3 { bucket: name.to_owned(), prefix }),
            "az" => Ok(Self::Az { container: name.to_owned(), prefix }),
            "" => fail("the scheme is missing"),
            _ => fail("unknown scheme"),
        }
    }

    /// Parses a `local_output_dir` option (U-27).
    pub fn local_dir(directory: &str) -> Result<Self, DestinationError> {
        let path = directory.strip_prefix("file://").unwrap_or(directory);
        if Path::new(path).is_absolute() {
            Ok(Self::LocalDir { root: PathBuf::from(path) })
        } else {
            Err(DestinationError {
                option: "local_output_dir",
                value: directory.to_owned(),
                reason: "the directory must be absolute".to_owned(),
            })
        }
    }
}

/// Returns a prefix as its objects' keys have it: as in `path_prefix`, `.` and `//` add
/// nothing. [`Destination::parse`] refuses `..`.
fn clean_prefix(prefix: &str) -> String {
    let segments: Vec<&str> = prefix.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    segments.join("/")
}

/// Returns the reason why no bucket can hold a key, with its prefix, if there is one.
pub fn key_refusal(full: &str) -> Option<String> {
    if full.len() > MAX_KEY_BYTES {
        return Some(format!("it has {} bytes, allowed are {MAX_KEY_BYTES}", full.len()));
    }
    if full.chars().any(char::is_control) {
        return Some("it contains a control character".to_owned());
    }
    full.split('/').find_map(|part| match part {
        "" => Some("a part between two slashes is empty".to_owned()),
        "." | ".." => Some("a part of it is `.` or `..`".to_owned()),
        _ => None,
    })
}

/// Returns the reason why no directory can hold a key, if there is one.
pub fn directory_key_refusal(key: &str) -> Option<&'static str> {
    let bad = key.split('/').any(|part| matches!(part, "" | "." | "..")) || key.contains('\0');
    bad.then_some("a part of it is empty, `.` or `..`, or contains a NUL")
}

impl Destination {
    /// Returns the reason why it cannot hold an object with this key, if there is one.
    pub fn key_refusal(&self, key: &str) -> Option<String> {
        match self {
            Self::Gs { prefix, .. } | Self::S3 { prefix, .. } | Self::Az { prefix, .. } => {
                key_refusal(&if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") })
            }
            Self::File { .. } | Self::LocalDir { .. } => directory_key_refusal(key).map(str::to_owned),
        }
    }

    /// Returns the destination with its prefix as keys have it.
    #[must_use]
    pub fn tidy(mut self) -> Self {
        match &mut self {
            Self::Gs { prefix, .. } | Self::S3 { prefix, .. } | Self::Az { prefix, .. } => {
                *prefix = clean_prefix(prefix);
            }
            Self::File { .. } | Self::LocalDir { .. } => {}
        }
        self
    }

    /// Returns a warning about a prefix that is shorter in keys than it was written.
    pub fn untidy_prefix(&self) -> Option<String> {
        match self {
            Self::Gs { prefix, .. } | Self::S3 { prefix, .. } | Self::Az { prefix, .. } => {
                let clean = clean_prefix(prefix);
                (clean != *prefix)
                    .then(|| format!("The prefix {prefix:?} of the bucket is {clean:?} in keys"))
            }
            Self::File { .. } | Self::LocalDir { .. } => None,
        }
    }

    /// Returns the bytes that the destination's own prefix adds to a key.
    pub fn prefix_bytes(&self) -> usize {
        match self {
            Self::Gs { prefix, .. } | Self::S3 { prefix, .. } | Self::Az { prefix, .. } => {
                if prefix.is_empty() { 0 } else { prefix.len() + 1 }
            }
            Self::File { .. } | Self::LocalDir { .. } => 0,
        }
    }

    /// Returns whether names and bytes stay as they are at this destination
    /// (U-26): a file's name must not lose what a directory cannot keep beside it.
    pub fn keeps_names(&self) -> bool {
        match self {
            Self::File { .. } | Self::LocalDir { .. } => true,
            Self::Gs { .. } | Self::S3 { .. } | Self::Az { .. } => false,
        }
    }
}

/// Writes the destination as people do, without a slash at its end.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, bucket, prefix) = match self {
            Self::Gs { bucket, prefix } => ("gs", bucket, prefix),
            Self::S3 { bucket, prefix } => ("s3", bucket, prefix),
            Self::Az { container, prefix } => ("az", container, prefix),
            Self::File { root } => return write!(f, "file://{}", root.display()),
            Self::LocalDir { root } => return write!(f, "{}", root.display()),
        };
        write!(f, "{scheme}://{bucket}")?;
        if prefix.is_empty() { Ok(()) } else { write!(f, "/{prefix}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gs(bucket: &str, prefix: &str) -> Destination {
        Destination::Gs { bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn v_su_1_to_7_bucket_strings() {
        let s3 = Destination::S3 { bucket: "prow-artifacts".to_owned(), prefix: "test".to_owned() };
        let test = gs("prow-artifacts", "pr-logs/bazel-build/test.log");
        let az = Destination::Az { container: "artifacts".to_owned(), prefix: "ci".to_owned() };
        let vectors = [
            ("V-SU-1", "s3://prow-artifacts/test", s3),
            ("V-SU-2", "gs://prow-artifacts/pr-logs/bazel-build/test.log", test),
            ("V-SU-3, V-SU-6", "gs://prow-artifacts", gs("prow-artifacts", "")),
            ("V-SU-5", "prow-artifacts", gs("prow-artifacts", "")),
            (
                "V-SU-7",
                "gs://my-floppy-backup/a://doom2.wad.006",
                gs("my-floppy-backup", "a://doom2.wad.006"),
            ),
            ("U-90", "name/prefix/", gs("name", "prefix")),
            ("U-90", "az://artifacts/ci", az),
            ("U-90", "file:///abs/dir", Destination::File { root: PathBuf::from("/abs/dir") }),
            ("U-90", "file:////abs//./dir/", Destination::File { root: PathBuf::from("/abs/dir") }),
        ];
        for (id, text, expected) in vectors {
            assert_eq!(Destination::parse(text), Ok(expected), "{id}: {text}");
        }
        assert!(Destination::parse("gs://").is_err(), "V-SU-4");
    }

    #[test]
    fn errors_are_one_line_with_option_value_and_what_is_allowed() {
        for text in
            ["", "gs://", "s3:///x", "://bucket", "/abs/dir", "file://rel", "az://", "ftp://x", "gs://a b"]
        {
            let error = Destination::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("bucket {text:?}: ")), "{error}");
            assert!(error.contains("allowed are gs://NAME") && !error.contains('\n'), "{error}");
        }
        for text in ["gs://b/..", "s3://b/a/../c", "az://c/../d", "file:///a/../b"] {
            let error = Destination::parse(text).expect_err(text).to_string();
            assert!(error.contains("a path with .. in it"), "{error}");
        }
        for text in ["gs://b/a\n", "s3://b/a\tb", "file:///a\n"] {
            let error = Destination::parse(text).expect_err(text).to_string();
            assert!(error.contains("a control character") && !error.contains('\n'), "{error}");
        }
        assert!(Destination::parse("gs://b/a..b/...").is_ok());
        assert!(Destination::local_dir("relative").is_err());
        let local = Destination::local_dir("file:///out").expect("parsed");
        assert_eq!(local, Destination::LocalDir { root: PathBuf::from("/out") });
    }

    #[test]
    fn prefixes_are_clean_in_keys_with_a_warning() {
        for (prefix, clean) in
            [("a//b", "a/b"), ("./a/./b", "a/b"), ("a/b", "a/b"), (".", ""), ("a://b", "a:/b")]
        {
            assert_eq!(clean_prefix(prefix), clean);
            let warning = gs("b", prefix).untidy_prefix();
            assert_eq!(warning.is_some(), prefix != clean, "{warning:?}");
        }
    }

    #[test]
    fn v_tr_7_the_full_destination() {
        let destination = Destination::parse("gs://bucket-A").expect("parsed");
        assert_eq!(format!("{destination}/path/to/some/file.json"), "gs://bucket-A/path/to/some/file.json");
        let untidy = Destination::parse("s3://b/a//x/./y").expect("parsed");
        assert_eq!(untidy.tidy().to_string(), "s3://b/a/x/y");
    }
}
