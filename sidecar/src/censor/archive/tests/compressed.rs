//! zstd, bzip2 and xz, around an archive and in one.

use super::tar::{archive, member};
use super::*;
use lzma_rust2::{XzOptions, XzReader, XzWriter};
use proptest::prelude::*;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Write;

pub(super) fn xz(content: &[u8], level: u32) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(level)).expect("valid");
    writer.write_all(content).expect("packed");
    writer.finish().expect("packed")
}

fn unxz(stream: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    XzReader::new(stream, true).read_to_end(&mut content).expect("xz");
    content
}

pub(super) fn bzip2(content: &[u8], level: u32) -> Vec<u8> {
    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(level));
    writer.write_all(content).expect("packed");
    writer.finish().expect("packed")
}

fn bunzip2(stream: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    bzip2::bufread::MultiBzDecoder::new(stream).read_to_end(&mut content).expect("bzip2");
    content
}

pub(super) fn zstd(content: &[u8]) -> Vec<u8> {
    compress_to_vec(content, CompressionLevel::Fastest)
}

fn unzstd(stream: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut decoder = StreamingDecoder::new(stream).expect("zstd");
    decoder.read_to_end(&mut content).expect("zstd");
    assert_eq!(decoder.decoder.get_checksum_from_data(), decoder.decoder.get_calculated_checksum());
    content
}

type Coder = fn(&[u8]) -> Vec<u8>;

/// Each format: to pack and to unpack.
const FORMATS: [(&str, Coder, Coder); 3] =
    [("xz", |text| xz(text, 6), unxz), ("bz2", |text| bzip2(text, 9), bunzip2), ("zst", zstd, unzstd)];

#[test]
fn an_archive_with_a_secret_is_packed_anew() {
    for (name, pack, unpack) in FORMATS {
        let of = |secret: &[u8]| {
            let text = [&noise(300_000, 1), secret, &b"a line\n".repeat(10_000)].concat();
            let inner = gzip::gzip(secret);
            archive(&[
                member("dir/a", b'0', &text),
                member("dir/b", b'0', b"x"),
                member("c.gz", b'0', &inner),
            ])
        };
        assert_clean(&pack(&of(b"harmless")));
        let (output, rewritten) = rewritten(&pack(&of(SECRET)));
        let (found, expected) = (unpack(&output), of(MASKED));
        assert_eq!(found.len(), expected.len(), "{name}");
        // The inner stream was packed by another encoder than the one here.
        let same = expected.len() - 10 * 1024;
        assert!(found[..same / 2] == expected[..same / 2] && !holds(&found, SECRET), "{name}");
        assert_eq!((rewritten.masked, rewritten.note), (32, None), "{name}");
    }
}

#[test]
fn a_member_with_a_secret_is_packed_anew() {
    for (name, pack, unpack) in FORMATS {
        let text = [&noise(70_000, 3), SECRET].concat();
        let (name, packed) = (format!("log.{name}"), pack(&text));
        let (output, _) = rewritten(&archive(&[member(&name, b'0', &packed), member("b", b'0', b"x")]));
        let members = tar::members(&output);
        assert_eq!(members.len(), 2);
        assert_eq!(unpack(&members[0].2), [&noise(70_000, 3), MASKED].concat(), "{name}");
        let (output, _) = rewritten(&zip::archive(&[zip::member(&name, 0, &packed)]));
        assert!(!holds(&output, SECRET));
    }
}

#[test]
fn what_was_in_several_streams_is_in_one() {
    let skippable = [b"\x5e\x2a\x4d\x18".as_slice(), &4_u32.to_le_bytes(), b"seek"].concat();
    for (name, pack, unpack) in FORMATS {
        let mut streams = [pack(b"one, the-secret"), pack(b"-value, two")].concat();
        if name == "zst" {
            streams.extend(&skippable);
        }
        let (output, _) = rewritten(&streams);
        assert_eq!(unpack(&output), b"one, XXXXXXXXXXXXXXXX, two", "{name}");
    }
}

/// Less memory gives a lower level and not a withheld file; the level of the original is
/// in the window of xz, and in the first bytes of bzip2.
#[test]
fn levels_follow_the_original_and_the_memory() {
    let text = [SECRET, &noise(10, 0)].concat();
    let window = |bench: &Bench, level| {
        let (output, _) = bench.rewrite(&xz(&text, level)).expect("rewritten");
        // 2^18 bytes are 0x0c, 2^20 0x10, and so on (`.xz` file format, 5.3.1).
        output[16]
    };
    let usual = Bench::new();
    assert_eq!([0, 1, 2, 3, 6].map(|level| window(&usual, level)), [12, 16, 18, 20, 20]);
    let large = Bench::with(Limits { memory: 1 << 30, ..Limits::default() });
    assert_eq!([0, 6, 8].map(|level| window(&large, level)), [12, 22, 26]);
    let small = Bench::with(Limits { memory: 12 << 20, ..Limits::default() });
    assert_eq!(window(&small, 1), 12);
    for level in [1, 9] {
        let (output, _) = rewritten(&bzip2(&text, level));
        assert_eq!(output[3], b'0' + u8::try_from(level).expect("a digit"));
    }
}

/// `printf 'hi, the-secret-value\n' | zstd --ultra -22`, which asks for a window of 128 MiB,
/// and the same of a frame that holds more than the memory there is.
#[test]
fn a_wide_window_costs_what_is_unpacked() {
    let frame = |content: &[u8]| {
        let mut frame = zstd(content);
        // Exponent 17: 2^27 bytes.
        frame[5] = 17 << 3;
        frame
    };
    assert_eq!(unzstd(&zstd(b"hi\n")), b"hi\n");
    assert_clean(&frame(b"hi\n"));
    assert_clean(&[frame(b"hi\n"), frame(b"there\n")].concat());
    assert_eq!(unzstd(&rewritten(&frame(b"hi, the-secret-value\n")).0), b"hi, XXXXXXXXXXXXXXXX\n");
    let small = Bench::with(Limits { memory: 100_000, ..Limits::default() });
    assert!(matches!(small.look(&frame(&noise(99_000, 0))), Verdict::Clean { .. }));
    assert!(
        matches!(small.look(&frame(&noise(101_000, 0))), Verdict::Withheld(reason) if reason.contains("memory"))
    );
    let mut wider = frame(b"hi\n");
    wider[5] = 18 << 3;
    let look = Bench::new().look(&wider);
    assert!(matches!(look, Verdict::Withheld(reason) if reason.contains("memory")), "zstd refuses it, too");
}

#[test]
fn a_text_that_cannot_be_kept_aside_is_withheld() {
    let bench = Bench::with(Limits { spool_bytes: 500_000, ..Limits::default() });
    let stream = zstd(&[SECRET, &noise(600_000, 0)].concat());
    assert_eq!(bench.look(&stream), Verdict::Dirty);
    let error = bench.rewrite(&stream).expect_err("withheld");
    assert_eq!(error.to_string(), "more than 500000 bytes would have to be kept aside");
}

/// An output that fails ends the encoder, which has no way to say so.
#[test]
fn a_failing_output_is_told() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| std::io::Error::other("it is full"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let bench = Bench::new();
    for (name, pack, _) in FORMATS {
        let stream = pack(&[SECRET, &noise(200_000, 0)].concat());
        let with = WalkContext { matcher: &bench.matcher, is_stopped: &|| false, budget: None };
        let error = bench.archives.rewrite(&stream.as_slice(), &mut Full(100), with).expect_err("full");
        assert_eq!(error.to_string(), "it is full", "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever the text is, a decoder reads it from what was packed anew.
    #[test]
    fn any_text_is_packed_anew(
        parts in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..3000),
                (any::<u8>(), 0..40_000_usize).prop_map(|(byte, count)| vec![byte; count]),
                ("[a-z]{1,40}", 1..3000_usize).prop_map(|(word, count)| word.repeat(count).into_bytes()),
            ],
            0..8,
        ),
        format in 0..3_usize,
    ) {
        let text = [&parts.concat(), SECRET, &parts.concat()].concat();
        prop_assume!(format::Format::of(&text).is_none() && !holds(&parts.concat(), b"ustar"));
        let (_, pack, unpack) = FORMATS[format];
        let (output, _) = Bench::new().rewrite(&pack(&text)).expect("rewritten");
        prop_assert!(unpack(&output) == [&parts.concat(), MASKED, &parts.concat()].concat());
    }
}
