//! The vectors of contract 10.4.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

fn censor<V: AsRef<[u8]>>(secrets: &[V]) -> Censor {
    with_minimum(secrets, 0)
}

fn with_minimum<V: AsRef<[u8]>>(secrets: &[V], minimum: i64) -> Censor {
    let options = CensoringOptions { minimum_secret_length: Some(minimum), ..CensoringOptions::default() };
    Censor::new(&Secrets::of_values(secrets, &options), &options, 1)
}

fn load(options: &CensoringOptions) -> Censor {
    let mut secrets = Secrets::new(options, &[]);
    secrets.read();
    Censor::new(&secrets, options, 1)
}

/// Masks a text that arrives in chunks of these sizes, over and over.
fn chunked(mask: &mut StreamMask, text: &[u8], sizes: &[usize]) -> Vec<u8> {
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
        assert_eq!(chunked(&mut mask, text, &[size]), expected.as_bytes());
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
    let censor = load(&options);
    assert!(censor.problems().is_empty(), "{:?}", censor.problems());
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
    let lenient = load(&options(false));
    assert_eq!((lenient.withholds_everything(), lenient.problems().len()), (None, 1));
    assert!(load(&options(true)).withholds_everything().is_some());
}

#[test]
fn i6_when_nothing_can_be_looked_for_nothing_is_shown() {
    let options = CensoringOptions::default();
    let censor =
        Censor { blind: Some(String::new()), ..Censor::new(&Secrets::new(&options, &[]), &options, 1) };
    assert_eq!(censor.text("a name"), "XXXXXX");
}

#[test]
fn i6_hexadecimal_and_percent_encoding_in_any_case() {
    let censor = censor(&["pass word<>!"]);
    for text in [
        "706173732067",
        "7061737320776F72643c3E21 7061737320776f72643C3e21",
        "pass%20word%3c%3E%21",
        "pass+word%3C%3e%21",
    ] {
        let masked = censor.text(text);
        assert_eq!(masked == text, text == "706173732067", "{masked}");
        assert!(!masked.contains("21"), "{masked}");
    }
}

#[test]
fn attempt_that_is_given_up_decides_nothing_about_the_other_names_of_a_file() {
    const FILE: Identity = (1, 2, 3, 4, 5);
    let censor = Censor::of_values(&[b"the-secret-value"]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"the-secret-value").expect("packed");
    let file = packed.finish().expect("packed");
    let look = |is_stopped: bool| censor.look_into_once(FILE, &file.as_slice(), &|| is_stopped);
    assert!(matches!(look(true), Err(ArchiveError::GivenUp)), "{:?}", look(true));
    assert_eq!(look(false).expect("looked into"), Verdict::Dirty);
    let rewrite =
        |is_stopped: bool| censor.rewrite_once(FILE, &file.as_slice(), &mut Vec::new(), &|| is_stopped);
    // More often than files are kept.
    for _ in 0..100 {
        assert!(matches!(rewrite(true), Err(ArchiveError::GivenUp)), "{:?}", rewrite(true));
    }
    assert_eq!(rewrite(false).expect("rewritten").masked, 16);
}
