use super::*;
use crate::supervise::{Leftovers, SignalScope};
use common::json::{JsonError, to_go_string};
use common::options::from_flags;
use common::signal::Signal;

fn from_json(text: &str) -> Result<EntrypointOptions, JsonError> {
    let mut options = EntrypointOptions::default();
    common::json::decode(&mut options, text)?;
    Ok(options)
}

fn json(text: &str) -> EntrypointOptions {
    from_json(text).expect("valid JSON")
}

fn refused(text: &str) -> String {
    from_json(text).expect_err("refused").to_string()
}

fn parsed(args: &[&str]) -> Result<EntrypointOptions, LoadError> {
    let mut options = EntrypointOptions::default();
    from_flags(&mut args.iter().map(OsString::from), command, &mut options, &mut [])?;
    Ok(options)
}

fn flags(args: &[&str]) -> EntrypointOptions {
    parsed(args).expect("valid flags")
}

const O_22: &str = r#"{"timeout":7200000000000,"grace_period":15000000000,"artifact_dir":"/logs/artifacts","args":["make","test"],"container_name":"test","process_log":"/logs/process-log.txt","marker_file":"/logs/marker-file.txt","metadata_file":"/logs/artifacts/metadata.json"}"#;

#[test]
fn o_22_is_read_and_written_as_it_is() {
    let options = json(O_22);
    assert_eq!(options.entry.args, ["make", "test"]);
    assert_eq!(options.validate(), Ok(()));
    assert_eq!(to_go_string(&options), O_22);
}

#[test]
fn every_key_survives_a_round_trip() {
    let text = r#"{"timeout":-1,"grace_period":1500000000,"artifact_dir":"a","previous_marker":"p","always_zero":true,"propagate_error_code":true,"copy_mode_only":true,"copy_dst":"c","args":["x"],"container_name":"n","process_log":"l","marker_file":"m","metadata_file":"f","supervision":{"leftovers":"keep","signal_scope":"group","escalation":[{"signal":"SIGTERM","after":5000000000}],"timestamps":true,"termination_message_path":"/t"}}"#;
    assert_eq!(to_go_string(&json(text)), text);
}

#[test]
fn v_ev_1_and_2_a_command_is_needed() {
    let mut options = json(O_22);
    options.entry.args = vec!["/usr/bin/true".to_owned()];
    assert_eq!(options.validate(), Ok(()));
    options.entry.args.clear();
    assert_eq!(options.validate(), Err(OptionsError::NoCommand));
}

#[test]
fn v_wv_1_and_2_log_and_marker_are_needed() {
    let valid = json(r#"{"args":["x"],"process_log":"output.txt","marker_file":"marker.txt"}"#);
    assert_eq!(valid.validate(), Ok(()));
    let invalid = json(r#"{"args":["x"],"marker_file":"marker.txt"}"#);
    assert_eq!(invalid.validate(), Err(OptionsError::Entry(EntryError::ProcessLog)));
}

#[test]
fn e_11_two_answers_to_one_question_are_refused() {
    let options = json(r#"{"args":["x"],"always_zero":true,"propagate_error_code":true}"#);
    assert_eq!(options.validate(), Err(OptionsError::TwoAnswers));
}

#[test]
fn a_rung_before_the_first_signal_is_refused() {
    let text = r#"{"args":["x"],"process_log":"l","marker_file":"m","supervision":{"escalation":[{"signal":"TERM","after":-1}]}}"#;
    let error = json(text).validate().expect_err("refused").to_string();
    assert_eq!(error, "supervision.escalation: SIGTERM after -1ns; allowed are times from 0s on");
}

#[test]
fn errors_name_key_value_and_what_is_allowed() {
    assert_eq!(
        refused(r#"{"supervision":{"leftovers":"burn"}}"#),
        r#"supervision.leftovers: "burn" is a string; allowed is "end" or "keep""#
    );
    assert_eq!(
        refused(r#"{"supervision":{"escalation":[{"signal":"SIGNOW"}]}}"#),
        r#"supervision.escalation[0].signal: "SIGNOW" is a string; allowed is the name of a signal such as "SIGTERM""#
    );
    let error = refused(r#"{"timeout":"soon"}"#);
    assert!(error.starts_with("timeout: \"soon\" is no duration; allowed is "), "{error}");
    assert!(refused("").starts_with("the text is empty"));
}

#[test]
fn durations_may_be_strings_and_zero_means_default() {
    let policy = |text| json(text).policy(None);
    assert_eq!(policy(r#"{"timeout":"90s"}"#).timeout, GoDuration::from_secs(90));
    assert_eq!(policy("{}").timeout, DEFAULT_TIMEOUT);
    assert_eq!(policy("{}").grace_period, DEFAULT_GRACE_PERIOD);
    assert_eq!(policy(r#"{"timeout":-5}"#).timeout, GoDuration::from_nanos(-5));
}

#[test]
fn an_announced_grace_period_counts_only_when_none_is_given() {
    let outer = outer_grace(|name| (name == CANCEL_GRACE_VARIABLE).then(|| "30".to_owned())).0;
    assert_eq!(json("{}").policy(outer).grace_period, GoDuration::from_secs(27));
    assert_eq!(json(r#"{"grace_period":0}"#).policy(outer).grace_period, GoDuration::from_secs(27));
    assert_eq!(json(r#"{"grace_period":"2s"}"#).policy(outer).grace_period, GoDuration::from_secs(2));
    assert_eq!(flags(&[]).policy(outer).grace_period, GoDuration::from_secs(27));
    assert_eq!(flags(&["-grace-period=15s"]).policy(outer).grace_period, GoDuration::from_secs(15));
}

#[test]
fn every_option_has_a_flag() {
    let options = flags(&[
        "-timeout",
        "1h",
        "--grace-period=3s",
        "--artifact-dir=a",
        "--previous-marker=p",
        "--always-zero",
        "--propagate-error-code=false",
        "--container-name=n",
        "--process-log=l",
        "--marker-file=m",
        "--metadata-file=f",
        "--leftovers=keep",
        "--signal-scope=group",
        "--escalation=SIGTERM=5s",
        "--escalation=QUIT=7s",
        "--timestamps",
        "--termination-message-path=/t",
        "cmd",
        "--flag-of-the-command",
    ]);
    let rung = |signal, secs| Escalation { signal, after: GoDuration::from_secs(secs) };
    assert_eq!(options.entry.args, ["cmd", "--flag-of-the-command"]);
    assert_eq!(options.timeout, GoDuration::from_secs(3600));
    assert_eq!(options.previous_marker, "p");
    assert!(options.always_zero && !options.propagate_error_code);
    assert_eq!(options.supervision.leftovers, Leftovers::Keep);
    assert_eq!(options.supervision.signal_scope, SignalScope::Group);
    assert_eq!(options.supervision.escalation, [rung(Signal::TERM, 5), rung(Signal::QUIT, 7)]);
    assert!(options.supervision.timestamps);
    assert_eq!(options.supervision.termination_message_path, "/t");
}

#[test]
fn o_6_only_the_command_line_has_a_default_copy_destination() {
    assert_eq!(flags(&["--copy-mode-only"]).copy_dst, "/tools/entrypoint");
    assert_eq!(json(r#"{"copy_mode_only":true}"#).copy_dst, "");
}

#[test]
fn flags_alone_leave_the_supervision_at_its_defaults() {
    assert!(flags(&["x"]).supervision == SupervisionOptions::default());
}

#[test]
fn o_73_wrong_flags_end_with_status_2() {
    let status = |args: &[&str]| match parsed(args).expect_err("no options") {
        LoadError::Flags(error) => error.exit_status(),
        other @ (LoadError::Json { .. } | LoadError::JsonFlag(_)) => panic!("{other}"),
    };
    for wrong in [&["--nope"][..], &["--timeout=10"], &["--leftovers=burn"], &["--escalation=x"], &["---x"]] {
        assert_eq!(status(wrong), 2, "{wrong:?}");
    }
    assert_eq!(status(&["-h"]), 0);
}

#[test]
fn sigterm_comes_at_two_thirds_and_leaves_five_seconds() {
    for (grace, after) in [(15, 10_000), (10, 5_000), (12, 7_000), (60, 40_000), (9, 6_000), (3, 2_000)] {
        let options = SupervisionOptions::with_reports(GoDuration::from_secs(grace));
        assert_eq!(
            options.escalation[0].after,
            GoDuration::from_std(std::time::Duration::from_millis(after))
        );
    }
}

#[test]
fn signals_need_an_escalation_that_is_there_and_can_be_caught() {
    let options = |supervision: &str| {
        let text =
            format!(r#"{{"args":["x"],"process_log":"l","marker_file":"m","supervision":{supervision}}}"#);
        json(&text)
    };
    let refused = |supervision: &str| options(supervision).validate().expect_err("refused").to_string();
    assert!(refused(r#"{"interrupt":"int_then_escalation"}"#).contains("supervision.escalation is empty"));
    assert!(refused(r#"{"stop_signals":["KILL"]}"#).contains("SIGKILL cannot be caught"));
    let stop = options(r#"{"stop_signals":["WINCH","SIGRTMIN+4"],"interrupt":"received"}"#);
    assert_eq!(stop.validate(), Ok(()));
    let policy = stop.policy(None);
    assert_eq!(policy.interrupt, Interrupt::Received);
    for (name, counts) in [("WINCH", true), ("RTMIN+4", true), ("INT", true), ("TERM", true), ("HUP", false)]
    {
        assert_eq!(policy.stop_signals.contains(name.parse().expect(name)), counts, "{name}");
    }
}

#[test]
fn records_name_the_program_by_its_base_name() {
    for (command, name) in [("/usr/bin/pytest", "pytest"), ("make", "make"), ("./a\nb", "a?b"), ("/", "/")] {
        let options = EntrypointOptions {
            entry: common::entry::Entry { args: vec![command.to_owned()], ..Default::default() },
            ..EntrypointOptions::default()
        };
        assert_eq!(options.policy(None).program, name);
    }
}
