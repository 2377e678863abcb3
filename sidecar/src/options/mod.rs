//! Sidecar's options from `SIDECAR_OPTIONS` or the command line (contract section 1).
//!
//! The environment's JSON wins over flags. Decoding gives [`SidecarOptions`];
//! [`SidecarOptions::validate`] says in one line what is wrong with them.
//! Their meaning together with the job is in [`crate::settings`].

mod censoring;
pub(crate) mod command;
mod delivery;
mod error;
mod limits;
mod media_type;
mod upload;

pub use censoring::DeprecatedCensoring;
pub use command::{JobFlags, command};
pub use delivery::{DEFAULT_MEMORY, DeliveryOptions, MIN_MEMORY};
pub use error::{LoadError, OptionError};
pub use limits::LimitOptions;
pub use upload::{GcsPath, UploadOptions};

use crate::censor::CensoringOptions;
use clap::Command;
use common::entry::Entry;
use common::json::Notes;
use common::options::{Options, flag, inline, json_flag, object};
use std::ffi::OsString;

/// The environment variable that holds the options.
pub const VARIABLE: &str = "SIDECAR_OPTIONS";

common::options! {
    /// The options of sidecar.
    pub struct SidecarOptions {
        /// The source and destination of the upload.
        pub gcs_options: UploadOptions = object("Upload").always(),
        /// The deprecated single entry; it comes before all others.
        pub wrapper_options: Option<Entry> = json_flag("wrapper-options"),
        /// An entry to wait for: `args`, `container_name`, `process_log`, `marker_file`, `metadata_file`; at least
        /// one is required.
        pub entries: Vec<Entry> = json_flag("entry"),
        /// Exits with 1 when an entry failed.
        pub entry_error: bool = flag("entry-error"),
        /// Keeps waiting for markers when told to stop; otherwise uploads at once.
        pub ignore_interrupts: bool = flag("ignore-interrupts"),
        /// Accepted without effect.
        pub write_memory_profile: bool = flag("write-memory-profile"),
        /// Masks secrets in everything that is delivered; its presence is enough.
        pub censoring_options: Option<CensoringOptions> = object("Censoring").switch("censor")
            .default(|| "nothing is censored".to_owned()),
        /// The deprecated form of `censoring_options`.
        pub deprecated: DeprecatedCensoring = inline(""),
        /// Options that upstream does not have.
        pub delivery: Option<DeliveryOptions> = object("Delivery"),
    }
}

/// Options as they were found, with what is to be said about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded<T = SidecarOptions> {
    /// The options.
    pub options: T,
    /// The job, as far as flags name it.
    pub job: JobFlags,
    /// Unknown keys that were met.
    pub notes: Notes,
}

/// Loads the options from the environment, else from `args` (without the
/// program's name).
pub fn load(args: impl IntoIterator<Item = OsString>) -> Result<Loaded, LoadError> {
    load_from(VARIABLE, args, command, |options| &mut options.gcs_options)
}

/// Loads a program's options from its environment variable, else from `args`.
pub(crate) fn load_from<T: Options + Default>(
    variable: &'static str,
    args: impl IntoIterator<Item = OsString>,
    command: fn() -> Command,
    upload: fn(&mut T) -> &mut UploadOptions,
) -> Result<Loaded<T>, LoadError> {
    let (mut options, mut job) = (T::default(), JobFlags::default());
    let notes = common::options::load(variable, args, command, &mut options, &mut [&mut job])?;
    upload(&mut options).resolve_gcs_path();
    Ok(Loaded { options, job, notes })
}

impl SidecarOptions {
    /// All entries in the order that counts everywhere (O-63).
    pub fn all_entries(&self) -> impl Iterator<Item = &Entry> {
        self.wrapper_options.iter().chain(&self.entries)
    }

    /// Rules of censoring; `None` when nothing is censored.
    pub fn censoring(&self) -> Result<Option<CensoringOptions>, OptionError> {
        self.deprecated.merged_into(self.censoring_options.as_ref())
    }

    /// How delivery behaves.
    pub fn delivery(&self) -> DeliveryOptions {
        self.delivery.clone().unwrap_or_default()
    }

    /// Checks the options in the order of O-60, O-61.
    pub fn validate(&self) -> Result<(), OptionError> {
        self.censoring()?;
        if self.all_entries().next().is_none() {
            return Err(OptionError::from_text(
                "entries: none is given; allowed is at least one object with process_log and marker_file",
            ));
        }
        for (index, entry) in self.all_entries().enumerate() {
            entry
                .validate()
                .map_err(|error| OptionError::from_text(format!("{}: {error}", self.entry_key(index))))?;
        }
        self.gcs_options.validate().map_err(|error| error.inside("gcs_options"))?;
        self.delivery().validate()
    }

    /// How the entry with this index (O-63) is called in the options.
    fn entry_key(&self, index: usize) -> String {
        match (&self.wrapper_options, index) {
            (Some(_), 0) => "wrapper_options (entry 0)".to_owned(),
            (Some(_), _) => format!("entries[{}] (entry {index})", index - 1),
            (None, _) => format!("entries[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> SidecarOptions {
        let mut options = SidecarOptions::default();
        common::json::decode(&mut options, text).expect("decodes");
        options
    }

    const V_SO_1: &str = r#"{"gcs_options":{"items":["/logs/artifacts"],"bucket":"prow-artifacts","path_strategy":"explicit","gcs_credentials_file":"/secrets/gcs/service-account.json","dry_run":false},"entries":[{"args":["sh","-c","echo test"],"process_log":"/logs/process-log.txt","marker_file":"/logs/marker-file.txt","metadata_file":"/logs/artifacts/metadata.json"}]}"#;

    #[test]
    fn vector_v_so_1_both_ways() {
        let expected = SidecarOptions {
            gcs_options: UploadOptions {
                items: vec!["/logs/artifacts".to_owned()],
                bucket: "prow-artifacts".to_owned(),
                path_strategy: "explicit".to_owned(),
                gcs_credentials_file: "/secrets/gcs/service-account.json".to_owned(),
                ..UploadOptions::default()
            },
            entries: vec![Entry {
                args: ["sh", "-c", "echo test"].map(str::to_owned).to_vec(),
                process_log: "/logs/process-log.txt".to_owned(),
                marker_file: "/logs/marker-file.txt".to_owned(),
                metadata_file: "/logs/artifacts/metadata.json".to_owned(),
                ..Entry::default()
            }],
            ..SidecarOptions::default()
        };
        assert_eq!(decoded(V_SO_1), expected);
        assert_eq!(common::json::to_go_string(&expected), V_SO_1);
        assert_eq!(expected.validate(), Ok(()));
    }

    #[test]
    fn o_18_every_key_in_its_order() {
        let text = r#"{"gcs_options":{"bucket":"b","path_strategy":"explicit","dry_run":true},"wrapper_options":{"process_log":"p","marker_file":"m","metadata_file":""},"entries":[{"process_log":"q","marker_file":"n","metadata_file":"f"}],"entry_error":true,"ignore_interrupts":true,"write_memory_profile":true,"secret_directories":[],"censoring_concurrency":1,"censoring_buffer_size":2,"delivery":{"fail_on_error":true,"memory":33554432,"grace_period":30000000000,"checkpoint_interval":60000000000,"limits":{"cpu_time":1000000000,"unpacked_bytes":1,"files":2,"sent_bytes":3,"time":4}}}"#;
        assert_eq!(common::json::to_go_string(&decoded(text)), text);
        let text = r#"{"gcs_options":{"dry_run":false},"censoring_options":{"secret_directories":["/s"],"censoring_concurrency":1,"censoring_buffer_size":2,"include_directories":["a"],"exclude_directories":["b"],"ini_filenames":["c"],"minimum_secret_length":3,"structured_filenames":["d"],"strict":true}}"#;
        assert_eq!(common::json::to_go_string(&decoded(text)), text);
    }

    #[test]
    fn o_60_deprecated_keys_become_censoring_options_but_never_mix() {
        let options = decoded(r#"{"secret_directories":["/s"],"censoring_concurrency":4}"#);
        let censoring = options.censoring().expect("allowed").expect("on");
        assert_eq!(censoring.secret_directories, ["/s"]);
        assert_eq!(censoring.censoring_concurrency, Some(4));
        assert!(decoded(r#"{"secret_directories":[]}"#).censoring().expect("allowed").is_some());
        assert!(decoded(r#"{"secret_directories":null}"#).censoring().expect("allowed").is_none());
        let both = decoded(r#"{"secret_directories":[],"censoring_options":{}}"#);
        let error = both.validate().expect_err("refused").to_string();
        assert!(error.contains("secret_directories") && error.contains("censoring_options"), "{error}");
    }

    #[test]
    fn o_61_entries_then_their_parts_then_the_upload_options() {
        let message = |text: &str| decoded(text).validate().expect_err("refused").to_string();
        assert!(message("{}").starts_with("entries: none"));
        assert!(message(r#"{"entries":[null]}"#).starts_with("entries[0]: process_log"));
        let second =
            r#"{"wrapper_options":{"process_log":"p","marker_file":"m"},"entries":[{"process_log":"p"}]}"#;
        assert!(message(second).starts_with("entries[0] (entry 1): marker_file"));
        let upload = r#"{"entries":[{"process_log":"p","marker_file":"m"}],"gcs_options":{"bucket":"b"}}"#;
        assert!(message(upload).starts_with("gcs_options.path_strategy"), "{}", message(upload));
        let null = r#"{"entries":[{"process_log":"p","marker_file":"m"}],"gcs_options":null}"#;
        assert!(message(null).contains("bucket"), "{}", message(null));
    }

    #[test]
    fn o_62_an_empty_object_switches_censoring_on() {
        assert!(decoded(r#"{"censoring_options":{}}"#).censoring().expect("allowed").is_some());
        assert!(decoded(r#"{"censoring_options":null}"#).censoring().expect("allowed").is_none());
    }

    #[test]
    fn delivery_is_checked() {
        let message = |delivery: &str| {
            let text = format!(
                r#"{{"entries":[{{"process_log":"p","marker_file":"m"}}],"gcs_options":{{"local_output_dir":"/o"}},"delivery":{delivery}}}"#
            );
            decoded(&text).validate().map_err(|error| error.to_string())
        };
        assert_eq!(message(r#"{"memory":20971520,"grace_period":"30s"}"#), Ok(()));
        assert_eq!(message(r#"{"limits":{"cpu_time":"1m","files":0}}"#), Ok(()));
        for (limit, key) in
            [(r#""cpu_time":0"#, "cpu_time"), (r#""files":-1"#, "files"), (r#""time":-1"#, "time")]
        {
            let error = message(&format!(r#"{{"limits":{{{limit}}}}}"#)).expect_err("refused");
            assert!(error.starts_with(&format!("delivery.limits.{key} ")), "{error}");
        }
        assert!(message(r#"{"memory":1}"#).expect_err("refused").starts_with("delivery.memory \"1\""));
        assert!(message(r#"{"grace_period":-1}"#).is_err());
        assert_eq!(message(r#"{"checkpoint_interval":"30s"}"#), Ok(()));
        assert!(message(r#"{"checkpoint_interval":0}"#).is_err());
        assert_eq!(message(r#"{"start_timeout":"10m"}"#), Ok(()));
        assert!(message(r#"{"start_timeout":"0s"}"#).is_err());
    }
}
