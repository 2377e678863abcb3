//! Checks whether the times in the options can work together.

use crate::deliver::Budget;
use crate::settings::Settings;
use common::duration::GoDuration;
use std::time::Duration;

/// Returns one line for each conflict.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let Some(given) = settings.delivery.grace_period else { return Vec::new() };
    conflicts(
        given.as_std(),
        settings.test_grace_period,
        settings.ignore_interrupts || settings.delivery.native_sidecar,
    )
}

fn conflicts(given: Duration, test: Option<Duration>, waits: bool) -> Vec<String> {
    let budget = Budget::of(given);
    let written = |time| GoDuration::from_std(time).to_string();
    let (given_text, cutoff) = (written(given), written(budget.cutoff));
    let mut found = Vec::new();
    if given < Duration::from_secs(10) {
        found.push(format!(
            "delivery.grace_period is {given_text}: uploads have only {cutoff} of it, allow at least 10s"
        ));
    }
    let Some(test) = test else { return found };
    let test_text = written(test);
    if test >= budget.cutoff {
        found.push(format!(
            "delivery.grace_period is {given_text}, but a test may take {test_text} to end (JOB_SPEC's grace_period): \
             what it writes then cannot be delivered, because uploads end after {cutoff}"
        ));
    } else if waits && test > budget.wait_share {
        found.push(format!(
            "delivery.grace_period is {given_text}, half of which is for waiting, but a test may take {test_text} \
             to end (JOB_SPEC's grace_period): a best-effort upload begins before it has ended"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_that_cannot_work_are_warned_about() {
        let seconds = Duration::from_secs;
        for (given, test, waits, warnings) in [
            (30, Some(15), true, 0),
            (30, None, true, 0),
            (30, Some(16), false, 0),
            (30, Some(16), true, 1),
            (30, Some(25), false, 1),
            (8, None, false, 1),
            (8, Some(60), true, 2),
        ] {
            let found = conflicts(seconds(given), test.map(seconds), waits);
            assert_eq!(found.len(), warnings, "{given} {test:?} {waits}: {found:?}");
        }
    }
}
