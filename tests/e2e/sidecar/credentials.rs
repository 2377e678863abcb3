//! Pins: U-91, U-93; sidecar/README.md, "Destinations".
//!
//! Where credentials come from when no file holds them: services that hand out
//! tokens and keys, played by the test.

use harness::bins;
use harness::pod::Pod;
use harness::process::{self, Ended};
use harness::s3::{ACCESS_KEY, BUCKET, S3, SECRET_KEY};
use harness::web::{Answer, Asked, Web};
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::process::Command;

/// Uploads one file as a job's artifact, with nothing but this environment.
pub(crate) fn upload(pod: &Pod, bucket: &str, environment: &[(&str, String)]) -> Ended {
    upload_with(pod, bucket, environment, &[])
}

/// The same with more flags, and with variables that need not be text.
pub(crate) fn upload_with<V: AsRef<OsStr>>(
    pod: &Pod,
    bucket: &str,
    environment: &[(&str, V)],
    flags: &[String],
) -> Ended {
    let file = pod.path("file.txt");
    fs::write(&file, "content").expect("written");
    let mut command = Command::new(bins::program("sidecar"));
    command.env_clear().env("HOME", pod.path("home")).envs(environment.iter().map(|(n, v)| (n, v)));
    command.args(["gcsupload", "--dry-run=false", "--job=job", "--job-type=periodic", "--build-id=1"]);
    command.args(flags).arg(format!("--bucket={bucket}")).arg(file);
    process::start(pod.tree(), &mut command).wait()
}

pub(crate) fn keys(expiration: &str) -> String {
    json!({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "session", "Expiration": expiration,
    })
    .to_string()
}

/// Where the store is, without its keys.
pub(crate) fn place(s3: &S3) -> Vec<(&'static str, String)> {
    s3.environment().into_iter().filter(|(name, _)| !name.contains("KEY")).collect()
}

pub(crate) const OBJECT: &str = "logs/job/1/file.txt";
pub(crate) const BUCKET_URL: &str = "s3://bucket";

#[test]
fn s3_keys_come_from_a_profile_file() {
    assert_eq!(BUCKET_URL, format!("s3://{BUCKET}"));
    let (pod, s3) = (Pod::new(), S3::start());
    fs::create_dir_all(pod.path("home/.aws")).expect("made");
    let credentials =
        format!("[ci]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
    fs::write(pod.path("home/.aws/credentials"), credentials).expect("written");
    let config = format!("[profile ci]\nregion = us-east-1\nendpoint_url = {}\n", s3.endpoint());
    fs::write(pod.path("home/.aws/config"), config).expect("written");
    upload(&pod, BUCKET_URL, &[("AWS_PROFILE", "ci".to_owned())]).expect_code(0);
    assert_eq!(s3.text(OBJECT), "content");
}

#[test]
fn s3_keys_come_from_an_instance_role() {
    let (pod, s3) = (Pod::new(), S3::start());
    let metadata = Web::start(|asked| {
        if asked.method == "PUT" {
            return Answer::ok("metadata-token");
        }
        assert_eq!(asked.header("x-aws-ec2-metadata-token"), "metadata-token", "{asked:?}");
        Answer::ok(if asked.path.ends_with('/') { "role".to_owned() } else { keys("2099-01-01T00:00:00Z") })
    });
    let mut environment = place(&s3);
    environment.push(("AWS_METADATA_ENDPOINT", metadata.url()));
    upload(&pod, BUCKET_URL, &environment).expect_code(0);
    assert_eq!(s3.text(OBJECT), "content");
}

/// IRSA: the token of the pod's service account for keys of a role.
#[test]
fn s3_keys_come_from_a_web_identity() {
    let (pod, s3) = (Pod::new(), S3::start());
    let sts = Web::start_tls(|asked: &Asked| {
        let said = format!("{} {}", asked.path, asked.body);
        assert!(said.contains("AssumeRoleWithWebIdentity") && said.contains("the-token"), "{asked:?}");
        Answer::ok(format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>{ACCESS_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
             <SessionToken>session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ))
    });
    fs::write(pod.path("token"), "the-token").expect("written");
    fs::write(pod.path("ca.pem"), sts.ca()).expect("written");
    let mut environment = place(&s3);
    environment.extend([
        ("AWS_WEB_IDENTITY_TOKEN_FILE", pod.path("token").display().to_string()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/ci".to_owned()),
        ("AWS_ENDPOINT_URL_STS", sts.url()),
        ("SSL_CERT_FILE", pod.path("ca.pem").display().to_string()),
    ]);
    upload(&pod, BUCKET_URL, &environment).expect_code(0);
    assert_eq!(s3.text(OBJECT), "content");
}

/// A store of Google's or Azure's that takes what carries this token.
pub(crate) fn bearer(asked: &Asked, token: &str) -> Answer {
    assert_eq!(asked.header("authorization"), format!("Bearer {token}"), "{asked:?}");
    if asked.method == "GET" { Answer(404, Vec::new(), String::new()) } else { Answer::stored() }
}

pub(crate) fn puts(web: &Web, part: &str) -> Vec<Asked> {
    web.asked().into_iter().filter(|asked| asked.method == "PUT" && asked.path.contains(part)).collect()
}

/// Workload identity in GKE is a metadata server beside the pod.
#[test]
fn gcs_token_comes_from_the_metadata_server() {
    let pod = Pod::new();
    let web = Web::start(|asked| {
        if asked.path.contains("/computeMetadata/") {
            assert_eq!(asked.header("metadata-flavor"), "Google", "{asked:?}");
            return Answer::ok(r#"{"access_token":"gke","expires_in":3600,"token_type":"Bearer"}"#);
        }
        bearer(asked, "gke")
    });
    let environment =
        [("GCE_METADATA_HOST", web.address()), ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", web.url())];
    upload(&pod, "gs://bucket", &environment).expect_code(0);
    let put = puts(&web, "file%2Etxt");
    assert_eq!(put.len(), 1, "{:?}", web.asked());
    assert_eq!(put[0].body, "content");
    assert_eq!(put[0].header("x-goog-hash"), "crc32c=Ya91Mw==", "a checksum that Google verifies");
}

#[test]
fn gcs_token_of_another_provider_is_exchanged() {
    for impersonates in [false, true] {
        let pod = Pod::new();
        let web = Web::start(move |asked| match asked.path.as_str() {
            "/sts" => {
                assert!(asked.body.contains("subject_token=the-token"), "{asked:?}");
                assert!(asked.body.contains("audience=%2F%2Fiam"), "{asked:?}");
                Answer::ok(r#"{"access_token":"federated","expires_in":3600}"#)
            }
            "/impersonate" => {
                assert_eq!(asked.header("authorization"), "Bearer federated");
                Answer::ok(r#"{"accessToken":"account","expireTime":"2099-01-01T00:00:00Z"}"#)
            }
            _ => bearer(asked, if impersonates { "account" } else { "federated" }),
        });
        fs::write(pod.path("token.json"), r#"{"id_token":"the-token"}"#).expect("written");
        let mut account = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/x", "gcs_base_url": web.url(),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": format!("{}/sts", web.url()),
            "credential_source": {
                "file": pod.path("token.json"),
                "format": {"type": "json", "subject_token_field_name": "id_token"},
            },
        });
        if impersonates {
            account["service_account_impersonation_url"] = json!(format!("{}/impersonate", web.url()));
        }
        fs::write(pod.path("account.json"), account.to_string()).expect("written");
        let environment =
            [("GOOGLE_APPLICATION_CREDENTIALS", pod.path("account.json").display().to_string())];
        upload(&pod, "gs://bucket", &environment).expect_code(0);
        assert_eq!(puts(&web, "file%2Etxt").len(), 1, "{:?}", web.asked());
        let exchanges = web.asked().iter().filter(|asked| asked.path == "/sts").count();
        assert_eq!(exchanges, 1, "the token is kept");
    }
}

fn azure(web: &Web) -> Vec<(&'static str, String)> {
    vec![
        ("AZURE_STORAGE_ACCOUNT", "ci".to_owned()),
        ("AZURE_STORAGE_ENDPOINT", web.url()),
        ("AZURE_CLIENT_ID", "client".to_owned()),
    ]
}

#[test]
fn azure_token_comes_from_a_workload_identity() {
    let pod = Pod::new();
    let web = Web::start(|asked| {
        if asked.path.contains("/oauth2/") {
            assert!(asked.body.contains("client_assertion=the-token"), "{asked:?}");
            return Answer::ok(r#"{"access_token":"workload","expires_in":3600}"#);
        }
        bearer(asked, "workload")
    });
    fs::write(pod.path("token"), "the-token").expect("written");
    let mut environment = azure(&web);
    environment.extend([
        ("AZURE_TENANT_ID", "tenant".to_owned()),
        ("AZURE_AUTHORITY_HOST", web.url()),
        ("AZURE_FEDERATED_TOKEN_FILE", pod.path("token").display().to_string()),
    ]);
    upload(&pod, "az://container", &environment).expect_code(0);
    assert_eq!(puts(&web, "/container/logs/job/1/file.txt").len(), 1, "{:?}", web.asked());
}

#[test]
fn azure_token_comes_from_a_managed_identity() {
    let pod = Pod::new();
    let web = Web::start(|asked| {
        if asked.path.contains("/msi") {
            assert_eq!(asked.header("metadata"), "true", "{asked:?}");
            return Answer::ok(r#"{"access_token":"managed","expires_on":"4070908800"}"#);
        }
        bearer(asked, "managed")
    });
    let mut environment = azure(&web);
    environment.push(("IDENTITY_ENDPOINT", format!("{}/msi", web.url())));
    upload(&pod, "az://container/prefix", &environment).expect_code(0);
    assert_eq!(puts(&web, "/container/prefix/logs/job/1/file.txt").len(), 1, "{:?}", web.asked());
}

#[test]
fn azure_without_an_account_is_one_line() {
    let pod = Pod::new();
    let ended = upload(&pod, "az://container", &[]);
    ended.expect_code(1);
    assert!(ended.stderr.contains("AZURE_STORAGE_ACCOUNT"), "{ended:#?}");
}

/// A store with TLS that takes everything, and the variables to reach it.
fn private_store(pod: &Pod) -> (Web, Vec<(&'static str, String)>) {
    let web = Web::start_tls(|asked| {
        if asked.method == "GET" { Answer(404, Vec::new(), String::new()) } else { Answer::stored() }
    });
    fs::write(pod.path("ca.pem"), web.ca()).expect("written");
    let environment = vec![
        ("AWS_ENDPOINT_URL", web.url()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ];
    (web, environment)
}

#[test]
fn s3_trusts_the_bundle_that_an_sdk_would() {
    let pod = Pod::new();
    let (web, environment) = private_store(&pod);
    let with = |name: &'static str, value: String| {
        let mut environment = environment.clone();
        environment.push((name, value));
        upload(&pod, BUCKET_URL, &environment)
    };
    with("AWS_CA_BUNDLE", pod.path("ca.pem").display().to_string()).expect_code(0);
    assert!(!puts(&web, "file.txt").is_empty());
    fs::create_dir_all(pod.path("home/.aws")).expect("made");
    let config = format!("[default]\nca_bundle = {}\n", pod.path("ca.pem").display());
    fs::write(pod.path("home/.aws/config"), config).expect("written");
    upload(&pod, BUCKET_URL, &environment).expect_code(0);
    // The variable counts before the profile, and is all that is trusted.
    let other = Web::start_tls(|_| Answer::stored());
    fs::write(pod.path("other.pem"), other.ca()).expect("written");
    let ended = with("AWS_CA_BUNDLE", pod.path("other.pem").display().to_string());
    ended.expect_code(1);
    assert!(ended.stderr.contains("certificate"), "{ended:#?}");
    fs::write(pod.path("other.pem"), "no certificate").expect("written");
    let ended = with("AWS_CA_BUNDLE", pod.path("other.pem").display().to_string());
    ended.expect_code(1);
    assert!(ended.stderr.contains("AWS_CA_BUNDLE") && ended.stderr.contains("PEM"), "{ended:#?}");
}

/// A proxy gets the address as a whole.
#[test]
fn proxy_of_the_environment_is_used_unless_the_host_is_excepted() {
    let pod = Pod::new();
    let proxy = Web::start(|asked| {
        if asked.method == "GET" { Answer(404, Vec::new(), String::new()) } else { Answer::stored() }
    });
    let mut environment = vec![
        ("AWS_ENDPOINT_URL", "http://store.invalid".to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("HTTP_PROXY", proxy.url()),
    ];
    upload(&pod, BUCKET_URL, &environment).expect_code(0);
    assert!(!puts(&proxy, "http://bucket.store.invalid/").is_empty(), "{:?}", proxy.asked());
    let (excepted, before) = (S3::start(), proxy.asked().len());
    environment.push(("NO_PROXY", "127.0.0.1".to_owned()));
    environment[0].1 = excepted.endpoint().to_owned();
    upload(&pod, BUCKET_URL, &environment).expect_code(0);
    assert_eq!((excepted.text(OBJECT).as_str(), proxy.asked().len()), ("content", before));
}

#[test]
fn s3_without_keys_says_where_it_looked() {
    let (pod, s3) = (Pod::new(), S3::start());
    let ended = upload(&pod, BUCKET_URL, &place(&s3));
    ended.expect_code(1);
    for place in ["s3_credentials_file", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile"] {
        assert!(ended.stderr.contains(place), "{place}: {ended:#?}");
    }
}
