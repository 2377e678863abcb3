//! Pins: sidecar/README.md, "What finished.json says".
//!
//! One true sentence: however a job ends, `finished.json`, the termination messages of
//! both containers, `manifest.json` and `podutils show` say the same.

use common::signal::Signal;
use harness::job::Job;
use harness::pod::Entry;
use harness::{bins, process, wait};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A way to end: what runs, what happens to it, and what is said of it.
struct Ending {
    name: &'static str,
    /// A script that says `ready` before it waits for a signal; else the program of
    /// [`PROGRAMS`] with this name.
    script: &'static str,
    /// Laid over entrypoint's options.
    options: Value,
    /// Sent to entrypoint when the script is ready.
    signal: Option<Signal>,
    result: &'static str,
    /// Parts of the sentence, in their order.
    said: &'static [&'static str],
}

/// Programs that cannot be started, by the names that scripts have above.
const PROGRAMS: [&str; 4] = ["missing", "plain-file", "directory", "other-machine"];

const IGNORING: &str = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done";

fn endings() -> Vec<Ending> {
    let short = || json!({"grace_period": "1s"});
    let timeout = || json!({"timeout": "1s", "grace_period": "1s"});
    let ending =
        |name, script, result, said| Ending { name, script, options: json!({}), signal: None, result, said };
    let signalled = |name, script, said| Ending {
        signal: Some(Signal::TERM),
        options: short(),
        ..ending(name, script, "ABORTED", said)
    };
    vec![
        ending("passes", "exit 0", "SUCCESS", &["exited with code 0"]),
        ending("fails", "exit 3", "FAILURE", &["exited with code 3"]),
        ending("killed", "kill -KILL $$", "FAILURE", &["SIGKILL"]),
        ending("crashes", "kill -SEGV $$", "FAILURE", &["SIGSEGV"]),
        ending("hung up", "kill -HUP $$", "FAILURE", &["SIGHUP"]),
        ending("missing", "missing", "FAILURE", &["missing"]),
        ending("not executable", "plain-file", "FAILURE", &["plain-file"]),
        ending("directory", "directory", "FAILURE", &["directory"]),
        ending("wrong architecture", "other-machine", "FAILURE", &["other-machine"]),
        Ending {
            options: timeout(),
            ..ending("timeout, ends", "exec sleep 60", "FAILURE", &["timed out after 1s", "SIGINT"])
        },
        Ending {
            options: timeout(),
            ..ending("timeout, killed", IGNORING, "FAILURE", &["timed out after 1s", "killed"])
        },
        signalled("TERM, dies", "echo ready; exec sleep 60", &["aborted by SIGTERM"]),
        signalled(
            "TERM, exits 9",
            "trap '' INT; trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done",
            &["aborted by SIGTERM", "9"],
        ),
        signalled(
            "TERM, exits 0",
            "trap '' INT; trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done",
            &["aborted by SIGTERM", "0"],
        ),
        signalled("TERM, ignores it", IGNORING, &["aborted by SIGTERM", "killed"]),
        Ending {
            signal: Some(Signal::INT),
            options: short(),
            ..ending("Ctrl-C", "echo ready; exec sleep 60", "ABORTED", &["aborted by SIGINT"])
        },
        Ending {
            signal: Some(Signal::KILL),
            ..ending(
                "entrypoint killed",
                "echo ready; exec sleep 60",
                "FAILURE",
                &["entrypoint was killed and left no result; the pod's status says why"],
            )
        },
    ]
}

fn lay_out_programs(job: &Job) {
    let path = |name: &str| job.pod.path(name);
    fs::write(path("plain-file"), "#!/bin/sh\n").expect("written");
    fs::create_dir(path("directory")).expect("made");
    // An executable of a machine that nobody has: number 0xfffe.
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xfe\xff\x01\0\0\0".to_vec();
    elf.resize(128, 0);
    fs::write(path("other-machine"), elf).expect("written");
    fs::set_permissions(path("other-machine"), PermissionsExt::from_mode(0o755)).expect("its mode");
}

/// Runs a job to its end; returns the termination messages of entrypoint and sidecar.
fn run(job: &Job, entry: &Entry, ending: &Ending) -> (String, String) {
    lay_out_programs(job);
    let messages = ["entrypoint-message", "sidecar-message"].map(|name| job.pod.path(name));
    for path in &messages {
        fs::write(path, "").expect("made");
    }
    let sidecar = job.sidecar(&[entry], json!({"delivery": {"termination_message_path": messages[1]}}));
    let program = job.pod.path(ending.script).display().to_string();
    let args: &[&str] =
        if PROGRAMS.contains(&ending.script) { &[&program] } else { &["sh", "-c", ending.script] };
    let mut options = json!({"supervision": {"termination_message_path": messages[0]}});
    harness::pod::overlay(&mut options, ending.options.clone());
    let test = job.pod.entrypoint(entry, args, options);
    if let Some(signal) = ending.signal {
        entry.until_log("ready");
        test.signal(signal);
    }
    test.wait();
    sidecar.wait().expect_code(0);
    let [one, other] = messages.map(|path| fs::read_to_string(path).expect("read"));
    (one, other)
}

/// Checks the places of one ending against each other and the table; returns the sentence.
#[track_caller]
fn check(name: &str, job: &Job, result: &str, said: &[&str], (own, sidecars): (&str, &str)) -> String {
    let finished = job.finished();
    assert_eq!(finished["result"], result, "{name}: {finished}");
    let metadata = &finished["metadata"];
    let cause = metadata["pod-utils"]["cause"].as_str();
    assert_eq!(metadata["pod-utils-cause"].as_str(), cause, "{name}");
    assert_eq!(cause.is_none(), result == "SUCCESS", "{name}: {finished}");
    let sentence = cause.unwrap_or("exited with code 0").to_owned();
    let mut rest = sentence.as_str();
    for part in said {
        let at = rest.find(part).unwrap_or_else(|| panic!("{name}: no {part:?} in {sentence:?}"));
        rest = &rest[at + part.len()..];
    }
    assert!(sidecars.starts_with(&format!("{result}: {sentence}; ")), "{name}: {sidecars}");
    assert!(sidecars.contains(" delivered"), "{name}: {sidecars}");
    let report = &job.manifest()["reports"]["test"];
    if let Some(cause) = report["cause"].as_str() {
        assert_eq!(cause, sentence, "{name}");
        // A command that ends by itself may leave entrypoint's message to Kubernetes.
        let is_left = (report["reason"] == "exited" || report["reason"] == "signaled") && own.is_empty();
        assert!(is_left || own.starts_with(cause), "{name}: {own}");
    }
    assert!(result != "SUCCESS" || own.is_empty(), "{name}: {own}");
    let shown = process::run(
        job.pod.tree(),
        Command::new(bins::program("podutils")).arg("show").arg(job.objects_dir()),
    );
    shown.expect_code(0);
    assert!(shown.stdout.starts_with(result) && shown.stdout.contains(&sentence), "{name}: {}", shown.stdout);
    sentence
}

#[test]
fn every_place_says_the_same_true_sentence() {
    for ending in endings() {
        let job = Job::local();
        let entry = job.pod.entry("test");
        let (own, sidecars) = run(&job, &entry, &ending);
        let sentence = check(ending.name, &job, ending.result, ending.said, (&own, &sidecars));
        println!("{}: {sentence}", ending.name);
    }
}

#[test]
fn container_that_never_starts_is_given_up_and_told() {
    for (name, told, options) in [
        ("start timeout", false, json!({"delivery": {"start_timeout": "1s"}})),
        ("TERM", true, json!({"ignore_interrupts": true})),
    ] {
        let job = Job::local();
        let entry = job.pod.entry("test");
        let message = job.pod.path("sidecar-message");
        fs::write(&message, "").expect("made");
        let mut options = options;
        harness::pod::overlay(&mut options, json!({"delivery": {"termination_message_path": message}}));
        let sidecar = job.sidecar(&[&entry], options);
        if told {
            wait::until("the handler of TERM", || {
                process::catches(sidecar.pid(), Signal::TERM).then_some(())
            });
            sidecar.signal(Signal::TERM);
        }
        sidecar.wait().expect_code(0);
        let sidecars = fs::read_to_string(&message).expect("read");
        let result = if told { "ABORTED" } else { "FAILURE" };
        let said =
            ["the container never started, or could not write to", "it left no lock, no log and no report"];
        check(name, &job, result, &said, ("", &sidecars));
        assert_eq!(job.finished()["metadata"]["pod-utils"]["entries"]["test"]["reason"], "lost");
    }
}

#[test]
fn of_two_containers_the_one_that_failed_is_named() {
    let job = Job::local();
    let (first, second) = (job.pod.entry("first"), job.pod.entry("second"));
    let sidecar = job.sidecar(&[&first, &second], json!({}));
    let timeout = json!({"timeout": "1s", "grace_period": "1s"});
    let runs = job.pod.entrypoint(&first, &["sleep", "60"], timeout);
    job.pod.entrypoint(&second, &["true"], json!({})).wait().expect_code(0);
    runs.wait().expect_code(127);
    sidecar.wait().expect_code(0);
    let own = &job.finished()["metadata"]["pod-utils"];
    assert!(
        own["cause"].as_str().is_some_and(|cause| cause.starts_with("first: timed out after 1s")),
        "{own}"
    );
    assert_eq!(own["entries"].as_object().map(serde_json::Map::len), Some(1), "{own}");
    assert_eq!(own["entries"]["first"]["code"], "127");
}

#[test]
fn entry_after_a_failed_or_lost_one_is_never_the_origin() {
    for (lost, origin) in
        [(false, "first: exited with code 7"), (true, "first: entrypoint was killed and left no result")]
    {
        let job = Job::local();
        let (first, second) = (job.pod.entry("first"), job.pod.entry("second"));
        let sidecar = job.sidecar(&[&first, &second], json!({}));
        let script = if lost { "echo ready; exec sleep 60" } else { "echo ready; exit 7" };
        let one = job.pod.entrypoint(&first, &["sh", "-c", script], json!({}));
        first.until_log("ready");
        let more = json!({"previous_marker": first.marker});
        let other = job.pod.entrypoint(&second, &["true"], more);
        if lost {
            second.until_locked();
            one.signal(Signal::KILL);
        }
        one.wait();
        other.wait().expect_code(106);
        sidecar.wait().expect_code(0);
        let own = &job.finished()["metadata"]["pod-utils"];
        assert!(own["cause"].as_str().is_some_and(|cause| cause.starts_with(origin)), "{own}");
        assert_eq!(own["entries"]["second"]["reason"], "previous_failed", "{own}");
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
