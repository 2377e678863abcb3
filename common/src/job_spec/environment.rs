//! Environment variables that describe the job to a test's container.

use super::{JobSpec, JobType, Refs, VARIABLE};
use std::collections::BTreeMap;

/// Returns the variables of a test's container (J-40 to J-43), sorted by name.
///
/// `BUILD_NUMBER` is not among them: only the agent that makes the pod sets it.
/// Variables about refs or a pull are absent if the specification has none.
pub fn environment(spec: &JobSpec) -> Vec<(String, String)> {
    let mut variables = BTreeMap::from([
        ("CI", "true".to_owned()),
        ("JOB_NAME", spec.job.clone()),
        ("BUILD_ID", spec.build_id.clone()),
        ("PROW_JOB_ID", spec.prow_job_id.clone()),
        ("JOB_TYPE", spec.job_type.to_string()),
        (VARIABLE, spec.encode()),
    ]);
    if let Some(refs) = spec.refs.as_ref().filter(|_| spec.job_type != JobType::Periodic) {
        let (host, base) = source(refs);
        variables.insert("REPO_OWNER", refs.org.clone());
        variables.insert("REPO_NAME", refs.repo.clone());
        variables.insert("SRC_HOST", host.to_owned());
        variables.insert("SRC_BASE", base);
        variables.insert("PULL_BASE_REF", refs.base_ref.clone());
        variables.insert("PULL_BASE_SHA", refs.base_sha.clone());
        variables.insert("PULL_REFS", refs.text());
        if let Some(pull) = refs.pulls.first().filter(|_| spec.job_type == JobType::Presubmit) {
            variables.insert("PULL_NUMBER", pull.number.to_string());
            variables.insert("PULL_PULL_SHA", pull.sha.clone());
            variables.insert("PULL_HEAD_REF", pull.head_ref.clone());
            variables.insert("PULL_TITLE", pull.title.clone());
        }
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns host and path of the source (J-43).
fn source(refs: &Refs) -> (&str, String) {
    let link = refs.repo_link.split_once("://").map_or(refs.repo_link.as_str(), |(_, rest)| rest);
    let alias = if refs.path_alias.is_empty() { link } else { &refs.path_alias };
    let default = || format!("{}/{}", refs.org, refs.repo);
    match alias.split_once('/') {
        Some((host, path)) => (host, path.to_owned()),
        None if alias.is_empty() => ("github.com", default()),
        None => (alias, default()),
    }
}
