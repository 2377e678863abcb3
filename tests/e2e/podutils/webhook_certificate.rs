//! Pins: deploy/kubernetes/webhook/README.md, "Certificates".
//!
//! `podutils webhook certificate` and the API server.

use harness::api_server::{Answer, ApiServer, Seen};
use harness::bins;
use harness::process::{self, Ended};
use harness::tree::Tree;
use serde_json::{Value, json};
use std::process::Command;

const SECRET: &str = "/api/v1/namespaces/ns/secrets/tls";
const CONFIGURATION: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/conf";

fn run(server: &ApiServer, flags: &[&str]) -> Ended {
    let mut command = Command::new(bins::program("podutils"));
    command
        .args(["webhook", "certificate", "--namespace", "ns", "--service", "webhook", "--secret", "tls"])
        .args(["--configuration", "conf", "--service-account-dir"])
        .arg(server.account_dir())
        .args(flags)
        .envs(server.environment());
    process::run(&Tree::new(), &mut command)
}

/// An object as an answer of the server.
fn object(value: &Value) -> Answer {
    Answer::Text(200, Box::leak(value.to_string().into_boxed_str()))
}

fn configuration(bundle: &Value) -> Answer {
    let webhook =
        |name: &str| json!({"name": name, "clientConfig": {"caBundle": bundle, "url": "https://x"}});
    object(&json!({"webhooks": [webhook("a.pod-utils.dev"), webhook("b.pod-utils.dev")]}))
}

fn json_of(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).expect("JSON")
}

/// Each request as `METHOD path`.
fn requests(server: &ApiServer) -> Vec<String> {
    server.seen().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

fn data(secret: &Value, key: &str) -> String {
    let seen = json!({"data": {"x": secret["data"][key]}}).to_string();
    let decoded = harness::api_server::decoded(&seen);
    decoded.into_iter().next().expect("a value").1
}

#[test]
fn the_first_certificate_is_trusted_and_then_stored() {
    let server = ApiServer::start();
    server.script([Answer::Refuse(404, "secrets \"tls\" not found"), configuration(&Value::Null)]);
    run(&server, &["--host", "10.0.0.7"]).expect_code(0).expect_records();
    assert_eq!(
        requests(&server),
        [
            format!("GET {SECRET}"),
            format!("GET {CONFIGURATION}"),
            format!("PATCH {CONFIGURATION}"),
            "POST /api/v1/namespaces/ns/secrets".to_owned(),
        ]
    );
    let seen = server.seen();
    assert_eq!(seen[2].content_type, "application/strategic-merge-patch+json");
    let (patch, secret) = (json_of(&seen[2]), json_of(&seen[3]));
    assert_eq!(secret["type"], "kubernetes.io/tls");
    let ca = data(&secret, "ca.crt");
    assert_eq!(ca.matches("BEGIN CERTIFICATE").count(), 1);
    assert!(data(&secret, "tls.key").contains("PRIVATE KEY"));
    for webhook in patch["webhooks"].as_array().expect("webhooks") {
        assert_eq!(webhook["clientConfig"]["caBundle"], secret["data"]["ca.crt"]);
    }
    assert_eq!(patch["webhooks"][1]["name"], "b.pod-utils.dev");

    // It is kept while it is good, and the API server is told again if it has forgotten.
    server.script([object(&secret), configuration(&secret["data"]["ca.crt"])]);
    run(&server, &["--host", "10.0.0.7"]).expect_code(0);
    assert_eq!(requests(&server)[4..], [format!("GET {SECRET}"), format!("GET {CONFIGURATION}")]);
    server.script([object(&secret), configuration(&json!(""))]);
    run(&server, &["--host", "10.0.0.7"]).expect_code(0);
    assert_eq!(requests(&server).last(), Some(&format!("PATCH {CONFIGURATION}")));
    assert_eq!(
        json_of(&server.seen()[8])["webhooks"][0]["clientConfig"]["caBundle"],
        secret["data"]["ca.crt"]
    );
}

#[test]
fn the_next_one_is_trusted_beside_the_one_before() {
    let server = ApiServer::start();
    server.script([Answer::Refuse(404, "not found"), configuration(&Value::Null)]);
    run(&server, &[]).expect_code(0);
    let mut first = json_of(&server.seen()[3]);
    first["metadata"]["resourceVersion"] = "17".into();

    let before = server.seen().len();
    // A year is never "ends soon", but for whoever wants two.
    for flags in [&["--validity", "20000h", "--renew-before", "10000h"][..], &["--host", "other"]] {
        server.script([object(&first), configuration(&first["data"]["ca.crt"])]);
        run(&server, flags).expect_code(0);
        let seen = server.seen();
        let stored = json_of(seen.last().expect("a request"));
        assert_eq!(seen.last().expect("a request").method, "PUT");
        assert_eq!(stored["metadata"]["resourceVersion"], "17", "a faster one is not overwritten");
        assert_ne!(stored["data"]["tls.crt"], first["data"]["tls.crt"]);
        let ca = data(&stored, "ca.crt");
        assert_eq!(ca.matches("BEGIN CERTIFICATE").count(), 2);
        assert!(ca.ends_with(&data(&first, "ca.crt")), "{ca}");
        // Trusted first, stored afterwards.
        assert_eq!(seen[seen.len() - 2].method, "PATCH");
        assert_eq!(
            json_of(&seen[seen.len() - 2])["webhooks"][0]["clientConfig"]["caBundle"],
            stored["data"]["ca.crt"]
        );
    }
    assert_eq!(server.seen().len(), before + 8);
}

#[test]
fn a_faster_one_wins_and_a_busy_server_is_asked_again() {
    let server = ApiServer::start();
    server.script([Answer::Refuse(404, "not found"), configuration(&Value::Null)]);
    run(&server, &[]).expect_code(0);
    let other = json_of(&server.seen()[3]);
    let before = server.seen().len();
    server.script([
        Answer::Busy(1),
        Answer::Refuse(404, "not found"),
        configuration(&Value::Null),
        Answer::Accept,
        Answer::Refuse(409, "already exists"),
        object(&other),
        configuration(&Value::Null),
    ]);
    run(&server, &[]).expect_code(0);
    let seen = server.seen();
    assert_eq!(seen.len(), before + 8);
    let last = seen.last().expect("a request");
    assert_eq!((last.method.as_str(), last.path.as_str()), ("PATCH", CONFIGURATION));
    assert_eq!(json_of(last)["webhooks"][0]["clientConfig"]["caBundle"], other["data"]["ca.crt"]);
}

#[test]
fn refusals_are_one_line() {
    let server = ApiServer::start();
    for (answer, part) in [
        (Answer::Refuse(403, "secrets is forbidden"), "the Secret tls: 403 Forbidden: secrets is forbidden"),
        (Answer::Refuse(401, "Unauthorized"), "401 Unauthorized"),
    ] {
        server.script([answer]);
        let ended = run(&server, &[]);
        ended.expect_code(1);
        assert!(ended.only_line().contains(part), "{part}: {ended:?}");
    }
    server.script([Answer::Refuse(404, "not found"), Answer::Refuse(404, "conf not found")]);
    let ended = run(&server, &[]);
    ended.expect_code(1);
    assert!(
        ended
            .stderr
            .lines()
            .last()
            .is_some_and(|line| line.contains("MutatingWebhookConfiguration conf: 404"))
    );
    let ended = run(&server, &["--validity", "1h", "--renew-before", "2h"]);
    ended.expect_code(1);
    assert!(ended.only_line().contains("--renew-before"), "{ended:?}");
}
