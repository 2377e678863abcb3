//! Pins: U-91, U-93; sidecar/README.md, "Destinations".
//!
//! Keys of AWS that are made from others: roles of profiles, a container's token, and an
//! identity of AWS at Google. The services check the signatures as the real ones do.

use crate::sidecar::credentials::{BUCKET_URL, OBJECT, bearer, keys, place, puts, upload};
use harness::pod::Pod;
use harness::s3::{ACCESS_KEY, RENEWED_KEY, S3, SECRET_KEY};
use harness::sigv4::signer;
use harness::web::{Answer, Asked, Web};
use serde_json::{Value, json};
use std::fs;

/// The key of a user, who may do nothing but assume a role.
const USER: (&str, &str) = ("AKIAPODUTILSUSER", "secret/of+the/user");

pub(crate) fn assumed(key: &str, secret: &str) -> Answer {
    Answer::ok(format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>session-of-{key}</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ))
}

fn denied() -> Answer {
    let error = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error></ErrorResponse>";
    Answer(403, Vec::new(), error.to_owned())
}

fn profiles(pod: &Pod, config: &str) {
    fs::create_dir_all(pod.path("home/.aws")).expect("made");
    fs::write(pod.path("home/.aws/config"), config).expect("written");
}

/// One role leads to another, whose keys open the bucket.
#[test]
fn s3_keys_come_from_the_roles_of_a_profile() {
    let (pod, s3) = (Pod::new(), S3::start());
    let sts = Web::start(|asked| {
        let by = |secret: &str, covered: &[&str]| signer(asked, secret, "sts", covered);
        assert!(asked.body.starts_with("Action=AssumeRole&Version=2011-06-15&RoleArn="), "{asked:?}");
        if by(USER.1, &["content-type"]).as_deref() == Some(USER.0) {
            let is_asked =
                asked.body.contains("role%2Finner&RoleSessionName=ci&ExternalId=a%20b&DurationSeconds=900");
            return if is_asked { assumed("ASIAINNER", "secret-of-inner") } else { denied() };
        }
        let inner = by("secret-of-inner", &["x-amz-security-token"]);
        let is_asked = asked.body.ends_with("role%2Fouter&RoleSessionName=pod-utils");
        let has_token = asked.header("x-amz-security-token") == "session-of-ASIAINNER";
        if inner.as_deref() == Some("ASIAINNER") && is_asked && has_token {
            return assumed(RENEWED_KEY, SECRET_KEY);
        }
        denied()
    });
    let (id, secret) = USER;
    let config = |secret: &str| {
        format!(
            "[profile ci]\nrole_arn = arn:aws:iam::1:role/outer\nsource_profile = inner\n\
             [profile inner]\nrole_arn = arn:aws:iam::1:role/inner\nrole_session_name = ci\nexternal_id = a b\n\
             duration_seconds = 900\nsource_profile = user\n\
             [profile user]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        )
    };
    profiles(&pod, &config(secret));
    let mut environment = place(&s3);
    environment.extend([("AWS_PROFILE", "ci".to_owned()), ("AWS_ENDPOINT_URL_STS", sts.url())]);
    upload(&pod, BUCKET_URL, &environment).expect_code(0);
    assert_eq!(s3.text(OBJECT), "content");
    assert!(s3.seen().iter().all(|seen| seen.access_key == RENEWED_KEY), "{:?}", s3.seen());
    assert_eq!(sts.asked().len(), 2, "each role once: {:?}", sts.asked());
    profiles(&pod, &config("another"));
    let ended = upload(&pod, BUCKET_URL, &environment);
    ended.expect_code(1);
    assert!(ended.stderr.contains("SignatureDoesNotMatch"), "{ended:#?}");
    assert!(!ended.stderr.contains("secret-of"), "{ended:#?}");
}

#[test]
fn s3_keys_come_from_a_role_that_the_machine_may_assume() {
    let (pod, s3) = (Pod::new(), S3::start());
    let web = Web::start(|asked| {
        if asked.path.starts_with("/latest/api/token") {
            return Answer::ok("metadata-token");
        }
        if asked.path.starts_with("/latest/") {
            return Answer::ok(if asked.path.ends_with('/') {
                "role".to_owned()
            } else {
                keys("2099-01-01T00:00:00Z")
            });
        }
        match signer(asked, SECRET_KEY, "sts", &["x-amz-security-token"]).as_deref() {
            Some(ACCESS_KEY) => assumed(RENEWED_KEY, SECRET_KEY),
            Some(_) | None => denied(),
        }
    });
    profiles(&pod, "[default]\nrole_arn = arn\ncredential_source = Ec2InstanceMetadata\n");
    let mut environment = place(&s3);
    environment.extend([("AWS_METADATA_ENDPOINT", web.url()), ("AWS_ENDPOINT_URL_STS", web.url())]);
    upload(&pod, BUCKET_URL, &environment).expect_code(0);
    assert_eq!(s3.text(OBJECT), "content");
    assert!(s3.seen().iter().all(|seen| seen.access_key == RENEWED_KEY), "{:?}", s3.seen());
}

#[test]
fn s3_keys_come_from_a_container_whose_token_is_in_a_variable() {
    let (pod, s3) = (Pod::new(), S3::start());
    let agent = Web::start(|asked| match asked.header("authorization") {
        "Basic the-token" => Answer::ok(keys("2099-01-01T00:00:00Z")),
        _ => denied(),
    });
    let mut environment = place(&s3);
    environment.extend([
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", agent.url())),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic the-token".to_owned()),
    ]);
    upload(&pod, BUCKET_URL, &environment).expect_code(0);
    assert_eq!(s3.text(OBJECT), "content");
    // The token is worth as much as the keys.
    for (name, value) in &mut environment {
        if *name == "AWS_CONTAINER_CREDENTIALS_FULL_URI" {
            *value = "http://keys.example.com/".to_owned();
        }
    }
    let ended = upload(&pod, BUCKET_URL, &environment);
    ended.expect_code(1);
    assert!(ended.stderr.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI"), "{ended:#?}");
    assert!(!ended.stderr.contains("the-token"), "{ended:#?}");
}

/// The request inside a subject token, as Google sends it to AWS.
fn request_in(form: &str) -> Option<Asked> {
    let token = form.split('&').find_map(|pair| pair.strip_prefix("subject_token="))?;
    let request: Value = serde_json::from_str(&decoded(&decoded(token))).ok()?;
    let headers = request["headers"].as_array()?.iter();
    let url = request["url"].as_str()?;
    let text = |header: &Value, part: &str| header[part].as_str().unwrap_or_default().to_owned();
    Some(Asked {
        method: request["method"].as_str()?.to_owned(),
        path: format!("/{}", &url[url.find('?')?..]),
        headers: headers.map(|header| (text(header, "key"), text(header, "value"))).collect(),
        ..Asked::default()
    })
}

/// Undoes one percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        bytes.push(match (first, more) {
            (b'%', [high, low, more @ ..]) => {
                rest = more;
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("two digits");
                u8::from_str_radix(digits, 16).expect("a number")
            }
            _ => *first,
        });
    }
    String::from_utf8(bytes).expect("text")
}

#[test]
fn gcs_token_comes_from_an_identity_of_aws() {
    const AUDIENCE: &str =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/aws";
    for from_environment in [false, true] {
        let pod = Pod::new();
        let web = Web::start(|asked| match asked.path.as_str() {
            "/api/token" => Answer::ok("metadata-token"),
            "/zone" | "/role" | "/role/ci"
                if asked.header("x-aws-ec2-metadata-token") != "metadata-token" =>
            {
                denied()
            }
            "/zone" => Answer::ok("eu-west-1b"),
            "/role" => Answer::ok("ci"),
            "/role/ci" => Answer::ok(keys("2099-01-01T00:00:00Z")),
            "/sts" => {
                let request = request_in(&asked.body).expect("a request");
                let covered = ["x-amz-security-token", "x-goog-cloud-target-resource"];
                let signer = signer(&request, SECRET_KEY, "sts", &covered);
                assert_eq!(signer.as_deref(), Some(ACCESS_KEY), "{request:?}");
                assert_eq!(request.header("x-goog-cloud-target-resource"), AUDIENCE);
                assert_eq!(request.header("x-amz-security-token"), "session");
                assert_eq!(request.header("host"), "sts.eu-west-1.amazonaws.com");
                assert!(request.path.contains("Action=GetCallerIdentity"), "{request:?}");
                Answer::ok(r#"{"access_token":"federated","expires_in":3600}"#)
            }
            _ => bearer(asked, "federated"),
        });
        let url = web.url();
        let account = json!({
            "type": "external_account", "audience": AUDIENCE, "gcs_base_url": url,
            "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request", "token_url": format!("{url}/sts"),
            "credential_source": {
                "environment_id": "aws1", "region_url": format!("{url}/zone"), "url": format!("{url}/role"),
                "imdsv2_session_token_url": format!("{url}/api/token"),
                "regional_cred_verification_url":
                    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
            },
        });
        fs::write(pod.path("account.json"), account.to_string()).expect("written");
        let mut environment =
            vec![("GOOGLE_APPLICATION_CREDENTIALS", pod.path("account.json").display().to_string())];
        if from_environment {
            environment.extend([
                ("AWS_REGION", "eu-west-1".to_owned()),
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
                ("AWS_SESSION_TOKEN", "session".to_owned()),
            ]);
        }
        upload(&pod, "gs://bucket", &environment).expect_code(0);
        assert_eq!(puts(&web, "file%2Etxt").len(), 1, "{:?}", web.asked());
        let of_machine = web.asked().iter().filter(|asked| asked.path == "/role/ci").count();
        assert_eq!(of_machine, usize::from(!from_environment));
    }
}
