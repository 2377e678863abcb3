//! The history of a job: its processes before the first signal, and the course of its use
//! of the machine.

use crate::bounded::{First, first_members};
use crate::timestamp::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// Upper bound on the processes in a report.
pub const MAX_PROCESSES: usize = 64;

/// Upper bound on the bytes of a process's command line.
pub const MAX_COMMAND_BYTES: usize = 200;

/// Upper bound on all processes in a report, in bytes of JSON.
pub const MAX_PROCESSES_BYTES: usize = 24 * 1024;

/// Upper bound on the samples of a course.
pub const MAX_SAMPLES: usize = 240;

/// Upper bound on a course in bytes of JSON.
pub const MAX_COURSE_BYTES: usize = 16 * 1024;

/// A process of the job's tree, as it was before the first signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessState {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// Its name, at most 15 bytes, control characters replaced.
    pub name: String,
    /// The begin of its command line; empty if it was not read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The letter of `proc_pid_stat(5)`, such as `S` for a process that sleeps.
    pub state: String,
    /// The function in the kernel that it waits in, where that is told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wchan: String,
    /// Its threads.
    pub threads: u64,
    /// Time since its start, in milliseconds.
    pub age_ms: u64,
    /// CPU time that it used, in milliseconds.
    pub cpu_ms: u64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// It is the one that waits longest.
    #[serde(skip_serializing_if = "is_false")]
    pub waits_longest: bool,
    /// It is the one that used most CPU time.
    #[serde(skip_serializing_if = "is_false")]
    pub most_cpu: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Samples of what the job used, in columns of equal length.
///
/// | column | each sample is |
/// | --- | --- |
/// | `at_s` | seconds since the start of the command |
/// | `memory_kib` | the largest working set since the sample before: usage without inactive files |
/// | `pids` | the largest number of processes and threads seen since then |
/// | `free_kib` | the least free space of the log volume seen since then |
/// | `cpu_ms`, `throttled_ms` | CPU time used, and time for which the CPU limit stopped the container, since then |
/// | `read_kib`, `written_kib` | bytes read from and written to disks since then |
/// | `cpu_pressure_ms`, `memory_pressure_ms`, `io_pressure_ms` | time in which some task waited for it, since then |
/// | `output_kib` | output of the command since then |
/// | `oom_kills` | processes of the container that the kernel killed for lack of memory, since then; absent if there were none |
///
/// Columns that this machine cannot tell are absent. What was killed after the last sample
/// is counted in the report's `cgroup` alone. The interval begins with a second and
/// is doubled when the samples become too many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Course {
    /// The time when the command started, from which `at_s` counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// The container's memory limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    /// The container's CPU limit in thousandths of a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_limit_millis: Option<u64>,
    /// The samples, by the column's name.
    #[serde(deserialize_with = "columns")]
    pub columns: BTreeMap<String, Vec<u64>>,
}

fn columns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<u64>>, D::Error> {
    let columns = first_members::<MAX_COLUMNS, First<u64, MAX_SAMPLES>, D>(deserializer)?;
    Ok(columns.into_iter().map(|(name, samples)| (name, samples.kept)).collect())
}

/// Upper bound on the columns that readers keep, those of later versions among them.
const MAX_COLUMNS: usize = 100;

/// The columns that there can be.
pub const COLUMNS: [&str; 13] = [
    "at_s",
    "memory_kib",
    "pids",
    "free_kib",
    "cpu_ms",
    "throttled_ms",
    "read_kib",
    "written_kib",
    "cpu_pressure_ms",
    "memory_pressure_ms",
    "io_pressure_ms",
    "output_kib",
    "oom_kills",
];

impl Course {
    /// Returns the length of its JSON in bytes, numbers and punctuation alone counted.
    pub fn encoded_len(&self) -> usize {
        let digits = |value: &u64| value.checked_ilog10().unwrap_or(0) as usize + ",0".len();
        let column = |(name, values): (&String, &Vec<u64>)| {
            name.len() + r#""":[],"#.len() + values.iter().map(digits).sum::<usize>()
        };
        self.columns.iter().map(column).sum()
    }
}

/// Ids of the trace that the command's own spans belong to (W3C Trace Context).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// 32 lower-case hex digits.
    pub trace_id: String,
    /// 16 lower-case hex digits: the span that is the command's parent.
    pub span_id: String,
    /// True if the command's parent was set before: the span is not entrypoint's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub inherited: bool,
}

impl Trace {
    /// Parses a `traceparent` of version 00, or of a later one that begins like it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let trace = Self { trace_id: trace.to_owned(), span_id: span.to_owned(), inherited: true };
        let is_version = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        (is_version && is_hex(flags, 2) && trace.is_valid()).then_some(trace)
    }

    /// Returns true if both ids have their fixed length and are not all zeroes.
    pub fn is_valid(&self) -> bool {
        let is_id = |id: &str, length| is_hex(id, length) && id.bytes().any(|byte| byte != b'0');
        is_id(&self.trace_id, 32) && is_id(&self.span_id, 16)
    }
}

/// Returns true for so many lower-case hex digits.
fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_trace_have_a_fixed_form() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let parsed = Trace::parse(&format!("00-{trace}-{span}-01")).expect("parses");
        assert_eq!((parsed.trace_id.as_str(), parsed.span_id.as_str()), (trace, span));
        assert!(Trace::parse(&format!("cc-{trace}-{span}-01-later")).is_some());
        let zeroes = "0".repeat(32);
        for wrong in [
            "",
            "secret",
            &format!("00-{trace}-{span}"),
            &format!("ff-{trace}-{span}-01"),
            &format!("00-{trace}-{span}-01-more"),
            &format!("00-{}-{span}-01", trace.to_uppercase()),
            &format!("00-{zeroes}-{span}-01"),
            &format!("00-{trace}-{}-01", &span[1..]),
        ] {
            assert_eq!(Trace::parse(wrong), None, "{wrong}");
        }
    }
}
