//! Pins: sidecar/README.md, "The report page"; I4, I6.
//!
//! The page beside the result: what it says, what a job can do to it, and what becomes of
//! the result when the page cannot be stored.

use harness::bins;
use harness::job::Job;
use harness::process;
use harness::s3::Fault;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

const WITH_PAGE: &str = r#"{"delivery": {"report_page": true, "fail_on_error": true}}"#;

fn with_page(more: Value) -> Value {
    let mut options: Value = serde_json::from_str(WITH_PAGE).expect("JSON");
    harness::pod::overlay(&mut options, more);
    options
}

/// Runs a script to its end and delivers.
fn deliver(job: &Job, script: &str, options: Value) {
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], options);
    job.pod.entrypoint(&entry, &["sh", "-c", script], json!({})).wait();
    sidecar.wait().expect_code(0);
}

#[test]
fn i6_page_is_before_the_result_masked_and_harmless() {
    let job = Job::s3();
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::write(secrets.join("token"), "hunter2-hunter2").expect("written");
    let script = r#"mkdir -p "$ARTIFACTS/<img src=x>"; echo x > "$ARTIFACTS/<img src=x>/a"
        printf '{"node":"<script>alert(1)</script> hunter2-hunter2","\\u202e":[1]}' > "$ARTIFACTS/test-metadata.json"
        printf '::group::Set up\nfine\n::endgroup::\n\033[31merror: hunter2-hunter2 <b>\033[0m \033]0;title\007\n'; exit 3"#;
    let options = json!({"censoring_options": {"secret_directories": [secrets]}});
    deliver(&job, script, with_page(options));
    let page = job.text("report.html");
    for part in [
        "<title>FAILURE: job 1</title>",
        "exited with code 3",
        "&lt;script&gt;alert(1)&lt;/script&gt; XXXXXXXXXXXXXXX",
        "artifacts/&lt;img src=x&gt;/a",
        r#"<span class="f1">error: XXXXXXXXXXXXXXX &lt;b&gt;</span>"#,
        "\\u{1b}]0;title\\u{7}",
        "<summary>Set up</summary>",
        "href=\"./build-log.txt\"",
        "href=\"./manifest.json\"",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    for part in ["hunter2", "<img", "<script>alert", "\u{1b}", "\u{202e}", " style="] {
        assert!(!page.contains(part), "{part:?} in {page}");
    }
    let object = job.listed("report.html");
    assert_eq!(
        (&object["state"], &object["content_type"]),
        (&json!("stored"), &json!("text/html; charset=utf-8"))
    );
    let seen = job.s3.as_ref().expect("a bucket").seen();
    let order: Vec<_> = seen.iter().filter(|seen| seen.makes_an_object()).map(|seen| &seen.key).collect();
    let at = |name: &str| order.iter().rposition(|key| key.ends_with(name)).expect(name);
    let names = ["sidecar-logs.json", "report.html", "manifest.json", "finished.json"].map(at);
    assert!(names.is_sorted(), "{order:?}");
}

#[test]
fn there_is_no_page_unless_it_is_wanted_and_then_its_name_is_reserved() {
    for (options, wanted) in [(json!({}), false), (with_page(json!({})), true)] {
        let job = Job::local();
        let own = job.pod.path("report.html");
        fs::write(&own, "the job's own").expect("written");
        let mut options = options;
        options["gcs_options"] = json!({"items": [job.pod.artifacts(), own]});
        deliver(&job, "echo fine", options);
        if wanted {
            assert!(job.text("report.html").starts_with("<!DOCTYPE html>"));
            let manifest = job.manifest();
            let listed = manifest["objects"].as_array().expect("a list");
            let states: Vec<_> = listed
                .iter()
                .filter(|object| object["key"] == "report.html")
                .map(|object| (object["state"].as_str(), object["reason"].as_str()))
                .collect();
            let refused = (Some("skipped"), Some("its name belongs to an object of sidecar's own"));
            assert_eq!(states, [(Some("stored"), None), refused], "{manifest:#}");
        } else {
            assert_eq!(job.text("report.html"), "the job's own");
        }
    }
}

#[test]
fn i4_page_that_the_store_refuses_costs_the_result_nothing() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| if seen.key.ends_with("report.html") { Fault::Status(403) } else { Fault::None });
    deliver(&job, "exit 3", with_page(json!({})));
    assert_eq!(job.finished()["result"], "FAILURE");
    job.expect_refused("report.html", "failed", "403");
}

#[test]
fn i4_page_that_hangs_is_left_out_in_time() {
    let job = Job::s3();
    let s3 = job.s3.as_ref().expect("a bucket");
    s3.script(|seen| if seen.key.ends_with("report.html") { Fault::Hang } else { Fault::None });
    let options = with_page(json!({"delivery": {"grace_period": "5s"}}));
    let running = job.running("echo ready; sleep 60", options);
    let begin = Instant::now();
    running.sidecar.signal(common::signal::Signal::TERM);
    running.test.signal(common::signal::Signal::TERM);
    running.test.wait();
    running.sidecar.wait().expect_code(0);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(running.job.finished()["result"], "ABORTED");
    let object = running.job.listed("report.html");
    assert_eq!(object["reason"], "there was no time left for it", "{object}");
}

#[test]
fn error_in_the_middle_of_a_large_log_is_found() {
    let job = Job::local();
    let script = "yes 'a line of 32 bytes, all is well' | head -c 34603008; printf '\nfatal: in the middle\n'; \
                  yes 'a line of 32 bytes, all is well' | head -c 34603008";
    deliver(&job, script, with_page(json!({})));
    assert!(job.text("report.html").contains("fatal: in the middle"));
    let manifest = job.manifest();
    let errors = &manifest["containers"][0]["log_errors"];
    assert_eq!(errors["errors"][0]["text"], "fatal: in the middle", "{errors}");
    assert_eq!(errors["unread"], 0);
    let mut command = Command::new(bins::program("podutils"));
    let shown = process::run(job.pod.tree(), command.arg("show").arg(job.pod.out()));
    assert!(shown.stdout.contains("fatal: in the middle"), "{}", shown.stdout);
}
