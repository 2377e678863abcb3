//! The report: why and how an entry ended, written by entrypoint just before
//! its marker, read by sidecar.

mod history;

pub use history::{
    COLUMNS, Course, MAX_COMMAND_BYTES, MAX_COURSE_BYTES, MAX_PROCESSES, MAX_PROCESSES_BYTES, MAX_SAMPLES,
    ProcessState, Trace,
};

use crate::bounded::first;
use crate::marker;
use crate::open_beneath::{self, Opened};
use crate::preallocated::PreallocatedFile;
use crate::signal::Signal;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The schema's version. Readers ignore keys that they do not know.
pub const VERSION: u32 = 1;

/// Upper bound on a report that readers accept.
pub const MAX_BYTES: usize = 64 * 1024;

/// The space that writers preallocate, enough for a report without its history. Larger
/// costs time: every start allocates it, every end frees it.
pub const RESERVED_BYTES: usize = 16 * 1024;

/// Mode of a report, whatever the umask.
pub const MODE: u32 = 0o644;

/// Upper bound on the leftover processes that are named.
pub const MAX_LEFTOVER_NAMES: usize = 20;

/// Upper bound on the signals listed in a report that would otherwise become too large:
/// the first ones, which decided.
pub const MAX_INTERRUPTS: usize = 40;

/// Upper bounds on the characters of a cause and of a leftover's name in a report that
/// would otherwise become too large. A character is at most six bytes of escaped JSON,
/// so the whole stays below [`RESERVED_BYTES`].
const MAX_CAUSE: usize = 512;

/// Upper bound on the members of each list that readers keep, far beyond what is written.
const MAX_READ: usize = 1000;
const MAX_NAME: usize = 64;

/// Why an entry ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The child exited.
    Exited,
    /// A signal that entrypoint did not send killed the child.
    Signaled,
    /// The timeout ended the entry.
    TimedOut,
    /// A signal from outside ended the entry.
    Aborted,
    /// The child could not be started.
    StartFailed,
    /// The entry before this one failed or was lost.
    PreviousFailed,
    /// Entrypoint itself failed.
    InternalError,
}

/// How the direct child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildEnd {
    /// It exited with this status.
    ExitCode(i32),
    /// It died of this signal.
    Signal(Signal),
}

impl ChildEnd {
    /// Returns the code as shells report it: the exit status, or 128 + n.
    pub const fn code(self) -> i32 {
        match self {
            Self::ExitCode(code) => code,
            Self::Signal(signal) => crate::codes::died_of(signal.as_raw()),
        }
    }
}

/// The origin of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A signal from outside.
    Outside,
    /// The timeout, its escalation or the end of its grace period.
    Timeout,
    /// Processes left after the child's end.
    Leftovers,
}

/// The recipient of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// The direct child.
    Child,
    /// Other processes of its tree.
    Leftovers,
}

/// A signal that was received or sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupt {
    /// The signal.
    pub signal: Signal,
    /// The time of receipt or sending.
    pub at: Timestamp,
    /// Its origin.
    pub from: Origin,
    /// Its recipient; absent for a signal that was only received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_to: Option<Recipient>,
}

/// The child's output and its fate, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Output {
    /// Bytes read from the child.
    pub child_bytes: u64,
    /// Bytes of these that were not written to the process log.
    pub dropped_bytes: u64,
    /// Bytes of these that were not written to entrypoint's own stdout.
    pub live_dropped_bytes: u64,
    /// Bytes written to the process log, entrypoint's own records included.
    pub log_bytes: u64,
    /// CRC32C of the process log: eight lower-case hex digits.
    pub log_crc32c: String,
    /// Time without output before the first signal, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_ns: Option<u64>,
}

/// Descendants that were alive after the child's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Leftovers {
    /// Ended after SIGTERM.
    pub ended: u32,
    /// Ended by SIGKILL.
    pub killed: u32,
    /// Outlived SIGKILL (uninterruptible sleep).
    pub unkillable: u32,
    /// True if /proc could not be read and the counts are unknown.
    pub unknown: bool,
    /// `<pid> <command line>` of the first [`MAX_LEFTOVER_NAMES`].
    #[serde(deserialize_with = "first::<MAX_READ, _, _>")]
    pub names: Vec<String>,
}

/// Resources that the child's tree used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Largest resident set of one process, in bytes.
    pub max_rss_bytes: u64,
    /// CPU time in user mode, in nanoseconds.
    pub user_ns: u64,
    /// CPU time in the kernel, in nanoseconds.
    pub system_ns: u64,
}

/// Figures of the container's control group, where it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cgroup {
    /// Peak memory of the container, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<u64>,
    /// Processes that the kernel killed for lack of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
}

/// The whole report, one JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// Why the entry ended.
    pub reason: Reason,
    /// The reason in one English sentence.
    pub cause: String,
    /// The code, as in the marker.
    pub code: i32,
    /// How the direct child ended, when it was started and has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<ChildEnd>,
    /// The time of the direct child's end. Its descendants and its output may end later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child_ended: Option<Timestamp>,
    /// The time of entrypoint's start.
    pub started: Timestamp,
    /// The time at which the report was written.
    pub finished: Timestamp,
    /// The timeout in force, in nanoseconds.
    pub timeout_ns: i64,
    /// The grace period in force, in nanoseconds.
    pub grace_period_ns: i64,
    /// Signals received and sent, in order.
    #[serde(default, deserialize_with = "first::<MAX_READ, _, _>")]
    pub interrupts: Vec<Interrupt>,
    /// The child's output.
    #[serde(default)]
    pub output: Output,
    /// Descendants that were alive after the child's end.
    #[serde(default)]
    pub leftovers: Leftovers,
    /// Resources that the child's tree used.
    #[serde(default)]
    pub usage: Usage,
    /// The container's control group, where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Cgroup>,
    /// The job's processes before the first signal: at most [`MAX_PROCESSES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "first::<MAX_READ, _, _>")]
    pub processes: Vec<ProcessState>,
    /// The course of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Course>,
    /// The trace that the command's own spans belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

impl Report {
    /// Returns the time of the first signal from outside that tells an entry to end.
    pub fn first_outside_signal(&self) -> Option<Timestamp> {
        let tells_to_end = |signal| matches!(signal, Signal::HUP | Signal::INT | Signal::QUIT | Signal::TERM);
        self.interrupts
            .iter()
            .filter(|i| i.from == Origin::Outside && tells_to_end(i.signal))
            .map(|i| i.at)
            .min()
    }

    /// Encodes the report as JSON of at most [`MAX_BYTES`]: processes, then the course are
    /// dropped to fit.
    pub fn encode(&self) -> Vec<u8> {
        let whole = to_bytes(self);
        if whole.len() <= MAX_BYTES {
            return whole;
        }
        let without_processes = to_bytes(&Self { processes: Vec::new(), ..self.clone() });
        if without_processes.len() <= MAX_BYTES {
            return without_processes;
        }
        self.encode_short()
    }

    /// Encodes the report without its history as JSON of at most [`RESERVED_BYTES`],
    /// whatever signals the job sends and however it names its processes.
    pub fn encode_short(&self) -> Vec<u8> {
        let mut short = Self { processes: Vec::new(), course: None, ..self.clone() };
        let whole = to_bytes(&short);
        if whole.len() <= RESERVED_BYTES {
            return whole;
        }
        cut(&mut short.cause, MAX_CAUSE);
        short.interrupts.truncate(MAX_INTERRUPTS);
        short.leftovers.names.truncate(MAX_LEFTOVER_NAMES);
        short.leftovers.names.iter_mut().for_each(|name| cut(name, MAX_NAME));
        cut(&mut short.output.log_crc32c, 8);
        to_bytes(&short)
    }
}

fn to_bytes(report: &Report) -> Vec<u8> {
    serde_json::to_vec(report).expect("writing into memory does not fail, and all keys are texts")
}

/// Truncates a text to `limit` characters.
fn cut(text: &mut String, limit: usize) {
    if let Some((at, _)) = text.char_indices().nth(limit) {
        text.truncate(at);
    }
}

/// Preallocates the report beside `marker`.
pub fn reserve(marker: &Path) -> io::Result<PreallocatedFile> {
    PreallocatedFile::create(&marker::report_path(marker), RESERVED_BYTES, MODE)
}

/// Reads the report beside `marker`. Returns `None` when there is none (upstream's
/// entrypoint writes none), and an error when the file is not a report.
pub fn read(marker: &Path) -> io::Result<Option<Report>> {
    match open_beneath::open(&marker::report_path(marker))? {
        Opened::Absent => Ok(None),
        Opened::File(file) => {
            let bytes = open_beneath::read_bounded(&file, MAX_BYTES)?;
            let mut report: Report = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
            if !is_crc32c_text(&report.output.log_crc32c) {
                // The job can write a report, and this text would be published.
                report.output.log_crc32c.clear();
            }
            if let Some(course) = &mut report.course {
                course.columns.retain(|name, _| COLUMNS.contains(&name.as_str()));
            }
            if report.trace.as_ref().is_some_and(|trace| !trace.is_valid()) {
                report.trace = None;
            }
            Ok(Some(report))
        }
    }
}

/// Returns true for a CRC32C as [`crc32c_text`] writes it.
fn is_crc32c_text(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Formats a CRC32C as reports and manifests hold it: eight lower-case hex digits.
pub fn crc32c_text(value: u32) -> String {
    format!("{value:08x}")
}

#[cfg(test)]
mod tests;
