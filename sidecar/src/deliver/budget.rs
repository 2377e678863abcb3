//! Division of a given time (`delivery.grace_period`), counted from the
//! first interrupt.

use std::time::Duration;

/// Phase deadlines, as offsets from the first interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// The wait for markers that goes on under `ignore_interrupts`.
    pub wait_share: Duration,
    /// Objects that are not stored by then are skipped.
    pub cutoff: Duration,
    /// Sidecar exits by itself, before the kubelet kills it.
    pub deadline: Duration,
}

/// Kept free before the given time is over.
const MARGIN: Duration = Duration::from_secs(2);

/// Reserved for own log, manifest and result, which on a slow line follow what the
/// system had taken of the uploads that were cut: a second or two.
const CLOSING: Duration = Duration::from_secs(4);

impl Budget {
    /// Divides `time`: half of it for the wait; of a short time the margins take
    /// at most a fifth each.
    pub fn of(time: Duration) -> Self {
        let deadline = time.saturating_sub(MARGIN.min(time / 5));
        Self { wait_share: time / 2, cutoff: deadline.saturating_sub(CLOSING.min(time / 5)), deadline }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_follow_each_other() {
        for seconds in [1, 2, 5, 10, 30, 3600] {
            let time = Duration::from_secs(seconds);
            let budget = Budget::of(time);
            assert!(budget.wait_share < budget.cutoff, "{seconds}");
            assert!(budget.cutoff < budget.deadline && budget.deadline < time, "{seconds}");
        }
        assert_eq!(Budget::of(Duration::from_secs(30)).deadline, Duration::from_secs(28));
    }
}
