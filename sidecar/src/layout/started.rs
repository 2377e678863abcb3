//! `started.json`: announces that a job runs, and on which revisions (contract
//! 7.2).

use common::job_spec::JobSpec;
use serde::Serialize;
use std::collections::BTreeMap;

/// The document. The order of its fields is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Started {
    /// Unix seconds.
    pub timestamp: i64,
    /// The number of the first pull request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pull: String,
    /// The refs of each cloned repository.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub repos: BTreeMap<String, String>,
    /// The version under test.
    #[serde(rename = "repo-commit", skip_serializing_if = "String::is_empty")]
    pub repo_commit: String,
    /// The same, for older readers.
    #[serde(rename = "repo-version", skip_serializing_if = "String::is_empty")]
    pub repo_version: String,
}

impl Started {
    /// Builds the document; texts pass through `mask`.
    pub fn new(timestamp: i64, spec: &JobSpec, version: &str, mask: &dyn Fn(&str) -> String) -> Self {
        let number = spec.refs.as_ref().and_then(|refs| refs.pulls.first()).map(|pull| pull.number);
        let repos = spec.refs.iter().chain(&spec.extra_refs);
        let version = mask(version);
        Self {
            timestamp,
            pull: number.map(|number| mask(&number.to_string())).unwrap_or_default(),
            // Of two mentions of a repository the later one counts.
            repos: repos
                .map(|refs| (mask(&format!("{}/{}", refs.org, refs.repo)), mask(&refs.text())))
                .collect(),
            repo_commit: version.clone(),
            repo_version: version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(spec: &str, version: &str) -> String {
        let (spec, _) = JobSpec::parse(spec).expect("parses");
        let mask = |text: &str| text.replace("hidden", "XXXXXX");
        common::json::to_go_string(&Started::new(1_767_225_600, &spec, version, &mask))
    }

    #[test]
    fn i_12_the_example() {
        let spec = r#"{"refs":{"org":"acme","repo":"widgets","base_ref":"main","base_sha":"1a2b","pulls":[{"number":77,"author":"ann","sha":"9f8e"}]},"extra_refs":[{"org":"acme","repo":"tools","base_ref":"main"}]}"#;
        assert_eq!(
            text(spec, "c0ffee"),
            r#"{"timestamp":1767225600,"pull":"77","repos":{"acme/tools":"main","acme/widgets":"main:1a2b,77:9f8e"},"repo-commit":"c0ffee","repo-version":"c0ffee"}"#
        );
    }

    #[test]
    fn what_is_empty_is_left_out() {
        assert_eq!(text(r#"{"type":"periodic"}"#, ""), r#"{"timestamp":1767225600}"#);
    }

    #[test]
    fn i_11_extra_refs_give_no_pull_and_the_later_of_two_equal_repositories_counts() {
        let spec = r#"{"refs":{"org":"o","repo":"r","base_ref":"a"},"extra_refs":[{"org":"o","repo":"r","base_ref":"b","pulls":[{"number":1,"author":"x","sha":"s","ref":"f"}]}]}"#;
        assert_eq!(
            text(spec, "v"),
            r#"{"timestamp":1767225600,"repos":{"o/r":"b,1:s:f"},"repo-commit":"v","repo-version":"v"}"#
        );
    }

    #[test]
    fn i6_texts_and_keys_from_outside_are_masked() {
        let spec = r#"{"refs":{"org":"hidden","repo":"<r>","base_ref":"a-hidden-branch"}}"#;
        assert_eq!(
            text(spec, "a-hidden-branch"),
            r#"{"timestamp":1767225600,"repos":{"XXXXXX/\u003cr\u003e":"a-XXXXXX-branch"},"repo-commit":"a-XXXXXX-branch","repo-version":"a-XXXXXX-branch"}"#
        );
    }
}
