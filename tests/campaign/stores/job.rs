//! A job whose files are hard to deliver, and our programs around it.

use crate::read_back::Objects;
use crate::table::Row;
use harness::bins;
use harness::pod::{Entry, Pod};
use harness::process::{self, Ended};
use harness::stores::Server;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// Small files.
const FILES: usize = 300;

/// The least complete gzip file: its header, an empty block, no bytes and their sum.
const EMPTY_GZIP: [u8; 20] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Names that a URL, a shell, a signature or a file system would change.
const ODD_NAMES: [&str; 14] = [
    "100% of a?b#c +ü.txt",
    "%2F%00.txt",
    "a&b=c;d,e.txt",
    "'single' \"double\".txt",
    "[brackets] {braces} (round).txt",
    "~tilde and $dollar@at!.txt",
    "<less> |pipe| ^caret` .txt",
    ".hidden",
    " leading and trailing ",
    "日本語.log",
    "e\u{301} and \u{e9}.txt",
    "deep/er/and/deep.er/..two dots/file",
    "trailing dot.",
    "*.star:colon",
];

/// How hard a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// 40 MiB in one file beside 300 small ones and odd names.
    Hard,
    /// A fifth of the small ones, and a file of three parts.
    Small,
}

/// A file of the job, and the object that it becomes.
#[derive(Clone, Debug)]
struct Expected {
    name: String,
    bytes: usize,
    sha256: String,
    content_type: Option<&'static str>,
    encoding: Option<&'static str>,
}

/// A job with its destination.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) pod: Pod,
    pub(crate) entry: Entry,
    /// Variables of our programs.
    pub(crate) variables: Vec<(&'static str, String)>,
    gcs_options: Value,
    build: u64,
    bucket: String,
    expected: Vec<Expected>,
}

impl Job {
    /// A job without files whose test has not begun.
    pub(crate) fn running(server: &Server, endpoint: &str, build: u64) -> Self {
        let pod = Pod::new();
        let entry = pod.entry("test");
        let (gcs_options, variables) = server.found_by(endpoint);
        let bucket = server.kind.bucket();
        Self { pod, entry, variables, gcs_options, build, bucket, expected: Vec::new() }
    }

    /// A job that has passed and left its files.
    pub(crate) fn ended(server: &Server, endpoint: &str, build: u64, size: Size, row: Row) -> Self {
        let mut job = Self::running(server, endpoint, build);
        job.pod.entrypoint(&job.entry, &["echo", "output"], json!({})).wait().expect_code(0);
        let small = if size == Size::Hard { FILES } else { FILES / 5 };
        for number in 0..small {
            let text = format!("artifact {number}\n").repeat(number + 1);
            let (name, content_type) = match number % 3 {
                0 => (format!("d{}/{number}.txt", number % 10), Some("text/plain; charset=utf-8")),
                1 => (format!("d{}/{number}.xml", number % 10), Some("text/xml; charset=utf-8")),
                _ => (format!("d{}/{number}.html", number % 10), Some("text/html; charset=utf-8")),
            };
            job.leave(&name, &name, text.as_bytes(), content_type);
        }
        job.leave("empty", "empty", b"", None);
        job.leave("report.json.gz", "report.json", &EMPTY_GZIP, Some("application/json"));
        job.expected.last_mut().unwrap().encoding = Some("gzip");
        let large = if size == Size::Hard { 40 } else { 14 };
        let large: Vec<u8> =
            (0..large << 18_u32).flat_map(|word: u32| (word ^ (word << 7)).to_le_bytes()).collect();
        job.leave("large.bin", "large.bin", &large, Some("application/octet-stream"));
        if size == Size::Hard {
            for name in ODD_NAMES {
                job.leave(name, name, name.as_bytes(), None);
            }
            let long = "long ".repeat(40);
            job.leave(&long, &long, b"long", None);
            if let Some(becomes) = row.backslash {
                let object = format!("back{becomes}slash.txt");
                job.leave(r"back\slash.txt", &object, b"backslash", Some("text/plain; charset=utf-8"));
            }
        }
        job
    }

    fn leave(&mut self, file: &str, object: &str, content: &[u8], content_type: Option<&'static str>) {
        let path = self.pod.artifacts().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        let sha256 = digest(&SHA256, content)
            .as_ref()
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let name = format!("artifacts/{object}");
        self.expected.push(Expected { name, bytes: content.len(), sha256, content_type, encoding: None });
    }

    fn spec(&self) -> Value {
        json!({
            "type": "presubmit", "job": "hard", "buildid": self.build.to_string(),
            "refs": {"org": "o", "repo": "r", "base_ref": "main", "base_sha": "1a2b",
                     "pulls": [{"number": 5, "author": "ann", "sha": "9f8e"}]},
        })
    }

    /// Where the job's objects are.
    pub(crate) fn path(&self) -> String {
        format!("pr-logs/pull/o_r/5/{}", self.name_and_build())
    }

    pub(crate) fn name_and_build(&self) -> String {
        format!("hard/{}", self.build)
    }

    /// The log of `clonerefs`, as it wrote it.
    pub(crate) fn clone_records(&self) -> String {
        let commands =
            json!([{"command": "git fetch", "output": "from origin\n", "duration": 1_500_000_000}]);
        let record = json!({"refs": self.spec()["refs"], "commands": commands, "failed": false, "final_sha": "c0ffee"});
        json!([record]).to_string()
    }

    /// Sidecar's command; a pair is an option of `delivery`.
    pub(crate) fn sidecar_command_with(&self, delivery: &[(&str, &str)]) -> Command {
        let mut options = json!({"gcs_options": self.gcs_options, "delivery": {"fail_on_error": true}});
        for (name, value) in delivery {
            options["delivery"][name] = json!(value);
        }
        let mut command = self.pod.sidecar_command(&[&self.entry], options);
        command.env("JOB_SPEC", self.spec().to_string()).envs(self.variables.clone());
        command
    }

    pub(crate) fn sidecar_command(&self) -> Command {
        self.sidecar_command_with(&[])
    }

    /// Delivers.
    pub(crate) fn sidecar(&self) -> Ended {
        process::start(self.pod.tree(), &mut self.sidecar_command()).wait_for(super::LONG)
    }

    /// One of the programs that sidecar's binary is under another name.
    fn program(&self, name: &str, more: Value) -> Command {
        let path = self.pod.path(name);
        if !path.exists() {
            symlink(bins::program("sidecar"), &path).unwrap();
        }
        let mut options = self.gcs_options.clone();
        harness::pod::overlay(&mut options, more);
        let mut command = Command::new(path);
        command.env(format!("{}_OPTIONS", name.to_uppercase()), options.to_string());
        command.env("JOB_SPEC", self.spec().to_string()).envs(self.variables.clone());
        command
    }

    /// Records that the job has begun.
    pub(crate) fn initupload(&self) -> Ended {
        let log = self.pod.path("clone.json");
        fs::write(&log, self.clone_records()).unwrap();
        let mut command = self.program("initupload", json!({"log": log}));
        process::start(self.pod.tree(), &mut command).wait_for(super::LONG)
    }

    /// Uploads one more file of the job, below `extra`.
    pub(crate) fn gcsupload(&self) -> Ended {
        let file = self.pod.path("by hand.txt");
        fs::write(&file, "by hand\n").unwrap();
        let mut command = self.program("gcsupload", json!({"items": [file], "sub_dir": "extra"}));
        process::start(self.pod.tree(), &mut command).wait_for(super::LONG)
    }

    /// gcsupload of nothing but the pointers of a periodic job's build.
    pub(crate) fn pointers_command(&self, build: u64) -> Command {
        let mut command = self.program("gcsupload", json!({}));
        let spec = json!({"type": "periodic", "job": "hard", "buildid": build.to_string()});
        command.env("JOB_SPEC", spec.to_string());
        command
    }

    /// Asks podutils whether the bucket holds what was delivered.
    pub(crate) fn verify(&self) -> Ended {
        let mut command = Command::new(bins::program("podutils"));
        command.arg("verify").arg(format!("{}/{}", self.bucket, self.path()));
        if let Some(file) = self.gcs_options["s3_credentials_file"].as_str() {
            command.args(["--s3-credentials-file", file]);
        }
        command.envs(self.variables.clone());
        process::start(self.pod.tree(), &mut command).wait_for(super::LONG)
    }

    /// The differences between what the job left and what a store holds.
    pub(crate) fn differences(&self, objects: &Objects) -> Vec<String> {
        let mut differences = Vec::new();
        for expected in &self.expected {
            let key = format!("{}/{}", self.path(), expected.name);
            let Some(object) = objects.get(&key) else {
                differences.push(format!("{key:?} is missing"));
                continue;
            };
            let kind = object["type"].as_str().unwrap_or_default();
            let is_same = object["bytes"] == expected.bytes
                && object["sha256"] == *expected.sha256
                && object["encoding"].as_str().unwrap_or_default() == expected.encoding.unwrap_or_default()
                && expected.content_type.is_none_or(|expected| plain(kind) == plain(expected));
            if !is_same {
                differences.push(format!("{key:?} is {object}, not {expected:?}"));
            }
        }
        let known = self.expected.iter().map(|expected| expected.name.as_str());
        let known: std::collections::BTreeSet<_> = known.chain(CLOSING).collect();
        let prefix = format!("{}/", self.path());
        let own = objects.keys().filter_map(|key| key.strip_prefix(&prefix));
        differences
            .extend(own.filter(|name| !known.contains(name)).map(|name| format!("{name:?} is too much")));
        let names = CLOSING.iter().filter(|name| !STARTED.contains(name));
        let missing = names.filter(|name| !objects.contains_key(&format!("{prefix}{name}")));
        differences.extend(missing.map(|name| format!("{name:?} is missing")));
        differences
    }
}

/// Objects that are no file of the job: those of sidecar …
const CLOSING: [&str; 7] = [
    "build-log.txt",
    "sidecar-logs.json",
    "manifest.json",
    "finished.json",
    "started.json",
    "clone-log.txt",
    "clone-records.json",
];
/// … among them those of initupload.
const STARTED: [&str; 3] = ["started.json", "clone-log.txt", "clone-records.json"];

/// A media type as RFC 9110, 8.3.1 compares it.
fn plain(media_type: &str) -> String {
    media_type.split(';').map(|part| part.trim().to_lowercase()).collect::<Vec<_>>().join(";")
}
