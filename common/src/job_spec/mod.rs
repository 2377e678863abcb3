//! `JOB_SPEC`: what job a pod runs, and on which refs (contract section 6).
//!
//! Of `decoration_config` only the two durations are kept, and one of the wrong
//! form counts as absent: nothing else in it is of use inside a pod (J-22).

mod document;
mod environment;

pub use environment::environment;

use crate::duration::GoDuration;
use crate::json::{self, JsonError, Notes};
use serde::{Serialize, Serializer};
use std::fmt;

/// The environment variable that holds the specification.
pub const VARIABLE: &str = "JOB_SPEC";

/// The trigger of a job, which decides where its results belong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JobType {
    /// On a pull request.
    Presubmit,
    /// After a merge.
    Postsubmit,
    /// By the clock.
    Periodic,
    /// On several pull requests at once, before they merge.
    Batch,
    /// An unknown type, the empty text included. It has no job path.
    Other(String),
}

impl JobType {
    /// Returns the type as `JOB_SPEC` writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Presubmit => "presubmit",
            Self::Postsubmit => "postsubmit",
            Self::Periodic => "periodic",
            Self::Batch => "batch",
            Self::Other(text) => text,
        }
    }

    fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl From<&str> for JobType {
    fn from(text: &str) -> Self {
        match text {
            "presubmit" => Self::Presubmit,
            "postsubmit" => Self::Postsubmit,
            "periodic" => Self::Periodic,
            "batch" => Self::Batch,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Default for JobType {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl fmt::Display for JobType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for JobType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A job run. Serialises in upstream's order and with its omissions (J-1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobSpec {
    /// The job's trigger.
    #[serde(rename = "type", skip_serializing_if = "JobType::is_empty")]
    pub job_type: JobType,
    /// The job's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub job: String,
    /// The id of this run; usually, but not always, a number.
    #[serde(rename = "buildid", skip_serializing_if = "String::is_empty")]
    pub build_id: String,
    /// The name of the `ProwJob` object.
    #[serde(rename = "prowjobid", skip_serializing_if = "String::is_empty")]
    pub prow_job_id: String,
    /// The refs under test; absent for a periodic job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refs: Option<Refs>,
    /// Further repositories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_refs: Vec<Refs>,
    /// The decoration of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoration_config: Option<DecorationConfig>,
}

/// The part of a decoration configuration that matters inside a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DecorationConfig {
    /// Upper bound on the test's run time.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub timeout: Option<GoDuration>,
    /// Time that the test gets to end after an interrupt.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub grace_period: Option<GoDuration>,
}

/// J-20: durations are written as strings here.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn as_text<S: Serializer>(value: &Option<GoDuration>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(duration) => serializer.collect_str(duration),
        None => serializer.serialize_none(),
    }
}

/// A repository at a base, with pull requests on top.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the keys are upstream's")]
pub struct Refs {
    /// The organisation, or a server's URL.
    pub org: String,
    /// The repository's name.
    pub repo: String,
    /// URL of the repository's page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repo_link: String,
    /// The base branch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_ref: String,
    /// The base commit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_sha: String,
    /// URL of the base commit's page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_link: String,
    /// The pull requests that are merged onto the base.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pulls: Vec<Pull>,
    /// The import path below which the repository is cloned.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path_alias: String,
    /// True if the test starts in this repository.
    #[serde(skip_serializing_if = "is_false")]
    pub workdir: bool,
    /// True for an auxiliary repository, which is never the main one.
    #[serde(skip_serializing_if = "is_false")]
    pub auxiliary: bool,
    /// URL to clone from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub clone_uri: String,
    /// True if submodules are not cloned.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_submodules: bool,
    /// Number of commits to fetch; 0 means all.
    #[serde(skip_serializing_if = "is_zero")]
    pub clone_depth: i64,
    /// True if `HEAD` is not fetched.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_fetch_head: bool,
    /// True if blobs are fetched on demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blobless_fetch: Option<bool>,
    /// The files of a sparse checkout.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sparse_checkout_files: Vec<String>,
}

/// A pull request at one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pull {
    /// Its number.
    pub number: i64,
    /// Its author's login.
    pub author: String,
    /// Its commit.
    pub sha: String,
    /// Its title.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The ref to fetch it from, if not the default one.
    #[serde(rename = "ref", skip_serializing_if = "String::is_empty")]
    pub git_ref: String,
    /// Its branch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub head_ref: String,
    /// URL of its page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// URL of its commit's page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit_link: String,
    /// URL of its author's page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author_link: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Error of reading the job specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobSpecError {
    /// The variable is not set.
    #[error("{VARIABLE} is not set; it has to hold the job's specification as a JSON object")]
    Unset,
    /// Its value cannot be used.
    #[error("{VARIABLE}: {0}")]
    Malformed(#[from] JsonError),
}

impl JobSpec {
    /// Reads the specification from the environment, with notes about unknown keys.
    pub fn from_env() -> Result<(Self, Notes), JobSpecError> {
        let text = std::env::var_os(VARIABLE).ok_or(JobSpecError::Unset)?;
        Self::parse(&crate::options::lossy(&text))
    }

    /// Parses the specification, with notes about unknown keys.
    pub fn parse(text: &str) -> Result<(Self, Notes), JobSpecError> {
        let mut spec = Self::default();
        let notes = json::decode(&mut spec, text)?;
        Ok((spec, notes))
    }

    /// Encodes the specification as upstream does.
    pub fn encode(&self) -> String {
        json::to_go_string(self)
    }

    /// Returns the refs under test (J-10).
    pub fn main_refs(&self) -> Option<&Refs> {
        self.refs.as_ref().or_else(|| self.extra_refs.iter().find(|refs| !refs.auxiliary))
    }

    /// Returns the revision of the main refs (J-30); empty without any.
    pub fn revision(&self) -> &str {
        self.main_refs().map_or("", Refs::revision)
    }
}

impl Refs {
    /// Returns the commit under test, or the branch if no commit is known (J-30).
    pub fn revision(&self) -> &str {
        match self.pulls.first() {
            Some(pull) => &pull.sha,
            None if self.base_sha.is_empty() => &self.base_ref,
            None => &self.base_sha,
        }
    }

    /// Formats the refs in one line (J-4): `main:base-sha,1:pull-sha`.
    pub fn text(&self) -> String {
        let mut text = self.base_ref.clone();
        if !self.base_sha.is_empty() {
            text.extend([":", &self.base_sha]);
        }
        for pull in &self.pulls {
            text.extend([",", &pull.number.to_string(), ":", &pull.sha]);
            if !pull.git_ref.is_empty() {
                text.extend([":", &pull.git_ref]);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
