//! One delivery of hostile inputs, and what holds after each.

use crate::size;
use harness::job::Job;
use harness::pod::{Entry, files_below};
use harness::process::{self, Ended, Exit};
use harness::wait;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// `delivery.memory` of every case, the least that sidecar accepts.
pub(crate) const MEMORY: usize = 20 << 20;

/// Memory that sidecar may use beside `delivery.memory`, counted from what an empty job uses.
const MEMORY_BESIDE: usize = 8 << 20;

/// Memory that a byte of a secret may cost, in all its encodings and the table to find them.
const TABLES_PER_SECRET_BYTE: usize = 16;

/// Longer than any case of small size takes on a busy machine, and than one of full size may,
/// in minutes.
const PATIENCE: (usize, usize) = (4, 20);

/// A value that each case logs and that must leave nowhere.
pub(crate) const SECRET: &str = "hostile-campaign-secret-4711";

/// The same in the form that a careless program would leak it in.
const SECRET_FORMS: [&str; 3] = [
    SECRET,
    "aG9zdGlsZS1jYW1wYWlnbi1zZWNyZXQtNDcxMQ",
    "686f7374696c652d63616d706169676e2d7365637265742d34373131",
];

/// Expectations of a case beside the checks that all have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// The exit status of sidecar with `delivery.fail_on_error`.
    pub(crate) code: i32,
    /// `result` of `finished.json`.
    pub(crate) result: &'static str,
}

/// Everything arrives or is named, and nothing failed.
pub(crate) const FINE: Expected = Expected { code: 0, result: "SUCCESS" };

/// Something failed, and is named; the test's result is the same.
pub(crate) const FAILED: Expected = Expected { code: 1, result: "SUCCESS" };

/// A job whose files are made before it is delivered.
pub(crate) struct Case {
    pub(crate) job: Job,
    pub(crate) entry: Entry,
    options: Value,
    environment: Vec<(&'static str, String)>,
}

impl Case {
    /// A job that delivers to a directory.
    pub(crate) fn local() -> Self {
        Self::of(Job::local())
    }

    /// A job that delivers to a bucket.
    pub(crate) fn s3() -> Self {
        Self::of(Job::s3())
    }

    fn of(job: Job) -> Self {
        let entry = job.pod.entry("test");
        let secrets = job.pod.path("secrets");
        fs::create_dir(&secrets).expect("made");
        fs::create_dir_all(job.pod.artifacts()).expect("made");
        fs::write(secrets.join("token"), SECRET).expect("written");
        let options = json!({
            "censoring_options": {"secret_directories": [secrets]},
            "delivery": {"memory": MEMORY, "fail_on_error": true},
        });
        Self { job, entry, options, environment: Vec::new() }
    }

    /// Lays options of sidecar over those of every case.
    pub(crate) fn options(mut self, more: Value) -> Self {
        harness::pod::overlay(&mut self.options, more);
        self
    }

    /// Sets a variable for sidecar.
    pub(crate) fn environment(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Returns the path of an artifact.
    pub(crate) fn artifact(&self, name: impl AsRef<Path>) -> PathBuf {
        self.job.pod.artifacts().join(name)
    }

    /// Returns the path of a file among the secrets.
    pub(crate) fn secret(&self, name: &str) -> PathBuf {
        self.job.pod.path("secrets").join(name)
    }

    /// Runs a test that says the secret, delivers, and checks what all cases have in
    /// common.
    #[track_caller]
    pub(crate) fn deliver(self, expected: Expected) -> Delivered {
        let script = format!("echo 'the log: {SECRET}'");
        let test = self.job.pod.entrypoint(&self.entry, &["sh", "-c", &script], json!({}));
        test.wait().expect_code(0);
        let mut command = self.job.sidecar_command(&[&self.entry], self.options.clone());
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        let (ended, peak) = run(&self.job, &mut command);
        let size_of = |name: &String| fs::metadata(self.secret(name)).expect("there").len();
        let secret_bytes: u64 = files_below(&self.secret("")).iter().map(size_of).sum();
        let tables = usize::try_from(secret_bytes).expect("small") * TABLES_PER_SECRET_BYTE;
        let delivered = Delivered { job: self.job, ended };
        delivered.check(expected, peak, MEMORY + MEMORY_BESIDE + tables);
        delivered
    }
}

/// Runs sidecar to its end; returns also its peak of memory in bytes.
#[track_caller]
fn run(job: &Job, command: &mut Command) -> (Ended, usize) {
    let mut sidecar = process::start(job.pod.tree(), command);
    let pid = sidecar.pid();
    let mut peak = 0;
    let patience = Duration::from_mins(size(PATIENCE.0, PATIENCE.1) as u64);
    let ended = wait::within(patience, || {
        peak = process::peak_memory(pid).unwrap_or(peak);
        sidecar.has_ended().then_some(())
    });
    assert!(ended.is_some(), "sidecar did not end within {patience:?}");
    (sidecar.wait(), usize::try_from(peak).expect("it fits into memory") << 10)
}

/// The memory that sidecar needs for a job without artifacts.
fn memory_of_an_empty_job() -> usize {
    static MEMORY_OF: OnceLock<usize> = OnceLock::new();
    *MEMORY_OF.get_or_init(|| {
        let job = Job::local();
        let entry = job.pod.entry("test");
        job.pod.entrypoint(&entry, &["true"], json!({})).wait().expect_code(0);
        run(&job, &mut job.sidecar_command(&[&entry], json!({"delivery": {"memory": MEMORY}}))).1
    })
}

/// A delivery that has ended.
pub(crate) struct Delivered {
    pub(crate) job: Job,
    pub(crate) ended: Ended,
}

impl Delivered {
    #[track_caller]
    fn check(&self, expected: Expected, peak: usize, beside: usize) {
        assert_eq!(self.ended.exit, Exit::Code(expected.code), "{:#?}", self.ended);
        self.ended.expect_records();
        self.job.expect_result(expected.result);
        let most = memory_of_an_empty_job() + beside;
        assert!(peak <= most, "I8: {} KiB, {} KiB are allowed", peak >> 10, most >> 10);
        self.expect_nothing_leaked();
        assert_eq!(self.job.text("build-log.txt"), format!("the log: {}\n", "X".repeat(SECRET.len())));
        let listed = self.count(|object| object["state"] == "stored");
        assert!(listed > 0, "the manifest lists what is there: {:#}", self.job.manifest());
    }

    #[track_caller]
    fn expect_nothing_leaked(&self) {
        let dir = self.job.objects_dir();
        for name in files_below(&dir) {
            let holds = |bytes: &[u8]| {
                SECRET_FORMS.iter().find(|form| bytes.windows(form.len()).any(|part| part == form.as_bytes()))
            };
            assert_eq!(holds(name.as_bytes()), None, "I6: {name}");
            let path = dir.join(&name);
            // Sparse files of any size have nothing but holes.
            if fs::metadata(&path).expect("there").len() < 64 << 20 {
                assert_eq!(holds(&fs::read(&path).expect("read")), None, "I6: in {name}");
            }
        }
        assert!(!self.ended.stderr.contains(SECRET), "I6: {}", self.ended.stderr);
    }

    /// Counts the objects of the manifest for which `matches` holds.
    #[track_caller]
    pub(crate) fn count(&self, matches: impl Fn(&Value) -> bool) -> usize {
        let manifest = self.job.manifest();
        manifest["objects"].as_array().expect("a list").iter().filter(|object| matches(object)).count()
    }

    /// Checks how many artifacts are in a state.
    #[track_caller]
    pub(crate) fn expect_artifacts(&self, state: &str, count: usize) -> &Self {
        let found = self.count(|object| {
            object["state"] == state && object["key"].as_str().is_some_and(|key| key.contains("artifacts/"))
        });
        assert_eq!(found, count, "{state}: {:#}", self.job.manifest()["objects"][0]);
        self
    }
}
