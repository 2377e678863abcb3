//! Pins: I6; sidecar/README.md, "Forms of a secret".
//!
//! Two hundred secrets hidden in dozens of ways, delivered by the real sidecar,
//! and looked for by others: archives are unpacked by Python's library, and all
//! forms, written by it too, are searched with another algorithm.
//!
//! `POD_UTILS_LEAK_HUNT_MIB` is the size of the tree beside the secrets (1024 for
//! the whole hunt), `POD_UTILS_LEAK_HUNT_SEED` another set of secrets.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use harness::pod::{self, Pod};
use harness::process;
use harness::wait;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longer than the whole hunt takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(30);

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn python(pod: &Pod, args: &[&str]) {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/sidecar/leak_hunt/hunt.py")).args(args);
    process::start(pod.tree(), &mut command).wait_for(PATIENCE).expect_code(0);
}

#[test]
fn two_hundred_secrets_leave_in_no_form() {
    if Command::new("python3").arg("--version").output().is_err() {
        harness::skip!("python3 is not installed");
    }
    let pod = Pod::new();
    let root = pod.path("");
    let shown = root.display().to_string();
    let size = number("POD_UTILS_LEAK_HUNT_MIB", 4).to_string();
    let seed = number("POD_UTILS_LEAK_HUNT_SEED", 1).to_string();
    python(&pod, &["plant", &shown, &size, &seed]);
    let ways = pod::read(&pod.path("ways")).lines().count();
    assert!(ways >= 40, "{ways} ways");

    let plain = pod::read(&pod.path("plain"));
    let mut plain = plain.lines();
    let (first, second) = (plain.next().expect("a secret"), plain.next().expect("a secret"));
    let (entry, broken) = (pod.entry("test"), pod.entry("broken"));
    fs::write(&broken.log, format!("{second}\n")).expect("written");
    fs::write(&broken.metadata, format!("{{\"{first}\": nonsense")).expect("written");
    let mut options = pod.sidecar_options(
        &[&entry, &broken],
        json!({"censoring_options": {
            "secret_directories": [pod.path("secrets"), pod.logs().join("added")],
            "ini_filenames": ["cred.ini"],
            "structured_filenames": ["kubeconfig"],
        }}),
    );
    options["entries"][1]["args"] = json!(["sh", "-c", format!("login --password {first}")]);
    options["gcs_options"]["items"] = json!([pod.artifacts(), pod.logs().join(second)]);
    let spec = json!({"type": "presubmit", "job": "job", "buildid": "1",
        "refs": {"org": "o", "repo": "r", "base_ref": "main", "base_sha": first, "pulls": [{"number": 1, "author": "a", "sha": second}]}});
    let mut command = pod.sidecar_command(&[&entry, &broken], json!({}));
    command.env("SIDECAR_OPTIONS", options.to_string()).env("JOB_SPEC", spec.to_string());
    let sidecar = process::start(pod.tree(), &mut command);
    // It watches once it has read all values as they are now.
    wait::until("the program to watch", || process::watches_files(sidecar.pid()).then_some(()));

    // Values are rotated and added while it waits; then everything ends.
    fs::create_dir(pod.logs().join("added")).expect("made");
    for place in ["secrets", "added"] {
        let to = if place == "added" { pod.logs().join("added") } else { pod.path("secrets") };
        for file in pod::files_below(&pod.path("later").join(place)) {
            fs::copy(pod.path("later").join(place).join(&file), to.join(&file)).expect("copied");
        }
    }
    for entry in [&entry, &broken] {
        fs::write(&entry.marker, "0").expect("written");
    }
    let ended = sidecar.wait_for(PATIENCE);
    ended.expect_code(0);
    assert_eq!(pod.finished()["passed"], true);
    fs::write(pod.out().join("stderr"), &ended.stderr).expect("written");
    python(&pod, &["unpack", &pod.out().display().to_string(), &pod.path("unpacked").display().to_string()]);
    let found = Search::new(&pod.path("patterns")).all_below(&pod.path("unpacked"));
    assert!(found.is_empty(), "{} places, such as {:#?}", found.len(), &found[..found.len().min(20)]);

    // The search finds what is there: the tree as it was.
    let control = Search::new(&pod.path("patterns")).all_below(&pod.artifacts());
    assert!(control.len() > 5000, "{}", control.len());
}

/// All forms, of which those that have two cases are looked for in lower case.
struct Search {
    exact: AhoCorasick,
    any_case: AhoCorasick,
}

impl Search {
    fn new(patterns: &Path) -> Self {
        let (mut exact, mut any_case) = (Vec::new(), Vec::new());
        for line in pod::read(patterns).lines() {
            let (kind, digits) = line.split_once(' ').expect("a kind and digits");
            let bytes: Vec<u8> = (0..digits.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits"))
                .collect();
            if kind == "i" { any_case.push(bytes) } else { exact.push(bytes) }
        }
        let build = |patterns: Vec<Vec<u8>>| {
            AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(patterns).expect("built")
        };
        Self { exact: build(exact), any_case: build(any_case) }
    }

    /// Returns what is found in the files below a directory: file, place and text.
    fn all_below(&self, dir: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for file in pod::files_below(dir) {
            let content = fs::read(dir.join(&file)).unwrap_or_default();
            let lower = content.to_ascii_lowercase();
            for (automaton, content) in [(&self.exact, &content), (&self.any_case, &lower)] {
                for hit in automaton.find_iter(content) {
                    let name = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
                    let (name, text) =
                        (String::from_utf8_lossy(name), String::from_utf8_lossy(&content[hit.range()]));
                    found.push(format!("{file} ({name}) at {}: {text}", hit.start()));
                }
            }
        }
        found
    }
}
