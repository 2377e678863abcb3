//! Results of work on files that have several names: hard links and symbolic links cost a
//! job nothing, so each file is scanned, and packed anew, under its first name only.

use super::archive::ArchiveError;
use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Identifies the content of a file: device, inode, size, times of modification and change.
pub type Identity = (u64, u64, u64, i128, i128);

/// Upper bound on the files that are remembered; others are scanned under each name, within
/// the budget of the pass.
const MAX_FILES: usize = 4096;

/// Interval at which one who waits for the end of a scan looks whether it is still wanted.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// Results of some work on each file; `None` while it is under way.
#[derive(Debug)]
pub(super) struct Once<V> {
    files: Mutex<HashMap<Identity, Option<V>>>,
    ended: Condvar,
}

impl<V> Default for Once<V> {
    fn default() -> Self {
        Self { files: Mutex::default(), ended: Condvar::new() }
    }
}

impl<V: Clone> Once<V> {
    /// Returns what `work` returned for another name of the file, else what it returns now.
    /// Waits while it is under way for another name.
    pub(super) fn get(
        &self,
        identity: Identity,
        is_stopped: &dyn Fn() -> bool,
        work: impl FnOnce() -> Result<V, ArchiveError>,
    ) -> Result<V, ArchiveError> {
        let mut files = self.files();
        loop {
            match files.get(&identity) {
                Some(Some(value)) => return Ok(value.clone()),
                Some(None) if is_stopped() => return Err(ArchiveError::GivenUp),
                Some(None) => {
                    let waited = self.ended.wait_timeout(files, STOP_INTERVAL);
                    files = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None if files.len() >= MAX_FILES => {
                    drop(files);
                    return work();
                }
                None => break,
            }
        }
        files.insert(identity, None);
        drop(files);
        let under_way = UnderWay { once: self, identity };
        let value = work()?;
        self.files().insert(identity, Some(value.clone()));
        drop(under_way);
        Ok(value)
    }
}

impl<V> Once<V> {
    /// The results so far.
    pub(super) fn files(&self) -> MutexGuard<'_, HashMap<Identity, Option<V>>> {
        // Each change leaves it whole.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes those who wait for a scan, however it ended.
struct UnderWay<'a, V> {
    once: &'a Once<V>,
    identity: Identity,
}

impl<V> Drop for UnderWay<'_, V> {
    fn drop(&mut self) {
        let mut files = self.once.files();
        if let Some(None) = files.get(&self.identity) {
            files.remove(&self.identity);
        }
        self.once.ended.notify_all();
    }
}
