//! Evidence of how a job ended, and the sentence that says so.
//!
//! Every place that tells people why (`finished.json`, the termination message,
//! records, `podutils`) uses these sentences. They say what is known; what only
//! the pod's status knows (eviction, a deadline, which limit was exceeded) is said
//! to stand there.

use super::entries::End;
use common::codes;
use common::report::{Reason, Report};
use std::time::Duration;

/// A volume on which less than this is free holds no marker and no report any more.
const FULL_BELOW_BYTES: u64 = 68 << 10;

/// At most this many failed containers are named in one sentence.
const MAX_FAILED: usize = 3;

/// Facts found about an entry when it was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its lock was seen: entrypoint had started.
    pub locked: bool,
    /// Its process log is there.
    pub logged: bool,
    /// The volume of its marker.
    pub volume: Volume,
    /// Time from the first interrupt to the loss.
    pub after_interrupt: Option<Duration>,
}

/// A log volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// The directory of the marker.
    pub path: String,
    /// Bytes that are free for everybody; `None` where the system cannot tell.
    pub free_bytes: Option<u64>,
}

/// The ways in which an entry is lost, by the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Loss {
    /// Nothing of it was ever there.
    NeverStarted,
    /// It left a log but never had a lock: an entrypoint that knows none.
    WithoutLock,
    /// Its volume is full: it may have been unable to write its marker.
    Full(u64),
    /// It was told to stop, and ended this much later.
    KilledAfter(Duration),
    /// It ended before it made its log.
    KilledEarly,
    /// It was killed.
    Killed,
}

impl Loss {
    fn of(evidence: &Evidence) -> Self {
        let full = evidence.volume.free_bytes.filter(|bytes| *bytes < FULL_BELOW_BYTES);
        match (evidence.locked, evidence.logged, full, evidence.after_interrupt) {
            (false, false, ..) => Self::NeverStarted,
            (false, true, ..) => Self::WithoutLock,
            (true, _, Some(free), _) => Self::Full(free),
            (true, _, None, Some(time)) => Self::KilledAfter(time),
            (true, false, None, None) => Self::KilledEarly,
            (true, true, None, None) => Self::Killed,
        }
    }

    fn sentence(&self, path: &str) -> String {
        const STATUS: &str = "the pod's status says why";
        match self {
            Self::NeverStarted => format!(
                "the container never started, or could not write to {path}: it left no lock, no log and no \
                 report there; {STATUS}"
            ),
            Self::WithoutLock => format!("the container ended without a result; {STATUS}"),
            Self::Full(free) => format!(
                "entrypoint ended without a result: it was killed, or its log volume {path} is full ({free} \
                 bytes free)"
            ),
            Self::KilledAfter(time) => format!(
                "entrypoint was killed {} s after the pod was told to stop, and left no result",
                time.as_secs()
            ),
            Self::KilledEarly => {
                format!("entrypoint was killed before it started the command, and left no result; {STATUS}")
            }
            Self::Killed => format!("entrypoint was killed and left no result; {STATUS}"),
        }
    }
}

/// How one entry ended, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// One word: a report's reason, or `ended` (without a report),
    /// `unreadable_marker`, `lost`, `running`.
    pub reason: &'static str,
    /// One sentence.
    pub cause: String,
    /// The code that counts; `None` where there is none.
    pub code: Option<i32>,
    /// It passed, and there is more to say than that.
    pub is_noted: bool,
}

impl Told {
    /// Puts together what is known of an entry.
    pub fn of(end: Option<End>, report: Option<&Report>, evidence: &Evidence) -> Self {
        let told = |reason, cause: String, code| Self { reason, cause, code, is_noted: false };
        match (end, report) {
            (Some(End::Marker { code, .. }), Some(report)) => {
                let notes = notes(report);
                let cause = format!("{}{}", report.cause, notes.concat());
                Self {
                    is_noted: code == codes::SUCCESS && (report.reason != Reason::Exited || is_noted(report)),
                    ..told(name(report.reason), cause, Some(code))
                }
            }
            (Some(End::Marker { code, .. }), None) => told("ended", by_code(code), Some(code)),
            (Some(End::Unreadable), _) => {
                told("unreadable_marker", "the marker file holds no exit code".to_owned(), Some(-1))
            }
            (Some(End::Lost { .. }), Some(report)) => {
                let cause = format!("{}; entrypoint was killed before it wrote its marker", report.cause);
                told("lost", cause, None)
            }
            (Some(End::Lost { .. }), None) => {
                told("lost", Loss::of(evidence).sentence(&evidence.volume.path), None)
            }
            (None, _) => told("running", "the pod was told to stop while it was running".to_owned(), None),
        }
    }

    /// Returns whether it passed.
    pub fn has_passed(&self) -> bool {
        self.code == Some(codes::SUCCESS)
    }

    /// Returns whether there is anything to say beside its code 0.
    pub fn is_worth_telling(&self) -> bool {
        !self.has_passed() || self.is_noted
    }
}

/// Facts in a report that its own sentence may leave out: an older entrypoint does.
fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let kills = report.cgroup.as_ref().and_then(|cgroup| cgroup.oom_kills).unwrap_or(0);
    if kills > 0 && !report.cause.contains("lack of memory") {
        notes.push(match kills {
            1 => "; the kernel killed a process of this container for lack of memory".to_owned(),
            _ => format!("; the kernel killed {kills} processes of this container for lack of memory"),
        });
    }
    let dropped = report.output.dropped_bytes;
    if dropped > 0 && !report.cause.contains("did not fit") {
        notes.push(format!("; {} of its output did not fit into the log volume", size(dropped)));
    }
    notes
}

fn is_noted(report: &Report) -> bool {
    let killed = report.cgroup.as_ref().is_some_and(|cgroup| cgroup.oom_kills > Some(0));
    killed || report.output.dropped_bytes > 0
}

/// The meaning of a code without a report (section 2 of the contract).
fn by_code(code: i32) -> String {
    match code {
        codes::ABORTED => "was told to stop, and ended (code 130)".to_owned(),
        codes::INTERNAL_ERROR => "timed out, or could not be started (code 127)".to_owned(),
        codes::PREVIOUS_FAILED => "not started because the previous step failed".to_owned(),
        code => format!("exited with code {code}"),
    }
}

/// Returns a reason as reports write it.
fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Exited => "exited",
        Reason::Signaled => "signaled",
        Reason::TimedOut => "timed_out",
        Reason::Aborted => "aborted",
        Reason::StartFailed => "start_failed",
        Reason::PreviousFailed => "previous_failed",
        Reason::InternalError => "internal_error",
    }
}

/// Returns the names of containers as documents use them: `entry-N`, counted from 1,
/// for one without a name; `-2`, `-3` … for one whose name is taken.
pub fn unique_names<'a>(containers: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (index, container) in containers.into_iter().enumerate() {
        let name = if container.is_empty() { format!("entry-{}", index + 1) } else { container.to_owned() };
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
        names.push(free.unwrap_or(name));
    }
    names
}

/// Returns the one sentence about all entries, each with its name.
pub fn of_job(entries: &[(&str, &Told)]) -> String {
    if let [(_, only)] = entries {
        return only.cause.clone();
    }
    // An entry that was not even started is never the origin.
    let is_origin =
        |told: &&(&str, &Told)| !told.1.has_passed() && told.1.reason != name(Reason::PreviousFailed);
    let mut chosen: Vec<_> = entries.iter().filter(is_origin).collect();
    if chosen.is_empty() {
        chosen.extend(entries.iter().filter(|(_, told)| told.is_worth_telling()));
    }
    if chosen.is_empty() {
        return format!("all {} containers exited with code 0", entries.len());
    }
    let said = chosen.iter().take(MAX_FAILED).map(|(name, told)| format!("{name}: {}", told.cause));
    let mut sentence = said.collect::<Vec<_>>().join("; ");
    match chosen.len().saturating_sub(MAX_FAILED) {
        0 => {}
        1 => sentence.push_str("; one more failed"),
        more => sentence = format!("{sentence}; {more} more failed"),
    }
    sentence
}

/// Returns a size as people read it, in powers of 1,000.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") };
    }
    let mut tenths = bytes / 100;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if tenths >= 10_000 {
            tenths /= 1000;
            unit = larger;
        }
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests;
