//! Waiting for a file that another container makes.
//!
//! Events of the file's directory are hints; a look at the file decides, and one
//! is taken every second whatever the events say.

use crate::stderr;
use anyhow::{Result, bail};
use common::duration::GoDuration;
use notify::{RecursiveMode, Watcher};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

/// Interval of checks; bounds the delay when an event is lost.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A file to wait for before the command is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Which.
    pub(crate) file: PathBuf,
    /// For how long, all in all; `None` without a limit.
    pub(crate) limit: Option<GoDuration>,
}

/// Returns when the file is there, or when the limit is reached: the command
/// runs anyway then.
pub(crate) async fn for_file(wait: &Wait) -> Result<()> {
    let Some(limit) = wait.limit else { return until_there(&wait.file).await };
    // The first look is taken even when there is no time at all.
    match timeout(limit.as_std(), until_there(&wait.file)).await {
        Ok(found) => found,
        Err(_over) => {
            let file = wait.file.display();
            stderr::line(&format!(
                "warning: {file} has not appeared in {limit}; the command is started anyway"
            ));
            Ok(())
        }
    }
}

async fn until_there(file: &Path) -> Result<()> {
    let dir = directory_of(file);
    let hint = Arc::new(Notify::new());
    // Without events (their number is limited) the looks are enough.
    let _watcher = watch(&dir, Arc::clone(&hint)).ok();
    let mut next_check = Instant::now();
    loop {
        if is_there(file, &dir)? {
            return Ok(());
        }
        next_check += CHECK_INTERVAL;
        tokio::select! {
            () = hint.notified() => {}
            () = sleep_until(next_check) => {}
        }
        next_check = next_check.min(Instant::now());
    }
}

fn watch(dir: &Path, hint: Arc<Notify>) -> notify::Result<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |_event| hint.notify_one())?;
    watcher.watch(dir, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("/"),
    }
}

fn is_there(file: &Path, dir: &Path) -> Result<bool> {
    match access(file, Access::EXISTS) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) if dir.is_dir() => Ok(false),
        Err(Errno::NOENT) => {
            bail!("cannot wait for {}: the directory {} does not exist", file.display(), dir.display())
        }
        Err(errno) => bail!("cannot wait for {}: {}", file.display(), std::io::Error::from(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(file: &Path, limit: Option<&str>) -> Wait {
        Wait { file: file.to_owned(), limit: limit.map(|text| text.parse().expect("a duration")) }
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_found_without_any_time() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("up"), "").expect("written");
        // However the path is spelled.
        let file = dir.path().join("./x/..//up");
        std::fs::create_dir(dir.path().join("x")).expect("made");
        for_file(&wait(&file, Some("0s"))).await.expect("there");
        for_file(&wait(&file, None)).await.expect("there");
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_absolute_and_the_command_runs_anyway() {
        let dir = tempfile::tempdir().expect("a directory");
        let start = Instant::now();
        for_file(&wait(&dir.path().join("never"), Some("2m30s"))).await.expect("runs anyway");
        assert_eq!(start.elapsed().as_secs(), 150);
        for_file(&wait(&dir.path().join("never"), Some("-1s"))).await.expect("runs anyway");
        assert_eq!(start.elapsed().as_secs(), 150);
    }

    #[tokio::test]
    async fn directories_that_cannot_hold_the_file_are_errors() {
        let dir = tempfile::tempdir().expect("a directory");
        let told =
            for_file(&wait(&dir.path().join("gone/up"), None)).await.expect_err("no directory").to_string();
        assert!(told.contains("gone does not exist"), "{told}");
        std::fs::write(dir.path().join("file"), "").expect("written");
        let told =
            for_file(&wait(&dir.path().join("file/up"), None)).await.expect_err("no directory").to_string();
        assert!(told.contains("file/up"), "{told}");
    }
}
