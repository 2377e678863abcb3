//! Traces of made-up jobs.

use super::*;
use common::report::{Interrupt, Origin, Recipient};
use common::signal::Signal;
use serde_json::json;

const BEGAN: Timestamp = Timestamp::from_nanos(1_000);
const NOW: Timestamp = Timestamp::from_nanos(9_000);

fn report(trace: Option<(&str, bool)>) -> Report {
    let mut report: Report = serde_json::from_value(json!({
        "version": 1, "reason": "exited", "cause": "exited with code 1", "code": 1,
        "started": "1970-01-01T00:00:00.000001Z", "finished": "1970-01-01T00:00:00.000008Z",
        "child_ended": "1970-01-01T00:00:00.000005Z", "timeout_ns": 1, "grace_period_ns": 1,
    }))
    .expect("a report");
    report.trace = trace.map(|(digit, inherited)| Trace {
        trace_id: digit.repeat(32),
        span_id: digit.repeat(16),
        inherited,
    });
    report
}

fn facts<'a>(reports: &'a [Option<Report>], failures: &'a [Failure]) -> Facts<'a> {
    let entry = |report: &'a Option<Report>| EntryFacts {
        container: "test",
        report: report.as_ref(),
        told: ("exited", "exited with code 1"),
        code: Some(1),
    };
    Facts {
        job: None,
        result: JobResult::Failure,
        sentence: "exited with code 1",
        entries: reports.iter().map(entry).collect(),
        passes: &[],
        uploads: Vec::new(),
        failures,
        time: (BEGAN, NOW),
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn plain(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_trace_without_a_report_has_the_given_id() {
    let spans = spans(&facts(&[None], &[]), [7; 16], &plain);
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.trace_id == [7; 16]));
    assert_eq!(spans[1].parent_span_id, spans[0].span_id);
    assert_eq!((spans[0].start_time_unix_nano, spans[0].end_time_unix_nano), (1_000, 9_000));
}

#[test]
fn told_again_it_has_the_same_ids_and_all_are_different() {
    let reports = [Some(report(Some(("a", false)))), Some(report(Some(("b", false))))];
    let failures = vec![Failure::default(); 3];
    let facts = facts(&reports, &failures);
    let one = spans(&facts, [1; 16], &plain);
    assert_eq!(one, spans(&facts, [2; 16], &plain));
    let mut ids: Vec<_> = one.iter().map(|span| &span.span_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), one.len());
    assert!(one.iter().all(|span| span.span_id.len() == 8 && span.trace_id.len() == 16));
}

#[test]
fn an_entry_of_another_trace_is_linked_with_the_job() {
    let reports = [Some(report(Some(("a", false)))), Some(report(Some(("b", false))))];
    let spans = spans(&facts(&reports, &[]), [0; 16], &plain);
    let entries = named(&spans, "RUN test");
    assert_eq!(
        (entries[0].trace_id.as_slice(), entries[0].span_id.as_slice()),
        (&[0xaa; 16][..], &[0xaa; 8][..])
    );
    assert_eq!(entries[0].parent_span_id, spans[0].span_id);
    assert_eq!(
        (entries[1].trace_id.as_slice(), entries[1].span_id.as_slice()),
        (&[0xbb; 16][..], &[0xbb; 8][..])
    );
    assert!(entries[1].parent_span_id.is_empty());
    assert_eq!(entries[1].links[0].span_id, spans[0].span_id);
    assert_eq!(spans[0].links[0].span_id, entries[1].span_id);
}

#[test]
fn inherited_spans_are_above_the_job() {
    let reports = [Some(report(Some(("a", true)))), Some(report(Some(("a", true))))];
    let spans = spans(&facts(&reports, &[]), [0; 16], &plain);
    assert_eq!(spans[0].parent_span_id, [0xaa; 8]);
    for entry in named(&spans, "RUN test") {
        assert_eq!(entry.parent_span_id, spans[0].span_id);
        assert_ne!(entry.span_id, [0xaa; 8]);
    }
}

#[test]
fn ids_that_are_not_hexadecimal_of_their_length_are_not_taken() {
    for (trace, span) in [("a", "b"), ("+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa"), ("", "")] {
        let trace = Trace { trace_id: trace.to_owned(), span_id: span.to_owned(), inherited: false };
        assert!(Context::of(&trace).is_none(), "{trace:?}");
    }
}

#[test]
fn phases_follow_each_other() {
    let mut report = report(None);
    let at = |nanos, from, sent_to| Interrupt {
        signal: Signal::TERM,
        at: Timestamp::from_nanos(nanos),
        from,
        sent_to,
    };
    report.interrupts = vec![
        at(3_000, Origin::Outside, Some(Recipient::Child)),
        at(6_000, Origin::Leftovers, Some(Recipient::Leftovers)),
    ];
    let phases: Vec<_> = phases::of(&report)
        .into_iter()
        .map(|phase| (phase.name, phase.time.0.as_nanos(), phase.time.1.as_nanos()))
        .collect();
    assert_eq!(
        phases,
        [
            ("running", 1_000, 3_000),
            ("terminating", 3_000, 5_000),
            ("draining", 5_000, 6_000),
            ("leftovers", 6_000, 8_000)
        ]
    );
    report.interrupts.clear();
    report.child_ended = None;
    assert_eq!(phases::of(&report).len(), 1, "a command that could not be started");
}

#[test]
fn hostile_texts_are_masked_bounded_and_never_turn_time_around() {
    let long = "hunter2-hunter2 ".repeat(1_000);
    let failure =
        |seconds| Failure { name: long.clone(), message: long.clone(), seconds, ..Failure::default() };
    let failures: Vec<_> =
        [f64::NAN, f64::INFINITY, -1.0, 1e300, 0.5].into_iter().cycle().take(1_000).map(failure).collect();
    let reports = [Some(report(None))];
    let mask = |text: &str| text.replace("hunter2-hunter2", "XXXXXXXXXXXXXXX");
    let spans = spans(&facts(&reports, &failures), [7; 16], &mask);
    assert!(spans.len() <= MAX_TESTS + 10);
    for span in &spans {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        assert!(span.name.len() <= 1_100 && !format!("{span:?}").contains("hunter2"), "{span:?}");
    }
}
