//! Pins: I6; sidecar/README.md, "Forms of a secret" and "Containers".
//!
//! Real writers write over thirty secrets in their ways, the real sidecar delivers all of it, and
//! the matching reader finds none of them in what was delivered. Files of what is installed
//! here, and archives of them, arrive byte for byte.
//!
//! `POD_UTILS_ENCODERS_DIR` names the directory that `install.sh` filled; without it nothing
//! is run. `POD_UTILS_ENCODERS=full` takes all packages (installed with `full`) and ten times
//! as many harmless files.
//!
//! ```text
//! secrets.json ─▶ writers/ ─▶ read.py there ─▶ sidecar ─▶ read.py gone
//! harmless.py ──────────────────────────────▶    │    ─▶ the same bytes
//! ```

#![expect(clippy::unwrap_used, reason = "in a test a panic with a place is the right answer")]

mod writers;

use harness::job::Job;
use harness::pod::{Entry, files_below};
use harness::process::{self, Ended};
use harness::{announce_skip, skip};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/campaign/encoders");

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(20);

/// The least number of files that a run without missing languages and one without secrets have.
const MIN_WRITTEN: usize = 3000;
const MIN_HARMLESS: usize = 500;

/// A job whose artifacts other programs write.
pub(crate) struct Bench {
    tools: PathBuf,
    pub(crate) job: Job,
    entry: Entry,
}

/// Returns whether everything is wanted.
fn is_full() -> bool {
    std::env::var_os("POD_UTILS_ENCODERS").is_some_and(|size| size == "full")
}

impl Bench {
    /// Lays down the secrets; `None` where nothing is installed.
    fn new() -> Option<Self> {
        let tools = std::env::var_os("POD_UTILS_ENCODERS_DIR").map(PathBuf::from)?;
        let job = Job::local();
        let entry = job.pod.entry("test");
        fs::create_dir_all(job.pod.artifacts()).unwrap();
        for folder in ["secrets", "plain"] {
            fs::create_dir(job.pod.path(folder)).unwrap();
        }
        for (name, secret) in secrets() {
            let secret = secret.as_str().unwrap();
            fs::write(job.pod.path("plain").join(&name), secret).unwrap();
            fs::write(job.pod.path("secrets").join(&name), format!("{secret}\n")).unwrap();
        }
        Some(Self { tools: std::path::absolute(tools).unwrap(), job, entry })
    }

    /// Returns the path of what is installed.
    pub(crate) fn tool(&self, name: &str) -> PathBuf {
        self.tools.join(name)
    }

    /// Runs a program to its successful end; what it says is missing is told.
    #[track_caller]
    pub(crate) fn run(&self, command: &mut Command) -> Ended {
        // Neither a language nor a setting of this machine decides.
        command.env("LC_ALL", "C.UTF-8").current_dir(self.job.pod.path(""));
        let ended = process::start(self.job.pod.tree(), command).wait_for(PATIENCE);
        let shown: String = ended.stderr.chars().take(12_000).collect();
        assert!(ended.exit == process::Exit::Code(0), "{command:?}\n{}{shown}", ended.stdout);
        for line in ended.stdout.lines().filter_map(|line| line.strip_prefix("missing: ")) {
            announce_skip(&format!("there is no {line}"));
        }
        ended
    }

    /// A command of the Python that is installed.
    pub(crate) fn python(&self, script: &str) -> Command {
        let mut command = Command::new(self.tool("py/bin/python"));
        command.arg(Path::new(HERE).join(script));
        command
    }

    /// Delivers, and returns where the artifacts are.
    #[track_caller]
    fn deliver(&self) -> PathBuf {
        let test = self.job.pod.entrypoint(&self.entry, &["true"], json!({}));
        test.wait().expect_code(0);
        let options = json!({
            "censoring_options": {"secret_directories": [self.job.pod.path("secrets")]},
            "delivery": {"fail_on_error": true},
        });
        let started = Instant::now();
        let sidecar = self.job.sidecar(&[&self.entry], options);
        sidecar.wait_for(PATIENCE).expect_code(0);
        println!("delivered in {:?}", started.elapsed());
        self.job.expect_result("SUCCESS");
        self.job.pod.out().join("artifacts")
    }
}

fn secrets() -> Map<String, Value> {
    let text = fs::read_to_string(Path::new(HERE).join("secrets.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn writers_of_every_language_leak_no_secret() {
    let Some(bench) = Bench::new() else {
        skip!("POD_UTILS_ENCODERS_DIR names no directory of tests/campaign/encoders/install.sh");
    };
    let started = Instant::now();
    let languages = writers::write_all(&bench);
    let (artifacts, list) = (bench.job.pod.artifacts(), Path::new(HERE).join("secrets.json"));
    println!("written by {languages:?} in {:?}", started.elapsed());
    let read = |what: &str, directories: [&Path; 2]| {
        std::thread::scope(|scope| {
            let readers = languages.iter().map(|language| {
                let mut command = bench.python("read.py");
                command.arg(what).arg(&list);
                let directories = directories.map(|directory| directory.join(language));
                let bench = &bench;
                scope.spawn(move || bench.run(command.args(directories)))
            });
            let readers: Vec<_> = readers.collect();
            for (language, reader) in languages.iter().zip(readers) {
                println!("{language}, {what}: {}", reader.join().unwrap().stdout.trim());
            }
        });
    };
    read("there", [&artifacts, &artifacts]);
    let delivered = bench.deliver();
    read("gone", [&delivered, &artifacts]);
    let count = files_below(&artifacts).len();
    println!("{count} files in {:?}", started.elapsed());
    assert!(count >= MIN_WRITTEN, "{count}");
}

#[test]
fn harmless_files_of_real_tools_arrive_byte_for_byte() {
    let Some(bench) = Bench::new() else {
        skip!("POD_UTILS_ENCODERS_DIR names no directory of tests/campaign/encoders/install.sh");
    };
    let started = Instant::now();
    let reports = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/junit");
    let mut collect = bench.python("harmless.py");
    collect.arg(bench.job.pod.artifacts()).arg(if is_full() { "1500" } else { "120" });
    collect.args(["/usr/share", "/usr/lib/python3", "/usr/local/go/src", reports]);
    collect.args([bench.tool("py"), bench.tool("node_modules")]);
    bench.run(&mut collect);
    println!("collected in {:?}", started.elapsed());
    let delivered = bench.deliver();
    let names = files_below(&bench.job.pod.artifacts());
    let is_same = |name: &&String| {
        let [before, after] =
            [&bench.job.pod.artifacts(), &delivered].map(|directory| fs::read(directory.join(name)).ok());
        before == after
    };
    let different: Vec<_> = names.iter().filter(|name| !is_same(name)).collect();
    assert!(different.is_empty(), "{} of {} differ: {different:#?}", different.len(), names.len());
    let manifest = bench.job.manifest();
    let withheld: Vec<_> =
        manifest["objects"].as_array().unwrap().iter().filter(|object| object["state"] != "stored").collect();
    assert!(withheld.is_empty(), "{withheld:#?}");
    println!("{} files in {:?}", names.len(), started.elapsed());
    assert!(names.len() >= MIN_HARMLESS, "{}", names.len());
}
