//! Pins: deploy/README.md, "podutils history".
//!
//! `podutils history`: a job's builds in a bucket and in a directory, and what fails in them.

use super::run::Desk;
use harness::bins;
use harness::job::many_builds;
use harness::process;
use harness::s3::{BUCKET, Fault, S3};
use hyper::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Unix seconds of the first build.
const BEGIN: u64 = 1_767_225_600;

/// `finished.json` of a build in which these tests failed.
fn finished(timestamp: u64, result: &str, commit: &str, failed: &[&str]) -> Value {
    let failures: serde_json::Map<_, _> = failed
        .iter()
        .enumerate()
        .map(|(index, name)| {
            (format!("{:02}", index + 1), json!({"suite": "s", "name": name, "message": "m"}))
        })
        .collect();
    let cause = format!("exited with code 1; {} of 412 tests failed", failed.len());
    json!({
        "timestamp": timestamp, "passed": result == "SUCCESS", "result": result, "revision": commit,
        "metadata": {"pod-utils": {
            "cause": cause,
            "tests": {"tests": "412", "failed": failed.len().to_string(), "seconds": "1.500", "failures": failures},
        }},
    })
}

fn put(dir: &Path, name: &str, content: &impl ToString) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, content.to_string()).expect("written");
}

/// Builds 9 to 12 of a job: B fails always, A at one commit only once; 12 still runs.
fn four_builds(dir: &Path) {
    let builds = [
        ("9", "FAILURE", "aaaaaaaa", &["A", "B"][..]),
        ("10", "FAILURE", "aaaaaaaa", &["B"]),
        ("11", "SUCCESS", "main", &[]),
    ];
    for (number, (id, result, commit, failed)) in (0..).zip(builds) {
        let begin = BEGIN + number * 3600;
        put(dir, &format!("{id}/started.json"), &json!({"timestamp": begin}));
        put(dir, &format!("{id}/finished.json"), &finished(begin + 90, result, commit, failed));
        put(dir, &format!("{id}/manifest.json"), &"not for reading");
        put(dir, &format!("{id}/artifacts/deep/x.txt"), &"x");
    }
    put(dir, "12/started.json", &json!({"timestamp": BEGIN + 9999, "repo-commit": "bbbbbbbb"}));
    put(dir, "latest-build.txt", &"12");
    put(dir, "11/report.html", &"<p>");
}

#[test]
fn bucket_is_listed_once_and_each_build_costs_at_most_three_small_gets() {
    let desk = Desk::new();
    let s3 = S3::start();
    four_builds(&s3.object_path("logs/job"));
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let place = format!("s3://{BUCKET}/logs/job");
    let args = ["history", "--s3-credentials-file", &credentials, &place];
    let told = desk.run(&args);
    told.expect_code(0);
    let shown: Vec<_> = told.stdout.lines().collect();
    assert_eq!(shown[1], "  4 builds: 1 passed, 2 failed, 0 aborted, 1 without a result", "{}", told.stdout);
    let rows: Vec<_> = shown[3..7].iter().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(rows[0][..2], ["12", "UNKNOWN"]);
    assert_eq!(rows[2][..6], ["10", "FAILURE", "2026-01-01", "01:00", "1m30s", "aaaaaaaa"]);
    assert!(shown[6].ends_with("exited with code 1; 2 of 412 tests failed"), "{}", told.stdout);
    assert!(told.stdout.contains("\n      2  s B, last in 10\n"), "{}", told.stdout);
    let flaky = told.stdout.split("Flaky tests").nth(1).expect("a section");
    assert!(flaky.contains("      1  s A, last in 9") && !flaky.contains("s B"), "{flaky}");
    let seen = s3.seen();
    let (lists, reads): (Vec<_>, Vec<_>) = seen.iter().partition(|seen| seen.key.is_empty());
    assert!(lists.len() == 1 && lists[0].query.contains("delimiter=%2F"), "{lists:?}");
    assert!(reads.iter().all(|seen| seen.method == Method::GET), "{reads:?}");
    for id in ["9", "10", "11", "12"] {
        let of_build: Vec<_> = reads.iter().filter(|seen| seen.key.contains(&format!("/{id}/"))).collect();
        assert!((2..=3).contains(&of_build.len()), "{of_build:?}");
    }
    // The newest two as JSON, and a page.
    let page = desk.path("page.html").display().to_string();
    let links = ["--links", "https://ci.example/logs/job"];
    let told = desk.run(&[&args[..], &["--last", "2", "--json", "--html", &page], &links].concat());
    told.expect_code(0);
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let ids: Vec<_> = told["builds"].as_array().expect("builds").iter().map(|build| &build["id"]).collect();
    assert_eq!(ids, ["12", "11"]);
    assert_eq!(told["builds_left_out"], 2);
    assert_eq!(
        (&told["builds"][1]["seconds"], &told["builds"][0]["commit"]),
        (&json!(90.0), &json!("bbbbbbbb"))
    );
    let page = fs::read_to_string(page).expect("a page");
    for part in ["href=\"https://ci.example/logs/job/11/report.html\"", "job/12/finished.json", "<svg"] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    assert!(!page.contains("<script") && !page.contains(" style="), "{page}");
}

#[test]
fn jobs_of_this_machine_have_their_times_and_tests() {
    let desk = Desk::new();
    let script = "printf \"<testsuite name='s'><testcase name='T'>$1</testcase></testsuite>\" > \"$ARTIFACTS/junit.xml\"; exit $2";
    for (failure, code) in [("<failure message='no'/>", "1"), ("", "0")] {
        let ended = desk.run(&["run", "--job", "j", "--", "sh", "-c", script, "sh", failure, code]);
        ended.expect_code(code.parse().expect("a code"));
    }
    let page = desk.path("page.html").display().to_string();
    let told = desk.run(&["history", "--json", "--html", &page, "pod-utils-out/j"]);
    told.expect_code(0);
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let builds = told["builds"].as_array().expect("builds");
    let results: Vec<_> = builds.iter().map(|build| build["result"].as_str().expect("a result")).collect();
    assert_eq!(results, ["SUCCESS", "FAILURE"]);
    for build in builds {
        let seconds = build["seconds"].as_f64().expect("known from the manifest or the start");
        assert!((0.0..60.0).contains(&seconds), "{build}");
    }
    let failed_in = &told["tests"][0]["failed_in"];
    assert_eq!((&told["tests"][0]["name"], failed_in), (&json!("T"), &json!([builds[1]["id"]])));
    let text = fs::read_to_string(&page).expect("a page");
    let id = builds[1]["id"].as_str().expect("an id");
    assert!(text.contains(&format!("/pod-utils-out/j/{id}/report.html\"")), "{text}");
}

#[test]
fn presubmits_are_found_behind_their_aliases() {
    let desk = Desk::new();
    let root = desk.path("bucket");
    for (pull, id) in [(1, "7"), (2, "8")] {
        let run = format!("pr-logs/pull/o_r/{pull}/unit/{id}");
        put(&root, &format!("{run}/finished.json"), &finished(BEGIN, "FAILURE", "cccccccc", &["A"]));
        put(&root, &format!("{run}/started.json"), &json!({"timestamp": BEGIN - 5}));
        put(&root, &format!("pr-logs/directory/unit/{id}.txt"), &format!("file://{}/{run}", root.display()));
    }
    put(&desk.path("outside"), "9/finished.json", &finished(BEGIN, "SUCCESS", "", &[]));
    put(&root, "pr-logs/directory/unit/9.txt", &format!("file://{}/9", desk.path("outside").display()));
    put(&root, "pr-logs/directory/unit/latest-build.txt", &"8");
    let place = root.join("pr-logs/directory/unit").display().to_string();
    for place in [place.clone(), format!("file://{place}")] {
        let told = desk.run(&["history", &place]);
        told.expect_code(0);
        let builds: Vec<_> = told.stdout.lines().skip(3).take(3).map(str::to_owned).collect();
        assert!(builds[0].starts_with("8  FAILURE") && builds[1].starts_with("7  FAILURE"), "{builds:?}");
        assert_eq!(builds[2], "", "an alias that leads out of the bucket is not followed");
    }
}

#[test]
fn hostile_builds_are_harmless_and_bounded() {
    let desk = Desk::new();
    let dir = desk.path("job");
    let hostile = "\u{1b}]0;owned\u{7}<script>\u{202e}";
    let mut forged = finished(BEGIN, hostile, hostile, &[hostile]);
    forged["metadata"]["pod-utils"]["cause"] = json!(hostile.repeat(1000));
    put(&dir, "1/finished.json", &forged);
    put(
        &dir,
        "2/finished.json",
        &format!("{{\"result\": \"SUCCESS\", \"metadata\": {{\"x\": \"{}\"}}}}", "x".repeat(60_000)),
    );
    put(&dir, "3/finished.json", &format!("{{\"result\": [{}1]}}", "1,".repeat(3 << 20)));
    put(&dir, "4/finished.json", &"[".repeat(1 << 20));
    fs::create_dir_all(dir.join("5/finished.json")).expect("a folder in its place");
    put(&dir, &format!("{hostile}/finished.json"), &finished(BEGIN, "FAILURE", "", &[]));
    let page = desk.path("page.html").display().to_string();
    let told = desk.run(&["history", "--html", &page, "job"]);
    told.expect_code(0);
    let page = fs::read_to_string(page).expect("a page");
    for text in [&told.stdout, &page] {
        let acts = |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c);
        assert_eq!(text.chars().find(acts), None, "{text}");
    }
    assert!(!page.contains("<script"), "{page}");
    let rows = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "2 SUCCESS 3 UNKNOWN",
        "3/finished.json: it has more than 4194304 bytes",
        "4/finished.json: it is no JSON object",
        "5/finished.json: it is no regular file",
    ] {
        assert!(rows.contains(part), "no {part} in {}", told.stdout);
    }
    assert!(told.stdout.len() < 8 << 10, "{} bytes", told.stdout.len());
}

#[test]
fn mistakes_are_one_line() {
    let desk = Desk::new();
    four_builds(&desk.path("logs/job"));
    for (args, status, part) in [
        (&["history"][..], 2, "see podutils history --help"),
        (&["history", "logs/job/9"], 1, "is one build; allowed is the folder above it"),
        (&["history", "logs"], 1, "none of its 1 folders has a finished.json"),
        (&["history", "nowhere"], 1, "it cannot be listed"),
        (&["history", "--last", "0", "logs/job"], 2, "--last"),
        (&["history", "--html", "nowhere/page.html", "logs/job"], 1, "cannot write nowhere/page.html"),
        (&["history", "--links", ".", "logs/job"], 2, "--html"),
    ] {
        let ended = desk.run(args);
        ended.expect_code(status);
        let line = ended.only_line();
        assert!(line.starts_with("error: ") && line.contains(part), "{args:?}: {line}");
    }
    let s3 = S3::start();
    four_builds(&s3.object_path("logs/job"));
    s3.script(|seen| if seen.key.contains("/10/") { Fault::Status(503) } else { Fault::None });
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    let ended = desk.run(&["history", "--s3-credentials-file", &credentials, "s3://bucket/logs/job"]);
    ended.expect_code(1);
    assert!(ended.only_line().contains("503"), "{}", ended.stderr);
}

#[test]
fn thousand_builds_take_little_memory() {
    let desk = Desk::new();
    let s3 = S3::start();
    many_builds(&s3.object_path("logs/job"), 1000);
    let page = desk.path("page.html");
    // Everything that a program writes into counts as data.
    let script = format!("ulimit -d {}; exec \"$0\" history --last 1000 --json \"$@\"", 64 << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(bins::program("podutils")).arg("--html").arg(&page);
    command.arg("--s3-credentials-file").arg(s3.credentials_file(desk.dir.path()));
    let told = process::run(desk.tree(), command.arg(format!("s3://{BUCKET}/logs/job")));
    told.expect_code(0);
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(told["builds"].as_array().map(Vec::len), Some(1000));
    assert_eq!(told["tests"].as_array().map(Vec::len), Some(300));
    let page = fs::read_to_string(page).expect("a page").len();
    assert!(page < 1 << 20, "{page} bytes");
}

#[test]
fn last_build_of_a_folder_is_shown_and_verified() {
    let desk = Desk::new();
    for code in ["1", "0"] {
        desk.run(&["run", "--job", "j", "--", "sh", "-c", "exit $1", "sh", code]);
    }
    for place in ["pod-utils-out/j", "pod-utils-out/j/", "pod-utils-out/j/latest"] {
        let told = desk.run(&["show", place]);
        told.expect_code(0);
        assert!(told.stdout.starts_with("SUCCESS  "), "{}", told.stdout);
        desk.run(&["verify", place]).expect_code(0);
    }
    for place in [
        "./pod-utils-out/../pod-utils-out//./j",
        &format!("file://{}//j/", desk.path("pod-utils-out").display()),
    ] {
        let told = desk.run(&["show", place]).stdout;
        let first = told.lines().next().unwrap_or_default();
        assert!(
            !first.contains("..") && !first.trim_start_matches("SUCCESS  file://").contains("//"),
            "{first}"
        );
    }
    // In a bucket an object names it, which may be older than the largest number.
    let s3 = S3::start();
    four_builds(&s3.object_path("logs/job"));
    put(&s3.object_path("logs/job"), "latest-build.txt", &"10\n");
    let credentials = s3.credentials_file(desk.dir.path()).display().to_string();
    for place in ["s3://bucket/logs/job", "s3://bucket/logs/job/latest"] {
        let told = desk.run(&["show", "--s3-credentials-file", &credentials, place]);
        told.expect_code(0);
        assert!(told.stdout.starts_with("FAILURE  s3://bucket/logs/job/10\n"), "{}", told.stdout);
    }
    put(&s3.object_path("logs/job"), "latest-build.txt", &"../../other");
    let told = desk.run(&["show", "--s3-credentials-file", &credentials, "s3://bucket/logs/job"]);
    told.expect_code(1);
    assert!(told.only_line().contains("latest-build.txt names no build"), "{}", told.stderr);
    // Behind an alias.
    let root = desk.path("bucket");
    put(&root, "pr-logs/pull/o_r/1/unit/7/finished.json", &finished(BEGIN, "ABORTED", "", &[]));
    put(
        &root,
        "pr-logs/directory/unit/7.txt",
        &format!("file://{}/pr-logs/pull/o_r/1/unit/7", root.display()),
    );
    put(&root, "pr-logs/directory/unit/latest-build.txt", &"7");
    let told = desk.run(&["show", "bucket/pr-logs/directory/unit/latest"]);
    told.expect_code(0);
    assert!(
        told.stdout.starts_with("ABORTED  ") && told.stdout.contains("/pull/o_r/1/unit/7\n"),
        "{}",
        told.stdout
    );
}
