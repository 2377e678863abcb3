//! Pins: deploy/README.md, "podutils run".
//!
//! Checks of a destination before the job, and delivery again after one that failed.

use super::run::{Desk, base_path};
use harness::pod::{json_of, read};
use harness::s3::{Fault, S3};
use hyper::Method;
use std::fs;
use std::path::PathBuf;

/// Arguments of `run` for a bucket.
fn run<'a>(credentials: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    let flags = ["run", "--job", "j", "--out", "s3://bucket/p", "--s3-credentials-file", credentials, "--"];
    [&flags[..], command].concat()
}

/// The command that a failed run names.
#[track_caller]
fn told_command(stderr: &str) -> Vec<&str> {
    let line = stderr.lines().find_map(|line| line.split_once("to deliver again: podutils ")).expect(stderr);
    line.1.split_whitespace().collect()
}

const SCRIPT: &str =
    "echo 'it is hunter2-hunter2'; echo a > $ARTIFACTS/a.txt; echo b > $ARTIFACTS/b.txt; exit 3";

#[test]
fn failed_delivery_is_told_by_error_leaves_a_page_and_is_repeated() {
    let desk = Desk::new();
    let s3 = S3::start();
    // The bucket's policy changes after the job has begun, and one object has another trouble.
    s3.script(|seen| match (seen.method == Method::PUT, seen.key.as_str()) {
        (true, key) if key.ends_with("/a.txt") => Fault::Refuse(400, "EntityTooLarge"),
        (true, key) if !key.ends_with("started.json") => Fault::Refuse(403, "AccessDenied"),
        _ => Fault::None,
    });
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let secrets = desk.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("one"), "hunter2-hunter2").expect("written");
    let secrets = secrets.display().to_string();
    let args = run(&credentials, &["sh", "-c", SCRIPT]);
    let ended = desk.run(&[&args[..1], &["--secrets", &secrets], &args[1..]].concat());
    ended.expect_code(3);
    let line = |part: &str| {
        let found = ended.stderr.lines().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("no {part} in {}", ended.stderr))
    };
    assert!(line("AccessDenied").contains("build-log.txt"), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("AccessDenied").count(), 1, "{}", ended.stderr);
    assert!(line("EntityTooLarge").contains("  artifacts/a.txt: "), "{}", ended.stderr);
    let page = line("report page: ").split_once("report page: ").expect("a page").1;
    let pod = desk.pods().remove(0);
    assert!(page.starts_with(&pod.display().to_string()), "{page}");
    let text = fs::read_to_string(page).expect("a page");
    for part in ["exited with code 3", "it is XXXXXXXXXXXXXXX", "href=\"./artifacts/b.txt\""] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(!text.contains("hunter2-"), "{text}");
    // The store takes everything now.
    s3.script(|_| Fault::None);
    let again = desk.run(&told_command(&ended.stderr));
    again.expect_code(0);
    assert!(
        again.stderr.contains("FAILURE after ") && again.stderr.contains("objects in s3://bucket/p/logs/j/")
    );
    let base = base_path(&s3.keys(), "p/logs/j/");
    assert!(s3.text(&format!("{base}/build-log.txt")).starts_with("it is XXXXXXXXXXXXXXX\n"));
    assert_eq!(s3.text(&format!("{base}/artifacts/a.txt")), "a\n");
    let (started, finished) =
        (s3.json(&format!("{base}/started.json")), s3.json(&format!("{base}/finished.json")));
    assert_eq!(finished["result"], "FAILURE");
    assert!(started["timestamp"].as_i64() <= finished["timestamp"].as_i64(), "{started} {finished}");
    assert!(pod.exists(), "it stays");
    // Elsewhere, with the same id.
    let elsewhere = [&told_command(&ended.stderr)[..], &["--out", "elsewhere"]].concat();
    desk.run(&elsewhere).expect_code(0);
    let id = base.rsplit('/').next().expect("an id").to_owned();
    assert_eq!(read(&desk.path("elsewhere/j").join(id).join("artifacts/b.txt")), "b\n");
}

#[test]
fn destination_that_refuses_for_good_is_known_before_the_job() {
    let desk = Desk::new();
    let s3 = S3::start();
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let touch = desk.path("ran").display().to_string();
    s3.script(|_| Fault::Refuse(403, "AccessDenied"));
    let missing =
        ["run", "--out", "s3://nobucket", "--s3-credentials-file", &credentials, "--", "touch", &touch];
    let refused = run(&credentials, &["touch", &touch]);
    for (args, part) in [(&refused[..], "AccessDenied"), (&missing[..], "NoSuchBucket")] {
        let ended = desk.run(args);
        ended.expect_code(1);
        let line = ended.only_line();
        assert!(line.contains(part) && line.ends_with("; nothing was started"), "{line}");
        assert!(!desk.path("ran").exists());
        assert_eq!(desk.pods(), Vec::<PathBuf>::new());
    }
}

#[test]
fn destination_that_is_away_keeps_no_job_from_running() {
    let desk = Desk::new();
    let s3 = S3::start();
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    s3.script(|seen| if seen.key.ends_with("started.json") { Fault::Status(503) } else { Fault::None });
    let ended = desk.run(&run(&credentials, &["true"]));
    ended.expect_code(0);
    assert!(ended.stderr.contains("warning: the destination does not answer"), "{}", ended.stderr);
    let base = base_path(&s3.keys(), "p/logs/j/");
    assert_eq!(s3.json(&format!("{base}/finished.json"))["result"], "SUCCESS");
}

#[test]
fn kept_directory_is_delivered_with_the_secrets_of_its_run_or_not_at_all() {
    let desk = Desk::new();
    fs::create_dir(desk.path("secrets")).expect("made");
    fs::write(desk.path("secrets/one"), "hunter2-hunter2").expect("written");
    let script = ["sh", "-c", "echo it is hunter2-hunter2"];
    let ended =
        desk.run(&[&["run", "--job", "j", "--keep", "--secrets", "secrets", "--"][..], &script].concat());
    ended.expect_code(0);
    let pod = desk.pods().remove(0).display().to_string();
    let again = desk.run(&["deliver", &pod, "--out", "again"]);
    again.expect_code(0);
    let first = desk.results("j");
    let second = desk.path("again/j").join(first.file_name().expect("an id"));
    assert_eq!(read(&second.join("build-log.txt")), "it is XXXXXXXXXXXXXXX\n");
    let log = |dir: &PathBuf| json_of(&dir.join("finished.json"))["result"].clone();
    assert_eq!(log(&first), log(&second));
    fs::remove_dir_all(desk.path("secrets")).expect("removed");
    let refused = desk.run(&["deliver", &pod, "--out", "third"]);
    refused.expect_code(1);
    assert!(refused.only_line().contains("--secrets "), "{}", refused.stderr);
    assert!(!desk.path("third").exists());
}

#[test]
fn mistakes_of_a_delivery_are_one_line() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("empty")).expect("made");
    fs::create_dir_all(desk.path("forged")).expect("made");
    fs::write(desk.path("forged/pod.json"), "{\"version\":1}").expect("written");
    for (args, status, part) in [
        (&["deliver"][..], 2, "see podutils deliver --help"),
        (&["deliver", "nowhere"], 1, "nowhere"),
        (&["deliver", "empty"], 1, "allowed is a pod directory that podutils run has kept"),
        (&["deliver", "forged"], 1, "pod.json: missing field"),
    ] {
        let ended = desk.run(args);
        ended.expect_code(status);
        assert!(ended.only_line().contains(part), "{args:?}: {}", ended.stderr);
    }
}
