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

/// What started a job, and so where its results belong.
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
    /// What nobody knows, also the empty text. It has no job path.
    Other(String),
}

impl JobType {
    /// The type as `JOB_SPEC` writes it.
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
    /// What started the job.
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
    /// How the pod was decorated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoration_config: Option<DecorationConfig>,
}

/// The part of a decoration configuration that matters inside a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DecorationConfig {
    /// How long the test may run.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub timeout: Option<GoDuration>,
    /// How long it may take to end after being told to.
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
    /// Where people see the repository.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repo_link: String,
    /// The base branch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_ref: String,
    /// The base commit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_sha: String,
    /// Where people see the base commit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_link: String,
    /// The pull requests that are merged onto the base.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pulls: Vec<Pull>,
    /// The import path below which the repository is cloned.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path_alias: String,
    /// Whether the test starts in this repository.
    #[serde(skip_serializing_if = "is_false")]
    pub workdir: bool,
    /// Whether the repository only helps: it is never the main one.
    #[serde(skip_serializing_if = "is_false")]
    pub auxiliary: bool,
    /// Where to clone from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub clone_uri: String,
    /// Whether submodules are left out.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_submodules: bool,
    /// How many commits are fetched; 0 is all.
    #[serde(skip_serializing_if = "is_zero")]
    pub clone_depth: i64,
    /// Whether `HEAD` is not fetched.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_fetch_head: bool,
    /// Whether blobs are fetched on demand.
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
    /// Who wrote it.
    pub author: String,
    /// Its commit.
    pub sha: String,
    /// Its title.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The ref to fetch it from, where it is not the usual one.
    #[serde(rename = "ref", skip_serializing_if = "String::is_empty")]
    pub git_ref: String,
    /// Its branch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub head_ref: String,
    /// Where people see it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// Where people see its commit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit_link: String,
    /// Where people see its author.
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

/// Why there is no job specification.
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
    /// The specification in the environment, and what was met in it.
    pub fn from_env() -> Result<(Self, Notes), JobSpecError> {
        let text = std::env::var_os(VARIABLE).ok_or(JobSpecError::Unset)?;
        Self::parse(&crate::options::lossy(&text))
    }

    /// The specification in `text`, and what was met in it.
    pub fn parse(text: &str) -> Result<(Self, Notes), JobSpecError> {
        let mut spec = Self::default();
        let notes = json::decode(&mut spec, text)?;
        Ok((spec, notes))
    }

    /// The specification as upstream encodes it.
    pub fn encode(&self) -> String {
        json::to_go_string(self)
    }

    /// The refs whose result this is (J-10).
    pub fn main_refs(&self) -> Option<&Refs> {
        self.refs.as_ref().or_else(|| self.extra_refs.iter().find(|refs| !refs.auxiliary))
    }

    /// The revision of the main refs (J-30); empty without any.
    pub fn revision(&self) -> &str {
        self.main_refs().map_or("", Refs::revision)
    }
}

impl Refs {
    /// The commit under test, or the branch while no commit is known (J-30).
    pub fn revision(&self) -> &str {
        match self.pulls.first() {
            Some(pull) => &pull.sha,
            None if self.base_sha.is_empty() => &self.base_ref,
            None => &self.base_sha,
        }
    }

    /// The refs in one line (J-4): `main:base-sha,1:pull-sha`.
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
