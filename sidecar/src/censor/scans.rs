//! Results of scans of files that have several names: hard links and symbolic links cost a
//! job nothing, so each file is scanned under its first name only.

use super::archive::{ArchiveError, Verdict};
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

/// The files of one pass that were scanned; `None` for one whose scan is under way.
#[derive(Debug, Default)]
pub(super) struct Scans {
    files: Mutex<HashMap<Identity, Option<Verdict>>>,
    ended: Condvar,
}

impl Scans {
    /// Returns what `scan` returned for another name of the file, else what it returns now.
    /// Waits while the file is being scanned under another name.
    pub(super) fn once(
        &self,
        identity: Identity,
        is_stopped: &dyn Fn() -> bool,
        scan: impl FnOnce() -> Result<Verdict, ArchiveError>,
    ) -> Result<Verdict, ArchiveError> {
        let mut files = self.files();
        loop {
            match files.get(&identity) {
                Some(Some(verdict)) => return Ok(verdict.clone()),
                Some(None) if is_stopped() => {
                    return Err(ArchiveError::Withheld("it is not wanted any more".to_owned()));
                }
                Some(None) => {
                    let waited = self.ended.wait_timeout(files, STOP_INTERVAL);
                    files = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None if files.len() >= MAX_FILES => {
                    drop(files);
                    return scan();
                }
                None => break,
            }
        }
        files.insert(identity, None);
        drop(files);
        let under_way = UnderWay { scans: self, identity };
        let verdict = scan()?;
        self.files().insert(identity, Some(verdict.clone()));
        drop(under_way);
        Ok(verdict)
    }

    /// Remembers that a file that is no container holds no secret.
    pub(super) fn is_clean(&self, identity: Identity, bytes: u64, crc32c: u32) {
        if let Some(Some(verdict)) = self.files().get_mut(&identity)
            && let Verdict::Plain { note } = verdict
        {
            *verdict = Verdict::Clean { bytes, crc32c, note: note.take() };
        }
    }

    fn files(&self) -> MutexGuard<'_, HashMap<Identity, Option<Verdict>>> {
        // Each change leaves it whole.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes those who wait for a scan, however it ended.
struct UnderWay<'a> {
    scans: &'a Scans,
    identity: Identity,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut files = self.scans.files();
        if let Some(None) = files.get(&self.identity) {
            files.remove(&self.identity);
        }
        self.scans.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const FILE: Identity = (1, 2, 3, 4, 5);

    #[test]
    fn names_of_one_file_cost_one_scan_even_at_the_same_time() {
        let (scans, count) = (Scans::default(), AtomicUsize::new(0));
        let scan = || {
            count.fetch_add(1, Ordering::Relaxed);
            std::thread::yield_now();
            Ok(Verdict::Plain { note: None })
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        scans.once(FILE, &|| false, scan).expect("scanned");
                    }
                });
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 1);
        scans.is_clean(FILE, 3, 7);
        let found = scans.once(FILE, &|| false, scan).expect("known");
        assert_eq!(found, Verdict::Clean { bytes: 3, crc32c: 7, note: None });
        scans.once((1, 3, 3, 4, 5), &|| false, scan).expect("another file");
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn scan_that_fails_or_panics_is_made_again() {
        let scans = Scans::default();
        let fail = || Err(ArchiveError::Moved);
        scans.once(FILE, &|| false, fail).expect_err("it fails");
        let panic = || scans.once(FILE, &|| false, || panic!("on purpose"));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(panic)).expect_err("it panics");
        let again = scans.once(FILE, &|| false, || Ok(Verdict::Dirty)).expect("scanned");
        assert_eq!(again, Verdict::Dirty);
    }

    #[test]
    fn who_is_not_wanted_any_more_does_not_wait() {
        let scans = Scans::default();
        let outer =
            scans.once(FILE, &|| false, || scans.once(FILE, &|| true, || panic!("it is being scanned")));
        assert!(matches!(outer, Err(ArchiveError::Withheld(_))), "{outer:?}");
    }
}
