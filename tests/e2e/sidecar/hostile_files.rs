//! Pins: I8; sidecar/README.md, "Odd files".
//!
//! Files that are none, that may not be read, and that change while they are
//! read: each is named with its reason, and holds nothing else up.

use crate::pod::job::on_each_target;
use common::marker;
use harness::job::Job;
use harness::pod::{self, Entry};
use harness::s3::Fault;
use harness::{bins, process, skip};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A job that has ended.
fn ended(job: &Job) -> Entry {
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    fs::write(job.pod.artifacts().join("plain"), "inside\n").expect("written");
    entry
}

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).expect("a named pipe");
}

/// Makes `/dev/zero`, which never ends, under another name. `false` without the
/// permission to do so.
fn endless_device(path: &Path) -> bool {
    let made = mknodat(CWD, path, FileType::CharacterDevice, Mode::from_raw_mode(0o666), makedev(1, 5));
    // A file system without devices lets them be made and not be opened.
    let usable = made.is_ok() && fs::File::open(path).is_ok();
    if !usable {
        harness::announce_skip("devices cannot be made here, the rest is looked at");
    }
    usable
}

on_each_target! {
fn special_files_are_named_and_links_that_leave_the_item_are_refused(job) {
    let entry = ended(job);
    let artifacts = job.pod.artifacts();
    let at = |name: &str| artifacts.join(name);
    fs::create_dir(at("d")).expect("made");
    pipe(&at("pipe"));
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    let mut refused = vec![("pipe", "it is a named pipe"), ("socket", "it is a socket")];
    if endless_device(&at("endless")) {
        refused.push(("endless", "it is a device"));
    }
    let plain = at("plain").display().to_string();
    let log = entry.log.display().to_string();
    let delivered = ["inside", "absolute", "chain", "around"];
    for (name, target) in delivered.into_iter().zip(["plain", &plain, "absolute", "d/../plain"]) {
        symlink(target, at(name)).expect("linked");
    }
    for (name, target, reason) in [
        ("dangling", "nothing", "a symbolic link to nothing"),
        ("log", "../test-log.txt", "leaves the item"),
        ("log-absolute", &log, "leaves the item"),
        ("beyond", "../../../../../../../../../../etc/passwd", "leaves the item"),
        ("descriptor", "/proc/self/fd/0", "leaves the item"),
        ("directory", "d", "to a directory"),
        ("itself", "..", "leaves the item"),
        ("loop", "loop", "symbolic link"),
        ("pipe-link", "pipe", "no regular file"),
    ] {
        symlink(target, at(name)).expect("linked");
        refused.push((name, reason));
    }
    let ended = job.deliver_under_term(&[&entry]);
    ended.expect_records();
    job.expect_result("SUCCESS");
    assert_eq!(job.text("build-log.txt"), "output\n");
    for name in ["plain"].into_iter().chain(delivered) {
        assert_eq!(job.text(&format!("artifacts/{name}")), "inside\n");
    }
    for (name, reason) in &refused {
        job.expect_refused(&format!("artifacts/{name}"), "skipped", reason);
    }
    assert_eq!(job.names().iter().filter(|name| name.starts_with("artifacts/")).count(), 5);
}

// Everything that is configured is of the wrong kind.
fn fifos_sockets_and_devices_in_place_of_files_delay_nothing(job) {
    let entry = ended(job);
    let report = marker::report_path(&entry.marker);
    for path in [&entry.log, &entry.marker, &report] {
        fs::remove_file(path).expect("removed");
    }
    pipe(&entry.log);
    let _marker = UnixListener::bind(&entry.marker).expect("a socket");
    pipe(&report);
    let metadata = if endless_device(&entry.metadata) {
        "it is a device"
    } else {
        pipe(&entry.metadata);
        "it is a named pipe"
    };
    let ended = job.deliver_under_term(&[&entry]);
    let log = job.text("build-log.txt");
    assert!(log.starts_with("Failed to open ") && log.ends_with("it is a named pipe, not a regular file\n"), "{log}");
    assert!(ended.stderr.contains("The marker of Container test holds no code"), "{ended:#?}");
    job.expect_result("FAILURE");
    let finished = job.finished();
    assert!(finished["metadata"]["sidecar-errors"].to_string().contains(metadata), "{finished}");
    assert_eq!(job.text("artifacts/plain"), "inside\n");
}

fn fifo_in_place_of_the_artifact_directory_delays_nothing(job) {
    let entry = ended(job);
    fs::remove_dir_all(job.pod.artifacts()).expect("removed");
    pipe(&job.pod.artifacts());
    job.deliver_under_term(&[&entry]);
    job.expect_result("SUCCESS");
    job.expect_refused("artifacts", "skipped", "named pipe");
}

// A TiB each, which take no room on the disk and no memory of ours.
fn oversized_marker_report_and_metadata_are_read_up_to_their_limits(job) {
    let entry = ended(job);
    let report = marker::report_path(&entry.marker);
    for path in [&entry.marker, &report, &entry.metadata] {
        let file = fs::File::create(path).expect("made");
        file.set_len(1 << 40).expect("a sparse file");
    }
    fs::rename(&entry.metadata, job.pod.logs().join("metadata")).expect("moved");
    let entry = Entry { metadata: job.pod.logs().join("metadata"), ..entry };
    let ended = job.deliver_under_term(&[&entry]);
    assert!(ended.stderr.contains("The marker of Container test holds no code"), "{ended:#?}");
    job.expect_result("FAILURE");
    let finished = job.finished();
    let errors = finished["metadata"]["sidecar-errors"].to_string();
    assert!(errors.contains("it is larger than 1048576 bytes"), "{errors}");
    assert_eq!(job.text("artifacts/plain"), "inside\n");
}

// Log and artifact are appended to from before the start of sidecar until after
// its end.
fn endless_files_are_delivered_up_to_where_they_had_come(job) {
    let entry = ended(job);
    let artifact = job.pod.artifacts().join("endless");
    let stop = Arc::new(AtomicBool::new(false));
    let writers = [entry.log.clone(), artifact.clone()].map(|path| {
        let stop = Arc::clone(&stop);
        let mut file = fs::File::options().append(true).create(true).open(path).expect("opened");
        std::thread::spawn(move || {
            let mut line = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                writeln!(file, "line {line}").expect("written");
                line += 1;
            }
        })
    });
    let ended = job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true}})).wait();
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().expect("it wrote");
    }
    ended.expect_code(0);
    job.expect_result("SUCCESS");
    for (name, path) in [("build-log.txt", &entry.log), ("artifacts/endless", &artifact)] {
        let stored = fs::read(job.objects_dir().join(name)).expect("stored");
        assert!(fs::read(path).expect("read").starts_with(&stored), "{name}");
        let listed = job.listed(name);
        // The writer may have been asleep between opening and end.
        assert!(listed["state"] == "changed" || listed["state"] == "stored", "{listed}");
        assert_eq!(listed["stored_bytes"], stored.len(), "{listed}");
        assert_eq!(listed["stored_crc32c"], common::report::crc32c_text(crc32c::crc32c(&stored)), "{listed}");
    }
    assert_eq!(job.listed("build-log.txt")["matches_report"], false);
}
}

const LARGE: usize = 40 << 20;

/// Delivers a large file, to which something is done when its second part
/// arrives; the manifest tells what became of it.
fn disturbed(disturb: impl Fn(&Path) + Send + Sync + 'static) -> (Job, usize) {
    let job = Job::s3();
    let entry = ended(&job);
    let path = job.pod.artifacts().join("large");
    fs::write(&path, vec![b'x'; LARGE]).expect("written");
    job.s3.as_ref().expect("a bucket").script(move |seen| {
        if seen.query.contains("partNumber=2&") && seen.earlier == 0 {
            disturb(&path);
        }
        Fault::None
    });
    job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true}})).wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("build-log.txt"), "output\n");
    let (stored, listed) = (job.text("artifacts/large"), job.listed("artifacts/large"));
    assert!(stored.bytes().all(|byte| byte == b'x'));
    assert_eq!(listed["state"], "changed", "{listed}");
    assert_eq!(listed["stored_bytes"], stored.len(), "{listed}");
    (job, stored.len())
}

#[test]
fn file_that_shrinks_while_read_is_delivered_up_to_there() {
    let (_, stored) = disturbed(|path| {
        fs::File::options().write(true).open(path).and_then(|file| file.set_len(100)).expect("cut");
    });
    assert!((1 << 20..LARGE).contains(&stored), "{stored}");
}

#[test]
fn file_unlinked_while_read_is_delivered_whole() {
    let (_, stored) = disturbed(|path| fs::remove_file(path).expect("removed"));
    assert_eq!(stored, LARGE);
}

#[test]
fn file_overwritten_while_read_is_reported_as_changed() {
    let (_, stored) = disturbed(|path| {
        let file = fs::File::options().write(true).open(path).expect("opened");
        file.write_all_at(b"x", 0).expect("written");
    });
    assert_eq!(stored, LARGE);
}

/// The store refuses the first attempt; before the second one there is no file.
#[test]
fn file_that_vanishes_between_two_attempts_is_skipped() {
    let job = Job::s3();
    let entry = ended(&job);
    let path = job.pod.artifacts().join("plain");
    job.s3.as_ref().expect("a bucket").script(move |seen| {
        if !seen.key.ends_with("artifacts/plain") || seen.earlier > 0 {
            return Fault::None;
        }
        fs::remove_file(&path).expect("removed");
        Fault::Busy(0)
    });
    job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true}})).wait().expect_code(0);
    job.expect_result("SUCCESS");
    job.expect_refused("artifacts/plain", "skipped", "it was gone before it could be read");
}

/// A sparse file takes no room on the disk, and no part of it is sent.
#[test]
fn file_larger_than_the_store_takes_is_refused_at_once() {
    let job = Job::s3();
    let entry = ended(&job);
    let file = fs::File::create(job.pod.artifacts().join("huge")).expect("made");
    file.set_len(1 << 40).expect("a sparse file");
    job.sidecar(&[&entry], json!({})).wait().expect_code(0);
    job.expect_result("SUCCESS");
    job.expect_refused("artifacts/huge", "failed", "it is too large");
    assert_eq!(job.text("artifacts/plain"), "inside\n");
    let seen = job.s3.as_ref().expect("a bucket").seen();
    assert!(!seen.iter().any(|seen| seen.key.ends_with("huge")), "{seen:?}");
}

/// A sidecar of nobody's among files of root's.
#[test]
fn unreadable_files_are_named_and_the_rest_is_delivered() {
    let job = Job::local();
    let entry = ended(&job);
    let set = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    };
    set(&job.pod.path(""), 0o777);
    let artifacts = job.pod.artifacts();
    for (name, mode) in [("closed", 0o000), ("listed", 0o744), ("entered", 0o711)] {
        let directory = artifacts.join(name);
        fs::create_dir(&directory).expect("made");
        fs::write(directory.join("file"), "x").expect("written");
        set(&directory, mode);
    }
    fs::write(artifacts.join("no-mode"), "x").expect("written");
    fs::write(&entry.metadata, "{}").expect("written");
    for path in [&artifacts.join("no-mode"), &entry.metadata, &entry.log, &marker::report_path(&entry.marker)]
    {
        set(path, 0o000);
    }
    let program = job.pod.path("sidecar");
    fs::copy(bins::program("sidecar"), &program).expect("copied");
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    if !Command::new("setpriv").args(nobody).arg("true").output().is_ok_and(|tried| tried.status.success()) {
        skip!("another user cannot be taken on here");
    }
    let prepared = job.sidecar_command(&[&entry], json!({}));
    let mut command = Command::new("setpriv");
    command
        .args(nobody)
        .arg(&program)
        .envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = process::run(job.pod.tree(), &mut command);
    ended.expect_code(0);
    ended.expect_records();
    job.expect_result("SUCCESS");
    let path = entry.log.display();
    let placeholder = format!("Failed to open {path}: open {path}: permission denied\n");
    assert_eq!(job.text("build-log.txt"), placeholder);
    assert_eq!(job.text("artifacts/plain"), "inside\n");
    for (name, state, reason) in [
        ("no-mode", "failed", "it cannot be opened: Permission denied"),
        ("test-metadata.json", "failed", "it cannot be opened: Permission denied"),
        ("closed", "skipped", "the directory cannot be read: Permission denied"),
        ("entered", "skipped", "the directory cannot be read: Permission denied"),
        ("listed", "skipped", "the directory cannot be read: Permission denied"),
    ] {
        job.expect_refused(&format!("artifacts/{name}"), state, reason);
    }
    let finished = job.finished();
    assert!(finished["metadata"]["sidecar-errors"].to_string().contains("Permission denied"), "{finished}");
    assert!(ended.stderr.contains("The report cannot be read"), "{ended:#?}");
    assert_eq!(pod::files_below(&job.pod.out()).len(), 5, "{:?}", job.names());
}

#[test]
fn broken_metadata_cannot_break_the_result() {
    let pod = pod::Pod::new();
    let entry = pod.entry("test");
    let script = r#"echo output; printf '{"half": ' > "$ARTIFACTS/test-metadata.json""#;
    pod.entrypoint(&entry, &["sh", "-c", script], json!({})).wait().expect_code(0);
    pod.sidecar(&[&entry], json!({})).wait().expect_code(0);
    let finished = pod.finished();
    assert_eq!(finished["result"], "SUCCESS");
    let errors = finished["metadata"]["sidecar-errors"].as_object().expect("said");
    assert!(errors.keys().all(|key| key.starts_with("entry 0: ")), "{finished}");
}

#[test]
fn missing_log_is_delivered_as_a_placeholder() {
    let (pod, entry) = crate::sidecar::option_errors::pod_with_results();
    fs::remove_file(&entry.log).expect("removed");
    pod.sidecar(&[&entry], json!({})).wait().expect_code(0);
    let log = pod.delivered("build-log.txt");
    assert!(log.starts_with("Failed to open ") && log.contains(&entry.log.display().to_string()), "{log}");
    assert!(log.ends_with('\n'));
    assert_eq!(pod.finished()["result"], "SUCCESS");
}
