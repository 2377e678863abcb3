//! Pins: I4.
//!
//! Jobs from end to end: real entrypoints, a real sidecar, a local directory and
//! a bucket.

use common::signal::Signal;
use harness::job::Job;
use harness::pod::Entry;
use harness::process::{self, Exit, Running};
use harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

/// Runs each test once with a local directory and once with a bucket.
macro_rules! on_each_target {
    ($(fn $name:ident($job:ident) $body:block)*) => {
        $(fn $name($job: &Job) $body)*
        mod local {
            use super::Job;
            $(#[test] fn $name() { super::$name(&Job::local()); })*
        }
        mod s3 {
            use super::Job;
            $(#[test] fn $name() { super::$name(&Job::s3()); })*
        }
    };
}

pub(crate) use on_each_target;

/// Runs a pod with one container to its end and checks marker and exit status.
#[track_caller]
fn run(job: &Job, args: &[&str], options: Value, code: i32) -> Entry {
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({}));
    let ended = job.pod.entrypoint(&entry, args, options).wait();
    ended.expect_code(code);
    assert_eq!(entry.code(), Some(code.to_string()), "{ended:#?}");
    sidecar.wait().expect_code(0);
    assert_eq!(job.text("build-log.txt"), entry.log_text());
    entry
}

on_each_target! {

fn passing_job_delivers_log_artifacts_and_metadata(job) {
    let script = r#"
        echo "to stdout"; echo "to stderr" >&2
        mkdir "$ARTIFACTS/deep"; echo "an artifact" > "$ARTIFACTS/deep/file.txt"
        echo '{"weather": "fine"}' > "$ARTIFACTS/test-metadata.json""#;
    let entry = run(job, &["sh", "-c", script], json!({}), 0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("build-log.txt"), "to stdout\nto stderr\n");
    assert_eq!(job.text("artifacts/deep/file.txt"), "an artifact\n");
    assert_eq!(job.finished()["metadata"]["weather"], "fine");
    assert_eq!(entry.report()["reason"], "exited");
    let names = job.names();
    for name in ["artifacts/test-metadata.json", "sidecar-logs.json"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
}

fn failing_job_delivers_failure_and_its_code(job) {
    let entry = run(job, &["sh", "-c", "echo broken; exit 3"], json!({}), 3);
    job.expect_result("FAILURE");
    assert_eq!(entry.log_lines(), ["broken", "error|exited with code 3"]);
    assert_eq!(job.text("build-log.txt"), entry.log_text());
    assert_eq!(entry.report()["child"], json!({"exit_code": 3}));
}

fn timeout_that_ends_within_the_grace_period_is_127(job) {
    let entry = run(job, &["sleep", "60"], json!({"timeout": "300ms", "grace_period": "30s"}), 127);
    job.expect_result("FAILURE");
    assert_eq!(entry.log_lines(), [
        "error|Process did not finish before 300ms timeout",
        "error|ERROR: sleep timed out after 300ms",
        "error|Process gracefully exited before 30s grace period",
        "error|timed out after 300ms; died of SIGINT",
    ]);
    assert_eq!(entry.report()["reason"], "timed_out");
}

fn timeout_that_ignores_signals_is_killed_and_127(job) {
    let options = json!({"timeout": "300ms", "grace_period": "300ms"});
    let entry = run(job, &[HOSTILE, "ignore"], options, 127);
    job.expect_result("FAILURE");
    assert_eq!(entry.log_lines(), [
        "ready",
        "error|Process did not finish before 300ms timeout",
        "error|ERROR: hostile timed out after 300ms",
        "error|Process did not exit before 300ms grace period",
        "error|timed out after 300ms; did not exit within 300ms; killed",
    ]);
    assert_eq!(entry.report()["reason"], "timed_out");
    assert_eq!(job.pod.tree().members(), []);
}

fn term_aborts_with_and_without_ignore_interrupts(job) {
    interrupted(job, Signal::TERM, false);
    fresh(job);
    interrupted(job, Signal::TERM, true);
}

fn int_aborts_with_and_without_ignore_interrupts(job) {
    interrupted(job, Signal::INT, false);
    fresh(job);
    interrupted(job, Signal::INT, true);
}

fn clean_up_through_tee_is_delivered_after_the_shell_died(job) {
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({}));
    let copy = job.pod.path("copy.txt");
    let script = format!("{HOSTILE} cleanup 10 200 2>&1 | tee {}; echo never", copy.display());
    let running = job.pod.entrypoint(&entry, &["sh", "-c", &script], json!({}));
    entry.until_log("ready");
    running.signal(Signal::TERM);
    running.wait().expect_code(130);
    sidecar.wait().expect_code(0);
    job.expect_result("ABORTED");
    let lines = entry.log_lines();
    let cleaned: Vec<_> = lines.iter().filter(|line| line.starts_with("clean-up line")).cloned().collect();
    assert_eq!(cleaned, (1..=10).map(|line| format!("clean-up line {line}")).collect::<Vec<_>>(), "{lines:?}");
    assert_eq!(job.text("build-log.txt"), entry.log_text());
    assert!(lines.contains(&"error|Process gracefully exited before 15s grace period".to_owned()), "{lines:?}");
}

fn child_killed_by_a_signal_is_128_and_its_number(job) {
    let entry = run(job, &[HOSTILE, "die", "9"], json!({}), 137);
    job.expect_result("FAILURE");
    let report = entry.report();
    assert_eq!(report["reason"], "signaled");
    assert_eq!(report["child"], json!({"signal": "SIGKILL"}));
}

fn program_that_cannot_start_is_a_failure(job) {
    let entry = run(job, &["./no-such-program"], json!({}), 127);
    job.expect_result("FAILURE");
    assert_eq!(
        entry.log_text(),
        "could not start the process: fork/exec ./no-such-program: no such file or directory"
    );
    assert_eq!(entry.report()["reason"], "start_failed");
}

fn two_entries_are_one_result(job) {
    let (first, second) = (job.pod.entry("first"), job.pod.entry("second"));
    let sidecar = job.sidecar(&[&first, &second], json!({"entry_error": true}));
    let one = job.pod.entrypoint(&first, &["sh", "-c", "echo one"], json!({}));
    one.wait().expect_code(0);
    let two = job.pod.entrypoint(&second, &["sh", "-c", "echo two; exit 5"], json!({}));
    two.wait().expect_code(5);
    sidecar.wait().expect_code(1);
    job.expect_result("FAILURE");
    assert_eq!(job.text("first-build-log.txt"), "one\n");
    assert_eq!(second.log_lines(), ["two", "error|exited with code 5"]);
    assert_eq!(job.text("second-build-log.txt"), second.log_text());
    assert!(!job.names().contains(&"build-log.txt".to_owned()));
}

fn entry_lost_by_sigkill_is_a_failure(job) {
    let (lost, other) = (job.pod.entry("lost"), job.pod.entry("other"));
    let mut sidecar = job.sidecar(&[&lost, &other], json!({}));
    let victim = job.pod.entrypoint(&lost, &["sh", "-c", "echo before; sleep 60"], json!({}));
    let release = job.pod.path("release");
    let script = format!("echo waiting; until [ -e {} ]; do sleep 0.01; done; echo after", release.display());
    let survivor = job.pod.entrypoint(&other, &["sh", "-c", &script], json!({}));
    lost.until_log("before");
    other.until_log("waiting");
    victim.signal(Signal::KILL);
    assert_eq!(victim.wait().exit, Exit::Signal(Signal::KILL));
    // The direct child does not outlive it, and the wait for the other goes on.
    wait::until("the victim's child to end", || {
        (!job.pod.tree().members().iter().any(|member| member.command.contains("echo before"))).then_some(())
    });
    assert!(!sidecar.has_ended());
    assert_eq!(job.finished_now(), None);
    fs::write(&release, "").expect("released");
    survivor.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    assert_eq!(lost.code(), None);
    job.expect_result("FAILURE");
    assert_eq!(job.text("lost-build-log.txt"), "before\n");
    assert_eq!(job.text("other-build-log.txt"), "waiting\nafter\n");
}

fn chain_of_entries_stops_at_the_first_failure(job) {
    let entries = ["one", "two", "three"].map(|name| job.pod.entry(name));
    let [one, two, three] = &entries;
    let sidecar = job.sidecar(&[one, two, three], json!({"entry_error": true}));
    let last = job.pod.entrypoint(three, &["echo", "never"], json!({"previous_marker": two.marker}));
    let middle = job.pod.entrypoint(two, &["sh", "-c", "echo second; exit 5"], json!({"previous_marker": one.marker}));
    let first = job.pod.entrypoint(one, &["echo", "first"], json!({}));
    first.wait().expect_code(0);
    middle.wait().expect_code(5);
    last.wait().expect_code(1130 % 256);
    sidecar.wait().expect_code(1);
    job.expect_result("FAILURE");
    assert_eq!(three.code().as_deref(), Some("1130"));
    assert_eq!(three.log_lines(), [
        "info|Skipping as previous step exited 5",
        "error|not started because the previous step exited 5",
    ]);
    assert_eq!(job.text("one-build-log.txt"), "first\n");
    assert_eq!(two.log_lines(), ["second", "error|exited with code 5"]);
    assert_eq!(job.text("two-build-log.txt"), two.log_text());
    assert_eq!(job.text("three-build-log.txt"), three.log_text());
}

fn chain_of_entries_stops_after_a_lost_one(job) {
    let (first, second) = (job.pod.entry("first"), job.pod.entry("second"));
    let sidecar = job.sidecar(&[&first, &second], json!({}));
    let victim = job.pod.entrypoint(&first, &["sleep", "60"], json!({}));
    first.until_locked();
    let follower = job.pod.entrypoint(&second, &["echo", "never"], json!({"previous_marker": first.marker}));
    second.until_locked();
    victim.signal(Signal::KILL);
    follower.wait().expect_code(1130 % 256);
    sidecar.wait().expect_code(0);
    job.expect_result("FAILURE");
    assert_eq!(second.log_lines(), [
        "info|Skipping as previous step was lost",
        "error|not started because the previous step was lost: its entrypoint ended without a result",
    ]);
    assert_eq!(second.report()["reason"], "previous_failed");
}

fn two_thousand_small_files_arrive(job) {
    let script = r#"
        for d in $(seq 20); do
          mkdir "$ARTIFACTS/$d"
          for f in $(seq 100); do echo "file $d $f" > "$ARTIFACTS/$d/$f.txt"; done
        done"#;
    run(job, &["sh", "-c", script], json!({}), 0);
    job.expect_result("SUCCESS");
    let names = job.names();
    assert_eq!(names.iter().filter(|name| name.starts_with("artifacts/")).count(), 2000);
    for (dir, file) in [(1, 1), (7, 93), (20, 100)] {
        assert_eq!(job.text(&format!("artifacts/{dir}/{file}.txt")), format!("file {dir} {file}\n"));
    }
}

fn file_of_300_mib_arrives(job) {
    let entry = job.pod.entry("test");
    let artifacts = job.pod.artifacts();
    fs::create_dir_all(&artifacts).expect("made");
    let file = artifacts.join("large.bin");
    write_pattern(&file, 300 << 20);
    let sidecar = job.sidecar(&[&entry], json!({}));
    let pid = sidecar.pid();
    job.pod.entrypoint(&entry, &["true"], json!({})).wait().expect_code(0);
    let peak = std::thread::spawn(move || {
        let mut peak = 0;
        let ended = wait::within(Duration::from_mins(10), || {
            let now = process::peak_memory(pid);
            peak = now.unwrap_or(peak);
            now.is_none().then_some(())
        });
        assert!(ended.is_some(), "it is still there");
        peak
    });
    sidecar.wait().expect_code(0);
    job.expect_result("SUCCESS");
    expect_same(&file, &job.objects_dir().join("artifacts/large.bin"));
    let peak = peak.join().expect("watched");
    assert!(peak < 160 << 10, "{peak} KiB for one large file");
}

fn secrets_are_masked_in_log_and_artifacts(job) {
    let entry = job.pod.entry("test");
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("token"), "correct-horse-battery\n").expect("written");
    let sidecar = job.sidecar(&[&entry], json!({"censoring_options": {"secret_directories": [secrets]}}));
    let script = r#"
        echo "the token is correct-horse-battery, encoded Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"
        echo "again: correct-horse-battery" > "$ARTIFACTS/leak.txt""#;
    job.pod.entrypoint(&entry, &["sh", "-c", script], json!({})).wait().expect_code(0);
    sidecar.wait().expect_code(0);
    job.expect_result("SUCCESS");
    for name in job.names() {
        let text = job.text(&name);
        assert!(!text.contains("horse") && !text.contains("Y29ycmVjdC1ob3JzZS1"), "{name}: {text}");
    }
    assert_eq!(job.text("artifacts/leak.txt"), "again: XXXXXXXXXXXXXXXXXXXXX\n");
    assert!(entry.log_text().contains("correct-horse-battery"), "nothing is censored in place");
}

}

/// A pod that is told to end: `signal` to entrypoint and sidecar, a child that
/// ends when it is let go.
fn interrupted(job: &Job, signal: Signal, ignore: bool) {
    let entry = job.pod.entry("test");
    let release = job.pod.path("release");
    let mut sidecar = job.sidecar(&[&entry], json!({"ignore_interrupts": ignore}));
    let running = job.pod.entrypoint(&entry, &[HOSTILE, "held", &release.display().to_string()], json!({}));
    entry.until_log("ready");
    until_watching(&mut sidecar);
    running.signal(signal);
    sidecar.signal(signal);
    let word = signal.description();
    entry.until_log(&format!("Entrypoint received interrupt: {word}"));
    if ignore {
        sidecar.until_stderr(&format!("Received an interrupt: {word}, ignoring..."));
        assert_eq!(job.finished_now(), None);
    } else {
        sidecar.until_stderr(&format!("Received an interrupt: {word}, cancelling..."));
        let provisional = wait::until("the provisional result", || job.finished_now());
        assert_eq!(provisional["result"], "ABORTED");
        assert_eq!(entry.code(), None);
    }
    fs::write(&release, "").expect("released");
    running.wait().expect_code(130);
    sidecar.wait().expect_code(0);
    job.expect_result("ABORTED");
    assert_eq!(entry.code().as_deref(), Some("130"));
    assert_eq!(entry.report()["reason"], "aborted");
    assert_eq!(
        entry.log_lines(),
        [
            "ready".to_owned(),
            format!("error|Entrypoint received interrupt: {word}"),
            "released".to_owned(),
            "error|Process gracefully exited before 15s grace period".to_owned(),
            format!("error|aborted by {signal}; exited with 0 after {signal}"),
        ]
    );
    assert_eq!(job.text("build-log.txt"), entry.log_text(), "what came after the signal is delivered too");
}

/// Forgets what the first run of two left.
fn fresh(job: &Job) {
    fs::remove_file(job.pod.path("release")).expect("removed");
    fs::remove_dir_all(job.objects_dir()).expect("removed");
    fs::remove_dir_all(job.pod.logs()).expect("removed");
    fs::create_dir(job.pod.logs()).expect("made");
}

/// Waits until sidecar catches signals and watches files.
fn until_watching(sidecar: &mut Running) {
    let pid = sidecar.pid();
    wait::until("sidecar to watch files", || harness::process::watches_files(pid).then_some(()));
}

/// Bytes that differ from block to block, so that a lost or doubled part shows.
fn write_pattern(path: &std::path::Path, size: usize) {
    use std::io::Write;
    let mut file = std::io::BufWriter::new(fs::File::create(path).expect("made"));
    for word in 0..u64::try_from(size / 8).expect("fits") {
        file.write_all(&word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).expect("written");
    }
    file.flush().expect("written");
}

fn expect_same(left: &std::path::Path, right: &std::path::Path) {
    let ended = std::process::Command::new("cmp").arg(left).arg(right).output().expect("cmp runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}
