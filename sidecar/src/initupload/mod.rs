//! `initupload`: announces at the destination that a job has started, and on which
//! revisions (contract 7.1).
//!
//! ```text
//! JOB_SPEC ──┬──────────────────────────▶ started.json
//! clone log ─┴▶ clone_records ─▶ clone-log.txt, clone-records.json
//!                         failed ─▶ build-log.txt, finished.json, exit status 1
//! ```
//!
//! It reads and checks everything before it uploads anything; sidecar's code does
//! the upload.

mod clone_records;
mod exact_refs;
mod options;

pub use clone_records::CloneRecord;
pub use options::{InitUploadOptions, VARIABLE, command};

use crate::cli;
use crate::deliver::{Class, Verdict};
use crate::io::driver::Driver;
use crate::io::interrupts::Interrupts;
use crate::io::listing::document;
use crate::io::object::Wanted;
use crate::io::own_log::OwnLog;
use crate::io::secrets::SecretStore;
use crate::layout::finished::Finished;
use crate::layout::paths::FINISHED;
use crate::layout::started::Started;
use crate::options::{LoadError, Loaded, OptionError};
use crate::settings::ItemNames;
use crate::upload_job::{self, UploadJob};
use bytes::Bytes;
use common::codes;
use common::duration::GoDuration;
use common::job_spec;
use common::open_beneath::{self, Opened};
use common::options::{Source, source};
use common::timestamp::Timestamp;
use exact_refs::ExactRefs;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The time for which a store that is away is waited for: the test has not begun, and
/// waits too.
const RETRY_FOR: GoDuration = GoDuration::from_secs(60);

/// Upper bound on a clone log, which is in memory together with its text.
const MAX_CLONE_LOG_BYTES: usize = 64 << 20;

/// The clone log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CloneLog {
    content: Bytes,
    records: Vec<CloneRecord>,
}

/// Everything that initupload works with.
#[derive(Clone, Debug)]
struct InitUpload {
    job: UploadJob,
    /// The main refs, as written in `JOB_SPEC`.
    main_refs: Option<ExactRefs>,
    clone_log: Option<CloneLog>,
}

/// Runs initupload; returns its exit status.
pub(crate) async fn run(
    args: impl Iterator<Item = OsString>,
    own_log: OwnLog,
    interrupts: &mut Interrupts,
) -> u8 {
    let (init, secrets) = match InitUpload::prepare(args, &own_log) {
        Ok(prepared) => prepared,
        Err(error) => return cli::refuse(error),
    };
    let censor = secrets.as_ref().map(|secrets| secrets.current());
    let mask = |text: &str| censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text));
    let closing = init.closing(Timestamp::now().as_secs(), &mask);
    let driver = Driver::new(init.job.settings.clone().into(), secrets, own_log);
    let status = upload_job::status(driver.send_once(&closing, interrupts).await);
    match init.failed() {
        0 => status,
        failed => {
            let all = init.clone_log.as_ref().map_or(0, |log| log.records.len());
            common::fatal!("{failed} of {all} clone records failed");
            codes::EXIT_FAILURE
        }
    }
}

impl InitUpload {
    /// Reads and checks everything (I-1, I-2). The secrets come first: the error of
    /// a clone log may quote it.
    fn prepare(
        args: impl Iterator<Item = OsString>,
        own_log: &OwnLog,
    ) -> Result<(Self, Option<Arc<SecretStore>>), LoadError> {
        let Loaded { options, job, notes } = options::load(args)?;
        cli::warn_unknown(&notes);
        let mut job = UploadJob::new(options.upload, options.censoring_options, &job)?;
        job.settings.item_names = ItemNames::Unreserved;
        job.settings.delivery.retry_for = Some(RETRY_FOR);
        let main_refs = match source(job_spec::VARIABLE) {
            Source::Json(text) => {
                exact_refs::main_refs(&text).map_err(|error| OptionError::from_text(error.to_string()))?
            }
            // Flags have named the job.
            Source::Flags => None,
        };
        let secrets = SecretStore::load(&job.settings, own_log);
        let clone_log = match options.log.as_str() {
            "" => None,
            path => Some(CloneLog::read(path)?),
        };
        Ok((Self { job, main_refs, clone_log }, secrets))
    }

    /// Returns the number of records that failed.
    fn failed(&self) -> usize {
        let records = self.clone_log.iter().flat_map(|log| &log.records);
        records.filter(|record| record.failed).count()
    }

    /// Returns the version under test (I-10): the commit that was cloned, else the
    /// revision of the job.
    fn version(&self) -> &str {
        let mut records = self.clone_log.iter().flat_map(|log| &log.records);
        let cloned = records.find(|record| Some(&record.refs) == self.main_refs.as_ref());
        match cloned.map(|record| record.final_sha.as_str()) {
            None | Some("") => self.job.spec.revision(),
            Some(commit) => commit,
        }
    }

    /// Returns the objects that follow the items (I-3), the result last. The clone
    /// log is in the class of logs that are censored on their way; the other
    /// documents are masked here, and are never withheld.
    fn closing(&self, now: i64, mask: &dyn Fn(&str) -> String) -> [Vec<Wanted>; 3] {
        let mut logs = Vec::new();
        let mut result = Vec::new();
        if let Some(log) = &self.clone_log {
            let text = Bytes::from(clone_records::text_of(&log.records));
            logs.push(document("clone-log.txt", Class::OwnLog, text.clone()));
            logs.push(document("clone-records.json", Class::OwnLog, log.content.clone()));
            if self.failed() > 0 {
                logs.push(document("build-log.txt", Class::OwnLog, text));
                let verdict = Verdict { passed: false, aborted: false, failures: self.failed() };
                let finished = Finished::new(now, verdict, BTreeMap::new(), "", &[], None, mask);
                let content = common::json::to_go_string(&finished).into();
                result.push(document(FINISHED, Class::Manifest, content));
            }
        }
        let started = Started::new(now, &self.job.spec, self.version(), mask);
        let content = common::json::to_go_string(&started).into();
        [logs, vec![document("started.json", Class::Manifest, content)], result]
    }
}

impl CloneLog {
    fn read(path: &str) -> Result<Self, OptionError> {
        let wrong = |error: &dyn std::fmt::Display| {
            OptionError::from_text(format!(
                "log {path:?}: {error}; allowed is a file that clonerefs has written"
            ))
        };
        let content = read(Path::new(path)).map_err(|error| wrong(&error))?;
        let records =
            clone_records::parse(&String::from_utf8_lossy(&content)).map_err(|error| wrong(&error))?;
        Ok(Self { content: content.into(), records })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match open_beneath::open(path)? {
        Opened::File(file) => open_beneath::read_bounded(&file, MAX_CLONE_LOG_BYTES),
        Opened::Absent => Err(io::Error::other("it does not exist")),
    }
}

#[cfg(test)]
mod tests;
