//! Zip members that no directory lists, and zip archives behind a text in other archives.

use super::compressed::{bzip2, xz, zstd};
use super::gzip::gzip;
use super::zip::{archive, member};
use super::*;

/// A text with a secret that no one sees in packed bytes.
fn text() -> Vec<u8> {
    [&noise(3000, 5), SECRET].concat()
}

/// A member without a directory.
fn alone(method: u16, packed: &[u8]) -> Vec<u8> {
    let mut file = archive(&[member("hidden", method, packed)]);
    let directory = file.windows(4).position(|window| window == b"PK\x01\x02").expect("there");
    file.truncate(directory);
    file
}

/// Methods with what they make of the text, and a note where no decoder is here.
fn members() -> [(u16, Vec<u8>, Option<&'static str>); 6] {
    [
        (0, gzip(&text()), None),
        (0, tar::archive(&[tar::member("a.gz", b'0', &gzip(&text()))]), None),
        (12, bzip2(&text(), 9), None),
        (95, xz(&text(), 6), None),
        (93, zstd(&text()), None),
        (14, noise(3000, 1), Some("not looked into: members packed by a method that is not known here")),
    ]
}

#[test]
fn i6_members_that_no_directory_lists_are_looked_into_whatever_packs_them() {
    for (method, packed, unknown) in members() {
        let hidden = alone(method, &packed);
        let mut streamed = hidden.clone();
        streamed[6] |= 8;
        streamed[14..26].fill(0);
        for hidden in [&hidden, &streamed] {
            let listed = archive(&[member("a.txt", 8, b"clean")]);
            let bench = Bench::new();
            let verdict = bench.look(&[hidden, &listed[..]].concat());
            match (unknown, &verdict) {
                (Some(name), Verdict::Clean { note: Some(note), .. }) => assert_eq!(note, name),
                (None, Verdict::Dirty) => {
                    let (output, _) = bench.rewrite(&[hidden, &listed[..]].concat()).expect("rewritten");
                    assert!(!holds(&output, &packed), "{method}");
                }
                (Some(_) | None, _) => panic!("{method}: {verdict:?}"),
            }
            // Without any directory.
            let verdict = bench.look(&[b"a text\n", &hidden[..]].concat());
            match (unknown, &verdict) {
                (Some(name), Verdict::Plain { note: Some(note) }) => assert_eq!(note, name),
                (None, Verdict::Withheld(_)) => {}
                (Some(_) | None, _) => panic!("{method}: {verdict:?}"),
            }
        }
    }
    let encrypted = [b"text".as_slice(), &alone(0, b"encrypted")].concat();
    let mut flagged = encrypted.clone();
    flagged[4 + 6] |= 1;
    assert_eq!(Bench::new().look(&encrypted), Verdict::Plain { note: None });
    let note = Some("not looked into: encrypted members".to_owned());
    assert_eq!(Bench::new().look(&flagged), Verdict::Plain { note });
}

#[test]
fn i6_members_that_cannot_be_unpacked_are_named_and_noise_is_not() {
    for (method, packed, _) in members() {
        let note = match method {
            14 => "not looked into: members packed by a method that is not known here",
            _ => "not looked into: zip members among other bytes",
        };
        if method == 0 {
            continue;
        }
        let half = [b"text".as_slice(), &alone(method, &packed[..20])].concat();
        assert_eq!(Bench::new().look(&half), Verdict::Plain { note: Some(note.to_owned()) }, "{method}");
        let mut noise = half;
        noise[4 + 4] = 200;
        assert_eq!(Bench::new().look(&noise), Verdict::Plain { note: None }, "{method}");
    }
}

#[test]
fn i6_a_program_with_a_zip_archive_is_looked_into_in_other_archives() {
    let zip = archive(&[member("__main__.py", 8, &text())]);
    for front in
        [&b"#!/usr/bin/env python3\n"[..], &[b"#!/bin/sh\n", &b"exit\n".repeat(2000)[..]].concat(), b"MZ"]
    {
        let program = [front, &zip].concat();
        for outer in [
            tar::archive(&[tar::member("a.pyz", b'0', &program), tar::member("b", b'0', b"clean")]),
            gzip(&tar::archive(&[tar::member("a.pyz", b'0', &program)])),
            ar::ar(&[("a.pyz", &program)]),
            ar::ar(&[("a.pyz", &program), ("b", b"clean")]),
        ] {
            let (output, rewritten) = rewritten(&outer);
            assert_eq!(rewritten.masked, 16);
            assert!(!holds(&output, &zip[..zip.len() / 2]));
        }
    }
}

#[test]
fn i6_a_zip_archive_that_is_not_looked_into_in_other_archives_is_named() {
    let note = Some("not looked into: zip members among other bytes".to_owned());
    let zip = archive(&[member("a", 8, &text())]);
    let far = [&b".".repeat(4000)[..], &zip].concat();
    let program = [b"#!/bin/sh\n", &far[..]].concat();
    let small = Bench::with(Limits { memory: 8192, ..Limits::default() });
    for (bench, file) in [
        (Bench::new(), tar::archive(&[tar::member("a", b'0', &far)])),
        (small, tar::archive(&[tar::member("a", b'0', &program)])),
        (Bench::new(), ar::ar(&[("a", &[&far[..], &noise(70_000, 1)].concat())])),
        (Bench::new(), gzip(&far)),
        (Bench::new(), gzip(&[b"short ", &alone(12, &noise(50, 1))[..]].concat())),
        (Bench::new(), archive(&[member("a", 8, &far)])),
    ] {
        let verdict = bench.look(&file);
        assert!(matches!(&verdict, Verdict::Clean { note: found, .. } if *found == note), "{verdict:?}");
    }
}

#[test]
fn harmless_programs_in_archives_stay() {
    let zip = archive(&[member("__main__.py", 8, b"print()"), member("a.gz", 0, &gzip(b"clean"))]);
    let program = [b"#!/usr/bin/env python3\n", &zip[..]].concat();
    let script = [b"#!/bin/sh\n", &b"echo\n".repeat(20_000)[..]].concat();
    for content in [&program, &script, &[b"\x7fELF", &noise(70_000, 1)[..]].concat()] {
        assert_clean(&tar::archive(&[tar::member("a", b'0', content), tar::member("b", b'0', b"clean")]));
        assert_clean(&ar::ar(&[("a", content), ("b", b"clean")]));
        // One beside a secret, too.
        let file = tar::archive(&[tar::member("a", b'0', content), tar::member("b", b'0', SECRET)]);
        let (output, _) = rewritten(&file);
        assert_eq!(output, tar::archive(&[tar::member("a", b'0', content), tar::member("b", b'0', MASKED)]));
    }
    // A script is one text with the name behind it.
    let script = [b"#!".as_slice(), &b".".repeat(500), b"the-secret"].concat();
    let file = tar::archive(&[tar::member("a", b'0', &script), tar::member("-value", b'0', b"clean")]);
    assert_eq!(Bench::new().look(&file), Verdict::Dirty);
}
