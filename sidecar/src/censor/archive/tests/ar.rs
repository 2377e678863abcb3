//! ar archives, and streams of lzma and zlib.

use super::compressed::xz;
use super::tar::{archive, member};
use super::zip;
use super::*;
use flate2::write::ZlibEncoder;
use lzma_rust2::{LzmaOptions, LzmaReader, LzmaWriter};
use std::io::Write;

pub(super) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, content) in members {
        file.extend(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 1_700_000_000, 0, 0, 100_644, content.len())
                .bytes(),
        );
        file.extend(*content);
        file.extend((content.len() % 2 == 1).then_some(b'\n'));
    }
    file
}

fn package(data: &[u8]) -> Vec<u8> {
    ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", &xz(b"control", 0)), ("data.tar.xz", data)])
}

#[test]
fn a_package_is_looked_into_and_packed_anew() {
    let of = |secret: &[u8]| xz(&archive(&[member("./etc/x", b'0', secret)]), 0);
    assert_clean(&package(&of(b"harmless")));
    let (output, rewritten) = rewritten(&package(&of(SECRET)));
    assert!(output == package(&of(MASKED)), "sizes and padding fit");
    assert_eq!(rewritten.note.as_deref(), Some("digests in it no longer fit: a Debian package"));
}

#[test]
fn i6_a_zip_is_a_member_or_the_file_is_withheld() {
    let zip = |secret: &[u8]| zip::archive(&[zip::member("a.txt", 8, secret)]);
    for name in ["one", "two"] {
        let of = |content: &[u8]| {
            let other: (&str, &[u8]) = ("text", b"harmless");
            if name == "one" { ar(&[(name, content), other]) } else { ar(&[other, (name, content)]) }
        };
        assert_clean(&of(&zip(b"harmless")));
        let (output, _) = rewritten(&of(&zip(SECRET)));
        assert!(holds(&output, b"PK") && !holds(&output, SECRET));
    }
    // In one that begins otherwise, behind the members, and across the end of one.
    assert_clean(&ar(&[("text", &[&b"begins otherwise "[..], &zip(b"harmless")].concat())]));
    let behind = [ar(&[("text", b"x")]), zip(b"harmless")].concat();
    let mut across = ar(&[("text", b"x")]);
    across.splice(8 + 48..8 + 50, *b"30");
    across.extend(zip(b"harmless"));
    for file in [behind, across] {
        assert!(matches!(Bench::new().look(&file), Verdict::Withheld(_)), "{:?}", Bench::new().look(&file));
    }
}

#[test]
fn i6_texts_of_an_archive_hide_no_secret() {
    let objects = ar(&[("a.o/", &[SECRET, b"odd"].concat()), ("b.o/", b"harmless")]);
    assert_eq!(rewritten(&objects).0, ar(&[("a.o/", &[MASKED, b"odd"].concat()), ("b.o/", b"harmless")]));
    // Across a header, and behind what is no header.
    let across = ar(&[("a.o/", b"text the-s"), ("ecret-value", b"x")]);
    let mut tail = ar(&[("a.o/", b"x")]);
    tail.extend([&b"no header "[..], SECRET].concat());
    for file in [across, tail, ar(&[(std::str::from_utf8(SECRET).expect("text"), b"x")])] {
        let delivered = Bench::new().delivered(&file).expect("delivered");
        assert!(!holds(&delivered, SECRET) && delivered.len() == file.len());
    }
    let mut damaged = gzip::gzip(SECRET);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let (output, rewritten) = rewritten(&package(&damaged));
    assert!(holds(&output, b"This member was withheld: it is damaged"));
    assert!(rewritten.note.is_some_and(|note| note.starts_with("1 member was withheld; digests")));
}

#[test]
fn a_package_that_is_cut_off_is_told() {
    let whole = package(&xz(&noise(9000, 0), 0));
    for cut in [9, 70, 100, whole.len() - 9] {
        let look = Bench::new().look(&whole[..cut]);
        assert!(matches!(look, Verdict::Plain { .. } | Verdict::Clean { .. }), "{cut}: {look:?}");
    }
    let cut = Bench::new().look(&whole[..whole.len() - 9]);
    assert!(matches!(cut, Verdict::Plain { note: Some(_) }), "{cut:?}");
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

fn unzlib(stream: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    flate2::read::ZlibDecoder::new(stream).read_to_end(&mut content).expect("zlib");
    content
}

fn lzma(content: &[u8], level: u32) -> Vec<u8> {
    let mut writer =
        LzmaWriter::new_use_header(Vec::new(), &LzmaOptions::with_preset(level), None).expect("valid");
    writer.write_all(content).expect("packed");
    writer.finish().expect("packed")
}

fn unlzma(stream: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    LzmaReader::new_mem_limit(stream, u32::MAX, None).expect("lzma").read_to_end(&mut content).expect("lzma");
    content
}

#[test]
fn streams_without_a_magic_number_are_packed_anew() {
    let text = |secret: &[u8]| [b"blob 70021\0", secret, &noise(70_000, 1)].concat();
    for level in [0, 6, 9] {
        assert_clean(&lzma(&text(b"harmless"), level));
        assert_eq!(unlzma(&rewritten(&lzma(&text(SECRET), level)).0), text(MASKED));
    }
    assert_clean(&zlib(&text(b"harmless")));
    assert_eq!(unzlib(&rewritten(&zlib(&text(SECRET))).0), text(MASKED));
    let (output, rewritten) = rewritten(&[zlib(&text(SECRET)), b"behind the-secret-value".to_vec()].concat());
    assert!(output.ends_with(b"behind XXXXXXXXXXXXXXXX") && unzlib(&output) == text(MASKED));
    assert_eq!(rewritten.note.as_deref(), Some("not looked into: what follows a compressed stream"));
    let inside = archive(&[member("objects/ab/cdef", b'0', &zlib(SECRET))]);
    assert!(!holds(&Bench::new().delivered(&inside).expect("delivered"), SECRET));
}

/// Many texts begin like a zlib stream: they stay what they are.
#[test]
fn texts_that_begin_like_a_stream_stay() {
    for text in
        ["x^2 + 1 = 0, solved by the-secret-value and others", "x\u{1}", "x^", "hC is a language", "]\0\0"]
    {
        let delivered = Bench::new().delivered(text.as_bytes()).expect("delivered");
        assert_eq!(delivered, text.replace("the-secret-value", "XXXXXXXXXXXXXXXX").into_bytes());
    }
    // It goes on as something else: what was unpacked has been looked at.
    let mut broken = zlib(&noise(200_000, 1));
    let middle = broken.len() / 2;
    broken[middle..].fill(0xff);
    broken.extend(SECRET);
    let delivered = Bench::new().delivered(&broken).expect("delivered");
    assert!(delivered.ends_with(MASKED) && delivered[..middle] == broken[..middle]);
}

#[test]
fn digests_that_no_longer_fit_are_named() {
    let of = |name: &str| archive(&[member(name, b'0', b"x"), member("a", b'0', SECRET)]);
    for (name, what) in [("./oci-layout", "a container image"), ("checksums.yaml.gz", "a gem")] {
        let note = format!("digests in it no longer fit: {what}");
        assert_eq!(rewritten(&of(name)).1.note, Some(note));
    }
    for (name, what) in [("x-1.dist-info/RECORD", "a wheel"), ("META-INF/SIGNED.SF", "a signed jar")] {
        let file = zip::archive(&[zip::member(name, 8, b"x"), zip::member("a", 8, SECRET)]);
        assert_eq!(rewritten(&file).1.note, Some(format!("digests in it no longer fit: {what}")));
    }
    assert_clean(&archive(&[member("oci-layout", b'0', b"x")]));
}
