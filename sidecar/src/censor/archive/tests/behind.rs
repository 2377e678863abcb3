//! tar archives behind a beginning that is another container's, which GNU tar skips.

use super::ar::ar;
use super::gzip::gzip;
use super::zip::{archive, member};
use super::*;
use crate::censor::archive::tar_block;

/// A packed secret.
fn packed() -> Vec<u8> {
    gzip(&[&noise(3000, 5), SECRET].concat())
}

/// An archive with a packed secret.
fn hidden() -> Vec<u8> {
    tar::archive(&[tar::member("b.gz", b'0', &packed())])
}

/// Fills up with zeros to the next block.
fn filled(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[track_caller]
fn assert_refused(file: &[u8]) {
    let bench = Bench::new();
    let verdict = bench.look(file);
    assert!(matches!(verdict, Verdict::Dirty | Verdict::Withheld(_)), "{verdict:?}");
    assert!(bench.delivered(file).is_none());
    // As a member, it is withheld alone.
    let outer = tar::archive(&[tar::member("a", b'0', file), tar::member("b", b'0', b"clean")]);
    let delivered = bench.delivered(&outer).expect("delivered");
    assert!(holds(&delivered, b"a.withheld.txt") && holds(&delivered, b"clean"));
    assert!(!holds(&delivered, &packed()));
}

#[test]
fn i6_a_tar_archive_behind_another_container_is_withheld() {
    let zlib = [&[0x78, 1, 1, 3, 0, 0xfc, 0xff][..], b"abc", &0x024d_0127_u32.to_be_bytes()].concat();
    let spanning = u32::try_from(hidden().len() + 512 - 8).expect("small").to_le_bytes();
    for front in [
        [format::AR, b"and a text"].concat(),
        ar(&[("a.o", &noise(700, 1))]),
        ar(&[("a.tar", &tar::archive(&[tar::member("a", b'0', b"clean")]))]),
        zlib,
        [&b"\x50\x2a\x4d\x18"[..], &4_u32.to_le_bytes(), b"skip"].concat(),
        archive(&[member("a.txt", 8, b"clean")]),
        archive(&[member("a.txt", 0, b"clean"), member("b.txt", 0, &noise(2000, 1))]),
        b"%PDF-1.7\n".to_vec(),
    ] {
        let file = [filled(front.clone()), hidden()].concat();
        if front.starts_with(b"%PDF") {
            let bench = Bench::new();
            let delivered = bench.delivered(&file).expect("it is looked into as a tar archive");
            assert!(!holds(&delivered, &packed()));
        } else {
            assert_refused(&file);
        }
    }
    assert_refused(&[filled([&b"\x50\x2a\x4d\x18"[..], &spanning].concat()), hidden()].concat());
    // Before the directory, where no member is.
    let directory = archive(&[]);
    let mut zip = archive(&[member("a.txt", 0, b"clean")]);
    let at = zip.len() - directory.len() - 46 - 5;
    let gap = filled(zip[..at].to_vec()).len() - at;
    let between = [&vec![0; gap][..], &hidden()].concat();
    zip.splice(at..at, between.iter().copied());
    let place = zip.len() - 6;
    let start = u32::try_from(at + between.len()).expect("small").to_le_bytes();
    zip[place..place + 4].copy_from_slice(&start);
    assert_refused(&zip);
}

#[test]
fn i6_a_tar_archive_behind_a_damaged_stream_is_looked_into() {
    let zlib = [&[0x78, 1, 0, 100, 0, 155, 255][..], &noise(100, 1), &[7; 90]].concat();
    let lzma = [&[0x5d, 0, 0, 0x80, 0][..], &[0xff; 8], &[0xee; 90]].concat();
    for front in [zlib, lzma] {
        let bench = Bench::new();
        assert_eq!(bench.look(&front), Verdict::Plain { note: None });
        let file = [filled(front), hidden()].concat();
        let verdict = bench.look(&file);
        assert!(matches!(verdict, Verdict::Dirty | Verdict::Withheld(_)), "{verdict:?}");
        assert!(bench.delivered(&file).is_none());
        for outer in [gzip(&file), tar::archive(&[tar::member("a", b'0', &file)])] {
            let (output, rewritten) = rewritten(&outer);
            assert_eq!(rewritten.masked, 16);
            assert!(!holds(&gunzip(&output).0, &packed()) && !holds(&output, &packed()));
        }
    }
}

#[test]
fn i6_no_tar_archive_comes_to_lie_behind_what_is_packed_anew() {
    let mut moved = 0;
    for length in 0..1024 {
        // Of a size that depends on the bytes in front of the secret.
        let text = [&noise(length, 1), SECRET].concat();
        let zip = archive(&[member("a.txt", 8, &text)]);
        let behind = [&zip[..], &vec![b'.'; 513 + 512 - zip.len() % 512], &hidden()].concat();
        let bench = Bench::new();
        assert_eq!(bench.look(&behind), Verdict::Dirty);
        match bench.rewrite(&behind) {
            Ok((output, _)) => assert!(!output.as_chunks().0.iter().any(tar_block::is_header), "{length}"),
            Err(ArchiveError::Withheld(_)) => moved += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(moved > 0);
}

#[test]
fn tar_archives_that_are_members_are_no_archives_behind() {
    let inner = tar::archive(&[tar::member("a", b'0', b"clean")]);
    for length in 0..512 {
        let name = "n".repeat(length);
        assert_clean(&archive(&[member(&name, 0, &inner), member("b", 8, b"clean")]));
    }
    for length in 0..512 {
        assert_clean(&ar(&[("a", &vec![b'.'; length]), ("b.tar", &inner), ("c", b"clean")]));
    }
}
