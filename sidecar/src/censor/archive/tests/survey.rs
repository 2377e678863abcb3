//! Containers that do not begin like one, and budgets.

use super::gzip::gzip;
use super::*;
use crate::censor::budget::Budget;
use std::time::Duration;

/// A packed secret, which no one sees in the bytes as they are.
fn packed() -> Vec<u8> {
    gzip(&[&noise(3000, 5), SECRET].concat())
}

/// Not delivered as it is, as if it were plain bytes.
#[track_caller]
fn assert_seen(file: &[u8]) {
    let bench = Bench::new();
    let verdict = bench.look(file);
    assert!(matches!(verdict, Verdict::Dirty | Verdict::Withheld(_)), "{verdict:?}");
    if let Some(delivered) = bench.delivered(file) {
        assert!(!holds(&delivered, &packed()), "the packed secret is still there");
    }
}

#[test]
fn i6_a_tar_archive_is_found_behind_other_blocks_and_a_damaged_header() {
    let archive = tar::archive(&[tar::member("a", b'0', b"text"), tar::member("b.gz", b'0', &packed())]);
    let mut damaged = archive.clone();
    damaged[10] ^= 1;
    let behind = [vec![b'x'; 512 * 3], archive.clone()].concat();
    let far = [vec![b'x'; CHUNK_BYTES * 2 + 512], archive].concat();
    for file in [damaged, behind, far] {
        assert_seen(&file);
        assert_seen(&gzip(&file));
    }
}

#[test]
fn i6_a_zip_archive_is_found_with_bytes_around_it() {
    let archive = zip::archive(&[zip::member("a", 8, &[&noise(3000, 5), SECRET].concat())]);
    for (before, behind) in [(0, 40), (100, 0), (100, 40), (CHUNK_BYTES - 2, 60_000)] {
        let file = [vec![b'x'; before], archive.clone(), vec![b'y'; behind]].concat();
        assert_seen(&file);
    }
    let without_end = [vec![b'x'; CHUNK_BYTES - 2], archive[..archive.len() - 22].to_vec()].concat();
    assert!(matches!(Bench::new().look(&without_end), Verdict::Withheld(_)));
    let polyglot = [gzip(b"clean"), archive].concat();
    assert!(matches!(Bench::new().look(&polyglot), Verdict::Withheld(_)));
}

#[test]
fn i6_a_container_that_only_7z_finds_is_named() {
    let archive = tar::archive(&[tar::member("a.gz", b'0', &packed())]);
    let named = Verdict::Plain { note: Some("not looked into: a container behind other bytes".to_owned()) };
    for before in [7, CHUNK_BYTES - 300, CHUNK_BYTES - 2] {
        for container in [archive.clone(), packed(), b"\xfd7zXZ\0rest".to_vec(), b"Rar!\x1a\x07".to_vec()] {
            let file = [vec![b'x'; before], container].concat();
            assert_eq!(Bench::new().look(&file), named, "{before}");
        }
    }
    let zip = zip::archive(&[zip::member("a", 8, b"clean")]);
    let between = [&b"#!/bin/sh\n"[..], &packed(), &zip].concat();
    let verdict = Bench::new().look(&between);
    let note = Some("not looked into: a container behind other bytes".to_owned());
    assert!(matches!(&verdict, Verdict::Clean { note: found, .. } if *found == note), "{verdict:?}");
}

#[test]
fn formats_without_a_decoder_are_named() {
    for (magic, name) in [
        (&b"7z\xbc\xaf\x27\x1c\0\x04"[..], "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"\x04\x22\x4d\x18\x64\x40\xa7", "an LZ4 stream"),
        (b"LZIP\x01\x0c", "an lzip stream"),
        (b"xar!\0\x1c\0\x01", "a xar archive"),
        (b"PAR1\x15\x04\x15", "pages of a Parquet file"),
        (b"\xed\xab\xee\xdb\x03\0\0\0", "an RPM package"),
        (b"hsqs\x07\0\0\0", "a SquashFS image"),
    ] {
        let file = [magic, &noise(3000, 5)].concat();
        let note = Some(format!("not looked into: {name}"));
        assert_eq!(Bench::new().look(&file), Verdict::Plain { note: note.clone() });
        // The payload of a package is a container.
        let payload = [magic, b"payload ", &packed()].concat();
        assert_eq!(Bench::new().look(&payload), Verdict::Plain { note: note.clone() });
        for container in [
            tar::archive(&[tar::member("a", b'0', &file)]),
            zip::archive(&[zip::member("a", 8, &file)]),
            gzip(&file),
        ] {
            let verdict = Bench::new().look(&container);
            assert!(matches!(&verdict, Verdict::Clean { note: found, .. } if *found == note), "{verdict:?}");
        }
        // What can be read of it is masked.
        let plain = Bench::new().delivered(&[&file[..], SECRET].concat()).expect("delivered");
        assert!(plain.ends_with(MASKED));
    }
}

/// brotli has no magic number; arrays of `NumPy` are a zip archive.
#[test]
fn brotli_is_plain_and_arrays_are_looked_into() {
    let brotli = b"\x0b\x02\x80hello\x03";
    assert_eq!(Bench::new().look(brotli), Verdict::Plain { note: None });
    let array = [b"\x93NUMPY\x01\0".as_slice(), SECRET].concat();
    let (output, _) = rewritten(&zip::archive(&[zip::member("token.npy", 8, &array)]));
    assert!(matches!(Bench::new().look(&output), Verdict::Clean { .. }));
}

#[test]
fn text_that_resembles_a_container_stays_plain() {
    for text in [&b"a line of text\n".repeat(10_000)[..], b"PK\x05\x06 and PK\x01\x02", &noise(5000, 1)] {
        assert_eq!(Bench::new().look(text), Verdict::Plain { note: None });
    }
}

#[test]
fn a_budget_is_shared_by_files_and_streams() {
    let bench = Bench::new();
    let file = gzip(&noise(300_000, 0));
    let look = |budget: &Budget| {
        let with = WalkContext { matcher: &bench.matcher, is_stopped: &|| false, budget: Some(budget) };
        bench.archives.look(&file.as_slice(), with).expect("readable")
    };
    let bytes = Budget::new(Duration::MAX, 500_000);
    assert!(matches!(look(&bytes), Verdict::Clean { .. }));
    assert!(matches!(look(&bytes), Verdict::Withheld(reason) if reason.contains("500000 bytes")));
    let time = Arc::new(Budget::new(Duration::ZERO, u64::MAX));
    assert!(matches!(look(&time), Verdict::Withheld(_)));
    let mut mask = bench.fresh().within(Some(Arc::clone(&time)));
    mask.mask(&mut noise(100_000, 0), true);
    assert!(mask.exceeded().is_some());
    assert_eq!(bench.fresh().exceeded(), None);
}
