//! The destination of a run's results, and reading them back.

use super::options::{Options, utf8_path};
use crate::terminal::Problem;
use anyhow::Context;
use common::job_spec::{JobSpec, JobType};
use common::paths::{self, PathStrategy};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use sidecar::destination::{self, Credentials};
use sidecar::io::store::{Store, StoreError};
use sidecar::layout::started::Started;
use sidecar::options::UploadOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A manifest of some ten thousand objects; a larger one is not shown.
const MAX_DOCUMENT_BYTES: usize = 8 << 20;

/// A destination that can take the results, as far as that can be known before.
#[derive(Debug)]
pub(crate) struct Destination {
    /// The run, with its build id.
    pub(crate) spec: JobSpec,
    /// Sidecar's options for the destination.
    pub(crate) upload: UploadOptions,
    store: destination::Destination,
    /// The upload path: empty where the destination is for this run alone.
    base: String,
}

impl Destination {
    /// Understands `--out` and makes the local directory, so that a mistake is
    /// found before the test runs. `again` is the id of a build that is delivered once more.
    pub(crate) fn prepare(options: &Options, again: Option<String>) -> Result<Self, Problem> {
        let refuse = |why: &str| Problem::new(format!("--out {}: {why}", options.out));
        let is_new = again.is_none();
        let mut build_id = again.unwrap_or_else(|| build_id(Timestamp::now()));
        let mut upload = UploadOptions {
            path_strategy: "explicit".to_owned(),
            s3_credentials_file: options.s3_credentials_file.clone(),
            gcs_credentials_file: options.gcs_credentials_file.clone(),
            ..UploadOptions::default()
        };
        let store = if options.out.contains("://") {
            upload.bucket.clone_from(&options.out);
            let parsed = destination::Destination::parse(&options.out).map_err(|error| {
                Problem::new(error.to_string().replacen("bucket", "--out", 1) + ", or a plain directory")
            })?;
            parsed.tidy()
        } else {
            if let Some(scheme) = mistyped_scheme(&options.out) {
                let why = format!("is {scheme}:// meant? A directory of this name is ./{}", options.out);
                return Err(refuse(&why));
            }
            let jobs = Path::new(&options.out).join(&options.job);
            let dir =
                if is_new { own_directory(&jobs, &mut build_id) } else { same_directory(&jobs, &build_id) };
            let dir = dir.and_then(|dir| dir.canonicalize()).map_err(|error| refuse(&error.to_string()))?;
            upload.local_output_dir = utf8_path(&dir).ok_or_else(|| refuse("the path is not UTF-8"))?;
            destination::Destination::local_dir(&upload.local_output_dir)
                .map_err(|error| refuse(&error.to_string()))?
        };
        if let destination::Destination::File { root } = &store {
            probe(root).map_err(|error| refuse(&error.to_string()))?;
        }
        let spec = JobSpec {
            job_type: JobType::Periodic,
            job: options.job.clone(),
            prow_job_id: format!("podutils-{build_id}"),
            build_id,
            ..JobSpec::default()
        };
        let base = match &store {
            destination::Destination::LocalDir { .. } => String::new(),
            destination::Destination::File { .. }
            | destination::Destination::S3 { .. }
            | destination::Destination::Gs { .. }
            | destination::Destination::Az { .. } => {
                paths::job_path(&spec, &PathStrategy::Explicit).map_err(|error| refuse(&error.to_string()))?
            }
        };
        Ok(Self { spec, upload, store, base })
    }

    fn credentials(&self) -> Credentials {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        Credentials {
            gcs_credentials_file: path(&self.upload.gcs_credentials_file),
            s3_credentials_file: path(&self.upload.s3_credentials_file),
        }
    }

    /// Writes `started.json`, in one attempt.
    pub(crate) async fn announce(&self, begin: common::timestamp::Timestamp) -> Result<(), StoreError> {
        let store = Store::open(&self.store, &self.credentials())?;
        let started = Started::new(begin.as_secs(), &self.spec, self.spec.revision(), &str::to_owned);
        let content = common::json::to_go_string(&started).into_bytes();
        store.write_small(&paths::join(&[&self.base, "started.json"]), content, "application/json").await
    }

    /// The upload path as people write it.
    pub(crate) fn display(&self) -> String {
        match (&self.store, self.base.as_str()) {
            (store, "") => store.to_string(),
            (store, base) => format!("{store}/{base}"),
        }
    }

    /// The local directory that the job's objects are in, when there is one.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        match &self.store {
            destination::Destination::LocalDir { root } | destination::Destination::File { root } => {
                Some(if self.base.is_empty() { root.clone() } else { root.join(&self.base) })
            }
            destination::Destination::S3 { .. }
            | destination::Destination::Gs { .. }
            | destination::Destination::Az { .. } => None,
        }
    }

    /// Reads a document of ours back from where it was delivered.
    pub(crate) async fn read_back(&self, name: &str) -> anyhow::Result<Value> {
        let named = || name.to_owned();
        let store = Store::open(&self.store, &self.credentials())?;
        let read = store.read_small(&paths::join(&[&self.base, name]), MAX_DOCUMENT_BYTES).await;
        let (bytes, _) = read.with_context(named)?.with_context(|| format!("there is no {name}"))?;
        serde_json::from_slice(&bytes).with_context(named)
    }

    /// The name of an object below the upload path; the whole key elsewhere.
    pub(crate) fn name_of<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.base).map_or(key, |name| name.trim_start_matches('/'))
    }
}

/// Returns the scheme of a store in what looks like an address with too few slashes.
fn mistyped_scheme(out: &str) -> Option<&str> {
    let (scheme, _) = out.split_once(':')?;
    ["s3", "gs", "az", "file", "http", "https"].contains(&scheme).then_some(scheme)
}

/// The time in milliseconds as a number that people can read: its order is that
/// of the runs, which `latest-build.txt` relies on.
fn build_id(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S%3f").to_string()
}

/// Makes the directory `<jobs>/<build id>`, with the next id when another run
/// has this one.
fn own_directory(jobs: &Path, build_id: &mut String) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(jobs)?;
    loop {
        let dir = jobs.join(&*build_id);
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let next = build_id.parse::<u64>().map_err(std::io::Error::other)? + 1;
                *build_id = next.to_string();
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes the directory of a build unless it is there.
fn same_directory(jobs: &Path, build_id: &str) -> std::io::Result<PathBuf> {
    let dir = jobs.join(build_id);
    std::fs::create_dir_all(&dir).map(|()| dir)
}

/// Returns whether files can be made in the directory.
fn probe(root: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(root)?;
    tempfile::tempfile_in(root).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_ids_are_numbers_in_the_order_of_time() {
        let at = Timestamp::from_millisecond(1_767_225_600_123).expect("a time");
        assert_eq!(build_id(at), "20260101000000123");
        assert!(build_id(Timestamp::now()).parse::<u64>().is_ok());
    }

    #[test]
    fn two_runs_in_one_millisecond_get_two_directories() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut first, mut second) = ("7".to_owned(), "7".to_owned());
        own_directory(&dir.path().join("job"), &mut first).expect("made");
        own_directory(&dir.path().join("job"), &mut second).expect("made");
        assert_eq!((first.as_str(), second.as_str()), ("7", "8"));
    }
}
