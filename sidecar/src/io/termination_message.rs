//! The termination message: what Kubernetes shows when the container has ended.

use super::context::Context;
use super::object::ObjectPlan;
use crate::deliver::{Summary, Verdict};
use crate::settings::Settings;
use std::path::Path;

/// Writes the result in one line, where Kubernetes made a file for it. `verdict`
/// is that of the result that was stored.
pub fn write(settings: &Settings, context: &Context, plan: &ObjectPlan, verdict: Option<Verdict>) {
    let failed = plan.objects().find_map(|object| {
        let failure = object.state.failure()?;
        Some(format!("{}: {failure}", object.desired.key))
    });
    let text = text(verdict, settings.entries.len(), plan.summary(), failed.as_deref());
    let path = settings.delivery.termination_message_path();
    common::termination::write(Path::new(path), &context.masked(&text));
}

/// `FAILURE: 1 of 2 containers failed; 14 objects with 3145728 bytes delivered, 1 failed: key: 403`.
fn text(verdict: Option<Verdict>, entries: usize, summary: Summary, failed: Option<&str>) -> String {
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
            text(Some(passed), 1, summary, None),
            "SUCCESS: 0 of 1 containers failed; 14 objects with 3145728 bytes delivered"
        );
        let summary = Summary { failed: 2, withheld: 1, cut: 1, open: 1, skipped: 3, ..summary };
        assert_eq!(
            text(None, 2, summary, Some("a/b: 403")),
            "no final result was delivered; 14 objects with 3145728 bytes delivered, 2 failed, 1 withheld, \
             2 not sent in time, 3 skipped; a/b: 403"
        );
    }
}
