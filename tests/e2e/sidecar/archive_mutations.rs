//! Pins: sidecar/README.md, "Containers".
//!
//! Damaged archives beside the common tools: what one of them can read a secret from is
//! masked, withheld, or named. The mutations follow from a seed;
//! `POD_UTILS_HOSTILE=full` tries many more.

use sidecar::censor::archive::{ArchiveError, Verdict};
use sidecar::censor::{Censor, CensoringOptions};
use std::fs;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/sidecar/archive_mutations.py");

/// The first of the seeds; each makes other files.
const SEED: usize = 20;

#[track_caller]
fn python(arguments: &[&str]) -> String {
    let output = Command::new("python3").arg(SCRIPT).args(arguments).output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Returns what is delivered of a file without a word about it: `None` where it is withheld,
/// or named as not looked into.
fn delivered(censor: &Censor, file: &[u8]) -> Option<Vec<u8>> {
    match censor.look_into(&file, &|| false).expect("readable") {
        Verdict::Clean { note: None, .. } => Some(file.to_vec()),
        Verdict::Plain { note: None } => Some(censor.bytes(file)),
        Verdict::Clean { note: Some(_), .. } | Verdict::Plain { note: Some(_) } | Verdict::Withheld(_) => {
            None
        }
        Verdict::Dirty => {
            let mut output = Vec::new();
            match censor.rewrite(&file, &mut output, &|| false) {
                Ok(rewritten) => rewritten.note.is_none().then_some(output),
                Err(ArchiveError::Withheld(_)) => None,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Makes damaged archives from a seed, and returns which tool reads the secret from which
/// of those that are delivered.
fn leaks(seed: usize, count: usize, dir: &Path) -> Vec<String> {
    let [secrets, before, after] = ["secrets", "before", "after"].map(|name| dir.join(name));
    for made in [&secrets, &before, &after] {
        fs::create_dir(made).expect("made");
    }
    fs::write(secrets.join("token"), "the-secret-value").expect("written");
    let secret_directories = vec![secrets.display().to_string()];
    let censor = Censor::load(&CensoringOptions { secret_directories, ..CensoringOptions::default() });
    python(&["make", &seed.to_string(), &count.to_string(), before.to_str().expect("text")]);
    let mut arrived = 0;
    for number in 0..count {
        let name = format!("{number:05}");
        if let Some(output) = delivered(&censor, &fs::read(before.join(&name)).expect("made")) {
            fs::write(after.join(&name), output).expect("written");
            arrived += 1;
        }
    }
    assert!(arrived >= count / 10, "{arrived} of {count} arrive");
    let read = python(&["read", after.to_str().expect("text")]);
    let (skipped, leaks): (Vec<_>, Vec<_>) = read.lines().partition(|line| line.starts_with("SKIPPED"));
    for line in skipped {
        eprintln!("{line}: it is not installed");
    }
    leaks.into_iter().map(|line| format!("seed {seed}: {line}")).collect()
}

#[test]
fn i6_what_tools_read_from_damaged_archives_is_masked_withheld_or_named() {
    if Command::new("python3").arg("-V").output().is_err() {
        harness::skip!("there is no python3");
    }
    let is_full = std::env::var_os("POD_UTILS_HOSTILE").is_some_and(|size| size == "full");
    let seeds = if is_full { 40 } else { 1 };
    let mut found = Vec::new();
    for seed in SEED..SEED + seeds {
        let dir = tempfile::tempdir().expect("a directory");
        found.extend(leaks(seed, 100, dir.path()));
    }
    assert_eq!(found, Vec::<String>::new());
}

/// The tools find the secret in the archives as they were: without that the test above would
/// prove nothing.
#[test]
fn tools_read_the_secret_from_damaged_archives() {
    if Command::new("python3").arg("-V").output().is_err() {
        harness::skip!("there is no python3");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().to_str().expect("text");
    python(&["make", &SEED.to_string(), "30", place]);
    let read = python(&["read", place]);
    let found = read.lines().filter(|line| !line.starts_with("SKIPPED")).count();
    assert!(found >= 15, "{read}");
}
