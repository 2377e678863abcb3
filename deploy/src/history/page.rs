//! A job's history as one self-contained page.
//!
//! It has no script. Everything from jobs passes the template's escaping and
//! [`job_page::escape`].

use super::History;
use super::build::Build;
use super::failed_tests::Test;
use super::plot;
use super::test_table::Outcome;
use super::text::{begin, clock, sentence};
use crate::show;
use crate::terminal;
use job_page::escape::visible;
use job_page::frame::{Frame, class};
use job_page::links::Links;
use maud::{Markup, html};

const STYLE: &str = include_str!("page.css");

/// Columns and rows of the grid.
const MAX_COLUMNS: usize = 60;
const MAX_ROWS: usize = 200;

/// Rows of the table of flaky tests.
const MAX_FLAKY: usize = 100;

/// Rows of the table of builds.
const MAX_BUILDS: usize = 1000;

/// The page.
pub(super) fn html(history: &History, links: &Links) -> String {
    let tests = history.tests();
    let title = format!("History of {}", history.job());
    let content = html! {
        header class=(history.builds.first().map_or("warn", |build| class(build.result()))) {
            h1 { (visible(&title)) }
            p.place { (visible(&history.place)) }
            p { (history.sums()) "." }
        }
        main {
            (durations(history))
            (flaky(history, links, &tests))
            (grid(history, links, &tests))
            (builds(history, links))
        }
        footer { p { "Made by podutils " (common::version::VERSION) ". Times are in UTC." } }
    };
    Frame { title: &title, style: STYLE, script: "", skip_to: ("builds", "builds") }.around(&content)
}

fn durations(history: &History) -> Markup {
    html! {
        @if let Some(drawing) = plot::svg(&history.builds, class) {
            section aria-labelledby="durations-title" {
                h2 #durations-title { "Durations" }
                div.card tabindex="0" role="group" aria-label="Durations, scrolls sideways" { (drawing) }
            }
        }
    }
}

fn flaky(history: &History, links: &Links, tests: &[Test<'_>]) -> Markup {
    let flaky: Vec<_> = tests.iter().filter(|test| test.is_flaky).collect();
    html! {
        @if !flaky.is_empty() {
            section aria-labelledby="flaky-title" {
                h2 #flaky-title { "Flaky tests" }
                p.note { "Both results at one commit, or passed when they ran again." }
                div.card {
                    table.flaky {
                        thead { tr { th scope="col" { "Test" } th scope="col" { "Failed" } th scope="col" { "Passed again" } th scope="col" { "Last in" } } }
                        tbody {
                            @for test in flaky.iter().take(MAX_FLAKY) {
                                tr {
                                    td { (visible(&test.title())) }
                                    td.number { (test.failed_in.len()) }
                                    td.number { (test.flaky_in.len()) }
                                    td {
                                        @if let Some(last) = test.failed_in.first().into_iter().chain(test.flaky_in.first()).min() {
                                            (link(&history.builds[*last], links))
                                        }
                                    }
                                }
                            }
                        }
                    }
                    (more(flaky.len().saturating_sub(MAX_FLAKY), "flaky tests"))
                }
            }
        }
    }
}

fn grid(history: &History, links: &Links, tests: &[Test<'_>]) -> Markup {
    // Builds without test reports have nothing to say of a test.
    let columns: Vec<_> =
        history.builds.iter().enumerate().filter(|(_, build)| build.tests.is_some()).collect();
    let (shown, older) = columns.split_at(columns.len().min(MAX_COLUMNS));
    html! {
        @if !tests.is_empty() {
            section aria-labelledby="tests-title" {
                h2 #tests-title { "Tests that failed" }
                p.note { "A column is a build with test reports, the newest first: ✗ failed, ~ passed when run again, · did not fail, empty: not known." }
                div.card tabindex="0" role="group" aria-label="Tests that failed, scrolls sideways" {
                    table.grid {
                        thead {
                            tr {
                                th scope="col" { "Test" }
                                @for (_, build) in shown { th scope="col" { (column(build, links)) } }
                            }
                        }
                        tbody {
                            @for test in tests.iter().take(MAX_ROWS) {
                                tr {
                                    th scope="row" { (visible(&test.title())) @if test.is_flaky { " " span.pill { "flaky" } } }
                                    @for (index, build) in shown { (cell(test, *index, build)) }
                                }
                            }
                        }
                    }
                    (more(tests.len().saturating_sub(MAX_ROWS), "tests"))
                    (more(older.len(), "builds with test reports"))
                    @if history.tests.left_out > 0 {
                        p.note { (history.tests.left_out) " failures of further tests are left out." }
                    }
                }
            }
        }
    }
}

/// A test that a build does not name has not failed there, if its list is complete.
fn cell(test: &Test<'_>, index: usize, build: &Build) -> Markup {
    let is_whole = build.tests.as_ref().is_some_and(|tests| tests.is_whole);
    match test.outcome(index) {
        Some(Outcome::Failed) => html! { td.f { "✗" } },
        Some(Outcome::Flaky) => html! { td.a { "~" } },
        None if is_whole => html! { td.p { "·" } },
        None => html! { td {} },
    }
}

/// The head of a column: a mark that is named by its title.
fn column(build: &Build, links: &Links) -> Markup {
    let title = format!("{} {}", build.id, build.result());
    let (title, class) = (visible(&title), class(build.result()));
    html! {
        @if let Some(address) = address(build, links) {
            a class=(class) href=(address) title=(title) aria-label=(title) { "●" }
        } @else {
            span class=(class) title=(title) role="img" aria-label=(title) { "●" }
        }
    }
}

fn builds(history: &History, links: &Links) -> Markup {
    html! {
        section #builds aria-labelledby="builds-title" {
            h2 #builds-title { "Builds" }
            div.card {
                table.builds {
                    thead {
                        tr {
                            @for head in ["Build", "Result", "Started", "Took", "Commit", "Tests", "Why"] { th scope="col" { (head) } }
                        }
                    }
                    tbody { @for build in history.builds.iter().take(MAX_BUILDS) { (row(build, links)) } }
                }
                (more(history.builds.len().saturating_sub(MAX_BUILDS) + history.left_out, "builds"))
            }
        }
    }
}

fn row(build: &Build, links: &Links) -> Markup {
    let commit: String = visible(&build.commit).chars().take(12).collect();
    html! {
        tr {
            td { (link(build, links)) }
            td class=(class(build.result())) { (visible(build.result())) }
            td.number { @if let Some(at) = begin(build) { (clock(at)) } }
            td.number { @if let Some(took) = build.took() { (terminal::time(took)) } }
            td { @if !commit.is_empty() { code { (commit) } } }
            td.number {
                @if let Some(tests) = &build.tests { (tests.failed) " of " (tests.count) " failed" }
            }
            td { (visible(sentence(build))) }
        }
    }
}

/// A build's id, with a link to its page or else to its result.
fn link(build: &Build, links: &Links) -> Markup {
    html! {
        @if let Some(address) = address(build, links) {
            a.id href=(address) { (visible(&build.id)) }
        } @else {
            span.id { (visible(&build.id)) }
        }
    }
}

fn address(build: &Build, links: &Links) -> Option<String> {
    let folder = build.folder.as_deref()?;
    links.to(&format!("{folder}/{}", if build.has_page { show::PAGE } else { "finished.json" }))
}

fn more(count: usize, what: &str) -> Markup {
    html! { @if count > 0 { p.note { (count) " more " (what) " are left out." } } }
}

#[cfg(test)]
mod tests {
    use super::super::test_table::TestTable;
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\\u202e";

    fn history(builds: usize, tests: usize) -> History {
        let mut table = TestTable::default();
        let builds = (0..builds).map(|number| {
            let id = format!("{HOSTILE}{number}").replace("\\u202e", "\u{202e}");
            let mut build = Build { folder: Some(id.clone()), id, ..Build::default() };
            let failures: Vec<_> = (0..tests.min(50))
                .map(|test| format!(r#""{test:02}":{{"suite":"{HOSTILE}","name":"{}"}}"#, number * tests + test))
                .collect();
            let text = format!(
                r#"{{"timestamp":1767225660,"result":"FAILURE","revision":"{HOSTILE}","metadata":{{"pod-utils":{{
                    "cause":"{HOSTILE}","tests":{{"tests":"50","failed":"{tests}","failures":{{{}}}}}}}}}}}"#,
                failures.join(",")
            );
            assert!(build.take_finished(text.as_bytes(), &mut table), "{text}");
            assert!(build.take_started(br#"{"timestamp":1767225600}"#));
            build
        });
        let builds = builds.collect();
        History { place: "s3://b/logs/job".to_owned(), builds, tests: table, left_out: 3 }
    }

    #[test]
    fn hostile_texts_are_inert_and_there_is_no_script() {
        let page = html(&history(3, 2), &Links::beside());
        assert!(!page.contains("<script") && !page.contains(" style="), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("\\u{202e}"), "{page}");
        assert!(!page.contains('\u{202e}'));
        assert!(page.contains("href=\"./%3Cscript%3E"), "{page}");
        assert!(page.contains("<td class=\"p\">·</td>") && !page.contains("<td></td>"), "{page}");
        // 60 failed and 50 are listed, so that nothing is known of the others.
        let page = html(&history(2, 60), &Links::beside());
        assert!(page.contains("<td></td>") && !page.contains("<td class=\"p\">·</td>"), "{page}");
    }

    #[test]
    fn many_builds_and_tests_are_a_bounded_page() {
        let page = html(&history(2000, 50), &Links::beside());
        assert!(page.len() < 2 << 20, "{} bytes", page.len());
        for part in ["1003 more builds are left out", "9800 more tests are left out", "1940 more builds with"]
        {
            assert!(page.contains(part), "no {part}");
        }
    }
}
