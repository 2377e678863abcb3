//! Pins: sidecar/README.md, "Late writes".
//!
//! Requests to a store: a server records them and plays answers.

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

const LIMITS: Limits = Limits { part_bytes: 64 * 1024, max_part_bytes: 32 << 20, parts_in_memory: 3 };

#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) line: String,
    headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn completes(&self) -> bool {
        self.line.starts_with("POST ") && self.line.contains("uploadId=") || self.ends_a_session()
    }

    /// The last piece of a resumable upload of Google's.
    pub(crate) fn ends_a_session(&self) -> bool {
        self.header("content-range").is_some_and(|range| !range.ends_with("/*"))
    }
}

/// Answers a request: head lines and body.
pub(crate) type Script = fn(&Request) -> (&'static str, &'static str);

pub(crate) struct Recorder {
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

    pub(crate) fn requests(&self) -> Vec<Request> {
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

pub(crate) fn serving(request: &Request) -> (&'static str, &'static str) {
    if request.line.contains("?uploads") {
        let body = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>id</UploadId>\
                    </InitiateMultipartUploadResult>";
        return (ETAG, body);
    }
    if request.line.contains("uploadType=resumable") {
        return ("200 OK\r\nlocation: http://another-name/session?upload_id=1", "");
    }
    if request.ends_a_session() {
        return (ETAG, r#"{"name":"k","generation":"18","etag":"tag","size":"100000"}"#);
    }
    if request.header("content-range").is_some() {
        return ("308 Resume Incomplete", "");
    }
    if request.completes() {
        let body = "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key>\
                    <ETag>\"tag\"</ETag></CompleteMultipartUploadResult>";
        return (ETAG, body);
    }
    (ETAG, "")
}

pub(crate) struct Place {
    pub(crate) recorder: Recorder,
    pub(crate) store: Store,
    _dir: TempDir,
}

pub(crate) fn s3(script: Script) -> Place {
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
pub(crate) fn gs(script: Script) -> Place {
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
    pub(crate) fn put(&self, request: &Upload) -> Result<(), UploadError> {
        run(upload(&self.store, request, None, &LIMITS)).map(|_| ())
    }
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Bytes that begin as gzip does.
pub(crate) fn content(bytes: usize) -> Vec<u8> {
    [&[0x1f, 0x8b, 8][..], &vec![b'x'; bytes - 3]].concat()
}

pub(crate) fn request(bytes: usize) -> Upload {
    Upload {
        key: "a/build-log.txt".to_owned(),
        source: Source::Bytes(Bytes::from(content(bytes))),
        content_type: Some("text/html".to_owned()),
        content_encoding: Some("gzip"),
        metadata: vec![("X-Goog-Meta-Link".to_owned(), "gs://bucket/a".to_owned())],
        compress: false,
        compressed_type: None,
        precondition: Precondition::Overwrite,
        reader: None,
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
