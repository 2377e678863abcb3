//! Pins: U-26, U-80, I8; sidecar/README.md, "Odd files".
//!
//! Names that a URL, a terminal or a file system would rather not see, trees
//! deeper than a path can say, and directories with very many files.

use harness::job::{JOB_PATH, Job};
use harness::pod::{Entry, Pod};
use harness::process;
use harness::s3::S3;
use harness::wait;
use harness::web::{Answer, Web};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Names, and what they are called in a bucket where that differs.
const NAMES: [(&[u8], Option<&str>); 18] = [
    (b"new\nline\n{\"component\":\"sidecar\"}", Some("new%0Aline%0A{\"component\":\"sidecar\"}")),
    (b"100% of it", None),
    (b"%2e%2e%2f", None),
    (b"%00", None),
    (b"what?is=this&that", None),
    (b"part#of;it", None),
    (b"raw\xff\xfe", Some("raw%FF%FE")),
    (b"cut \xe2\x82", Some("cut %E2%82")),
    (b"tab\tbell\x07del\x7f", Some("tab%09bell%07del%7F")),
    ("next\u{85}line".as_bytes(), Some("next%C2%85line")),
    (b"back\\slash", None),
    (b"-rf", None),
    (b"...", None),
    (b" in spaces ", None),
    (b"+plus+", None),
    (b"[a]{b}(c)<d>|^`'\"*!~$,:@=", None),
    ("\u{202e}txt.exe \u{1f980} u\u{308}".as_bytes(), None),
    (b"\xc3\xbc", None),
];

/// A job that has ended, with a file of each name in a directory of an odd name;
/// and what is in each file by what it is called in the bucket.
fn with_names(pod: &Pod, more: &[(&[u8], Option<&str>)]) -> (Entry, BTreeMap<String, String>) {
    let entry = pod.entry("test");
    pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    let directory = pod.artifacts().join("a?b #%41\n");
    fs::create_dir(&directory).expect("made");
    let mut expected = BTreeMap::new();
    for (number, (name, key)) in NAMES.iter().chain(more).enumerate() {
        let content = format!("file {number}");
        fs::write(directory.join(OsStr::from_bytes(name)), &content).expect("written");
        let key = key.unwrap_or_else(|| std::str::from_utf8(name).expect("UTF-8"));
        expected.insert(format!("artifacts/a?b #%41%0A/{key}"), content);
    }
    (entry, expected)
}

#[test]
fn hostile_names_reach_a_bucket_byte_for_byte() {
    let job = Job::s3();
    let (entry, expected) = with_names(&job.pod, &[]);
    let ended = job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true}})).wait();
    ended.expect_code(0).expect_records();
    job.expect_result("SUCCESS");
    let held = job.names().into_iter().filter(|name| name.starts_with("artifacts/"));
    let held: BTreeMap<_, _> = held.map(|name| (name.clone(), job.text(&name))).collect();
    assert_eq!(held, expected);
    for name in expected.keys() {
        assert_eq!(job.listed(name)["state"], "stored");
    }
}

/// Names as long as a file system allows. The server of the other test could not
/// keep them, so this one only listens.
#[test]
fn names_of_255_bytes_reach_a_bucket() {
    let pod = Pod::new();
    let (umlauts, bytes) = ("ü".repeat(127) + "x", "%FF".repeat(255));
    let (entry, expected) = with_names(
        &pod,
        &[
            (&[b'x'; 255], None),
            (umlauts.as_bytes(), None),
            (&[0xff; 255], Some(&bytes)),
            (&[b'%'; 255], None),
        ],
    );
    let web =
        Web::start(
            |asked| if asked.method == "PUT" { Answer::stored() } else { Answer(404, vec![], String::new()) },
        );
    let credentials = pod.path("s3.json");
    let text =
        json!({"endpoint": web.url(), "s3_force_path_style": true, "access_key": "a", "secret_key": "b"});
    fs::write(&credentials, text.to_string()).expect("written");
    let options = json!({
        "gcs_options": {"local_output_dir": "", "bucket": "s3://bucket", "path_strategy": "explicit",
                        "s3_credentials_file": credentials},
        "delivery": {"fail_on_error": true},
    });
    pod.sidecar(&[&entry], options).wait().expect_code(0).expect_records();
    let prefix = format!("/bucket/{JOB_PATH}/");
    let puts = web.asked().into_iter().filter(|asked| asked.method == "PUT");
    let held: BTreeMap<_, _> = puts
        .filter_map(|asked| Some((decoded(asked.path.strip_prefix(&prefix)?), asked.body)))
        .filter(|(key, _)| key.starts_with("artifacts/"))
        .collect();
    assert_eq!(held, expected);
}

/// A path of a URL as a server reads it.
fn decoded(path: &str) -> String {
    assert!(!path.contains(['?', '#']), "{path}");
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.expect("two digits"));
                u8::from_str_radix(std::str::from_utf8(&digits).expect("ASCII"), 16).expect("hexadecimal")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// A directory keeps all names that are UTF-8; of two files with one name the
/// first one wins, and what is too long once it is escaped is said.
#[test]
fn hostile_names_reach_a_directory() {
    let job = Job::local();
    let umlauts = "ü".repeat(127) + "x";
    let (entry, expected) = with_names(&job.pod, &[(&[b'x'; 255], None), (umlauts.as_bytes(), None)]);
    let directory = job.pod.artifacts().join("a?b #%41\n");
    fs::write(directory.join("raw%FF%FE"), "the first").expect("written");
    fs::write(directory.join(OsStr::from_bytes(&[0xff; 255])), "too long").expect("written");
    job.sidecar(&[&entry], json!({})).wait().expect_code(0).expect_records();
    job.expect_result("SUCCESS");
    let control = |name: &str| {
        let name = name.replace("%C2%85", "\u{85}");
        ["0A", "09", "07", "7F"].iter().fold(name, |name, code| {
            let c = char::from(u8::from_str_radix(code, 16).expect("hexadecimal"));
            name.replace(&format!("%{code}"), &c.to_string())
        })
    };
    let mut expected: BTreeMap<_, _> =
        expected.into_iter().map(|(name, content)| (control(&name), content)).collect();
    expected.insert("artifacts/a?b #%41\n/raw%FF%FE".to_owned(), "the first".to_owned());
    let held = job.names().into_iter().filter(|name| name.starts_with("artifacts/"));
    let held: BTreeMap<_, _> = held.map(|name| (name.clone(), job.text(&name))).collect();
    assert_eq!(held, expected);
    let manifest = job.manifest();
    let objects = manifest["objects"].as_array().expect("a list").iter();
    let refused: Vec<_> = objects.filter(|object| object["state"] != "stored").collect();
    assert_eq!(refused.len(), 2, "{refused:#?}");
    let said = format!("{refused:?}");
    assert!(said.contains("is taken by another file") && said.contains("File name too long"), "{said}");
}

/// `gzip --keep` leaves two files that have one name in a bucket, and items can
/// be called like what sidecar writes itself. Nothing is lost for that.
#[test]
fn artifact_named_like_a_result_never_replaces_it() {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    let artifacts = job.pod.artifacts();
    fs::write(artifacts.join("a.txt"), "a.txt").expect("written");
    // The least complete gzip file: its header, an empty block, no bytes and their sum.
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for name in ["a.txt.gz", "c.txt.gz"] {
        fs::write(artifacts.join(name), packed).expect("written");
    }
    std::os::unix::fs::symlink("nothing", artifacts.join("c.txt")).expect("linked");
    let items = ["build-log.txt", "finished.json"].map(|name| job.pod.logs().join(name));
    for item in &items {
        fs::write(item, "forged").expect("written");
    }
    let more = json!({"gcs_options": {"items": [artifacts, items[0], items[1]]},
                      "delivery": {"fail_on_error": true}});
    job.sidecar(&[&entry], more).wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("build-log.txt"), "output\n");
    assert_eq!(job.text("artifacts/a.txt"), "a.txt");
    assert_eq!(fs::read(job.objects_dir().join("artifacts/c.txt")).expect("stored"), packed);
    let manifest = job.manifest();
    let objects = manifest["objects"].as_array().expect("a list").iter();
    let said: Vec<_> = objects
        .filter(|object| object["state"] == "skipped")
        .map(|object| (object["source"].as_str().expect("said"), object["reason"].as_str().expect("said")))
        .collect();
    let path = |name: &str| job.pod.logs().join(name).display().to_string();
    let expected = [
        ("artifacts/a.txt.gz", "its name at the destination is taken by another file"),
        ("artifacts/c.txt", "it is a symbolic link to nothing"),
        ("build-log.txt", "its name belongs to an object of sidecar's own"),
        ("finished.json", "its name belongs to an object of sidecar's own"),
    ];
    let expected = expected.map(|(name, reason)| (path(name), reason));
    assert_eq!(
        said.iter().map(|(source, reason)| ((*source).to_owned(), *reason)).collect::<Vec<_>>(),
        expected
    );
}

/// The objects of the same names could not be written beside such directories.
#[test]
fn directory_named_like_a_result_never_keeps_it_away() {
    let names = [
        "build-log.txt",
        "build-log.txt.withheld.txt",
        "finished.json",
        "manifest.json",
        "report.html",
        "sidecar-logs.json",
    ];
    for job in [Job::local(), Job::s3()] {
        let entry = job.pod.entry("test");
        job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
        let (here, item) = (job.pod.artifacts(), job.pod.logs().join("finished.json"));
        fs::create_dir(&item).expect("made");
        fs::write(item.join("file"), "forged").expect("written");
        fs::write(here.join("kept"), "kept").expect("written");
        for name in names {
            fs::create_dir(here.join(name)).expect("made");
            fs::write(here.join(name).join("file"), "forged").expect("written");
        }
        let more = json!({"gcs_options": {"items": [".", item]}, "delivery": {"fail_on_error": true, "report_page": true}});
        let mut command = job.sidecar_command(&[&entry], more);
        process::start(job.pod.tree(), command.current_dir(&here)).wait().expect_code(0);
        job.expect_result("SUCCESS");
        assert_eq!(job.text("build-log.txt"), "output\n");
        assert_eq!(job.text("kept"), "kept");
        for name in names {
            job.expect_refused(&format!("{name}/file"), "skipped", "belongs to an object of sidecar's own");
        }
    }
}

/// How many directories lie in each other.
const DEPTH: usize = 2_000;

/// With this name a path is short enough for a system call, with the other one
/// it is not (`PATH_MAX`, 4,096 bytes).
const SHORT: &str = "d";

fn long() -> String {
    "e".repeat(255)
}

/// Makes directories in each other, and a file in the last one.
fn deep(root: &Path, name: &str) {
    let mut directory = opened(CWD, root);
    for _ in 0..DEPTH {
        mkdirat(&directory, name, Mode::from_raw_mode(0o755)).expect("made");
        directory = opened(&directory, name);
    }
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(&directory, "file", flags, Mode::from_raw_mode(0o644)).expect("made");
    fs::File::from(file).write_all(b"from below\n").expect("written");
}

fn opened(at: impl rustix::fd::AsFd, name: impl rustix::path::Arg) -> OwnedFd {
    openat(at, name, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("opened")
}

/// A job that has ended, with both trees and a file beside them.
fn with_deep_trees(job: &Job) -> Entry {
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    deep(&job.pod.artifacts(), SHORT);
    deep(&job.pod.artifacts(), &long());
    fs::write(job.pod.artifacts().join("z"), "beside\n").expect("written");
    entry
}

/// Removes what [`deep`] made. The standard library would hold a descriptor open
/// for each level.
fn remove(root: &Path, name: &str) {
    let mut directory = opened(CWD, root);
    for _ in 0..DEPTH {
        directory = opened(&directory, name);
    }
    unlinkat(&directory, "file", AtFlags::empty()).expect("removed");
    for _ in 0..DEPTH {
        directory = opened(&directory, "..");
        unlinkat(&directory, name, AtFlags::REMOVEDIR).expect("removed");
    }
}

fn remove_deep_trees(job: &Job) {
    remove(&job.pod.artifacts(), SHORT);
    remove(&job.pod.artifacts(), &long());
}

#[test]
fn tree_2000_deep_reaches_a_directory() {
    let job = Job { pod: Pod::in_memory(), s3: None };
    let entry = with_deep_trees(&job);
    job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true}})).wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("artifacts/z"), "beside\n");
    let mut directory = opened(CWD, job.pod.out().join("artifacts"));
    for _ in 0..DEPTH {
        directory = opened(&directory, SHORT);
    }
    let mut text = String::new();
    let file = openat(&directory, "file", OFlags::CLOEXEC, Mode::empty()).expect("delivered");
    fs::File::from(file).read_to_string(&mut text).expect("read");
    assert_eq!(text, "from below\n");
    expect_too_long(&job, "File name too long");
    remove_deep_trees(&job);
    remove(&job.pod.out().join("artifacts"), SHORT);
}

#[test]
fn tree_2000_deep_reaches_a_bucket() {
    let job = Job { pod: Pod::in_memory(), s3: Some(S3::start()) };
    let entry = with_deep_trees(&job);
    job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true}})).wait().expect_code(0);
    job.expect_result("SUCCESS");
    assert_eq!(job.text("artifacts/z"), "beside\n");
    expect_too_long(&job, "File name too long");
    let name = format!("artifacts/{}file", format!("{SHORT}/").repeat(DEPTH));
    let object = job.listed(&name);
    assert_eq!(object["state"], "skipped");
    assert!(object["reason"].as_str().is_some_and(|reason| reason.contains("more than 1024")), "{object}");
    remove_deep_trees(&job);
}

/// Of what lies too deep the first directory is named.
#[track_caller]
fn expect_too_long(job: &Job, reason: &str) {
    let manifest = job.manifest();
    let objects = manifest["objects"].as_array().expect("a list").iter();
    let refused: Vec<_> =
        objects.filter(|object| object["key"].as_str().is_some_and(|key| key.contains("eee"))).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["state"], "skipped");
    assert!(refused[0]["reason"].as_str().is_some_and(|said| said.contains(reason)), "{refused:?}");
}

/// `POD_UTILS_HOSTILE_FILES` is how many there are (200000 for what is promised).
#[test]
fn very_many_files_in_one_directory_stay_within_memory() {
    let count =
        std::env::var("POD_UTILS_HOSTILE_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let job = Job { pod: Pod::in_memory(), s3: None };
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    for number in 0..count {
        fs::File::create(job.pod.artifacts().join(format!("file-{number}"))).expect("made");
    }
    let sidecar = job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true}}));
    let pid = sidecar.pid();
    let mut peak = 0;
    wait::within(Duration::from_mins(5), || {
        // One that has ended has no memory.
        peak = process::peak_memory(pid).unwrap_or(peak);
        job.finished_now().map(|_| ())
    });
    sidecar.wait().expect_code(0);
    assert_eq!(fs::read_dir(job.pod.out().join("artifacts")).expect("listed").count(), count);
    let manifest = job.manifest();
    let objects = manifest["objects"].as_array().expect("a list");
    assert_eq!(objects.iter().filter(|object| object["state"] == "stored").count(), count + 2);
    // I8: 256 bytes and its name for each, beside what a small job needs.
    let most = 40_000 + count as u64 * (256 + 20) / 1024;
    assert!(peak <= most, "{peak} KiB, {most} KiB are allowed");
}
