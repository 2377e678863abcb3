//! The command line: upstream's flags, and one for every option they lack.

use super::{DeliveryOptions, Loaded, OptionError, SidecarOptions};
use crate::censor::{ArchiveOptions, CensoringOptions};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use common::duration::GoDuration;
use common::entry::Entry;
use common::flags::POSITIONALS;
use common::json::{Document, Notes};
use common::termination::TERMINATION_MESSAGE_PATH;
use std::ffi::OsString;

/// The job, as far as flags name it. `JOB_SPEC` gives the rest, or everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFlags {
    /// The job's name.
    pub job: Option<String>,
    /// `presubmit`, `postsubmit`, `periodic` or `batch`.
    pub job_type: Option<String>,
    /// The build id.
    pub build_id: Option<String>,
}

impl JobFlags {
    /// Whether no flag was given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where `--gcs-path` points: bucket and prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
struct GcsPath {
    bucket: String,
    prefix: String,
}

pub(crate) fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn list(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    text(name, value, help).action(ArgAction::Append)
}

fn switch(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_parser(value_parser!(bool)).default_value(default).help(help)
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

/// Puts flags under a heading of the help.
pub(crate) fn under<const N: usize>(heading: &'static str, flags: [Arg; N]) -> [Arg; N] {
    flags.map(|flag| flag.help_heading(heading))
}

/// The flags of sidecar.
pub fn command() -> Command {
    Command::new("sidecar")
        .version(common::version::VERSION)
        .about("Waits for the marker files of a CI pod and delivers logs, artifacts and the result.")
        .after_help(AFTER_HELP)
        .args(under("Upload", upload_flags()))
        .args(under(
            "Entries",
            [
                list("entry", "JSON", "entry to wait for, repeatable: {\"process_log\":…,\"marker_file\":…}"),
                text("wrapper-options", "JSON", "deprecated single entry"),
                switch("entry-error", "false", "exit 1 when an entry failed"),
                switch("ignore-interrupts", "false", "go on waiting for markers when told to stop"),
                switch("write-memory-profile", "false", "accepted without effect"),
            ],
        ))
        .args(under("Censoring", censoring_flags()))
        .args(under(
            "Delivery",
            [
                switch("fail-on-error", "false", "exit 1 when an object could not be delivered"),
                text("memory", "BYTES", "memory to use (default 67108864)").value_parser(value_parser!(i64)),
                text(
                    "delivery-grace-period",
                    "DURATION",
                    "time from the first interrupt to the end of the pod",
                )
                .value_parser(duration),
                text(
                    "checkpoint-interval",
                    "DURATION",
                    "while the entries run, deliver what has changed this often",
                )
                .value_parser(duration),
                switch("native-sidecar", "false", "run as an init container with restartPolicy: Always"),
                text("termination-message-path", "FILE", "gets the result in one line, when it exists")
                    .default_value(TERMINATION_MESSAGE_PATH),
            ],
        ))
        .args(under("Job", job_flags()))
}

/// The job's flags, and the items as positional arguments.
pub(crate) fn job_flags() -> [Arg; 4] {
    [
        text("job", "NAME", "the job's name, instead of JOB_SPEC's"),
        text("job-type", "TYPE", "presubmit, postsubmit, periodic or batch, instead of JOB_SPEC's"),
        text("build-id", "ID", "the build id, instead of JOB_SPEC's"),
        Arg::new(POSITIONALS).value_name("ITEMS").num_args(0..).help("files and directories to upload"),
    ]
}

/// Upstream's flags (contract 1.8), and those its upload options lack.
pub(crate) fn upload_flags() -> [Arg; 15] {
    [
        text("sub-dir", "PATH", "appended to the job path"),
        text("path-strategy", "NAME", "explicit, legacy or single").default_value("explicit"),
        text("default-org", "NAME", "organisation left out of paths"),
        text("default-repo", "NAME", "repository left out of paths"),
        text("gcs-path", "URL", "gs://bucket/prefix").value_parser(gcs_path),
        text("bucket", "BUCKET", "gs://, s3://, az:// or file:// destination"),
        text("path-prefix", "PATH", "put in front of the job path"),
        switch("dry-run", "true", "say what would be uploaded, and upload nothing"),
        list("media-type", "EXT:TYPE", "media type of an extension, repeatable").value_parser(media_type),
        text("job-url-prefix", "URL", "accepted without effect"),
        text("local-output-dir", "DIRECTORY", "write into this directory instead of a bucket"),
        list("compress-file-type", "EXT", "extension to compress, repeatable; * means all"),
        text("gcs-credentials-file", "FILE", "Google credentials"),
        text("s3-credentials-file", "FILE", "S3 credentials and settings"),
        list("item", "PATH", "file or directory to upload, repeatable"),
    ]
}

pub(crate) fn censoring_flags() -> [Arg; 17] {
    let number = |name, value, help| text(name, value, help).value_parser(value_parser!(i64));
    [
        switch("censor", "false", "censor even without any of the flags below"),
        list("secret-directory", "DIRECTORY", "directory whose files are secrets, repeatable"),
        list("include-directory", "GLOB", "item files to censor, repeatable"),
        list("exclude-directory", "GLOB", "item files not to censor, repeatable"),
        list("ini-filename", "NAME", "secret that is an INI file, repeatable"),
        list("structured-filename", "NAME", "secret that is a YAML or JSON document, repeatable"),
        text("minimum-secret-length", "BYTES", "shorter secrets are not masked")
            .value_parser(value_parser!(i64)),
        text("censoring-concurrency", "N", "accepted for compatibility").value_parser(value_parser!(i64)),
        text("censoring-buffer-size", "BYTES", "accepted for compatibility").value_parser(value_parser!(i64)),
        switch("censoring-strict", "false", "withhold all but the result when a secret cannot be loaded"),
        number("archive-depth", "N", "containers in each other to look into (default 4)"),
        number("archive-ratio", "N", "bytes that one packed byte may stand for (default 250)"),
        number("archive-unpacked-bytes", "BYTES", "bytes to unpack of one file (default 68719476736)"),
        number("archive-members", "N", "members in one file (default 500000)"),
        text("archive-cpu-time", "DURATION", "processor time for one file (default 10m)")
            .value_parser(duration),
        number("archive-memory", "BYTES", "memory for what is kept aside (default 67108864)"),
        number("archive-spool-bytes", "BYTES", "temporary files for what is kept aside (default 1073741824)"),
    ]
}

fn duration(text: &str) -> Result<GoDuration, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn media_type(text: &str) -> Result<(String, String), String> {
    let (extension, kind) =
        text.split_once(':').ok_or("allowed is EXTENSION:TYPE, such as log:text/plain")?;
    Ok((extension.to_owned(), kind.to_owned()))
}

/// Scheme `gs`, `file` or none; host and path only (O-90).
fn gcs_path(text: &str) -> Result<GcsPath, String> {
    const ALLOWED: &str = "allowed is gs://BUCKET/PREFIX without port, user, query and fragment";
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => (scheme, rest),
        Some(_) | None => ("", text),
    };
    if !matches!(scheme, "" | "gs" | "file") || rest.contains(['?', '#']) {
        return Err(ALLOWED.to_owned());
    }
    let (host, path) = match rest.strip_prefix("//") {
        Some(authority) => authority.split_once('/').unwrap_or((authority, "")),
        None if scheme.is_empty() || rest.starts_with('/') => ("", rest.trim_start_matches('/')),
        None => return Err(ALLOWED.to_owned()),
    };
    if host.contains([':', '@']) {
        return Err(ALLOWED.to_owned());
    }
    Ok(GcsPath { bucket: host.to_owned(), prefix: path.to_owned() })
}

/// Loads the options from a command line.
pub(super) fn load(args: impl IntoIterator<Item = OsString>) -> Result<Loaded, super::LoadError> {
    let matches = common::flags::parse(command(), args)?;
    let mut options = SidecarOptions {
        entry_error: matches.get_flag("entry-error"),
        ignore_interrupts: matches.get_flag("ignore-interrupts"),
        write_memory_profile: matches.get_flag("write-memory-profile"),
        censoring_options: censoring(&matches),
        delivery: delivery(&matches),
        ..SidecarOptions::default()
    };
    for text in strings(&matches, "entry") {
        options.entries.push(from_json("--entry", &text)?);
    }
    if let Some(text) = matches.get_one::<String>("wrapper-options") {
        options.wrapper_options = Some(from_json("--wrapper-options", text)?);
    }
    upload(&matches, &mut options.gcs_options);
    Ok(Loaded { options, job: job(&matches), notes: Notes::default() })
}

pub(crate) fn job(matches: &ArgMatches) -> JobFlags {
    let one = |name| matches.get_one::<String>(name).cloned();
    JobFlags { job: one("job"), job_type: one("job-type"), build_id: one("build-id") }
}

pub(crate) fn upload(matches: &ArgMatches, options: &mut super::UploadOptions) {
    let one = |name| matches.get_one::<String>(name).cloned().unwrap_or_default();
    options.sub_dir = one("sub-dir");
    options.bucket = one("bucket");
    options.path_prefix = one("path-prefix");
    options.path_strategy = one("path-strategy");
    options.default_org = one("default-org");
    options.default_repo = one("default-repo");
    options.job_url_prefix = one("job-url-prefix");
    options.local_output_dir = one("local-output-dir");
    options.gcs_credentials_file = one("gcs-credentials-file");
    options.s3_credentials_file = one("s3-credentials-file");
    options.compress_file_types = strings(matches, "compress-file-type");
    options.dry_run = matches.get_flag("dry-run");
    if let Some(path) = matches.get_one::<GcsPath>("gcs-path") {
        options.bucket.clone_from(&path.bucket);
        options.path_prefix.clone_from(&path.prefix);
    }
    let media_types = matches.get_many::<(String, String)>("media-type").into_iter().flatten();
    options.media_types = media_types.cloned().collect();
    options.items = strings(matches, "item");
    options.items.extend(strings(matches, POSITIONALS));
}

pub(crate) fn censoring(matches: &ArgMatches) -> Option<CensoringOptions> {
    let number = |name| matches.get_one::<i64>(name).copied();
    let options = CensoringOptions {
        secret_directories: strings(matches, "secret-directory"),
        censoring_concurrency: number("censoring-concurrency"),
        censoring_buffer_size: number("censoring-buffer-size"),
        include_directories: strings(matches, "include-directory"),
        exclude_directories: strings(matches, "exclude-directory"),
        ini_filenames: strings(matches, "ini-filename"),
        minimum_secret_length: number("minimum-secret-length"),
        structured_filenames: strings(matches, "structured-filename"),
        strict: matches.get_flag("censoring-strict"),
        archives: ArchiveOptions {
            depth: number("archive-depth"),
            ratio: number("archive-ratio"),
            unpacked_bytes: number("archive-unpacked-bytes"),
            members: number("archive-members"),
            cpu_time: matches.get_one("archive-cpu-time").copied(),
            memory: number("archive-memory"),
            spool_bytes: number("archive-spool-bytes"),
        },
    };
    let wanted = matches.get_flag("censor") || options != CensoringOptions::default();
    wanted.then_some(options)
}

fn delivery(matches: &ArgMatches) -> Option<DeliveryOptions> {
    let options = DeliveryOptions {
        fail_on_error: matches.get_flag("fail-on-error"),
        memory: matches.get_one("memory").copied(),
        grace_period: matches.get_one("delivery-grace-period").copied(),
        checkpoint_interval: matches.get_one("checkpoint-interval").copied(),
        native_sidecar: matches.get_flag("native-sidecar"),
        termination_message_path: matches
            .get_one::<String>("termination-message-path")
            .filter(|path| path.as_str() != TERMINATION_MESSAGE_PATH)
            .cloned(),
    };
    (options != DeliveryOptions::default()).then_some(options)
}

fn strings(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
}

fn from_json(flag: &str, text: &str) -> Result<Entry, OptionError> {
    let mut entry = Entry::default();
    let notes = common::json::decode(&mut entry, text)
        .map_err(|error| OptionError::from_text(format!("{flag}: {error}")))?;
    match notes.unknown_keys().first() {
        None => Ok(entry),
        Some(key) => Err(OptionError::new(format!("{flag}: the key"), key, &Entry::KEYS.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::LoadError;
    use super::*;

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
