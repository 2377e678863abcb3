//! Pins: sidecar/README.md, "Retries".
//!
//! Stores that are away for a while: everything arrives when they are back, and the
//! result last. `POD_UTILS_OUTAGE_SECONDS` makes the outages longer.

use common::signal::Signal;
use harness::job::{JOB_PATH, Job};
use harness::pod::Entry;
use harness::port::Port;
use harness::process::{self, Ended};
use harness::s3::{ACCESS_KEY, Fault, S3, SECRET_KEY};
use harness::web::{Answer, Web};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The small artifacts of a job; more than are in flight together.
const FILES: usize = 60;

/// An outage and the pauses after it, on a busy machine.
const LONG: Duration = Duration::from_mins(5);

fn outage() -> Duration {
    let seconds = std::env::var("POD_UTILS_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// A job that has ended, with many small artifacts and a large one.
fn ended_job(job: &Job) -> Entry {
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    for number in 0..FILES {
        let path = job.pod.artifacts().join(format!("{number}.txt"));
        fs::write(path, format!("artifact {number}\n")).expect("written");
    }
    fs::write(job.pod.artifacts().join("large.bin"), vec![9; 14 << 20]).expect("written");
    entry
}

fn fail_on_error() -> Value {
    json!({"delivery": {"fail_on_error": true}})
}

#[track_caller]
fn expect_everything(job: &Job) {
    assert_eq!(job.text("build-log.txt"), "output\n");
    for number in 0..FILES {
        assert_eq!(job.text(&format!("artifacts/{number}.txt")), format!("artifact {number}\n"));
    }
    assert_eq!(fs::read(job.objects_dir().join("artifacts/large.bin")).expect("stored"), vec![9; 14 << 20]);
    let objects = job.manifest()["objects"].as_array().expect("a list").clone();
    let missing: Vec<_> = objects.iter().filter(|object| object["state"] != "stored").collect();
    assert!(missing.is_empty(), "{missing:?}");
    job.expect_result("SUCCESS");
    let last = job.s3.as_ref().expect("a store").last_written();
    assert_eq!(last.as_deref(), Some(&*format!("{JOB_PATH}/finished.json")));
}

#[track_caller]
fn expect_it_was_told(ended: &Ended) {
    for text in ["takes nothing at the moment", "takes objects again"] {
        assert!(ended.stderr.contains(text), "no {text:?} in {}", ended.stderr);
    }
}

#[test]
fn outage_loses_nothing() {
    for fault in [Fault::Status(503), Fault::Status(502), Fault::Reset] {
        let job = Job::s3();
        let entry = ended_job(&job);
        let refused = job.s3.as_ref().expect("a store").out_for(outage(), fault);
        let ended = job.sidecar(&[&entry], fail_on_error()).wait_for(LONG);
        ended.expect_code(0);
        expect_everything(&job);
        expect_it_was_told(&ended);
        let refused = refused.load(Ordering::Relaxed);
        let probes = 8 + usize::try_from(outage().as_secs()).expect("a number") / 4;
        assert!(refused <= 32 + 4 + probes, "{fault:?}: {refused} requests while the store was out");
    }
}

#[test]
fn outage_in_the_middle_loses_nothing() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let began = Arc::new(OnceLock::<Instant>::new());
    let at = Arc::clone(&began);
    job.s3.as_ref().expect("a store").script(move |seen| {
        if seen.key.ends_with("/30.txt") {
            at.get_or_init(Instant::now);
        }
        match at.get() {
            Some(began) if began.elapsed() < outage() => Fault::Status(503),
            Some(_) | None => Fault::None,
        }
    });
    let ended = job.sidecar(&[&entry], fail_on_error()).wait_for(LONG);
    ended.expect_code(0);
    expect_everything(&job);
    expect_it_was_told(&ended);
}

#[test]
fn object_that_the_store_refuses_by_itself_holds_up_no_other() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let first = OnceLock::new();
    // The smallest object, which would ask first, is refused even when the store is back.
    job.s3.as_ref().expect("a store").script(move |seen| {
        let is_out = first.get_or_init(Instant::now).elapsed() < outage();
        if is_out || seen.key.ends_with("latest-build.txt") { Fault::Status(503) } else { Fault::None }
    });
    let options = json!({"delivery": {"fail_on_error": true, "retry_for": "15s"}});
    let ended = job.sidecar(&[&entry], options).wait_for(LONG);
    ended.expect_code(1);
    expect_it_was_told(&ended);
    assert_eq!(job.text("build-log.txt"), "output\n");
    let objects = job.manifest()["objects"].as_array().expect("a list").clone();
    let missing = objects.iter().filter(|object| object["state"] != "stored");
    let missing: Vec<_> = missing.filter_map(|object| object["key"].as_str()).collect();
    assert!(matches!(missing[..], [key] if key.ends_with("latest-build.txt")), "{missing:?}");
    job.expect_result("SUCCESS");
}

#[test]
fn port_that_is_closed_at_first_is_waited_for() {
    let mut job = Job::local();
    let entry = ended_job(&job);
    let port = Port::take();
    let address = format!("127.0.0.1:{}", port.number());
    let other = S3::start();
    let mut gcs_options = other.options(&job.pod.path(""), &[job.pod.artifacts()]);
    gcs_options["local_output_dir"] = json!("");
    let credentials = json!({
        "region": "us-east-1", "endpoint": format!("http://{address}"), "insecure": true,
        "s3_force_path_style": true, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
    });
    fs::write(job.pod.path("s3-credentials.json"), credentials.to_string()).expect("written");
    let options = json!({"gcs_options": gcs_options, "delivery": {"fail_on_error": true}});
    let mut sidecar = job.pod.sidecar(&[&entry], options);
    sidecar.until_stderr("takes nothing at the moment");
    let listener = TcpListener::bind(&address).expect("the same port");
    job.s3 = Some(S3::start_on(listener, &std::env::temp_dir()));
    let ended = sidecar.wait_for(LONG);
    ended.expect_code(0);
    expect_everything(&job);
    expect_it_was_told(&ended);
}

#[test]
fn service_of_keys_that_is_away_is_waited_for() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let first = OnceLock::new();
    let keys = Web::start(move |_| {
        if first.get_or_init(Instant::now).elapsed() < Duration::from_secs(3) {
            return Answer(503, Vec::new(), String::new());
        }
        let answer = json!({
            "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "session",
            "Expiration": "2099-01-01T00:00:00Z",
        });
        Answer::ok(answer.to_string())
    });
    let token = job.pod.path("token");
    fs::write(&token, "the-token").expect("written");
    let mut more = fail_on_error();
    more["gcs_options"] = json!({"s3_credentials_file": ""});
    let mut command = job.sidecar_command(&[&entry], more);
    for (name, value) in job.s3.as_ref().expect("a store").environment() {
        if !name.contains("KEY") {
            command.env(name, value);
        }
    }
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", keys.url());
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token);
    command.env_remove("AWS_ACCESS_KEY_ID").env("HOME", job.pod.path(""));
    let ended = process::start(job.pod.tree(), &mut command).wait_for(LONG);
    ended.expect_code(0);
    expect_everything(&job);
}

#[test]
fn store_that_stays_away_is_given_up_and_a_result_is_tried_last() {
    let job = Job::s3();
    let entry = ended_job(&job);
    job.s3
        .as_ref()
        .expect("a store")
        .script(|seen| if seen.key.ends_with("finished.json") { Fault::None } else { Fault::Status(503) });
    let more = json!({"delivery": {"fail_on_error": true, "retry_for": "3s"}});
    let ended = job.sidecar(&[&entry], more).wait_for(LONG);
    ended.expect_code(1);
    assert!(ended.took >= Duration::from_secs(3), "{:?}", ended.took);
    assert!(ended.stderr.contains("The destination has taken nothing for 3s"), "{}", ended.stderr);
    assert!(ended.stderr.contains("given up: nothing could be stored for 3"), "{}", ended.stderr);
    assert_eq!(job.names(), ["finished.json"]);
    job.expect_result("SUCCESS");
}

/// The rest arrives at once, the result when nothing can be tried any more.
#[test]
fn one_object_that_never_arrives_holds_up_the_result_only() {
    let job = Job::s3();
    let entry = ended_job(&job);
    job.s3
        .as_ref()
        .expect("a store")
        .script(|seen| if seen.key.ends_with("/7.txt") { Fault::Status(500) } else { Fault::None });
    let more = json!({"delivery": {"fail_on_error": true, "retry_for": "5s"}});
    let ended = job.sidecar(&[&entry], more).wait_for(LONG);
    ended.expect_code(1);
    assert!(ended.took >= Duration::from_secs(5), "{:?}", ended.took);
    assert_eq!(job.listed("artifacts/7.txt")["state"], "failed");
    let stored = job.manifest()["objects"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|o| o["state"] == "stored")
        .count();
    assert!(stored > FILES, "{stored}");
    job.expect_result("SUCCESS");
    let last = job.s3.as_ref().expect("a store").last_written();
    assert_eq!(last.as_deref(), Some(&*format!("{JOB_PATH}/finished.json")));
}

#[test]
fn within_a_given_time_it_is_tried_to_the_end() {
    let job = Job::s3();
    let entry = ended_job(&job);
    let _ = job.s3.as_ref().expect("a store").out_for(Duration::from_secs(8), Fault::Status(503));
    let delivery = json!({"fail_on_error": true, "retry_for": "5s", "grace_period": "60s"});
    let mut sidecar = job.sidecar(&[&entry], json!({"delivery": delivery}));
    sidecar.until_stderr("takes nothing at the moment");
    sidecar.signal(Signal::TERM);
    let ended = sidecar.wait_for(LONG);
    ended.expect_code(0);
    expect_everything(&job);
}

#[test]
fn very_short_time_still_tries_more_than_once() {
    let job = Job::s3();
    let entry = ended_job(&job);
    job.s3.as_ref().expect("a store").script(|_| Fault::Status(503));
    let mut sidecar = job.sidecar(&[&entry], json!({"delivery": {"grace_period": "260ms"}}));
    sidecar.until_stderr("takes nothing at the moment");
    let before = job.s3.as_ref().expect("a store").seen().len();
    sidecar.signal(Signal::TERM);
    sidecar.wait_for(LONG).expect_code(0);
    let seen = job.s3.as_ref().expect("a store").seen().len();
    assert!(seen > before, "{seen} requests, {before} of them before TERM");
}
