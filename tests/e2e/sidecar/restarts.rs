//! Pins: I6.
//!
//! A sidecar that is started again over the results of another one.

use harness::job::Job;
use harness::pod::Entry;
use harness::{bins, process};
use hyper::Method;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LARGE: &str = "artifacts/large.bin";

/// A job that has ended, and whose results were delivered once.
fn delivered(options: &Value) -> (Job, Entry) {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    fs::create_dir_all(job.pod.artifacts()).expect("made");
    // Text, so that a line of it can be a secret.
    let line = "an artifact's line with hunter2hunter2 in it\n";
    fs::write(file(&job, "large.bin"), line.repeat((6 << 20) / line.len())).expect("written");
    fs::write(file(&job, "small.txt"), "small").expect("written");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    job.sidecar(&[&entry], options.clone()).wait().expect_code(0);
    job.expect_result("SUCCESS");
    (job, entry)
}

fn file(job: &Job, name: &str) -> PathBuf {
    job.pod.artifacts().join(name)
}

/// Starts sidecar again; gives the keys of the objects that it wrote.
fn again(job: &Job, entry: &Entry, options: &Value) -> Vec<String> {
    let server = job.s3.as_ref().expect("a server");
    let before = server.seen().len();
    job.sidecar(&[entry], options.clone()).wait().expect_code(0);
    job.expect_result("SUCCESS");
    let seen = server.seen();
    let written = seen[before..].iter().filter(|seen| seen.makes_an_object());
    written.map(|seen| seen.key.rsplit_once("/1/").map_or(&*seen.key, |(_, name)| name).to_owned()).collect()
}

fn state(job: &Job, name: &str) -> Value {
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    let objects = manifest["objects"].as_array().expect("a list").iter();
    let mut of_key = objects.filter(|object| object["key"].as_str().is_some_and(|key| key.ends_with(name)));
    of_key.next().expect("it is listed").clone()
}

#[test]
fn restart_sends_nothing_that_the_manifest_lists_as_stored() {
    let (job, entry) = delivered(&json!({}));
    let first = state(&job, LARGE);
    let written = again(&job, &entry, &json!({}));
    assert!(!written.iter().any(|name| name == LARGE), "{written:?}");
    // Small objects are, and the closing ones, in their order.
    assert!(written.iter().any(|name| name == "artifacts/small.txt"), "{written:?}");
    assert_eq!(written[written.len() - 2..], ["manifest.json", "finished.json"]);
    assert_eq!(state(&job, LARGE), first, "the second manifest tells the same of it");
    // And a third time, by the second one's manifest.
    assert!(!again(&job, &entry, &json!({})).iter().any(|name| name == LARGE));
}

/// A directory whose path is too long for a system call is listed with the beginning of its key.
#[test]
fn path_longer_than_any_key_hides_no_other_object() {
    let (job, entry) = delivered(&json!({}));
    let name = "d".repeat(255);
    let mut directory = openat(CWD, job.pod.artifacts(), OFlags::DIRECTORY, Mode::empty()).expect("opened");
    for _ in 0..17 {
        mkdirat(&directory, &name, Mode::RWXU).expect("made");
        directory = openat(&directory, &name, OFlags::DIRECTORY, Mode::empty()).expect("opened");
    }
    assert!(!again(&job, &entry, &json!({})).iter().any(|name| name == LARGE));
    let skipped = state(&job, "d…");
    assert_eq!((skipped["key"].as_str().map(str::len), &skipped["state"]), (Some(4096), &json!("skipped")));
    let credentials = job.s3.as_ref().expect("a server").credentials_file(&job.pod.path(""));
    let mut verify = Command::new(bins::program("podutils"));
    verify.args([Path::new("verify"), Path::new("--s3-credentials-file"), &credentials]);
    verify.arg(format!("s3://{}/{}", harness::s3::BUCKET, harness::job::JOB_PATH));
    process::run(job.pod.tree(), &mut verify).expect_code(0);
    assert!(!again(&job, &entry, &json!({})).iter().any(|name| name == LARGE));
}

#[test]
fn restart_sends_what_the_manifest_lists_but_the_bucket_lacks() {
    let (job, entry) = delivered(&json!({}));
    fs::remove_file(job.objects_dir().join(LARGE)).expect("removed");
    let written = again(&job, &entry, &json!({}));
    assert!(written.iter().any(|name| name == LARGE), "{written:?}");
    assert_eq!(job.text(LARGE), fs::read_to_string(file(&job, "large.bin")).expect("text"));
}

#[test]
fn restart_replaces_an_object_of_another_size() {
    let (job, entry) = delivered(&json!({}));
    fs::write(job.objects_dir().join(LARGE), "damaged").expect("written");
    assert!(again(&job, &entry, &json!({})).iter().any(|name| name == LARGE));
    assert_eq!(job.text(LARGE), fs::read_to_string(file(&job, "large.bin")).expect("text"));
}

#[test]
fn restart_sends_a_file_that_changed_without_growing() {
    let (job, entry) = delivered(&json!({}));
    let changed = fs::read_to_string(file(&job, "large.bin")).expect("text").replace("line", "LINE");
    fs::write(file(&job, "large.bin"), &changed).expect("written");
    assert!(again(&job, &entry, &json!({})).iter().any(|name| name == LARGE));
    assert_eq!(job.text(LARGE), changed);
}

/// I6: what was delivered before a secret was known is not left as it is.
#[test]
fn restart_masks_a_secret_that_became_known_meanwhile() {
    let (job, entry) = delivered(&json!({}));
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("token"), "hunter2hunter2").expect("written");
    let options = json!({"censoring_options": {"secret_directories": [secrets]}});
    assert!(again(&job, &entry, &options).iter().any(|name| name == LARGE));
    assert!(!job.text(LARGE).contains("hunter2hunter2"));
    // Masked bytes are compared with masked bytes.
    assert!(!again(&job, &entry, &options).iter().any(|name| name == LARGE));
    assert!(!job.text(LARGE).contains("hunter2hunter2"));
}

#[test]
fn restart_without_a_readable_manifest_sends_everything() {
    let (job, entry) = delivered(&json!({}));
    fs::write(job.objects_dir().join("manifest.json"), "{\"objects\":[3]}").expect("written");
    assert!(again(&job, &entry, &json!({})).iter().any(|name| name == LARGE));
    // Credentials that may write but not read.
    let server = job.s3.as_ref().expect("a server");
    server.script(|seen| match seen.method {
        Method::GET | Method::HEAD => harness::s3::Fault::Refuse(403, "AccessDenied"),
        _ => harness::s3::Fault::None,
    });
    assert!(again(&job, &entry, &json!({})).iter().any(|name| name == LARGE));
}
