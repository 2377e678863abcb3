//! The forms of single secrets.

use super::quoted::quoted_by_bash;
use super::*;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

fn has(forms: &[(Encoding, Pattern)], form: &str) -> bool {
    forms.iter().any(|(_, pattern)| pattern.bytes() == form.as_bytes())
}

#[test]
fn short_secrets_have_the_forms_of_c_22_only() {
    let forms = encodings(b" friend\n", b"friend");
    assert_eq!(forms.len(), 3);
    for form in ["friend", "IGZyaWVuZAo=", "ZnJpZW5k"] {
        assert!(has(&forms, form), "{form}");
    }
    assert_eq!(encodings(b"friend", b"friend").len(), 2);
}

#[test]
fn longer_secrets_have_all() {
    let secret = "pa<ss>/w\"ö rd&";
    let forms = encodings(secret.as_bytes(), secret.as_bytes());
    let expected = [
        secret,
        "pa<ss>/w\\\"ö rd&",
        "pa\\u003css\\u003e/w\\\"ö rd\\u0026",
        "pa<ss>\\/w\\\"ö rd&",
        "pa<ss>/w\\\"\\u00f6 rd&",
        "pa%3css%3e%2fw%22%c3%b6%20rd%26",
        "pa%3css%3e/w%22%c3%b6%20rd%26",
        "pa%3css%3e%2fw%22%c3%b6+rd%26",
        "70613c73733e2f7722c3b620726426",
        "pa\\<ss\\>/w\\\"ö\\ rd\\&",
    ];
    for form in expected {
        assert!(has(&forms, form), "{form}");
    }
}

#[test]
fn base64_is_found_at_every_alignment() {
    let secret = b"a-long-enough-secret\xff\xfe";
    let forms = encodings(secret, secret);
    for engine in [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for before in 0..7 {
            for after in 0..4 {
                let data = [vec![b'<'; before], secret.to_vec(), vec![b'>'; after]].concat();
                let encoded = engine.encode(data);
                let longest = forms
                    .iter()
                    .map(|(_, pattern)| pattern.bytes())
                    .filter(|form| encoded.as_bytes().windows(form.len()).any(|window| window == *form))
                    .map(<[u8]>::len)
                    .max();
                // All but the characters shared with a neighbour, of which there are two at most.
                assert!(longest >= Some(secret.len() * 8 / 6 - 2), "{before} {after} {longest:?}");
            }
        }
    }
}

#[test]
fn wrapped_base64_and_single_lines_are_found() {
    let pem = format!("-----BEGIN KEY-----\n{}\n{}\n-----END KEY-----\n", "A".repeat(64), "B".repeat(20));
    let forms = encodings(pem.as_bytes(), pem.trim().as_bytes());
    assert!(has(&forms, &"A".repeat(64)) && has(&forms, &"B".repeat(20)));
    assert!(!has(&forms, "-----BEGIN KEY-----"));
    let encoded = STANDARD.encode(&pem);
    assert!(has(&forms, &encoded[..76]) && has(&forms, &encoded[64..128]));
}

#[test]
fn quoted_for_shells_and_yaml() {
    let secret = "it's $5 \"now\"\u{7}";
    let forms = encodings(secret.as_bytes(), secret.as_bytes());
    for form in [
        "it'\\''s $5 \"now\"\u{7}",
        "it'\"'\"'s $5 \"now\"\u{7}",
        "it's \\$5 \\\"now\\\"\u{7}",
        "it\\'s $5 \"now\"\\007",
        "it''s $5 \"now\"\u{7}",
        "it's $5 \\\"now\\\"\\a",
    ] {
        assert!(has(&forms, form), "{form}");
    }
}

#[test]
fn quoted_by_bash_itself() {
    let secret = "~a#b,c{d}=~e:~f~g[h]^i!j\\k'l\"m|n&o;p<q>r?s*t(u)v$w`x y%z+-_./@";
    assert_eq!(
        quoted_by_bash(secret),
        "\\~a#b\\,c\\{d\\}=\\~e:\\~f~g\\[h\\]\\^i\\!j\\\\k\\'l\\\"m\\|n\\&o\\;p\\<q\\>r\\?s\\*t\\(u\\)v\\$w\\`x\\ y%z+-_./@"
    );
    assert_eq!(quoted_by_bash("#a"), "\\#a");
}

#[test]
fn bytes_that_are_no_text_are_known_as_readers_show_them() {
    let forms = encodings(b"\xffab\xfe\xfdcd\xff", b"\xffab\xfe\xfdcd\xff");
    assert!(has(&forms, "ab\u{fffd}\u{fffd}cd"));
    assert!(has(&forms, "ab\\ufffd\\ufffdcd"));
    // Two letters between odd bytes are no secret.
    let forms = encodings(b"\xff\xff\xff\xffab\xff\xff\xff", b"\xff\xff\xff\xffab\xff\xff\xff");
    assert!(!has(&forms, "ab"));
}

#[test]
fn no_form_is_repeated() {
    let forms = encodings(b"simple-secret", b"simple-secret");
    let known = |form: &'_ Pattern| (form.bytes().to_vec(), form.is_hexadecimal(), form.line().is_some());
    let mut bytes: Vec<_> = forms.iter().map(|(_, form)| known(form)).collect();
    bytes.sort_unstable();
    bytes.dedup();
    assert_eq!(bytes.len(), forms.len());
}

/// Returns the processor time in which the forms of a value of this size are made.
fn time_of(bytes: usize) -> Duration {
    let words: Vec<_> = (0..bytes / 8).map(|number| format!("{number:07}a")).collect();
    let value = words.concat();
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).expect("below a second"))
    };
    let before = now();
    assert!(encodings(value.as_bytes(), value.as_bytes()).len() > bytes / 64);
    now().saturating_sub(before)
}

#[test]
fn i8_the_forms_of_a_value_take_linear_time() {
    let part = (0..3).map(|_| time_of(64 << 10)).min().expect("three");
    let whole = time_of(512 << 10);
    // Eight times as long; comparing each form with all others took more than forty times.
    assert!(whole < part * 20, "{part:?} for 64 KiB, {whole:?} for 512 KiB");
}
