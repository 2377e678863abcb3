//! `podutils history`: how a job went before.
//!
//! ```text
//!  one listing ─▶ newest N builds ─┬─ finished.json ─┐
//!  (names only)                    ├─ started.json ──┼─▶ History ─┬─▶ text   lines for people
//!                                  └─ manifest.json ─┘   builds,  ├─▶ json   a document for scripts
//!                                     without started    tests    └─▶ page   one HTML page
//! ```
//!
//! Nothing is stored between two calls: the builds are read again each time, in parallel.
//! Names, sentences and results come from jobs and are hostile: [`job_page::escape`] makes them
//! harmless, and each has an upper bound.

mod build;
mod failed_tests;
mod json;
mod page;
mod plot;
mod read;
mod test_table;
mod text;

use crate::results::{Results, block_on};
use crate::show;
use crate::terminal::{self, Problem};
use build::Build;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use failed_tests::Test;
use std::path::PathBuf;
use test_table::TestTable;

/// Builds that are read when nothing is said.
const DEFAULT_LAST: &str = "100";

/// Upper bound on `--last`: the summary of a build takes up to some 20 KiB.
const MAX_LAST: u64 = 10_000;

/// A job's builds, newest first.
#[derive(Debug, Default)]
struct History {
    /// The job's folder as people write it.
    place: String,
    builds: Vec<Build>,
    tests: TestTable,
    /// Older builds, which were not read.
    left_out: usize,
}

impl History {
    /// The job's name: the folder's last component.
    fn job(&self) -> &str {
        self.place.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }

    /// The tests that failed in these builds, those that failed most and latest first.
    fn tests(&self) -> Vec<Test<'_>> {
        failed_tests::of(&self.tests, &self.builds)
    }

    /// Number of builds with this result.
    fn count(&self, result: &str) -> usize {
        self.builds.iter().filter(|build| build.result() == result).count()
    }

    /// Numbers of all kinds, in one line.
    fn sums(&self) -> String {
        let shown = self.builds.len();
        let of = if self.left_out > 0 { format!(" of {}", shown + self.left_out) } else { String::new() };
        let (passed, failed, aborted) = (self.count("SUCCESS"), self.count("FAILURE"), self.count("ABORTED"));
        let other = shown - passed - failed - aborted;
        let other = if other > 0 { format!(", {other} without a result") } else { String::new() };
        format!("{shown}{of} builds: {passed} passed, {failed} failed, {aborted} aborted{other}")
    }
}

/// The subcommand's definition.
pub(crate) fn command() -> Command {
    Command::new("history")
        .about("Tells how a job went before: its builds, and the tests that fail")
        .args(Results::args_of(
            "A job's folder, whose folders are builds: a directory, file:///DIRECTORY, s3://BUCKET/logs/JOB, \
             gs://BUCKET/logs/JOB, az://CONTAINER/logs/JOB; of a presubmit …/pr-logs/directory/JOB",
        ))
        .next_help_heading("Extent")
        .arg(
            Arg::new("last")
                .long("last")
                .value_name("N")
                .default_value(DEFAULT_LAST)
                .value_parser(value_parser!(u64).range(1..=MAX_LAST))
                .help("Read this many of the newest builds"),
        )
        .next_help_heading("Form")
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON document for scripts"))
        .arg(
            Arg::new("html")
                .long("html")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Also write one self-contained page for a browser to this file"),
        )
        .arg(
            Arg::new("links")
                .long("links")
                .value_name("URL")
                .requires("html")
                .help("Where the page's links to builds begin; . for a page that lies in the job's folder"),
        )
        .after_help(
            "A test counts as passed in a build that reports tests and does not name it among its failures, and as\n\
             flaky when both happened at one commit, or when it passed as it ran again.\n\n\
             Exit status: 0, whatever the results; 1 when there is nothing to tell; 2 for a wrong command line.\n\n\
             Examples:\n  \
             podutils history pod-utils-out/local\n  \
             podutils history --last 20 s3://ci-results/logs/nightly\n  \
             podutils history --html nightly.html gs://ci-results/logs/nightly\n  \
             podutils history --json gs://ci-results/pr-logs/directory/unit | jq -r '.tests[] | select(.flaky) | .name'",
        )
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Problem> {
    let results = Results::from_matches(matches)?;
    let last = matches.get_one::<u64>("last").copied().unwrap_or(MAX_LAST);
    let last = usize::try_from(last).unwrap_or(usize::MAX);
    let page = matches.get_one::<PathBuf>("html");
    let links = show::links_given(matches)?.unwrap_or_else(|| show::links_to(results.destination()));
    let history = block_on(read::history(&results, last, page.is_some()))?;
    if let Some(path) = page {
        std::fs::write(path, page::html(&history, &links))
            .map_err(|error| Problem::new(format!("cannot write {}: {error}", path.display())))?;
    }
    let text = if matches.get_flag("json") {
        json::text(&history) + "\n"
    } else {
        text::lines(&history).join("\n") + "\n"
    };
    terminal::print(text.as_bytes())?;
    Ok(0)
}
