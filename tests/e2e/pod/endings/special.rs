//! Pins: sidecar/README.md, "The sentences".
//!
//! The endings that need more than a command and a signal.

use super::table::named;
use super::{Messages, check, check_entrypoints, check_sidecars, laid_over, said_by_run};
use crate::podutils::run::Desk;
use common::signal::Signal;
use harness::control_group::{ControlGroup, behind_mounts, may_mount};
use harness::job::Job;
use harness::s3::{Fault, S3};
use harness::{bins, process, skip};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// One large line in a variable of a shell grows until the kernel ends the shell.
const GROW: &str = "x=x; while :; do x=$x$x; done";

#[test]
fn lack_of_memory_is_told_in_every_place() {
    for (name, script) in [
        ("the kernel kills it for lack of memory", GROW.to_owned()),
        ("the kernel kills a process of it, and it fails", format!("sh -c '{GROW}'; exit 2")),
        ("the kernel kills a process of it, and it passes", format!("sh -c '{GROW}'; exit 0")),
    ] {
        let ending = named(name);
        let group = || match ControlGroup::new() {
            Ok(group) => Some(group),
            Err(reason) => {
                harness::announce_skip(&format!("no control group can be made here: {reason}"));
                None
            }
        };
        let Some(container) = group() else { return };
        let job = Job::local();
        let (entry, messages) = (job.pod.entry("test"), Messages::new(&job));
        let sidecar = job.sidecar(&[&entry], messages.of_sidecar());
        let command = job.pod.entrypoint_command(&entry, &["sh", "-c", &script], messages.of_entrypoint());
        process::run(job.pod.tree(), &mut container.around(&command));
        sidecar.wait().expect_code(0);
        check(&ending, &job, &entry, &messages);
        drop(container);

        let Some(machine) = group() else { return };
        let desk = Desk::new();
        let command = desk.command(&["run", "--", "sh", "-c", &script]);
        let ended = process::run(desk.tree(), &mut machine.around(&command));
        assert_eq!(
            said_by_run(&ending, &ended.stderr, desk.dir.path()),
            ending.sentence,
            "{name}: {ended:#?}"
        );
    }
}

/// Runs a job whose log volume is a small file system on which `before` was run; sidecar,
/// too, lives behind its mount.
fn on_a_small_volume(job: &Job, messages: &Messages, before: &str, args: &[&str]) -> harness::pod::Entry {
    let entry = job.pod.entry("test");
    let more = json!({"delivery": {"start_timeout": "1s"}});
    let sidecar = job.sidecar_command(&[&entry], laid_over(messages.of_sidecar(), more));
    let test = job.pod.entrypoint_command(
        &entry,
        args,
        laid_over(messages.of_entrypoint(), json!({"grace_period": "1s"})),
    );
    let environment = |command: &Command, name: &str| {
        let found = command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        found.expect("options").to_owned()
    };
    let script = format!(
        "mount -t tmpfs -o size=512k none '{logs}' && cd '{logs}' && {{ {before}; }} && cd / && \
         {{ '{sidecar}' 2>/dev/null & '{entrypoint}' >/dev/null 2>&1; wait $!; code=$?; \
         cp '{logs}'/test-log.txt '{copy}' 2>/dev/null; [ $code = 0 ]; }}",
        logs = job.pod.logs().display(),
        copy = job.pod.path("log-of-the-volume").display(),
        sidecar = bins::program("sidecar").display(),
        entrypoint = bins::program("entrypoint").display(),
    );
    let mut command = behind_mounts(&script, &Command::new("true"));
    command.env("SIDECAR_OPTIONS", environment(&sidecar, "SIDECAR_OPTIONS"));
    command.env("JOB_SPEC", environment(&sidecar, "JOB_SPEC"));
    command.env("ENTRYPOINT_OPTIONS", environment(&test, "ENTRYPOINT_OPTIONS"));
    process::run(job.pod.tree(), &mut command).expect_code(0);
    harness::pod::Entry { log: job.pod.path("log-of-the-volume"), ..entry }
}

#[test]
fn volumes_that_take_nothing_more_are_told_in_every_place() {
    if let Err(reason) = may_mount() {
        skip!("{reason}");
    }
    let noise = "head -c 2000000 /dev/zero | tr '\\0' 'x'; exit 3";
    for (name, before, script) in [
        ("the log volume becomes full", "true", noise),
        ("the log volume is full from the start", "cat /dev/zero >filler 2>/dev/null || true", "exit 0"),
        ("the log volume cannot be written", "mount -o remount,ro .", "exit 0"),
    ] {
        let job = Job::local();
        let messages = Messages::new(&job);
        let entry = on_a_small_volume(&job, &messages, before, &["sh", "-c", script]);
        check(&named(name), &job, &entry, &messages);
    }
}

#[test]
fn container_that_never_starts_is_given_up_and_told() {
    for (name, is_told, options) in [
        ("the container never starts", false, json!({"delivery": {"start_timeout": "1s"}})),
        ("SIGTERM before the container starts", true, json!({"ignore_interrupts": true})),
    ] {
        let job = Job::local();
        let (entry, messages) = (job.pod.entry("test"), Messages::new(&job));
        let sidecar = job.sidecar(&[&entry], laid_over(messages.of_sidecar(), options));
        if is_told {
            sidecar.signal(Signal::TERM);
        }
        sidecar.wait().expect_code(0);
        check(&named(name), &job, &entry, &messages);
        assert_eq!(job.finished()["metadata"]["pod-utils"]["entries"]["test"]["reason"], "lost");
    }
}

#[test]
fn of_two_containers_the_one_that_failed_is_named() {
    let ending = named("the first of two containers times out");
    let job = Job::local();
    let (first, second) = (job.pod.entry("first"), job.pod.entry("second"));
    let messages = Messages::new(&job);
    let sidecar = job.sidecar(&[&first, &second], messages.of_sidecar());
    let options = laid_over(messages.of_entrypoint(), json!({"timeout": "1s", "grace_period": "1s"}));
    let runs = job.pod.entrypoint(&first, &["sleep", "60"], options);
    job.pod.entrypoint(&second, &["true"], json!({})).wait().expect_code(0);
    runs.wait().expect_code(127);
    sidecar.wait().expect_code(0);
    check(&ending, &job, &first, &messages);
    let own = &job.finished()["metadata"]["pod-utils"];
    assert_eq!(own["entries"].as_object().map(serde_json::Map::len), Some(1), "{own}");
    assert_eq!(own["entries"]["first"]["code"], "127");
}

#[test]
fn entry_after_a_failed_or_lost_one_is_never_the_origin() {
    for (name, lost) in [("the entry before it failed", false), ("the entry before it was lost", true)] {
        let job = Job::local();
        let (first, second) = (job.pod.entry("first"), job.pod.entry("second"));
        let messages = Messages::new(&job);
        let sidecar = job.sidecar(&[&first, &second], messages.of_sidecar());
        let script = if lost { "echo ready; exec sleep 60" } else { "echo ready; exit 7" };
        let one = job.pod.entrypoint(&first, &["sh", "-c", script], json!({}));
        first.until_log("ready");
        let more = json!({"previous_marker": first.marker});
        let other = job.pod.entrypoint(&second, &["true"], laid_over(messages.of_entrypoint(), more));
        if lost {
            second.until_locked();
            one.signal(Signal::KILL);
        }
        one.wait();
        other.wait().expect_code(106);
        sidecar.wait().expect_code(0);
        check(&named(name), &job, &second, &messages);
        let own = &job.finished()["metadata"]["pod-utils"];
        assert_eq!(own["entries"]["second"]["reason"], "previous_failed", "{own}");
    }
}

#[test]
fn what_is_wrong_around_the_job_is_no_end_of_it() {
    for (name, member, options) in [
        (
            "a secret cannot be loaded",
            None,
            json!({"censoring_options": {"secret_directories": ["/no/such/secret"]}}),
        ),
        ("the job's metadata is no JSON", Some("sidecar-errors"), json!({})),
    ] {
        let job = Job::local();
        let (entry, messages) = (job.pod.entry("test"), Messages::new(&job));
        let sidecar = job.sidecar(&[&entry], laid_over(messages.of_sidecar(), options));
        let script = if member.is_some() { "echo '{' >\"$ARTIFACTS/test-metadata.json\"" } else { "true" };
        job.pod.entrypoint(&entry, &["sh", "-c", script], messages.of_entrypoint()).wait().expect_code(0);
        sidecar.wait().expect_code(0);
        check(&named(name), &job, &entry, &messages);
        match member {
            Some(member) => assert!(job.finished()["metadata"][member].is_object(), "{}", job.finished()),
            None => assert!(messages.sidecars().contains("/no/such/secret could not be loaded")),
        }
    }
}

#[test]
fn store_that_takes_nothing_changes_no_sentence() {
    let refuses = |_: &_| Fault::Refuse(403, "AccessDenied");
    for (name, why) in [
        ("the store is down", "onnect"),
        ("the store refuses", "403"),
        ("the store hangs", ""),
        ("the bucket is missing", "NoSuchBucket"),
    ] {
        let ending = named(name);
        let job = Job::local();
        let (entry, messages) = (job.pod.entry("test"), Messages::new(&job));
        let s3 = S3::start();
        let credentials = s3.credentials_file(&job.pod.path("")).display().to_string();
        let mut gcs_options: Value = s3.options(job.pod.path("").as_path(), &[job.pod.artifacts()]);
        gcs_options["local_output_dir"] = json!("");
        let mut bucket = "s3://bucket";
        let mut server = Some(s3);
        match name {
            "the store is down" => server = None,
            "the store refuses" => server.as_ref().expect("runs").script(refuses),
            "the store hangs" => server.as_ref().expect("runs").script(|_| Fault::Hang),
            _ => bucket = "s3://no-such-bucket",
        }
        if bucket != "s3://bucket" {
            gcs_options["bucket"] = json!(bucket);
        }
        let more = json!({"gcs_options": gcs_options, "delivery": {"retry_for": "1s", "grace_period": "6s"}});
        let sidecar = job.sidecar(&[&entry], laid_over(messages.of_sidecar(), more));
        let test = job.pod.entrypoint(&entry, &["sh", "-c", "exit 3"], messages.of_entrypoint());
        test.wait().expect_code(3);
        if name == "the store hangs" {
            // What is never answered ends with the grace period.
            entry.until_log("code 3");
            sidecar.signal(Signal::TERM);
        }
        sidecar.wait();
        check_sidecars(name, ending.result, ending.sentence, &messages);
        check_entrypoints(&ending, &job, &entry, &messages);
        assert!(messages.sidecars().contains(why), "{name}: {}", messages.sidecars());
        drop((credentials, server));
    }
}

#[test]
fn secret_that_is_not_masked_is_told_in_every_place_but_the_result() {
    let job = Job::local();
    let entry = job.pod.entry("test");
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("flag"), "true").expect("written");
    let message = job.pod.path("sidecar-message");
    fs::write(&message, "").expect("made");
    let options = json!({
        "delivery": {"termination_message_path": message},
        "censoring_options": {"secret_directories": [secrets, job.pod.path("absent")]},
    });
    let sidecar = job.sidecar(&[&entry], options);
    job.pod.entrypoint(&entry, &["true"], json!({})).wait().expect_code(0);
    sidecar.wait().expect_code(0);
    let said = fs::read_to_string(&message).expect("read");
    assert!(said.contains("absent could not be loaded"), "{said}");
    assert!(said.contains("flag is too short to be masked"), "{said}");
    for form in [&["show"][..], &["show", "--html"], &["show", "--json"]] {
        let shown = process::run(
            job.pod.tree(),
            Command::new(bins::program("podutils")).args(form).arg(job.objects_dir()),
        );
        assert!(shown.stdout.contains("absent could not be loaded"), "{form:?}: {}", shown.stdout);
    }
    assert!(!job.text("finished.json").contains("could not be loaded"));
}
