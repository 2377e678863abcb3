//! The parameters of a decoration: data only, made by [`super::options`] from the
//! command line and read by everything that decorates.

use super::azure::Azure;
use crate::terminal::Problem;
use common::duration::GoDuration;
use common::job_spec::JobSpec;
use common::signal::Signal;
use entrypoint::supervise::Interrupt;
use sidecar::options::UploadOptions;
use std::collections::BTreeMap;

/// The parameters of a decoration.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that stands alone")]
pub(super) struct Decoration {
    /// The job; its name is empty when each object's own name is meant.
    pub(super) job: JobSpec,
    pub(super) build: Build,
    pub(super) out: Out,
    /// The options of both uploading programs, without credentials and destination.
    pub(super) upload: UploadOptions,
    pub(super) gcs_secret: Option<String>,
    pub(super) s3_secret: Option<String>,
    pub(super) azure: Azure,
    pub(super) images: Images,
    /// Use an image volume for the tools.
    pub(super) image_volume: bool,
    /// The containers to wrap; all when there is none.
    pub(super) containers: Vec<String>,
    /// Each container waits for the one before it.
    pub(super) in_order: bool,
    pub(super) native: bool,
    pub(super) initupload: bool,
    pub(super) timeout: GoDuration,
    pub(super) grace_period: GoDuration,
    /// Signals that commands get when interrupted; the defaults' if not said.
    pub(super) interrupt: Option<Interrupt>,
    /// More signals that stop a container.
    pub(super) stop_signals: Vec<Signal>,
    pub(super) upload_budget: Option<GoDuration>,
    pub(super) ignore_interrupts: bool,
    pub(super) propagate_error_code: bool,
    pub(super) censor: bool,
    /// More paths in containers whose files are secrets.
    pub(super) secrets: Vec<String>,
    pub(super) run_as: RunAs,
}

/// The source of the build id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Build {
    /// It is in the job.
    Fixed,
    /// A field of the pod, by the downward API.
    Field(String),
}

/// The destination of the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// A bucket with its scheme.
    Bucket(String),
    /// A directory of the node, for one run.
    Directory(String),
    /// A directory of the node, with a folder for each job and build id below it.
    Folders(String),
}

/// The user of the test and of our programs where the pod names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunAs {
    User(i64),
    /// Whoever the image says; our programs run as root.
    Image,
}

/// The images of our programs.
#[derive(Clone, Debug, Default)]
pub(super) struct Images {
    pub(super) prefix: Option<String>,
    pub(super) tag: String,
    pub(super) each: BTreeMap<String, String>,
}

impl Images {
    /// The image of a program.
    pub(super) fn of(&self, program: &str) -> Result<String, Problem> {
        if let Some(image) = self.each.get(program) {
            return Ok(image.clone());
        }
        let prefix = self.prefix.as_ref().ok_or_else(|| {
            Problem::new(format!(
                "no image for {program}; allowed is --image-prefix PREFIX or --image {program}=IMAGE"
            ))
        })?;
        Ok(format!("{}/{program}:{}", prefix.trim_end_matches('/'), self.tag))
    }
}
