//! The files an entry leaves: lock, log, report and marker.

use super::child::words;
use super::log::Log;
use super::timestamps::Stamper;
use crate::options::EntrypointOptions;
use common::lock::HeldLock;
use common::report::Report;
use common::reserved::{self, Reserved};
use common::{marker, report};
use std::io;
use std::path::{Path, PathBuf};

/// Lock and space, held until the marker is visible.
#[derive(Debug, Default)]
pub(super) struct Files {
    marker_path: PathBuf,
    lock: Option<HeldLock>,
    marker: Option<Reserved>,
    report: Option<Reserved>,
}

impl Files {
    pub(super) fn new(options: &EntrypointOptions) -> Self {
        Self { marker_path: PathBuf::from(&options.entry.marker_file), ..Self::default() }
    }

    /// Makes what the entry needs: the lock before everything else, so that a
    /// reader can tell from then on. The error names what could not be made.
    pub(super) fn prepare(&mut self, options: &EntrypointOptions) -> Result<Log, String> {
        let marker = &options.entry.marker_file;
        let lock = HeldLock::acquire(&self.marker_path)
            .map_err(|error| failed("take the lock for marker_file", marker, &error))?;
        self.lock = Some(lock);
        self.reserve().map_err(|error| failed("reserve space beside marker_file", marker, &error))?;
        let artifact_dir = &options.artifact_dir;
        if !artifact_dir.is_empty() {
            std::fs::create_dir_all(artifact_dir)
                .map_err(|error| failed("create artifact_dir", artifact_dir, &error))?;
        }
        let path = &options.entry.process_log;
        let stamper = options.supervision.timestamps.then(Stamper::default);
        Log::create(Path::new(path), stamper).map_err(|error| failed("create process_log", path, &error))
    }

    fn reserve(&mut self) -> io::Result<()> {
        self.marker = Some(marker::reserve(&self.marker_path)?);
        self.report = Some(report::reserve(&self.marker_path)?);
        Ok(())
    }

    /// Makes the report visible. Sidecar can do without it.
    pub(super) fn publish_report(&mut self, report: &Report) -> io::Result<()> {
        let path = marker::report_path(&self.marker_path);
        let reserved = self.report.take();
        self.publish(reserved, &path, &report.encode(), report::MODE)
    }

    /// Makes the marker visible: the last thing that happens to this entry.
    pub(super) fn publish_marker(&mut self, code: i32) -> io::Result<()> {
        let reserved = self.marker.take();
        self.publish(reserved, &self.marker_path, code.to_string().as_bytes(), marker::MODE)
    }

    fn publish(&self, reserved: Option<Reserved>, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let anew = || reserved::write_atomically(path, bytes, mode);
        let published = reserved.map_or_else(anew, |reserved| reserved.publish(bytes));
        match (published, path.parent()) {
            (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound && self.lock.is_some() => {
                // The job deleted the folder that was there when it started.
                std::fs::create_dir_all(parent)?;
                anew()
            }
            (published, _) => published,
        }
    }

    /// Frees the lock.
    pub(super) fn release(&mut self) {
        self.lock = None;
    }
}

fn failed(what: &str, path: &str, error: &io::Error) -> String {
    format!("could not {what} {path:?}: {}", words(error))
}
