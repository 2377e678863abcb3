//! The result of a job, from the ends of its entries (S-15 … S-19 with
//! design's rule for reports), and sidecar's own exit status (3.9).

use super::entries::End;
use super::plan::Completeness;
use common::codes;
use common::report::Reason;
use std::fmt;

/// The result as testgrid and Prow know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobResult {
    /// Every entry ended with code 0.
    Success,
    /// At least one entry was ended from outside.
    Aborted,
    /// Everything else.
    Failure,
}

impl fmt::Display for JobResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "SUCCESS",
            Self::Aborted => "ABORTED",
            Self::Failure => "FAILURE",
        })
    }
}

/// The sum of the entries' ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// Every entry ended with code 0.
    pub passed: bool,
    /// At least one entry was ended from outside.
    pub aborted: bool,
    /// Entries that failed by themselves: neither 0 nor 1130.
    pub failures: usize,
}

impl Verdict {
    /// The verdict while entries may still run: told to stop (S-23).
    pub const PROVISIONAL: Self = Self { passed: false, aborted: true, failures: 0 };

    /// The verdict when every entry has ended.
    pub fn of(ends: impl IntoIterator<Item = End>) -> Self {
        let mut verdict = Self { passed: true, aborted: false, failures: 0 };
        for end in ends {
            verdict.passed &= end.code() == codes::SUCCESS;
            verdict.aborted |= is_aborted(end);
            verdict.failures += usize::from(!matches!(end.code(), codes::SUCCESS | codes::PREVIOUS_FAILED));
        }
        verdict
    }

    /// The result string's value (S-18).
    pub fn result(self) -> JobResult {
        match self {
            Self { passed: true, .. } => JobResult::Success,
            Self { aborted: true, .. } => JobResult::Aborted,
            Self { .. } => JobResult::Failure,
        }
    }
}

/// An entry counts as aborted when its report says so and its code is not 0;
/// without a report when the marker is 130; a lost one when the pod had been
/// told to stop.
fn is_aborted(end: End) -> bool {
    match end {
        End::Marker { code, report: Some(report) } => {
            report.reason == Reason::Aborted && code != codes::SUCCESS
        }
        End::Marker { code, report: None } => code == codes::ABORTED,
        End::Unreadable => false,
        End::Lost { told_to_stop } => told_to_stop,
    }
}

/// Sidecar's exit status: `None` for the verdict means that entries were still
/// running at the deadline.
pub fn exit_status(
    verdict: Option<Verdict>,
    delivered: Completeness,
    entry_error: bool,
    fail_on_error: bool,
) -> u8 {
    let entries_failed = verdict.is_none_or(|verdict| verdict.failures > 0);
    let delivery_failed = delivered == Completeness::Incomplete;
    if (entry_error && entries_failed) || (fail_on_error && delivery_failed) {
        codes::EXIT_FAILURE
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries::ReportSummary;
    use super::*;

    fn markers(codes: &[i32]) -> Verdict {
        Verdict::of(codes.iter().map(|code| End::Marker { code: *code, report: None }))
    }

    #[test]
    fn vectors_v_sw_and_v_sp() {
        for (id, codes, passed, aborted, failures) in [
            ("V-SW-1", &[0][..], true, false, 0),
            ("V-SW-2", &[0, 0, 0], true, false, 0),
            ("V-SW-3", &[1], false, false, 1),
            ("V-SW-4", &[130], false, true, 1),
            ("V-SW-6", &[0, 1, 130, 1130, 1, 0], false, true, 3),
            ("V-SP-3", &[0, 1, 0], false, false, 1),
            ("V-SP-4", &[0, 130, 1], false, true, 2),
            ("S-19", &[0, 1130], false, false, 0),
        ] {
            assert_eq!(markers(codes), Verdict { passed, aborted, failures }, "{id}");
        }
        assert_eq!(markers(&[0, 1130]).result(), JobResult::Failure, "S-19");
        assert_eq!(markers(&[130, 0]).result(), JobResult::Aborted);
        assert_eq!(markers(&[0]).result(), JobResult::Success);
    }

    #[test]
    fn the_report_decides_about_aborted() {
        let end = |code, reason| End::Marker { code, report: Some(ReportSummary { reason, outside: None }) };
        assert_eq!(Verdict::of([end(143, Reason::Aborted)]).result(), JobResult::Aborted);
        assert_eq!(Verdict::of([end(0, Reason::Aborted)]).result(), JobResult::Success);
        assert_eq!(Verdict::of([end(130, Reason::Exited)]).result(), JobResult::Failure);
        assert_eq!(Verdict::of([end(130, Reason::TimedOut)]).result(), JobResult::Failure);
    }

    #[test]
    fn lost_and_unreadable_entries_fail() {
        let lost = |told_to_stop| Verdict::of([End::Lost { told_to_stop }]);
        assert_eq!((lost(false).result(), lost(false).failures), (JobResult::Failure, 1));
        assert_eq!((lost(true).result(), lost(true).failures), (JobResult::Aborted, 1));
        assert_eq!(Verdict::of([End::Unreadable]), Verdict { passed: false, aborted: false, failures: 1 });
    }

    #[test]
    fn exit_statuses_of_3_9() {
        use Completeness::{Complete, Incomplete};
        let failed = Some(markers(&[1]));
        let skipped = Some(markers(&[0, 1130]));
        assert_eq!(exit_status(failed, Complete, false, false), 0);
        assert_eq!(exit_status(failed, Complete, true, false), 1);
        assert_eq!(exit_status(skipped, Complete, true, false), 0, "S-65");
        assert_eq!(exit_status(Some(markers(&[0])), Incomplete, true, false), 0);
        assert_eq!(exit_status(Some(markers(&[0])), Incomplete, false, true), 1);
        assert_eq!(exit_status(None, Complete, true, false), 1);
        assert_eq!(exit_status(None, Complete, false, false), 0);
    }
}
