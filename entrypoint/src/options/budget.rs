//! Grace periods that a platform announces.

use common::duration::GoDuration;
use std::time::Duration;

/// Where Buildkite's agent says how long it waits, in whole seconds, between
/// its SIGTERM and its SIGKILL.
pub const OUTER_GRACE_VARIABLE: &str = "BUILDKITE_CANCEL_GRACE_PERIOD";

/// A grace period that a platform announced, and what is left of it for the job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OuterGrace {
    /// What the platform gives.
    pub outer: GoDuration,
    /// What the job gets: less a margin for its results.
    pub inner: GoDuration,
}

/// The job's share of an announced grace period: less a tenth, at least three
/// seconds, so that the inner deadline comes before the outer one; but never
/// less than a second. `None` for a text that is no number of seconds.
pub fn outer_grace(announced: &str) -> Option<OuterGrace> {
    let outer = Duration::from_secs(announced.trim().parse::<u32>().ok()?.into());
    let margin = (outer / 10).max(Duration::from_secs(3));
    let inner = outer.saturating_sub(margin).max(Duration::from_secs(1));
    Some(OuterGrace { outer: GoDuration::from_std(outer), inner: GoDuration::from_std(inner) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_deadline_comes_first() {
        let inner = |text: &str| outer_grace(text).map(|grace| grace.inner.to_string());
        assert_eq!(inner("10").as_deref(), Some("7s"));
        assert_eq!(inner("100").as_deref(), Some("1m30s"));
        assert_eq!(inner("3").as_deref(), Some("1s"));
        assert_eq!(inner("0").as_deref(), Some("1s"));
        assert_eq!(inner("soon"), None);
        assert_eq!(inner("-1"), None);
    }
}
