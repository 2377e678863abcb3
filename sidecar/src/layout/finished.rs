//! `finished.json`: the result, as Prow and testgrid read it (contract 3.6).

use super::test_results;
use super::value::Value;
use crate::deliver::sentence::{Told, of_job, unique_names};
use crate::deliver::{JobResult, Verdict};
use crate::junit::TestSummary;
use serde::Serialize;
use std::collections::BTreeMap;

/// The key of these programs' own metadata.
const OWN_KEY: &str = "pod-utils";

/// The key of the sentence alone: testgrid reads top-level texts only.
const CAUSE_KEY: &str = "pod-utils-cause";

/// The document. The order of its fields is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finished {
    /// Unix seconds.
    pub timestamp: i64,
    /// Every entry ended with code 0.
    pub passed: bool,
    /// The metadata of the entries and of these programs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// `SUCCESS`, `ABORTED` or `FAILURE`.
    pub result: String,
    /// The commit under test, or its branch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
}

impl Finished {
    /// Builds the document. `metadata` and `tests` are masked already; the sentences of
    /// `entries`, each with its container's name, and the revision pass through `mask`.
    pub fn new(
        timestamp: i64,
        verdict: Verdict,
        mut metadata: BTreeMap<String, Value>,
        revision: &str,
        entries: &[(&str, Told)],
        tests: Option<&TestSummary>,
        mask: &dyn Fn(&str) -> String,
    ) -> Self {
        // What a job puts there is not ours.
        metadata.remove(OWN_KEY);
        metadata.remove(CAUSE_KEY);
        let of_tests = tests.map(|tests| tests.clause(verdict.passed)).unwrap_or_default();
        let mut own = BTreeMap::new();
        if !of_tests.is_empty() || entries.iter().any(|(_, told)| told.is_worth_telling()) {
            let cause = mask(&sentence(entries)) + &of_tests;
            metadata.insert(CAUSE_KEY.to_owned(), Value::text(&cause));
            own.insert("cause".to_owned(), Value::Text(cause));
            own.insert("entries".to_owned(), told(entries, mask));
        }
        own.extend(tests.map(|tests| ("tests".to_owned(), test_results::in_finished(tests))));
        if !own.is_empty() {
            metadata.insert(OWN_KEY.to_owned(), Value::Object(own));
        }
        let result: JobResult = verdict.result();
        Self {
            timestamp,
            passed: verdict.passed,
            metadata,
            result: result.to_string(),
            revision: mask(revision),
        }
    }
}

/// Returns the one sentence about all entries.
pub fn sentence(entries: &[(&str, Told)]) -> String {
    let names = unique_names(entries.iter().map(|(container, _)| *container));
    let told = entries.iter().map(|(_, told)| told);
    of_job(&names.iter().map(String::as_str).zip(told).collect::<Vec<_>>())
}

/// Returns the entries that did not simply pass, as Deck can show them: maps of texts.
fn told(entries: &[(&str, Told)], mask: &dyn Fn(&str) -> String) -> Value {
    let masked: Vec<_> = entries.iter().map(|(container, _)| mask(container)).collect();
    let names = unique_names(masked.iter().map(String::as_str));
    let told = names.into_iter().zip(entries).filter(|(_, (_, told))| told.is_worth_telling());
    let members = told.map(|(name, (_, told))| {
        let mut members = BTreeMap::from([
            ("reason".to_owned(), Value::text(told.reason)),
            ("cause".to_owned(), Value::Text(mask(&told.cause))),
        ]);
        members.extend(told.code.map(|code| ("code".to_owned(), Value::Text(code.to_string()))));
        (name, Value::Object(members))
    });
    Value::Object(members.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(reason: &'static str, cause: &str, code: Option<i32>) -> Told {
        Told { reason, cause: cause.to_owned(), code, is_noted: false }
    }

    fn text(verdict: Verdict, metadata: &str, entries: &[(&str, Told)]) -> String {
        let Ok(Value::Object(metadata)) = Value::parse(metadata) else { panic!("an object") };
        let mask = |text: &str| text.replace("hidden", "XXXXXX");
        common::json::to_go_string(&Finished::new(
            1_767_225_600,
            verdict,
            metadata,
            "0f1e2d3c",
            entries,
            None,
            &mask,
        ))
    }

    const FAILED: Verdict = Verdict { passed: false, aborted: false, failures: 1 };
    const PASSED: Verdict = Verdict { passed: true, aborted: false, failures: 0 };

    #[test]
    fn s_50_the_example() {
        assert_eq!(
            text(FAILED, r#"{"node_os_image":"cos-113"}"#, &[]),
            r#"{"timestamp":1767225600,"passed":false,"metadata":{"node_os_image":"cos-113"},"result":"FAILURE","revision":"0f1e2d3c"}"#
        );
    }

    #[test]
    fn a_plain_success_adds_nothing() {
        let entries = [("test", told("exited", "exited with code 0", Some(0)))];
        let told = text(PASSED, r#"{"pod-utils":"forged","pod-utils-cause":"forged"}"#, &entries);
        assert!(told.contains(r#""passed":true,"result":"SUCCESS""#), "{told}");
    }

    #[test]
    fn the_cause_is_told_in_texts_and_maps_and_masked() {
        let entries = [
            ("one", told("previous_failed", "the entry before failed", Some(1130))),
            ("", told("timed_out", "timed out after 2h0m0s hidden", Some(127))),
            ("hidden", told("lost", "entrypoint was killed", None)),
            ("four", told("exited", "exited with code 0", Some(0))),
        ];
        let text = text(FAILED, r#"{"pod-utils":"forged"}"#, &entries);
        let cause = "entry-2: timed out after 2h0m0s XXXXXX; XXXXXX: entrypoint was killed";
        assert!(
            text.contains(&format!(
                r#""metadata":{{"pod-utils":{{"cause":"{cause}","entries":{{"XXXXXX":{{"#
            )),
            "{text}"
        );
        for part in [
            r#""XXXXXX":{"cause":"entrypoint was killed","reason":"lost"}"#,
            r#""entry-2":{"cause":"timed out after 2h0m0s XXXXXX","code":"127","reason":"timed_out"}"#,
            r#""one":{"cause":"the entry before failed","code":"1130","reason":"previous_failed"}}}"#,
            &format!(r#""pod-utils-cause":"{cause}""#),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("four"), "{text}");
    }
}
