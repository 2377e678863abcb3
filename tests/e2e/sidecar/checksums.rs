//! Pins: sidecar/README.md, "Destinations".
//!
//! Checksums of what is sent to S3, and parts over TLS whose content the signature leaves
//! out: who gets them, what becomes of one that is cut off, and of a store that refuses them
//! or has stored something else.

use harness::bins;
use harness::pod::Pod;
use harness::process::{self, Ended};
use harness::s3::{Fault, S3, Seen};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// `x-amz-content-sha256` where the signature covers no content.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Repeated parts and the pauses between them, on a busy machine.
const LONG: Duration = Duration::from_mins(5);

/// Three parts.
const LARGE_BYTES: usize = 14 << 20;

/// CRC64NVME of the large object, by another implementation.
const LARGE_SUM: &str = "VuyX4mwiVco=";

const OTHER_SUM: &str = "AAAAAAAAAAA=";

/// The header with that checksum.
const SUM: &str = "x-amz-checksum-crc64nvme";

const LARGE: &str = "logs/job/1/large.bin";
const SMALL: &str = "logs/job/1/small.txt";

/// Delivers an object in parts and one in one piece.
fn deliver(pod: &Pod, s3: &S3, change: impl Fn(&mut Value)) -> Ended {
    deliver_with(pod, s3, change, &[])
}

fn deliver_with(pod: &Pod, s3: &S3, change: impl Fn(&mut Value), variables: &[(&str, &str)]) -> Ended {
    let large: Vec<u8> = (0..LARGE_BYTES).map(|at| (at % 251).to_le_bytes()[0]).collect();
    fs::write(pod.path("large.bin"), large).expect("written");
    fs::write(pod.path("small.txt"), "content").expect("written");
    fs::write(pod.path("ca.pem"), s3.ca()).expect("written");
    let file = s3.credentials_file(pod.path("").as_path());
    let mut credentials = harness::pod::json_of(&file);
    change(&mut credentials);
    fs::write(&file, credentials.to_string()).expect("written");
    let mut command = Command::new(bins::program("sidecar"));
    command.env_clear().env("HOME", pod.path("home")).envs(variables.iter().copied());
    if !s3.ca().is_empty() {
        command.env("AWS_CA_BUNDLE", pod.path("ca.pem"));
    }
    command.args(["gcsupload", "--dry-run=false", "--job=job", "--job-type=periodic", "--build-id=1"]);
    command.arg("--bucket=s3://bucket").arg("--s3-credentials-file").arg(file);
    command.args([pod.path("large.bin"), pod.path("small.txt")]);
    process::start(pod.tree(), &mut command).wait_for(LONG)
}

/// Both objects are there, and nothing is left of any other attempt.
#[track_caller]
fn expect_everything(pod: &Pod, s3: &S3) {
    assert!(s3.object(LARGE) == fs::read(pod.path("large.bin")).expect("read"), "{:#?}", s3.seen());
    assert_eq!(s3.text(SMALL), "content");
    assert_eq!(s3.open_uploads(), Vec::<String>::new());
}

fn parts(s3: &S3) -> Vec<Seen> {
    s3.seen().into_iter().filter(Seen::is_part).collect()
}

/// The requests that carry an object in one piece.
fn whole(s3: &S3) -> Vec<Seen> {
    s3.seen().into_iter().filter(|seen| seen.makes_an_object() && seen.method == "PUT").collect()
}

/// Runs against a store with a fault, and expects that everything arrives.
#[track_caller]
fn passes(script: impl Fn(&Seen) -> Fault + Send + Sync + 'static) -> (S3, Ended) {
    passes_at(S3::start_tls(), script)
}

#[track_caller]
fn passes_at(s3: S3, script: impl Fn(&Seen) -> Fault + Send + Sync + 'static) -> (S3, Ended) {
    let pod = Pod::new();
    s3.script(script);
    let ended = deliver(&pod, &s3, |_| {});
    ended.expect_code(0);
    expect_everything(&pod, &s3);
    (s3, ended)
}

#[test]
fn parts_over_tls_are_unsigned_and_whole_objects_are_signed() {
    let (s3, ended) = passes(|_| Fault::None);
    assert!(parts(&s3).len() > 1, "{:#?}", s3.seen());
    for part in parts(&s3) {
        assert_eq!(part.content_sha256, UNSIGNED, "{part:?}");
        assert!(part.is_signed(SUM), "{part:?}");
    }
    for put in whole(&s3) {
        assert_eq!(put.content_sha256.len(), 64, "{put:?}");
        assert!(put.is_signed(SUM), "{put:?}");
    }
    assert!(!ended.stderr.contains("unsigned"), "{ended:#?}");
}

#[test]
fn parts_are_signed_where_tls_guards_nothing() {
    let without_tls = (S3::start(), false);
    let unverified = (S3::start_tls(), true);
    for (s3, insecure) in [without_tls, unverified] {
        let pod = Pod::new();
        deliver(&pod, &s3, |credentials| credentials["insecure"] = json!(insecure)).expect_code(0);
        expect_everything(&pod, &s3);
        assert!(parts(&s3).len() > 1, "{:#?}", s3.seen());
        assert!(s3.seen().iter().all(|seen| seen.content_sha256 != UNSIGNED), "{:#?}", s3.seen());
        assert!(parts(&s3).iter().chain(&whole(&s3)).all(|sent| sent.is_signed(SUM)), "{:#?}", s3.seen());
    }
}

#[test]
fn unsigned_part_that_was_cut_off_is_sent_again() {
    let (s3, ended) =
        passes(|seen| if seen.is_part() && seen.earlier == 0 { Fault::ResetInBody } else { Fault::None });
    let (again, first): (Vec<_>, Vec<_>) = parts(&s3).into_iter().partition(|part| part.earlier > 0);
    assert_eq!(first.len(), again.len(), "{:#?}", s3.seen());
    assert!(again.iter().all(|part| part.content_sha256 == UNSIGNED), "{again:#?}");
    assert!(!ended.stderr.contains("unsigned"), "{ended:#?}");
}

/// Stores refuse what they do not know when an upload begins, with each part, or at its end.
#[test]
fn store_that_refuses_unsigned_parts_gets_signed_ones() {
    type Refuses = fn(&Seen) -> bool;
    let begin: Refuses = |seen| seen.query.starts_with("uploads");
    let end: Refuses = |seen| seen.makes_an_object();
    for (refuses, status, code) in [
        (begin, 400, "InvalidRequest"),
        (begin, 501, "NotImplemented"),
        (Seen::is_part, 400, "XAmzContentSHA256Mismatch"),
        (Seen::is_part, 403, "SignatureDoesNotMatch"),
        (Seen::is_part, 501, "NotImplemented"),
        (end, 400, "InvalidRequest"),
    ] {
        let (s3, ended) = passes(move |seen| {
            let is_refused = seen.content_sha256 == UNSIGNED && refuses(seen);
            if is_refused { Fault::Refuse(status, code) } else { Fault::None }
        });
        let sent = parts(&s3);
        assert!(sent.last().is_some_and(|part| part.content_sha256.len() == 64), "{sent:#?}");
        let said = ended.stderr.lines().filter(|line| line.contains("parts with unsigned content")).count();
        assert_eq!(said, 1, "{ended:#?}");
        assert!(ended.stderr.contains(code), "{ended:#?}");
    }
}

/// An outage is no refusal.
#[test]
fn store_that_was_unavailable_gets_unsigned_parts_again() {
    let (s3, _) =
        passes(|seen| if seen.is_part() && seen.earlier == 0 { Fault::Busy(1) } else { Fault::None });
    assert!(parts(&s3).iter().all(|part| part.content_sha256 == UNSIGNED), "{:#?}", parts(&s3));
}

/// Whatever carries a checksum is refused: objects in one piece, the beginning of an upload or
/// its parts.
#[test]
fn store_that_refuses_checksums_gets_none() {
    let asks = |seen: &Seen| seen.is_signed(SUM) || seen.is_signed("x-amz-checksum-algorithm");
    let asks_with_content = |seen: &Seen| seen.is_signed(SUM);
    for (status, code, refuses) in [
        (400, "InvalidArgument", asks as fn(&Seen) -> bool),
        (400, "BadDigest", asks_with_content),
        (403, "SignatureDoesNotMatch", asks),
        (501, "NotImplemented", asks_with_content),
    ] {
        for s3 in [S3::start(), S3::start_tls()] {
            let (s3, ended) =
                passes_at(
                    s3,
                    move |seen| {
                        if refuses(seen) { Fault::Refuse(status, code) } else { Fault::None }
                    },
                );
            for sent in [parts(&s3), whole(&s3)] {
                assert!(sent.last().is_some_and(|last| !last.is_signed(SUM)), "{sent:#?}");
            }
            let said = ended.stderr.lines().filter(|line| line.contains("refuses checksums")).count();
            assert_eq!(said, 1, "{ended:#?}");
            assert!(ended.stderr.contains(code), "{ended:#?}");
        }
    }
}

/// Sent again with its checksum.
#[test]
fn content_that_was_damaged_on_its_way_refuses_no_checksums() {
    let damages = |seen: &Seen| (seen.key == SMALL || seen.is_part()) && seen.earlier == 0;
    let (s3, ended) =
        passes_at(S3::start(), move |seen| if damages(seen) { Fault::Corrupt } else { Fault::None });
    assert!(whole(&s3).len() > 1 && parts(&s3).len() > 1, "{:#?}", s3.seen());
    assert!(!ended.stderr.contains("refuses"), "{ended:#?}");
    assert!(whole(&s3).iter().chain(&parts(&s3)).all(|sent| sent.is_signed(SUM)), "{:#?}", s3.seen());
}

/// A refusal with and without a checksum is not one of checksums.
#[test]
fn refused_object_says_nothing_about_checksums() {
    let (pod, s3) = (Pod::new(), S3::start());
    s3.script(|seen| if seen.key == SMALL { Fault::Refuse(403, "AccessDenied") } else { Fault::None });
    let ended = deliver(&pod, &s3, |_| {});
    assert!(ended.stderr.contains("AccessDenied"), "{ended:#?}");
    assert!(!ended.stderr.contains("checksums"), "{ended:#?}");
    assert!(s3.object(LARGE).len() == LARGE_BYTES);
    assert!(parts(&s3).iter().all(|part| part.is_signed(SUM)), "{:#?}", s3.seen());
}

/// Sent again until the store has what was sent: an object, a part, and a completed upload.
#[test]
fn store_that_has_another_checksum_has_not_stored_it() {
    type Befalls = fn(&Seen) -> bool;
    let small: Befalls = |seen| seen.key == SMALL;
    let end: Befalls = |seen| seen.method == "POST" && seen.makes_an_object();
    for befalls in [small, Seen::is_part, end] {
        let befallen = AtomicBool::new(false);
        let (s3, ended) = passes_at(S3::start(), move |seen| {
            let is_first = befalls(seen) && !befallen.swap(true, Ordering::Relaxed);
            if is_first { Fault::Checksum(OTHER_SUM) } else { Fault::None }
        });
        let sent = s3.seen().into_iter().filter(befalls).count();
        assert!(sent > 1, "{:#?}", s3.seen());
        assert!(!ended.stderr.contains("refuses checksums"), "{ended:#?}");
    }
}

/// The checksum of an object in parts is the one that the store has of the whole.
#[test]
fn store_that_has_the_checksum_of_the_whole_has_stored_it() {
    let end = |seen: &Seen| seen.method == "POST" && seen.makes_an_object();
    for s3 in [S3::start(), S3::start_tls()] {
        let (s3, _) =
            passes_at(s3, move |seen| if end(seen) { Fault::Checksum(LARGE_SUM) } else { Fault::None });
        assert_eq!(s3.seen().into_iter().filter(end).count(), 1, "{:#?}", s3.seen());
    }
}

#[test]
fn the_setting_of_aws_sdks_leaves_checksums_out() {
    for s3 in [S3::start(), S3::start_tls()] {
        let pod = Pod::new();
        let variable = ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required");
        deliver_with(&pod, &s3, |_| {}, &[variable]).expect_code(0);
        expect_everything(&pod, &s3);
        for sent in parts(&s3).iter().chain(&whole(&s3)) {
            assert!(sent.content_sha256.len() == 64 && !sent.is_signed(SUM), "{sent:#?}");
        }
    }
    let (pod, s3) = (Pod::new(), S3::start());
    let ended = deliver_with(&pod, &s3, |_| {}, &[("AWS_REQUEST_CHECKSUM_CALCULATION", "never")]);
    ended.expect_code(1);
    let line = ended.only_line();
    assert!(line.contains("AWS_REQUEST_CHECKSUM_CALCULATION") && line.contains("when_required"), "{line}");
    assert!(s3.seen().is_empty(), "{:#?}", s3.seen());
}
