//! `gcsupload`: uploads files and directories of a job (contract 7.4).

use crate::cli;
use crate::io::driver::Driver;
use crate::io::interrupts::Interrupts;
use crate::io::own_log::OwnLog;
use crate::options::command::job_flags;
use crate::options::{DeliveryOptions, LoadError, Loaded, OptionError, UploadOptions, load_from};
use crate::upload_job::{self, UploadJob};
use clap::Command;
use common::duration::GoDuration;
use common::options::{args, flag, inline, object};
use std::ffi::OsString;

/// The environment variable that holds the options.
pub const VARIABLE: &str = "GCSUPLOAD_OPTIONS";

common::options! {
    /// The options of gcsupload.
    pub struct GcsUploadOptions {
        /// The source and destination of the upload, at the top level.
        pub upload: UploadOptions = inline("Upload"),
        /// An option that upstream does not have.
        pub delivery: Option<RetryOptions> = object("Delivery"),
    }
}

common::options! {
    /// The object `delivery` of gcsupload.
    pub struct RetryOptions {
        /// Tries objects that a later attempt may store until nothing has arrived for so long.
        pub retry_for: Option<GoDuration> = flag("retry-for")
            .default(|| GoDuration::from_std(DeliveryOptions::default().retry_for()).to_string()),
    }
}

impl GcsUploadOptions {
    /// Checks the options.
    pub fn validate(&self) -> Result<(), OptionError> {
        self.upload.validate()?;
        self.delivery().validate()
    }

    fn delivery(&self) -> DeliveryOptions {
        let retry_for = self.delivery.as_ref().and_then(|delivery| delivery.retry_for);
        DeliveryOptions { retry_for, ..DeliveryOptions::default() }
    }
}

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
        .args(args(&GcsUploadOptions::default()))
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
    let sent = Driver::new(settings.into(), None, own_log).send_once(&[], interrupts).await;
    upload_job::status(sent)
}

fn prepare(args: impl Iterator<Item = OsString>) -> Result<UploadJob, LoadError> {
    let Loaded { options, job, notes } =
        load_from(VARIABLE, args, command, |options: &mut GcsUploadOptions| &mut options.upload)?;
    cli::warn_unknown(&notes);
    options.validate()?;
    let delivery = options.delivery();
    let mut job = UploadJob::new(options.upload, None, &job)?;
    job.settings.delivery = delivery;
    Ok(job)
}
