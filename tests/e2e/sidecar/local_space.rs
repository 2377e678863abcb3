//! Pins: I4; sidecar/README.md, "Destinations".
//!
//! A directory as destination: what an earlier sidecar left in it, and what becomes of
//! manifest and result when it is full.

use common::signal::Signal;
use harness::bins;
use harness::job::{JOB_PATH, Job};
use harness::pod::{Entry, Pod, files_below, json_of};
use harness::process::{self, Ended, Exit};
use harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

fn temporary(names: &[String]) -> Vec<&String> {
    names.iter().filter(|name| name.contains(".pod-utils-")).collect()
}

#[test]
fn files_of_a_killed_sidecar_are_removed_by_the_next_one() {
    let job = Job::local();
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({}));
    wait::until("the space of manifest and result", || (temporary(&job.names()).len() == 3).then_some(()));
    sidecar.signal(Signal::KILL);
    assert_eq!(sidecar.wait().exit, Exit::Signal(Signal::KILL));
    fs::create_dir_all(job.objects_dir().join("artifacts/deep")).expect("made");
    fs::write(job.objects_dir().join("artifacts/deep/.pod-utils-1-7.tmp"), "half").expect("written");
    assert_eq!(temporary(&job.names()).len(), 4);
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    job.sidecar(&[&entry], json!({})).wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(temporary(&job.names()), Vec::<&String>::new());
}

/// A job whose pod delivers to a volume of so many bytes. Returns a copy of the volume and how
/// sidecar ended; `None` where no volume can be mounted.
fn delivered_to(pod: &Pod, entry: &Entry, volume: &str) -> Option<(PathBuf, Ended)> {
    fs::create_dir_all(pod.out()).expect("made");
    let options = pod.sidecar_options(
        &[entry],
        json!({
            "gcs_options": {"local_output_dir": "", "bucket": format!("file://{}", pod.out().display()),
                            "path_strategy": "explicit"},
            "delivery": {"fail_on_error": true},
        }),
    );
    let copy = pod.path("copy");
    let script = format!(
        "mount -t tmpfs -o size={volume} none '{out}' || exit 99; SIDECAR_OPTIONS=\"$OPTIONS\" \"$0\"; code=$?; \
         cp -a '{out}' '{copy}'; exit $code",
        out = pod.out().display(),
        copy = copy.display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]).arg(bins::program("sidecar"));
    command.env("OPTIONS", options.to_string());
    command.env("JOB_SPEC", r#"{"type":"periodic","job":"job","buildid":"1"}"#);
    let ended = process::start(pod.tree(), &mut command).wait_for(Duration::from_mins(5));
    (ended.exit != Exit::Code(99) && copy.exists()).then_some((copy.join(JOB_PATH), ended))
}

/// A pod whose test has ended, with so many artifacts of so many bytes.
fn ended_pod(files: usize, bytes: usize) -> (Pod, Entry) {
    let pod = Pod::new();
    let entry = pod.entry("test");
    pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    for number in 0..files {
        fs::write(pod.artifacts().join(format!("{number}.bin")), vec![1; bytes]).expect("written");
    }
    (pod, entry)
}

fn states(manifest: &Value, state: &str) -> usize {
    let objects = manifest["objects"].as_array().expect("a list").iter();
    objects.filter(|object| object["state"] == state).count()
}

/// Artifacts that fill the volume to its last byte.
#[test]
fn full_destination_gets_manifest_and_result() {
    let (pod, entry) = ended_pod(200, 12_000);
    let Some((objects, ended)) = delivered_to(&pod, &entry, "2m") else {
        harness::skip!("mounting a tmpfs is not permitted here");
    };
    ended.expect_code(1);
    assert_eq!(json_of(&objects.join("finished.json"))["result"], "SUCCESS");
    let manifest = json_of(&objects.join("manifest.json"));
    assert!(states(&manifest, "stored") > 50 && states(&manifest, "failed") > 20, "{manifest}");
    assert_eq!(temporary(&files_below(&objects)), Vec::<&String>::new());
}

/// A result that is longer than the space that was taken for it at the start.
#[test]
fn full_destination_gets_a_result_without_metadata_that_it_has_no_room_for() {
    let (pod, entry) = ended_pod(400, 12_000);
    let metadata = json!({"text": "x".repeat(250_000)}).to_string();
    fs::write(&entry.metadata, metadata).expect("written");
    let Some((objects, ended)) = delivered_to(&pod, &entry, "2m") else {
        harness::skip!("mounting a tmpfs is not permitted here");
    };
    ended.expect_code(1);
    assert!(ended.stderr.contains("a shorter one is sent in its place"), "{}", ended.stderr);
    let finished = json_of(&objects.join("finished.json"));
    assert_eq!(finished["result"], "SUCCESS");
    let why = &finished["metadata"]["sidecar-errors"]["metadata"];
    assert!(why.as_str().is_some_and(|why| why.contains("could not be stored with it")), "{finished}");
    assert!(states(&json_of(&objects.join("manifest.json")), "failed") > 20);
}

/// The names of the artifacts fill more than the space that was taken for the manifest at the
/// start.
#[test]
fn full_destination_gets_a_manifest_of_many_files() {
    let (pod, entry) = ended_pod(2_500, 1);
    let Some((objects, ended)) = delivered_to(&pod, &entry, "4m") else {
        harness::skip!("mounting a tmpfs is not permitted here");
    };
    ended.expect_code(1);
    assert_eq!(json_of(&objects.join("finished.json"))["result"], "SUCCESS");
    let manifest = json_of(&objects.join("manifest.json"));
    let listed = manifest["objects"].as_array().expect("a list").len();
    let not_listed = manifest["listing"]["not_listed"].as_u64().unwrap_or(0);
    assert!(listed as u64 + not_listed > 2_500, "{listed} {not_listed}");
}
