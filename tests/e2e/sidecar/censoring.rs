//! Pins: I6; sidecar/README.md, "Secrets".
//!
//! Secrets that change, that jobs add, and that stand where one does not look.

use common::signal::Signal;
use harness::job::Job;
use harness::pod::Entry;
use harness::process::{self};
use harness::{pod, wait};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Writes a file and the directories above it.
fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    fs::write(path, content).expect("written");
}

/// An entry that runs, as an entrypoint would leave it.
fn running(job: &Job, log: impl AsRef<[u8]>) -> Entry {
    let entry = job.pod.entry("test");
    write(&entry.log, log);
    write(&entry.metadata, "{}");
    entry
}

fn censoring(directories: &[&Path], more: Value) -> Value {
    let mut options = json!({"censoring_options": {"secret_directories": directories}});
    pod::overlay(&mut options, more);
    options
}

/// Told to stop while the entry runs: the best-effort pass delivers with what is
/// known then. The final pass learns the new value, masks it and the old one,
/// and sends again what was stored although no byte of it has changed.
#[test]
fn secret_rotated_during_the_run_is_masked_in_both_values() {
    let job = Job::local();
    let secrets = job.pod.path("secrets");
    write(&secrets.join("token"), "the-old-value-of-it\n");
    let entry = running(&job, "the-old-value-of-it and the-new-value-of-it\n");
    write(&job.pod.artifacts().join("a.txt"), "it is the-new-value-of-it, was the-old-value-of-it");
    let sidecar = job.sidecar(&[&entry], censoring(&[&secrets], json!({})));
    sidecar.signal(Signal::TERM);
    wait::until("the provisional result", || job.finished_now());
    assert_eq!(job.text("artifacts/a.txt"), "it is the-new-value-of-it, was XXXXXXXXXXXXXXXXXXX");
    write(&secrets.join("token"), "the-new-value-of-it\n");
    write(&entry.marker, "0");
    sidecar.wait().expect_code(0);
    assert_eq!(job.text("artifacts/a.txt"), "it is XXXXXXXXXXXXXXXXXXX, was XXXXXXXXXXXXXXXXXXX");
    assert_eq!(job.text("build-log.txt"), "XXXXXXXXXXXXXXXXXXX and XXXXXXXXXXXXXXXXXXX\n");
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    assert_eq!(manifest["censoring"], json!({"secrets": 2}));
}

#[test]
fn secret_added_by_the_job_while_it_runs_is_masked() {
    let job = Job::local();
    let added = job.pod.logs().join("secrets");
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], censoring(&[&added], json!({})));
    let script = format!(
        "mkdir {0}; echo made-at-run-time > {0}/token; ln -s /etc/passwd {0}/link; echo short > {0}/short
         echo it is made-at-run-time; grep root /etc/passwd",
        added.display()
    );
    job.pod.entrypoint(&entry, &["sh", "-c", &script], json!({})).wait().expect_code(0);
    sidecar.wait().expect_code(0);
    let log = job.text("build-log.txt");
    assert!(log.starts_with("it is XXXXXXXXXXXXXXXX\nroot"), "{log}");
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    let censoring = &manifest["censoring"];
    assert_eq!(censoring["not_masked"], json!([added.join("short")]));
    assert_eq!(censoring["not_loaded"][0]["path"], json!(added.join("link")), "{censoring}");
}

/// Identity of a file and its content.
fn identity(path: &Path) -> (u64, u32, u64, i64, i64, i64, i64) {
    let meta = fs::metadata(path).expect("there");
    (meta.ino(), meta.mode(), meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec())
}

/// The job writes on while a best-effort pass runs; the final log has every byte,
/// and no source is touched.
#[test]
fn local_files_are_never_censored_in_place() {
    let job = Job::local();
    let secrets = job.pod.path("secrets");
    write(&secrets.join("token"), "the-secret-value");
    let artifact = job.pod.artifacts().join("a.txt");
    write(&artifact, "it is the-secret-value");
    let before = identity(&artifact);
    let entry = job.pod.entry("test");
    let stop = job.pod.path("stop");
    let script = format!(
        "n=0; until [ -e {} ]; do n=$((n+1)); echo \"$n the-secret-value\"; done; echo last $n",
        stop.display()
    );
    let sidecar = job.sidecar(&[&entry], censoring(&[&secrets], json!({})));
    let test = job.pod.entrypoint(&entry, &["sh", "-c", &script], json!({}));
    entry.until_log("100 the-secret-value");
    let inode = fs::metadata(&entry.log).expect("there").ino();
    sidecar.signal(Signal::TERM);
    wait::until("the provisional result", || job.finished_now());
    let provisional = job.text("build-log.txt");
    assert!(provisional.starts_with("1 XXXXXXXXXXXXXXXX\n"), "{}", &provisional[..100]);
    fs::write(&stop, "").expect("written");
    test.wait().expect_code(0);
    sidecar.wait().expect_code(0);
    let source = entry.log_text();
    assert!(source.contains("\nlast "));
    assert_eq!(job.text("build-log.txt"), source.replace("the-secret-value", "XXXXXXXXXXXXXXXX"));
    assert_eq!(fs::metadata(&entry.log).expect("there").ino(), inode);
    assert_eq!(identity(&artifact), before);
    assert_eq!(fs::read_to_string(&artifact).expect("there"), "it is the-secret-value");
    let beside = pod::files_below(&job.pod.artifacts());
    assert_eq!(beside, ["a.txt"], "no temporary file either");
}

#[test]
fn secret_in_names_and_documents_is_masked_and_the_manifest_says_so() {
    let job = Job::local();
    let secrets = job.pod.path("secrets");
    write(&secrets.join("token"), "name-secret");
    write(&secrets.join("binary"), b"\xfe\xffbinary-secret\xfd");
    write(&secrets.join("tiny"), "true");
    write(&secrets.join(".dockercfg"), "not JSON");
    let entry = job.pod.entry("test");
    write(&entry.log, "log\n");
    write(&entry.metadata, [b"{\"a\":\"\xfe\xffbinary-secret\xfd\",\"name-secret\":7}".as_slice()].concat());
    let artifacts = job.pod.artifacts();
    write(&artifacts.join("x-name-secret.txt"), "one");
    write(&artifacts.join("x-name-secreT.txt"), "not the same");
    write(&artifacts.join("name-secret/deep"), "two");
    write(&artifacts.join(OsStr::from_bytes(b"x-\xfe\xffbinary-secret\xfd")), "three");
    write(&artifacts.join(OsStr::from_bytes(b"x-XXXXXXXXXXX.txt")), "four");
    write(&entry.marker, "0");
    let spec = json!({"type": "postsubmit", "job": "job", "buildid": "1",
        "refs": {"org": "o", "repo": "r", "base_ref": "main", "base_sha": "name-secret"}});
    let mut command = job.sidecar_command(&[&entry], censoring(&[&secrets], json!({})));
    let ended = process::run(job.pod.tree(), command.env("JOB_SPEC", spec.to_string()));
    ended.expect_code(0);
    let names: Vec<_> = job.names().into_iter().filter(|name| name.starts_with("artifacts/")).collect();
    assert_eq!(names.len(), 6, "{names:#?}");
    let (two, three) = (job.text("artifacts/XXXXXXXXXXX/deep"), job.text("artifacts/x-XXXXXXXXXXXXXXXX"));
    assert_eq!((two.as_str(), three.as_str()), ("two", "three"));
    let mut both = ["", "-2"].map(|end| job.text(&format!("artifacts/x-XXXXXXXXXXX.txt{end}")));
    both.sort();
    assert_eq!(both, ["four", "one"], "told apart by a number");
    let finished = job.finished();
    assert_eq!(finished["revision"], "XXXXXXXXXXX");
    assert_eq!(finished["metadata"]["XXXXXXXXXXX"], 7);
    let manifest: Value = serde_json::from_str(&job.text("manifest.json")).expect("JSON");
    let masked = manifest["objects"].as_array().expect("objects").iter();
    assert_eq!(masked.filter(|object| object["name_masked"] == true).count(), 3, "{manifest:#}");
    assert_eq!(manifest["censoring"]["not_masked"], json!([secrets.join("tiny")]));
    assert_eq!(manifest["censoring"]["not_loaded"][0]["path"], json!(secrets.join(".dockercfg")));
    let documents = [ended.stderr, job.names().concat(), manifest.to_string(), finished.to_string()];
    for text in documents.into_iter().chain(job.names().iter().map(|name| job.text(name))) {
        assert!(!text.contains("name-secret") && !text.contains("binary-secret"), "{text}");
    }
}

/// The note about a file that is withheld stands beside a file with its name.
#[test]
fn note_about_a_withheld_file_never_takes_a_files_key() {
    let job = Job::local();
    let secrets = job.pod.path("secrets");
    write(&secrets.join("token"), "the-secret-value");
    let entry = running(&job, "log\n");
    let damaged = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), &[0xff; 64]].concat();
    write(&job.pod.artifacts().join("a.gz"), &damaged);
    write(&job.pod.artifacts().join("a.gz.withheld.txt"), "the job's own");
    write(&job.pod.artifacts().join("b.gz"), damaged);
    write(&entry.marker, "0");
    job.sidecar(&[&entry], censoring(&[&secrets], json!({}))).wait().expect_code(0);
    assert_eq!(job.text("artifacts/a.gz.withheld.txt"), "the job's own");
    for note in ["artifacts/a.gz-2.withheld.txt", "artifacts/b.gz.withheld.txt"] {
        assert!(job.text(note).contains("damaged"), "{}", job.text(note));
    }
    let delivered = |name: &&str| job.names().iter().any(|other| other == name);
    assert_eq!(["artifacts/a.gz", "artifacts/b.gz"].iter().find(|name| delivered(name)), None);
}

/// The deprecated way to name the one entry; upstream censors its log no
/// differently (5.4), and its metadata goes into the result.
#[test]
fn entry_of_legacy_wrapper_options_is_censored_too() {
    let job = Job::local();
    let secrets = job.pod.path("secrets");
    write(&secrets.join("token"), "wrapped-secret");
    let entry = job.pod.entry("test");
    write(&entry.log, "a wrapped-secret in the log\n");
    write(&entry.metadata, "{\"said\":\"wrapped-secret\"}");
    write(&entry.marker, "0");
    let wrapper =
        json!({"process_log": entry.log, "marker_file": entry.marker, "metadata_file": entry.metadata});
    let sidecar = job.sidecar(&[], censoring(&[&secrets], json!({"wrapper_options": wrapper})));
    let ended = sidecar.wait();
    ended.expect_code(0);
    assert_eq!(job.text("build-log.txt"), "a XXXXXXXXXXXXXX in the log\n");
    assert_eq!(job.finished()["metadata"]["said"], "XXXXXXXXXXXXXX");
    for text in job.names().iter().map(|name| job.text(name)).chain([ended.stderr]) {
        assert!(!text.contains("wrapped-secret"), "{text}");
    }
}
