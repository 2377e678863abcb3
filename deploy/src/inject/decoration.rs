//! The parameters of a decoration: data only, made by [`super::options`] from the
//! command line and read by everything that decorates.

use super::azure::Azure;
use super::collector::Collector;
use super::overlay::Overlays;
use super::resources::Resources;
use crate::terminal::Problem;
use common::duration::GoDuration;
use common::job_spec::JobSpec;
use common::signal::Signal;
use entrypoint::supervise::Interrupt;
use sidecar::destination::Destination;
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
    pub(super) collector: Collector,
    pub(super) images: Images,
    /// Use an image volume for the tools.
    pub(super) image_volume: bool,
    /// The containers to wrap; all when there is none.
    pub(super) containers: Vec<String>,
    /// Each container waits for the one before it.
    pub(super) in_order: bool,
    pub(super) native: bool,
    /// Put a page beside the result.
    pub(super) report_page: bool,
    pub(super) initupload: bool,
    pub(super) timeout: GoDuration,
    pub(super) grace_period: GoDuration,
    /// Signals that commands get when interrupted; the defaults' if not said.
    pub(super) interrupt: Option<Interrupt>,
    /// More signals that stop a container.
    pub(super) stop_signals: Vec<Signal>,
    pub(super) upload_budget: Option<GoDuration>,
    /// Time after which a container that never starts is given up.
    pub(super) start_timeout: GoDuration,
    pub(super) ignore_interrupts: bool,
    pub(super) propagate_error_code: bool,
    pub(super) censor: bool,
    /// More paths in containers whose files are secrets.
    pub(super) secrets: Vec<String>,
    pub(super) run_as: RunAs,
    pub(super) home: Home,
    pub(super) resources: Resources,
    /// Options of the programs that the command line names one by one.
    pub(super) overlays: Overlays,
    /// Nobody said where the build id comes from.
    pub(super) build_is_default: bool,
}

/// The source of the build id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Build {
    /// It is in the job.
    Fixed,
    /// A field of the pod, by the downward API.
    Field(String),
    /// The time of the decoration in nanoseconds.
    Time,
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

/// The home directory of wrapped containers that name none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Home {
    /// An empty directory where the user was given by us: the image's own is
    /// another user's.
    #[default]
    WithUser,
    /// An empty directory at this path for all of them.
    At(String),
    /// The image's own.
    Image,
}

/// The path of that directory unless it is named.
const DEFAULT_HOME: &str = "/home/pod-utils";

impl Home {
    /// Returns the path of the home directory of a container whose own user is
    /// `known`, if it gets one.
    pub(super) fn of(&self, known: Option<i64>, given: Option<i64>) -> Option<&str> {
        match self {
            Self::WithUser if known.is_none() && given.is_some_and(|user| user != 0) => Some(DEFAULT_HOME),
            Self::WithUser | Self::Image => None,
            Self::At(path) => Some(path),
        }
    }
}

impl Decoration {
    /// Returns lines about defaults that may not be meant.
    pub(super) fn doubts(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.build_is_default && matches!(self.build, Build::Field(_)) {
            lines.push(
                "warning: the build id is the pod's metadata.uid, which is no number: Prow's Deck cannot show such a job's \
                 history; --build-id-from time gives bare pods a number, and --build-id-from metadata.uid ends this warning"
                    .to_owned(),
            );
        }
        if let Out::Bucket(bucket) = &self.out {
            // It was parsed when the options were.
            let untidy = Destination::parse(bucket).ok().and_then(|destination| destination.untidy_prefix());
            lines.extend(untidy.map(|text| format!("warning: --out {bucket}: {text}")));
        }
        if let Out::Directory(path) | Out::Folders(path) = &self.out {
            lines.push(format!(
                "warning: {path} is a directory of the node (hostPath): Pod Security admits the pod at the level privileged only"
            ));
        }
        lines
    }
}
