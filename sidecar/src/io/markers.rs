//! Looking at entries: watches on the markers' directories give hints, a look
//! decides.
//!
//! The watch asks the kernel for new, renamed and closed files only, never for
//! opens and writes: the process log lies beside the marker. While that log grows
//! by 29,000 writes a second the watch takes less than 0.01 % of a core (notify
//! 9.0.0-rc.7, measured over 10 s; a third of a core with notify 8.2, which cannot
//! be told what to ask for). Its thread and buffers take 256 KiB.

use crate::deliver::sentence::{Evidence, Volume};
use crate::deliver::{Observation, ReportSummary};
use common::entry::Entry;
use common::lock::{EntryMonitor, EntryStatus, LockState};
use common::marker::Content;
use common::report::{self, Report};
use common::timestamp::Timestamp;
use notify::{Config, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tracing::warn;

/// Tells that something happened in a directory of a marker.
#[derive(Debug)]
pub struct Hints {
    hint: Arc<Notify>,
    /// Without it there are no hints.
    _watcher: Option<RecommendedWatcher>,
}

/// Events that can make a marker or a lock appear, in one step or in two.
const WANTED: EventKindMask =
    EventKindMask::CREATE.union(EventKindMask::MODIFY_NAME).union(EventKindMask::ACCESS_CLOSE);

impl Hints {
    /// Watches the directory of every marker. What cannot be watched is left to
    /// the regular looks.
    pub fn new<'a>(markers: impl IntoIterator<Item = &'a Path>) -> Self {
        let directories: BTreeSet<&Path> = markers.into_iter().map(directory).collect();
        let hint = Arc::new(Notify::new());
        let watcher = watch(&directories, Arc::clone(&hint)).inspect_err(|error| {
            warn!(error = %error, "Markers are looked for once a second only");
        });
        Self { hint, _watcher: watcher.ok() }
    }

    /// Waits for a hint; pending for ever without a watch. A hint that came
    /// while nobody waited counts.
    pub async fn changed(&self) {
        self.hint.notified().await;
    }
}

fn watch(directories: &BTreeSet<&Path>, hint: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let config = Config::default().with_event_kinds(WANTED);
    // What the events say is of no interest.
    let mut watcher = RecommendedWatcher::new(move |_event| hint.notify_one(), config)?;
    for directory in directories {
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
            warn!(error = %error, path = %directory.display(), "Markers are looked for once a second only");
        }
    }
    Ok(watcher)
}

fn directory(marker: &Path) -> &Path {
    match marker.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// All entries, in the order of the options. Several may share a marker.
#[derive(Debug)]
pub struct Entries {
    /// One per marker path.
    watched: Vec<WatchedEntry>,
    /// For each entry, which of them is its own.
    watch_of: Vec<usize>,
    /// The process log of each entry.
    logs: Vec<PathBuf>,
}

impl Entries {
    /// The entries of the options; none has been looked at.
    pub fn new(entries: &[Entry]) -> Self {
        let mut paths: Vec<&str> = Vec::new();
        let mut watch_of = Vec::new();
        for entry in entries {
            let known = paths.iter().position(|path| *path == entry.marker_file);
            watch_of.push(known.unwrap_or_else(|| {
                paths.push(&entry.marker_file);
                paths.len() - 1
            }));
        }
        let watched = paths.into_iter().map(|path| WatchedEntry::new(Path::new(path))).collect();
        let logs = entries.iter().map(|entry| PathBuf::from(&entry.process_log)).collect();
        Self { watched, watch_of, logs }
    }

    /// Looks once at each marker with an entry that is wanted; returns what there
    /// was to see for each of these entries.
    pub fn look(&mut self, is_wanted: impl Fn(usize) -> bool) -> impl Iterator<Item = (usize, Observation)> {
        let mut seen = Vec::new();
        for (watch, watched) in self.watched.iter_mut().enumerate() {
            let of_watch = |entry: &usize| self.watch_of[*entry] == watch && is_wanted(*entry);
            let entries: Vec<_> = (0..self.watch_of.len()).filter(of_watch).collect();
            if !entries.is_empty() {
                let look = watched.look();
                seen.extend(entries.into_iter().map(|entry| {
                    let absent = look == Observation::Absent;
                    let begun = absent && (watched.was_here() || is_there(&self.logs[entry]));
                    (entry, if begun { Observation::Unlocked } else { look })
                }));
            }
        }
        seen.into_iter()
    }

    /// Each entry under watch, in the order of the options.
    pub fn iter(&self) -> impl Iterator<Item = &WatchedEntry> {
        self.watch_of.iter().map(|watch| &self.watched[*watch])
    }

    /// Gathers what is known of an entry that was lost.
    pub fn evidence(&self, entry: usize, after_interrupt: Option<Duration>) -> Evidence {
        let watched = &self.watched[self.watch_of[entry]];
        let path = directory(watched.watch.marker());
        let free_bytes =
            rustix::fs::statvfs(path).ok().map(|volume| volume.f_bavail.saturating_mul(volume.f_frsize));
        let volume = Volume { path: path.display().to_string(), free_bytes };
        let logged = is_there(&self.logs[entry]);
        Evidence { locked: watched.watch.was_locked(), logged, volume, after_interrupt }
    }

    /// Returns what was wrong with an entry's marker at the last look.
    pub fn problem(&self, entry: usize) -> Option<&str> {
        self.iter().nth(entry)?.problem()
    }
}

/// One entry under watch.
#[derive(Debug)]
pub struct WatchedEntry {
    watch: EntryMonitor,
    report: Option<Report>,
    /// The problem at the last look.
    problem: Option<String>,
}

impl WatchedEntry {
    /// An entry by its marker's path.
    pub fn new(marker: &Path) -> Self {
        Self { watch: EntryMonitor::new(marker), report: None, problem: None }
    }

    /// Its report, once it has ended and left one.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Returns what was wrong with its marker at the last look.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Returns whether it had a lock, or has a report.
    fn was_here(&self) -> bool {
        self.watch.was_locked() || is_there(&common::marker::report_path(self.watch.marker()))
    }

    /// Looks at the entry. Never blocks.
    pub fn look(&mut self) -> Observation {
        self.problem = None;
        let mut status = self.watch.poll();
        if status == EntryStatus::Waiting(LockState::None) {
            // Perhaps another incarnation has just taken the place of the lock.
            status = self.watch.poll();
        }
        match status {
            EntryStatus::Waiting(LockState::Held) => Observation::Waiting,
            EntryStatus::Waiting(LockState::None) => Observation::Absent,
            EntryStatus::Waiting(LockState::Vanished) => Observation::Vanished,
            EntryStatus::Marker(Content::Unreadable(reason)) => {
                self.problem = Some(reason);
                Observation::Unreadable
            }
            EntryStatus::Marker(Content::Code(code)) => {
                // A report with another code is of another incarnation.
                self.report = self.read_report().filter(|report| report.code == code);
                let report = self.report.as_ref().map(summary);
                Observation::Marker { code, report }
            }
            EntryStatus::Lost => {
                self.report = self.read_report();
                Observation::Lost
            }
        }
    }

    fn read_report(&self) -> Option<Report> {
        report::read(self.watch.marker())
            .inspect_err(|error| {
                let path = common::marker::report_path(self.watch.marker());
                warn!(error = %error, path = %path.display(), "The report cannot be read");
            })
            .ok()
            .flatten()
    }
}

fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Summarizes a report as of now.
fn summary(report: &Report) -> ReportSummary {
    let age = |at: Timestamp| Timestamp::now().as_nanos().saturating_sub(at.as_nanos());
    // A time in the future is of a forged report, or of a clock that was set.
    let outside =
        report.first_outside_signal().map(|at| Duration::from_nanos(u64::try_from(age(at)).unwrap_or(0)));
    ReportSummary { reason: report.reason, outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_tell_of_renamed_files_and_not_of_writes() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = dir.path().join("m");
        let mut log = std::fs::File::create(dir.path().join("log")).expect("made");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let hints = Hints::new([marker.as_path(), Path::new("/nonexistent/m")]);
            std::io::Write::write_all(&mut log, b"output").expect("written");
            assert_eq!(hints_until_quiet(&hints).await, 0, "a write is no hint");
            std::fs::write(dir.path().join("t"), "0").expect("written");
            assert!(hints_until_quiet(&hints).await > 0, "a file that was made and closed is one");
            std::fs::rename(dir.path().join("t"), &marker).expect("renamed");
            assert!(hints_until_quiet(&hints).await > 0, "so is one that got another name");
        });
    }

    /// Counts the hints that come until none has come for a while: a file may
    /// give one for each event.
    async fn hints_until_quiet(hints: &Hints) -> usize {
        let mut count = 0;
        while tokio::time::timeout(Duration::from_millis(200), hints.changed()).await.is_ok() {
            count += 1;
        }
        count
    }

    #[test]
    fn a_marker_without_report_a_broken_one_and_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = dir.path().join("m");
        let mut entry = WatchedEntry::new(&marker);
        assert_eq!(entry.look(), Observation::Absent);
        std::fs::write(&marker, "").expect("written");
        assert_eq!(entry.look(), Observation::Unreadable);
        assert!(entry.problem().is_some());
        std::fs::write(common::marker::report_path(&marker), "nonsense").expect("written");
        std::fs::write(&marker, "3").expect("written");
        assert_eq!(entry.look(), Observation::Marker { code: 3, report: None });
        assert_eq!(entry.problem(), None);
    }

    #[test]
    fn a_log_without_lock_or_marker_is_an_entrypoint_without_locks() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let entry = |name: &str| Entry {
            process_log: path(&format!("{name}-log")),
            marker_file: path("m"),
            ..Entry::default()
        };
        let mut entries = Entries::new(&[entry("a"), entry("b")]);
        let looks = |entries: &mut Entries| entries.look(|_| true).collect::<Vec<_>>();
        assert_eq!(looks(&mut entries), [(0, Observation::Absent), (1, Observation::Absent)]);
        std::fs::write(path("b-log"), "").expect("written");
        assert_eq!(looks(&mut entries), [(0, Observation::Absent), (1, Observation::Unlocked)]);
        let evidence = entries.evidence(1, None);
        assert_eq!((evidence.locked, evidence.logged), (false, true));
        assert_eq!(evidence.volume.path, dir.path().display().to_string());
        assert!(evidence.volume.free_bytes.is_some());
        assert!(!entries.evidence(0, None).logged);
    }

    #[test]
    fn a_report_with_another_code_does_not_count() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = dir.path().join("m");
        let report = r#"{"version":1,"reason":"aborted","cause":"c","code":130,"started":"2026-01-01T00:00:00Z","finished":"2026-01-01T00:00:00Z","timeout_ns":0,"grace_period_ns":0}"#;
        std::fs::write(common::marker::report_path(&marker), report).expect("written");
        for (code, told) in [(130, true), (1, false)] {
            std::fs::write(&marker, code.to_string()).expect("written");
            let Observation::Marker { report: seen, .. } = WatchedEntry::new(&marker).look() else {
                panic!("a marker")
            };
            assert_eq!(seen.is_some(), told, "{code}");
        }
    }
}
