//! Sparse files: holes cost nothing, and no secret slips through beside one.

use super::*;
use crate::junit::Reports;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};

const MIB: u64 = 1 << 20;

/// Writes texts at offsets of a sparse file.
fn sparse(place: &Place, length: u64, texts: &[(u64, &[u8])]) -> Source {
    let path = place.dir.path().join("source");
    let file = File::create(&path).expect("made");
    file.set_len(length).expect("sparse");
    for (at, text) in texts {
        file.write_all_at(text, *at).expect("written");
    }
    Source::File(FileSource::configured(path))
}

fn plain(mut upload: Upload) -> Upload {
    upload.compress = false;
    upload
}

#[test]
fn i6_what_lies_beside_a_hole_is_masked_and_the_hole_stays_one() {
    let place = Place::new();
    let zeros = "\0".repeat(5);
    let secrets = ["the-secret-value".to_owned(), format!("before{zeros}"), format!("{zeros}behind")];
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let censor = censor_of(place.dir.path(), &secrets);
    let texts: [(u64, &[u8]); 4] = [
        (0, b"the-secret-value and before"),
        (20 * MIB, b"behind a hole, the-secret-val"),
        (21 * MIB + 5, b"text"),
        (40 * MIB - 6, b"before"),
    ];
    let source = sparse(&place, 60 * MIB, &texts);
    let whole = std::fs::read(place.dir.path().join("source")).expect("read");
    let masked = censor.bytes(&whole);
    assert_ne!(masked, whole);
    let stored =
        run(upload(&place.store, &plain(request("sparse", source)), Some(&censor), &LIMITS)).expect("stored");
    assert!(place.content("sparse") == masked, "as if there were no hole");
    assert_eq!((stored.source_bytes, stored.stored_bytes), (60 * MIB, 60 * MIB));
    assert_eq!(stored.source_crc32c, crc32c::crc32c(&whole));
    assert_eq!(stored.stored_crc32c, crc32c::crc32c(&masked));
    assert!(!stored.changed);
    let taken = std::fs::metadata(place.root().join("sparse")).expect("there").blocks() * 512;
    assert!(taken <= 20 * MIB, "{taken} bytes are taken");
}

#[test]
fn zeros_that_are_a_secret_are_masked_in_a_hole() {
    let place = Place::new();
    let censor = censor_of(place.dir.path(), &[&"\0".repeat(2000)]);
    let source = sparse(&place, 6 * MIB, &[(0, b"text")]);
    let whole = std::fs::read(place.dir.path().join("source")).expect("read");
    let masked = censor.bytes(&whole);
    let stored =
        run(upload(&place.store, &request("sparse", source), Some(&censor), &LIMITS)).expect("stored");
    assert!(place.content("sparse") == masked, "as if there were no hole");
    assert_eq!(stored.stored_crc32c, crc32c::crc32c(&masked));
}

#[test]
fn a_hole_of_a_tebibyte_takes_no_time_and_no_space() {
    let place = Place::new();
    let censor = censor_of(place.dir.path(), &["the-secret-value"]);
    let source = sparse(&place, 1 << 40, &[((1 << 40) - 16, b"the-secret-value")]);
    let started = std::time::Instant::now();
    let stored =
        run(upload(&place.store, &request("sparse", source), Some(&censor), &LIMITS)).expect("stored");
    assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!((stored.stored_bytes, stored.censored), (1 << 40, 16));
    let object = File::open(place.root().join("sparse")).expect("there");
    let mut end = [0; 17];
    object.read_exact_at(&mut end, (1 << 40) - 17).expect("read");
    assert_eq!(&end, b"\0XXXXXXXXXXXXXXXX");
    assert!(object.metadata().expect("there").blocks() * 512 < 10 * MIB);
}

#[test]
fn i6_a_tar_archive_far_behind_other_bytes_is_named() {
    let mut header = [0; 512];
    header[0] = b'a';
    header[124..136].copy_from_slice(b"00000000000\0");
    let sum = header.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let text = [&b"text\n"[..], &vec![b'.'; 1_048_576 + 507]].concat();
    let end = 40 * MIB + text.len() as u64;
    for (at, is_named) in [(30 * MIB, true), (end + 512, true), (end + 100, false)] {
        let place = Place::new();
        let censor = censor_of(place.dir.path(), &["the-secret-value"]);
        let source = sparse(&place, 60 * MIB, &[(0, b"text"), (40 * MIB, &text), (at, &header)]);
        let stored = run(upload(&place.store, &plain(request("far", source)), Some(&censor), &LIMITS))
            .expect("stored");
        let note = stored.note.as_deref();
        assert_eq!(note, is_named.then_some("not looked into: a tar archive behind other bytes"), "{at}");
    }
}

#[test]
fn i5_a_sparse_test_report_stays_sparse() {
    let place = Place::new();
    let source = sparse(&place, 1 << 40, &[(0, b"<testsuite><testcase name='a'/></testsuite>")]);
    let reports = Reports::default();
    let reader = Some(ContentReader::TestReport(reports.clone(), 1));
    let stored = place.run(&Upload { reader, ..plain(request("junit.xml", source)) }).expect("stored");
    assert_eq!(stored.stored_bytes, 1 << 40);
    let object = std::fs::metadata(place.root().join("junit.xml")).expect("there");
    assert!(object.blocks() * 512 < 10 * MIB, "{} blocks", object.blocks());
    let summary = reports.summary(&|text| text.to_owned()).expect("read");
    assert_eq!((summary.counts.tests, summary.incomplete), (1, 1));
}

#[test]
fn i5_a_container_with_a_hole_takes_no_time() {
    let place = Place::new();
    let censor = censor_of(place.dir.path(), &["the-secret-value"]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"hello").expect("packed");
    let source = sparse(&place, 1 << 30, &[(0, &packed.finish().expect("packed"))]);
    let started = std::time::Instant::now();
    let stored =
        run(upload(&place.store, &plain(request("a.gz", source)), Some(&censor), &LIMITS)).expect("stored");
    assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!((stored.stored_bytes, stored.censored, stored.note), (1 << 30, 0, None));
    let object = std::fs::metadata(place.root().join("a.gz")).expect("there");
    assert!(object.blocks() * 512 < 10 * MIB, "{} blocks", object.blocks());
}
