//! One job: a pod, and the destination its sidecar delivers to.

use crate::pod::{Entry, Pod, files_below, json_of, overlay, read};
use crate::process::{self, Ended, Running};
use crate::s3::S3;
use common::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the job's objects are in a bucket: a periodic job `job`, build `1`.
pub const JOB_PATH: &str = "logs/job/1";

/// A job with its destination.
#[derive(Debug)]
pub struct Job {
    /// The pod.
    pub pod: Pod,
    /// The bucket; a local directory without one.
    pub s3: Option<S3>,
}

/// A job whose test runs: what [`Job::running`] starts.
#[derive(Debug)]
pub struct RunningJob {
    /// The job.
    pub job: Job,
    /// Its one entry.
    pub entry: Entry,
    /// The sidecar.
    pub sidecar: Running,
    /// The entrypoint around the script.
    pub test: Running,
}

impl Job {
    /// Starts a sidecar with `options` and an entrypoint around a shell script that
    /// says `ready`, and returns when it has.
    #[track_caller]
    pub fn running(self, script: &str, options: Value) -> RunningJob {
        let entry = self.pod.entry("test");
        let sidecar = self.sidecar(&[&entry], options);
        let test = self.pod.entrypoint(&entry, &["sh", "-c", script], json!({}));
        entry.until_log("ready");
        RunningJob { job: self, entry, sidecar, test }
    }

    /// A job that delivers to a local directory.
    pub fn local() -> Self {
        Self { pod: Pod::new(), s3: None }
    }

    /// A job that delivers to a bucket.
    pub fn s3() -> Self {
        Self { pod: Pod::new(), s3: Some(S3::start()) }
    }

    /// A sidecar for the entries, ready to start; `more` lies over its options.
    pub fn sidecar_command(&self, entries: &[&Entry], more: Value) -> Command {
        let mut options = json!({});
        if let Some(s3) = &self.s3 {
            options["gcs_options"] = s3.options(self.pod.path("").as_path(), &[self.pod.artifacts()]);
            options["gcs_options"]["local_output_dir"] = json!("");
        }
        overlay(&mut options, more);
        self.pod.sidecar_command(entries, options)
    }

    /// Starts a sidecar for the entries.
    pub fn sidecar(&self, entries: &[&Entry], more: Value) -> Running {
        process::start(self.pod.tree(), &mut self.sidecar_command(entries, more))
    }

    /// The directory of the job's own objects.
    pub fn objects_dir(&self) -> PathBuf {
        match &self.s3 {
            Some(s3) => s3.object_path(JOB_PATH),
            None => self.pod.out(),
        }
    }

    /// The names of the job's own objects, sorted.
    pub fn names(&self) -> Vec<String> {
        files_below(&self.objects_dir())
    }

    /// An object's text.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        read(&self.objects_dir().join(name))
    }

    /// `manifest.json`.
    #[track_caller]
    pub fn manifest(&self) -> Value {
        json_of(&self.objects_dir().join("manifest.json"))
    }

    /// Returns the manifest's line about one of the job's own objects.
    #[track_caller]
    pub fn listed(&self, name: &str) -> Value {
        let manifest = self.manifest();
        let key = if self.s3.is_some() { format!("{JOB_PATH}/{name}") } else { name.to_owned() };
        let objects = manifest["objects"].as_array().expect("a list");
        let found = objects.iter().find(|object| object["key"] == *key);
        found.unwrap_or_else(|| panic!("{key:?} is not in {manifest:#}")).clone()
    }

    /// Checks that an object is not there, and that the manifest says why.
    #[track_caller]
    pub fn expect_refused(&self, name: &str, state: &str, reason: &str) {
        let object = self.listed(name);
        let said = object["reason"].as_str().or(object["error"].as_str()).unwrap_or_default();
        assert!(object["state"] == state && said.contains(reason), "{object}");
        assert!(!self.objects_dir().join(name).is_file(), "{name:?} is there");
    }

    /// Delivers for entries that have ended. TERM tells the sidecar, a native
    /// one, that nothing will change any more.
    #[track_caller]
    pub fn deliver_under_term(&self, entries: &[&Entry]) -> Ended {
        let sidecar = self.sidecar(entries, json!({"delivery": {"native_sidecar": true}}));
        sidecar.signal(Signal::TERM);
        let ended = sidecar.wait();
        ended.expect_code(0);
        ended
    }

    /// `finished.json`, when it is there and whole.
    pub fn finished_now(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.objects_dir().join("finished.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// `finished.json`.
    #[track_caller]
    pub fn finished(&self) -> Value {
        json_of(&self.objects_dir().join("finished.json"))
    }

    /// Checks result and `passed` of `finished.json`, and that it was the last
    /// object to be written (invariant I4).
    #[track_caller]
    pub fn expect_result(&self, result: &str) {
        let finished = self.finished();
        assert_eq!(finished["result"], result, "{finished}");
        assert_eq!(finished["passed"], result == "SUCCESS", "{finished}");
        if let Some(s3) = &self.s3 {
            let last = s3.last_written();
            assert_eq!(last.as_deref(), Some(format!("{JOB_PATH}/finished.json").as_str()));
            assert_eq!(s3.open_uploads(), Vec::<String>::new());
        }
    }
}

/// A directory as sidecar leaves it, for a job with many artifacts and a long log.
pub fn large_results(dir: &Path, artifacts: usize, log_bytes: u64) {
    let mut manifest = BufWriter::new(fs::File::create(dir.join("manifest.json")).expect("made"));
    let begin = r#"{"version":1,"objects":[{"key":"sidecar-logs.json","state":"stored","stored_bytes":1,"censored":0}"#;
    write!(manifest, "{begin}").expect("written");
    for number in 0..artifacts {
        let state = if number % 1000 == 0 { "failed" } else { "stored" };
        let bytes = number * 7919 % 1_000_003;
        write!(
            manifest,
            r#",{{"key":"artifacts/some/deep/directory/file-{number}.xml","source":"/logs/artifacts/x","state":"{state}","stored_bytes":{bytes},"stored_crc32c":"00000000","content_type":"application/xml","censored":0}}"#
        )
        .expect("written");
    }
    let end = r#"],"containers":[{"name":"test","command":["make"],"log":"build-log.txt","state":"ended","code":2}],"reports":{},"passes":[]}"#;
    write!(manifest, "{end}").expect("written");
    manifest.into_inner().expect("written");
    fs::write(dir.join("finished.json"), r#"{"timestamp":1767225600,"passed":false,"result":"FAILURE"}"#)
        .expect("written");
    let log = fs::File::create(dir.join("build-log.txt")).expect("made");
    log.set_len(log_bytes).expect("a sparse file");
    std::os::unix::fs::FileExt::write_all_at(&log, b"\nerror: the end\n", log_bytes).expect("written");
}

/// A job's folder with so many builds, as initupload and sidecar leave them: in each five tests
/// failed.
pub fn many_builds(dir: &Path, builds: u64) {
    for number in 0..builds {
        let begin = 1_767_225_600 + number * 3600;
        let failures: serde_json::Map<_, _> = (1..=5)
            .map(|place| {
                let name = format!("TestSomethingOfSome{}", (number * 7 + place * 13) % 300);
                let message = "expected 3, found 4, which is a message of some length as tests have it";
                (
                    format!("{place:02}"),
                    json!({"suite": "example.com/module/package", "name": name, "message": message}),
                )
            })
            .collect();
        let finished = json!({
            "timestamp": begin + 600 + number % 60, "passed": false, "result": "FAILURE",
            "revision": format!("{:040x}", number / 2),
            "metadata": {"pod-utils": {
                "cause": "exited with code 1; 5 of 412 tests failed: TestA, TestB, TestC and 2 more",
                "tests": {"tests": "412", "failed": "5", "skipped": "1", "seconds": "61.500", "failures": failures},
            }},
        });
        let build = dir.join((1000 + number).to_string());
        fs::create_dir_all(&build).expect("made");
        fs::write(build.join("started.json"), json!({"timestamp": begin}).to_string()).expect("written");
        fs::write(build.join("finished.json"), finished.to_string()).expect("written");
    }
}
