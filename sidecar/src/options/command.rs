//! The command line: upstream's flags, and one for every option they lack.

use super::SidecarOptions;
use clap::{Arg, Command};
use common::options::{args, flag};

common::options! {
    /// The job, as far as flags name it. `JOB_SPEC` gives the rest, or everything.
    pub struct JobFlags {
        /// The job's name, instead of that in `JOB_SPEC`.
        pub job: Option<String> = flag("job").no_key().value("NAME"),
        /// `presubmit`, `postsubmit`, `periodic` or `batch`, instead of the type in `JOB_SPEC`.
        pub job_type: Option<String> = flag("job-type").no_key().value("TYPE"),
        /// The build id, instead of that in `JOB_SPEC`.
        pub build_id: Option<String> = flag("build-id").no_key().value("ID"),
    }
}

impl JobFlags {
    /// Reports whether no flag was given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

const AFTER_HELP: &str = "\
Environment:
  SIDECAR_OPTIONS  all options as JSON; when it is set the command line is ignored
  JOB_SPEC         the job as JSON; --job, --job-type and --build-id stand in for it
  AWS_…, GOOGLE_…  credentials and settings when no credentials file is given
Under the name initupload or gcsupload, or with one of them as first argument, this is that program.

Exit status: 0, also when a test or an upload failed; 1 with --entry-error or --fail-on-error when one
did, and for options that cannot work; 2 for a wrong flag.

Examples:
  sidecar --local-output-dir=/out --dry-run=false \\
    --entry='{\"process_log\":\"/logs/log\",\"marker_file\":\"/logs/marker\"}' /logs/artifacts
  sidecar --bucket=s3://ci-results --dry-run=false --job=nightly --job-type=periodic --build-id=7 \\
    --secret-directory=/secrets --entry='{…}' /logs/artifacts";

/// The command line of sidecar.
pub fn command() -> Command {
    Command::new("sidecar")
        .version(common::version::VERSION)
        .about("Waits for the marker files of a CI pod and delivers logs, artifacts and the result.")
        .after_help(AFTER_HELP)
        .args(args(&SidecarOptions::default()))
        .args(job_flags())
}

/// The flags that stand in for `JOB_SPEC`.
pub(crate) fn job_flags() -> impl Iterator<Item = Arg> {
    args(&JobFlags::default()).into_iter().map(|flag| flag.help_heading("Job"))
}

#[cfg(test)]
mod tests {
    use super::super::{LoadError, Loaded, load};
    use common::duration::GoDuration;
    use std::ffi::OsString;

    fn loaded(args: &[&str]) -> Result<Loaded, LoadError> {
        load(args.iter().map(OsString::from))
    }

    #[test]
    fn o_6_flags_have_their_own_defaults() {
        let options = loaded(&[]).expect("loaded").options;
        assert!(options.gcs_options.dry_run);
        assert_eq!(options.gcs_options.path_strategy, "explicit");
        assert_eq!(options.censoring_options, None);
        assert_eq!(options.delivery, None);
    }

    #[test]
    fn o_90_gcs_path_gives_bucket_and_prefix() {
        let options = loaded(&["--gcs-path=gs://bucket/some/prefix"]).expect("loaded").options;
        assert_eq!(options.gcs_options.bucket, "bucket");
        assert_eq!(options.gcs_options.path_prefix, "some/prefix");
        let options = loaded(&["--gcs-path=file:///x"]).expect("loaded").options;
        assert_eq!(options.gcs_options.bucket, "");
        for bad in ["s3://b/p", "gs://b:80/p", "gs://u@b/p", "gs://b/p?q", "gs://b/p#f", "gs:b"] {
            let Err(LoadError::Flags(error)) = loaded(&["--gcs-path", bad]) else { panic!("{bad}") };
            assert_eq!(error.exit_status(), 2, "{bad}");
        }
    }

    #[test]
    fn every_option_can_be_a_flag() {
        let loaded = loaded(&[
            r#"--entry={"process_log":"p","marker_file":"m"}"#,
            "-wrapper-options",
            r#"{"process_log":"q","marker_file":"n"}"#,
            "--entry-error",
            "--ignore-interrupts=true",
            "--dry-run=false",
            "--bucket=s3://b",
            "--path-prefix=x",
            "--media-type=log:text/plain",
            "--media-type=a:b/c",
            "--compress-file-type=txt",
            "--secret-directory=/s",
            "--minimum-secret-length=3",
            "--memory=33554432",
            "--delivery-grace-period=30s",
            "--job=j",
            "--job-type=periodic",
            "--build-id=7",
            "--item=/a",
            "/b",
            "--c",
        ])
        .expect("loaded");
        let options = loaded.options;
        assert_eq!(options.validate(), Ok(()));
        let markers: Vec<_> = options.all_entries().map(|entry| entry.marker_file.as_str()).collect();
        assert_eq!(markers, ["n", "m"]);
        assert!(options.entry_error && options.ignore_interrupts && !options.gcs_options.dry_run);
        assert_eq!(options.gcs_options.items, ["/a", "/b", "--c"]);
        assert_eq!(options.gcs_options.media_types.len(), 2);
        assert_eq!(options.gcs_options.compress_file_types, ["txt"]);
        let censoring = options.censoring_options.expect("on");
        assert_eq!(
            (censoring.secret_directories, censoring.minimum_secret_length),
            (vec!["/s".to_owned()], Some(3))
        );
        assert_eq!(options.delivery.expect("given").grace_period, Some(GoDuration::from_secs(30)));
        assert_eq!(loaded.job.job_type.as_deref(), Some("periodic"));
    }

    #[test]
    fn a_bad_entry_is_one_line() {
        let error = loaded(&["--entry={\"marker\":\"m\"}"]).expect_err("refused").to_string();
        assert!(error.contains("--entry") && error.contains("marker_file"), "{error}");
        assert!(!error.contains('\n'));
        assert!(matches!(loaded(&["--media-type=log"]), Err(LoadError::Flags(_))), "O-91 without the crash");
    }
}
