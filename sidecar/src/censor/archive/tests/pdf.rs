//! PDF documents.

use super::*;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use std::io::Write;

const PAGE: &[u8] = b"BT /F1 12 Tf 72 720 Td (token: the-secret-value and more) Tj ET\n";

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

fn ascii85(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for group in bytes.chunks(4) {
        let mut padded = [0; 4];
        padded[..group.len()].copy_from_slice(group);
        let value = u64::from(u32::from_be_bytes(padded));
        let digits = (0..5).map(|at| (value / 85_u64.pow(4 - at) % 85).to_le_bytes()[0] + b'!');
        text.extend(digits.take(group.len() + 1));
    }
    [&text[..], b"~>"].concat()
}

/// A document with one object for each stream, which has its filter in front.
fn document(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    for (filter, data) in streams {
        write!(file, "1 0 obj\n<< {filter}/Length {} >>\nstream\n", data.len()).expect("memory");
        file.extend_from_slice(data);
        file.extend_from_slice(b"\nendstream\nendobj\n");
    }
    file.extend_from_slice(b"trailer << /Root 1 0 R >>\nstartxref\n0\n%%EOF\n");
    file
}

fn flate(content: &[u8]) -> (&'static str, Vec<u8>) {
    ("/Filter /FlateDecode ", deflated(content))
}

/// Returns what the deflated streams contain, as a reader finds them by their lengths.
fn contents(file: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = memchr::memmem::find(&file[at..], b"/Length ") {
        at += next + 8;
        let digits = file[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length: usize =
            std::str::from_utf8(&file[at..at + digits]).expect("text").parse().expect("a number");
        let start = at + memchr::memmem::find(&file[at..], b"stream\n").expect("a stream") + 7;
        let mut content = Vec::new();
        let data = &file[start..start + length];
        assert!(file[start + length..].starts_with(b"\nendstream"));
        match flate2::read::ZlibDecoder::new(data).read_to_end(&mut content) {
            Ok(_) => found.push(content),
            Err(_) => found.push(data.to_vec()),
        }
        at = start + length;
    }
    found
}

#[test]
fn a_document_without_a_secret_stays() {
    assert_clean(&document(&[]));
    assert_clean(&document(&[
        flate(b"BT (nothing) Tj ET"),
        ("", b"plain".to_vec()),
        flate(&noise(100_000, 3)),
    ]));
    assert_clean(&document(&[("/Filter [ /ASCII85Decode /FlateDecode ] ", ascii85(&deflated(b"nothing")))]));
    assert_clean(&document(&[("/Filter /ASCII85Decode ", ascii85(b"nothing"))]));
    // No text is in pictures.
    assert_clean(&document(&[("/Filter /DCTDecode ", noise(1000, 1))]));
}

#[test]
fn a_stream_is_packed_anew_at_its_length() {
    let other = flate(b"BT (nothing) Tj ET");
    let objects =
        flate(&[b"1 0 2 20 ".as_slice(), b"<< /Title (x the-secret-value) >>", &noise(90_000, 7)].concat());
    for streams in [vec![other.clone(), flate(PAGE), other.clone()], vec![objects, flate(PAGE), other]] {
        let file = document(&streams);
        let (output, rewritten) = rewritten(&file);
        assert_eq!(output.len(), file.len());
        let masked = contents(&file).into_iter().map(|content| {
            let mut masked = content;
            Bench::new().fresh().mask(&mut masked, true);
            masked
        });
        assert_eq!(contents(&output), masked.collect::<Vec<_>>());
        assert_eq!(rewritten.note, None);
    }
}

#[test]
fn what_is_not_packed_is_masked() {
    let info = (" /Title (the-secret-value) ", Vec::new());
    let (output, rewritten) = rewritten(&document(&[info, flate(PAGE), ("", PAGE.to_vec())]));
    assert!(!holds(&output, SECRET) && holds(&output, MASKED));
    assert_eq!(contents(&output).iter().filter(|content| holds(content, MASKED)).count(), 2);
    assert_eq!(rewritten.masked, 3 * SECRET.len() as u64);
}

#[test]
fn text_around_packed_data_is_undone_and_written_anew() {
    for (filter, data) in [
        ("/Filter [ /ASCII85Decode /FlateDecode ] ", ascii85(&deflated(PAGE))),
        ("/Filter [/A85 /Fl ] ", ascii85(&deflated(PAGE))),
        ("/Filter /ASCII85Decode ", ascii85(PAGE)),
    ] {
        let file = document(&[(filter, data), flate(PAGE)]);
        let (output, _) = rewritten(&file);
        assert_eq!(output.len(), file.len());
        assert!(holds(&output, b"~>\nendstream"), "{filter}");
        let written = &contents(&output)[0];
        let end = written.len() - 2;
        assert!(written[..end].iter().all(|byte| (b'!'..=b'u').contains(byte) || *byte == b'\n'));
    }
}

/// All but the secret's last byte is one copy with the text in front of it; its mask is not.
#[test]
fn a_stream_that_cannot_become_as_short_withholds_the_document() {
    let front = noise(100, 3);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[&front[..], b"the-secret-valu?", &front, SECRET].concat()).expect("memory");
    let file = document(&[("/Filter /FlateDecode ", encoder.finish().expect("memory"))]);
    let bench = Bench::new();
    assert_eq!(bench.look(&file), Verdict::Dirty);
    let Err(ArchiveError::Withheld(reason)) = bench.rewrite(&file) else { panic!("not withheld") };
    assert_eq!(reason, "it holds a secret and cannot be packed anew");
}

#[test]
fn streams_that_cannot_be_unpacked_are_named() {
    let broken = [&deflated(PAGE)[..20], &[0xff; 40][..]].concat();
    for (filter, data) in [
        ("/Filter /LZWDecode ", noise(100, 1)),
        ("/Filter [ /ASCIIHexDecode /FlateDecode ] ", b"789c>".to_vec()),
        // Encrypted.
        ("/Filter /FlateDecode ", noise(100, 1)),
        ("/Filter /FlateDecode ", broken),
        ("/Filter /ASCII85Decode ", b"abc\xff".to_vec()),
    ] {
        let verdict = Bench::new().look(&document(&[(filter, data), flate(b"nothing")]));
        let Verdict::Clean { note, .. } = &verdict else { panic!("{filter}: {verdict:?}") };
        assert_eq!(note.as_deref(), Some("not looked into: streams of a PDF document"), "{filter}");
        let behind = document(&[(filter, noise(100, 1)), flate(PAGE)]);
        assert_eq!(Bench::new().look(&behind), Verdict::Dirty, "{filter}");
    }
}

#[test]
fn keywords_at_any_place_of_a_chunk_are_found() {
    for missing in 0..40 {
        let filler = vec![b' '; CHUNK_BYTES - 80 - missing];
        let file = [b"%PDF-1.4\n".as_slice(), &filler, &document(&[flate(PAGE)])[9..]].concat();
        let (output, _) = rewritten(&file);
        assert_eq!(output.len(), file.len());
    }
    for end in ["stream", "stream\n", "stream\r\n", "strea", "endstream\n"] {
        assert_clean(&[b"%PDF-1.4\n", end.as_bytes()].concat());
    }
}

#[test]
fn documents_in_containers_and_containers_in_documents() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&document(&[flate(PAGE)])).expect("memory");
    let (output, _) = rewritten(&gzip.finish().expect("memory"));
    assert!(contents(&gunzip(&output).0).iter().all(|content| holds(content, MASKED)));
    let mut attachment = GzEncoder::new(Vec::new(), Compression::default());
    attachment.write_all(PAGE).expect("memory");
    let attachment = attachment.finish().expect("memory");
    assert_eq!(Bench::new().look(&document(&[flate(&attachment)])), Verdict::Dirty);
}

#[test]
fn limits_hold_for_streams() {
    let small = Bench::with(Limits { members: 3, ..Limits::default() });
    let many = document(&vec![("", Vec::new()); 4]);
    assert!(matches!(small.look(&many), Verdict::Withheld(reason) if reason.contains("3 members")));
    let bomb = document(&[flate(&vec![b'a'; 70 << 20])]);
    assert!(matches!(Bench::new().look(&bomb), Verdict::Withheld(reason) if reason.contains("250")));
    let narrow = Bench::with(Limits { memory: 32, ..Limits::default() });
    let file = document(&[flate(PAGE)]);
    assert_eq!(narrow.look(&file), Verdict::Dirty);
    assert!(
        matches!(narrow.rewrite(&file), Err(ArchiveError::Withheld(reason)) if reason.contains("memory"))
    );
}

/// Streams that hold the beginnings of others cost no more than their length.
#[test]
fn keywords_within_streams_cost_nothing() {
    let inner = document(&vec![flate(b"x"); 2000]);
    let mut stored = ZlibEncoder::new(Vec::new(), Compression::none());
    stored.write_all(&inner).expect("memory");
    let file = document(&[("/Filter /FlateDecode ", stored.finish().expect("memory"))]);
    let few =
        Bench::with(Limits { members: 3000, unpacked_bytes: 3 * inner.len() as u64, ..Limits::default() });
    assert!(matches!(few.look(&file), Verdict::Clean { .. }), "{:?}", few.look(&file));
}

proptest! {
    #[test]
    fn damaged_documents_are_delivered_at_their_length_or_not_at_all(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut file = document(&[
            flate(PAGE), ("/Filter [ /ASCII85Decode /FlateDecode ] ", ascii85(&deflated(b"nothing"))), flate(&noise(300, 9)),
        ]);
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(output) = Bench::new().delivered(&file) {
            prop_assert!(output.len() == file.len() && !holds(&output, SECRET));
        }
    }
}
