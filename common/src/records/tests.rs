use super::*;
use std::sync::{Arc, Mutex};

const OURS: &[&str] = &["pod_utils_common", "common", "ours"];

/// The records that `log` makes, at info and above.
fn records(log: impl FnOnce()) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let lines = Arc::clone(&lines);
        move |line: &[u8]| {
            let text = String::from_utf8(line.to_vec()).expect("UTF-8");
            lines.lock().expect("no panic before").push(text);
        }
    };
    let layer = Records::new("entrypoint", OURS, Level::INFO, sink);
    tracing::subscriber::with_default(NoSpans.with(layer), log);
    let lines = lines.lock().expect("no panic before");
    lines.clone()
}

fn record(log: impl FnOnce()) -> serde_json::Map<String, serde_json::Value> {
    let lines = records(log);
    assert_eq!(lines.len(), 1, "{lines:?}");
    serde_json::from_str(&lines[0]).expect("JSON")
}

#[test]
fn e_80_keys_are_sorted_and_complete() {
    let at = line!() + 1;
    let lines = records(|| tracing::error!(error = "no such file", path = "/x", "Could not open"));
    let start = format!(
        "{{\"component\":\"entrypoint\",\"error\":\"no such file\",\"file\":\"{}:{at}\",\
         \"func\":\"common::records::tests\",\"level\":\"error\",\"msg\":\"Could not open\",\
         \"path\":\"/x\",\"severity\":\"error\",\"time\":\"2",
        file!()
    );
    assert!(lines[0].starts_with(&start), "{} does not start with {start}", lines[0]);
    assert!(lines[0].ends_with("\"}\n"));
    assert_eq!(lines[0].matches('\n').count(), 1);
}

#[test]
fn e_80_levels_have_upstreams_names() {
    for (log, level) in [
        (&(|| tracing::info!("x")) as &dyn Fn(), "info"),
        (&|| tracing::warn!("x"), "warning"),
        (&|| tracing::error!("x"), "error"),
        (&|| crate::fatal!("x"), "fatal"),
        (&|| crate::fatal!(error = %"why", "x {}", 1), "fatal"),
    ] {
        let record = record(log);
        assert_eq!(record["level"], level);
        assert_eq!(record["severity"], level);
        assert!(!record.contains_key("fatal"));
    }
}

#[test]
fn e_80_values_keep_their_type_and_html_is_escaped() {
    let error = std::io::Error::other("a < b");
    let record = record(|| {
        tracing::info!(
            retry_attempt = 3,
            negative = -1_i64,
            yes = true,
            ratio = 0.5,
            error = &error as &(dyn std::error::Error + 'static),
            duration = %crate::duration::GoDuration::from_secs(15),
            "two\nlines & \"quotes\"",
        );
    });
    assert_eq!(record["retry_attempt"], 3);
    assert_eq!(record["negative"], -1);
    assert_eq!(record["yes"], true);
    assert_eq!(record["ratio"], 0.5);
    assert_eq!(record["error"], "a < b");
    assert_eq!(record["duration"], "15s");
    assert_eq!(record["msg"], "two\nlines & \"quotes\"");
    let lines = records(|| tracing::info!("<b> & \u{2028}"));
    assert!(lines[0].contains(r#""msg":"\u003cb\u003e \u0026 \u2028""#), "{}", lines[0]);
}

#[test]
fn e_81_clashing_fields_are_renamed() {
    let record = record(|| {
        tracing::info!(
            time = "t",
            msg = "m",
            level = 1,
            logrus_error = "e",
            component = "c",
            func = "f",
            "real"
        );
    });
    assert_eq!(record["msg"], "real");
    assert_eq!(record["level"], "info");
    assert_eq!(record["component"], "entrypoint");
    for (key, value) in [("time", "t"), ("msg", "m"), ("logrus_error", "e"), ("component", "c")] {
        assert_eq!(record[&format!("fields.{key}")], value);
    }
    assert_eq!(record["fields.level"], 1);
    assert!(!record.contains_key("logrus_error"));
}

#[test]
fn e_82_the_level_decides_and_dependencies_are_left_out() {
    assert!(records(|| tracing::debug!("x")).is_empty());
    assert!(records(|| tracing::error!(target: "hyper::proto", "x")).is_empty());
    assert!(records(|| tracing::error!(target: "ours_too", "x")).is_empty());
    assert_eq!(records(|| tracing::error!(target: "ours", "x")).len(), 1);
    assert_eq!(records(|| tracing::error!(target: "ours::deep", "x")).len(), 1);
}

#[test]
fn e_80_times_are_rfc_3339_in_seconds_in_the_given_zone() {
    let text = record(|| tracing::info!("x"))["time"].as_str().expect("text").to_owned();
    assert_eq!(text.len(), "2026-01-31T12:00:00Z".len(), "{text}");
    let written: Timestamp = text.parse().expect("RFC 3339");
    let age = Timestamp::now().since(written).as_std();
    assert!(age < std::time::Duration::from_mins(1), "{text}");
    let layer = Records::new("x", OURS, Level::INFO, to_stderr).zone(|_| 7200);
    assert!(written.in_seconds((layer.zone)(written)).ends_with("+02:00"));
    // Offsets on earth reach from -12 to +14 hours.
    assert!((-43_200..=50_400).contains(&local_zone(written)));
}

#[test]
fn spans_cost_nothing_and_break_nothing() {
    let lines = records(|| {
        let span = tracing::info_span!("work", id = 1);
        let _entered = span.enter();
        tracing::info!("inside");
    });
    assert_eq!(lines.len(), 1);
}
