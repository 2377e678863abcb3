//! Test reports as documents hold them.

use super::value::Value;
use crate::junit::{Failure, TestSummary};
use std::collections::BTreeMap;

/// At most this many failures are in `finished.json`.
const MAX_IN_FINISHED: usize = 50;

/// Upper bound on the failures in `manifest.json`, in bytes of their texts.
const MAX_MANIFEST_BYTES: usize = 1 << 20;

/// Returns the tests for `finished.json`: texts and maps alone, which is all that
/// Deck shows.
pub(super) fn in_finished(tests: &TestSummary) -> Value {
    let failures = tests.failures.iter().take(MAX_IN_FINISHED).enumerate();
    let failures = failures.map(|(index, failure)| (format!("{:02}", index + 1), short(failure)));
    let mut members = counts(tests);
    members.insert("failures".to_owned(), Value::Object(failures.collect()));
    Value::Object(members)
}

/// Returns the tests for `manifest.json`, with output as far as there is room.
pub fn in_manifest(tests: &TestSummary) -> Value {
    let mut room = MAX_MANIFEST_BYTES;
    let mut failures = Vec::new();
    for failure in &tests.failures {
        let Value::Object(mut members) = short(failure) else { continue };
        let Some(left) = room.checked_sub(bytes(&Value::Object(members.clone()))) else { break };
        room = left;
        let output = Value::text(&failure.output);
        if let Some(left) = room.checked_sub(bytes(&output)).filter(|_| !failure.output.is_empty()) {
            room = left;
            members.insert("output".to_owned(), output);
        }
        failures.push(Value::Object(members));
    }
    let slowest = tests.slowest.iter().map(|timed| {
        Value::Object(BTreeMap::from([
            ("suite".to_owned(), Value::text(&timed.suite)),
            ("name".to_owned(), Value::text(&timed.name)),
            ("seconds".to_owned(), seconds(timed.seconds)),
        ]))
    });
    let mut members = counts(tests);
    members.insert("failures".to_owned(), Value::List(failures));
    members.insert("slowest".to_owned(), Value::List(slowest.collect()));
    Value::Object(members)
}

fn counts(tests: &TestSummary) -> BTreeMap<String, Value> {
    let count = |number: u64| Value::Text(number.to_string());
    let counts = &tests.counts;
    let mut members = BTreeMap::from([
        ("tests".to_owned(), count(counts.tests)),
        ("failed".to_owned(), count(counts.failed)),
        ("skipped".to_owned(), count(counts.skipped)),
        ("seconds".to_owned(), seconds(counts.seconds)),
    ]);
    if counts.flaky > 0 {
        members.insert("flaky".to_owned(), count(counts.flaky));
    }
    if tests.incomplete > 0 {
        members.insert("incomplete_reports".to_owned(), count(tests.incomplete as u64));
    }
    members
}

fn short(failure: &Failure) -> Value {
    let texts = [
        ("suite", &failure.suite),
        ("name", &failure.name),
        ("file", &failure.file),
        ("message", &failure.message),
    ];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let mut members: BTreeMap<_, _> = texts.map(|(key, text)| (key.to_owned(), Value::text(text))).collect();
    if failure.flaky {
        members.insert("flaky".to_owned(), Value::text("true"));
    }
    Value::Object(members)
}

fn seconds(time: f64) -> Value {
    Value::Text(format!("{time:.3}"))
}

/// Returns the size of a value as it is written.
fn bytes(value: &Value) -> usize {
    common::json::to_go_string(value).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::junit::Counts;

    fn summary(failed: usize, output: &str) -> TestSummary {
        let failure = |number: usize| Failure {
            suite: "s".to_owned(),
            name: format!("t{number}"),
            message: "m".to_owned(),
            output: output.to_owned(),
            flaky: number == 1,
            ..Failure::default()
        };
        TestSummary {
            counts: Counts { tests: 412, failed: failed as u64, skipped: 2, flaky: 1, seconds: 12.5 },
            files: 2,
            incomplete: 1,
            failures: (0..failed).map(failure).collect(),
            slowest: vec![crate::junit::Timed { suite: "s".to_owned(), name: "t".to_owned(), seconds: 7.25 }],
        }
    }

    #[test]
    fn the_result_holds_texts_and_maps_of_the_first_failures() {
        let text = common::json::to_go_string(&in_finished(&summary(2, "out")));
        assert_eq!(
            text,
            r#"{"failed":"2","failures":{"01":{"message":"m","name":"t0","suite":"s"},"02":{"flaky":"true","message":"m","name":"t1","suite":"s"}},"flaky":"1","incomplete_reports":"1","seconds":"12.500","skipped":"2","tests":"412"}"#
        );
        let Value::Object(members) = in_finished(&summary(60, "out")) else { panic!("an object") };
        let Some(Value::Object(failures)) = members.get("failures") else { panic!("a map") };
        assert_eq!(failures.len(), MAX_IN_FINISHED);
    }

    #[test]
    fn the_manifest_holds_output_as_far_as_there_is_room() {
        let text = common::json::to_go_string(&in_manifest(&summary(2, "out")));
        assert!(
            text.contains(r#""failures":[{"message":"m","name":"t0","output":"out","suite":"s"},"#),
            "{text}"
        );
        assert!(text.contains(r#""slowest":[{"name":"t","seconds":"7.250","suite":"s"}]"#), "{text}");
        // A control character takes six bytes.
        let text = common::json::to_go_string(&in_manifest(&summary(1000, &"\u{1}".repeat(4000))));
        assert!(
            text.len() < MAX_MANIFEST_BYTES + 2000 && text.len() > MAX_MANIFEST_BYTES / 2,
            "{}",
            text.len()
        );
    }
}
