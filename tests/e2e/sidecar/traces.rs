//! Pins: sidecar/README.md, "Traces".
//!
//! The trace of a job at a collector that the test plays: what is in it, in both
//! encodings, and that it never costs the result.

use harness::job::Job;
use harness::pod::Entry;
use harness::process::{self, Ended};
use harness::skip;
use harness::web::{Answer, Asked, Web};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

const REPORT: &str = "<testsuite name='s'><testcase name='TestA' classname='c' time='1.5'>\
    <failure message='it is hunter2-hunter2'/></testcase><testcase name='TestB'/></testsuite>";

/// Lists what the official decoder reads in a request, with ids in hexadecimal.
const DECODE: &str = "
import json, sys
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
request = ExportTraceServiceRequest()
request.ParseFromString(sys.stdin.buffer.read())
[spans] = request.resource_spans
plain = lambda pairs: {pair.key: pair.value.string_value or pair.value.int_value for pair in pairs}
[scope] = spans.scope_spans
print(json.dumps({'resource': plain(spans.resource.attributes), 'scope': scope.scope.name, 'spans': [{
    'trace': span.trace_id.hex(), 'id': span.span_id.hex(), 'parent': span.parent_span_id.hex(),
    'name': span.name, 'kind': span.kind, 'attributes': plain(span.attributes),
    'start': span.start_time_unix_nano, 'end': span.end_time_unix_nano,
    'code': span.status.code, 'message': span.status.message,
} for span in scope.spans]}))
";

/// A job with secrets, whose entrypoint has ended: only sidecar has still to run.
struct Ready {
    job: Job,
    entry: Entry,
    options: Value,
}

fn ready(script: &str, traceparent: Option<&str>) -> Ready {
    let job = Job::s3();
    let entry = job.pod.entry("test");
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    fs::create_dir_all(job.pod.artifacts()).expect("made");
    fs::write(secrets.join("token"), "hunter2-hunter2").expect("written");
    fs::write(job.pod.artifacts().join("junit.xml"), REPORT).expect("written");
    fs::write(job.pod.artifacts().join("hunter2-hunter2.txt"), "text").expect("written");
    let mut command = job.pod.entrypoint_command(&entry, &["sh", "-c", script], json!({"timeout": "1s"}));
    command.env_remove("TRACEPARENT").envs(traceparent.map(|value| ("TRACEPARENT", value)));
    process::run(job.pod.tree(), &mut command);
    Ready { job, entry, options: json!({"censoring_options": {"secret_directories": [secrets]}}) }
}

impl Ready {
    /// Runs sidecar with these variables. Its result is stored whatever becomes of the trace.
    fn deliver(&self, variables: &[(&str, &str)]) -> Ended {
        let mut command = self.job.sidecar_command(&[&self.entry], self.options.clone());
        command.envs(variables.iter().copied());
        let ended = process::run(self.job.pod.tree(), &mut command);
        ended.expect_code(0);
        assert!(self.job.names().contains(&"finished.json".to_owned()));
        ended
    }

    fn finished_path(&self) -> PathBuf {
        self.job.objects_dir().join("finished.json")
    }
}

/// The one request that a collector got.
fn request(collector: &Web) -> Asked {
    let mut asked = collector.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked.remove(0)
}

fn decoded(request: &Asked) -> Option<Value> {
    use std::io::Write;
    let mut python = Command::new("python3");
    python.args(["-c", DECODE]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut python = python.stderr(std::process::Stdio::null()).spawn().ok()?;
    // Without the package it ends before it reads, and says nothing.
    let _ = python.stdin.take().expect("piped").write_all(&request.bytes);
    let output = python.wait_with_output().expect("ends");
    output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn has_decoder() -> bool {
    let import = "import opentelemetry.proto.collector.trace.v1.trace_service_pb2";
    Command::new("python3").args(["-c", import]).output().is_ok_and(|output| output.status.success())
}

/// The span of this name.
#[track_caller]
fn span<'a>(trace: &'a Value, name: &str) -> &'a Value {
    let spans = trace["spans"].as_array().expect("spans");
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no {name} in {trace:#}"))
}

#[test]
fn a_job_is_one_trace_that_the_official_decoder_reads() {
    if !has_decoder() {
        skip!("python3 has no opentelemetry-proto");
    }
    let ready = ready("echo; sleep 600", None);
    let (stored, finished) = (Arc::new(AtomicBool::new(false)), ready.finished_path());
    let seen = Arc::clone(&stored);
    let collector = Web::start(move |_| {
        seen.store(finished.exists(), Ordering::Relaxed);
        Answer::ok("")
    });
    ready.deliver(&[
        (ENDPOINT, &collector.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=hunter2-hunter2"),
        ("OTEL_SERVICE_NAME", "ci"),
    ]);
    assert!(stored.load(Ordering::Relaxed), "the result is stored before the trace is sent");
    let request = request(&collector);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/traces"));
    assert_eq!(request.header("content-type"), "application/x-protobuf");
    assert_eq!(request.header("authorization"), "Bearer abc");
    assert!(!request.body.contains("hunter2"), "{}", request.body);
    let trace = decoded(&request).expect("decoded");
    assert_eq!(trace["resource"]["service.name"], "ci");
    assert_eq!(trace["resource"]["deployment.environment"], "XXXXXXXXXXXXXXX");
    let ids = &ready.entry.report()["trace"];
    let all = trace["spans"].as_array().expect("spans");
    assert!(all.iter().all(|span| span["trace"] == ids["trace_id"]), "{trace:#}");
    assert!(all.iter().all(|span| span["start"].as_u64() <= span["end"].as_u64()), "{trace:#}");

    let job = span(&trace, "RUN job");
    assert_eq!((&job["parent"], &job["kind"], &job["code"]), (&json!(""), &json!(2), &json!(2)));
    let sentence = ready.job.finished()["metadata"]["pod-utils"]["cause"].clone();
    assert_eq!(job["message"], sentence);
    let sentence = sentence.as_str().expect("a sentence");
    assert!(
        sentence.starts_with("timed out after 1s") && sentence.ends_with("tests failed: TestA"),
        "{sentence}"
    );
    let attributes = &job["attributes"];
    assert_eq!(attributes["cicd.pipeline.name"], "job");
    assert_eq!(attributes["cicd.pipeline.run.id"], "1");
    assert_eq!(attributes["cicd.pipeline.result"], "timeout");
    let entry = span(&trace, "RUN test");
    assert_eq!(
        (&entry["id"], &entry["parent"]),
        (&ids["span_id"], &job["id"]),
        "the command's spans are below"
    );
    assert_eq!((&entry["code"], &entry["attributes"]["process.exit.code"]), (&json!(2), &json!(127)));
    assert_eq!(entry["attributes"]["pod_utils.reason"], "timed_out");
    for phase in ["running", "terminating", "draining"] {
        assert_eq!(span(&trace, phase)["parent"], entry["id"], "{phase}");
    }
    assert_eq!(span(&trace, "running")["end"], span(&trace, "terminating")["start"]);
    let test = span(&trace, "TestA");
    assert_eq!((&test["parent"], &test["message"]), (&entry["id"], &json!("it is XXXXXXXXXXXXXXX")));
    assert_eq!(
        test["end"].as_u64().expect("a time") - test["start"].as_u64().expect("a time"),
        1_500_000_000
    );
    let pass = span(&trace, "final pass");
    assert_eq!(pass["parent"], job["id"]);
    let upload = span(&trace, "upload build-log.txt");
    assert_eq!(upload["parent"], pass["id"]);
    assert!(
        span(&trace, "upload artifacts/XXXXXXXXXXXXXXX.txt")["attributes"]["pod_utils.object.bytes"] == 4
    );
}

/// The command's former parent is the job's parent, too.
#[test]
fn json_is_sent_when_it_is_wanted_and_a_given_parent_is_above_the_job() {
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let ready = ready("exit 0", Some(&format!("00-{trace}-{parent}-01")));
    let collector = Web::start(|_| Answer::ok("{}"));
    let ended = ready.deliver(&[(ENDPOINT, &collector.url()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]);
    assert!(!ended.stderr.contains("trace was not sent"), "{}", ended.stderr);
    let request = request(&collector);
    assert_eq!(request.header("content-type"), "application/json");
    assert!(!request.body.contains("hunter2"), "{}", request.body);
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let spans = json!({"spans": body["resourceSpans"][0]["scopeSpans"][0]["spans"]});
    let job = span(&spans, "RUN job");
    assert_eq!((&job["traceId"], &job["parentSpanId"]), (&json!(trace), &json!(parent)));
    assert_eq!(job["status"]["code"], 1);
    let entry = span(&spans, "RUN test");
    assert_eq!(entry["parentSpanId"], job["spanId"]);
    assert_ne!(entry["spanId"], parent);
    assert!(entry.get("status").is_none(), "{entry}");
}

#[test]
fn a_collector_that_does_not_answer_costs_two_seconds_and_a_warning() {
    let ready = ready("exit 0", None);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("its address"));
    let begun = Instant::now();
    let ended = ready.deliver(&[(ENDPOINT, &endpoint)]);
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert!(
        ended.stderr.contains("The trace was not sent: the collector did not answer within 2000 ms"),
        "{}",
        ended.stderr
    );
    let ended = ready.deliver(&[(ENDPOINT, &endpoint), ("OTEL_EXPORTER_OTLP_TIMEOUT", "100")]);
    assert!(ended.stderr.contains("within 100 ms"), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_sent_is_a_warning_without_credentials() {
    let ready = ready("exit 0", None);
    let other = Web::start(|_| Answer::ok(""));
    let elsewhere = other.url();
    let answer = |status, location: Option<String>, body: &'static str| {
        Web::start(move |_| {
            let location = location.clone().map(|location| ("location", location));
            Answer(status, location.into_iter().collect(), body.to_owned())
        })
    };
    let busy = answer(503, None, "");
    let moved = answer(307, Some(elsewhere), "");
    let partial = answer(200, None, r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#);
    let json = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    let closed = "http://someone:hunter3-hunter3@127.0.0.1:1";
    for (endpoint, more, problem) in [
        (busy.url().as_str(), json, "the collector answered 503"),
        (&moved.url(), json, "the collector answered 307"),
        (&partial.url(), json, "the collector refused 3 of its spans"),
        (closed, json, "The trace was not sent: "),
        (
            &busy.url(),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            "No trace is sent: OTEL_EXPORTER_OTLP_PROTOCOL",
        ),
        (
            &busy.url(),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/none"),
            "No trace is sent: OTEL_EXPORTER_OTLP_CERTIFICATE",
        ),
    ] {
        let ended = ready.deliver(&[
            (ENDPOINT, endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter3-hunter3"),
            more,
        ]);
        assert!(ended.stderr.contains(problem), "no {problem:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("hunter3"), "{}", ended.stderr);
    }
    assert_eq!(busy.asked().len(), 1, "neither gRPC nor a missing certificate sends anything");
    assert!(other.asked().is_empty(), "headers are not carried to another host");
}

#[test]
fn a_collector_with_a_certificate_of_its_own_is_trusted_by_its_file() {
    let ready = ready("exit 0", None);
    let collector = Web::start_tls(|_| Answer::ok(""));
    let file = ready.job.pod.path("collector-ca.pem");
    fs::write(&file, collector.ca()).expect("written");
    let ended = ready.deliver(&[(ENDPOINT, &collector.url())]);
    assert!(ended.stderr.contains("The trace was not sent: "), "{}", ended.stderr);
    let file = file.display().to_string();
    let ended = ready.deliver(&[(ENDPOINT, &collector.url()), ("OTEL_EXPORTER_OTLP_CERTIFICATE", &file)]);
    assert!(!ended.stderr.contains("The trace was not sent"), "{}", ended.stderr);
    assert_eq!(collector.asked().len(), 1);
}
