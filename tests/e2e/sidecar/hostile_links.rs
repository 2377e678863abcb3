//! Pins: I1; sidecar/README.md, "Odd files".
//!
//! Links that a test puts where sidecar looks, to make it publish what only
//! sidecar may read: nothing of that arrives, everything else does, and the
//! manifest and the log say what was refused.

use crate::pod::containers;
use common::marker;
use harness::docker::Engine;
use harness::job::Job;
use harness::pod::{Entry, files_below, json_of};
use harness::process::Ended;
use harness::s3::Fault;
use harness::skip;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Content of every file outside the log volume.
const SECRET: &str = "what-only-sidecar-may-read";

/// Text of the record about a refused link.
const REFUSED: &str = "it is a symbolic link, which is not followed here";

/// A job that has ended, and files outside its log volume that would be
/// delivered if they were read: each is what is expected where a link to it is put.
struct Case {
    job: Job,
    entry: Entry,
}

impl Case {
    fn new(job: Job) -> Self {
        let entry = job.pod.entry("test");
        let script = "mkdir \"$ARTIFACTS\"/d; echo inside > \"$ARTIFACTS\"/d/file; echo inside > \"$ARTIFACTS\"/a.txt; echo output";
        job.pod.entrypoint(&entry, &["sh", "-c", script], json!({})).wait().expect_code(0);
        fs::write(&entry.metadata, r#"{"the":"metadata"}"#).expect("written");
        let case = Self { job, entry };
        let report = json_of(&marker::report_path(&case.entry.marker)).to_string();
        for (name, content) in [
            ("text", SECRET.to_owned()),
            ("report.json", report.replace(r#""cause":""#, &format!(r#""cause":"{SECRET}"#))),
            ("metadata.json", json!({ SECRET: SECRET }).to_string()),
            ("directory/file", SECRET.to_owned()),
            (&format!("directory/{SECRET}"), SECRET.to_owned()),
        ] {
            let path = case.outside(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, content).expect("written");
        }
        case
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.job.pod.path("outside").join(name)
    }

    /// Puts a link to something outside in the place of a file or directory.
    fn swap(&self, path: &Path, outside: &str) {
        fs::rename(path, path.with_extension("was")).expect("moved");
        symlink(self.outside(outside), path).expect("linked");
    }

    fn deliver(&self) -> Ended {
        let ended = self.job.deliver_under_term(&[&self.entry]);
        self.expect_no_secret(&ended.stderr);
        ended
    }

    /// Neither the bucket nor the log of sidecar tells anything of the secret.
    fn expect_no_secret(&self, log: &str) {
        let root = match &self.job.s3 {
            Some(s3) => s3.object_path(""),
            None => self.job.pod.out(),
        };
        for name in files_below(&root) {
            let content = fs::read(root.join(&name)).expect("read");
            let found = content.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found && !name.contains(SECRET), "{name}: {}", String::from_utf8_lossy(&content));
        }
        assert!(!log.contains(SECRET), "{log}");
    }

    fn expect_artifacts(&self) {
        for name in ["artifacts/a.txt", "artifacts/d/file"] {
            assert_eq!(self.job.text(name), "inside\n");
            assert_eq!(self.job.listed(name)["state"], "stored");
        }
    }

    fn expect_log(&self) {
        assert_eq!(self.job.text("build-log.txt"), "output\n");
    }
}

/// Makes a test of each function, for a directory and for a bucket.
macro_rules! for_both {
    ($(fn $name:ident($case:ident) $body:block)*) => {
        $(fn $name($case: &Case) $body)*
        mod local {
            use super::*;
            $(#[test] fn $name() { super::$name(&Case::new(Job::local())); })*
        }
        mod s3 {
            use super::*;
            $(#[test] fn $name() { super::$name(&Case::new(Job::s3())); })*
        }
    };
}

for_both! {
fn process_log_as_a_link_is_refused(case) {
    case.swap(&case.entry.log, "text");
    let ended = case.deliver();
    let path = case.entry.log.display();
    let expected = format!("Failed to open {path}: open {path}: {REFUSED}\n");
    assert_eq!(case.job.text("build-log.txt"), expected);
    assert!(ended.stderr.contains("Failed to open process log"), "{ended:#?}");
    case.expect_artifacts();
    case.job.expect_result("SUCCESS");
}

fn marker_as_a_link_is_refused(case) {
    case.swap(&case.entry.marker, "text");
    let ended = case.deliver();
    assert!(ended.stderr.contains("The marker of Container test holds no code"), "{ended:#?}");
    case.expect_log();
    case.expect_artifacts();
    case.job.expect_result("FAILURE");
}

fn report_as_a_link_is_refused(case) {
    case.swap(&marker::report_path(&case.entry.marker), "report.json");
    let ended = case.deliver();
    assert!(ended.stderr.contains("The report cannot be read") && ended.stderr.contains(REFUSED), "{ended:#?}");
    case.expect_log();
    case.expect_artifacts();
    case.job.expect_result("SUCCESS");
    let manifest = case.job.manifest();
    assert_eq!(manifest["reports"], json!({}));
}

fn metadata_as_a_link_is_refused(case) {
    case.swap(&case.entry.metadata, "metadata.json");
    case.deliver();
    case.expect_log();
    case.expect_artifacts();
    case.job.expect_result("SUCCESS");
    let errors = case.job.finished()["metadata"]["sidecar-errors"].to_string();
    assert!(errors.contains(REFUSED), "{errors}");
    // It lies among the artifacts, too, where it leads out of them.
    case.job.expect_refused("artifacts/test-metadata.json", "skipped", "leaves the item");
}

fn artifact_directory_as_a_link_is_refused(case) {
    case.swap(&case.job.pod.artifacts(), "directory");
    let ended = case.deliver();
    case.expect_log();
    case.job.expect_result("SUCCESS");
    case.job.expect_refused("artifacts", "skipped", "symbolic link");
    assert!(ended.stderr.contains("Encountered error in resolving items to upload"), "{ended:#?}");
}

fn link_to_a_directory_among_artifacts_is_refused(case) {
    case.swap(&case.job.pod.artifacts().join("d"), "directory");
    symlink("/proc/self/environ", case.job.pod.artifacts().join("environ")).expect("linked");
    case.deliver();
    case.expect_log();
    case.job.expect_result("SUCCESS");
    assert_eq!(case.job.text("artifacts/a.txt"), "inside\n");
    assert_eq!(case.job.text("artifacts/d.was/file"), "inside\n");
    case.job.expect_refused("artifacts/d", "skipped", "leaves the item");
    case.job.expect_refused("artifacts/environ", "skipped", "leaves the item");
}

// The secret place has everything that is looked for under the very same names.
fn link_above_the_log_volume_is_refused(case) {
    for (name, from) in [
        ("test-log.txt", "text"),
        ("test-marker.txt.report.json", "report.json"),
        ("artifacts/test-metadata.json", "metadata.json"),
        ("artifacts/a.txt", "text"),
    ] {
        fs::create_dir_all(case.outside("logs/artifacts")).expect("made");
        fs::copy(case.outside(from), case.outside("logs").join(name)).expect("copied");
    }
    fs::write(case.outside("logs/test-marker.txt"), "0").expect("written");
    case.swap(&case.job.pod.logs(), "logs");
    let ended = case.deliver();
    let log = case.job.text("build-log.txt");
    assert!(log.starts_with("Failed to open") && log.contains("no directory, or a symbolic link"), "{log}");
    assert!(ended.stderr.contains("The marker of Container test holds no code"), "{ended:#?}");
    case.job.expect_refused("artifacts", "skipped", "no directory, or a symbolic link");
    let errors = case.job.finished()["metadata"]["sidecar-errors"].to_string();
    assert!(errors.contains("a symbolic link, which is not followed here"), "{errors}");
    case.job.expect_result("FAILURE");
}

// The child itself puts links everywhere while its entrypoint runs, which
// writes marker and report all the same, puts the log back, and follows no link.
fn links_swapped_in_while_the_test_runs_are_refused(case) {
    let entry = case.job.pod.entry("second");
    let (log, marker) = (entry.log.display(), entry.marker.display());
    let report = marker::report_path(&entry.marker);
    let lock = marker::lock_path(&entry.marker);
    let script = format!(
        "echo before; for file in {log} {marker} {} {} {}; do ln -sfn {} $file || exit 9; done; echo after",
        report.display(), lock.display(), entry.metadata.display(), case.outside("text").display(),
    );
    case.job.pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(0);
    assert_eq!(entry.code().as_deref(), Some("0"), "I1");
    assert_eq!(fs::read_to_string(case.outside("text")).expect("read"), SECRET);
    let ended = case.job.sidecar(&[&case.entry, &entry], json!({})).wait();
    ended.expect_code(0);
    case.expect_no_secret(&ended.stderr);
    case.job.expect_result("SUCCESS");
    assert_eq!(case.job.text("test-build-log.txt"), "output\n");
    assert_eq!(case.job.text("second-build-log.txt"), "before\nafter\n", "put back");
    case.job.expect_refused("artifacts/second-metadata.json", "skipped", "leaves the item");
    let manifest = case.job.manifest();
    assert_eq!(manifest["reports"]["second"]["reason"], "exited", "{manifest:#}");
}
}

/// The store refuses the first attempt; before the second one, which opens the
/// file anew, it is a link.
#[test]
fn file_swapped_for_a_link_between_attempts_is_refused() {
    let case = Case::new(Job::s3());
    let (file, spare) = (case.job.pod.artifacts().join("a.txt"), case.job.pod.artifacts().join("a.was"));
    let secret = case.outside("text");
    case.job.s3.as_ref().expect("a bucket").script(move |seen| {
        if !seen.key.ends_with("/a.txt") || seen.earlier > 0 {
            return Fault::None;
        }
        fs::rename(&file, &spare).expect("moved");
        symlink(&secret, &file).expect("linked");
        Fault::Busy(0)
    });
    case.deliver();
    case.job.expect_result("SUCCESS");
    case.expect_log();
    assert_eq!(case.job.text("artifacts/d/file"), "inside\n");
    case.job.expect_refused("artifacts/a.txt", "failed", "it cannot be opened");
}

/// Swaps what is at two paths as often as it can until it is dropped.
struct Swapping {
    stop: std::sync::Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Swapping {
    fn start(pairs: Vec<[PathBuf; 2]>) -> Self {
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for [one, other] in &pairs {
                    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).expect("swapped");
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Swapping {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic of the thread has been printed.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// Every file and directory is a link about half of the time, for no longer than
/// some microseconds, in many passes. `deliver` runs a sidecar and returns what
/// it said.
fn links_come_and_go(case: &Case, passes: usize, deliver: impl Fn() -> String) {
    let beside = case.job.pod.logs().join("beside");
    fs::create_dir(&beside).expect("made");
    // Its path leads elsewhere half of the time.
    let held = fs::File::open(case.job.pod.artifacts()).expect("opened");
    let artifacts = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let mut pairs = Vec::new();
    let mut pair = |path: PathBuf, outside: &str| {
        let other = beside.join(pairs.len().to_string());
        symlink(case.outside(outside), &other).expect("linked");
        pairs.push([path, other]);
    };
    pair(case.entry.log.clone(), "text");
    pair(artifacts.join("test-metadata.json"), "metadata.json");
    pair(marker::report_path(&case.entry.marker), "report.json");
    for number in 0..20 {
        let (file, directory) = (format!("f{number}"), format!("d{number}"));
        fs::create_dir(artifacts.join(&directory)).expect("made");
        fs::write(artifacts.join(&directory).join("file"), "inside\n").expect("written");
        fs::write(artifacts.join(&file), "inside\n").expect("written");
        pair(artifacts.join(file), "text");
        pair(artifacts.join(directory), "directory");
    }
    pair(case.job.pod.artifacts(), "directory");
    let swapping = Swapping::start(pairs);
    let (mut stored, mut refused) = (0, 0);
    for _ in 0..passes {
        case.expect_no_secret(&deliver());
        case.job.expect_result("SUCCESS");
        let manifest = case.job.manifest();
        for object in manifest["objects"].as_array().expect("a list") {
            match object["state"].as_str() {
                Some("stored" | "changed") => stored += 1,
                Some("skipped" | "failed") => refused += 1,
                _ => panic!("{object}"),
            }
        }
    }
    drop(swapping);
    drop(held);
    assert!(stored > passes && refused > passes, "{stored} stored and {refused} refused: no race");
}

fn delivered(case: &Case) -> String {
    let ended = case.job.sidecar(&[&case.entry], json!({})).wait();
    ended.expect_code(0);
    ended.stderr
}

#[test]
fn swapping_links_never_leak_to_a_directory() {
    let case = Case::new(Job::local());
    links_come_and_go(&case, 40, || delivered(&case));
}

#[test]
fn swapping_links_never_leak_to_a_bucket() {
    let case = Case::new(Job::s3());
    links_come_and_go(&case, 10, || delivered(&case));
}

/// Old profiles of container engines refuse `openat2`, which keeps a path inside
/// of a directory; then that is done step by step.
#[test]
fn swapping_links_never_leak_without_openat2() {
    let engine = match Engine::find() {
        Ok(engine) => engine,
        Err(reason) => skip!("{reason}"),
    };
    let case = Case::new(Job::local());
    let place = case.job.pod.path("").display().to_string();
    let volume = format!("{place}:{place}");
    let variable = format!("SIDECAR_OPTIONS={}", case.job.pod.sidecar_options(&[&case.entry], json!({})));
    let refusing = containers::refusing(&case.job.pod, &["openat2"]);
    links_come_and_go(&case, 5, || {
        let options = [&refusing, "--volume", &volume, "--env", &variable];
        let container = engine.run(&options, &["/tools/sidecar"]);
        assert_eq!(container.wait(), 0, "{}", container.logs());
        container.logs()
    });
}
