//! All reports of a job together: one clause for sentences, and what documents hold.

use super::text::cut;
use super::{Counts, Failure, MAX_SLOWEST, TestFile, Timed};

/// At most this many failed tests are named in a clause.
const MAX_NAMED: usize = 3;

/// Upper bound on a name in a clause, in bytes.
const MAX_NAMED_BYTES: usize = 80;

/// Upper bound on a message in a document, in bytes.
const MAX_MESSAGE_BYTES: usize = 300;

/// The content of all reports of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestSummary {
    /// Sums over all reports.
    pub counts: Counts,
    /// The number of reports.
    pub files: usize,
    /// Reports that were not read to their end.
    pub incomplete: usize,
    /// The failures that were kept, and the flaky tests after them.
    pub failures: Vec<Failure>,
    /// The slowest tests, slowest first.
    pub slowest: Vec<Timed>,
}

impl TestSummary {
    /// Sums up reports whose texts pass through `mask`; `None` without any.
    pub fn of<'a>(
        files: impl IntoIterator<Item = &'a TestFile>,
        mask: &dyn Fn(&str) -> String,
    ) -> Option<Self> {
        let mut sum = Self::default();
        let mut slowest: Vec<&Timed> = Vec::new();
        for file in files {
            sum.files += 1;
            sum.incomplete += usize::from(file.is_incomplete);
            sum.counts.tests += file.counts.tests;
            sum.counts.failed += file.counts.failed;
            sum.counts.skipped += file.counts.skipped;
            sum.counts.flaky += file.counts.flaky;
            sum.counts.seconds += file.counts.seconds;
            sum.failures.extend(file.failures.iter().map(|failure| masked(failure, mask)));
            slowest.extend(&file.slowest);
        }
        sum.failures.sort_by_key(|failure| failure.flaky);
        slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        // Each file has its own slowest: to mask them all takes longer than to read them.
        sum.slowest = slowest
            .into_iter()
            .take(MAX_SLOWEST)
            .map(|timed| Timed { suite: mask(&timed.suite), name: mask(&timed.name), seconds: timed.seconds })
            .collect();
        (sum.files > 0).then_some(sum)
    }

    /// Returns the clause that follows the sentence about a job: `; 3 of 412 tests
    /// failed: TestA, TestB, TestC`. Empty where the tests say what the result says.
    pub fn clause(&self, has_passed: bool) -> String {
        let Counts { tests, failed, flaky, .. } = self.counts;
        let mut clause = match (failed, has_passed) {
            (0, true) => String::new(),
            (0, false) if tests == 0 => String::new(),
            (0, false) => format!("; none of {tests} tests failed"),
            (_, true) => format!("; but {failed} of {tests} tests failed: {}", self.named()),
            (_, false) => format!("; {failed} of {tests} tests failed: {}", self.named()),
        };
        if flaky > 0 && !clause.is_empty() {
            clause = format!("{clause}; {flaky} flaky");
        }
        clause
    }

    /// Names the first failed tests.
    fn named(&self) -> String {
        let failed = self.failures.iter().filter(|failure| !failure.flaky);
        let names = failed.take(MAX_NAMED).map(|failure| {
            let mut name: String =
                failure.name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            cut(&mut name, MAX_NAMED_BYTES);
            name
        });
        let mut list = names.collect::<Vec<_>>().join(", ");
        if self.counts.failed > MAX_NAMED as u64 {
            list.push_str(", …");
        }
        list
    }
}

/// Masks first and cuts afterwards: half of a secret is not found.
fn masked(failure: &Failure, mask: &dyn Fn(&str) -> String) -> Failure {
    let mut message = mask(&failure.message);
    cut(&mut message, MAX_MESSAGE_BYTES);
    Failure {
        suite: mask(&failure.suite),
        name: mask(&failure.name),
        file: mask(&failure.file),
        message,
        output: mask(&failure.output),
        seconds: failure.seconds,
        flaky: failure.flaky,
    }
}
