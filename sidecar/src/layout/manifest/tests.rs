use super::*;
use common::report::{Leftovers, Output, ProcessState, Reason, Usage};

fn report() -> Report {
    Report {
        version: common::report::VERSION,
        reason: Reason::Exited,
        cause: "exited with hidden".to_owned(),
        code: 0,
        child: None,
        child_ended: None,
        started: Timestamp::from_nanos(0),
        finished: Timestamp::from_nanos(0),
        timeout_ns: 0,
        grace_period_ns: 0,
        interrupts: Vec::new(),
        output: Output { log_bytes: 3, log_crc32c: "000000ab".to_owned(), ..Output::default() },
        leftovers: Leftovers { names: vec!["7 hidden --x".to_owned()], ..Leftovers::default() },
        usage: Usage::default(),
        cgroup: None,
        processes: vec![ProcessState { name: "hidden".to_owned(), ..ProcessState::default() }],
        course: None,
        trace: None,
    }
}

#[test]
fn reports_are_masked_but_their_keys_are_not() {
    let mask = |text: &str| text.replace("hidden", "XXXXXX").replace("version", "XXXXXXX");
    let report = report();
    let all = reports([("test", Some(&report)), ("none", None), ("test", Some(&report))], &mask);
    let text = common::json::to_go_string(&all);
    assert!(text.contains(r#""cause":"exited with XXXXXX""#), "{text}");
    assert!(text.contains(r#""names":["7 XXXXXX --x"]"#), "{text}");
    assert!(text.contains(r#""name":"XXXXXX""#), "{text}");
    assert!(text.contains(r#""version":1"#), "{text}");
    assert_eq!(all.keys().collect::<Vec<_>>(), ["test", "test#2"]);
}

#[test]
fn the_log_is_proven_when_nothing_was_dropped() {
    let mut report = report();
    assert_eq!(matches_report(&report, 3, 0xab), Some(true));
    assert_eq!(matches_report(&report, 3, 0xac), Some(false));
    assert_eq!(matches_report(&report, 4, 0xab), Some(false));
    report.output.dropped_bytes = 1;
    assert_eq!(matches_report(&report, 3, 0xab), None);
}

#[test]
fn the_schema_is_the_designs() {
    let object = ManifestObject {
        key: "k".into(),
        source: Some("/logs/k".into()),
        name_masked: false,
        state: "stored",
        reason: None,
        error: None,
        proof: Some(Proof { source_crc32c: "000000ab".into(), ..Proof::default() }),
        matches_report: Some(true),
    };
    let objects = || std::iter::once(object.clone());
    let manifest = Manifest {
        version: VERSION,
        job: None,
        objects,
        listing: || None,
        limits: None,
        containers: Vec::new(),
        censoring: None,
        reports: BTreeMap::new(),
        tests: None,
        passes: Vec::new(),
        deadline: None,
    };
    assert_eq!(
        common::json::to_go_string(&manifest),
        r#"{"version":1,"objects":[{"key":"k","source":"/logs/k","state":"stored","source_bytes":0,"source_crc32c":"000000ab","stored_bytes":0,"stored_crc32c":"","censored":0,"matches_report":true}],"containers":[],"reports":{},"passes":[]}"#
    );
}
