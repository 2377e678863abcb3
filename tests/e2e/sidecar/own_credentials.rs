//! Pins: I6; sidecar/README.md, "Destinations".
//!
//! Sidecar's own credentials: they go to the store that they are for, and nowhere else.

use harness::job::Job;
use harness::pod::Entry;
use harness::process::{self, Ended};
use harness::web::{Answer, Asked, Web};
use serde_json::json;
use std::fs;
use std::process::Command;
use std::time::Duration;

const ID: &str = "AKIAPODUTILSOWN";
const SECRET: &str = "the+secret/key+of/this+test+0123456789";
const SESSION: &str = "the//session++token==of this test";

fn ended_job() -> (Job, Entry) {
    let job = Job::local();
    let entry = job.pod.entry("test");
    job.pod.entrypoint(&entry, &["echo", "output"], json!({})).wait().expect_code(0);
    fs::write(job.pod.artifacts().join("refused.txt"), "artifact\n").expect("written");
    (job, entry)
}

/// A sidecar that delivers to a bucket with these variables.
fn deliver(job: &Job, entry: &Entry, bucket: &str, environment: &[(&str, String)]) -> Ended {
    let message = job.pod.path("termination-log");
    fs::write(&message, "").expect("made");
    let options = json!({
        "gcs_options": {"local_output_dir": "", "bucket": bucket, "path_strategy": "explicit"},
        "delivery": {"fail_on_error": true, "termination_message_path": message},
    });
    let mut command: Command = job.sidecar_command(&[entry], options);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.env("JOB_SPEC", r#"{"type":"periodic","job":"job","buildid":"1"}"#);
    process::start(job.pod.tree(), &mut command).wait_for(Duration::from_mins(5))
}

/// Answer of a store that repeats all of a request, in the forms that servers use.
fn repeating(asked: &Asked) -> Answer {
    let session = asked.header("x-amz-security-token");
    let escaped = SECRET.replace('+', "%2B").replace('/', "%2F");
    let said = format!(
        "you sent {} with {session} as {ID}, signed with {SECRET} ({escaped}), to {}",
        asked.header("authorization"),
        asked.path
    );
    Answer(403, Vec::new(), format!("<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>"))
}

/// Checks everything that sidecar wrote anywhere.
#[track_caller]
fn expect_none(job: &Job, ended: &Ended, web: &Web, credentials: &[&str]) {
    let message = fs::read_to_string(job.pod.path("termination-log")).expect("there");
    // A token service is told them, of course.
    let stored = web.asked().into_iter().filter(|asked| !asked.path.contains("/oauth2/"));
    let bodies: Vec<String> = stored.map(|asked| asked.body).collect();
    let manifest = bodies.iter().find(|body| body.contains(r#""objects":"#)).expect("a manifest");
    assert!(manifest.contains("AccessDenied") && message.contains("AccessDenied"), "{message} {manifest}");
    assert!(ended.stderr.contains("AccessDenied"), "{ended:#?}");
    for credential in credentials {
        assert!(!ended.stderr.contains(credential), "{credential}: {}", ended.stderr);
        assert!(!message.contains(credential), "{credential}: {message}");
        for body in &bodies {
            assert!(!body.contains(credential), "{credential}: {body}");
        }
    }
}

#[test]
fn credentials_that_a_store_repeats_are_masked() {
    let (job, entry) = ended_job();
    let web = Web::start(|asked| match asked.path.as_str() {
        path if path.contains("refused") => repeating(asked),
        _ if asked.method == "GET" => Answer(404, Vec::new(), String::new()),
        _ => Answer::stored(),
    });
    let environment = [
        ("AWS_ENDPOINT_URL", web.url()),
        ("AWS_ACCESS_KEY_ID", ID.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ("AWS_SESSION_TOKEN", SESSION.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ];
    let ended = deliver(&job, &entry, "s3://bucket", &environment);
    ended.expect_code(1);
    let refused = web.asked().into_iter().find(|asked| asked.path.contains("refused")).expect("asked");
    let signature = refused.header("authorization").rsplit('=').next().expect("a signature").to_owned();
    assert_eq!(signature.len(), 64, "{refused:?}");
    assert_eq!(refused.header("x-amz-security-token"), SESSION);
    let escaped = SECRET.replace('+', "%2B").replace('/', "%2F");
    expect_none(&job, &ended, &web, &[SECRET, SESSION, &signature, &escaped]);
}

#[test]
fn bearer_token_and_shared_signature_that_a_store_repeats_are_masked() {
    let (job, entry) = ended_job();
    let web = Web::start(|asked| {
        if asked.path.contains("/oauth2/") {
            return Answer::ok(r#"{"access_token":"the-bearer-token","expires_in":3600}"#);
        }
        match asked.path.as_str() {
            path if path.contains("refused") => repeating(asked),
            _ if asked.method == "GET" => Answer(404, Vec::new(), String::new()),
            _ => Answer::stored(),
        }
    });
    fs::write(job.pod.path("token"), "the-federated-token").expect("written");
    let place = [("AZURE_STORAGE_ACCOUNT", "ci".to_owned()), ("AZURE_STORAGE_ENDPOINT", web.url())];
    let workload = [
        ("AZURE_CLIENT_ID", "client".to_owned()),
        ("AZURE_TENANT_ID", "tenant".to_owned()),
        ("AZURE_AUTHORITY_HOST", web.url()),
        ("AZURE_FEDERATED_TOKEN_FILE", job.pod.path("token").display().to_string()),
    ];
    let ended = deliver(&job, &entry, "az://container", &[&place[..], &workload[..]].concat());
    ended.expect_code(1);
    expect_none(&job, &ended, &web, &["the-bearer-token", "the-federated-token"]);
    let signature = "c2lnbmF0dXJlb2Z0aGlzdGVzdA";
    let shared = [("AZURE_STORAGE_SAS_TOKEN", format!("sv=2024-11-04&sr=c&sig={signature}%3D"))];
    let ended = deliver(&job, &entry, "az://container", &[&place[..], &shared[..]].concat());
    ended.expect_code(1);
    assert!(web.asked().iter().any(|asked| asked.path.contains(signature)), "it was used");
    let written: Vec<Asked> =
        web.asked().into_iter().filter(|asked| asked.path.contains(signature)).collect();
    assert!(written.iter().all(|asked| !asked.body.contains(signature)), "{written:?}");
    assert!(!ended.stderr.contains(signature), "{ended:#?}");
}

/// A store that sends each request elsewhere, where its token or signature would go along.
#[test]
fn redirects_are_not_followed() {
    let s3 = |web: &Web| {
        vec![
            ("AWS_ENDPOINT_URL", web.url()),
            ("AWS_ACCESS_KEY_ID", ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    };
    for status in [301, 302, 303, 307, 308] {
        expect_no_redirect(status, "s3://bucket", s3);
    }
    let azure = |web: &Web| {
        vec![
            ("AZURE_STORAGE_ACCOUNT", "ci".to_owned()),
            ("AZURE_STORAGE_ENDPOINT", web.url()),
            ("AZURE_STORAGE_SAS_TOKEN", "sv=2024-11-04&sr=c&sig=c2lnbmF0dXJl".to_owned()),
        ]
    };
    let google = |web: &Web| {
        vec![("GCE_METADATA_HOST", web.address()), ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", web.url())]
    };
    for status in [302, 307] {
        expect_no_redirect(status, "az://container", azure);
        expect_no_redirect(status, "gs://bucket", google);
    }
}

#[track_caller]
fn expect_no_redirect(status: u16, bucket: &str, environment: fn(&Web) -> Vec<(&'static str, String)>) {
    let (job, entry) = ended_job();
    let elsewhere = Web::start(|_| Answer::stored());
    let location = format!("{}/taken", elsewhere.url());
    let web = Web::start(move |asked| {
        if asked.path.contains("/computeMetadata/") {
            return Answer::ok(r#"{"access_token":"the-bearer-token","expires_in":3600}"#);
        }
        if asked.path.contains("refused") || asked.method == "GET" {
            return Answer(status, vec![("location", location.clone())], String::new());
        }
        Answer::stored()
    });
    deliver(&job, &entry, bucket, &environment(&web)).expect_code(1);
    assert_eq!(elsewhere.asked().len(), 0, "{bucket} {status}: {:?}", elsewhere.asked());
    let asked = web.asked();
    let has = |method: &str, part: &str| {
        asked.iter().any(|asked| asked.method == method && asked.path.contains(part))
    };
    assert!(has("GET", "latest"), "{bucket} {status}: {asked:?}");
    assert!(has("PUT", "finished"), "{bucket} {status}: the others arrive: {asked:?}");
}
