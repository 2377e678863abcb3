//! The description of a kept pod directory: what `podutils deliver` must know of its job.
//!
//! It is written when the pod has ended, so that the job has no part in it.

use super::options::{Options, job_name, secret_directory};
use crate::terminal::Problem;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file's name in the pod's directory.
const FILE: &str = "pod.json";

/// The schema's version.
const VERSION: u32 = 1;

/// Upper bound on the file: Linux takes no longer command line.
const MAX_BYTES: u64 = 4 << 20;

/// A job that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    version: u32,
    job: String,
    /// The build's id at the destination.
    pub(super) build_id: String,
    command: Vec<String>,
    out: String,
    secrets: Vec<String>,
    strict: bool,
    s3_credentials_file: String,
    gcs_credentials_file: String,
}

impl Kept {
    /// Describes a job.
    pub(super) fn new(options: &Options, build_id: &str) -> Self {
        let is_address = options.out.contains("://");
        let absolute =
            Some(&options.out).filter(|_| !is_address).and_then(|out| std::path::absolute(out).ok());
        let absolute = absolute.and_then(|out| out.to_str().map(str::to_owned));
        Self {
            version: VERSION,
            job: options.job.clone(),
            build_id: build_id.to_owned(),
            command: options.command.clone(),
            out: absolute.unwrap_or_else(|| options.out.clone()),
            secrets: options.secrets.clone(),
            strict: options.strict,
            s3_credentials_file: options.s3_credentials_file.clone(),
            gcs_credentials_file: options.gcs_credentials_file.clone(),
        }
    }

    /// Writes the description into the pod's directory.
    pub(super) fn write(&self, dir: &Path) -> std::io::Result<()> {
        std::fs::write(dir.join(FILE), serde_json::to_vec(self)?)
    }

    /// Reads the description of a directory.
    pub(super) fn read(dir: &Path) -> Result<Self, Problem> {
        let refuse = |why: &dyn std::fmt::Display| {
            Problem::new(format!(
                "{}: {why}; allowed is a pod directory that podutils run has kept",
                dir.display()
            ))
        };
        let path = dir.join(FILE);
        let mut text = String::new();
        let file = std::fs::File::open(&path).map_err(|error| refuse(&format!("{FILE}: {error}")))?;
        file.take(MAX_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| refuse(&format!("{FILE}: {error}")))?;
        let kept: Self = serde_json::from_str(&text).map_err(|error| refuse(&format!("{FILE}: {error}")))?;
        if kept.version != VERSION
            || kept.build_id.is_empty()
            || !kept.build_id.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(refuse(&format!("{FILE} is of another version")));
        }
        job_name(&kept.job)?;
        Ok(kept)
    }

    /// The options of the run, as far as they count for its delivery.
    pub(super) fn options(self, base: Options) -> Result<Options, Problem> {
        let or = |given: String, kept: String| if given.is_empty() { kept } else { given };
        // A directory of secrets that is gone would leave them in what is delivered.
        let secrets = if base.secrets.is_empty() { self.secrets } else { base.secrets };
        let secrets = secrets.iter().map(|dir| secret_directory(Path::new(dir))).collect::<Result<_, _>>()?;
        Ok(Options {
            job: self.job,
            out: or(base.out, self.out),
            secrets,
            strict: base.strict || self.strict,
            s3_credentials_file: or(base.s3_credentials_file, self.s3_credentials_file),
            gcs_credentials_file: or(base.gcs_credentials_file, self.gcs_credentials_file),
            command: self.command,
            ..base
        })
    }
}

/// The pod's directory, absolute and without links.
pub(super) fn directory(path: &Path) -> Result<PathBuf, Problem> {
    path.canonicalize().map_err(|error| Problem::new(format!("{}: {error}", path.display())))
}
