//! Results of scans of the files of one pass that have several names.

use super::archive::{ArchiveError, Verdict};
use super::once::{Identity, Once};
use super::packs::Packs;

/// The files of one pass that were scanned, or packed anew.
#[derive(Debug, Default)]
pub(super) struct Scans {
    verdicts: Once<Verdict>,
    pub(super) packs: Packs,
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
        self.verdicts.get(identity, is_stopped, scan)
    }

    /// Remembers that a file that is no container holds no secret.
    pub(super) fn is_clean(&self, identity: Identity, bytes: u64, crc32c: u32) {
        if let Some(Some(verdict)) = self.verdicts.files().get_mut(&identity)
            && let Verdict::Plain { note } = verdict
        {
            *verdict = Verdict::Clean { bytes, crc32c, note: note.take() };
        }
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
        assert!(matches!(outer, Err(ArchiveError::GivenUp)), "{outer:?}");
    }
}
