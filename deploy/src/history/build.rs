//! One build, as its small documents tell of it.

use super::test_table::{Outcome, TestTable};
use common::timestamp::Timestamp;
use job_page::manifest::Rest;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;

/// Upper bounds on texts, in bytes.
const MAX_RESULT_BYTES: usize = 40;
const MAX_CAUSE_BYTES: usize = 600;
const MAX_COMMIT_BYTES: usize = 100;
const MAX_NAME_BYTES: usize = 300;

/// At most this many failures of a build are kept, as in `finished.json`.
const MAX_FAILURES: usize = 50;

/// The shortest abbreviation of a commit's hash that git writes.
const MIN_HASH_DIGITS: usize = 7;

/// A build's summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Build {
    pub(super) id: String,
    /// Its folder below the job's; elsewhere for an alias.
    pub(super) folder: Option<String>,
    /// `None` as long as there is no `finished.json`.
    pub(super) result: Option<String>,
    /// The reason of the result in one sentence; empty for a plain success.
    pub(super) cause: String,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    /// The commit or, where that is not known, the branch.
    pub(super) commit: String,
    pub(super) tests: Option<BuildTests>,
    /// The reason why its result is not known.
    pub(super) problem: Option<String>,
    /// A page lies beside its results.
    pub(super) has_page: bool,
}

/// The tests of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BuildTests {
    pub(super) count: u64,
    pub(super) failed: u64,
    /// All that failed are in the list, and all reports were read to their end.
    pub(super) is_whole: bool,
    /// Indexes into the table of tests.
    pub(super) failures: Vec<(usize, Outcome)>,
}

impl Build {
    /// Returns the result, and a word where there is none.
    pub(super) fn result(&self) -> &str {
        self.result.as_deref().unwrap_or("UNKNOWN")
    }

    /// Returns the time from start to result.
    pub(super) fn took(&self) -> Option<Duration> {
        let span = self.finished?.since(self.started?);
        (span.as_nanos() >= 0).then(|| span.as_std())
    }

    /// Returns the commit, unless only a branch is known.
    pub(super) fn exact_commit(&self) -> Option<&str> {
        let is_hash =
            self.commit.len() >= MIN_HASH_DIGITS && self.commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then_some(self.commit.as_str())
    }

    /// Takes over what `finished.json` says; returns whether it is one.
    pub(super) fn take_finished(&mut self, bytes: &[u8], table: &mut TestTable) -> bool {
        let Some(read) = parse(bytes) else { return false };
        let Finished { timestamp, result, revision, metadata } = read;
        self.result = Some(cut(&result, MAX_RESULT_BYTES));
        self.finished = seconds(timestamp);
        let ours = metadata.ours;
        self.cause = cut(&ours.cause, MAX_CAUSE_BYTES);
        self.take_commit(&revision);
        self.take_commit(&metadata.commit);
        self.tests = ours.tests.map(|tests| tests.interned(table));
        true
    }

    /// Takes over what `started.json` says; returns whether it is one.
    pub(super) fn take_started(&mut self, bytes: &[u8]) -> bool {
        let Ok(read) = serde_json::from_slice::<Started>(bytes) else { return false };
        self.started = seconds(read.timestamp);
        self.take_commit(&read.commit);
        true
    }

    /// Takes over the times of a manifest, which are exact.
    pub(super) fn take_manifest(&mut self, rest: &Rest) {
        self.started = rest.reports.values().map(|report| report.started).min();
        let ends = rest.reports.values().map(|report| report.finished);
        self.finished = ends.max().or(self.finished);
    }

    /// A hash is worth more than a branch, and the first text more than a later one.
    fn take_commit(&mut self, text: &str) {
        let other = Self { commit: cut(text, MAX_COMMIT_BYTES), ..Self::default() };
        let is_better =
            self.commit.is_empty() || self.exact_commit().is_none() && other.exact_commit().is_some();
        if is_better {
            self.commit = other.commit;
        }
    }
}

/// `finished.json`, as far as it counts here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Finished {
    timestamp: Option<i64>,
    result: String,
    revision: String,
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(rename = "pod-utils")]
    ours: OwnMetadata,
    /// Where Kubernetes' own jobs put it.
    #[serde(rename = "repo-commit")]
    commit: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnMetadata {
    cause: String,
    tests: Option<Tests>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tests {
    #[serde(rename = "tests")]
    count: String,
    failed: String,
    incomplete_reports: String,
    failures: BTreeMap<String, FailedTest>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FailedTest {
    suite: String,
    name: String,
    flaky: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Started {
    timestamp: Option<i64>,
    #[serde(rename = "repo-commit")]
    commit: String,
}

impl Tests {
    fn interned(self, table: &mut TestTable) -> BuildTests {
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        let failed = number(&self.failed);
        let mut listed = 0;
        let mut failures = Vec::new();
        for test in self.failures.into_values().take(MAX_FAILURES) {
            let outcome = if test.flaky == "true" { Outcome::Flaky } else { Outcome::Failed };
            listed += u64::from(outcome == Outcome::Failed);
            let name = (cut(&test.suite, MAX_NAME_BYTES), cut(&test.name, MAX_NAME_BYTES));
            failures.extend(table.intern(name).map(|index| (index, outcome)));
        }
        let is_whole = listed >= failed && number(&self.incomplete_reports) == 0;
        BuildTests { count: number(&self.count), failed, is_whole, failures }
    }
}

/// Reads the document; metadata that the job has put in place of ours is stepped over.
fn parse(bytes: &[u8]) -> Option<Finished> {
    #[derive(Deserialize)]
    struct WithoutMetadata {
        #[serde(default)]
        timestamp: Option<i64>,
        result: String,
        #[serde(default)]
        revision: String,
        #[expect(dead_code, reason = "it is stepped over")]
        metadata: Option<Box<RawValue>>,
    }
    let read = serde_json::from_slice::<Finished>(bytes).ok().or_else(|| {
        let WithoutMetadata { timestamp, result, revision, .. } = serde_json::from_slice(bytes).ok()?;
        Some(Finished { timestamp, result, revision, metadata: Metadata::default() })
    });
    read.filter(|read| !read.result.is_empty())
}

fn seconds(timestamp: Option<i64>) -> Option<Timestamp> {
    timestamp?.checked_mul(1_000_000_000).map(Timestamp::from_nanos)
}

/// A text of at most so many bytes.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(limit)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_times_commit_and_tests_are_read() {
        let mut table = TestTable::default();
        let mut build = Build::default();
        let text = br#"{"timestamp":1767225660,"passed":false,"result":"FAILURE","revision":"main","metadata":{
            "repo-commit":"0f1e2d3c","x":[1],"pod-utils":{"cause":"exited with code 1","entries":{},"tests":{
            "tests":"412","failed":"2","failures":{"01":{"suite":"s","name":"A"},"02":{"name":"B","flaky":"true"}}}}}}"#;
        assert!(build.take_finished(text, &mut table));
        assert!(build.take_started(br#"{"timestamp":1767225600,"repo-commit":"main"}"#));
        assert_eq!((build.result(), build.cause.as_str()), ("FAILURE", "exited with code 1"));
        assert_eq!(build.took(), Some(Duration::from_mins(1)));
        assert_eq!((build.exact_commit(), build.commit.as_str()), (Some("0f1e2d3c"), "0f1e2d3c"));
        let tests = build.tests.expect("tests");
        assert_eq!((tests.count, tests.failed, tests.is_whole), (412, 2, false), "one failure is not listed");
        assert_eq!(tests.failures, [(0, Outcome::Failed), (1, Outcome::Flaky)]);
    }

    #[test]
    fn hostile_documents_are_bounded_or_none() {
        let mut table = TestTable::default();
        let mut build = Build::default();
        for text in ["", "[]", "{}", r#"{"result":1}"#, r#"{"result":""}"#, "\u{1b}"] {
            assert!(!build.take_finished(text.as_bytes(), &mut table), "{text}");
        }
        assert!(!build.take_started(br#"{"timestamp":"x"}"#));
        let forged = br#"{"result":"SUCCESS","timestamp":9223372036854775807,"metadata":{"pod-utils":[1]}}"#;
        assert!(build.take_finished(forged, &mut table));
        assert_eq!((build.result(), build.finished), ("SUCCESS", None));
        let long = "ü".repeat(5000);
        let text = format!(
            r#"{{"result":"{long}","revision":"{long}","metadata":{{"pod-utils":{{"cause":"{long}"}}}}}}"#
        );
        assert!(build.take_finished(text.as_bytes(), &mut table));
        assert!(build.result().len() < 50 && build.cause.len() < 610 && build.commit.len() < 110);
        build.started = Some(Timestamp::from_nanos(2));
        build.finished = Some(Timestamp::from_nanos(1));
        assert_eq!(build.took(), None, "clocks differ");
    }

    #[test]
    fn branches_are_no_commits() {
        for (text, is_commit) in
            [("main", false), ("0f1e2d3", true), ("feed", false), ("0f1e2d3c-dirty", false)]
        {
            let build = Build { commit: text.to_owned(), ..Build::default() };
            assert_eq!(build.exact_commit().is_some(), is_commit, "{text}");
        }
    }
}
