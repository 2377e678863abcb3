//! The termination message: what Kubernetes shows when the container has ended.

use super::Driver;
use crate::deliver::{State, Summary, Verdict};
use crate::layout::paths::FINISHED;
use std::path::Path;

impl Driver {
    /// Writes the result in one line, where Kubernetes made a file for it.
    pub(super) fn last_words(&self) {
        let stored = |name| self.plan.find(name).is_some_and(|object| object.state == State::Stored);
        let verdict = self.machine.ends().map(Verdict::of).filter(|_| stored(FINISHED));
        let failed = self.plan.objects().find_map(|object| match &object.state {
            State::Failed(error) => Some(format!("{}: {error}", object.desired.key)),
            State::Due
            | State::InFlight
            | State::Restarting
            | State::Leaving(_)
            | State::Pausing
            | State::Stored
            | State::Changed
            | State::Skipped(_)
            | State::Cut
            | State::Withheld(_) => None,
        });
        let words = words(verdict, self.settings.entries.len(), self.plan.summary(), failed.as_deref());
        let path = self.settings.delivery.termination_message_path();
        common::termination::write(Path::new(path), &self.masked(&words));
    }
}

/// `FAILURE: 1 of 2 containers failed; 14 objects with 3145728 bytes delivered, 1 failed: key: 403`.
fn words(verdict: Option<Verdict>, entries: usize, summary: Summary, failed: Option<&str>) -> String {
    let mut text = match verdict {
        Some(verdict) => {
            format!("{}: {} of {entries} containers failed", verdict.result(), verdict.failures)
        }
        None => "no final result was delivered".to_owned(),
    };
    text = format!("{text}; {} objects with {} bytes delivered", summary.stored, summary.stored_bytes);
    let missing = [
        (summary.failed, "failed"),
        (summary.withheld, "withheld"),
        (summary.cut + summary.open, "not sent in time"),
        (summary.skipped, "skipped"),
    ];
    for (count, what) in missing.into_iter().filter(|(count, _)| *count > 0) {
        text = format!("{text}, {count} {what}");
    }
    match failed {
        Some(failed) => format!("{text}; {failed}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_and_what_is_missing_are_one_line() {
        let summary = Summary { stored: 14, stored_bytes: 3 << 20, ..Summary::default() };
        let passed = Verdict { passed: true, aborted: false, failures: 0 };
        assert_eq!(
            words(Some(passed), 1, summary, None),
            "SUCCESS: 0 of 1 containers failed; 14 objects with 3145728 bytes delivered"
        );
        let summary = Summary { failed: 2, withheld: 1, cut: 1, open: 1, skipped: 3, ..summary };
        assert_eq!(
            words(None, 2, summary, Some("a/b: 403")),
            "no final result was delivered; 14 objects with 3145728 bytes delivered, 2 failed, 1 withheld, \
             2 not sent in time, 3 skipped; a/b: 403"
        );
    }
}
