//! The termination message: what Kubernetes shows when the container has ended.

use super::context::Context;
use super::documents;
use super::object::ObjectPlan;
use crate::censor::LoadProblem;
use crate::deliver::sentence::size;
use crate::deliver::{Summary, Verdict};
use crate::settings::Settings;
use std::path::Path;

/// Writes the result in one line, where Kubernetes made a file for it. `verdict`
/// is that of the result that was stored, `sentence` says why; `gap` is what the
/// listing left out.
pub fn write(
    settings: &Settings,
    context: &Context,
    plan: &ObjectPlan,
    verdict: Option<Verdict>,
    (sentence, gap): (&str, Option<String>),
) {
    let retired = plan.retired().failure.as_ref().map(|(key, failure)| format!("{key}: {failure}"));
    let failed = retired.or_else(|| {
        plan.objects().find_map(|object| {
            let failure = object.state.failure()?;
            Some(format!("{}: {failure}", object.desired.key))
        })
    });
    let secrets = context.censor.as_deref().and_then(|censor| secrets(censor.problems(), censor.unmasked()));
    let limits = documents::over_limit(plan).map(|gap| gap.to_string());
    let parts = [gap, limits, failed, secrets];
    let text = text(verdict, sentence, plan.summary(), parts.iter().flatten());
    let path = settings.delivery.termination_message_path();
    common::termination::write(Path::new(path), &context.masked(&text));
}

/// `FAILURE: exited with code 3; 14 objects, 3.1 MB delivered, 1 failed; key: 403`.
fn text<'a>(
    verdict: Option<Verdict>,
    sentence: &str,
    summary: Summary,
    more: impl Iterator<Item = &'a String>,
) -> String {
    let result = match verdict {
        Some(verdict) => verdict.result().to_string(),
        None => "no final result was delivered".to_owned(),
    };
    let objects = if summary.stored == 1 { "object" } else { "objects" };
    let delivered = size(summary.stored_bytes);
    let mut text = format!("{result}: {sentence}; {} {objects}, {delivered} delivered", summary.stored);
    let missing = [
        (summary.failed, "failed"),
        (summary.withheld, "withheld"),
        (summary.cut + summary.open, "not sent in time"),
        (summary.skipped, "skipped"),
    ];
    for (count, what) in missing.into_iter().filter(|(count, _)| *count > 0) {
        text = format!("{text}, {count} {what}");
    }
    more.fold(text, |text, part| format!("{text}; {part}"))
}

/// Says which secrets are not masked, by the first one of each kind.
fn secrets(not_loaded: &[LoadProblem], not_masked: &[String]) -> Option<String> {
    let kind = |count: usize, first: &str, singular: &str, plural: &str| match count {
        1 => format!("the secret {first} {singular}"),
        _ => format!("{count} secrets {plural}, first {first}"),
    };
    let lost = not_loaded
        .first()
        .map(|problem| kind(not_loaded.len(), &problem.path, "could not be loaded", "could not be loaded"));
    let short = not_masked
        .first()
        .map(|path| kind(not_masked.len(), path, "is too short to be masked", "are too short to be masked"));
    let parts: Vec<_> = [lost, short].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_its_sentence_and_what_is_missing_are_one_line() {
        let summary = Summary { stored: 14, stored_bytes: 3 << 20, ..Summary::default() };
        let passed = Verdict { passed: true, aborted: false, failures: 0 };
        assert_eq!(
            text(Some(passed), "exited with code 0", summary, [].iter()),
            "SUCCESS: exited with code 0; 14 objects, 3.1 MB delivered"
        );
        let summary = Summary { stored: 1, failed: 2, withheld: 1, cut: 1, open: 1, skipped: 3, ..summary };
        assert_eq!(
            text(None, "timed out", summary, ["a/b: 403".to_owned()].iter()),
            "no final result was delivered: timed out; 1 object, 3.1 MB delivered, 2 failed, 1 withheld, \
             2 not sent in time, 3 skipped; a/b: 403"
        );
    }

    #[test]
    fn secrets_that_are_not_masked_are_named() {
        let problem = |path: &str| LoadProblem { path: path.to_owned(), reason: "it is gone".to_owned() };
        let short = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(secrets(&[], &[]), None);
        assert_eq!(secrets(&[problem("/s/a")], &[]).as_deref(), Some("the secret /s/a could not be loaded"));
        assert_eq!(
            secrets(&[problem("/s/a"), problem("/s/b")], &short(&["/s/c"])).as_deref(),
            Some("2 secrets could not be loaded, first /s/a; the secret /s/c is too short to be masked")
        );
    }
}
