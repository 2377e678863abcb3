//! Where the objects of a job run belong (contract U-1 to U-13).
//!
//! All paths are relative to the bucket and never start with a slash, unless a
//! job's own name makes them so.

use crate::excerpt::quoted;
use crate::job_spec::{JobSpec, JobType, Refs};

/// How organisation and repository become one segment of a path (U-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStrategy {
    /// Both, always.
    Explicit,
    /// Nothing for the default repository, the repository alone in the default
    /// organisation, else both.
    Legacy {
        /// The default organisation.
        default_org: String,
        /// The default repository.
        default_repo: String,
    },
    /// Nothing for the default repository, else both.
    Single {
        /// The default organisation.
        default_org: String,
        /// The default repository.
        default_repo: String,
    },
}

/// Options that give no strategy (O-40, steps 6 and 7).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// The name is unknown.
    #[error("path_strategy: {} is unknown; allowed are explicit, legacy and single", quoted(.0))]
    Unknown(String),
    /// The defaults that it needs are missing.
    #[error("path_strategy {0} needs default_org and default_repo; {1} is empty")]
    NoDefault(&'static str, &'static str),
}

impl PathStrategy {
    /// The strategy that the options of these names describe.
    pub fn new(strategy: &str, default_org: &str, default_repo: &str) -> Result<Self, StrategyError> {
        let defaults = |name| match (default_org, default_repo) {
            ("", _) => Err(StrategyError::NoDefault(name, "default_org")),
            (_, "") => Err(StrategyError::NoDefault(name, "default_repo")),
            (org, repo) => Ok((org.to_owned(), repo.to_owned())),
        };
        match strategy {
            "explicit" => Ok(Self::Explicit),
            "legacy" => defaults("legacy")
                .map(|(default_org, default_repo)| Self::Legacy { default_org, default_repo }),
            "single" => defaults("single")
                .map(|(default_org, default_repo)| Self::Single { default_org, default_repo }),
            other => Err(StrategyError::Unknown(other.to_owned())),
        }
    }

    /// The segment for a repository; may be empty (U-4 to U-6).
    pub fn repo_segment(&self, org: &str, repo: &str) -> String {
        match self {
            Self::Legacy { default_org, default_repo } if org == default_org => {
                if repo == default_repo {
                    String::new()
                } else {
                    repo.to_owned()
                }
            }
            Self::Single { default_org, default_repo } if org == default_org && repo == default_repo => {
                String::new()
            }
            Self::Explicit | Self::Legacy { .. } | Self::Single { .. } => org_and_repo(org, repo),
        }
    }
}

/// `<org>_<repo>` without a URL's scheme and without slashes (U-5).
fn org_and_repo(org: &str, repo: &str) -> String {
    let org = org.strip_prefix("https://").unwrap_or(org);
    let org = org.strip_prefix("http://").unwrap_or(org).trim_end_matches('/');
    format!("{org}_{}", repo.replace('/', "_"))
}

/// A job that has no place in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The type is none of the four.
    #[error(
        "JOB_SPEC: type: {} is unknown; allowed are presubmit, postsubmit, periodic and batch",
        quoted(.0)
    )]
    UnknownType(String),
    /// A presubmit without a repository.
    #[error("JOB_SPEC: refs is missing; a presubmit needs it, with at least one pull")]
    NoRefs,
    /// A presubmit without a pull request.
    #[error("JOB_SPEC: refs.pulls is empty; a presubmit needs at least one pull")]
    NoPulls,
}

/// The job path (U-1), without `path_prefix` and `sub_dir`: those are put
/// around it with [`join`].
pub fn job_path(spec: &JobSpec, strategy: &PathStrategy) -> Result<String, PathError> {
    let (job, build) = (spec.job.as_str(), spec.build_id.as_str());
    match &spec.job_type {
        JobType::Periodic | JobType::Postsubmit => Ok(join(&["logs", job, build])),
        JobType::Presubmit => {
            let parent = pull_path(spec, strategy)?;
            Ok(join(&[&parent, job, build]))
        }
        JobType::Batch => Ok(join(&["pr-logs/pull/batch", job, build])),
        JobType::Other(name) => Err(PathError::UnknownType(name.clone())),
    }
}

/// The object at the bucket's root that names a presubmit's base path (U-11);
/// other jobs have none.
pub fn alias_path(spec: &JobSpec) -> Option<String> {
    (spec.job_type == JobType::Presubmit)
        .then(|| join(&["pr-logs/directory", &spec.job, &format!("{}.txt", spec.build_id)]))
}

/// The objects at the bucket's root that hold the latest build id (U-12). The
/// second one of a presubmit needs a strategy.
pub fn latest_build_paths(spec: &JobSpec, strategy: Option<&PathStrategy>) -> Result<Vec<String>, PathError> {
    const NAME: &str = "latest-build.txt";
    let job = spec.job.as_str();
    match &spec.job_type {
        JobType::Periodic | JobType::Postsubmit => Ok(vec![join(&["logs", job, NAME])]),
        JobType::Presubmit => {
            let mut paths = vec![join(&["pr-logs/directory", job, NAME])];
            if let Some(strategy) = strategy {
                paths.push(join(&[&pull_path(spec, strategy)?, job, NAME]));
            }
            Ok(paths)
        }
        JobType::Batch => Ok(vec![join(&["pr-logs/directory", job, NAME])]),
        JobType::Other(name) => Err(PathError::UnknownType(name.clone())),
    }
}

/// The folder of a presubmit's first pull request.
fn pull_path(spec: &JobSpec, strategy: &PathStrategy) -> Result<String, PathError> {
    let refs: &Refs = spec.refs.as_ref().ok_or(PathError::NoRefs)?;
    let pull = refs.pulls.first().ok_or(PathError::NoPulls)?;
    let segment = strategy.repo_segment(&refs.org, &refs.repo);
    Ok(join(&["pr-logs/pull", &segment, &pull.number.to_string()]))
}

/// Joins parts by one slash each and cleans the result, as Go's `path.Join`
/// does: empty parts vanish; nothing at all stays empty.
pub fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { clean(&parts.join("/")) }
}

/// The shortest path of the same meaning, as Go's `path.Clean` makes it:
/// repeated slashes and `.` vanish, `..` takes the part before it away, and
/// stays only in front of a relative path. An empty path is `.`.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}
