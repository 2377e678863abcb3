//! Looking at entries: watches on the markers' directories give hints, a look
//! decides.

use crate::deliver::{Look, Told};
use common::lock::{EntryWatch, LockState, Sighting};
use common::marker::Content;
use common::report::{self, Report};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Notify;
use tracing::warn;

/// Tells that something happened in a directory of a marker.
#[derive(Debug)]
pub struct Hints {
    changed: Arc<Notify>,
    _watcher: Option<RecommendedWatcher>,
}

impl Hints {
    /// Watches the directory of every marker. What cannot be watched is left to
    /// the regular looks.
    pub fn new<'a>(markers: impl IntoIterator<Item = &'a Path>) -> Self {
        let changed = Arc::new(Notify::new());
        let hint = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Err(error) = event {
                warn!(error = %error, "fsnotify watch error");
            }
            hint.notify_one();
        });
        let watcher = watcher
            .map(|mut watcher| {
                let directories: BTreeSet<&Path> = markers.into_iter().map(directory).collect();
                for directory in directories {
                    if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                        let path = directory.display();
                        warn!(error = %error, path = %path, "Markers are looked for once a second only");
                    }
                }
                watcher
            })
            .inspect_err(|error| warn!(error = %error, "Markers are looked for once a second only"));
        Self { changed, _watcher: watcher.ok() }
    }

    /// Waits for a hint. One that came while nobody waited counts.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn directory(marker: &Path) -> &Path {
    match marker.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// One entry under watch.
#[derive(Debug)]
pub struct WatchedEntry {
    watch: EntryWatch,
    report: Option<Report>,
    /// What was wrong at the last look.
    problem: Option<String>,
}

impl WatchedEntry {
    /// An entry by its marker's path.
    pub fn new(marker: &Path) -> Self {
        Self { watch: EntryWatch::new(marker), report: None, problem: None }
    }

    /// Its report, once it has ended and left one.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// What was wrong with its marker at the last look.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Looks at the entry. Never blocks.
    pub fn look(&mut self) -> Look {
        self.problem = None;
        match self.watch.look() {
            Sighting::Waiting(LockState::None | LockState::Held) => Look::Waiting,
            Sighting::Waiting(LockState::Vanished) => Look::Vanished,
            Sighting::Marker(Content::Unreadable(reason)) => {
                self.problem = Some(reason);
                Look::Unreadable
            }
            Sighting::Marker(Content::Code(code)) => {
                // A report with another code is of another incarnation.
                self.report = self.read_report().filter(|report| report.code == code);
                let told = self.report.as_ref().map(|report| Told { reason: report.reason });
                Look::Marker { code, told }
            }
            Sighting::Lost => {
                self.report = self.read_report();
                Look::Lost
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_without_report_a_broken_one_and_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = dir.path().join("m");
        let mut entry = WatchedEntry::new(&marker);
        assert_eq!(entry.look(), Look::Waiting);
        std::fs::write(&marker, "").expect("written");
        assert_eq!(entry.look(), Look::Unreadable);
        assert!(entry.problem().is_some());
        std::fs::write(common::marker::report_path(&marker), "nonsense").expect("written");
        std::fs::write(&marker, "3").expect("written");
        assert_eq!(entry.look(), Look::Marker { code: 3, told: None });
        assert_eq!(entry.problem(), None);
    }

    #[test]
    fn a_report_with_another_code_does_not_count() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = dir.path().join("m");
        let report = r#"{"version":1,"reason":"aborted","cause":"c","code":130,"started":"2026-01-01T00:00:00Z","finished":"2026-01-01T00:00:00Z","timeout_ns":0,"grace_period_ns":0}"#;
        std::fs::write(common::marker::report_path(&marker), report).expect("written");
        for (code, told) in [(130, true), (1, false)] {
            std::fs::write(&marker, code.to_string()).expect("written");
            let Look::Marker { told: seen, .. } = WatchedEntry::new(&marker).look() else {
                panic!("a marker")
            };
            assert_eq!(seen.is_some(), told, "{code}");
        }
    }
}
