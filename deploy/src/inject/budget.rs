//! The pod's grace period.
//!
//! ```text
//! told to stop                                                        SIGKILL to all
//! ├──── the test's grace period ────┼── drain ──┼── upload budget ──────────┤
//! └──────────────── terminationGracePeriodSeconds ──────────────────────────┘
//! ```

use super::decoration::Decoration;
use super::field_path::Finding;
use super::model::Pod;
use crate::run::DRAIN;
use common::duration::GoDuration;
use std::time::Duration;

/// Time for delivery when nothing is said.
const DEFAULT_UPLOAD: Duration = Duration::from_mins(1);

/// A pod that says how long it has leaves at least this for delivery.
const MIN_UPLOAD: Duration = Duration::from_secs(5);

/// The least that can work: all parts one after the other; what Prow gives
/// (P-18); and twice the test's time where sidecar waits for half of it.
fn least(test: Duration, upload: Duration, waits: bool) -> u64 {
    let parts = test + DRAIN + upload;
    let whole = parts.as_secs() + u64::from(parts.subsec_nanos() > 0);
    let prow = test.as_secs().saturating_mul(5) / 4;
    let twice = if waits { test.as_secs().saturating_add(1).saturating_mul(2) } else { 0 };
    whole.max(prow).max(twice)
}

/// The `terminationGracePeriodSeconds` of a pod: its own when it is long enough,
/// else the computed one.
pub(super) fn resolve(pod: &Pod, decoration: &Decoration) -> Result<i64, Finding> {
    let test = decoration.grace_period.as_std();
    let waits = decoration.ignore_interrupts || decoration.native;
    let given = decoration.upload_budget.map(GoDuration::as_std);
    let seconds = |upload| i64::try_from(least(test, upload, waits)).unwrap_or(i64::MAX);
    let Some(own) = pod.grace else { return Ok(seconds(given.unwrap_or(DEFAULT_UPLOAD))) };
    let needed = seconds(given.unwrap_or(MIN_UPLOAD));
    if own >= needed {
        return Ok(own);
    }
    Err(Finding::new(
        pod.field("terminationGracePeriodSeconds"),
        format!(
            "{own} is too short: the grace period of {} and the uploads need {needed} at least; take the line out, or \
             shorten --grace-period or --upload-budget",
            decoration.grace_period
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_have_their_time() {
        let seconds = Duration::from_secs;
        assert_eq!(least(seconds(15), DEFAULT_UPLOAD, false), 85);
        assert_eq!(least(Duration::from_millis(500), seconds(5), false), 16);
        assert_eq!(least(seconds(3600), DEFAULT_UPLOAD, false), 4500, "P-18");
        assert_eq!(least(seconds(600), seconds(60), true), 1202);
        let longest = GoDuration::from_nanos(i64::MAX).as_std();
        assert!(least(longest, longest, true) > longest.as_secs());
    }
}
