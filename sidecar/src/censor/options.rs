//! The object `censoring_options` (contract 1.7).

use super::archive::Limits;
use common::duration::GoDuration;
use common::options::{bytes, flag, inline};

common::options! {
    /// The object `censoring_options`.
    pub struct CensoringOptions {
        /// Directories whose files are secrets.
        pub secret_directories: Vec<String> = flag("secret-directory").value("DIRECTORY"),
        /// Accepted without effect.
        pub censoring_concurrency: Option<i64> = flag("censoring-concurrency"),
        /// Accepted without effect.
        pub censoring_buffer_size: Option<i64> = flag("censoring-buffer-size").value("BYTES"),
        /// Globs of the item files to censor.
        pub include_directories: Vec<String> = flag("include-directory").value("GLOB").default(|| "all".to_owned()),
        /// Globs of the item files not to censor.
        pub exclude_directories: Vec<String> = flag("exclude-directory").value("GLOB"),
        /// Base names of secrets that are INI files.
        pub ini_filenames: Vec<String> = flag("ini-filename").value("NAME"),
        /// The length in bytes below which a secret is not masked.
        pub minimum_secret_length: Option<i64> = flag("minimum-secret-length").value("BYTES")
            .default(|| "0".to_owned()),
        /// Base names of secrets that are YAML or JSON documents: each value in them is a secret.
        pub structured_filenames: Vec<String> = flag("structured-filename").value("NAME"),
        /// Withholds everything but the result when a secret cannot be loaded.
        pub strict: bool = flag("censoring-strict"),
        /// The cost of looking into containers.
        pub archives: ArchiveOptions = inline(""),
    }
}

common::options! {
    /// The cost that one file with containers in it may have.
    pub struct ArchiveOptions {
        /// Levels of nested containers to look into; a compressed tar counts once.
        pub depth: Option<i64> = flag("archive-depth").key("archive_depth")
            .default(|| Limits::default().depth.to_string()),
        /// Bytes that one packed byte may stand for, from 64 MiB on.
        pub ratio: Option<i64> = flag("archive-ratio").key("archive_ratio")
            .default(|| Limits::default().ratio.to_string()),
        /// Bytes to unpack of one file.
        pub unpacked_bytes: Option<i64> = flag("archive-unpacked-bytes").key("archive_unpacked_bytes").value("BYTES")
            .default(|| bytes(Limits::default().unpacked_bytes)),
        /// Members in one file.
        pub members: Option<i64> = flag("archive-members").key("archive_members")
            .default(|| Limits::default().members.to_string()),
        /// Processor time for one file.
        pub cpu_time: Option<GoDuration> = flag("archive-cpu-time").key("archive_cpu_time")
            .default(|| GoDuration::from_std(Limits::default().cpu_time).to_string()),
        /// Bytes of memory for what is kept aside, and for windows of xz and zstd.
        pub memory: Option<i64> = flag("archive-memory").key("archive_memory").value("BYTES")
            .default(|| bytes(Limits::default().memory)),
        /// Bytes of files in `TMPDIR` for what is kept aside.
        pub spool_bytes: Option<i64> = flag("archive-spool-bytes").key("archive_spool_bytes").value("BYTES")
            .default(|| bytes(Limits::default().spool_bytes)),
    }
}

impl ArchiveOptions {
    /// Returns the limits; negative numbers count as 0.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        let number = |option: Option<i64>, default| option.map_or(default, |n| u64::try_from(n).unwrap_or(0));
        let depth = number(self.depth, default.depth.into());
        Limits {
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
            ratio: number(self.ratio, default.ratio),
            unpacked_bytes: number(self.unpacked_bytes, default.unpacked_bytes),
            members: number(self.members, default.members),
            cpu_time: self.cpu_time.map_or(default.cpu_time, GoDuration::as_std),
            memory: number(self.memory, default.memory),
            spool_bytes: number(self.spool_bytes, default.spool_bytes),
        }
    }
}
