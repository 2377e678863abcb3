//! Pins: sidecar/README.md, "Credentials that are refused".
//!
//! Stores that cannot be reached or refuse: named, and nothing that the test left is lost.

use crate::sidecar::option_errors::{SPEC, expect_nothing_lost, pod_with_results, sidecar};
use harness::bins;
use harness::process::{self};
use harness::s3::{Fault, S3};
use serde_json::json;
use std::process::Command;
use std::time::Duration;

#[test]
fn unreadable_credentials_are_named_and_lose_nothing() {
    let (pod, entry) = pod_with_results();
    let missing = pod.path("no-credentials.json").display().to_string();
    for (bucket, key) in [("s3://bucket", "s3_credentials_file"), ("gs://bucket", "gcs_credentials_file")] {
        let mut options = pod.sidecar_options(&[&entry], json!({"delivery": {"fail_on_error": true}}));
        options["gcs_options"] = json!({
            "items": [pod.artifacts()], "bucket": bucket, "path_strategy": "explicit", "dry_run": false, key: missing,
        });
        let ended = sidecar(&pod, &options, Some(SPEC));
        ended.expect_code(1);
        let said = ended.stderr.lines().filter(|line| line.contains(&missing)).count();
        assert!(said > 0, "{ended:#?}");
        expect_nothing_lost(&pod, &entry);
    }
}

#[test]
fn unreachable_bucket_is_named_and_loses_nothing() {
    let (pod, entry) = pod_with_results();
    let s3 = S3::start();
    let gcs_options = s3.options(pod.path("").as_path(), &[pod.artifacts()]);
    let endpoint = s3.endpoint().trim_start_matches("http://").to_owned();
    drop(s3);
    let delivery = json!({"fail_on_error": true, "retry_for": "5s"});
    let mut options = pod.sidecar_options(&[&entry], json!({"delivery": delivery}));
    options["gcs_options"] = gcs_options;
    let mut command = Command::new(bins::program("sidecar"));
    command.env("JOB_SPEC", SPEC).env("SIDECAR_OPTIONS", options.to_string());
    // A short patience, then some attempts for the closing objects.
    let ended = process::start(pod.tree(), &mut command).wait_for(Duration::from_mins(5));
    ended.expect_code(1);
    assert!(ended.stderr.contains(&endpoint), "{ended:#?}");
    expect_nothing_lost(&pod, &entry);
}

#[test]
fn missing_bucket_is_named_at_once() {
    let (pod, entry) = pod_with_results();
    let s3 = S3::start();
    let mut options = pod.sidecar_options(&[&entry], json!({"delivery": {"fail_on_error": true}}));
    options["gcs_options"] = s3.options(pod.path("").as_path(), &[pod.artifacts()]);
    options["gcs_options"]["bucket"] = json!("s3://no-such-bucket");
    let ended = sidecar(&pod, &options, Some(SPEC));
    ended.expect_code(1);
    assert!(ended.stderr.contains("no-such-bucket"), "{ended:#?}");
    expect_nothing_lost(&pod, &entry);
}

#[test]
fn refused_object_stops_no_other() {
    let (pod, entry) = pod_with_results();
    let s3 = S3::start();
    s3.script(|seen| if seen.key.ends_with("file.txt") { Fault::Status(403) } else { Fault::None });
    let mut options = pod.sidecar_options(&[&entry], json!({}));
    options["gcs_options"] = s3.options(pod.path("").as_path(), &[pod.artifacts()]);
    let ended = sidecar(&pod, &options, Some(SPEC));
    ended.expect_code(0);
    assert_eq!(s3.text("logs/job/1/build-log.txt"), "output\n");
    assert_eq!(s3.json("logs/job/1/finished.json")["result"], "SUCCESS");
    assert!(ended.stderr.contains("file.txt"), "{ended:#?}");
}

#[test]
fn store_that_refuses_for_a_while_gets_everything() {
    let (pod, entry) = pod_with_results();
    let s3 = S3::start();
    s3.script(|seen| if seen.earlier == 0 { Fault::Status(503) } else { Fault::None });
    let mut options = pod.sidecar_options(&[&entry], json!({"delivery": {"fail_on_error": true}}));
    options["gcs_options"] = s3.options(pod.path("").as_path(), &[pod.artifacts()]);
    sidecar(&pod, &options, Some(SPEC)).expect_code(0);
    assert_eq!(s3.text("logs/job/1/artifacts/file.txt"), "artifact\n");
    assert_eq!(s3.last_written().as_deref(), Some("logs/job/1/finished.json"));
}
