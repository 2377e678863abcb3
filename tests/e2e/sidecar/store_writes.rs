//! Pins: sidecar/README.md, "Late writes".
//!
//! Attempts into a bucket: an S3 server in this process, with faults.

use bytes::Bytes;
use harness::s3::{BUCKET, Fault, S3, Seen};
use sidecar::destination::{Credentials, Destination};
use sidecar::io::source::{FileSource, Source};
use sidecar::io::store::{Precondition, Store, WriteError};
use sidecar::io::transfer::{Limits, Stored, Upload, UploadError, upload};
use std::future::Future;
use std::time::Duration;
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;
const LIMITS: Limits = Limits { part_bytes: 5 * MIB, max_part_bytes: 32 << 20, parts_in_memory: 3 };

struct Place {
    server: S3,
    dir: TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let (server, dir) = (S3::start(), tempfile::tempdir().expect("a directory"));
        let s3_credentials_file = Some(server.credentials_file(dir.path()));
        let destination = Destination::parse(&format!("s3://{BUCKET}/some/prefix")).expect("parsed");
        let credentials = Credentials { s3_credentials_file, ..Credentials::default() };
        let store = Store::open(&destination, &credentials).expect("opened");
        Self { server, dir, store }
    }

    fn file(&self, content: impl AsRef<[u8]>) -> Source {
        let path = self.dir.path().join("source");
        std::fs::write(&path, content).expect("written");
        Source::File(FileSource::configured(path))
    }

    fn put(&self, request: &Upload) -> Result<Stored, UploadError> {
        run(upload(&self.store, request, None, &LIMITS))
    }

    /// Answers the requests that match with a fault, and serves the others.
    fn fault(&self, matches: impl Fn(&Seen) -> bool + Send + Sync + 'static, fault: Fault) {
        self.server.script(move |seen| if matches(seen) { fault } else { Fault::None });
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn request(key: &str, source: Source) -> Upload {
    Upload {
        key: key.to_owned(),
        source,
        content_type: Some("text/plain".to_owned()),
        content_encoding: None,
        metadata: Vec::new(),
        compress: false,
        compressed_type: None,
        precondition: Precondition::Overwrite,
        reader: None,
        censor: false,
    }
}

fn document(text: &'static str) -> Source {
    Source::Bytes(Bytes::from_static(text.as_bytes()))
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from((at * 7 + at / 251) % 251).expect("below 251")).collect()
}

fn is_completion(seen: &Seen) -> bool {
    seen.method.as_str() == "POST" && seen.query.contains("uploadId=")
}

fn is_part(seen: &Seen) -> bool {
    seen.query.contains("partNumber=")
}

#[test]
fn small_object_is_one_put_under_the_prefix() {
    let place = Place::new();
    let stored = place.put(&request("a/log", document("content"))).expect("stored");
    assert_eq!(place.server.object("some/prefix/a/log"), b"content");
    assert_eq!(place.server.seen().len(), 1);
    assert_eq!(stored.stored_crc32c, crc32c::crc32c(b"content"));
    assert!(stored.version.is_some());
    assert_eq!(place.store.describe("a/log"), "s3://bucket/some/prefix/a/log");
}

#[test]
fn empty_object_is_one_put() {
    let place = Place::new();
    place.put(&request("empty", place.file(""))).expect("stored");
    assert_eq!(place.server.object("some/prefix/empty"), b"");
    assert_eq!(place.server.seen().len(), 1);
}

#[test]
fn large_object_is_sent_in_parts() {
    let place = Place::new();
    for size in [5 * MIB, 5 * MIB + 1, 17 * MIB + 123] {
        let content = pattern(size);
        let stored = place.put(&request("large", place.file(&content))).expect("stored");
        assert_eq!(place.server.object("some/prefix/large"), content);
        assert_eq!(stored.stored_bytes, size as u64);
        assert_eq!(stored.source_crc32c, crc32c::crc32c(&content));
    }
    assert!(place.server.open_uploads().is_empty());
    let parts = place.server.seen().iter().filter(|seen| is_part(seen)).count();
    assert_eq!(parts, 2 + 4, "five MiB fit one put");
}

#[test]
fn unreadable_source_sends_no_request() {
    let place = Place::new();
    let source = Source::File(FileSource::configured(place.dir.path().join("none")));
    assert!(matches!(place.put(&request("a", source)), Err(UploadError::Source(_))));
    assert!(place.server.seen().is_empty());
}

#[test]
fn keys_are_kept_byte_for_byte() {
    let place = Place::new();
    for key in ["a%20b", "a b+c", "ä/ö", "a?b#c&d=e", "[x]*~"] {
        place.put(&request(key, document("content"))).expect(key);
        assert_eq!(place.server.object(&format!("some/prefix/{key}")), b"content");
    }
}

#[test]
fn impossible_keys_say_why() {
    let place = Place::new();
    let long = "x".repeat(1025);
    for key in ["", "a//b", "/a", "a/", "../a", "a/./b", "a\nb", long.as_str()] {
        let error = place.put(&request(key, document("x"))).expect_err(key);
        let UploadError::Write(WriteError::Permanent(message)) = error else { panic!("{key}: {error}") };
        assert!(message.starts_with("the key cannot be stored: "), "{message}");
    }
    assert!(place.server.seen().is_empty());
}

#[test]
fn failures_say_whether_they_are_transient() {
    let place = Place::new();
    for (status, transient) in
        [(503, true), (429, true), (500, true), (403, false), (400, false), (404, false)]
    {
        place.fault(|_| true, Fault::Status(status));
        let error = place.put(&request("a", document("x"))).expect_err("refused");
        assert_eq!(
            matches!(error, UploadError::Write(WriteError::Transient { .. })),
            transient,
            "{status}: {error}"
        );
        assert!(error.to_string().starts_with(&format!("{status} Scripted: ")), "{error}");
    }
    for fault in [Fault::Reset, Fault::LostAnswer] {
        place.fault(|_| true, fault);
        let error = place.put(&request("a", document("x"))).expect_err("no answer");
        assert!(matches!(error, UploadError::Write(WriteError::Transient { .. })), "{error}");
    }
}

#[test]
fn missing_bucket_is_permanent() {
    let place = Place::new();
    let destination = Destination::parse("s3://another").expect("parsed");
    let s3_credentials_file = Some(place.server.credentials_file(place.dir.path()));
    let credentials = Credentials { s3_credentials_file, ..Credentials::default() };
    let store = Store::open(&destination, &credentials).expect("opened");
    let error = run(upload(&store, &request("a", document("x")), None, &LIMITS)).expect_err("refused");
    assert!(matches!(error, UploadError::Write(WriteError::Permanent(_))), "{error}");
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}

#[test]
fn unreachable_store_is_transient() {
    let place = Place::new();
    let file = place.dir.path().join("credentials");
    let text = r#"{"endpoint":"http://127.0.0.1:1","access_key":"a","secret_key":"b"}"#;
    std::fs::write(&file, text).expect("written");
    let destination = Destination::parse("s3://bucket").expect("parsed");
    let credentials = Credentials { s3_credentials_file: Some(file), ..Credentials::default() };
    let store = Store::open(&destination, &credentials).expect("opened");
    let error = run(upload(&store, &request("a", document("x")), None, &LIMITS)).expect_err("refused");
    assert!(matches!(error, UploadError::Write(WriteError::Transient { .. })), "{error}");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[test]
fn failed_part_aborts_the_upload() {
    let place = Place::new();
    place.fault(|seen| seen.query.contains("partNumber=2&"), Fault::Status(503));
    let error = run(async {
        let content = place.file(pattern(12 * MIB));
        let error = upload(&place.store, &request("large", content), None, &LIMITS).await;
        place.store.settled().await;
        error
    });
    assert!(matches!(error, Err(UploadError::Write(WriteError::Transient { .. }))), "{error:?}");
    assert!(place.server.open_uploads().is_empty(), "{:?}", place.server.seen());
    assert!(place.server.keys().is_empty());
}

#[test]
fn unanswered_completion_is_fenced_by_an_abort() {
    let place = Place::new();
    place.fault(is_completion, Fault::Reset);
    let error = place.put(&request("large", place.file(pattern(6 * MIB)))).expect_err("no answer");
    assert!(matches!(error, UploadError::Write(WriteError::Transient { .. })), "{error}");
    assert_eq!(place.server.seen().last().map(|seen| seen.method.to_string()).as_deref(), Some("DELETE"));
    assert!(place.server.open_uploads().is_empty());
}

#[test]
fn dropped_attempt_is_aborted() {
    let place = Place::new();
    place.fault(|seen| seen.query.contains("partNumber=2&"), Fault::Hang);
    let content = place.file(pattern(30 * MIB));
    run(async {
        let request = request("large", content);
        let attempt = upload(&place.store, &request, None, &LIMITS);
        let hangs = async {
            while !place.server.seen().iter().any(|seen| seen.query.contains("partNumber=2&")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            result = attempt => panic!("it hangs: {result:?}"),
            () = hangs => {}
        }
        place.store.settled().await;
    });
    assert!(place.server.open_uploads().is_empty());
    assert!(place.server.keys().is_empty());
}

#[test]
fn preconditions_hold_in_buckets() {
    let place = Place::new();
    let put = |precondition, text| place.put(&Upload { precondition, ..request("key", document(text)) });
    put(Precondition::IfAbsent, "one").expect("stored");
    assert_eq!(put(Precondition::IfAbsent, "two"), Err(UploadError::Write(WriteError::PreconditionFailed)));
    let (content, seen) = run(place.store.read_small("key", 10)).expect("read").expect("there");
    assert_eq!(content, b"one");
    put(Precondition::IfVersion(seen.clone()), "three").expect("replaced");
    assert_eq!(
        put(Precondition::IfVersion(seen), "four"),
        Err(UploadError::Write(WriteError::PreconditionFailed))
    );
    assert_eq!(place.server.object("some/prefix/key"), b"three");
    assert!(place.store.conditional_writes());
}

#[test]
fn store_without_preconditions_gets_plain_writes() {
    let place = Place::new();
    place.fault(|seen| seen.is_conditional, Fault::Status(501));
    place
        .put(&Upload { precondition: Precondition::IfAbsent, ..request("key", document("x")) })
        .expect("stored");
    assert!(!place.store.conditional_writes());
    place
        .put(&Upload { precondition: Precondition::IfAbsent, ..request("key", document("y")) })
        .expect("stored");
    assert_eq!(place.server.object("some/prefix/key"), b"y");
}

#[test]
fn small_reads_are_bounded_and_report_absence() {
    let place = Place::new();
    assert_eq!(run(place.store.read_small("none", 10)), Ok(None));
    place.put(&request("key", document("12345"))).expect("stored");
    assert!(run(place.store.read_small("key", 4)).is_err());
}
