//! Pins: sidecar/README.md, "Retries".
//!
//! Stores that do not do what they should: what could be delivered is, the log
//! and the manifest tell the truth, and nothing hangs.

use common::signal::Signal;
use harness::job::{JOB_PATH, Job};
use harness::pod::{Entry, Pod};
use harness::process::{self, Ended, Exit};
use harness::s3::{ACCESS_KEY, Fault, RENEWED_KEY, S3, SECRET_KEY, Seen};
use harness::web::{Answer, Web};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Retries and the pauses between them, on a busy machine.
const LONG: Duration = Duration::from_mins(5);

/// A job that has ended with three artifacts: small, large, and in between.
fn ended_job() -> (Job, Entry) {
    let job = Job::s3();
    let entry = finish(&job.pod);
    (job, entry)
}

fn finish(pod: &Pod) -> Entry {
    let entry = pod.entry("test");
    pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    fs::write(pod.artifacts().join("small.txt"), "artifact\n").expect("written");
    fs::write(pod.artifacts().join("medium.bin"), vec![7; 40_000]).expect("written");
    fs::write(pod.artifacts().join("large.bin"), vec![9; 14 << 20]).expect("written");
    entry
}

fn deliver(job: &Job, entry: &Entry, more: Value) -> Ended {
    job.sidecar(&[entry], more).wait_for(LONG)
}

fn fail_on_error() -> Value {
    json!({"delivery": {"fail_on_error": true}})
}

/// Returns the manifest's line about an object.
#[track_caller]
fn listed(manifest: &Value, name: &str) -> Value {
    let key = format!("{JOB_PATH}/{name}");
    let objects = manifest["objects"].as_array().expect("a list");
    let found = objects.iter().find(|object| object["key"] == key);
    found.unwrap_or_else(|| panic!("{key} is not listed: {manifest}")).clone()
}

/// Everything is there, and the manifest says so with the right sums.
#[track_caller]
fn expect_everything(job: &Job) {
    let manifest = manifest(job);
    for name in ["build-log.txt", "artifacts/small.txt", "artifacts/medium.bin", "artifacts/large.bin"] {
        let object = listed(&manifest, name);
        assert_eq!(object["state"], "stored", "{object}");
        let stored = fs::read(job.objects_dir().join(name)).expect("stored");
        assert_eq!(object["stored_bytes"], stored.len(), "{object}");
        assert_eq!(object["stored_crc32c"], common::report::crc32c_text(crc32c::crc32c(&stored)), "{name}");
    }
    job.expect_result("SUCCESS");
}

fn manifest(job: &Job) -> Value {
    harness::pod::json_of(&job.objects_dir().join("manifest.json"))
}

/// Runs a job against a store with a fault that passes, and expects everything.
fn passes(script: impl Fn(&Seen) -> Fault + Send + Sync + 'static) -> (Job, Ended) {
    let (job, entry) = ended_job();
    job.s3.as_ref().expect("a store").script(script);
    let ended = deliver(&job, &entry, fail_on_error());
    ended.expect_code(0);
    expect_everything(&job);
    (job, ended)
}

/// How often a request for this part of this object came before, whatever the
/// upload it belongs to is called.
fn come_before() -> impl Fn(&Seen) -> usize + Send + Sync {
    let counts = Mutex::new(HashMap::<String, usize>::new());
    move |seen| {
        let part = seen.query.split('&').find(|pair| pair.starts_with("partNumber="));
        let mut counts = counts.lock().expect("not poisoned");
        let count = counts.entry(format!("{} {} {part:?}", seen.method, seen.key)).or_default();
        *count += 1;
        *count - 1
    }
}

#[test]
fn bursts_of_503_and_429_are_retried() {
    let before = come_before();
    let (_, ended) = passes(move |seen| match before(seen) {
        0 => Fault::Busy(1),
        1 if seen.key.contains("build-log") => Fault::Refuse(429, "TooManyRequests"),
        _ => Fault::None,
    });
    assert!(ended.took >= Duration::from_secs(1), "Retry-After is followed: {:?}", ended.took);
}

/// A clock that was wrong at the start may be right a moment later.
#[test]
fn request_that_is_too_old_for_the_store_is_signed_anew() {
    let before = come_before();
    let (job, _) = passes(move |seen| {
        let is_first = seen.key.ends_with("small.txt") && before(seen) == 0;
        if is_first { Fault::Refuse(403, "RequestTimeTooSkewed") } else { Fault::None }
    });
    let seen = job.s3.as_ref().expect("a store").seen();
    assert_eq!(seen.iter().filter(|seen| seen.key.ends_with("small.txt")).count(), 2);
}

#[test]
fn connection_reset_within_a_body_is_retried() {
    let before = come_before();
    passes(move |seen| {
        let has_body = seen.query.contains("partNumber=") || seen.key.ends_with("medium.bin");
        if has_body && before(seen) == 0 { Fault::ResetInBody } else { Fault::None }
    });
}

/// Each part is sent again within a quarter of the time left, and a little time is enough for
/// several attempts with everything.
#[test]
fn wishes_of_the_store_never_exceed_the_time_left() {
    for (time, parts_only) in [("30s", true), ("1s", false)] {
        let job = Job::s3();
        let entry = job.pod.entry("test");
        let test = job.pod.entrypoint(&entry, &["sh", "-c", "echo ready; exec sleep 100"], json!({}));
        entry.until_log("ready");
        if parts_only {
            fs::write(job.pod.artifacts().join("large.bin"), vec![7; 12 << 20]).expect("written");
        }
        let before = come_before();
        job.s3.as_ref().expect("a store").script(move |seen| {
            let is_busy =
                if parts_only { seen.query.contains("partNumber=1&") && before(seen) == 0 } else { true };
            if is_busy { Fault::Busy(60) } else { Fault::None }
        });
        let sidecar = job.sidecar(&[&entry], json!({"delivery": {"grace_period": time}}));
        sidecar.signal(Signal::TERM);
        test.signal(Signal::TERM);
        let ended = sidecar.wait_for(Duration::from_mins(1));
        if parts_only {
            assert_eq!(job.listed("artifacts/large.bin")["state"], "stored", "{ended:#?}");
            job.expect_result("ABORTED");
        } else {
            let seen = job.s3.as_ref().expect("a store").seen();
            let tried = seen.iter().filter(|seen| seen.key.ends_with("finished.json")).count();
            assert!(tried > 1, "{tried}");
        }
        drop(test.wait());
    }
}

/// One part in three fails at first: only these are sent again.
#[test]
fn failed_parts_are_sent_again_without_the_others() {
    let before = come_before();
    let (job, _) = passes(move |seen| {
        let fails = seen.query.contains("partNumber=2&") && before(seen) < 2;
        if fails { Fault::Status(503) } else { Fault::None }
    });
    let seen = job.s3.as_ref().expect("a store").seen();
    let of = |part: &str| seen.iter().filter(|seen| seen.query.contains(part)).count();
    assert_eq!((of("partNumber=1&"), of("partNumber=2&")), (1, 3));
}

#[test]
fn lost_acknowledgement_is_repeated_safely() {
    let before = come_before();
    passes(
        move |seen| if seen.makes_an_object() && before(seen) == 0 { Fault::LostAnswer } else { Fault::None },
    );
}

#[test]
fn corrupted_content_is_refused_by_checksum_and_sent_again() {
    let before = come_before();
    let (job, _) = passes(move |seen| {
        let content = seen.query.contains("partNumber=") || seen.key.ends_with("medium.bin");
        if content && before(seen) == 0 { Fault::Corrupt } else { Fault::None }
    });
    let seen = job.s3.as_ref().expect("a store").seen();
    assert!(seen.iter().filter(|seen| seen.key.ends_with("medium.bin")).count() >= 2, "sent twice: {seen:?}");
}

#[test]
fn unanswered_request_times_out_and_is_repeated() {
    let (_, ended) =
        passes(
            |seen| {
                if seen.key.ends_with("small.txt") && seen.earlier == 0 { Fault::Hang } else { Fault::None }
            },
        );
    assert!(ended.took >= Duration::from_secs(15), "it hung: {:?}", ended.took);
}

#[test]
fn store_of_1_kb_per_second_gets_what_it_can_take() {
    let (job, entry) = ended_job();
    fs::remove_file(job.pod.artifacts().join("large.bin")).expect("removed");
    // Ten times the pace of the name, so that the test need not wait so long.
    let slow =
        |seen: &Seen| if seen.key.ends_with("medium.bin") { Fault::Slow(1_000) } else { Fault::Slow(10_000) };
    job.s3.as_ref().expect("a store").script(slow);
    let mut sidecar =
        job.sidecar(&[&entry], json!({"delivery": {"fail_on_error": true, "grace_period": "30s"}}));
    sidecar.until_stderr("Queued for upload");
    sidecar.signal(Signal::TERM);
    sidecar.wait_for(LONG).expect_code(1);
    let manifest = manifest(&job);
    assert_eq!(listed(&manifest, "artifacts/small.txt")["state"], "stored");
    let medium = listed(&manifest, "artifacts/medium.bin");
    assert_eq!(medium["state"], "skipped", "{medium}");
    assert!(medium["reason"].as_str().expect("said").contains("no time left"), "{medium}");
    job.expect_result("SUCCESS");
}

#[test]
fn silent_store_never_exceeds_the_grace_period() {
    let (job, entry) = ended_job();
    job.s3.as_ref().expect("a store").script(|_| Fault::Hang);
    let more = json!({"delivery": {"grace_period": "10s", "fail_on_error": true}});
    let mut sidecar = job.sidecar(&[&entry], more);
    sidecar.until_stderr("Queued for upload");
    sidecar.signal(Signal::TERM);
    let ended = sidecar.wait();
    ended.expect_code(1);
    assert!(ended.stderr.contains("The given time is over"), "{ended:#?}");
    assert_eq!(job.names(), Vec::<String>::new());
}

#[test]
fn refused_key_is_named_and_the_rest_arrives() {
    for (more, code) in [(json!({}), 0), (fail_on_error(), 1)] {
        let (job, entry) = ended_job();
        let refuse = |seen: &Seen| {
            if seen.key.ends_with("medium.bin") { Fault::Refuse(403, "AccessDenied") } else { Fault::None }
        };
        job.s3.as_ref().expect("a store").script(refuse);
        let ended = deliver(&job, &entry, more);
        ended.expect_code(code);
        let seen = job.s3.as_ref().expect("a store").seen();
        let tries = seen.iter().filter(|seen| seen.key.ends_with("medium.bin")).count();
        assert_eq!(tries, 1, "trying again cannot help");
        let refused = listed(&manifest(&job), "artifacts/medium.bin");
        assert_eq!(refused["state"], "failed");
        assert!(refused["error"].as_str().expect("said").contains("403 AccessDenied"), "{refused}");
        assert!(ended.stderr.contains("AccessDenied"), "{ended:#?}");
        assert_eq!(listed(&manifest(&job), "artifacts/large.bin")["state"], "stored");
        job.expect_result("SUCCESS");
    }
}

/// A sidecar whose keys come from a service that hands out a new one each time,
/// as a pod with an EKS Pod Identity has it.
#[test]
fn expiring_keys_are_renewed_between_attempts() {
    let (job, entry) = ended_job();
    let s3 = job.s3.as_ref().expect("a store");
    let handed_out = AtomicUsize::new(0);
    let keys = Web::start(move |asked| {
        assert_eq!(asked.header("authorization"), "the-token", "{asked:?}");
        let first = handed_out.fetch_add(1, Ordering::Relaxed) == 0;
        // The library renews what ends within five minutes.
        let answer = json!({
            "AccessKeyId": if first { ACCESS_KEY } else { RENEWED_KEY },
            "SecretAccessKey": SECRET_KEY, "Token": "session",
            "Expiration": if first { "2020-01-01T00:00:00Z" } else { "2099-01-01T00:00:00Z" },
        });
        Answer::ok(answer.to_string())
    });
    s3.script(
        |seen| {
            if seen.access_key == ACCESS_KEY { Fault::Refuse(400, "ExpiredToken") } else { Fault::None }
        },
    );
    let token = job.pod.path("token");
    fs::write(&token, "the-token").expect("written");
    let mut command = job.sidecar_command(&[&entry], fail_on_error());
    let mut options: Value = serde_json::from_str(
        command
            .get_envs()
            .find(|(name, _)| *name == "SIDECAR_OPTIONS")
            .and_then(|(_, value)| value?.to_str())
            .expect("options"),
    )
    .expect("JSON");
    options["gcs_options"]["s3_credentials_file"] = json!("");
    command.env("SIDECAR_OPTIONS", options.to_string());
    for (name, value) in s3.environment() {
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
    assert!(s3.seen().iter().any(|seen| seen.access_key == ACCESS_KEY), "the first key was used");
}

/// A bucket under this endpoint; says how sidecar ended.
fn elsewhere(endpoint: &str) -> (Pod, Ended) {
    let pod = Pod::new();
    let entry = finish(&pod);
    let s3 = S3::start();
    let mut gcs_options = s3.options(&pod.path(""), &[pod.artifacts()]);
    let credentials = pod.path("s3-credentials.json");
    let text =
        json!({"endpoint": endpoint, "s3_force_path_style": true, "access_key": "a", "secret_key": "b"});
    fs::write(&credentials, text.to_string()).expect("written");
    gcs_options["local_output_dir"] = json!("");
    let options = json!({"gcs_options": gcs_options, "delivery": {"fail_on_error": true, "retry_for": "5s"}});
    let ended = pod.sidecar(&[&entry], options).wait_for(LONG);
    (pod, ended)
}

#[test]
fn unresolvable_host_is_named() {
    let (_, ended) = elsewhere("http://no-such-store.invalid:9000");
    ended.expect_code(1);
    assert!(ended.stderr.contains("no-such-store.invalid"), "{ended:#?}");
    assert!(ended.stderr.contains("Failed to report job status"), "{ended:#?}");
    // One patience for all objects, and a second chance for the closing ones.
    assert!(ended.took < Duration::from_mins(2), "{:?}", ended.took);
}

#[test]
fn untrusted_certificate_is_named_at_once() {
    let store = Web::start_tls(|_| Answer::stored());
    let (_, ended) = elsewhere(&store.url());
    ended.expect_code(1);
    assert!(ended.stderr.contains("certificate"), "{ended:#?}");
    assert!(!ended.stderr.contains("Retrying"), "{ended:#?}");
    assert_eq!(store.asked().len(), 0, "nothing was sent");
}

/// `file://` on a volume with room for the small objects only.
#[test]
fn full_local_disk_gets_what_fits() {
    let pod = Pod::new();
    let entry = finish(&pod);
    fs::create_dir_all(pod.out()).expect("made");
    let options = pod.sidecar_options(
        &[&entry],
        json!({
            "gcs_options": {"local_output_dir": "", "bucket": format!("file://{}", pod.out().display()),
                            "path_strategy": "explicit"},
            "delivery": {"fail_on_error": true},
        }),
    );
    let copy = pod.path("copy");
    let script = format!(
        "mount -t tmpfs -o size=1m none '{out}' || exit 99; SIDECAR_OPTIONS=\"$OPTIONS\" \"$0\"; code=$?; \
         cp -a '{out}' '{copy}'; exit $code",
        out = pod.out().display(),
        copy = copy.display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]).arg(harness::bins::program("sidecar"));
    command.env("OPTIONS", options.to_string());
    command.env("JOB_SPEC", r#"{"type":"periodic","job":"job","buildid":"1"}"#);
    let ended = process::start(pod.tree(), &mut command).wait_for(LONG);
    if ended.exit == Exit::Code(99) || !copy.exists() {
        harness::skip!("mounting a tmpfs is not permitted here");
    }
    ended.expect_code(1);
    let of = |name: &str| harness::pod::read(&copy.join(JOB_PATH).join(name));
    assert_eq!(of("build-log.txt"), "output\n");
    assert_eq!(of("artifacts/small.txt"), "artifact\n");
    let manifest: Value = serde_json::from_str(&of("manifest.json")).expect("JSON");
    let large = listed(&manifest, "artifacts/large.bin");
    assert_eq!(large["state"], "failed");
    assert!(large["error"].as_str().expect("said").contains("No space left"), "{large}");
    let finished: Value = serde_json::from_str(&of("finished.json")).expect("JSON");
    assert_eq!(finished["result"], "SUCCESS");
    let leftovers: Vec<_> =
        harness::pod::files_below(&copy).into_iter().filter(|n| n.contains(".tmp")).collect();
    assert_eq!(leftovers, Vec::<String>::new());
}
