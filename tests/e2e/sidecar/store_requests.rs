//! Pins: sidecar/README.md, "Late writes".
//!
//! What is said to a store: a server that records requests and plays answers.

use bytes::Bytes;
use sidecar::destination::{Credentials, Destination};
use sidecar::io::source::Source;
use sidecar::io::store::{Precondition, Store, WriteError};
use sidecar::io::transfer::{Limits, Upload, UploadError, upload};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const LIMITS: Limits = Limits { part_bytes: 64 * 1024, parts_in_memory: 3 };

#[derive(Clone, Debug, Default)]
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn completes(&self) -> bool {
        self.line.starts_with("POST ") && self.line.contains("uploadId=")
    }
}

/// Answers a request: head lines and body.
type Script = fn(&Request) -> (&'static str, &'static str);

struct Recorder {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorder {
    fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&requests);
        // The threads end with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (connection, recorded) = (connection.expect("a connection"), Arc::clone(&recorded));
                std::thread::spawn(move || serve(connection, &recorded, script));
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

fn serve(connection: TcpStream, recorded: &Mutex<Vec<Request>>, script: Script) {
    let mut writer = connection.try_clone().expect("cloned");
    let mut reader = BufReader::new(connection);
    while let Some(request) = read(&mut reader) {
        let (head, body) = script(&request);
        recorded.lock().expect("not poisoned").push(request);
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request; `None` when the connection was closed.
fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut request = Request::default();
    reader.read_line(&mut request.line).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = request.header("content-length").map_or(0, |text| text.parse().expect("a length"));
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

const ETAG: &str = "200 OK\r\netag: \"tag\"\r\nx-goog-generation: 17\r\n\
                    last-modified: Sun, 22 Nov 2026 01:00:00 GMT";

fn serving(request: &Request) -> (&'static str, &'static str) {
    if request.line.contains("?uploads") {
        let body = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>id</UploadId>\
                    </InitiateMultipartUploadResult>";
        return (ETAG, body);
    }
    if request.completes() {
        let body = "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key>\
                    <ETag>\"tag\"</ETag></CompleteMultipartUploadResult>";
        return (ETAG, body);
    }
    (ETAG, "")
}

struct Place {
    recorder: Recorder,
    store: Store,
    _dir: TempDir,
}

fn s3(script: Script) -> Place {
    let (recorder, dir) = (Recorder::start(script), tempfile::tempdir().expect("a directory"));
    let path = dir.path().join("credentials");
    let text = format!(r#"{{"endpoint":"{}","access_key":"a","secret_key":"b"}}"#, recorder.address);
    std::fs::write(&path, text).expect("written");
    let credentials = Credentials { s3_credentials_file: Some(path), ..Credentials::default() };
    let store =
        Store::open(&Destination::parse("s3://bucket").expect("parsed"), &credentials).expect("opened");
    Place { recorder, store, _dir: dir }
}

/// With a key whose owner needs no token: requests carry no authorization.
fn gs(script: Script) -> Place {
    let (recorder, dir) = (Recorder::start(script), tempfile::tempdir().expect("a directory"));
    let path = dir.path().join("credentials");
    let text = format!(
        r#"{{"type":"service_account","gcs_base_url":"{}","disable_oauth":true,
             "client_email":"","private_key":"","private_key_id":""}}"#,
        recorder.address
    );
    std::fs::write(&path, text).expect("written");
    let credentials = Credentials { gcs_credentials_file: Some(path), ..Credentials::default() };
    let destination = Destination::parse("gs://bucket/prefix").expect("parsed");
    let store = Store::open(&destination, &credentials).expect("opened");
    Place { recorder, store, _dir: dir }
}

impl Place {
    fn put(&self, request: &Upload) -> Result<(), UploadError> {
        run(upload(&self.store, request, None, &LIMITS)).map(|_| ())
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn request(bytes: usize) -> Upload {
    Upload {
        key: "a/build-log.txt".to_owned(),
        source: Source::Bytes(Bytes::from([&[0x1f, 0x8b, 8][..], &vec![b'x'; bytes - 3]].concat())),
        content_type: Some("text/html".to_owned()),
        content_encoding: Some("gzip"),
        metadata: vec![("X-Goog-Meta-Link".to_owned(), "gs://bucket/a".to_owned())],
        compress: false,
        compressed_type: None,
        precondition: Precondition::Overwrite,
        tests: None,
        censor: false,
    }
}

#[test]
fn s3_gets_types_encodings_and_metadata() {
    let place = s3(serving);
    for bytes in [10, 200_000] {
        place.put(&request(bytes)).expect("stored");
    }
    let requests = place.recorder.requests();
    let begins = |request: &&Request| !request.line.contains("uploadId=");
    assert_eq!(requests.iter().filter(begins).count(), 2, "one put, and one begin of a multipart upload");
    for request in requests.iter().filter(begins) {
        assert_eq!(request.header("content-type"), Some("text/html"));
        assert_eq!(request.header("content-encoding"), Some("gzip"));
        assert_eq!(request.header("x-amz-meta-x-goog-meta-link"), Some("gs:%2F%2Fbucket%2Fa"));
        assert!(request.header("x-amz-trailer").is_none(), "other stores do not know trailers");
    }
    let parts = requests.iter().filter(|request| request.line.contains("partNumber="));
    let mut lengths: Vec<usize> = parts.map(|request| request.body.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [3_392, 65_536, 65_536, 65_536]);
}

#[test]
fn upload_works_with_one_part_in_memory() {
    let place = s3(serving);
    let limits = Limits { parts_in_memory: 1, ..LIMITS };
    let stored = run(upload(&place.store, &request(200_000), None, &limits)).expect("stored");
    assert_eq!(stored.stored_bytes, 200_000);
    let lines: Vec<String> = place.recorder.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(lines.iter().filter(|line| line.contains("partNumber=")).count(), 4, "{lines:?}");
}

#[test]
fn gcs_gets_the_same_without_authorization() {
    let place = gs(serving);
    for bytes in [10, 200_000] {
        place.put(&request(bytes)).expect("stored");
    }
    let requests = place.recorder.requests();
    let line = requests[0].line.trim_end();
    assert_eq!(line, "PUT /bucket/prefix%2Fa%2Fbuild%2Dlog%2Etxt HTTP/1.1");
    for request in requests.iter().filter(|request| !request.line.contains("uploadId=")) {
        assert_eq!(request.header("content-type"), Some("text/html"));
        assert_eq!(request.header("content-encoding"), Some("gzip"));
        assert_eq!(request.header("x-goog-meta-x-goog-meta-link"), Some("gs://bucket/a"));
    }
    assert!(requests.iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn gcs_is_asked_for_the_bytes_as_stored() {
    const PACKED: &str = "200 OK\r\ncontent-encoding: gzip\r\netag: \"e\"\r\n\
                          last-modified: Thu, 01 Jan 2026 00:00:00 GMT";
    let place = gs(|request| (PACKED, if request.line.starts_with("HEAD ") { "" } else { "packed" }));
    let mut read = Vec::new();
    let head = run(place.store.read_through("a", &mut |block| {
        read.extend_from_slice(block);
        true
    }));
    let head = head.expect("answered").expect("there");
    assert_eq!((read.as_slice(), head.content_encoding.as_deref()), (b"packed".as_slice(), Some("gzip")));
    run(place.store.head("a")).expect("answered");
    for request in place.recorder.requests() {
        assert_eq!(request.header("accept-encoding"), Some("gzip"), "{request:?}");
    }
}

#[test]
fn precondition_is_sent_with_the_request_that_makes_the_object_visible() {
    let place = s3(serving);
    let (_, seen) = run(place.store.read_small("key", 10)).expect("read").expect("there");
    for bytes in [10, 100_000] {
        place.put(&Upload { precondition: Precondition::IfAbsent, ..request(bytes) }).expect("stored");
        place
            .put(&Upload { precondition: Precondition::IfVersion(seen.clone()), ..request(bytes) })
            .expect("stored");
    }
    let visible = |request: &Request| request.completes() || request.body.len() == 10;
    let visible: Vec<Request> = place.recorder.requests().into_iter().filter(visible).collect();
    assert_eq!(visible.len(), 4);
    for pair in visible.chunks(2) {
        assert_eq!(pair[0].header("if-none-match"), Some("*"));
        assert_eq!(pair[1].header("if-match"), Some("\"tag\""));
    }
}

#[test]
fn gcs_gets_preconditions_only_for_single_requests() {
    const CONDITION: &str = "x-goog-if-generation-match";
    let place = gs(serving);
    let (_, seen) = run(place.store.read_small("key", 10)).expect("read").expect("there");
    place.put(&Upload { precondition: Precondition::IfAbsent, ..request(10) }).expect("stored");
    place
        .put(&Upload { precondition: Precondition::IfVersion(seen.clone()), ..request(10) })
        .expect("stored");
    let conditions: Vec<Option<String>> = place
        .recorder
        .requests()
        .iter()
        .map(|request| request.header(CONDITION).map(str::to_owned))
        .collect();
    assert_eq!(conditions, [None, Some("0".to_owned()), Some("17".to_owned())]);
    // The object is there, in generation 17.
    place.put(&Upload { precondition: Precondition::IfVersion(seen), ..request(100_000) }).expect("stored");
    let absent = place.put(&Upload { precondition: Precondition::IfAbsent, ..request(100_000) });
    assert_eq!(absent, Err(UploadError::Write(WriteError::PreconditionFailed)));
    let requests = place.recorder.requests();
    assert_eq!(requests.iter().filter(|request| request.completes()).count(), 1);
    assert_eq!(requests.iter().filter(|request| request.header(CONDITION).is_some()).count(), 2);
}

#[test]
fn refused_precondition_is_told_apart_also_at_a_completion() {
    fn refusing(request: &Request) -> (&'static str, &'static str) {
        let refused = request.completes() || request.body.len() == 10;
        if refused { ("412 Precondition Failed", "") } else { serving(request) }
    }
    for bytes in [10, 100_000] {
        for open in [s3, gs] {
            let place = open(refusing);
            let request = Upload { precondition: Precondition::IfAbsent, ..request(bytes) };
            assert_eq!(place.put(&request), Err(UploadError::Write(WriteError::PreconditionFailed)));
            assert!(place.store.conditional_writes());
        }
    }
}

#[test]
fn retry_after_of_the_store_is_returned() {
    for open in [s3, gs] {
        let place = open(|_| ("503 Slow Down\r\nretry-after: 7", "<Error><Code>SlowDown</Code></Error>"));
        let retry_after = Some(Duration::from_secs(7));
        let message = "503 SlowDown".to_owned();
        assert_eq!(
            place.put(&request(10)),
            Err(UploadError::Write(WriteError::Transient { message, retry_after }))
        );
        assert_eq!(place.recorder.requests().len(), 1, "retrying is the caller's");
    }
}

#[test]
fn error_in_the_body_of_a_200_is_an_error() {
    fn failing(request: &Request) -> (&'static str, &'static str) {
        let body = "<Error><Code>InternalError</Code><Message>We encountered an error</Message></Error>";
        if request.completes() { ("200 OK", body) } else { serving(request) }
    }
    let error = s3(failing).put(&request(100_000)).expect_err("failed");
    assert!(matches!(error, UploadError::Write(WriteError::Transient { .. })), "{error:?}");
    assert!(error.to_string().contains("InternalError"), "{error}");
}
