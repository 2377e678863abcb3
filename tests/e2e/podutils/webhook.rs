//! Pins: deploy/kubernetes/webhook/README.md.
//!
//! `podutils webhook` as an API server meets it: TLS, pods, limits, changed files, its end.

use common::signal::Signal;
use harness::https::{Connection, Pair, pair, pair_valid};
use harness::process::{self, Running};
use harness::tree::Tree;
use harness::wait::until;
use harness::{bins, process::Ended};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const OPTIONS: &str = "out: s3://ci\nimage-prefix: reg\n";

struct Webhook {
    running: Running,
    address: SocketAddr,
    dir: tempfile::TempDir,
    _tree: Tree,
}

/// Replaces a file the way the kubelet does: all at once.
fn put(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join("new"), text).expect("written");
    fs::rename(dir.join("new"), dir.join(name)).expect("renamed");
}

fn put_pair(dir: &Path, pair: &Pair) {
    put(dir, "tls.crt", &pair.certificate);
    put(dir, "tls.key", &pair.key);
}

fn command(dir: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(bins::program("podutils"));
    command.args(["webhook", "--listen", "127.0.0.1:0"]);
    for (flag, name) in [("--options", "options.yaml"), ("--tls-cert", "tls.crt"), ("--tls-key", "tls.key")] {
        command.arg(flag).arg(dir.join(name));
    }
    command.args(flags);
    command
}

impl Webhook {
    fn start(pair: &Pair, flags: &[&str]) -> Self {
        let (tree, dir) = (Tree::new(), tempfile::tempdir().expect("a directory"));
        put(dir.path(), "options.yaml", OPTIONS);
        put_pair(dir.path(), pair);
        let mut running = process::start(&tree, &mut command(dir.path(), flags));
        running.until_stderr("\"Serving\"");
        let record: Value =
            serde_json::from_str(running.stderr().lines().last().expect("a line")).expect("JSON");
        let address = record["address"].as_str().expect("an address").parse().expect("an address");
        Self { running, address, dir, _tree: tree }
    }

    #[track_caller]
    fn connect(&self, pair: &Pair) -> Connection {
        Connection::open(self.address, &pair.ca).expect("connected")
    }
}

fn review(change: impl FnOnce(&mut Value)) -> String {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "unit"},
        "spec": {"containers": [{"name": "test", "image": "i", "command": ["make"]}], "restartPolicy": "Always"},
    });
    change(&mut object);
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let request =
        json!({"uid": "u", "kind": kind, "operation": "CREATE", "namespace": "team", "object": object});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).to_string()
}

/// The response to a pod.
#[track_caller]
fn response(connection: &mut Connection, review: &str) -> Value {
    let answer = connection.ask("POST", "/mutate", review).expect("answered");
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str::<Value>(&answer.body).expect("JSON")["response"].take()
}

fn has_patch(response: &Value) -> bool {
    response["allowed"] == true && response["patchType"] == "JSONPatch" && response["patch"].is_string()
}

#[test]
fn pods_are_decorated_refused_or_let_through() {
    let pair = pair();
    let webhook = Webhook::start(&pair, &[]);
    let mut connection = webhook.connect(&pair);
    assert!(has_patch(&response(&mut connection, &review(|_| {}))));
    let without = review(|pod| {
        pod["spec"]["containers"][0].as_object_mut().expect("a container").remove("command");
    });
    let refused = response(&mut connection, &without);
    assert_eq!(refused["allowed"], false);
    assert!(
        refused["status"]["message"].as_str().is_some_and(|text| text.contains("command: missing")),
        "{refused}"
    );
    let own = |name: &str, value: &str| {
        review(|pod| pod["metadata"]["annotations"] = json!({format!("pod-utils.dev/{name}"): value}))
    };
    assert!(has_patch(&response(&mut connection, &own("timeout", "5m"))));
    let forbidden = response(&mut connection, &own("out", "s3://mine"));
    assert_eq!(forbidden["allowed"], false, "{forbidden}");

    let lenient = Webhook::start(&pair, &["--undecoratable", "pass"]);
    let passed = response(&mut lenient.connect(&pair), &without);
    assert_eq!(passed["allowed"], true);
    assert!(passed["warnings"][0].as_str().is_some_and(|text| text.contains("not decorated")), "{passed}");

    let metrics = connection.ask("GET", "/metrics", "").expect("answered").body;
    for (outcome, count) in [("decorated", 2), ("refused", 2), ("let_through", 0), ("malformed", 0)] {
        let line = format!("pod_utils_webhook_requests_total{{outcome=\"{outcome}\"}} {count}");
        assert!(metrics.lines().any(|found| found == line), "no {line} in\n{metrics}");
    }
}

#[test]
fn requests_are_bounded() {
    let pair = pair();
    let webhook = Webhook::start(&pair, &[]);
    let status = |head: &str, body: &[u8]| {
        let mut connection = webhook.connect(&pair);
        connection.send(format!("{head}\r\nHost: test\r\n\r\n").as_bytes()).expect("sent");
        // The server may answer and close before it has read everything.
        let _ = connection.send(body);
        connection.answer().expect("answered").status
    };
    let json = "Content-Type: application/json";
    let chunk = |bytes: usize| format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes));
    assert_eq!(status(&format!("POST /mutate HTTP/1.1\r\n{json}\r\nContent-Length: 3145729"), b""), 413);
    let endless = format!("POST /mutate HTTP/1.1\r\n{json}\r\nTransfer-Encoding: chunked");
    assert_eq!(status(&endless, chunk(3_200_000).as_bytes()), 413);
    assert_eq!(status("POST /mutate HTTP/1.1\r\nContent-Length: 2", b"{}"), 415);
    assert_eq!(status(&format!("POST /mutate HTTP/1.1\r\n{json}\r\nContent-Length: 2"), b"{}"), 400);
    assert_eq!(status("GET /mutate HTTP/1.1", b""), 405);
    assert_eq!(status("GET /elsewhere HTTP/1.1", b""), 404);
    assert_eq!(status("GET /healthz HTTP/1.1", b""), 200);
    assert_eq!(status("GET /readyz HTTP/1.1", b""), 200);
    assert_eq!(status(&format!("GET /{} HTTP/1.1", "x".repeat(20_000)), b""), 431);
    // 3 MiB exactly are read.
    let mut full = review(|_| {});
    full.push_str(&" ".repeat((3 << 20) - full.len()));
    assert!(has_patch(&response(&mut webhook.connect(&pair), &full)));
}

#[test]
fn slow_clients_are_given_up_and_hold_up_nobody() {
    let pair = pair();
    let webhook = Webhook::start(&pair, &[]);
    let mut half = webhook.connect(&pair);
    half.send(
        b"POST /mutate HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    )
    .expect("sent");
    let mut silent = webhook.connect(&pair);
    let plain = std::net::TcpStream::connect(webhook.address).expect("connected");
    assert!(has_patch(&response(&mut webhook.connect(&pair), &review(|_| {}))));
    assert_eq!(half.answer().expect("answered").status, 408);
    assert!(silent.until_closed().is_some_and(|took| took < Duration::from_secs(40)), "it holds a place");
    plain.set_read_timeout(Some(harness::wait::PATIENCE)).expect("set");
    assert_eq!(std::io::Read::read(&mut &plain, &mut [0]).expect("closed"), 0);
}

#[test]
fn changed_files_are_in_force_and_bad_ones_are_not() {
    let (first, second) = (pair(), pair());
    let mut webhook = Webhook::start(&first, &[]);
    let mut kept = webhook.connect(&first);
    assert!(has_patch(&response(&mut kept, &review(|_| {}))));

    put_pair(webhook.dir.path(), &second);
    until("the new certificate", || Connection::open(webhook.address, &second.ca).ok());
    assert!(Connection::open(webhook.address, &first.ca).is_err(), "the old one is gone");
    assert!(has_patch(&response(&mut kept, &review(|_| {}))), "an open connection goes on");

    put(webhook.dir.path(), "tls.key", "no key");
    webhook.running.until_stderr("Changed certificate cannot be used");
    assert!(Connection::open(webhook.address, &second.ca).is_ok());

    put(webhook.dir.path(), "options.yaml", "out: nowhere\n");
    webhook.running.until_stderr("Changed options cannot be used");
    assert!(has_patch(&response(&mut kept, &review(|_| {}))));
    put(webhook.dir.path(), "options.yaml", &format!("{OPTIONS}container: [other]\n"));
    webhook.running.until_stderr("Changed options are in force");
    let refused = response(&mut kept, &review(|_| {}));
    assert!(
        refused["status"]["message"].as_str().is_some_and(|text| text.contains("--container other")),
        "{refused}"
    );
}

fn is_ready(connection: &mut Connection) -> Result<(), String> {
    let answer = connection.ask("GET", "/readyz", "").expect("answered");
    if answer.status == 200 { Ok(()) } else { Err(answer.body) }
}

#[test]
fn a_certificate_that_is_no_good_is_said_and_refusals_are_counted() {
    let now = common::timestamp::Timestamp::now().as_secs().cast_unsigned();
    let (first, ending, over) =
        (pair(), pair_valid(now - 10_000, now + 900), pair_valid(now - 100, now - 10));
    let (future, next) = (pair_valid(now + 900, now + 9000), pair_valid(now - 10, now + 9000));
    let mut webhook = Webhook::start(&first, &[]);
    let mut kept = webhook.connect(&first);

    put_pair(webhook.dir.path(), &ending);
    webhook.running.until_stderr("The certificate ends soon");
    let not_after = format!("pod_utils_webhook_certificate_not_after_seconds {}", now + 900);
    assert!(kept.ask("GET", "/metrics", "").expect("answered").body.lines().any(|line| line == not_after));
    assert_eq!(is_ready(&mut kept), Ok(()));

    put_pair(webhook.dir.path(), &over);
    webhook.running.until_stderr("The certificate is over");
    assert_eq!(is_ready(&mut kept), Err("the certificate's validity is over\n".to_owned()));
    assert!(has_patch(&response(&mut kept, &review(|_| {}))), "an open connection goes on");
    assert!(Connection::open(webhook.address, &over.ca).is_err());
    webhook.running.until_stderr("A client does not accept the certificate");

    put_pair(webhook.dir.path(), &future);
    webhook.running.until_stderr("The certificate is not valid yet");
    assert_eq!(is_ready(&mut kept), Err("the certificate is not valid yet\n".to_owned()));
    assert!(Connection::open(webhook.address, &future.ca).is_err());

    put_pair(webhook.dir.path(), &next);
    until("ready again", || is_ready(&mut kept).ok());
    assert!(Connection::open(webhook.address, &first.ca).is_err(), "the client knows another CA");
    assert!(Connection::open(webhook.address, &next.ca).is_ok());
    let refusals = |kept: &mut Connection| {
        let metrics = kept.ask("GET", "/metrics", "").expect("answered").body;
        let name = "pod_utils_webhook_certificate_refusals_total ";
        metrics.lines().find_map(|line| line.strip_prefix(name)?.parse().ok()).unwrap_or(0)
    };
    until("three refusals", || (refusals(&mut kept) == 3).then_some(()));
    let records = webhook.running.stderr();
    assert_eq!(records.matches("does not accept the certificate:").count(), 1, "{records}");
}

#[test]
fn a_told_end_is_orderly() {
    let pair = pair();
    let webhook = Webhook::start(&pair, &["--drain", "3s"]);
    let (mut asking, mut idle) = (webhook.connect(&pair), webhook.connect(&pair));
    assert_eq!(idle.ask("GET", "/readyz", "").expect("answered").status, 200);
    let whole = review(|_| {});
    let head = format!(
        "POST /mutate HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        whole.len()
    );
    asking.send(head.as_bytes()).expect("sent");
    webhook.running.signal(Signal::TERM);
    until("no longer ready", || {
        let answer = webhook.connect(&pair).ask("GET", "/readyz", "").expect("answered");
        (answer.status == 503).then_some(())
    });
    // New requests are answered while others still send them, and told to go elsewhere.
    let late = webhook.connect(&pair).ask("POST", "/mutate", &whole).expect("answered");
    assert_eq!(late.status, 200);
    assert!(late.head.to_lowercase().contains("connection: close"), "{}", late.head);
    asking.send(whole.as_bytes()).expect("sent");
    assert_eq!(asking.answer().expect("the request that was under way is answered").status, 200);
    assert!(idle.until_closed().is_some());
    webhook.running.wait().expect_code(0).expect_records();
}

#[test]
fn mistakes_are_one_line() {
    let good = pair();
    let dir = tempfile::tempdir().expect("a directory");
    let refused = |options: &str, pair: &Pair, part: &str| {
        put(dir.path(), "options.yaml", options);
        put_pair(dir.path(), pair);
        let ended = process::run(&Tree::new(), &mut command(dir.path(), &[]));
        ended.expect_code(1);
        assert!(ended.only_line().contains(part), "{part}: {ended:?}");
    };
    refused("out: s3://ci\n", &good, "options.yaml: no image for entrypoint");
    refused("out: s3://ci\nimage-prefix: reg\nkrm: true\n", &good, "krm: the webhook has no such option");
    refused(OPTIONS, &Pair { key: pair().key, ..good.clone() }, "tls.key: certificate and key");
    refused(OPTIONS, &Pair { certificate: "none".to_owned(), ..good.clone() }, "holds no certificate");
    put_pair(dir.path(), &good);
    fs::remove_file(dir.path().join("options.yaml")).expect("removed");
    let ended: Ended = process::run(&Tree::new(), &mut command(dir.path(), &[]));
    ended.expect_code(1);
    assert!(ended.only_line().contains("options.yaml: No such file"), "{ended:?}");
    process::run(&Tree::new(), &mut command(dir.path(), &["--drain", "-1s"])).expect_code(2);
}
