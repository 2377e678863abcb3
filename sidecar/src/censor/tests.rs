//! The vectors of contract 10.4.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use proptest::prelude::*;
use std::io::Write;

fn censor<V: AsRef<[u8]>>(secrets: &[V]) -> Censor {
    with_minimum(secrets, 0)
}

fn with_minimum<V: AsRef<[u8]>>(secrets: &[V], minimum: i64) -> Censor {
    let options = CensoringOptions { minimum_secret_length: Some(minimum), ..CensoringOptions::default() };
    Censor::new(Loaded::from_values(secrets), &options).0
}

/// Masks a text that arrives in chunks of these sizes, over and over.
fn chunked(mask: &mut dyn Mask, text: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut window, mut output, mut rest) = (Vec::new(), Vec::new(), text);
    for size in sizes.iter().cycle() {
        let (now, later) = rest.split_at((*size).clamp(1, rest.len().max(1)).min(rest.len()));
        window.extend_from_slice(now);
        rest = later;
        let released = mask.mask(&mut window, rest.is_empty());
        output.extend(window.drain(..released));
        if rest.is_empty() {
            break;
        }
    }
    assert!(window.is_empty(), "the end releases everything");
    output
}

#[test]
fn v_cs_1_a_stream() {
    let text = "In my younger and more vulnerable years my father gave me some advice that I’ve been turning \
                over in my mind ever since.";
    let text = &text.as_bytes()[..100];
    let censor = censor(&["younger", "my"]);
    let expected = "In XX XXXXXXX and more vulnerable years XX father gave me some advice that I’ve been \
                    turning over ";
    for size in [1, 2, 7, 200] {
        let mut mask = censor.stream().expect("secrets are in force");
        assert_eq!(chunked(&mut *mask, text, &[size]), expected.as_bytes());
        assert_eq!(mask.masked(), 11);
    }
}

#[test]
fn v_cr_1_to_4_replacement() {
    let text = "secret SECRET c2VjcmV0 sEcReT";
    let rows: [(&[&str], &str); 4] = [
        (&[], text),
        (&["secret"], "XXXXXX SECRET XXXXXXXX sEcReT"),
        (&["\t", " ", "\t \t"], text),
        (&["secret", "SECRET", "sEcReT"], "XXXXXX XXXXXX XXXXXXXX XXXXXX"),
    ];
    for (secrets, expected) in rows {
        assert_eq!(censor(secrets).text(text), expected, "{secrets:?}");
    }
}

#[test]
fn v_cb_1_to_3_booleans_are_not_masked() {
    let text = "true True TRUE tRUE should stay";
    assert_eq!(censor(&["true", "True", "TRUE", " TRUE", "tRue"]).text(text), text);
    assert_eq!(censor(&[b"true".as_slice(), b"TRUE"]).text(text), text);
    let text = "false False FALSE fALse should stay";
    assert_eq!(censor(&["false", "False", "FALSE", " FALSE", "fAlse"]).text(text), text);
}

#[test]
fn v_cl_1_to_5_minimum_length() {
    let rows: [(&[&str], i64, &str, &str); 5] = [
        (&["a", "bb", "ccc", "dddd"], 0, "data: a bb ccc dddd", "dXtX: X XX XXX XXXX"),
        (&["a", "bb", "ccc", "dddd"], 3, "data: a bb ccc dddd", "data: a bb XXX XXXX"),
        (&["short", "medium"], 10, "data: short medium", "data: short medium"),
        (&["abc"], 5, "data: abc YWJj", "data: abc YWJj"),
        (&["secret"], 5, "data: secret c2VjcmV0", "data: XXXXXX XXXXXXXX"),
    ];
    for (secrets, minimum, text, expected) in rows {
        assert_eq!(with_minimum(secrets, minimum).text(text), expected, "{secrets:?} {minimum}");
    }
}

#[test]
fn overlaps_leave_nothing_visible() {
    let censor = censor(&["foo", "foobar", "abcdefgh", "fghijklm"]);
    assert_eq!(censor.text("foobar abcdefghijklm foo"), "XXXXXX XXXXXXXXXXXXX XXX");
}

#[test]
fn without_secrets_nothing_is_held_back() {
    let censor = censor::<&str>(&[]);
    assert!(censor.stream().is_none());
    assert_eq!(censor.text("anything"), "anything");
    assert_eq!(format!("{:?}", self::censor(&["hunter2"])), "Censor { secrets: 1, .. }");
}

/// The secret directory of "Full run", and the censor made of it.
fn full_run() -> (tempfile::TempDir, Censor, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let account = "{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN\\nabc\"\n}\n\n\n";
    let ini = "[default]\naws_access_key_id=aws_access_key_id_value\n\
               aws_secret_access_key=aws_secret_access_key_value\n";
    let files = [
        ("a/friend.txt", "friend\n"),
        ("a/service-account.json", account),
        ("b/advice.txt", "advice\n"),
        ("awscred/.awscred", ini),
        ("dockercfg/.dockercfg", DOCKERCFG),
        (
            "dockerconfigjson/.dockerconfigjson",
            r#"{"auths":{"registry.com":{"password":"BOBspass","auth":"BOBsencodedauth"}}}"#,
        ),
    ];
    for (path, content) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, content).expect("written");
    }
    let options = CensoringOptions {
        secret_directories: vec![dir.path().display().to_string()],
        exclude_directories: vec!["**/exclude".to_owned()],
        ini_filenames: vec![".awscred".to_owned()],
        censoring_buffer_size: Some(1),
        ..CensoringOptions::default()
    };
    let (censor, problems) = Censor::load(&options);
    assert!(problems.is_empty(), "{problems:?}");
    (dir, censor, account.to_owned())
}

const DOCKERCFG: &str = "{\n  \"registry.com\": {\"password\": \"bobspass\", \"auth\": \"bobsencodedauth\"},\n  \
                         \"other.com\": {\"password\": \"jimspass\", \"auth\": \"jimsencodedauth\"}\n}";

#[test]
fn v_cf_1_to_9_the_full_run() {
    let (_dir, censor, account) = full_run();
    let rows = [
        ("nothing secret here", "nothing secret here"),
        ("I give my friends advice!", "I give my XXXXXXs XXXXXX!"),
        ("Speak, friend, and enter.", "Speak, XXXXXX, and enter."),
        ("ZnJpZW5k", "XXXXXXXX"),
        ("gave me some advice that", "gave me some XXXXXX that"),
        ("id aws_access_key_id_value", "id XXXXXXXXXXXXXXXXXXXXXXX"),
        ("bobspass jimsencodedauth BOBspass", "XXXXXXXX XXXXXXXXXXXXXXX XXXXXXXX"),
        ("", ""),
    ];
    for (text, expected) in rows {
        assert_eq!(censor.text(text), expected);
    }
    let encoded = STANDARD.encode(&account);
    let masked = censor.text(&format!("before\n{encoded}\nafter"));
    assert_eq!(masked, format!("before\n{}\nafter", "X".repeat(encoded.len())));
    assert_eq!(censor.text(DOCKERCFG), "X".repeat(DOCKERCFG.len()), "newlines included");
    assert!(!censor.selects(b"first/exclude") && censor.selects(b"first/log.txt"));
}

#[test]
fn strict_withholds_when_a_secret_is_missing() {
    let options = |strict| CensoringOptions {
        secret_directories: vec!["/does/not/exist".to_owned()],
        strict,
        ..CensoringOptions::default()
    };
    let (lenient, problems) = Censor::load(&options(false));
    assert_eq!((lenient.withholds_everything(), problems.len()), (None, 1));
    assert!(Censor::load(&options(true)).0.withholds_everything().is_some());
}

#[test]
fn i6_the_name_in_a_gzip_header_hides_no_secret() {
    let build = |name: &str| {
        let mut encoder =
            flate2::GzBuilder::new().filename(name).comment("x").write(Vec::new(), Compression::fast());
        encoder.write_all(b"harmless").expect("packed");
        encoder.finish().expect("packed")
    };
    assert_eq!(inspect(&build("the-secret-value.txt")), Verdict::Secret);
    assert!(matches!(inspect(&build("harmless.txt")), Verdict::Clean { .. }));
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("packed");
    encoder.finish().expect("packed")
}

/// A zip archive with packed members and data descriptors, without directory.
fn zip(members: &[&[u8]]) -> Vec<u8> {
    let mut archive = Vec::new();
    for content in members {
        archive.extend(b"PK\x03\x04\x14\0\x08\0\x08\0");
        archive.extend([0; 16]);
        archive.extend([5, 0, 3, 0]);
        archive.extend(b"m.txtxtr");
        let mut encoder = DeflateEncoder::new(archive, Compression::fast());
        encoder.write_all(content).expect("packed");
        archive = encoder.finish().expect("packed");
        archive.extend(b"PK\x07\x08");
        archive.extend([0; 12]);
    }
    archive
}

/// A stored member: its bytes stand in the archive as they are.
fn stored(content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).expect("small").to_le_bytes();
    let head = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".as_slice();
    [head, &size, &size, &[1, 0, 0, 0], b"s", content].concat()
}

fn inspect(archive: &[u8]) -> Verdict {
    let container = Container::of(archive).expect("a container");
    censor(&["the-secret-value"]).inspect(container, archive).expect("readable")
}

#[test]
fn containers_with_a_secret_are_found() {
    let noise: Vec<u8> = (0_u32..300_000).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let secret = [&noise, b"the-secret-value".as_slice(), &noise].concat();
    let clean = |archive: &[u8]| {
        assert_eq!(
            inspect(archive),
            Verdict::Clean { bytes: archive.len() as u64, crc32c: crc32c::crc32c(archive) }
        );
    };
    clean(&gzip(&noise));
    clean(&[gzip(&noise), gzip(b"more")].concat());
    clean(&zip(&[&noise, b"", b"small"]));
    assert_eq!(inspect(&gzip(&secret)), Verdict::Secret);
    clean(&[stored(&noise), zip(&[&noise]), stored(b"more")].concat());
    let in_the_first = [stored(b"x the-secret-value"), stored(b"more"), zip(&[b"x"]), stored(b"y")].concat();
    assert_eq!(inspect(&in_the_first), Verdict::Secret);
    assert_eq!(inspect(&[stored(&noise), stored(&secret)].concat()), Verdict::Secret);
    // Also across the members of a stream, and in any member of an archive.
    assert_eq!(inspect(&[gzip(b"the-secret"), gzip(b"-value")].concat()), Verdict::Secret);
    assert_eq!(inspect(&zip(&[&noise, &secret])), Verdict::Secret);
    assert_eq!(inspect(&[zip(&[b"x"]), b"the-secret-value".to_vec()].concat()), Verdict::Secret);
}

#[test]
fn damaged_containers_are_no_containers() {
    let whole = gzip(b"some text that is long enough to be cut");
    assert_eq!(inspect(&whole[..whole.len() - 9]), Verdict::Faulty);
    assert_eq!(inspect(b"\x1f\x8b\x08 only begins like one, the-secret-value"), Verdict::Faulty);
    assert_eq!(inspect(&[whole, b"the-secret-value".to_vec()].concat()), Verdict::Faulty);
    let archive = zip(&[b"some text that is long enough to be cut"]);
    assert_eq!(inspect(&archive[..archive.len() - 30]), Verdict::Faulty);
}

#[test]
fn a_source_that_cannot_be_read_is_no_verdict() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let censor = censor(&["secret"]);
    for container in [Container::Gzip, Container::Zip] {
        assert!(censor.inspect(container, Broken).is_err());
    }
}

/// Bytes that do not pack well and hold no signature.
fn noise(size: usize, seed: u32) -> Vec<u8> {
    let size = u32::try_from(size).expect("small");
    (seed..seed + size).map(|at| (at.wrapping_mul(2_654_435_761) >> 25).to_le_bytes()[0] | 0x80).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_secret_in_any_member_is_found_and_nothing_else(
        members in prop::collection::vec((any::<bool>(), 0_usize..150_000, any::<u8>()), 1..5),
        holder in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        let mut contents: Vec<Vec<u8>> =
            members.iter().map(|(_, size, seed)| noise(*size, u32::from(*seed))).collect();
        if let Some((member, at)) = &holder {
            let content = member.get_mut(&mut contents);
            let at = at.index(content.len() + 1);
            content.splice(at..at, *b"the-secret-value");
        }
        let packed = contents.iter().zip(&members);
        let archive = packed
            .map(|(content, (is_stored, ..))| if *is_stored { stored(content) } else { zip(&[content]) })
            .collect::<Vec<_>>()
            .concat();
        prop_assert_eq!(inspect(&archive) == Verdict::Secret, holder.is_some());
    }

}

proptest! {
    #[test]
    fn looking_into_anything_never_fails(bytes in prop::collection::vec(any::<u8>(), 0..500), kind in any::<bool>()) {
        let (container, magic) =
            if kind { (Container::Gzip, b"\x1f\x8b\x08".as_slice()) } else { (Container::Zip, b"PK\x03\x04".as_slice()) };
        let file = [magic, bytes.as_slice()].concat();
        prop_assert!(censor(&["the-secret-value"]).inspect(container, file.as_slice()).is_ok());
    }
}
