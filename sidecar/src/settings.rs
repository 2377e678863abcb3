//! The meaning of the options together with the job: resolved once, then never
//! checked again.

use crate::censor::{CensoringOptions, Globs};
use crate::destination::{Credentials, Destination, key_refusal};
use crate::layout::paths::{FINISHED, ObjectPaths, build_log_names};
use crate::options::{DeliveryOptions, JobFlags, OptionError, SidecarOptions, UploadOptions};
use common::entry::Entry;
use common::job_spec::{JobSpec, JobSpecError, JobType};
use common::json::Notes;
use common::paths::{PathStrategy, clean};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that is fixed at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The entries, in the order of the options.
    pub entries: Vec<Entry>,
    /// The names of their build logs.
    pub build_logs: Vec<String>,
    /// The upload options as given.
    pub upload: UploadOptions,
    /// The destination; `None` in a dry run without a bucket.
    pub destination: Option<Destination>,
    /// The destination's credentials.
    pub credentials: Credentials,
    /// The objects' keys.
    pub paths: ObjectPaths,
    /// The job, where it is known.
    pub job: Option<JobSpec>,
    /// The revision under test.
    pub revision: String,
    /// The censoring options; `None` when nothing is censored.
    pub censoring: Option<CensoringOptions>,
    /// The delivery options.
    pub delivery: DeliveryOptions,
    /// Exits with status 1 when an entry failed.
    pub entry_error: bool,
    /// Keeps waiting for markers after an interrupt.
    pub ignore_interrupts: bool,
    /// The options use the deprecated single entry.
    pub deprecated_entry: bool,
    /// The test's grace period, as the job's decoration says.
    pub test_grace_period: Option<Duration>,
    /// The pod's grace period as Prow derives it from the test's, for use where the
    /// options give none.
    pub pod_grace_period: Option<Duration>,
    /// Globs of test reports among the items' files; `None` where none are read.
    pub test_reports: Option<Arc<Globs>>,
    /// The names that items may take at the upload path.
    pub item_names: ItemNames,
}

/// The names that items may take at the upload path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemNames {
    /// All but those of the objects that sidecar and initupload make.
    Unreserved,
    /// All: the program makes no objects there.
    Any,
}

/// The job in the environment: `JOB_SPEC`, parsed.
pub type JobEnvironment = Result<(JobSpec, Notes), JobSpecError>;

impl Settings {
    /// Checks the options and resolves them.
    pub fn new(
        options: SidecarOptions,
        job: &JobFlags,
        environment: JobEnvironment,
    ) -> Result<Self, OptionError> {
        options.validate()?;
        let censoring = options.censoring()?;
        let delivery = options.delivery();
        let deprecated_entry = options.wrapper_options.is_some();
        let entries: Vec<Entry> = options.all_entries().cloned().collect();
        let upload = options.gcs_options;
        let local = !upload.local_output_dir.is_empty();
        let spec =
            if local { environment.ok().map(|(spec, _)| spec) } else { Some(job_spec(job, environment)?) };
        let test_grace_period = spec.as_ref().and_then(test_grace_period);
        Ok(Self {
            test_grace_period,
            pod_grace_period: test_grace_period.map(pod_grace_period),
            build_logs: build_log_names(&entries),
            entries,
            test_reports: test_reports(&delivery),
            delivery,
            entry_error: options.entry_error,
            ignore_interrupts: options.ignore_interrupts,
            deprecated_entry,
            item_names: ItemNames::Unreserved,
            ..Self::of_upload(upload, censoring, spec.as_ref())?
        })
    }

    /// Resolves the checked options of a program that only uploads. A local
    /// directory needs no job.
    pub fn of_upload(
        mut upload: UploadOptions,
        censoring: Option<CensoringOptions>,
        spec: Option<&JobSpec>,
    ) -> Result<Self, OptionError> {
        let local = !upload.local_output_dir.is_empty();
        // An empty item stays one that does not exist.
        for item in upload.items.iter_mut().filter(|item| !item.is_empty()) {
            *item = clean(item);
        }
        let destination = destination(&upload)?;
        let paths = match (spec, local) {
            (Some(spec), false) => object_paths(&upload, spec)?,
            (Some(_) | None, _) => ObjectPaths::default(),
        };
        check_keys(destination.as_ref(), &paths)?;
        Ok(Self {
            build_logs: Vec::new(),
            entries: Vec::new(),
            destination,
            credentials: Credentials {
                gcs_credentials_file: file(&upload.gcs_credentials_file),
                s3_credentials_file: file(&upload.s3_credentials_file),
            },
            paths,
            job: spec.cloned(),
            revision: spec.map(JobSpec::revision).unwrap_or_default().to_owned(),
            upload,
            censoring,
            delivery: DeliveryOptions::default(),
            entry_error: false,
            ignore_interrupts: false,
            deprecated_entry: false,
            test_grace_period: None,
            pod_grace_period: None,
            test_reports: None,
            item_names: ItemNames::Any,
        })
    }
}

/// A glob without a slash is a file's name in any directory.
fn test_reports(delivery: &DeliveryOptions) -> Option<Arc<Globs>> {
    let globs = delivery.test_reports();
    let anywhere = |glob: &String| if glob.contains('/') { glob.clone() } else { format!("**/{glob}") };
    let globs: Vec<_> = globs.iter().map(anywhere).collect();
    (!globs.is_empty()).then(|| Arc::new(Globs::new(&globs, &[])))
}

fn test_grace_period(spec: &JobSpec) -> Option<Duration> {
    let time = spec.decoration_config.as_ref()?.grace_period?;
    (time.as_nanos() > 0).then(|| time.as_std())
}

/// Returns `terminationGracePeriodSeconds` as Prow sets it: five quarters of the test's
/// grace period, in whole seconds (P-18).
fn pod_grace_period(test: Duration) -> Duration {
    Duration::from_secs(test.as_secs().saturating_mul(5) / 4)
}

fn file(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn destination(upload: &UploadOptions) -> Result<Option<Destination>, OptionError> {
    let parsed = if !upload.local_output_dir.is_empty() {
        Destination::local_dir(&upload.local_output_dir)
    } else if upload.bucket.is_empty() {
        return Ok(None);
    } else {
        Destination::parse(&upload.bucket)
    };
    let destination = parsed.map_err(|error| OptionError::from_text(error.to_string()))?;
    if let Some(warning) = destination.untidy_prefix() {
        tracing::warn!("{warning}");
    }
    Ok(Some(destination.tidy()))
}

/// Checks that the destination can hold the result and the pointers: what is wrong with their
/// keys is wrong with all of them.
fn check_keys(destination: Option<&Destination>, paths: &ObjectPaths) -> Result<(), OptionError> {
    let pointers = paths.alias.iter().chain(&paths.latest_build).map(|pointer| pointer.key.clone());
    for key in std::iter::once(paths.key(FINISHED)).chain(pointers) {
        let refusal = destination.map_or_else(|| key_refusal(&key), |to| to.key_refusal(&key));
        if let Some(reason) = refusal {
            let text = format!(
                "the key {key:?} cannot be stored: {reason}; it is made of bucket, path_prefix, the job and sub_dir"
            );
            return Err(OptionError::from_text(text));
        }
    }
    Ok(())
}

/// Checks where the objects of a job would go, without a word about what can be put right.
pub fn check_upload(upload: &UploadOptions, spec: &JobSpec) -> Result<(), OptionError> {
    upload.validate()?;
    Settings::of_upload(upload.clone(), None, Some(spec)).map(drop)
}

fn object_paths(upload: &UploadOptions, spec: &JobSpec) -> Result<ObjectPaths, OptionError> {
    let strategy = PathStrategy::new(&upload.path_strategy, &upload.default_org, &upload.default_repo)
        .map_err(|error| OptionError::from_text(error.to_string()))?;
    ObjectPaths::new(upload, spec, &strategy).map_err(|error| OptionError::from_text(error.to_string()))
}

/// Returns the job of `JOB_SPEC`, with the flags in place of its members. All
/// three flags together need no `JOB_SPEC`.
pub fn job_spec(job: &JobFlags, environment: JobEnvironment) -> Result<JobSpec, OptionError> {
    let complete = job.job.is_some() && job.job_type.is_some() && job.build_id.is_some();
    let mut spec = match environment {
        Ok((spec, _)) => spec,
        Err(JobSpecError::Unset) if complete => JobSpec::default(),
        Err(JobSpecError::Unset) if !job.is_empty() => {
            return Err(OptionError::from_text(
                "JOB_SPEC is not set; without it --job, --job-type and --build-id are all needed",
            ));
        }
        Err(error @ (JobSpecError::Unset | JobSpecError::Malformed(_))) => {
            return Err(OptionError::from_text(error.to_string()));
        }
    };
    spec.job = job.job.clone().unwrap_or(spec.job);
    spec.build_id = job.build_id.clone().unwrap_or(spec.build_id);
    if let Some(job_type) = &job.job_type {
        spec.job_type = JobType::from(job_type.as_str());
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(upload: &str) -> SidecarOptions {
        let text =
            format!(r#"{{"entries":[{{"process_log":"p","marker_file":"m"}}],"gcs_options":{upload}}}"#);
        let mut options = SidecarOptions::default();
        common::json::decode(&mut options, &text).expect("decodes");
        options
    }

    const BUCKET: &str = r#"{"bucket":"b","path_strategy":"explicit"}"#;
    const LOCAL: &str = r#"{"local_output_dir":"/out","items":["/a"]}"#;
    const SPEC: &str = r#"{"type":"periodic","job":"j","buildid":"7","extra_refs":[{"org":"o","repo":"r","base_ref":"main"}]}"#;

    fn settings(upload: &str, job: &JobFlags, environment: JobEnvironment) -> Result<Settings, String> {
        Settings::new(options(upload), job, environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_job_gives_paths_and_revision() {
        let settings = settings(BUCKET, &JobFlags::default(), JobSpec::parse(SPEC)).expect("valid");
        assert_eq!(settings.paths.upload, "logs/j/7");
        assert_eq!(settings.revision, "main");
        assert_eq!(settings.build_logs, ["build-log.txt"]);
    }

    #[test]
    fn rule_3_9_a_missing_or_malformed_job_is_an_error_except_locally() {
        let none = JobFlags::default();
        let unset = || Err(JobSpecError::Unset);
        assert!(settings(BUCKET, &none, unset()).expect_err("refused").contains("JOB_SPEC"));
        assert!(settings(BUCKET, &none, JobSpec::parse("{")).expect_err("refused").contains("JOB_SPEC"));
        assert!(settings(BUCKET, &none, JobSpec::parse("{}")).expect_err("refused").contains("type"));
        for environment in [unset(), JobSpec::parse("{"), JobSpec::parse("{}")] {
            let settings = settings(LOCAL, &none, environment).expect("valid");
            assert_eq!(settings.paths, ObjectPaths::default(), "V-GT-5: no path, no alias, no latest build");
        }
    }

    #[test]
    fn keys_that_no_destination_can_hold_are_errors() {
        let none = JobFlags::default();
        let refused = |upload: &str, spec: &str| {
            let error = settings(upload, &none, JobSpec::parse(spec)).expect_err(upload);
            assert!(error.contains("cannot be stored") && error.lines().count() == 1, "{error}");
        };
        let with = |bucket: &str, more: &str| {
            format!(r#"{{"bucket":"{bucket}","path_strategy":"explicit",{more}}}"#)
        };
        for bucket in ["b", "s3://b/p", "az://c", "file:///out"] {
            for more in [r#""path_prefix":"../up""#, r#""sub_dir":"../../../../up""#] {
                refused(&with(bucket, more), SPEC);
            }
            let job = SPEC.replace(r#""job":"j""#, r#""job":"../../..""#);
            refused(&with(bucket, r#""sub_dir":"""#), &job);
        }
        refused(&with("b", r#""path_prefix":"pre\n""#), SPEC);
        refused(&with("b", &format!(r#""path_prefix":"{}""#, "x".repeat(1_030))), SPEC);
        refused(&with("b", r#""sub_dir":"""#), &SPEC.replace(r#""job":"j""#, r#""job":"j\n""#));
        assert!(settings(&with("b", r#""path_prefix":"a/../c""#), &none, JobSpec::parse(SPEC)).is_ok());
        // Nothing but the job's own names is put there.
        let local = r#"{"local_output_dir":"/out","path_prefix":"../up"}"#;
        assert!(settings(local, &none, JobSpec::parse(SPEC)).is_ok());
    }

    #[test]
    fn flags_name_the_job_or_parts_of_it() {
        let flag = |text: &str| Some(text.to_owned());
        let all = JobFlags { job: flag("k"), job_type: flag("periodic"), build_id: flag("8") };
        let alone = settings(BUCKET, &all, Err(JobSpecError::Unset)).expect("valid");
        assert_eq!(alone.paths.upload, "logs/k/8");
        let part = JobFlags { build_id: flag("9"), ..JobFlags::default() };
        let both = settings(BUCKET, &part, JobSpec::parse(SPEC)).expect("valid");
        assert_eq!(both.paths.upload, "logs/j/9");
        assert!(
            settings(BUCKET, &part, Err(JobSpecError::Unset)).expect_err("refused").contains("--job-type")
        );
    }

    #[test]
    fn a_dry_run_needs_no_bucket() {
        let upload = r#"{"dry_run":true,"path_strategy":"explicit"}"#;
        let settings = settings(upload, &JobFlags::default(), JobSpec::parse(SPEC)).expect("valid");
        assert_eq!(settings.destination, None);
    }
}
