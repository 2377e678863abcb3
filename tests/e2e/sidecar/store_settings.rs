//! Pins: U-91, U-93; sidecar/README.md, "Credentials that are refused".
//!
//! Every variable and every key of a file that becomes part of a request: with white space
//! around it the file arrives, and what no request can hold is refused at the start, by the
//! name of its source and without its value.

use crate::sidecar::credentials::{keys, upload, upload_with};
use crate::sidecar::initupload::{complaint, with_json};
use crate::sidecar::option_errors::{SPEC, expect_nothing_lost, pod_with_results};
use crate::sidecar::role_credentials::assumed;
use harness::pod::Pod;
use harness::process::{self, Ended, Exit};
use harness::s3::{ACCESS_KEY, SECRET_KEY};
use harness::web::{Answer, Asked, Web};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

/// Variables, each as it is right.
type Environment = Vec<(&'static str, String)>;

/// A store of each kind with all the services that hand out credentials.
fn cloud(asked: &Asked) -> Answer {
    let path = asked.path.as_str();
    if asked.body.contains("Action=AssumeRole") {
        assert!(!asked.body.contains("%0A"), "{asked:?}");
        return assumed(ACCESS_KEY, SECRET_KEY);
    }
    if path.contains("/oauth2/") || path.contains("/computeMetadata/") || path.contains("/sts") {
        assert!(!asked.body.contains("%0A"), "{asked:?}");
        return Answer::ok(r#"{"access_token":"token","expires_in":3600,"token_type":"Bearer"}"#);
    }
    if path.contains("/impersonate") {
        return Answer::ok(r#"{"accessToken":"token","expireTime":"2099-01-01T00:00:00Z"}"#);
    }
    if path.contains("/msi") {
        assert_eq!(asked.header("x-identity-header"), "the-secret");
        return Answer::ok(r#"{"access_token":"token","expires_on":"4070908800"}"#);
    }
    if path.contains("/subject") {
        assert_eq!(asked.header("x-token"), "the-token");
        return Answer::ok("subject");
    }
    if path.contains("/keys") {
        assert_eq!(asked.header("authorization"), "the-token");
        return Answer::ok(keys("2099-01-01T00:00:00Z"));
    }
    if path.contains("/latest/") {
        return Answer::ok(match (asked.method.as_str(), path.ends_with('/')) {
            ("PUT", _) => "metadata-token".to_owned(),
            (_, true) => "role".to_owned(),
            (_, false) => keys("2099-01-01T00:00:00Z"),
        });
    }
    match asked.method.as_str() {
        "GET" | "HEAD" => Answer(404, Vec::new(), String::new()),
        "POST" => Answer::ok(r#"{"name":"name","etag":"tag","generation":"17"}"#),
        _ => Answer::stored(),
    }
}

fn variables(pairs: &[(&'static str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Settings with which a file arrives, by the bucket that it goes to.
fn environments(pod: &Pod, web: &Web) -> Vec<(&'static str, Environment)> {
    let url = web.url();
    let token = pod.path("token").display().to_string();
    fs::write(&token, "the-token\n").expect("written");
    let profile = pod.path("config").display().to_string();
    let config = "[profile ci]\nrole_arn = arn\nsource_profile = user\n";
    fs::write(&profile, config).expect("written");
    let users = pod.path("users").display().to_string();
    fs::write(&users, "[user]\naws_access_key_id = id\naws_secret_access_key = key\n").expect("written");
    let account = account(web).to_string();
    let file = pod.path("google.json").display().to_string();
    fs::write(&file, account).expect("written");
    let connection = format!("AccountName=ci;AccountKey=a2V5;BlobEndpoint={url}");
    let keys = format!("{url}/keys");
    let s3 = [("AWS_ENDPOINT_URL", url.as_str()), ("AWS_REGION", "us-east-1")];
    let azure = [("AZURE_STORAGE_ACCOUNT", "ci"), ("AZURE_STORAGE_ENDPOINT", url.as_str())];
    let application =
        [("AZURE_CLIENT_ID", "id"), ("AZURE_TENANT_ID", "tenant"), ("AZURE_AUTHORITY_HOST", url.as_str())];
    let google = [("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", url.as_str())];
    let (host, msi) = (web.address(), format!("{url}/msi"));
    let with = |bucket, some: &[(&'static str, &str)], more: &[(&'static str, &str)]| {
        (bucket, variables(&[some, more].concat()))
    };
    vec![
        with(
            "s3://bucket",
            &s3,
            &[
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                ("AWS_SESSION_TOKEN", "session"),
                ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"),
            ],
        ),
        with(
            "s3://bucket",
            &[("AWS_ENDPOINT_URL_S3", &url), ("AWS_DEFAULT_REGION", "us-east-1")],
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &keys),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the-token"),
            ],
        ),
        with(
            "s3://bucket",
            &s3,
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &keys),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token),
            ],
        ),
        with(
            "s3://bucket",
            &s3,
            &[
                ("AWS_PROFILE", "ci"),
                ("AWS_CONFIG_FILE", &profile),
                ("AWS_SHARED_CREDENTIALS_FILE", &users),
                ("AWS_ENDPOINT_URL_STS", &url),
            ],
        ),
        with("s3://bucket", &s3, &[("AWS_METADATA_ENDPOINT", &url)]),
        with(
            "s3://bucket",
            &[("AWS_ENDPOINT", "http://store.invalid"), ("AWS_REGION", "us-east-1"), ("HTTP_PROXY", &url)],
            &[("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY), ("NO_PROXY", "x")],
        ),
        with("az://container", &azure, &[("AZURE_STORAGE_KEY", "a2V5")]),
        with("az://container", &azure, &[("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=x")]),
        with("az://container", &[("AZURE_STORAGE_CONNECTION_STRING", &connection)], &[]),
        with(
            "az://container",
            &[&azure[..], &application].concat(),
            &[("AZURE_FEDERATED_TOKEN_FILE", &token)],
        ),
        with("az://container", &[&azure[..], &application].concat(), &[("AZURE_CLIENT_SECRET", "hidden")]),
        with("az://container", &azure, &[("IDENTITY_ENDPOINT", &msi), ("IDENTITY_HEADER", "the-secret")]),
        with("gs://bucket", &[("STORAGE_EMULATOR_HOST", &host)], &[]),
        with("gs://bucket", &google, &[("GCE_METADATA_HOST", &host), ("GCE_METADATA_IP", &host)]),
        with("gs://bucket", &google, &[("GCE_METADATA_ROOT", "127.0.0.1:1"), ("GCE_METADATA_IP", &host)]),
        with("gs://bucket", &[("GOOGLE_APPLICATION_CREDENTIALS", &file)], &[]),
    ]
}

/// A credentials file of Google whose token is asked for at an address.
fn account(web: &Web) -> Value {
    let url = web.url();
    json!({
        "type": "external_account", "audience": "//iam.googleapis.com/x", "gcs_base_url": url,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": format!("{url}/sts"),
        "service_account_impersonation_url": format!("{url}/impersonate"),
        "credential_source": {"url": format!("{url}/subject?x=y"), "headers": {"x-token": "the-token"}},
    })
}

#[track_caller]
fn expect_delivered(what: &str, ended: &Ended, web: &Web, before: usize) {
    assert_eq!(ended.exit, Exit::Code(0), "{what}: {ended:#?}");
    let written = |asked: &&Asked| asked.method != "GET" && asked.path.contains("file");
    assert!(web.asked()[before..].iter().any(|asked| written(&asked)), "{what}: {:?}", web.asked());
}

/// Nothing was sent, and the one line names the source.
#[track_caller]
fn expect_refused(source: &str, ended: &Ended, web: &Web, before: usize) {
    assert_eq!(ended.exit, Exit::Code(1), "{source}: {ended:#?}");
    assert_eq!(web.asked().len(), before, "{source}: {ended:#?}");
    let fatal: Vec<_> = ended.stderr.lines().filter(|line| line.contains(r#""level":"fatal""#)).collect();
    assert_eq!(fatal.len(), 1, "{source}: {ended:#?}");
    let is_of_start = !fatal[0].contains("Failed to upload");
    assert!(is_of_start && fatal[0].contains(source), "{source}: {ended:#?}");
    assert!(!ended.stderr.contains("hunter"), "{source}: {ended:#?}");
}

#[test]
fn white_space_around_variables_is_dropped() {
    let (pod, web) = (Pod::new(), Web::start(cloud));
    for (bucket, mut environment) in environments(&pod, &web) {
        let names: Vec<_> = environment.iter().map(|(name, _)| *name).collect();
        for (_, value) in &mut environment {
            *value = format!(" {value} \n");
        }
        let before = web.asked().len();
        let ended = upload(&pod, bucket, &environment);
        expect_delivered(&names.join(", "), &ended, &web, before);
    }
}

#[test]
fn variables_that_no_request_can_hold_are_refused_at_the_start() {
    let (pod, web) = (Pod::new(), Web::start(cloud));
    let mut seen = BTreeSet::new();
    for (bucket, environment) in environments(&pod, &web) {
        let refuse = |index: usize, value: &[u8]| {
            let mut environment: Vec<(&str, OsString)> =
                environment.iter().map(|(name, value)| (*name, value.into())).collect();
            environment[index].1 = OsString::from_vec(value.to_vec());
            let before = web.asked().len();
            let ended = upload_with(&pod, bucket, &environment, &[]);
            expect_refused(environment[index].0, &ended, &web, before);
        };
        for (index, (name, _)) in environment.iter().enumerate().filter(|(_, (name, _))| seen.insert(*name)) {
            refuse(index, b"hunter\x012");
            if name.contains("KEY") || name.contains("HOST") {
                // Not UTF-8.
                refuse(index, b"hunter\xff2");
            }
        }
    }
}

/// Every program that sends looks at the settings before it does anything.
#[test]
fn sidecar_and_initupload_refuse_settings_at_the_start() {
    let (pod, entry) = pod_with_results();
    for (bucket, variable) in [
        ("s3://b", "AWS_SECRET_ACCESS_KEY"),
        ("az://b", "AZURE_STORAGE_KEY"),
        ("gs://b", "STORAGE_EMULATOR_HOST"),
    ] {
        let upload = json!({"bucket": bucket, "path_strategy": "explicit", "dry_run": false});
        let mut options = pod.sidecar_options(&[&entry], json!({}));
        options["gcs_options"] = upload.clone();
        for (program, options) in [("sidecar", options), ("initupload", upload)] {
            let mut command = with_json(&pod, program, &options);
            command.env("AZURE_STORAGE_ACCOUNT", "ci").env("AWS_ACCESS_KEY_ID", "id");
            command.env(variable, "hunter\u{1}2").env("JOB_SPEC", SPEC);
            let ended = process::run(pod.tree(), &mut command);
            ended.expect_code(1);
            let said = complaint(&ended);
            assert!(said.contains(variable), "{program}: {ended:#?}");
            assert!(!ended.stderr.contains("hunter"), "{program}: {ended:#?}");
        }
    }
    expect_nothing_lost(&pod, &entry);
}

#[test]
fn tokens_of_files_that_no_request_can_hold_are_refused_at_the_start() {
    let (pod, web) = (Pod::new(), Web::start(cloud));
    for variable in ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE"] {
        let environments = environments(&pod, &web);
        let is_read = |environment: &Environment| environment.iter().any(|(name, _)| *name == variable);
        let (bucket, environment) =
            environments.iter().find(|(_, environment)| is_read(environment)).expect("there");
        fs::write(pod.path("token"), "hunter\n2").expect("written");
        expect_refused(variable, &upload(&pod, bucket, environment), &web, 0);
    }
}

/// What passes as text and makes no address, or another one than it should.
#[test]
fn addresses_that_no_request_can_have_are_refused_at_the_start() {
    let (pod, web) = (Pod::new(), Web::start(cloud));
    let s3 = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    let azure = [("AZURE_STORAGE_ACCOUNT", "ci"), ("AZURE_CLIENT_ID", "id"), ("AZURE_CLIENT_SECRET", "key")];
    let query = format!("{}?x=hunter", web.url());
    let query = query.as_str();
    let wrong = [
        "http://127.0.0.1:99999/hunter",
        "http://[::1",
        "http://127.0.0.1/hun ter",
        "http://<hunter>",
        query,
    ];
    let mut cases = wrong.map(|value| ("s3://bucket", "AWS_ENDPOINT_URL", value)).to_vec();
    for (bucket, variable) in [
        ("s3://bucket", "AWS_ENDPOINT_URL_S3"),
        ("az://container", "AZURE_STORAGE_ENDPOINT"),
        ("az://container", "AZURE_AUTHORITY_HOST"),
        ("gs://bucket", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"),
        ("gs://bucket", "STORAGE_EMULATOR_HOST"),
    ] {
        cases.extend([(bucket, variable, wrong[0]), (bucket, variable, query)]);
    }
    cases.extend([
        ("s3://bucket", "AWS_REGION", "us hunter"),
        ("s3://bucket", "AWS_DEFAULT_REGION", "us/hunter"),
        ("az://container", "AZURE_TENANT_ID", "a hunter"),
        ("az://container", "AZURE_STORAGE_ACCOUNT", "c hunter"),
        ("az://container", "AZURE_STORAGE_KEY", "hunter=2"),
        ("az://container", "AZURE_STORAGE_SAS_TOKEN", "hunter"),
        ("az://container", "AZURE_STORAGE_CONNECTION_STRING", "AccountName=ci;BlobEndpoint=http://hun ter"),
        ("gs://bucket", "GCE_METADATA_HOST", "hun ter"),
        ("gs://bucket", "GCE_METADATA_IP", "hunter/?x"),
        ("gs://bucket", "HTTPS_PROXY", "http://hunter:99999"),
        ("s3://bucket", "SSL_CERT_FILE", "/hunter.pem\n"),
    ]);
    for (bucket, variable, value) in cases {
        let right = if bucket.starts_with("s3") { &s3[..] } else { &azure };
        let mut environment = variables(right);
        environment.retain(|(name, _)| *name != variable);
        environment.push((variable, value.to_owned()));
        expect_refused(variable, &upload(&pod, bucket, &environment), &web, 0);
    }
}

/// A member of a JSON document, by the path to it.
fn member<'a>(document: &'a mut Value, path: &str) -> &'a mut Value {
    document.pointer_mut(&format!("/{}", path.replace('.', "/"))).expect("there")
}

#[track_caller]
fn expect_checked(bucket: &str, option: &str, right: &Value, keys: &[&str], pod: &Pod, web: &Web) {
    let path = pod.path("credentials.json");
    let flags = [format!("--{option}={}", path.display())];
    let deliver = |document: &Value| {
        fs::write(&path, document.to_string()).expect("written");
        upload_with::<OsString>(pod, bucket, &[], &flags)
    };
    let mut padded = right.clone();
    for key in keys {
        let value = member(&mut padded, key);
        *value = json!(format!(" {} \n", value.as_str().expect("text")));
    }
    let before = web.asked().len();
    expect_delivered(option, &deliver(&padded), web, before);
    let before = web.asked().len();
    for key in keys {
        let mut wrong = right.clone();
        *member(&mut wrong, key) = json!("hunter\u{1}2");
        expect_refused(key, &deliver(&wrong), web, before);
    }
}

#[test]
fn keys_of_credentials_files_are_checked_as_variables_are() {
    let (pod, web) = (Pod::new(), Web::start(cloud));
    let right = json!({
        "region": "us-east-1", "endpoint": web.url(), "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
        "session_token": "session",
    });
    let keys = ["region", "endpoint", "access_key", "secret_key", "session_token"];
    expect_checked("s3://bucket", "s3-credentials-file", &right, &keys, &pod, &web);
    let right = account(&web);
    let shared =
        ["gcs_base_url", "audience", "subject_token_type", "token_url", "service_account_impersonation_url"];
    let of_url = ["credential_source.url", "credential_source.headers.x-token"];
    expect_checked(
        "gs://bucket",
        "gcs-credentials-file",
        &right,
        &[&shared[..], &of_url].concat(),
        &pod,
        &web,
    );
    let mut right = right;
    fs::write(pod.path("token"), "the-token\n").expect("written");
    right["credential_source"] = json!({"file": pod.path("token")});
    expect_checked("gs://bucket", "gcs-credentials-file", &right, &["credential_source.file"], &pod, &web);
    for (key, value) in [
        ("token_url", "http://hun ter/sts"),
        ("gcs_base_url", "http://h?x=hunter"),
        ("credential_source.headers", "x"),
    ] {
        let mut wrong = account(&web);
        *member(&mut wrong, key) = if value == "x" { json!({"x token": "x"}) } else { json!(value) };
        fs::write(pod.path("wrong.json"), wrong.to_string()).expect("written");
        let before = web.asked().len();
        let flags = [format!("--gcs-credentials-file={}", pod.path("wrong.json").display())];
        expect_refused(key, &upload_with::<OsString>(&pod, "gs://bucket", &[], &flags), &web, before);
    }
}

#[test]
fn keys_of_profiles_are_checked_as_variables_are() {
    let (pod, web) = (Pod::new(), Web::start(cloud));
    let right = [
        ("region", "us-east-1".to_owned()),
        ("endpoint_url", web.url()),
        ("aws_access_key_id", ACCESS_KEY.to_owned()),
        ("aws_secret_access_key", SECRET_KEY.to_owned()),
        ("aws_session_token", "session".to_owned()),
        ("request_checksum_calculation", "when_required".to_owned()),
    ];
    fs::create_dir_all(pod.path("home/.aws")).expect("made");
    let deliver = |wrong: Option<&str>| {
        let lines = right.iter().map(|(key, value)| match wrong {
            Some(name) if name == *key => format!("{key} = hunter\u{1}2\n"),
            Some(_) | None => format!("{key} = {value} \r\n"),
        });
        let text = format!("[default]\n{}", lines.collect::<String>());
        fs::write(pod.path("home/.aws/config"), text).expect("written");
        upload(&pod, "s3://bucket", &[])
    };
    expect_delivered("profile", &deliver(None), &web, 0);
    let before = web.asked().len();
    for (key, _) in &right {
        expect_refused(key, &deliver(Some(key)), &web, before);
    }
}
