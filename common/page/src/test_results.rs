//! The tests of a job, as its manifest holds them.

use crate::escape::visible;
use common::bounded::first;
use serde::{Deserialize, Serialize};

/// At most this many failures are shown on a terminal.
const MAX_SHOWN: usize = 20;

/// At most this many slow tests are shown on a terminal.
const MAX_SLOW: usize = 5;

/// Upper bound on the tests of each list that are read, more than sidecar writes.
const MAX_READ: usize = 1000;

/// Counts are texts, as in the result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct TestResults {
    /// Number of tests.
    pub tests: String,
    /// Number of those that failed.
    pub failed: String,
    /// Number of those that were skipped.
    pub skipped: String,
    /// Number of those that passed only when they ran again.
    pub flaky: String,
    /// Sum of their times, in seconds.
    pub seconds: String,
    /// Number of reports that were not read to their end.
    pub incomplete_reports: String,
    /// The tests that failed, as far as there is room.
    #[serde(deserialize_with = "first::<MAX_READ, _, _>")]
    pub failures: Vec<FailedTest>,
    /// The slowest tests.
    #[serde(deserialize_with = "first::<MAX_READ, _, _>")]
    pub slowest: Vec<SlowTest>,
}

/// A test that failed, or passed only when it ran again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct FailedTest {
    /// Name of its suite.
    pub suite: String,
    /// Its own name.
    pub name: String,
    /// Its source file.
    pub file: String,
    /// The message of its failure.
    pub message: String,
    /// Its output.
    pub output: String,
    /// `true` if it passed when it ran again.
    pub flaky: String,
}

/// A test and its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct SlowTest {
    /// Name of its suite.
    pub suite: String,
    /// Its own name.
    pub name: String,
    /// Its time, in seconds.
    pub seconds: String,
}

impl FailedTest {
    /// Returns true if it passed when it ran again.
    pub fn is_flaky(&self) -> bool {
        self.flaky == "true"
    }

    /// The first line of its message.
    pub fn first_line(&self) -> &str {
        self.message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
    }
}

impl TestResults {
    /// Numbers of all kinds, in one line.
    pub fn counts(&self) -> String {
        let some = |count: &str, what: &str| {
            let is_some = !count.is_empty() && count != "0";
            if is_some { format!(", {count} {what}") } else { String::new() }
        };
        let text = format!(
            "{} of {} tests failed{}{}{}, {} s in all",
            self.failed,
            self.tests,
            some(&self.skipped, "skipped"),
            some(&self.flaky, "flaky"),
            some(&self.incomplete_reports, "reports not read to their end"),
            self.seconds,
        );
        visible(&text).into_owned()
    }

    /// The number of failures beyond those that are listed.
    pub fn left_out(&self) -> u64 {
        let listed = self.failures.iter().filter(|failure| !failure.is_flaky()).count() as u64;
        self.failed.parse::<u64>().unwrap_or(0).saturating_sub(listed)
    }

    /// Lines for a terminal.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.counts()];
        lines.extend(self.failures.iter().take(MAX_SHOWN).map(|failure| {
            let kind = if failure.is_flaky() { "flaky " } else { "" };
            let text = format!("  {kind}{} {}: {}", failure.suite, failure.name, failure.first_line());
            visible(&text).trim_end_matches([' ', ':']).to_owned()
        }));
        let more = self.failures.len().saturating_sub(MAX_SHOWN) as u64 + self.left_out();
        if more > 0 {
            lines.push(format!("  … and {more} more"));
        }
        if !self.slowest.is_empty() {
            lines.push("the slowest:".to_owned());
            lines.extend(self.slowest.iter().take(MAX_SLOW).map(|test| {
                visible(&format!("  {:>10} s  {} {}", test.seconds, test.suite, test.name)).into_owned()
            }));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_lines_and_what_is_left_out_is_counted() {
        let text = r#"{"tests":"412","failed":"30","skipped":"0","flaky":"1","seconds":"1.500","failures":[
            {"suite":"s","name":"a\u001b","message":"\n one is not two\nmore"},{"name":"b","flaky":"true"}],
            "slowest":[{"suite":"s","name":"a","seconds":"1.250"}],"news":1}"#;
        let results: TestResults = serde_json::from_str(text).expect("read");
        assert_eq!(
            results.lines(),
            [
                "30 of 412 tests failed, 1 flaky, 1.500 s in all",
                "  s a\\u{1b}: one is not two",
                "  flaky  b",
                "  … and 29 more",
                "the slowest:",
                "       1.250 s  s a",
            ]
        );
    }
}
