//! Grace periods that the platform announces.

use common::duration::GoDuration;
use std::time::Duration;

/// Names the variable with the seconds between Buildkite's SIGTERM to the job and the
/// end of the job's container.
pub const CANCEL_GRACE_VARIABLE: &str = "BUILDKITE_CANCEL_GRACE_PERIOD";

/// Names the variable with the seconds after which Buildkite's agent kills the job's
/// bootstrap (since 3.127 a second earlier).
pub const SIGNAL_GRACE_VARIABLE: &str = "BUILDKITE_SIGNAL_GRACE_PERIOD_SECONDS";

/// Smallest margin below each announced period, for the job's results.
const MIN_MARGINS: [(&str, Duration); 2] =
    [(CANCEL_GRACE_VARIABLE, Duration::from_secs(3)), (SIGNAL_GRACE_VARIABLE, Duration::from_secs(2))];

/// A grace period that a platform announced, and the job's share of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OuterGrace {
    /// The variable that announced it.
    pub variable: &'static str,
    /// The announced period.
    pub outer: GoDuration,
    /// The job's share: a margin less.
    pub inner: GoDuration,
}

/// A variable that does not hold a whole number of seconds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is {value:?}; allowed are whole seconds")]
pub struct NotSeconds {
    variable: &'static str,
    value: String,
}

/// Returns the job's share of the shortest announced grace period, and the variables
/// that could not be read.
///
/// The share is a tenth less, or the smallest margin of the variable, so that the
/// inner deadline comes before the outer one; but never less than a second.
pub fn outer_grace(variable: impl Fn(&str) -> Option<String>) -> (Option<OuterGrace>, Vec<NotSeconds>) {
    let mut shortest: Option<OuterGrace> = None;
    let mut wrong = Vec::new();
    for (name, min_margin) in MIN_MARGINS {
        let Some(value) = variable(name) else { continue };
        let Ok(seconds) = value.trim().parse::<u32>() else {
            wrong.push(NotSeconds { variable: name, value });
            continue;
        };
        let outer = Duration::from_secs(seconds.into());
        let margin = (outer / 10).max(min_margin);
        let inner = outer.saturating_sub(margin).max(Duration::from_secs(1));
        let (outer, inner) = (GoDuration::from_std(outer), GoDuration::from_std(inner));
        if shortest.is_none_or(|shortest| inner < shortest.inner) {
            shortest = Some(OuterGrace { variable: name, outer, inner });
        }
    }
    (shortest, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(cancel: Option<&str>, signal: Option<&str>) -> Option<String> {
        let variable = |name: &str| match name {
            CANCEL_GRACE_VARIABLE => cancel.map(str::to_owned),
            _ => signal.map(str::to_owned),
        };
        outer_grace(variable).0.map(|grace| grace.inner.to_string())
    }

    #[test]
    fn the_inner_deadline_comes_first() {
        for (announced, share) in [("10", "7s"), ("100", "1m30s"), ("3", "1s"), ("0", "1s")] {
            assert_eq!(inner(Some(announced), None).as_deref(), Some(share), "{announced}");
        }
        for (announced, share) in [("9", "7s"), ("100", "1m30s"), ("4", "2s"), ("1", "1s")] {
            assert_eq!(inner(None, Some(announced)).as_deref(), Some(share), "{announced}");
        }
        assert_eq!(inner(None, None), None);
    }

    #[test]
    fn the_shorter_period_counts() {
        assert_eq!(inner(Some("20"), Some("4")).as_deref(), Some("2s"));
        assert_eq!(inner(Some("5"), Some("60")).as_deref(), Some("2s"));
        assert_eq!(inner(Some("10"), Some("9")).as_deref(), Some("7s"), "the agent's defaults");
    }

    #[test]
    fn what_is_no_number_of_seconds_is_named() {
        let (grace, wrong) = outer_grace(|name| (name == CANCEL_GRACE_VARIABLE).then(|| "soon".to_owned()));
        assert_eq!(grace, None);
        let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(wrong, ["BUILDKITE_CANCEL_GRACE_PERIOD is \"soon\"; allowed are whole seconds"]);
        assert_eq!(inner(Some("-1"), Some("60")).as_deref(), Some("54s"));
    }
}
