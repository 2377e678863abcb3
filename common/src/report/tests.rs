use super::*;

fn sample() -> Report {
    let at = Timestamp::from_nanos(1_767_225_600_000_000_000);
    Report {
        version: VERSION,
        reason: Reason::TimedOut,
        cause: "timed out after 2h0m0s".to_owned(),
        code: 127,
        child: Some(ChildEnd::Signal(Signal::KILL)),
        child_ended: Some(at),
        started: at,
        finished: at,
        timeout_ns: 1,
        grace_period_ns: 2,
        interrupts: vec![Interrupt {
            signal: Signal::INT,
            at,
            from: Origin::Timeout,
            sent_to: Some(Recipient::Child),
        }],
        output: Output { log_crc32c: crc32c_text(0xab), ..Output::default() },
        leftovers: Leftovers::default(),
        usage: Usage::default(),
        cgroup: None,
        processes: Vec::new(),
        course: None,
        trace: None,
    }
}

#[test]
fn the_schema_is_the_designs() {
    let text = serde_json::to_string(&sample()).expect("serialises");
    for part in [
        r#""version":1"#,
        r#""reason":"timed_out""#,
        r#""child":{"signal":"SIGKILL"}"#,
        r#""started":"2026-01-01T00:00:00Z""#,
        r#"{"signal":"SIGINT","at":"2026-01-01T00:00:00Z","from":"timeout","sent_to":"child"}"#,
        r#""log_crc32c":"000000ab""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(serde_json::from_str::<Report>(&text).expect("parses"), sample());
}

#[test]
fn a_report_never_outgrows_its_space() {
    let mut report = sample();
    assert_eq!(serde_json::from_slice::<Report>(&report.encode()).expect("parses"), report);
    report.cause = "\u{1}".repeat(RESERVED_BYTES);
    report.leftovers.names = vec!["\u{1}".repeat(10_000); 30];
    report.interrupts = vec![report.interrupts[0].clone(); 10_000];
    report.processes = vec![ProcessState::default(); 2_000];
    report.course = Some(Course::default());
    let bytes = report.encode();
    assert!(bytes.len() <= RESERVED_BYTES, "{}", bytes.len());
    let read = serde_json::from_slice::<Report>(&bytes).expect("parses");
    assert_eq!(read.interrupts, report.interrupts[..MAX_INTERRUPTS]);
    assert_eq!(read.leftovers.names.len(), MAX_LEFTOVER_NAMES);
    assert_eq!((read.reason, read.code), (report.reason, report.code));
}

#[test]
fn processes_are_dropped_before_the_course() {
    let mut report = sample();
    let columns = [("at_s".to_owned(), vec![1; MAX_SAMPLES])].into();
    report.course = Some(Course { columns, ..Course::default() });
    report.processes = vec![ProcessState { command: "x".repeat(200), ..ProcessState::default() }; 400];
    let fits = Report { processes: report.processes[..MAX_PROCESSES].to_vec(), ..report.clone() };
    assert_eq!(serde_json::from_slice::<Report>(&fits.encode()).expect("parses"), fits);
    let bytes = report.encode();
    let read = serde_json::from_slice::<Report>(&bytes).expect("parses");
    assert!(bytes.len() <= MAX_BYTES && read.processes.is_empty());
    assert_eq!(read.course, report.course);
}

#[test]
fn a_forged_checksum_is_no_text_to_publish() {
    let dir = tempfile::tempdir().expect("a directory");
    let marker = dir.path().join("m");
    let mut report = sample();
    report.output.log_crc32c = "a secret".to_owned();
    let text = serde_json::to_string(&report).expect("serialises");
    std::fs::write(marker::report_path(&marker), text).expect("written");
    let read = read(&marker).expect("read").expect("there");
    assert_eq!(read.output.log_crc32c, "");
}

#[test]
fn unknown_keys_are_ignored_and_nonsense_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let marker = dir.path().join("m");
    assert_eq!(read(&marker).expect("absent"), None);
    let mut value = serde_json::to_value(sample()).expect("a value");
    value["news"] = serde_json::json!({"a": 1});
    std::fs::write(marker::report_path(&marker), value.to_string()).expect("written");
    assert_eq!(read(&marker).expect("read"), Some(sample()));
    std::fs::write(marker::report_path(&marker), "{}").expect("written");
    assert!(read(&marker).is_err());
}
