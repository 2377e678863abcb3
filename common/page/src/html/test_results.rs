//! The tests on the page.

use crate::escape::visible;
use crate::test_results::{FailedTest, TestResults};
use maud::{Markup, html};

/// Failures whose output is open from the beginning.
const OPEN: usize = 3;

/// More failures are in the manifest.
const MAX_FAILURES: usize = 500;

pub(super) fn section(results: &TestResults) -> Markup {
    let left_out = results.left_out() + results.failures.len().saturating_sub(MAX_FAILURES) as u64;
    html! {
        section aria-labelledby="tests-title" {
            h2 #tests-title { "Tests" }
            p { (results.counts()) "." }
            @if !results.failures.is_empty() {
                p.filter hidden {
                    label for="tests-filter" { "Filter" }
                    input #tests-filter type="search" autocomplete="off" spellcheck="false" data-filters="failed-tests";
                    output for="tests-filter" {}
                }
                ol.tests #failed-tests {
                    @for (index, failure) in results.failures.iter().take(MAX_FAILURES).enumerate() {
                        (failed(failure, index < OPEN))
                    }
                }
                @if left_out > 0 {
                    p.note { (left_out) " more failed tests are left out." }
                }
            }
            @if !results.slowest.is_empty() {
                details {
                    summary { "The slowest tests" }
                    div.wide {
                        table {
                            thead { tr { th scope="col" { "Seconds" } th scope="col" { "Suite" } th scope="col" { "Test" } } }
                            tbody {
                                @for test in &results.slowest {
                                    tr {
                                        td.number { (visible(&test.seconds)) }
                                        td { (visible(&test.suite)) }
                                        td { (visible(&test.name)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn failed(failure: &FailedTest, is_open: bool) -> Markup {
    let heading = html! {
        strong { (visible(&failure.name)) } " "
        @if failure.is_flaky() { span.pill.warn { "flaky" } " " }
        span.note { (visible(&failure.suite)) @if !failure.file.is_empty() { " " (visible(&failure.file)) } }
    };
    html! {
        li {
            @if failure.message.is_empty() && failure.output.is_empty() {
                p { (heading) }
            } @else {
                details open[is_open] {
                    summary { (heading) }
                    @if !failure.message.is_empty() { p.message { (lines(&failure.message)) } }
                    @if !failure.output.is_empty() {
                        pre tabindex="0" aria-label="Output of the test" { code { (lines(&failure.output)) } }
                    }
                }
            }
        }
    }
}

/// A text of several lines; within them nothing acts on the reader.
fn lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}
