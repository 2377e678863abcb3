//! Items and prefixes as people mistype them.

use crate::case::{Case, Delivered, FINE, SECRET};
use serde_json::json;
use std::fs;

/// Delivers one item of this name below the log volume.
#[track_caller]
fn deliver(item: &str) -> Delivered {
    let case = Case::local();
    fs::write(case.artifact("file"), SECRET).expect("written");
    let item = format!("{}/{item}", case.job.pod.logs().display());
    case.options(json!({"gcs_options": {"items": [item]}})).deliver(FINE)
}

#[test]
fn item_with_dots_and_slashes_arrives() {
    for item in ["artifacts/", "artifacts//", "./artifacts", "artifacts/../artifacts"] {
        let delivered = deliver(item);
        assert_eq!(delivered.job.text("artifacts/file").len(), SECRET.len(), "{item}");
    }
}

#[test]
fn item_with_a_dot_at_its_end_arrives() {
    let delivered = deliver("artifacts/.");
    assert_eq!(delivered.job.text("artifacts/file").len(), SECRET.len());
}

#[test]
fn item_with_two_dots_at_its_end_is_its_parent() {
    let delivered = deliver("artifacts/not-there/../..");
    assert_eq!(delivered.job.text("logs/artifacts/file").len(), SECRET.len());
}

#[test]
fn missing_item_delays_nothing() {
    deliver("no-such-item");
}

#[test]
fn item_twice_arrives_once() {
    let case = Case::local();
    fs::write(case.artifact("file"), SECRET).expect("written");
    let artifacts = case.job.pod.artifacts();
    let delivered = case.options(json!({"gcs_options": {"items": [artifacts, artifacts]}})).deliver(FINE);
    assert_eq!(delivered.job.text("artifacts/file").len(), SECRET.len());
}

#[test]
fn item_that_is_a_file_arrives() {
    let delivered = deliver("artifacts/file");
    assert_eq!(delivered.job.text("file").len(), SECRET.len());
}
