//! The parts that initupload and gcsupload share: the job of an upload, and its exit
//! status.

use crate::censor::CensoringOptions;
use crate::io::driver::Undelivered;
use crate::io::store::check_settings;
use crate::options::{JobFlags, OptionError, UploadOptions};
use crate::settings::{self, Settings};
use common::codes;
use common::job_spec::JobSpec;
use common::paths::{self, PathStrategy};

/// A job with the settings of its upload.
#[derive(Clone, Debug)]
pub(crate) struct UploadJob {
    /// The job.
    pub(crate) spec: JobSpec,
    /// The settings of its upload.
    pub(crate) settings: Settings,
}

impl UploadJob {
    /// Checks the options, then reads the job (O-7), which a local directory needs
    /// too (U-24).
    pub(crate) fn new(
        upload: UploadOptions,
        censoring: Option<CensoringOptions>,
        job: &JobFlags,
    ) -> Result<Self, OptionError> {
        upload.validate()?;
        let spec = settings::job_spec(job, JobSpec::from_env())?;
        if !upload.local_output_dir.is_empty() {
            paths::job_path(&spec, &PathStrategy::Explicit)
                .map_err(|error| OptionError::from_text(error.to_string()))?;
        }
        let settings = Settings::of_upload(upload, censoring, Some(&spec))?;
        check_settings(&settings).map_err(|error| OptionError::from_text(error.to_string()))?;
        Ok(Self { spec, settings })
    }
}

/// Returns the exit status of an upload (U-67), and logs its failure.
pub(crate) fn status(sent: Result<(), Undelivered>) -> u8 {
    match sent {
        Ok(()) => codes::exit_status(codes::SUCCESS),
        Err(error) => {
            common::fatal!(error = %error, "Failed to upload");
            codes::EXIT_FAILURE
        }
    }
}
