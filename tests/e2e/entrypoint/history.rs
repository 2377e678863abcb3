//! Pins: entrypoint/README.md, "What the job was doing".
//!
//! The processes before the first signal, the silence, the course of the job, and the
//! trace of the command, as the report holds them.

use super::hostile_env::copy_program;
use super::process_tree::{Case, Place};
use harness::pod::Pod;
use harness::process;
use serde_json::json;
use std::time::Duration;

#[test]
fn hung_process_is_named_with_the_silence_before_the_timeout() {
    let script = "echo begun; sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; sleep 1000; true";
    let options = json!({"timeout": "13s", "grace_period": "3s"});
    let hung = Case::start(Place::Plain, &["bash", "-c", script], options);
    let (_pod, entry, _) = hung.end(127);
    let report = entry.report();
    let processes = report["processes"].as_array().expect("a list");
    let waiting = processes.iter().find(|one| one["waits_longest"] == true).expect("one waits");
    assert_eq!((&waiting["name"], &waiting["command"]), (&json!("sleep"), &json!("sleep 1000")));
    let bash = processes.iter().find(|one| one["name"] == "bash").expect("its parent");
    assert_eq!(waiting["parent"], bash["pid"], "{report}");
    assert!(waiting["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{report}");
    assert!(bash["age_ms"].as_u64().is_some_and(|age| (12_000..60_000).contains(&age)), "{report}");
    let silent = Duration::from_nanos(report["output"]["silent_ns"].as_u64().expect("known"));
    assert!(silent >= Duration::from_secs(11), "{silent:?}");
    let cause = report["cause"].as_str().expect("a sentence");
    let expected = format!("s; waiting: sleep ({})", waiting["pid"]);
    assert!(cause.starts_with("timed out after 13s; ") && cause.ends_with(&expected), "{cause}");
    assert!(cause.contains("; no output for 1"), "{cause}");
    assert_eq!(entry.log_lines().last(), Some(&format!("error|{cause}")), "the log ends with it");
    let columns = &report["course"]["columns"];
    let at = columns["at_s"].as_array().map(Vec::len);
    assert!(at.is_some_and(|samples| samples <= 14), "{report}");
    if let Some(samples) = at {
        for column in columns.as_object().expect("columns").values() {
            assert_eq!(column.as_array().map(Vec::len), Some(samples), "{report}");
        }
    }
}

#[test]
fn hostile_names_stay_names() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let program = pod.path("a\"b\n\u{1b}[31m");
    copy_program(env!("CARGO_BIN_EXE_hostile").as_ref(), &program);
    let program = program.display().to_string();
    let options = json!({"timeout": "1s", "grace_period": "300ms"});
    let script = format!("\"$0\" ignore {}; true", "x".repeat(500));
    let mut command = pod.entrypoint_command(&entry, &["sh", "-c", &script, &program], options);
    process::run(pod.tree(), &mut command).expect_code(127);
    let report = entry.report();
    let processes = report["processes"].as_array().expect("a list");
    let named =
        processes.iter().find(|one| one["command"].as_str().is_some_and(|text| text.contains("ignore xxx")));
    let named = named.unwrap_or_else(|| panic!("{report}"));
    assert!(named["command"].as_str().is_some_and(|text| text.len() <= 200), "{named}");
    let name = named["name"].as_str().expect("a name");
    assert!(name.len() <= 15 && !name.contains(char::is_control) && !name.contains('"'), "{name:?}");
}

#[test]
fn command_gets_a_trace_and_keeps_one_that_is_set() {
    let pod = Pod::new();
    let run = |given: Option<&str>| {
        let entry = pod.entry("test");
        let mut command = pod.entrypoint_command(&entry, &["sh", "-c", "echo $TRACEPARENT"], json!({}));
        command.env_remove("TRACEPARENT").envs(given.map(|value| ("TRACEPARENT", value)));
        process::run(pod.tree(), &mut command).expect_code(0);
        (entry.log_text().trim_end().to_owned(), entry.report()["trace"].clone())
    };
    let (first, ids) = run(None);
    let text = |key: &str| ids[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(first, format!("00-{}-{}-01", text("trace_id"), text("span_id")));
    assert_eq!((text("trace_id").len(), text("span_id").len()), (32, 16));
    assert!(ids["inherited"].is_null(), "{ids}");
    let (second, _) = run(None);
    assert_ne!(first, second);
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let (kept, ids) = run(Some(given));
    let expected = json!({
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "inherited": true,
    });
    assert_eq!((kept.as_str(), ids), (given, expected));
    let (kept, ids) = run(Some("none of ours"));
    assert_eq!((kept.as_str(), ids.is_null()), ("none of ours", true));
}
