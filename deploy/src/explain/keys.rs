//! What every option means. A test compares the names with those that the
//! programs read.

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Plain,
    /// Nanoseconds.
    Time,
    /// A command with its arguments.
    Command,
    Object(&'static [Key]),
    List(&'static [Key]),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What is in force when it is not given; empty for the type's own.
    pub(super) default: &'static str,
    pub(super) kind: Kind,
    /// An object that is absent when it is not given.
    pub(super) is_optional: bool,
    pub(super) meaning: &'static str,
}

const fn plain(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { name, default, kind: Kind::Plain, is_optional: false, meaning }
}

const fn time(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { name, default, kind: Kind::Time, is_optional: false, meaning }
}

const fn object(name: &'static str, keys: &'static [Key], meaning: &'static str) -> Key {
    Key { name, default: "", kind: Kind::Object(keys), is_optional: false, meaning }
}

const fn optional(name: &'static str, keys: &'static [Key], meaning: &'static str) -> Key {
    Key { name, default: "absent", kind: Kind::Object(keys), is_optional: true, meaning }
}

const ARGS: Key = Key {
    name: "args",
    default: "",
    kind: Kind::Command,
    is_optional: false,
    meaning: "the command and its arguments",
};
const CONTAINER: Key =
    plain("container_name", "", "the container's name, in the names of logs when there are several");
const LOG: Key = plain("process_log", "", "the file with the command's output");
const MARKER: Key = plain("marker_file", "", "the file with the code; appears last");
const METADATA: Key =
    plain("metadata_file", "", "JSON that the command may write, merged into finished.json");

pub(super) const ENTRY: &[Key] = &[ARGS, CONTAINER, LOG, MARKER, METADATA];

pub(super) const ENTRYPOINT: &[Key] = &[
    ARGS,
    time("timeout", "2h0m0s", "from the start of the command to SIGINT"),
    time("grace_period", "15s", "from SIGINT to SIGKILL, for the whole process tree"),
    LOG,
    MARKER,
    METADATA,
    CONTAINER,
    plain("artifact_dir", "", "made before the command starts"),
    plain("previous_marker", "", "wait for this entry; do not run when it failed or was lost"),
    plain("always_zero", "false", "exit with 0 once the marker is there"),
    plain("propagate_error_code", "false", "after a timeout or an interrupt use the command's own code"),
    plain("copy_mode_only", "false", "copy this program and end"),
    plain("copy_dst", "", "where to copy it"),
    object("supervision", SUPERVISION, ""),
];

pub(super) const SUPERVISION: &[Key] = &[
    plain("leftovers", "end", "what becomes of processes that the command left behind: end, or keep"),
    plain("signal_scope", "child", "who gets signals first: the child, or its whole process group"),
    plain("escalation", "none", "more signals inside the grace period"),
    plain("timestamps", "false", "begin each line of the process log with its time"),
    plain("termination_message_path", "/dev/termination-log", "gets the cause in one line, when it exists"),
];

pub(super) const SIDECAR: &[Key] = &[
    Key {
        name: "entries",
        default: "none",
        kind: Kind::List(ENTRY),
        is_optional: true,
        meaning: "the wrapped containers",
    },
    optional("wrapper_options", ENTRY, "deprecated: a single entry"),
    plain("entry_error", "false", "exit with 1 when an entry failed"),
    plain("ignore_interrupts", "false", "go on waiting for markers when told to stop"),
    plain("write_memory_profile", "false", "accepted without effect"),
    object("gcs_options", UPLOAD, ""),
    optional("censoring_options", CENSORING, "nothing is censored without it"),
    plain("secret_directories", "absent", "deprecated: belongs into censoring_options"),
    plain("censoring_concurrency", "absent", "deprecated: belongs into censoring_options"),
    plain("censoring_buffer_size", "absent", "deprecated: belongs into censoring_options"),
    object("delivery", DELIVERY, ""),
];

pub(super) const UPLOAD: &[Key] = &[
    plain("items", "none", "files and directories to upload"),
    plain(
        "bucket",
        "",
        "where to: gs://, s3://, az:// or file:///, with an optional prefix; a bare name is a GCS bucket",
    ),
    plain("local_output_dir", "", "write into this directory instead; needs no job"),
    plain("dry_run", "false", "only say what would be uploaded"),
    plain("path_strategy", "", "explicit, legacy or single: how the job's path is made"),
    plain("path_prefix", "", "in front of the job's path"),
    plain("sub_dir", "", "behind the job's path"),
    plain("default_org", "", "the organisation that legacy and single leave out"),
    plain("default_repo", "", "the repository that legacy and single leave out"),
    plain("mediaTypes", "none", "content types by file extension"),
    plain("compress_file_types", "none", "extensions to store compressed; * is all"),
    plain("gcs_credentials_file", "default chain", "Google credentials"),
    plain("s3_credentials_file", "AWS default chain", "S3 credentials and settings"),
    plain("job_url_prefix", "", "accepted without effect"),
];

pub(super) const INITUPLOAD: &[Key] = &{
    let mut keys =
        [optional("censoring_options", CENSORING, "nothing is censored without it"); UPLOAD.len() + 2];
    let mut at = 0;
    while at < UPLOAD.len() {
        keys[at] = UPLOAD[at];
        at += 1;
    }
    keys[UPLOAD.len()] = plain("log", "", "the clone records of clonerefs");
    keys
};

pub(super) const CENSORING: &[Key] = &[
    plain("secret_directories", "none", "each file in them is a secret"),
    plain("ini_filenames", "none", "secrets that are INI files"),
    plain("structured_filenames", "none", "secrets that are YAML or JSON documents: each value in them"),
    plain("minimum_secret_length", "0", "shorter secrets are not masked"),
    plain("include_directories", "all", "which files of items are censored"),
    plain("exclude_directories", "none", "which files of items are not censored"),
    plain("strict", "false", "withhold all but the result when a secret cannot be loaded"),
    plain("archive_depth", "4", "containers in each other to look into"),
    plain("archive_ratio", "250", "bytes that one packed byte may stand for, from 64 MiB on"),
    plain("archive_unpacked_bytes", "64 GiB", "bytes to unpack of one file"),
    plain("archive_members", "500000", "members in one file"),
    time("archive_cpu_time", "10m", "processor time for one file"),
    plain("archive_memory", "64 MiB", "memory for what is kept aside"),
    plain("archive_spool_bytes", "1 GiB", "temporary files for what is kept aside"),
    plain("censoring_concurrency", "absent", "accepted without effect"),
    plain("censoring_buffer_size", "absent", "accepted without effect"),
];

pub(super) const DELIVERY: &[Key] = &[
    plain("fail_on_error", "false", "exit with 1 when an object could not be delivered"),
    plain("memory", "64 MiB", "memory of the whole program, in bytes"),
    time("grace_period", "no limit", "from the first interrupt to the end of the pod"),
    time(
        "checkpoint_interval",
        "at the end only",
        "deliver what has changed this often while the entries run",
    ),
    plain("native_sidecar", "false", "sidecar is an init container with restartPolicy: Always"),
    plain("termination_message_path", "/dev/termination-log", "gets the result in one line, when it exists"),
];
