//! `INITUPLOAD_OPTIONS`, or the command line (contract 1.6).

use crate::censor::CensoringOptions;
use crate::options::command::job_flags;
use crate::options::{LoadError, Loaded, OptionError, UploadOptions, load_from};
use clap::Command;
use common::options::{args, flag, inline, object};
use std::ffi::OsString;

/// The environment variable that holds the options.
pub const VARIABLE: &str = "INITUPLOAD_OPTIONS";

common::options! {
    /// The options of initupload.
    pub struct InitUploadOptions {
        /// The source and destination of the upload, at the top level.
        pub upload: UploadOptions = inline("Upload"),
        /// Masks secrets in clone logs and items; its presence is enough. Upstream's initupload does not
        /// have it, and ignores it.
        pub censoring_options: Option<CensoringOptions> = object("Censoring").switch("censor")
            .default(|| "nothing is censored".to_owned()),
        /// The file with the clone records, as clonerefs writes them.
        pub log: String = flag("clone-log").value("FILE").default(|| "nothing was cloned".to_owned()),
    }
}

impl InitUploadOptions {
    /// Checks the options; `log` may be empty (O-50).
    pub fn validate(&self) -> Result<(), OptionError> {
        self.upload.validate()
    }
}

const AFTER_HELP: &str = "\
When INITUPLOAD_OPTIONS is set, it holds all options as JSON and the command line is ignored.
JOB_SPEC holds the job as JSON; the flags --job, --job-type and --build-id stand in for it.

Exit status: 0 when everything is uploaded; 1 when a clone failed, when an object could not be
uploaded, or when the options, JOB_SPEC or the clone log cannot be used; 2 for a wrong flag.

Censoring: \"censoring_options\" in INITUPLOAD_OPTIONS (or --censor, --secret-directory, …) masks
secrets in clone-log.txt, clone-records.json, build-log.txt, started.json, the items and the
records on stderr, by the rules of sidecar's option of the same name.

Example: initupload --dry-run=false --gcs-path=gs://bucket --clone-log=/logs/clone.json";

/// The command line of initupload.
pub fn command() -> Command {
    Command::new("initupload")
        .version(common::version::VERSION)
        .about("Says at a destination that a job has started: uploads started.json and what was cloned.")
        .after_help(AFTER_HELP)
        .args(args(&InitUploadOptions::default()))
        .args(job_flags())
}

/// Loads the options from the environment, else from `args` (without the
/// program's name).
pub(super) fn load(args: impl IntoIterator<Item = OsString>) -> Result<Loaded<InitUploadOptions>, LoadError> {
    load_from(VARIABLE, args, command, |options| &mut options.upload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> InitUploadOptions {
        let mut options = InitUploadOptions::default();
        let notes = common::json::decode(&mut options, text).expect("decodes");
        assert!(notes.is_empty(), "{notes:?}");
        options
    }

    fn flags(args: &[&str]) -> Loaded<InitUploadOptions> {
        load(args.iter().map(OsString::from)).expect("loaded")
    }

    #[test]
    fn vectors_v_iv() {
        let v_iv_1 = decoded(r#"{"log":"/logs/clone.json","dry_run":true,"path_strategy":"explicit"}"#);
        assert_eq!(v_iv_1.validate(), Ok(()), "V-IV-1");
        let v_iv_2 = decoded(r#"{"dry_run":true,"path_strategy":"explicit"}"#);
        assert_eq!(v_iv_2.validate(), Ok(()), "V-IV-2");
        let error = decoded(r#"{"bucket":"b","path_strategy":"whatever"}"#).validate().expect_err("refused");
        assert!(error.to_string().starts_with("path_strategy \"whatever\""), "{error}");
    }

    #[test]
    fn vector_v_io_1() {
        const TEXT: &str = r#"{"bucket":"prow-artifacts","path_strategy":"explicit","gcs_credentials_file":"/secrets/gcs/service-account.json","dry_run":false,"log":"/logs/clone.json"}"#;
        let expected = InitUploadOptions {
            upload: UploadOptions {
                bucket: "prow-artifacts".to_owned(),
                path_strategy: "explicit".to_owned(),
                gcs_credentials_file: "/secrets/gcs/service-account.json".to_owned(),
                ..UploadOptions::default()
            },
            log: "/logs/clone.json".to_owned(),
            censoring_options: None,
        };
        assert_eq!(decoded(TEXT), expected);
        assert_eq!(common::json::to_go_string(&expected), TEXT, "O-50: log comes last");
    }

    #[test]
    fn censoring_is_an_addition() {
        let text = r#"{"dry_run":false,"censoring_options":{"secret_directories":["/s"]},"log":"l"}"#;
        assert_eq!(common::json::to_go_string(&decoded(text)), text);
        assert_eq!(flags(&[]).options.censoring_options, None);
        let censoring = flags(&["--secret-directory=/s"]).options.censoring_options.expect("on");
        assert_eq!(censoring.secret_directories, ["/s"]);
    }

    #[test]
    fn o_93_flags() {
        let Loaded { options, job, .. } =
            flags(&["-clone-log", "/l", "--dry-run=false", "--gcs-path=gs://b/p", "--job=j", "/item"]);
        assert_eq!((options.log.as_str(), options.upload.bucket.as_str()), ("/l", "b"));
        assert_eq!((options.upload.items, options.upload.dry_run), (vec!["/item".to_owned()], false));
        assert_eq!(job.job.as_deref(), Some("j"));
        assert!(flags(&[]).options.upload.dry_run, "O-6: flags have their own defaults");
    }
}
