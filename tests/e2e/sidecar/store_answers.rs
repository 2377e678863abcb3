//! Pins: sidecar/README.md, "Retries".
//!
//! Answers that no store should give: endless, slow, incomplete.

use bytes::Bytes;
use common::signal::Signal;
use harness::bins;
use harness::pod::Pod;
use harness::process;
use sidecar::destination::{Credentials, Destination};
use sidecar::io::source::Source;
use sidecar::io::store::{Precondition, Store, WriteError};
use sidecar::io::transfer::{Limits, Upload, UploadError, upload};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than the time that the README gives an answer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(45);

/// A server that reads each request and then does what it likes; its threads end with
/// the test's process.
fn server(answer: impl Fn(&mut TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, answer) = (connection.expect("a connection"), answer.clone());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(connection.try_clone().expect("cloned"));
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).is_err() || line.trim_end().is_empty() {
                        break;
                    }
                    if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = text.trim().parse().expect("a length");
                    }
                }
                let mut body = vec![0; length];
                if reader.read_exact(&mut body).is_ok() {
                    answer(&mut { connection });
                }
            });
        }
    });
    address
}

fn put(address: &str) -> Result<(), UploadError> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("credentials");
    let text = format!(r#"{{"endpoint":"http://{address}","access_key":"id","secret_key":"key"}}"#);
    std::fs::write(&path, text).expect("written");
    let credentials = Credentials { s3_credentials_file: Some(path), ..Credentials::default() };
    let store =
        Store::open(&Destination::parse("s3://bucket").expect("parsed"), &credentials).expect("opened");
    let upload_of = Upload {
        key: "a/build-log.txt".to_owned(),
        source: Source::Bytes(Bytes::from_static(b"content")),
        content_type: None,
        content_encoding: None,
        metadata: Vec::new(),
        compress: false,
        compressed_type: None,
        precondition: Precondition::Overwrite,
        reader: None,
        censor: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let limits = Limits { part_bytes: 64 * 1024, max_part_bytes: 32 << 20, parts_in_memory: 3 };
    runtime.block_on(upload(&store, &upload_of, None, &limits)).map(|_| ())
}

/// Sends without an end, until the client hangs up.
fn endless(connection: &mut TcpStream, head: &str) {
    let block = vec![b'x'; 64 << 10];
    let mut going = connection.write_all(head.as_bytes());
    while going.is_ok() {
        going = connection.write_all(&block);
    }
}

#[test]
fn endless_error_is_read_to_its_beginning() {
    for head in [
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 1000000000000\r\n\r\n<Error><Code>Denied</Code></Error>",
        "HTTP/1.1 403 Forbidden\r\n\r\n<Error><Code>Denied</Code></Error>",
    ] {
        let address = server(move |connection| endless(connection, head));
        let error = put(&address).expect_err("refused");
        assert_eq!(error, UploadError::Write(WriteError::Permanent("403 Denied".to_owned())), "{head}");
    }
}

#[test]
fn endless_success_is_no_success() {
    let address = server(|connection| {
        endless(connection, "HTTP/1.1 200 OK\r\netag: \"x\"\r\ncontent-length: 1000000000000\r\n\r\n");
    });
    let error = put(&address).expect_err("too long");
    assert!(matches!(error, UploadError::Write(WriteError::Transient { .. })), "{error:?}");
    assert!(error.to_string().contains("more than 65536 bytes"), "{error}");
}

/// A token service is no more trusted than a store.
#[test]
fn endless_token_is_an_error_and_no_crash() {
    let address = server(|connection| {
        endless(connection, "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n{\"Token\":\"");
    });
    let pod = Pod::new();
    let file = pod.path("file.txt");
    std::fs::write(&file, "content").expect("written");
    let mut command = Command::new(bins::program("sidecar"));
    command.env_clear().env("HOME", pod.path("home")).env("AWS_REGION", "us-east-1");
    std::fs::write(pod.path("token"), "the-token").expect("written");
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{address}"));
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", pod.path("token"));
    command.args(["gcsupload", "--dry-run=false", "--job=job", "--job-type=periodic", "--build-id=1"]);
    command.arg("--bucket=s3://bucket").arg(file);
    let mut running = process::start(pod.tree(), &mut command);
    // A service that is mended in time gets its chance, so it goes on trying until told to end.
    running.until_stderr("more than 65536 bytes");
    running.signal(Signal::TERM);
    running.wait().expect_code(1);
}

/// A byte a second: each is an answer to a client that only waits for the next one.
#[test]
fn slow_answer_is_given_up_in_the_documented_time() {
    let slow = |text: &'static str| {
        move |connection: &mut TcpStream| {
            for byte in text.bytes() {
                if connection.write_all(&[byte]).is_err() {
                    return;
                }
                // Not to let something happen: this is what the server does.
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    };
    let head =
        "HTTP/1.1 200 OK\r\netag: \"a-very-long-tag-that-takes-two-minutes-and-more-to-arrive-here\"\r\n\r\n";
    let body = "<Error><Code>SlowDown</Code><Message>a text that takes more than a minute to be sent</Message></Error>";
    std::thread::scope(|scope| {
        scope.spawn(|| given_up(&server(slow(head))));
        scope.spawn(|| {
            given_up(&server(move |connection| {
                let begun = connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 99\r\n\r\n");
                begun.expect("sent");
                slow(body)(connection);
            }));
        });
    });
}

#[track_caller]
fn given_up(address: &str) {
    let began = Instant::now();
    let error = put(address).expect_err("too slow");
    assert!(
        began.elapsed() >= Duration::from_secs(20) && began.elapsed() < PATIENCE,
        "{:?}",
        began.elapsed()
    );
    assert!(matches!(error, UploadError::Write(WriteError::Transient { .. })), "{error:?}");
    assert!(error.to_string().contains("did not answer within 20 s"), "{error}");
}

#[test]
fn success_without_a_tag_is_no_success() {
    let address = server(|connection| {
        connection
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .expect("sent");
    });
    let error = put(&address).expect_err("not stored");
    assert!(matches!(error, UploadError::Write(WriteError::Transient { .. })), "{error:?}");
    assert!(error.to_string().to_lowercase().contains("etag"), "{error}");
}

#[test]
fn page_of_a_proxy_and_wrong_regions_are_explained() {
    for (answer, said) in [
        (
            "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 85\r\n\r\n<html><head><title>413 Request Entity Too \
             Large</title></head><body>nginx</body></html>",
            "refuses a request with 7 bytes; it must allow at least that (nginx: client_max_body_size)",
        ),
        (
            "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-central-1\r\ncontent-length: 0\r\n\r\n",
            "the bucket is in the region \"eu-central-1\"",
        ),
    ] {
        let address = server(move |connection| connection.write_all(answer.as_bytes()).expect("sent"));
        let error = put(&address).expect_err("refused");
        assert!(matches!(error, UploadError::Write(WriteError::Permanent(_))), "{error:?}");
        assert!(error.to_string().contains(said) && !error.to_string().contains("<html>"), "{error}");
    }
}

#[test]
fn skewed_clock_is_transient_and_said() {
    let address = server(|connection| {
        let body =
            "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large</Message></Error>";
        let head = "HTTP/1.1 403 Forbidden\r\ndate: Thu, 01 Jan 2015 00:00:00 GMT\r\n";
        write!(connection, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("sent");
    });
    let error = put(&address).expect_err("refused");
    assert!(matches!(error, UploadError::Write(WriteError::Transient { .. })), "{error:?}");
    assert!(error.to_string().contains("s ahead of the store's"), "{error}");
}
