//! Pins: I4; sidecar/README.md, "Destinations".
//!
//! A directory as destination: what an earlier sidecar left in it, and what becomes of
//! manifest and result when it is full.

use common::signal::Signal;
use harness::bins;
use harness::job::{JOB_PATH, Job};
use harness::pod::{Pod, files_below, json_of};
use harness::process::{self, Exit};
use harness::wait;
use serde_json::json;
use std::fs;
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

/// Artifacts that fill the volume to its last byte.
#[test]
fn full_destination_gets_manifest_and_result() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    for number in 0..200 {
        fs::write(pod.artifacts().join(format!("{number}.bin")), vec![1; 12_000]).expect("written");
    }
    fs::create_dir_all(pod.out()).expect("made");
    let options = pod.sidecar_options(
        &[&entry],
        json!({
            "gcs_options": {"local_output_dir": "", "bucket": format!("file://{}", pod.out().display()),
                            "path_strategy": "explicit"},
            "delivery": {"fail_on_error": true},
        }),
    );
    let copy = pod.path("copy");
    let script = format!(
        "mount -t tmpfs -o size=2m none '{out}' || exit 99; SIDECAR_OPTIONS=\"$OPTIONS\" \"$0\"; code=$?; \
         cp -a '{out}' '{copy}'; exit $code",
        out = pod.out().display(),
        copy = copy.display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]).arg(bins::program("sidecar"));
    command.env("OPTIONS", options.to_string());
    command.env("JOB_SPEC", r#"{"type":"periodic","job":"job","buildid":"1"}"#);
    let ended = process::start(pod.tree(), &mut command).wait_for(Duration::from_mins(5));
    if ended.exit == Exit::Code(99) || !copy.exists() {
        harness::skip!("mounting a tmpfs is not permitted here");
    }
    ended.expect_code(1);
    let objects = copy.join(JOB_PATH);
    assert_eq!(json_of(&objects.join("finished.json"))["result"], "SUCCESS");
    let manifest = json_of(&objects.join("manifest.json"));
    let states = |state: &str| {
        manifest["objects"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|object| object["state"] == state)
            .count()
    };
    assert!(states("stored") > 50 && states("failed") > 20, "{manifest}");
    assert_eq!(temporary(&files_below(&copy)), Vec::<&String>::new());
}
