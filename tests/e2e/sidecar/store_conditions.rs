//! Pins: I5; sidecar/README.md, "Late writes" and "Retries".
//!
//! Preconditions as each store is asked for them, and what is repeated when a part of an
//! upload fails.

use crate::sidecar::store_requests::{Request, content, gs, request, run, s3, serving};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sidecar::io::store::{Precondition, WriteError};
use sidecar::io::transfer::{Upload, UploadError};
use std::sync::atomic::{AtomicUsize, Ordering};

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
fn gcs_gets_preconditions_in_a_header_or_with_a_session() {
    let place = gs(serving);
    let (_, seen) = run(place.store.read_small("key", 10)).expect("read").expect("there");
    for precondition in [Precondition::IfAbsent, Precondition::IfVersion(seen)] {
        for bytes in [10, 100_000] {
            place.put(&Upload { precondition: precondition.clone(), ..request(bytes) }).expect("stored");
        }
    }
    let requests = place.recorder.requests();
    let headers: Vec<&str> =
        requests.iter().filter_map(|seen| seen.header("x-goog-if-generation-match")).collect();
    assert_eq!(headers, ["0", "17"]);
    let begun = |seen: &&Request| seen.line.contains("uploadType=resumable");
    let begun: Vec<&Request> = requests.iter().filter(begun).collect();
    let place = "POST /upload/storage/v1/b/bucket/o?uploadType=resumable&name=prefix%2Fa%2Fbuild-log.txt";
    let expected = ["0", "17"].map(|generation| format!("{place}&ifGenerationMatch={generation} HTTP/1.1"));
    assert_eq!(begun.iter().map(|seen| seen.line.trim_end()).collect::<Vec<_>>(), expected);
    let resource = String::from_utf8_lossy(&begun[0].body).into_owned();
    for part in [r#""contentType":"text/html""#, r#""contentEncoding":"gzip""#, "X-Goog-Meta-Link"] {
        assert!(resource.contains(part), "{resource}");
    }
    let pieces: Vec<&str> = requests.iter().filter_map(|seen| seen.header("content-range")).collect();
    assert_eq!(pieces[..2], ["bytes 0-65535/*", "bytes 65536-99999/100000"]);
    let sum = format!("crc32c={}", STANDARD.encode(crc32c::crc32c(&content(100_000)).to_be_bytes()));
    let last = requests.iter().find(|seen| seen.ends_a_session()).expect("ended");
    assert_eq!(last.header("x-goog-hash"), Some(sum.as_str()));
    assert!(last.line.starts_with("PUT /session?upload_id=1 "), "on the server that was asked: {last:?}");
}

/// The answer to a piece is lost: what the store has taken of it is not sent again.
#[test]
fn interrupted_piece_goes_on_where_the_store_says() {
    fn interrupting(request: &Request) -> (&'static str, &'static str) {
        match request.header("content-range") {
            Some("bytes 0-65535/*") => ("503 Service Unavailable", ""),
            Some("bytes */*") => ("308 Resume Incomplete\r\nrange: bytes=0-999", ""),
            _ => serving(request),
        }
    }
    let place = gs(interrupting);
    place.put(&Upload { precondition: Precondition::IfAbsent, ..request(100_000) }).expect("stored");
    let requests = place.recorder.requests();
    let pieces: Vec<&str> = requests.iter().filter_map(|seen| seen.header("content-range")).collect();
    assert_eq!(pieces, ["bytes 0-65535/*", "bytes */*", "bytes 1000-65535/*", "bytes 65536-99999/100000"]);
    let again = requests.iter().find(|seen| seen.header("content-range") == Some("bytes 1000-65535/*"));
    assert_eq!(again.expect("sent").body, content(100_000)[1000..65536]);
}

/// fake-gcs-server ends an upload that is asked how far it is: the object has only what came
/// before, and its store calls it stored.
#[test]
fn object_that_ended_too_early_is_not_stored() {
    fn ending(request: &Request) -> (&'static str, &'static str) {
        match request.header("content-range") {
            Some("bytes 65536-99999/100000") => ("503 Service Unavailable", ""),
            Some("bytes */*") => ("200 OK", r#"{"name":"a","etag":"tag","generation":"17","size":"65536"}"#),
            _ => serving(request),
        }
    }
    let place = gs(ending);
    let put = place.put(&Upload { precondition: Precondition::IfAbsent, ..request(100_000) });
    let expected = "the store has other bytes than were sent";
    assert!(
        matches!(&put, Err(UploadError::Write(WriteError::Transient { message, .. })) if message == expected),
        "{put:?}"
    );
}

/// Ceph's RGW answers 412 to each `If-Match` with a tag in quotes.
#[test]
fn store_that_wants_bare_tags_gets_them_from_then_on() {
    fn wanting_bare(request: &Request) -> (&'static str, &'static str) {
        match request.header("if-match") {
            Some(tag) if tag.starts_with('"') => ("412 Precondition Failed", ""),
            _ => serving(request),
        }
    }
    let place = s3(wanting_bare);
    let (_, seen) = run(place.store.read_small("key", 10)).expect("read").expect("there");
    let over = || Upload { precondition: Precondition::IfVersion(seen.clone()), ..request(10) };
    for bytes in [10, 10, 100_000] {
        place.put(&Upload { precondition: over().precondition, ..request(bytes) }).expect("stored");
    }
    let requests = place.recorder.requests();
    let tags: Vec<&str> = requests.iter().filter_map(|seen| seen.header("if-match")).collect();
    assert_eq!(tags, ["\"tag\"", "tag", "tag", "tag"], "asked once in quotes, also for a completion");
    assert!(place.store.conditional_writes());
}

#[test]
fn store_that_refuses_what_holds_is_written_to_without_conditions() {
    fn refusing(request: &Request) -> (&'static str, &'static str) {
        if request.header("if-match").is_some() { ("412 Precondition Failed", "") } else { serving(request) }
    }
    let place = s3(refusing);
    let (_, seen) = run(place.store.read_small("key", 10)).expect("read").expect("there");
    let over = Upload { precondition: Precondition::IfVersion(seen), ..request(10) };
    assert_eq!(place.put(&over), Err(UploadError::Write(WriteError::PreconditionFailed)));
    assert!(!place.store.conditional_writes());
    place.put(&over).expect("stored");
}

/// The upload still exists, so that only its end is repeated.
#[test]
fn completion_that_failed_is_repeated_without_the_parts() {
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    fn failing_once(request: &Request) -> (&'static str, &'static str) {
        let body = "<Error><Code>InternalError</Code><Message>We encountered an error</Message></Error>";
        if request.completes() && FAILED.fetch_add(1, Ordering::Relaxed) == 0 {
            return ("200 OK", body);
        }
        serving(request)
    }
    let place = s3(failing_once);
    place.put(&request(100_000)).expect("stored");
    let requests = place.recorder.requests();
    let parts = requests.iter().filter(|seen| seen.line.contains("partNumber=")).count();
    let ends = requests.iter().filter(|seen| seen.completes()).count();
    assert_eq!((parts, ends), (2, 2));
}

#[test]
fn part_with_a_bad_digest_is_repeated_without_the_others() {
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    fn failing_once(request: &Request) -> (&'static str, &'static str) {
        if request.line.contains("partNumber=2") && FAILED.fetch_add(1, Ordering::Relaxed) == 0 {
            return ("400 Bad Request", "<Error><Code>BadDigest</Code></Error>");
        }
        serving(request)
    }
    let place = s3(failing_once);
    place.put(&request(100_000)).expect("stored");
    let parts =
        |number: &str| place.recorder.requests().iter().filter(|seen| seen.line.contains(number)).count();
    assert_eq!((parts("partNumber=1"), parts("partNumber=2")), (1, 2));
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
