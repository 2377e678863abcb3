//! `podutils show`: what happened to a job, read from where its results are.
//!
//! ```text
//!  finished.json ─┐                        ┌─▶ text        lines for people
//!  manifest.json ─┼─▶ JobReport (bounded) ─┼─▶ json        a document for scripts
//!  build logs ────┘   (job_page)           └─▶ job_page    one HTML page
//! ```
//!
//! Everything was censored by sidecar before it was delivered. Names and lines
//! are the job's, and hostile: [`job_page::escape`] makes them harmless.

mod follow;
mod json;
mod log;
mod read;
mod text;

pub(crate) use read::job_report;

use crate::builds;
use crate::results::{Results, block_on};
use crate::terminal::{self, Problem};
use clap::{Arg, ArgAction, ArgMatches, Command};
use job_page::html;
use job_page::links::Links;
use sidecar::destination::{Credentials, Destination};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// The name of a page that lies beside the results.
pub(crate) const PAGE: &str = html::FILE_NAME;

/// The subcommand's definition.
pub(crate) fn command() -> Command {
    Command::new("show")
        .about("Tells what happened to a job, from where its results are")
        .args(Results::args())
        .next_help_heading("Form")
        .arg(
            Arg::new("html")
                .long("html")
                .action(ArgAction::SetTrue)
                .conflicts_with("json")
                .help("One self-contained page for a browser instead of text"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON document for scripts"))
        .arg(
            Arg::new("links")
                .long("links")
                .value_name("URL")
                .requires("html")
                .help("Where the page's links to logs and artifacts begin; . for a page that lies beside them"),
        )
        .arg(
            Arg::new("follow")
                .long("follow")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["html", "json"])
                .help("Show the log of a job that still runs, as far as checkpoints have delivered it, and wait for more until there is a result"),
        )
        .after_help(
            "Exit status: 0, whatever the job's result; 1 when there is nothing to tell; 2 for a wrong command line.\n\n\
             Examples:\n  \
             podutils show pod-utils-out/local/20260131120000000\n  \
             podutils show s3://ci-results/logs/nightly/latest\n  \
             podutils show --html s3://ci-results/logs/nightly/42 > report.html\n  \
             podutils show --json gs://ci-results/logs/nightly/42 | jq -r .cause",
        )
}

/// Writes the page of a job into the directory that its results are in.
pub(crate) async fn write_page(directory: &Path) -> Result<PathBuf, Problem> {
    let results =
        Results::open(Destination::LocalDir { root: directory.to_owned() }, Credentials::default())?;
    let job = job_report(&results).await?;
    let path = directory.join(PAGE);
    std::fs::write(&path, html::page(&job, &Links::beside()))
        .map_err(|error| Problem::new(format!("cannot write {}: {error}", path.display())))?;
    Ok(path)
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Problem> {
    let results = Results::from_matches(matches)?;
    let links = links_given(matches)?;
    let (job, links) = block_on(async {
        let results = builds::meant(results).await?;
        if matches.get_flag("follow") {
            follow::follow(&results).await?;
        }
        let links = links.unwrap_or_else(|| links_to(results.destination()));
        Ok((job_report(&results).await?, links))
    })?;
    if matches.get_flag("follow") {
        // The log was just shown; the rest is for a second look.
        for line in text::headline(&job) {
            terminal::line(&line);
        }
        return Ok(0);
    }
    let text = if matches.get_flag("html") {
        html::page(&job, &links)
    } else if matches.get_flag("json") {
        json::text(&job) + "\n"
    } else {
        text::lines(&job, shows_colours()).join("\n") + "\n"
    };
    terminal::print(text.as_bytes())?;
    Ok(0)
}

/// The links that the command line sets.
pub(crate) fn links_given(matches: &ArgMatches) -> Result<Option<Links>, Problem> {
    let given =
        |base: &String| Links::given(base).map_err(|why| Problem::new(format!("--links {base:?}: {why}")));
    matches.get_one("links").map(given).transpose()
}

/// The links that a browser can follow by itself.
pub(crate) fn links_to(destination: &Destination) -> Links {
    match destination {
        Destination::LocalDir { root } | Destination::File { root } => Links::to_directory(root),
        Destination::Gs { bucket, prefix } => Links::to_google(bucket, prefix),
        // Their addresses depend on region, account and endpoint, and need a signature.
        Destination::S3 { .. } | Destination::Az { .. } => Links::none(),
    }
}

/// Colours are for people at a terminal, unless they have asked for none.
fn shows_colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
