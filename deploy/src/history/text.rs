//! A job's history for a terminal.

use super::History;
use super::build::Build;
use super::failed_tests::Test;
use crate::terminal;
use common::timestamp::Timestamp;
use job_page::escape::visible;

/// At most this many tests of each kind.
const MAX_TESTS: usize = 20;

/// Ids up to this width are aligned; longer ones move the rest of their row.
const MAX_ID_WIDTH: usize = 40;

/// At most this many characters of a commit.
const MAX_COMMIT_CHARS: usize = 10;

/// All lines; nothing in them acts on a terminal.
pub(super) fn lines(history: &History) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", visible(history.job()), visible(&history.place))];
    lines.push(format!("  {}", history.sums()));
    lines.push(String::new());
    let ids = history.builds.iter().map(|build| visible(&build.id).chars().count()).max().unwrap_or(0);
    let ids = ids.min(MAX_ID_WIDTH);
    lines.extend(history.builds.iter().map(|build| row(build, ids)));
    let tests = history.tests();
    let (flaky, failed): (Vec<_>, Vec<_>) = tests.iter().partition(|test| test.is_flaky);
    let reported = history.builds.iter().filter(|build| build.tests.is_some()).count();
    section(&mut lines, &format!("Failed tests, in {reported} builds with test reports"), &failed, history);
    section(&mut lines, "Flaky tests: both results at one commit, or passed when run again", &flaky, history);
    if history.tests.left_out > 0 {
        lines.push(format!("{} failures of further tests are left out", history.tests.left_out));
    }
    lines
}

fn row(build: &Build, ids: usize) -> String {
    let took = build.took().map(|took| terminal::time(took).to_string()).unwrap_or_default();
    let commit: String = visible(&build.commit).chars().take(MAX_COMMIT_CHARS).collect();
    let text = format!(
        "{:<ids$}  {:<8} {:<17} {took:>10}  {commit:<MAX_COMMIT_CHARS$}  {}",
        visible(&build.id),
        visible(build.result()),
        begin(build).map(clock).unwrap_or_default(),
        visible(sentence(build)),
    );
    text.trim_end().to_owned()
}

/// Returns when it began, or else when it was finished.
pub(super) fn begin(build: &Build) -> Option<Timestamp> {
    build.started.or(build.finished)
}

/// Returns why it ended as it did.
pub(super) fn sentence(build: &Build) -> &str {
    build.problem.as_deref().unwrap_or(&build.cause)
}

/// A time as people read it, in UTC, to the minute.
pub(super) fn clock(at: Timestamp) -> String {
    let text = at.in_seconds(0).replace('T', " ");
    text.rsplit_once(':').map_or(text.clone(), |(minutes, _)| minutes.to_owned())
}

fn section(lines: &mut Vec<String>, title: &str, tests: &[&Test<'_>], history: &History) {
    if tests.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(title.to_owned());
    lines.extend(tests.iter().take(MAX_TESTS).map(|test| {
        let count = test.failed_in.len() + test.flaky_in.len();
        let last = test.failed_in.first().or(test.flaky_in.first()).map(|build| &history.builds[*build].id);
        let last = last.map(|id| format!(", last in {id}")).unwrap_or_default();
        visible(&format!("  {count:>5}  {}{last}", test.title())).into_owned()
    }));
    if tests.len() > MAX_TESTS {
        lines.push(format!("  … and {} more", tests.len() - MAX_TESTS));
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_table::TestTable;
    use super::*;

    #[test]
    fn builds_are_rows_and_nothing_acts() {
        let mut table = TestTable::default();
        let mut build = Build { id: "42".to_owned(), folder: Some("42".to_owned()), ..Build::default() };
        let text = br#"{"timestamp":1767225660,"result":"FAILURE","revision":"0f1e2d3c4b5a69","metadata":{"pod-utils":{
            "cause":"it\u001b[2J","tests":{"tests":"2","failed":"1","failures":{"01":{"suite":"s","name":"A\u202e"}}}}}}"#;
        assert!(build.take_finished(text, &mut table));
        assert!(build.take_started(br#"{"timestamp":1767225600}"#));
        let running = Build { id: "43".to_owned(), cause: "none".to_owned(), ..Build::default() };
        let builds = vec![running, build];
        let history = History { place: "s3://b/logs/job".to_owned(), builds, tests: table, left_out: 7 };
        assert_eq!(
            lines(&history),
            [
                "job  s3://b/logs/job",
                "  2 of 9 builds: 0 passed, 1 failed, 0 aborted, 1 without a result",
                "",
                "43  UNKNOWN                                            none",
                "42  FAILURE  2026-01-01 00:00        1m0s  0f1e2d3c4b  it\\u{1b}[2J",
                "",
                "Failed tests, in 1 builds with test reports",
                "      1  s A\\u{202e}, last in 42",
            ]
        );
    }
}
