//! Pins: V-GT-4, V-GT-5, V-TR-4 to 6, I-30, O-2.
//!
//! gcsupload, the uploader by hand in sidecar's binary.

use crate::sidecar::initupload::{JOB_PATH, clean, complaint, run, said, with_json};
use harness::bins;
use harness::pod::Pod;
use harness::process;
use harness::s3::{Fault, S3};
use serde_json::json;
use std::fs;
use std::process::Command;

/// A directory item with a file whose name a URL would change, and two files, one
/// of them with a name that sidecar would keep for itself.
fn items(pod: &Pod) -> Vec<std::path::PathBuf> {
    for (path, content) in [
        ("items/something", "one"),
        ("items/finished.json", "{}"),
        ("items/escape#me/foo", "foo"),
        ("items/notforupload", "no"),
    ] {
        let path = pod.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, content).expect("written");
    }
    ["items/something", "items/finished.json", "items/escape#me", "items/missing"]
        .map(|name| pod.path(name))
        .to_vec()
}

#[test]
fn uploads_the_given_items_and_nothing_else() {
    let (pod, s3) = (Pod::new(), S3::start());
    let ended = run(&pod, "gcsupload", &s3.options(pod.path("").as_path(), &items(&pod)));
    ended.expect_code(0);
    let mut expected = vec![
        "pr-logs/directory/unit/1.txt".to_owned(),
        "pr-logs/directory/unit/latest-build.txt".to_owned(),
        "pr-logs/pull/acme_widgets/77/unit/latest-build.txt".to_owned(),
    ];
    expected.extend(["something", "finished.json", "escape#me/foo"].map(|name| format!("{JOB_PATH}/{name}")));
    expected.sort();
    assert_eq!(s3.keys(), expected);
    assert!(said(&ended).iter().all(|record| record["component"] == "gcsupload"), "{ended:#?}");
    assert!(ended.stderr.contains("missing"), "U-15: {ended:#?}");
}

#[test]
fn local_directory_gets_the_items() {
    let pod = Pod::new();
    let options = json!({"local_output_dir": pod.out(), "items": items(&pod)});
    run(&pod, "gcsupload", &options).expect_code(0);
    assert_eq!(harness::pod::files_below(&pod.out()), ["escape#me/foo", "finished.json", "something"]);
}

#[test]
fn missing_job_or_failed_object_is_status_1() {
    let (pod, s3) = (Pod::new(), S3::start());
    let options = s3.options(pod.path("").as_path(), &items(&pod));
    let mut command = with_json(&pod, "gcsupload", &options);
    let ended = process::run(pod.tree(), command.env_remove("JOB_SPEC"));
    ended.expect_code(1);
    assert!(complaint(&ended).contains("JOB_SPEC"), "{ended:#?}");
    assert_eq!(s3.seen(), []);
    s3.script(|seen| if seen.key.ends_with("/foo") { Fault::Status(403) } else { Fault::None });
    let ended = run(&pod, "gcsupload", &options);
    ended.expect_code(1);
    assert!(complaint(&ended).contains("1 of 6 objects could not be uploaded"), "{ended:#?}");
}

#[test]
fn sidecar_options_decide_whatever_the_command_line_says() {
    let pod = Pod::new();
    let mut command = clean(Command::new(bins::program("sidecar")));
    let ended = process::run(pod.tree(), command.arg("initupload").env("SIDECAR_OPTIONS", "{}"));
    ended.expect_code(1);
    assert!(complaint(&ended).contains("entries"), "{ended:#?}");
    assert_eq!(said(&ended)[0]["component"], "sidecar");
}

/// Uploads the items `something` and `finished.json` to a store that answers
/// some requests for them with this status, by the number of earlier ones.
fn two_objects(fault: fn(key: &str, earlier: usize) -> Option<u16>) -> process::Ended {
    let (pod, s3) = (Pod::new(), S3::start());
    s3.script(move |seen| fault(&seen.key, seen.earlier).map_or(Fault::None, Fault::Status));
    let options = s3.options(pod.path("").as_path(), &items(&pod)[..2]);
    let ended = run(&pod, "gcsupload", &options);
    let stored = |name: &str| s3.keys().contains(&format!("{JOB_PATH}/{name}"));
    let all = stored("something") && stored("finished.json");
    assert_eq!(all, ended.exit == process::Exit::Code(0), "{ended:#?}");
    ended
}

#[test]
fn two_objects_that_succeed() {
    two_objects(|_, _| None).expect_code(0);
}

#[test]
fn object_that_fails_once_is_tried_again() {
    two_objects(|key, earlier| (key.ends_with("/something") && earlier == 0).then_some(503)).expect_code(0);
}

#[test]
fn two_objects_that_always_fail_are_status_1() {
    two_objects(|key, _| (key.ends_with("/something") || key.ends_with("/finished.json")).then_some(403))
        .expect_code(1);
}

#[test]
fn store_that_stays_away_is_given_up_after_the_given_time() {
    let (pod, s3) = (Pod::new(), S3::start());
    s3.script(|_| Fault::Status(503));
    let mut options = s3.options(pod.path("").as_path(), &items(&pod)[..1]);
    options["delivery"] = json!({"retry_for": "2s"});
    let ended = run(&pod, "gcsupload", &options);
    ended.expect_code(1);
    assert!(ended.stderr.contains("The destination has taken nothing for 2s"), "{ended:#?}");
    let mut command = clean(Command::new(bins::program("sidecar")));
    command.args([
        "gcsupload",
        "--retry-for=0s",
        "--dry-run",
        "--job=j",
        "--job-type=periodic",
        "--build-id=1",
    ]);
    let ended = process::run(pod.tree(), &mut command);
    ended.expect_code(1);
    assert!(complaint(&ended).contains("delivery.retry_for"), "{ended:#?}");
}
