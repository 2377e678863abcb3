//! `podutils deliver`: delivers a job again from the directory that `podutils run` has kept.

use super::destination::Destination;
use super::kept::{self, Kept};
use super::kubelet::{self, End, Ends};
use super::options::{self, Options};
use super::pod::{Pod, Programs};
use super::{announce, secrets, summary::Summary};
use crate::results::block_on;
use crate::show;
use crate::terminal::{self, Problem};
use clap::{Arg, ArgMatches, Command, value_parser};
use common::lock::{EntryMonitor, EntryStatus, LockState};
use common::marker::Content;
use common::timestamp::Timestamp;
use sidecar::options::LimitOptions;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The id of the argument.
const DIRECTORY: &str = "DIRECTORY";

/// The folder in a kept directory with the results that did not arrive.
const RESULTS: &str = "results";

/// Artifacts beyond this are not copied for the page of a delivery that failed.
const MAX_COPIED_BYTES: u64 = 256 << 20;

/// Time for that copy.
const COPY_TIMEOUT: Duration = Duration::from_mins(1);

/// The subcommand's definition.
pub(crate) fn command() -> Command {
    Command::new("deliver")
        .about("Delivers a job again from the directory that run has kept")
        .arg(Arg::new(DIRECTORY).required(true).value_parser(value_parser!(PathBuf)).help(
            "The pod directory, which run names when delivery is not complete, or with --keep",
        ))
        .arg(Arg::new("out").long("out").value_name("DESTINATION").help(
            "Where results go, as for run; the build keeps its id [default: where run was to deliver them]",
        ))
        .args(options::of_delivery())
        .args(common::options::args(&LimitOptions::default()))
        .after_help(
            "The directory stays as it is; delete it when its results have arrived.\n\n\
             Exit status: 0 when everything is delivered, whatever the job's result; 1 when it is not, or an option\n\
             cannot work; 2 for a wrong command line.\n\n\
             Examples:\n  \
             podutils deliver /tmp/podutils-local-Xk2p9Q\n  \
             podutils deliver /tmp/podutils-local-Xk2p9Q --out ./results",
        )
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Problem> {
    let directory = matches.get_one::<PathBuf>(DIRECTORY).cloned().unwrap_or_default();
    let directory = kept::directory(&directory)?;
    let kept = Kept::read(&directory)?;
    let build_id = kept.build_id.clone();
    let options = kept.options(Options::of_delivery(matches)?)?;
    let programs = Programs::find(options.programs.as_deref())?;
    secrets::check(&secrets::options(&options.secrets, options.strict))?;
    let destination = Destination::prepare(&options, Some(build_id))?;
    let pod = Pod::reopen(&directory, &options, &destination)?;
    let entrypoint = ended(&pod, &directory)?;
    let started = Instant::now();
    let begin = pod.report().map_or_else(Timestamp::now, |report| report.started);
    block_on(async {
        announce::announce(&destination, begin).await?;
        let (sidecar, killed) = kubelet::deliver(&pod, &programs).await?;
        let ends = Ends { entrypoint, sidecar, killed, told: killed };
        let summary = Summary::gather(&pod, &destination, &ends, started.elapsed()).await;
        summary.lines().iter().for_each(|line| terminal::line(line));
        if let Some(results) = destination.directory().filter(|_| summary.is_delivered()) {
            page(&results).await;
        }
        Ok(if summary.is_delivered() { 0 } else { common::codes::EXIT_FAILURE })
    })
}

/// Returns how entrypoint ended; refuses a job that still runs.
fn ended(pod: &Pod, directory: &Path) -> Result<End, Problem> {
    match EntryMonitor::new(pod.marker()).poll() {
        EntryStatus::Marker(Content::Code(code)) => Ok(End::Code(code)),
        EntryStatus::Waiting(LockState::Held) => {
            Err(Problem::new(format!("{}: its job still runs", directory.display())))
        }
        // Without a code sidecar decides by itself.
        EntryStatus::Marker(Content::Unreadable(_))
        | EntryStatus::Waiting(LockState::None | LockState::Vanished)
        | EntryStatus::Lost => Ok(End::Code(common::codes::EXIT_FAILURE.into())),
    }
}

/// Writes the page beside results, and says where. A courtesy, which does not make a job fail.
pub(super) async fn page(results: &Path) {
    match show::write_page(results).await {
        Ok(page) => terminal::line(&format!("report page: {}", page.display())),
        Err(problem) => terminal::line(&format!("no report page: {}", problem.text)),
    }
}

/// After a run that is kept: says in its directory how to deliver it again. With a page it also leaves
/// the results there, censored as they would be delivered.
pub(super) async fn leave(pod: &Pod, programs: &Programs, options: &Options, with_page: bool) {
    let directory = pod.path();
    if let Err(error) = Kept::new(options, pod.build_id()).write(directory) {
        terminal::line(&format!("it cannot be delivered again, because {error}"));
        return;
    }
    if with_page {
        let results = directory.join(RESULTS);
        let command = pod.copy_command(programs, &results, MAX_COPIED_BYTES);
        let command = command.map_err(|error| Problem::new(error.to_string()));
        let copied = async { kubelet::run_for(&mut command?, COPY_TIMEOUT).await };
        match copied.await {
            Ok(()) => page(&results).await,
            Err(problem) => terminal::line(&format!("no report page: {}", problem.text)),
        }
    }
    terminal::line(&format!("to deliver again: podutils deliver {}", directory.display()));
}
