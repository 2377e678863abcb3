//! `gcsupload`: uploads files and directories of a job (contract 7.4).

use crate::cli;
use crate::io::driver::Driver;
use crate::io::interrupts::Interrupts;
use crate::io::own_log::OwnLog;
use crate::options::command::job_flags;
use crate::options::{LoadError, Loaded, UploadOptions, load_from};
use crate::upload_job::{self, UploadJob};
use clap::Command;
use common::options::args;
use std::ffi::OsString;

/// The environment variable that holds the options.
pub const VARIABLE: &str = "GCSUPLOAD_OPTIONS";

const AFTER_HELP: &str = "\
When GCSUPLOAD_OPTIONS is set, it holds all options as JSON and the command line is ignored.
JOB_SPEC holds the job as JSON; the flags --job, --job-type and --build-id stand in for it.

Exit status: 0 when everything is uploaded; 1 when an object could not be uploaded, or when the
options or JOB_SPEC cannot be used; 2 for a wrong flag.

Example: gcsupload --dry-run=false --gcs-path=gs://bucket /logs/artifacts";

/// Returns the flags of gcsupload.
pub fn command() -> Command {
    Command::new("gcsupload")
        .version(common::version::VERSION)
        .about("Uploads files and directories to where the results of a job belong.")
        .after_help(AFTER_HELP)
        .args(args(&UploadOptions::default()))
        .args(job_flags())
}

/// Runs gcsupload; returns its exit status.
pub(crate) async fn run(
    args: impl Iterator<Item = OsString>,
    own_log: OwnLog,
    interrupts: &mut Interrupts,
) -> u8 {
    let settings = match prepare(args) {
        Ok(job) => job.settings,
        Err(error) => return cli::refuse(error),
    };
    let sent = Driver::new(settings.into(), None, own_log).send_once([], interrupts).await;
    upload_job::status(sent)
}

fn prepare(args: impl Iterator<Item = OsString>) -> Result<UploadJob, LoadError> {
    let Loaded { options, job, notes } =
        load_from(VARIABLE, args, command, |options: &mut UploadOptions| options)?;
    cli::warn_unknown(&notes);
    Ok(UploadJob::new(options, None, &job)?)
}
