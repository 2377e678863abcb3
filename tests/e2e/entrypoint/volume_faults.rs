//! Pins: E-42, I2.
//!
//! entrypoint on volumes that fill up, vanish or are tampered with.

use common::marker;
use common::signal::Signal;
use harness::bins;
use harness::pod::{Entry, Pod};
use harness::process::{self, Ended};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

const HOSTILE: &str = env!("CARGO_BIN_EXE_hostile");

/// A pod whose log volume is a tmpfs of its own, in a mount namespace; `None`
/// where that is not permitted.
struct SmallVolume {
    pod: Pod,
    entry: Entry,
}

impl SmallVolume {
    fn new() -> Option<Self> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", "mount -t tmpfs none /mnt"]);
        let permitted = unshare.output().is_ok_and(|output| output.status.success());
        permitted.then(|| {
            let pod = Pod::new();
            let entry = pod.entry("test");
            Self { pod, entry }
        })
    }

    /// Runs entrypoint on a volume of `size` bytes after the shell commands
    /// `before`; the volume's files are copied to the real log directory at the end.
    fn run(&self, size: &str, before: &str, args: &[&str], options: Value) -> Ended {
        let mut own = json!({"artifact_dir": "", "supervision": {"termination_message_path": ""}});
        harness::pod::overlay(&mut own, options);
        let options = self.pod.entrypoint_options(&self.entry, args, own);
        let script = format!(
            "mount -t tmpfs -o size={size} none '{logs}' && cd '{logs}' && {{ {before}; }} \
             && ENTRYPOINT_OPTIONS=\"$OPTIONS\" \"$0\"; code=$?; \
             cp -a '{logs}'/. '{copy}'; exit $code",
            logs = self.pod.logs().display(),
            copy = self.pod.path("copy").display(),
        );
        fs::create_dir_all(self.pod.path("copy")).expect("made");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]).arg(bins::program("entrypoint"));
        command.env("OPTIONS", options.to_string());
        process::run(self.pod.tree(), &mut command)
    }

    /// The entry's files as they were at the end.
    fn copied(&self) -> Entry {
        let copy = self.pod.path("copy");
        Entry { log: copy.join("test-log.txt"), marker: copy.join("test-marker.txt"), ..self.entry.clone() }
    }
}

macro_rules! small_volume {
    () => {
        match SmallVolume::new() {
            Some(volume) => volume,
            None => harness::skip!("mounting a tmpfs is not permitted here"),
        }
    };
}

#[test]
fn full_volume_at_the_start_is_127_and_said() {
    let volume = small_volume!();
    let fill = "cat /dev/zero > filler 2>/dev/null; true";
    let ended = volume.run("64k", fill, &["echo", "x"], json!({"grace_period": "1500ms"}));
    ended.expect_code(127);
    assert!(ended.stderr.contains("no space left on device"), "{ended:#?}");
    assert_eq!(volume.copied().code(), None);
}

#[test]
fn full_volume_that_is_freed_later_gets_its_marker() {
    let volume = small_volume!();
    let fill = "cat /dev/zero > filler 2>/dev/null; (sleep 2; rm filler) & true";
    let ended = volume.run("64k", fill, &["echo", "x"], json!({"grace_period": "30s"}));
    ended.expect_code(127);
    assert_eq!(volume.copied().code().as_deref(), Some("127"), "{ended:#?}");
}

#[test]
fn volume_filled_by_the_job_still_gets_marker_and_report() {
    let volume = small_volume!();
    let script = format!("{HOSTILE} flood 1000000; exit 3");
    let ended = volume.run("300k", ":", &["sh", "-c", &script], json!({}));
    ended.expect_code(3);
    // Live output goes on while the log has no room.
    assert!(ended.stdout.len() >= 1_000_000, "{}", ended.stdout.len());
    let entry = volume.copied();
    assert_eq!(entry.code().as_deref(), Some("3"));
    let (report, log) = (entry.report(), fs::read(&entry.log).expect("a log"));
    let dropped = report["output"]["dropped_bytes"].as_u64().expect("a number");
    assert_eq!(report["output"]["child_bytes"], 1_000_000, "{report}");
    assert_eq!(report["output"]["log_bytes"], log.len(), "{report}");
    assert_eq!(dropped + log.len() as u64, 1_000_000, "{report}");
    assert!(ended.stdout.contains("bytes of the output could not be written"), "{report}");
}

#[test]
fn full_volume_with_room_again_goes_on_with_the_log() {
    let volume = small_volume!();
    let script = "cat /dev/zero > filler 2>/dev/null; echo lost; sleep 0.5; rm filler; echo kept";
    let ended = volume.run("300k", ":", &["sh", "-c", script], json!({}));
    ended.expect_code(0);
    let entry = volume.copied();
    let log = entry.log_text();
    assert!(log.contains("kept\n"), "{log:?}");
    assert!(log.contains("bytes of the output could not be written to the process log"), "{log:?}");
    assert_eq!(entry.report()["output"]["dropped_bytes"], 5, "{log:?}");
    assert!(ended.stdout.contains("lost\n"), "{ended:#?}");
}

#[test]
fn read_only_marker_directory_is_127_and_said() {
    let volume = small_volume!();
    let ended = volume.run("1m", "mount -o remount,ro .", &["echo", "x"], json!({"grace_period": "1s"}));
    ended.expect_code(127);
    assert!(ended.stderr.contains("read-only file system"), "{ended:#?}");
}

#[test]
fn vanished_marker_directory_is_127_even_with_always_zero() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let markers = pod.path("markers");
    fs::create_dir(&markers).expect("made");
    let script = format!("rm -r {0}; echo in the way > {0}", markers.display());
    let options = json!({
        "marker_file": markers.join("marker"), "grace_period": "1s", "always_zero": true,
    });
    let ended = pod.entrypoint(&entry, &["sh", "-c", &script], options).wait();
    ended.expect_code(127);
    assert_eq!(ended.stdout.matches("Error writing exit code to marker file").count(), 1, "{ended:#?}");
}

#[test]
fn deleted_log_is_put_back() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = format!("echo one; sleep 0.2; rm {}; echo two", entry.log.display());
    pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(0);
    assert_eq!(entry.log_text(), "one\ntwo\n");
    assert_eq!(entry.report()["output"]["log_bytes"], 8);
}

/// Sidecar follows no link that a job made.
#[test]
fn moved_and_linked_log_is_put_back() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = format!("echo one; mv {0} {0}.1; ln -s {0}.1 {0}; echo two", entry.log.display());
    pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(0);
    assert!(entry.log.symlink_metadata().expect("there").is_file());
    assert_eq!(entry.log_text(), "one\ntwo\n");
}

#[test]
fn deleted_log_directory_still_gives_a_result() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let script = format!("echo one; sleep 0.2; rm -r {}; echo two; exit 5", pod.logs().display());
    pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(5);
    assert_eq!(entry.code().as_deref(), Some("5"));
    assert_eq!(entry.log_lines(), ["one", "two", "error|exited with code 5"]);
    assert_eq!(entry.report()["code"], 5);
}

#[test]
fn forged_marker_and_report_are_replaced() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let (marker, report) = (entry.marker.display(), marker::report_path(&entry.marker));
    let script = format!("echo 0 > {marker}; echo '{{}}' > {}; exit 5", report.display());
    pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(5);
    assert_eq!(entry.code().as_deref(), Some("5"));
    assert_eq!(entry.report()["code"], 5);
}

#[test]
fn unwritable_lock_is_127() {
    let pod = Pod::new();
    // The longest name that a file can have: with `.lock` behind it, it is too long.
    let entry = Entry { marker: pod.logs().join("m".repeat(255)), ..pod.entry("test") };
    let own = json!({"grace_period": "1s", "marker_file": entry.marker});
    let ended = pod.entrypoint(&entry, &["true"], own).wait();
    ended.expect_code(127);
    assert!(ended.stderr.contains("could not take the lock"), "{ended:#?}");
    assert_eq!(entry.code().as_deref(), Some("127"));
}

#[test]
fn term_at_any_time_leaves_a_marker() {
    // At times that fall before, into and after every state of a short job.
    for delay in 0..40_u64 {
        let pod = Pod::new();
        let entry = pod.entry("test");
        let running = pod.entrypoint(&entry, &["sh", "-c", "sleep 0.02"], json!({"grace_period": "5s"}));
        std::thread::sleep(Duration::from_millis(delay));
        let mut running = running;
        if !running.has_ended() {
            running.signal(Signal::TERM);
        }
        let ended = running.wait();
        match ended.exit {
            // The first instruction of main may not have been reached yet.
            process::Exit::Signal(Signal::TERM) => assert_eq!(entry.code(), None, "{ended:#?}"),
            process::Exit::Code(code) => {
                assert!(code == 0 || code == 130, "{ended:#?}");
                assert_eq!(entry.code(), Some(code.to_string()), "{ended:#?}");
            }
            process::Exit::Signal(_) => panic!("{ended:#?}"),
        }
    }
}

#[test]
fn named_pipe_in_place_of_the_log_delays_nothing() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    assert!(Command::new("mkfifo").arg(&entry.log).status().expect("starts").success());
    let ended = pod.entrypoint(&entry, &[HOSTILE, "flood", "300000"], json!({})).wait();
    ended.expect_code(0);
    let output = &entry.report()["output"];
    assert_eq!(
        (&output["child_bytes"], &output["live_dropped_bytes"]),
        (&json!(300_000), &json!(0)),
        "{output}"
    );
    let dropped = output["dropped_bytes"].as_u64().expect("a number");
    assert!(dropped > 0 && dropped < 300_000, "{dropped}");
}

#[test]
fn ignored_sigchld_does_not_hide_the_childs_end() {
    let pod = Pod::new();
    let entry = pod.entry("test");
    let options = pod.entrypoint_options(&entry, &["sh", "-c", "exit 3"], json!({}));
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' CHLD; exec \"$0\""]).arg(bins::program("entrypoint"));
    command.env("ENTRYPOINT_OPTIONS", options.to_string());
    process::run(pod.tree(), &mut command).expect_code(3);
    assert_eq!(entry.report()["reason"], "exited");
}
