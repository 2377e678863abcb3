//! The tests that failed at least once, and which of them are flaky.

use super::build::Build;
use super::test_table::{Outcome, TestTable};
use std::collections::{HashMap, HashSet};

/// A build with less than this part of the tests of another one proves nothing about its tests.
const MIN_PART: u64 = 2;

/// A test and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test<'a> {
    pub(super) suite: &'a str,
    pub(super) name: &'a str,
    /// Indexes of the builds in which it failed, newest first.
    pub(super) failed_in: Vec<usize>,
    /// Those in which it passed when it ran again.
    pub(super) flaky_in: Vec<usize>,
    /// Both results were seen at one commit.
    pub(super) is_flaky: bool,
}

impl Test<'_> {
    /// Returns what a build says of it.
    pub(super) fn outcome(&self, build: usize) -> Option<Outcome> {
        let is_in = |builds: &[usize]| builds.binary_search(&build).is_ok();
        if is_in(&self.failed_in) {
            Some(Outcome::Failed)
        } else {
            is_in(&self.flaky_in).then_some(Outcome::Flaky)
        }
    }

    /// Suite and name as people read them.
    pub(super) fn title(&self) -> String {
        if self.suite.is_empty() { self.name.to_owned() } else { format!("{} {}", self.suite, self.name) }
    }
}

/// Returns the tests that these builds name, those that failed most and latest first.
pub(super) fn of<'a>(table: &'a TestTable, builds: &[Build]) -> Vec<Test<'a>> {
    let mut tests: Vec<_> = table
        .names()
        .iter()
        .map(|(suite, name)| Test { suite, name, failed_in: vec![], flaky_in: vec![], is_flaky: false })
        .collect();
    for (index, build) in builds.iter().enumerate() {
        let failures = build.tests.iter().flat_map(|tests| &tests.failures);
        for (test, outcome) in failures {
            let test = &mut tests[*test];
            let list = match outcome {
                Outcome::Failed => &mut test.failed_in,
                Outcome::Flaky => &mut test.flaky_in,
            };
            // A build can name a test twice.
            if list.last() != Some(&index) {
                list.push(index);
            }
        }
    }
    let commits = Commits::of(builds);
    for test in &mut tests {
        test.is_flaky = !test.flaky_in.is_empty() || commits.have_both(builds, test);
    }
    tests.retain(|test| !test.failed_in.is_empty() || !test.flaky_in.is_empty());
    let key = |test: &Test<'_>| {
        let count = test.failed_in.len() + test.flaky_in.len();
        (std::cmp::Reverse(count), test.failed_in.first().or(test.flaky_in.first()).copied())
    };
    tests.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| (a.suite, a.name).cmp(&(b.suite, b.name))));
    tests
}

/// The builds of each commit whose lists of failures are complete.
struct Commits<'a> {
    whole: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Commits<'a> {
    fn of(builds: &'a [Build]) -> Self {
        let mut whole: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut most: HashMap<&str, u64> = HashMap::new();
        for build in builds {
            if let (Some(commit), Some(tests)) = (build.exact_commit(), &build.tests) {
                let most = most.entry(commit).or_default();
                *most = tests.count.max(*most);
            }
        }
        for (index, build) in builds.iter().enumerate() {
            if let (Some(commit), Some(tests)) = (build.exact_commit(), &build.tests)
                && tests.is_whole
                && build.result() != "ABORTED"
                && tests.count.saturating_mul(MIN_PART) >= most.get(commit).copied().unwrap_or(0)
                && tests.count > 0
            {
                whole.entry(commit).or_default().push(index);
            }
        }
        Self { whole }
    }

    /// Returns whether a test failed and passed at one commit: of the builds with complete
    /// lists, some have it and some have not.
    fn have_both(&self, builds: &[Build], test: &Test<'_>) -> bool {
        let failed_at = test.failed_in.iter().filter_map(|build| builds[*build].exact_commit());
        let commits: HashSet<&str> = failed_at.collect();
        commits.into_iter().any(|commit| {
            let whole = self.whole.get(commit).map_or(&[][..], Vec::as_slice);
            let named = test.failed_in.iter().filter(|build| whole.binary_search(build).is_ok()).count();
            named < whole.len()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::BuildTests;
    use super::*;

    fn build(commit: &str, count: u64, failures: &[(usize, Outcome)]) -> Build {
        Build {
            commit: commit.to_owned(),
            tests: Some(BuildTests {
                count,
                failed: failures.len() as u64,
                is_whole: true,
                failures: failures.to_vec(),
            }),
            ..Build::default()
        }
    }

    fn table(names: &[&str]) -> TestTable {
        let mut table = TestTable::default();
        for name in names {
            table.intern((String::new(), (*name).to_owned()));
        }
        table
    }

    #[test]
    fn both_results_at_one_commit_are_flaky() {
        let table = table(&["A", "B", "C"]);
        let (one, other) = ("aaaaaaa", "bbbbbbb");
        let failed = |tests: &[usize]| tests.iter().map(|test| (*test, Outcome::Failed)).collect::<Vec<_>>();
        let builds = [
            build(one, 10, &failed(&[0, 1])),
            build(one, 10, &failed(&[1])),
            build(other, 10, &failed(&[1, 2])),
            build("main", 10, &[]),
        ];
        let tests = of(&table, &builds);
        let told: Vec<_> =
            tests.iter().map(|test| (test.name, test.failed_in.as_slice(), test.is_flaky)).collect();
        assert_eq!(told, [("B", &[0, 1, 2][..], false), ("A", &[0][..], true), ("C", &[2][..], false)]);
        assert_eq!((tests[1].outcome(0), tests[1].outcome(1)), (Some(Outcome::Failed), None));
    }

    #[test]
    fn builds_that_prove_nothing_make_nothing_flaky() {
        let table = table(&["A"]);
        let failed = build("aaaaaaa", 10, &[(0, Outcome::Failed)]);
        let cut_off = build("aaaaaaa", 3, &[]);
        let mut incomplete = build("aaaaaaa", 10, &[]);
        incomplete.tests.as_mut().expect("tests").is_whole = false;
        let without = Build { commit: "aaaaaaa".to_owned(), ..Build::default() };
        let builds = [failed.clone(), cut_off, incomplete, without, build("ccccccc", 10, &[])];
        assert!(!of(&table, &builds)[0].is_flaky);
        assert!(of(&table, &[failed, build("aaaaaaa", 9, &[])])[0].is_flaky);
        let again = build("", 1, &[(0, Outcome::Flaky)]);
        assert!(of(&table, &[again])[0].is_flaky, "it passed when it ran again");
    }
}
