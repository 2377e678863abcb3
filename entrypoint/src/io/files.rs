//! The files of an entry: lock, log, report and marker.

use super::process_log::ProcessLog;
use super::spawn::go_error;
use super::timestamps::Stamper;
use crate::options::EntrypointOptions;
use common::lock::HeldLock;
use common::preallocated::{self, PreallocatedFile};
use common::report::{RESERVED_BYTES, Report};
use common::{marker, report};
use std::io;
use std::path::{Path, PathBuf};

/// The lock and the preallocated files, held until the marker is visible.
#[derive(Debug, Default)]
pub(super) struct Files {
    marker_path: PathBuf,
    lock: Option<HeldLock>,
    marker: Option<PreallocatedFile>,
    report: Option<PreallocatedFile>,
}

impl Files {
    pub(super) fn new(options: &EntrypointOptions) -> Self {
        Self { marker_path: PathBuf::from(&options.entry.marker_file), ..Self::default() }
    }

    /// Creates the entry's files. The lock comes first, because readers rely on it
    /// from then on.
    pub(super) fn prepare(&mut self, options: &EntrypointOptions) -> Result<ProcessLog, PrepareError> {
        let marker = &options.entry.marker_file;
        let lock =
            HeldLock::acquire(&self.marker_path).map_err(failed("take the lock for marker_file", marker))?;
        if let Some(error) = lock.mode_refused() {
            tracing::warn!(error = %error, "Modes cannot be set beside marker_file {marker:?}: another user's sidecar may not be able to read the result");
        }
        self.lock = Some(lock);
        self.reserve().map_err(failed("reserve space beside marker_file", marker))?;
        let artifact_dir = &options.artifact_dir;
        if !artifact_dir.is_empty() {
            std::fs::create_dir_all(artifact_dir).map_err(failed("create artifact_dir", artifact_dir))?;
        }
        let path = &options.entry.process_log;
        let stamper = options.supervision.timestamps.then(Stamper::default);
        ProcessLog::create(Path::new(path), stamper).map_err(failed("create process_log", path))
    }

    /// Reserves the space. Without free descriptors the job runs all the same; they are
    /// free again when it has ended.
    fn reserve(&mut self) -> io::Result<()> {
        self.marker = if_descriptors(marker::reserve(&self.marker_path))?;
        self.report = if_descriptors(report::reserve(&self.marker_path))?;
        Ok(())
    }

    /// Gives up the reserved space, and with it two descriptors.
    pub(super) fn drop_reserved(&mut self) {
        (self.marker, self.report) = (None, None);
    }

    /// Makes the report visible. Sidecar works without one.
    pub(super) fn publish_report(&mut self, report: &Report) -> io::Result<()> {
        let path = marker::report_path(&self.marker_path);
        let whole = report.encode();
        if whole.len() > RESERVED_BYTES && self.publish(None, &path, &whole, report::MODE).is_ok() {
            self.report = None;
            return Ok(());
        }
        // The space is for the report without its history; a limit may be tighter still.
        let reserved = self.report.take();
        let small = if whole.len() > RESERVED_BYTES { report.encode_short() } else { whole };
        self.publish(reserved, &path, &small, report::MODE)
            .or_else(|_| self.publish(None, &path, &report.encode_short(), report::MODE))
    }

    /// Makes the marker visible, which ends the entry.
    pub(super) fn publish_marker(&mut self, code: i32) -> io::Result<()> {
        let reserved = self.marker.take();
        self.publish(reserved, &self.marker_path, code.to_string().as_bytes(), marker::MODE)
    }

    fn publish(
        &self,
        reserved: Option<PreallocatedFile>,
        path: &Path,
        bytes: &[u8],
        mode: u32,
    ) -> io::Result<()> {
        let anew = || preallocated::write_atomically(path, bytes, mode);
        let published = reserved.map_or_else(anew, |reserved| reserved.publish(bytes));
        match (published, path.parent()) {
            (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound && self.lock.is_some() => {
                // The job deleted the directory that existed when it started.
                std::fs::create_dir_all(parent)?;
                anew()
            }
            (published, _) => published,
        }
    }

    /// Releases the lock.
    pub(super) fn release(&mut self) {
        self.lock = None;
    }
}

/// Takes a lack of descriptors for nothing.
fn if_descriptors<T>(made: io::Result<T>) -> io::Result<Option<T>> {
    match made {
        Err(error) if error.raw_os_error() == Some(libc::EMFILE) => Ok(None),
        made => made.map(Some),
    }
}

/// A file that the entry needs could not be made.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {path:?}: {}", go_error(.source))]
pub(super) struct PrepareError {
    /// The action that failed, with the option that names the path.
    action: &'static str,
    path: String,
    source: io::Error,
}

fn failed(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> PrepareError {
    let path = path.to_owned();
    move |source| PrepareError { action, path, source }
}
