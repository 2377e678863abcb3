//! A pod made of a directory and processes.

use crate::bins;
use crate::process::{self, Running};
use crate::tree::Tree;
use crate::wait;
use common::marker;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The log volume, the artifacts and the local destination of one pod, and the
/// processes of its containers. Everything ends with the value.
#[derive(Debug)]
pub struct Pod {
    // Dropped first: nobody writes into a directory that is being removed.
    tree: Tree,
    dir: tempfile::TempDir,
}

/// The files of one wrapped container, named as Prow's decoration names those of
/// a pod with several containers.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The container's name.
    pub name: String,
    /// Its process log.
    pub log: PathBuf,
    /// Its marker.
    pub marker: PathBuf,
    /// Its metadata file.
    pub metadata: PathBuf,
}

impl Default for Pod {
    fn default() -> Self {
        Self::new()
    }
}

impl Pod {
    /// A pod without containers yet.
    pub fn new() -> Self {
        Self::new_in(&std::env::temp_dir())
    }

    /// The same in memory, where there is such a place: for so many files that a
    /// disk would be the slowest part.
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::new_in(memory) } else { Self::new() }
    }

    fn new_in(parent: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("pod-utils-test-").tempdir_in(parent);
        let dir = dir.expect("a temporary directory");
        let pod = Self { tree: Tree::new(), dir };
        fs::create_dir_all(pod.logs()).expect("the log volume");
        pod
    }

    /// The processes of the pod.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// A path in the pod's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The log volume.
    pub fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// The artifact directory, in the log volume.
    pub fn artifacts(&self) -> PathBuf {
        self.logs().join("artifacts")
    }

    /// Where a local delivery goes.
    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// The files of a container.
    pub fn entry(&self, name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            log: self.logs().join(format!("{name}-log.txt")),
            marker: self.logs().join(format!("{name}-marker.txt")),
            metadata: self.artifacts().join(format!("{name}-metadata.json")),
        }
    }

    /// `ENTRYPOINT_OPTIONS` of a container that runs `args`, with `more` on top.
    pub fn entrypoint_options(&self, entry: &Entry, args: &[&str], more: Value) -> Value {
        let mut options = json!({ "artifact_dir": self.artifacts(), "args": args });
        overlay(&mut options, entry.options());
        overlay(&mut options, more);
        options
    }

    /// An entrypoint around `args`, ready to start.
    pub fn entrypoint_command(&self, entry: &Entry, args: &[&str], more: Value) -> Command {
        let mut command = Command::new(bins::program("entrypoint"));
        command.env("ENTRYPOINT_OPTIONS", self.entrypoint_options(entry, args, more).to_string());
        command.env("ARTIFACTS", self.artifacts());
        command
    }

    /// Starts an entrypoint around `args`.
    pub fn entrypoint(&self, entry: &Entry, args: &[&str], more: Value) -> Running {
        process::start(&self.tree, &mut self.entrypoint_command(entry, args, more))
    }

    /// `SIDECAR_OPTIONS` for the entries and a local destination, with `more` on top.
    pub fn sidecar_options(&self, entries: &[&Entry], more: Value) -> Value {
        let mut options = json!({
            "gcs_options": { "items": [self.artifacts()], "local_output_dir": self.out(), "dry_run": false },
            "entries": entries.iter().map(|entry| entry.options()).collect::<Vec<_>>(),
        });
        overlay(&mut options, more);
        options
    }

    /// A sidecar of a periodic job `job`, build `1`, ready to start.
    pub fn sidecar_command(&self, entries: &[&Entry], more: Value) -> Command {
        let mut command = Command::new(bins::program("sidecar"));
        command.env("SIDECAR_OPTIONS", self.sidecar_options(entries, more).to_string());
        command.env("JOB_SPEC", json!({"type": "periodic", "job": "job", "buildid": "1"}).to_string());
        command
    }

    /// Starts a sidecar of a periodic job `job`, build `1`.
    pub fn sidecar(&self, entries: &[&Entry], more: Value) -> Running {
        process::start(&self.tree, &mut self.sidecar_command(entries, more))
    }

    /// The bytes of an object in the local destination, as text.
    #[track_caller]
    pub fn delivered(&self, name: &str) -> String {
        read(&self.out().join(name))
    }

    /// `finished.json` of the local destination.
    #[track_caller]
    pub fn finished(&self) -> Value {
        json_of(&self.out().join("finished.json"))
    }

    /// The names of all objects in the local destination, sorted.
    pub fn objects(&self) -> Vec<String> {
        files_below(&self.out())
    }
}

impl Entry {
    fn options(&self) -> Value {
        json!({
            "container_name": self.name,
            "process_log": self.log,
            "marker_file": self.marker,
            "metadata_file": self.metadata,
        })
    }

    /// The marker's text, when it is there.
    pub fn code(&self) -> Option<String> {
        fs::read_to_string(&self.marker).ok()
    }

    /// The report beside the marker.
    #[track_caller]
    pub fn report(&self) -> Value {
        json_of(&marker::report_path(&self.marker))
    }

    /// The process log so far.
    pub fn log_text(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until the process log contains `text`.
    #[track_caller]
    pub fn until_log(&self, text: &str) {
        wait::until(&format!("{text:?} in {}", self.log.display()), || {
            self.log_text().contains(text).then_some(())
        });
    }

    /// Waits until entrypoint holds its lock.
    #[track_caller]
    pub fn until_locked(&self) {
        let lock = marker::lock_path(&self.marker);
        wait::until("the lock", || lock.exists().then_some(()));
    }

    /// The child's own bytes and the texts of the records (`level|msg`) in the
    /// process log, in order.
    pub fn log_lines(&self) -> Vec<String> {
        self.log_text().lines().map(record_text).collect()
    }
}

/// A record as `level|msg`; any other line as it is.
pub fn record_text(line: &str) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(record) if record["component"].is_string() => {
            format!("{}|{}", record["level"].as_str().unwrap_or("?"), record["msg"].as_str().unwrap_or("?"))
        }
        Ok(_) | Err(_) => line.to_owned(),
    }
}

/// Lays the members of one object over those of another, deeply.
pub fn overlay(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                overlay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, more) => *base = more,
    }
}

/// A file's bytes, as text.
#[track_caller]
pub fn read(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// A file as JSON.
#[track_caller]
pub fn json_of(path: &Path) -> Value {
    let text = read(path);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", path.display()))
}

/// The relative paths of all files below a directory, sorted.
pub fn files_below(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if let Ok(relative) = path.strip_prefix(dir) {
                found.push(relative.display().to_string());
            }
        }
    }
    found.sort();
    found
}
