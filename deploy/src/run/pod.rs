//! The temporary pod: its directory, and what its two programs are told.

use super::destination::Destination;
use super::options::{Options, utf8_path};
use super::{secrets, session};
use crate::contained;
use crate::terminal::{self, Problem};
use common::duration::GoDuration;
use common::entry::Entry;
use common::job_spec::{self, JobSpec};
use common::json::to_go_string;
use common::{marker, report};
use entrypoint::options::{EntrypointOptions, RecordFormat, SupervisionOptions};
use sidecar::options::{DeliveryOptions, LimitOptions, SidecarOptions, UploadOptions};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Upper bound on entrypoint's time beyond its grace period: 5 s of draining, then 2 s
/// each for leftovers to end and to be killed, and a second for itself.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// Names as Prow's decoration gives them in a pod with one container.
const CONTAINER: &str = "test";

/// The log volume in the pod's directory.
const LOGS: &str = "logs";

/// More artifacts are not copied.
const MAX_COPIED_FILES: u32 = 10_000;

/// The two programs.
#[derive(Debug)]
pub(crate) struct Programs {
    entrypoint: PathBuf,
    sidecar: PathBuf,
}

impl Programs {
    /// Looks for both in the given directory. Without one this program itself is taken,
    /// which contains them: what lies beside it may be of another version.
    pub(crate) fn find(dir: Option<&Path>) -> Result<Self, Problem> {
        dir.map_or_else(
            || Ok(Self { entrypoint: contained::ENTRYPOINT.into(), sidecar: contained::SIDECAR.into() }),
            Self::in_directory,
        )
    }

    fn in_directory(dir: &Path) -> Result<Self, Problem> {
        let program = |name: &str| {
            let path = dir.join(name);
            match path.metadata() {
                Ok(metadata) if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 => Ok(path),
                Ok(_) | Err(_) => Err(Problem::new(format!(
                    "there is no program {}; without --programs podutils uses its own copy",
                    path.display()
                ))),
            }
        };
        Ok(Self { entrypoint: program(contained::ENTRYPOINT)?, sidecar: program(contained::SIDECAR)? })
    }
}

/// The pod's directory.
#[derive(Debug)]
enum Directory {
    /// It ends with the value, unless it is kept.
    Temporary(tempfile::TempDir),
    /// An earlier run kept it.
    Kept(PathBuf),
}

impl Directory {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(path) => path,
        }
    }
}

/// A pod that is ready to start.
#[derive(Debug)]
pub(crate) struct Pod {
    dir: Directory,
    spec: JobSpec,
    entrypoint: EntrypointOptions,
    sidecar: SidecarOptions,
    grace_period: Duration,
}

impl Pod {
    /// Makes the pod's directory and the options of its programs.
    pub(crate) fn lay_out(options: &Options, destination: &Destination) -> Result<Self, Problem> {
        let temp = std::env::temp_dir();
        let fail =
            |why: String| Problem::new(format!("cannot make a pod directory in {}: {why}", temp.display()));
        let dir = tempfile::Builder::new()
            .prefix(&format!("podutils-{}-", options.job))
            .tempdir()
            .map_err(|error| fail(error.to_string()))?;
        fs::create_dir(dir.path().join(LOGS)).map_err(|error| fail(error.to_string()))?;
        Self::new(Directory::Temporary(dir), options, destination)
    }

    /// Opens a directory that was kept, for a delivery.
    pub(crate) fn reopen(dir: &Path, options: &Options, destination: &Destination) -> Result<Self, Problem> {
        Self::new(Directory::Kept(dir.to_owned()), options, destination)
    }

    fn new(dir: Directory, options: &Options, destination: &Destination) -> Result<Self, Problem> {
        let logs = utf8_path(&dir.path().join(LOGS))
            .ok_or_else(|| Problem::new(format!("{}: the path is not UTF-8", dir.path().display())))?;
        let artifacts = format!("{logs}/artifacts");
        let entry = Entry {
            args: options.command.clone(),
            container_name: CONTAINER.to_owned(),
            process_log: format!("{logs}/process-log.txt"),
            marker_file: format!("{logs}/marker-file.txt"),
            metadata_file: format!("{artifacts}/metadata.json"),
        };
        let grace_period = options.grace_period.as_std() + DRAIN + options.upload_budget.as_std();
        let pod = Self {
            dir,
            spec: destination.spec.clone(),
            entrypoint: EntrypointOptions {
                timeout: options.timeout,
                grace_period: options.grace_period,
                artifact_dir: artifacts.clone(),
                entry: entry.clone(),
                supervision: supervision(options),
                ..EntrypointOptions::default()
            },
            sidecar: SidecarOptions {
                gcs_options: UploadOptions { items: vec![artifacts], ..destination.upload.clone() },
                entries: vec![entry],
                censoring_options: Some(secrets::options(&options.secrets, options.strict)),
                delivery: Some(DeliveryOptions {
                    fail_on_error: true,
                    grace_period: Some(GoDuration::from_std(grace_period)),
                    retry_for: Some(options.retry_for),
                    limits: (options.limits != LimitOptions::default()).then(|| options.limits.clone()),
                    // Beside a local result podutils puts one that it reads back.
                    report_page: destination.directory().is_none(),
                    ..DeliveryOptions::default()
                }),
                ..SidecarOptions::default()
            },
            grace_period,
        };
        pod.entrypoint.validate().map_err(|error| Problem::new(error.to_string()))?;
        pod.sidecar.validate().map_err(|error| Problem::new(error.to_string()))?;
        Ok(pod)
    }

    /// From the first signal to the kill, as `terminationGracePeriodSeconds`.
    pub(crate) fn grace_period(&self) -> Duration {
        self.grace_period
    }

    /// The path of the marker.
    pub(crate) fn marker(&self) -> &Path {
        Path::new(&self.entrypoint.entry.marker_file)
    }

    /// Returns whether entrypoint got as far as its lock or its marker; sidecar would
    /// wait for ever for one that did not.
    pub(crate) fn has_begun(&self) -> bool {
        self.marker().exists() || marker::lock_path(self.marker()).exists()
    }

    /// Entrypoint's report, if it left a readable one.
    pub(crate) fn report(&self) -> Option<report::Report> {
        // What is no report tells nothing; the marker has the code.
        report::read(self.marker()).ok().flatten()
    }

    /// The file that takes sidecar's stderr.
    pub(crate) fn sidecar_log(&self) -> PathBuf {
        self.dir.path().join("sidecar-stderr.txt")
    }

    /// The build's id.
    pub(crate) fn build_id(&self) -> &str {
        &self.spec.build_id
    }

    /// The pod's directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Entrypoint, with the environment of a test container; it writes to our
    /// own stdout and stderr.
    pub(crate) fn entrypoint_command(&self, programs: &Programs) -> Command {
        let mut command = session::command(&programs.entrypoint);
        command
            .envs(job_spec::environment(&self.spec))
            .env("ARTIFACTS", &self.entrypoint.artifact_dir)
            .env(entrypoint::options::VARIABLE, to_go_string(&self.entrypoint))
            .stdin(Stdio::null());
        command
    }

    /// Sidecar, with the environment of its container.
    pub(crate) fn sidecar_command(&self, programs: &Programs) -> std::io::Result<Command> {
        self.sidecar_with(programs, &self.sidecar, &self.sidecar_log())
    }

    /// Sidecar with another destination: a directory. Artifacts of more than `max_bytes` stay out.
    pub(crate) fn copy_command(
        &self,
        programs: &Programs,
        results: &Path,
        max_bytes: u64,
    ) -> std::io::Result<Command> {
        let mut options = self.sidecar.clone();
        if let Some(delivery) = &mut options.delivery {
            // Podutils makes the page of results that it keeps.
            delivery.report_page = false;
        }
        let mut items = std::mem::take(&mut options.gcs_options.items);
        items.retain(|item| has_at_most(Path::new(item), max_bytes));
        options.gcs_options = UploadOptions {
            items,
            local_output_dir: results.display().to_string(),
            path_strategy: options.gcs_options.path_strategy,
            ..UploadOptions::default()
        };
        self.sidecar_with(programs, &options, &self.path().join("results-stderr.txt"))
    }

    fn sidecar_with(
        &self,
        programs: &Programs,
        options: &SidecarOptions,
        log: &Path,
    ) -> std::io::Result<Command> {
        let mut command = session::command(&programs.sidecar);
        command
            .env(job_spec::VARIABLE, to_go_string(&self.spec))
            .env(sidecar::options::VARIABLE, to_go_string(options))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?);
        Ok(command)
    }

    /// Removes the pod's directory, or keeps it and says where it is.
    pub(crate) fn close(self, keep: bool) {
        let path = self.path().to_owned();
        let Directory::Temporary(dir) = self.dir else { return };
        if keep {
            terminal::line(&format!("the pod directory is kept: {}", dir.keep().display()));
        } else if let Err(error) = dir.close() {
            terminal::line(&format!("cannot remove {}: {error}", path.display()));
        }
    }
}

/// Returns whether the files below a directory have at most so many bytes, and are not too many to
/// be looked at.
fn has_at_most(directory: &Path, max_bytes: u64) -> bool {
    let (mut bytes, mut files) = (0_u64, 0_u32);
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        // What cannot be listed cannot be copied either.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                open.push(entry.path());
            }
            bytes = bytes.saturating_add(if meta.is_file() { meta.len() } else { 0 });
            files += 1;
            if bytes > max_bytes || files > MAX_COPIED_FILES {
                return false;
            }
        }
    }
    true
}

/// Supervision with which most reports survive, and records for people. Nobody reads a
/// termination message here unless its file is given.
fn supervision(options: &Options) -> SupervisionOptions {
    let reports = SupervisionOptions::with_reports(options.grace_period);
    SupervisionOptions {
        interrupt: options.interrupt.unwrap_or(reports.interrupt),
        record_format: RecordFormat::Plain,
        termination_message_path: options.termination_message.clone(),
        timestamps: options.timestamps,
        escalation: if options.escalation.is_empty() {
            reports.escalation
        } else {
            options.escalation.clone()
        },
        ..reports
    }
}
