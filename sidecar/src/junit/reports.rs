//! The reports of one job, as far as they have been read.

use super::{TestFile, TestSummary};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// At most this many reports are read of a job.
const MAX_REPORTS: usize = 10_000;

/// Upper bound on the texts that are kept of all of them, in bytes.
const MAX_KEPT_BYTES: usize = 2 << 20;

/// The reports of one job by a number that is the same whenever a report is read
/// again. Clones share them: they are read on threads of their own.
#[derive(Clone, Debug)]
pub struct Reports(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    files: BTreeMap<u64, Kept>,
    room: usize,
}

#[derive(Debug)]
struct Kept {
    file: TestFile,
    bytes: usize,
}

impl Default for Reports {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { files: BTreeMap::new(), room: MAX_KEPT_BYTES })))
    }
}

impl Reports {
    /// Returns whether there is room for one more report.
    pub fn has_room_for(&self, number: u64) -> bool {
        let state = self.state();
        state.files.len() < MAX_REPORTS || state.files.contains_key(&number)
    }

    /// Keeps a report in place of what was read of it before.
    pub fn keep(&self, number: u64, file: Option<TestFile>) {
        let mut state = self.state();
        if let Some(before) = state.files.remove(&number) {
            state.room += before.bytes;
        }
        if let Some(mut file) = file {
            let bytes = file.shrink(state.room);
            state.room -= bytes;
            state.files.insert(number, Kept { file, bytes });
        }
    }

    /// Sums all of them up; their texts pass through `mask`.
    pub fn summary(&self, mask: &dyn Fn(&str) -> String) -> Option<TestSummary> {
        TestSummary::of(self.state().files.values().map(|kept| &kept.file), mask)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::junit::Reader;

    fn read(failed: usize) -> Option<TestFile> {
        let mut reader = Reader::default();
        reader.push(b"<testsuite>");
        for number in 0..failed {
            reader.push(
                format!(
                    "<testcase name='{number}' time='1'><failure>{}</failure></testcase>",
                    "x".repeat(900)
                )
                .as_bytes(),
            );
        }
        reader.push(b"</testsuite>");
        reader.finish()
    }

    #[test]
    fn a_report_that_is_read_again_counts_once() {
        let reports = Reports::default();
        assert_eq!(reports.summary(&str::to_owned), None);
        reports.keep(1, read(3));
        reports.keep(2, read(1));
        reports.keep(1, read(2));
        let sum = reports.summary(&str::to_owned).expect("reports");
        assert_eq!((sum.files, sum.counts.failed, sum.failures.len()), (2, 3, 3));
        reports.keep(1, None);
        reports.keep(2, None);
        assert_eq!(reports.state().room, MAX_KEPT_BYTES);
    }

    #[test]
    fn many_large_reports_stay_bounded_and_all_are_counted() {
        let reports = Reports::default();
        let large = read(100);
        for number in 0..200 {
            reports.keep(number, large.clone());
        }
        let sum = reports.summary(&str::to_owned).expect("reports");
        assert_eq!((sum.files, sum.counts.failed), (200, 20_000));
        let bytes: usize = sum.failures.iter().map(|failure| failure.output.len()).sum();
        assert!(bytes <= MAX_KEPT_BYTES && bytes > MAX_KEPT_BYTES / 3, "{bytes}");
        assert!(reports.has_room_for(7));
    }
}
