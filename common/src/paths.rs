//! Keys of a job run's objects (contract U-1 to U-13).
//!
//! All paths are relative to the bucket and never start with a slash, unless a
//! job's own name makes them so.

use crate::job_spec::{JobSpec, JobType, Refs};
use crate::quote::quoted;

/// Path strategy: derives one path segment from organisation and repository (U-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStrategy {
    /// Always organisation and repository.
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

/// Error for options that describe no strategy (O-40, steps 6 and 7).
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
    /// Parses the options of these names.
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

    /// Returns the segment of a repository; may be empty (U-4 to U-6).
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

/// Returns `<org>_<repo>` without a URL's scheme and without slashes (U-5).
fn org_and_repo(org: &str, repo: &str) -> String {
    let org = org.strip_prefix("https://").unwrap_or(org);
    let org = org.strip_prefix("http://").unwrap_or(org).trim_end_matches('/');
    format!("{org}_{}", repo.replace('/', "_"))
}

/// Error for a job without a path in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The type is not one of the four.
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

/// Returns the job path (U-1) without `path_prefix` and `sub_dir`, which callers
/// [`join`] to it.
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

/// Returns the key of the alias, which holds a presubmit's base path (U-11); `None` for
/// other jobs.
pub fn alias_path(spec: &JobSpec) -> Option<String> {
    (spec.job_type == JobType::Presubmit)
        .then(|| join(&["pr-logs/directory", &spec.job, &format!("{}.txt", spec.build_id)]))
}

/// Returns the keys of the objects that hold the latest build id (U-12). The second one
/// of a presubmit needs a strategy.
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

/// Returns the folder of a presubmit's first pull request.
fn pull_path(spec: &JobSpec, strategy: &PathStrategy) -> Result<String, PathError> {
    let refs: &Refs = spec.refs.as_ref().ok_or(PathError::NoRefs)?;
    let pull = refs.pulls.first().ok_or(PathError::NoPulls)?;
    let segment = strategy.repo_segment(&refs.org, &refs.repo);
    Ok(join(&["pr-logs/pull", &segment, &pull.number.to_string()]))
}

/// Joins parts with slashes and cleans the result, as Go's `path.Join` does. Ignores
/// empty parts; returns an empty text if all are.
pub fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { clean(&parts.join("/")) }
}

/// Returns the shortest equivalent path, as Go's `path.Clean` does: drops repeated
/// slashes and `.`; `..` removes the part before it, and stays only at the front of a
/// relative path. An empty path becomes `.`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_spec::Pull;

    fn strategy(name: &str, org: &str, repo: &str) -> PathStrategy {
        PathStrategy::new(name, org, repo).unwrap_or_else(|error| panic!("{error}"))
    }

    fn spec(job_type: &str, job: &str, build_id: &str) -> JobSpec {
        JobSpec {
            job_type: job_type.into(),
            job: job.to_owned(),
            build_id: build_id.to_owned(),
            ..JobSpec::default()
        }
    }

    fn presubmit(job: &str, build_id: &str, org: &str, repo: &str, number: i64) -> JobSpec {
        let refs = Refs {
            org: org.to_owned(),
            repo: repo.to_owned(),
            pulls: vec![Pull { number, ..Pull::default() }],
            ..Refs::default()
        };
        JobSpec { refs: Some(refs), ..spec("presubmit", job, build_id) }
    }

    #[test]
    fn v_rs_1_to_10_repo_segments() {
        let explicit = strategy("explicit", "", "");
        let single = strategy("single", "org", "repo");
        let legacy = strategy("legacy", "org", "repo");
        for (id, strategy, org, repo, segment) in [
            ("V-RS-1", &explicit, "org", "repo", "org_repo"),
            ("V-RS-2", &explicit, "gerrit", "foo/bar", "gerrit_foo_bar"),
            ("V-RS-3", &single, "org", "repo", ""),
            ("V-RS-4", &single, "org2", "repo", "org2_repo"),
            ("V-RS-5", &single, "org", "other", "org_other"),
            ("V-RS-6", &legacy, "org", "repo", ""),
            ("V-RS-7", &legacy, "other", "repo", "other_repo"),
            ("V-RS-8", &legacy, "other", "wild", "other_wild"),
            ("V-RS-9", &legacy, "gerrit", "foo/bar", "gerrit_foo_bar"),
            ("V-RS-10", &legacy, "https://org", "repo/sub", "org_repo_sub"),
            // U-4 and U-5 beyond the vectors.
            ("legacy, unchanged", &legacy, "org", "foo/bar", "foo/bar"),
            ("both schemes, slashes", &explicit, "https://http://org//", "r", "org_r"),
            ("wrong order of schemes", &explicit, "http://https://org", "r", "https://org_r"),
        ] {
            assert_eq!(strategy.repo_segment(org, repo), segment, "{id}");
        }
    }

    #[test]
    fn o_40_a_strategy_must_be_known_and_have_its_defaults() {
        assert_eq!(PathStrategy::new("explicit", "", ""), Ok(PathStrategy::Explicit));
        for (name, org, repo, message) in [
            ("", "", "", r#"path_strategy: "" is unknown; allowed are explicit, legacy and single"#),
            (
                "whatever",
                "o",
                "r",
                r#"path_strategy: "whatever" is unknown; allowed are explicit, legacy and single"#,
            ),
            (
                "legacy",
                "",
                "r",
                "path_strategy legacy needs default_org and default_repo; default_org is empty",
            ),
            (
                "single",
                "o",
                "",
                "path_strategy single needs default_org and default_repo; default_repo is empty",
            ),
        ] {
            let error = PathStrategy::new(name, org, repo).expect_err("refused");
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn v_jp_1_to_4_job_paths() {
        let default = strategy("legacy", "org", "repo");
        let other = strategy("legacy", "some", "other");
        let pull = presubmit("job", "number", "org", "repo", 1);
        for (id, spec, strategy, path) in [
            ("V-JP-1", &spec("periodic", "job", "number"), &other, "logs/job/number"),
            ("V-JP-2", &spec("postsubmit", "job", "number"), &other, "logs/job/number"),
            ("V-JP-3", &pull, &default, "pr-logs/pull/1/job/number"),
            ("V-JP-4", &pull, &other, "pr-logs/pull/org_repo/1/job/number"),
            ("U-1, batch", &spec("batch", "job", "number"), &other, "pr-logs/pull/batch/job/number"),
        ] {
            assert_eq!(job_path(spec, strategy).as_deref(), Ok(path), "{id}");
        }
    }

    #[test]
    fn u_1_an_unknown_type_and_u_7_a_presubmit_without_pulls_are_clear_errors() {
        let explicit = PathStrategy::Explicit;
        let error = job_path(&spec("Periodic", "j", "1"), &explicit).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "JOB_SPEC: type: \"Periodic\" is unknown; allowed are presubmit, postsubmit, periodic and batch"
        );
        assert!(latest_build_paths(&spec("", "j", "1"), None).is_err());
        let mut odd = spec("presubmit", "j", "1");
        assert_eq!(job_path(&odd, &explicit), Err(PathError::NoRefs));
        odd.refs = Some(Refs::default());
        assert_eq!(job_path(&odd, &explicit), Err(PathError::NoPulls));
        assert_eq!(latest_build_paths(&odd, Some(&explicit)), Err(PathError::NoPulls));
    }

    #[test]
    fn v_al_1_to_3_aliases() {
        assert_eq!(alias_path(&spec("periodic", "job", "number")), None);
        assert_eq!(alias_path(&spec("postsubmit", "job", "number")), None);
        let pull = presubmit("job", "number", "org", "repo", 1);
        assert_eq!(alias_path(&pull).as_deref(), Some("pr-logs/directory/job/number.txt"));
        assert_eq!(alias_path(&spec("batch", "job", "number")), None);
    }

    #[test]
    fn v_lb_1_to_5_latest_builds() {
        let job = "pull-kubernetes-unit";
        let pull = presubmit(job, "1", "kubernetes", "test-infra", 1234);
        let directory = "pr-logs/directory/pull-kubernetes-unit/latest-build.txt";
        let own = "pr-logs/pull/kubernetes_test-infra/1234/pull-kubernetes-unit/latest-build.txt";
        let single = strategy("single", "defaultorg", "defaultrepo");
        let paths = |spec: &JobSpec, strategy| {
            latest_build_paths(spec, strategy).unwrap_or_else(|error| panic!("{error}"))
        };
        assert_eq!(paths(&pull, Some(&PathStrategy::Explicit)), [directory, own], "V-LB-1");
        assert_eq!(paths(&pull, Some(&single)), [directory, own], "V-LB-2");
        assert_eq!(paths(&pull, None), [directory], "V-LB-3");
        assert_eq!(paths(&spec("batch", job, "1"), Some(&single)), [directory], "V-LB-4");
        let unit = spec("postsubmit", "ci-kubernetes-unit", "1");
        assert_eq!(paths(&unit, None), ["logs/ci-kubernetes-unit/latest-build.txt"], "V-LB-5");
    }

    #[test]
    fn u_1_to_3_paths_are_joined_and_cleaned() {
        assert_eq!(join(&["prefix/", "logs/job/1", "sub"]), "prefix/logs/job/1/sub");
        assert_eq!(join(&["", "logs/job/1", ""]), "logs/job/1");
        assert_eq!(join(&["", ""]), "");
        assert_eq!(join(&["a", "../b"]), "b");
        assert_eq!(job_path(&spec("periodic", "", "1"), &PathStrategy::Explicit).as_deref(), Ok("logs/1"));
        // The cases of Go's own tests of path.Clean.
        for (path, cleaned) in [
            ("", "."),
            ("abc", "abc"),
            ("abc/def", "abc/def"),
            (".", "."),
            ("..", ".."),
            ("../..", "../.."),
            ("../../abc", "../../abc"),
            ("/abc", "/abc"),
            ("/", "/"),
            ("abc/", "abc"),
            ("./", "."),
            ("../", ".."),
            ("/abc/", "/abc"),
            ("abc//def//ghi", "abc/def/ghi"),
            ("///abc", "/abc"),
            ("abc/./def", "abc/def"),
            ("/./abc/def", "/abc/def"),
            ("abc/def/ghi/../jkl", "abc/def/jkl"),
            ("abc/def/../..", "."),
            ("/abc/def/../..", "/"),
            ("abc/def/../../..", ".."),
            ("/abc/def/../../..", "/"),
            ("abc/def/../../../ghi/jkl/../../../mno", "../../mno"),
            ("abc/../../././../def", "../../def"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }
}
