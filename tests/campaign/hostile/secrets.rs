//! Secrets and texts that make looking for them slow, and forms they hide in.

use crate::case::{Case, FINE, SECRET};
use crate::size;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

#[test]
fn long_common_prefixes_do_not_slow_the_delivery() {
    let case = Case::local();
    for number in 0..size(100, 900) {
        let value = format!("{}{number:04}", "a".repeat(200 + number % 7));
        fs::write(case.secret(&format!("adversary-{number}")), value).expect("written");
    }
    fs::write(case.artifact("text"), "a".repeat(size(1 << 20, 64 << 20))).expect("written");
    case.deliver(FINE);
}

#[test]
fn values_of_the_job_beyond_the_limit_delay_nothing() {
    let case = Case::local();
    let own = case.job.pod.logs().join("own-secrets");
    fs::create_dir(&own).expect("made");
    for number in 0..size(1_100, 5_000) {
        fs::write(own.join(number.to_string()), format!("value-of-the-job-{number:06}")).expect("written");
    }
    fs::write(case.artifact("text"), "value-of-the-job-000001").expect("written");
    let operator = case.secret("");
    case.options(json!({"censoring_options": {"secret_directories": [operator, own]}})).deliver(FINE);
}

#[test]
fn large_values_of_the_job_beyond_the_limit_take_no_memory() {
    let case = Case::local();
    let own = case.job.pod.logs().join("own-secrets");
    fs::create_dir(&own).expect("made");
    for number in 0..size(100, 1_000) {
        let file = fs::File::create(own.join(format!("{number:04}"))).expect("made");
        (&file).write_all(format!("value-of-the-job-{number:06}").as_bytes()).expect("written");
        file.set_len(1 << 20).expect("grown");
    }
    fs::write(case.artifact("text"), "text").expect("written");
    let operator = case.secret("");
    let case = case.options(json!({"censoring_options": {"secret_directories": [operator, own]}}));
    let delivered = case.deliver(FINE);
    assert_eq!(delivered.job.manifest()["censoring"]["secrets"], 2);
    assert_eq!(delivered.job.text("artifacts/text"), "text");
}

#[test]
fn forms_of_the_values_of_the_job_take_bounded_memory() {
    let letters = |number: usize, length: usize| {
        let words = (7..).map(|at| format!("{:X}k", (number + 1) * at * 2_654_435_761));
        words.flat_map(String::into_bytes).take(length).collect::<Vec<_>>()
    };
    let kinds: [&dyn Fn(usize) -> Vec<u8>; 5] = [
        &|number| format!("{}{number:04}", "a".repeat(1000)).into_bytes(),
        &|number| letters(number, 1000),
        &|number| letters(number, 960).chunks(16).collect::<Vec<_>>().join(&b'\n'),
        &|number| {
            letters(number, 500).into_iter().flat_map(|letter| [b"\"'\\$&%<>"[number % 8], letter]).collect()
        },
        &|number| letters(number, 1000).into_iter().map(|letter| letter.wrapping_mul(7) | 0x80).collect(),
    ];
    for kind in kinds {
        let case = Case::local();
        let own = case.job.pod.logs().join("own-secrets");
        fs::create_dir(&own).expect("made");
        for number in 0..size(400, 999) {
            fs::write(own.join(number.to_string()), kind(number)).expect("written");
        }
        let text = kind(399);
        fs::write(case.artifact("text"), &text).expect("written");
        let operator = case.secret("");
        let case = case.options(json!({"censoring_options": {"secret_directories": [operator, own]}}));
        let delivered = case.deliver(FINE);
        assert_eq!(delivered.job.text("artifacts/text"), "X".repeat(text.len()));
    }
}

#[test]
fn problems_with_secrets_of_the_job_are_counted() {
    let case = Case::local();
    let own = case.job.pod.logs().join("own-secrets");
    fs::create_dir(&own).expect("made");
    for number in 0..size(4_000, 20_000) {
        symlink("none", own.join(number.to_string())).expect("linked");
    }
    let operator = case.secret("");
    let case = case.options(json!({"censoring_options": {"secret_directories": [operator, own]}}));
    let delivered = case.deliver(FINE);
    let named = delivered.job.manifest()["censoring"]["not_loaded"].as_array().map_or(0, Vec::len);
    assert!((1_000..1_100).contains(&named), "{named} are named");
    let records = delivered.ended.stderr.lines().count();
    assert!(records < 200, "I8: {records} records");
}

#[test]
fn large_secret_is_masked() {
    let case = Case::local();
    let words: Vec<_> = (0..size(1 << 17, 1 << 20) / 8).map(|number| format!("{number:08x}")).collect();
    let value = words.concat();
    fs::write(case.secret("large"), &value).expect("written");
    fs::write(case.artifact("text"), format!("before {value} after")).expect("written");
    let delivered = case.deliver(FINE);
    let text = delivered.job.text("artifacts/text");
    assert!(!text.contains(&value[1000..1100]), "I6");
}

#[test]
fn secret_across_every_block_border_is_masked() {
    let case = Case::local();
    let line = format!("{}{SECRET}", "x".repeat(997));
    fs::write(case.artifact("text"), line.repeat(size(2_000, 100_000))).expect("written");
    case.deliver(FINE).expect_artifacts("stored", 1);
}

#[test]
fn secret_in_metadata_is_masked() {
    let case = Case::local();
    let metadata = json!({"text": SECRET, SECRET: 1, "deep": {"list": [SECRET]}});
    fs::write(&case.entry.metadata, metadata.to_string()).expect("written");
    let delivered = case.deliver(FINE);
    assert!(delivered.job.finished()["metadata"]["deep"]["list"][0].is_string());
}

#[test]
fn metadata_beyond_its_limit_cannot_delay_the_result() {
    let case = Case::local();
    fs::write(&case.entry.metadata, format!("{{\"a\":\"{}\"}}", "b".repeat(size(2 << 20, 256 << 20))))
        .expect("written");
    let delivered = case.deliver(FINE);
    assert!(delivered.job.finished()["metadata"]["sidecar-errors"].is_object());
}

#[test]
fn metadata_of_great_depth_cannot_delay_the_result() {
    let case = Case::local();
    let depth = 100_000;
    fs::write(&case.entry.metadata, format!("{}{}", "{\"a\":".repeat(depth), "}".repeat(depth)))
        .expect("written");
    let delivered = case.deliver(FINE);
    assert!(delivered.job.finished()["metadata"]["sidecar-errors"].is_object());
}
