//! `finished.json`: the result, as Prow and testgrid read it (contract 3.6).

use super::value::Value;
use crate::deliver::{End, JobResult, Verdict};
use common::report::{Reason, Report};
use serde::Serialize;
use std::collections::BTreeMap;

/// The key of these programs' own metadata.
const OWN_KEY: &str = "pod-utils";

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

/// The facts of an entry that the result depends on.
#[derive(Clone, Copy, Debug)]
pub struct EntryFacts<'a> {
    /// The container's name.
    pub container: &'a str,
    /// Its end; `None` while it runs.
    pub end: Option<End>,
    /// Its report, if there is one.
    pub report: Option<&'a Report>,
}

impl Finished {
    /// Builds the document. `metadata` is masked already; the texts of reports and
    /// the revision pass through `mask`.
    pub fn new(
        timestamp: i64,
        verdict: Verdict,
        mut metadata: BTreeMap<String, Value>,
        revision: &str,
        entries: &[EntryFacts<'_>],
        mask: &dyn Fn(&str) -> String,
    ) -> Self {
        if let Some(causes) = causes(entries, mask) {
            metadata.insert(OWN_KEY.to_owned(), causes);
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

/// The end of an entry that did not simply exit.
struct EntryCause {
    container: String,
    reason: &'static str,
    cause: String,
    code: Option<i32>,
}

/// Returns the object `pod-utils`; `None` when every entry simply exited.
fn causes(entries: &[EntryFacts<'_>], mask: &dyn Fn(&str) -> String) -> Option<Value> {
    let all: Vec<EntryCause> = entries.iter().filter_map(|entry| entry_cause(entry, mask)).collect();
    // An entry that was not even started is never the origin.
    let decisive = all.iter().find(|why| why.reason != name(Reason::PreviousFailed)).or(all.first())?;
    let cause = match (entries.len(), decisive.container.as_str()) {
        (1, _) | (_, "") => decisive.cause.clone(),
        (_, container) => format!("{container}: {}", decisive.cause),
    };
    let entry = |why: &EntryCause| {
        let mut members = BTreeMap::from([
            ("container".to_owned(), Value::text(&why.container)),
            ("reason".to_owned(), Value::text(why.reason)),
            ("cause".to_owned(), Value::text(&why.cause)),
        ]);
        members.extend(why.code.map(|code| ("code".to_owned(), Value::Number(code.to_string()))));
        Value::Object(members)
    };
    Some(Value::Object(BTreeMap::from([
        ("cause".to_owned(), Value::Text(cause)),
        ("entries".to_owned(), Value::List(all.iter().map(entry).collect())),
    ])))
}

fn entry_cause(entry: &EntryFacts<'_>, mask: &dyn Fn(&str) -> String) -> Option<EntryCause> {
    let (reason, cause, code) = match (entry.end, entry.report) {
        (Some(End::Marker { code, .. }), Some(report)) if says_more(code, report) => {
            (name(report.reason), mask(&report.cause), Some(code))
        }
        (Some(End::Marker { .. }), _) => return None,
        (Some(End::Unreadable), _) => {
            ("unreadable_marker", "the marker file holds no exit code".to_owned(), Some(-1))
        }
        (Some(End::Lost { .. }), _) => {
            let cause = "entrypoint was killed from outside, most likely out of memory";
            ("lost", cause.to_owned(), None)
        }
        (None, _) => ("running", "the pod was told to stop while it was running".to_owned(), None),
    };
    Some(EntryCause { container: mask(entry.container), reason, cause, code })
}

/// Returns whether a report says more than the code: an ordinary exit with a code
/// other than 0 may be that of a parent whose child the kernel killed.
fn says_more(code: i32, report: &Report) -> bool {
    let killed = report.cgroup.as_ref().and_then(|cgroup| cgroup.oom_kills).unwrap_or(0);
    report.reason != Reason::Exited || (code != 0 && killed > 0)
}

/// Returns a reason as reports write it.
fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Exited => "exited",
        Reason::Signaled => "signaled",
        Reason::TimedOut => "timed_out",
        Reason::Aborted => "aborted",
        Reason::StartFailed => "start_failed",
        Reason::PreviousFailed => "previous_failed",
        Reason::InternalError => "internal_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::report::{Leftovers, Output, Usage, VERSION};
    use common::timestamp::Timestamp;

    fn report(reason: Reason, cause: &str) -> Report {
        Report {
            version: VERSION,
            reason,
            cause: cause.to_owned(),
            code: 127,
            child: None,
            child_ended: None,
            started: Timestamp::from_nanos(0),
            finished: Timestamp::from_nanos(0),
            timeout_ns: 0,
            grace_period_ns: 0,
            interrupts: Vec::new(),
            output: Output::default(),
            leftovers: Leftovers::default(),
            usage: Usage::default(),
            cgroup: None,
        }
    }

    fn text(verdict: Verdict, metadata: &str, entries: &[EntryFacts<'_>]) -> String {
        let Ok(Value::Object(metadata)) = Value::parse(metadata) else { panic!("an object") };
        let mask = |text: &str| text.replace("hidden", "XXXXXX");
        common::json::to_go_string(&Finished::new(
            1_767_225_600,
            verdict,
            metadata,
            "0f1e2d3c",
            entries,
            &mask,
        ))
    }

    const FAILED: Verdict = Verdict { passed: false, aborted: false, failures: 1 };

    fn marker(code: i32) -> End {
        End::Marker { code, report: None }
    }

    #[test]
    fn s_50_the_example() {
        assert_eq!(
            text(FAILED, r#"{"node_os_image":"cos-113"}"#, &[]),
            r#"{"timestamp":1767225600,"passed":false,"metadata":{"node_os_image":"cos-113"},"result":"FAILURE","revision":"0f1e2d3c"}"#
        );
    }

    #[test]
    fn entries_that_simply_exit_add_nothing() {
        let exited = report(Reason::Exited, "exited with code 3");
        let entries = [
            EntryFacts { container: "test", end: Some(marker(3)), report: Some(&exited) },
            EntryFacts { container: "other", end: Some(marker(130)), report: None },
        ];
        assert!(text(FAILED, "{}", &entries).contains(r#""passed":false,"result":"FAILURE""#));
    }

    #[test]
    fn an_exit_for_lack_of_memory_is_told_unless_it_passed() {
        let mut exited = report(Reason::Exited, "exited with code 2; the kernel killed a process");
        exited.cgroup = Some(common::report::Cgroup { memory_peak_bytes: None, oom_kills: Some(1) });
        let facts = |code| [EntryFacts { container: "", end: Some(marker(code)), report: Some(&exited) }];
        let told = text(FAILED, "{}", &facts(2));
        assert!(
            told.contains(r#""cause":"exited with code 2; the kernel killed a process","entries":[{"#),
            "{told}"
        );
        assert!(told.contains(r#""reason":"exited""#), "{told}");
        assert!(!text(FAILED, "{}", &facts(0)).contains("pod-utils"));
    }

    #[test]
    fn the_cause_is_told_and_masked() {
        let previous = report(Reason::PreviousFailed, "the entry before failed");
        let timed_out = report(Reason::TimedOut, "timed out after 2h0m0s hidden");
        let entries = [
            EntryFacts { container: "one", end: Some(marker(1130)), report: Some(&previous) },
            EntryFacts { container: "two", end: Some(marker(127)), report: Some(&timed_out) },
            EntryFacts { container: "three", end: Some(End::Lost { told_to_stop: false }), report: None },
        ];
        let text = text(FAILED, r#"{"pod-utils":"forged"}"#, &entries);
        for part in [
            r#"{"pod-utils":{"cause":"two: timed out after 2h0m0s XXXXXX","entries":[{"#,
            r#"{"cause":"the entry before failed","code":1130,"container":"one","reason":"previous_failed"}"#,
            r#"{"cause":"entrypoint was killed from outside, most likely out of memory","container":"three","reason":"lost"}"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_provisional_result_says_what_was_running() {
        let entries = [EntryFacts { container: "", end: None, report: None }];
        let text = text(Verdict::PROVISIONAL, "{}", &entries);
        assert!(text.contains(r#""cause":"the pod was told to stop while it was running""#), "{text}");
        assert!(text.contains(r#""result":"ABORTED""#), "{text}");
    }
}
