//! The forms in which a secret can appear.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use std::fmt::Write;

/// Shorter secrets are looked for as they are and in the base64 forms of
/// C-22 only: more forms of them would be found everywhere.
const ENOUGH_BYTES: usize = 8;

/// A line of a multi-line secret that is a secret of its own.
const LINE_BYTES: usize = 16;

/// Beyond this size a secret is looked for in the forms of C-22 and by its
/// lines: it is a bundle or a binary, and the table should stay small.
const MOST_BYTES: usize = 16 * 1024;

/// Columns at which `base64(1)` and PEM break lines.
const WRAPPED_AT: [usize; 2] = [76, 64];

/// All patterns of a secret as it was read, of which `trimmed` is the part
/// without white space around it. None is repeated, none is empty.
pub(super) fn encodings(raw: &[u8], trimmed: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![trimmed.to_vec(), STANDARD.encode(raw).into(), STANDARD.encode(trimmed).into()];
    if trimmed.len() >= ENOUGH_BYTES {
        lines(trimmed, &mut forms);
        wrapped(raw, &mut forms);
        wrapped(trimmed, &mut forms);
        if trimmed.len() <= MOST_BYTES {
            base64_anywhere(trimmed, &mut forms);
            hexadecimal(trimmed, &mut forms);
            percent_encoded(trimmed, &mut forms);
            if let Ok(text) = std::str::from_utf8(trimmed) {
                json_escaped(text, &mut forms);
            }
        }
    }
    forms.sort_unstable();
    forms.dedup();
    forms.retain(|form| !form.is_empty());
    forms
}

/// Base64 inside other base64 data: at each of the three alignments the
/// characters that the value alone decides, and the whole forms without padding.
fn base64_anywhere(value: &[u8], forms: &mut Vec<Vec<u8>>) {
    for (plain, padded) in [(STANDARD_NO_PAD, STANDARD), (URL_SAFE_NO_PAD, URL_SAFE)] {
        forms.push(plain.encode(value).into());
        forms.push(padded.encode(value).into());
        for before in 0..3 {
            let shifted = [&[0; 2][..before.min(2)], value].concat();
            let encoded = plain.encode(&shifted);
            // A character holds six bits; those shared with a neighbour are not decided.
            let (first, end) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
            forms.push(encoded.as_bytes()[first..end].to_vec());
        }
    }
}

/// Base64 in lines: each line by itself, so that neither the kind of line
/// break nor an indentation matters.
fn wrapped(value: &[u8], forms: &mut Vec<Vec<u8>>) {
    let encoded = STANDARD.encode(value);
    for columns in WRAPPED_AT.into_iter().filter(|columns| encoded.len() > *columns) {
        let lines = encoded.as_bytes().chunks(columns);
        forms.extend(lines.filter(|line| line.len() >= ENOUGH_BYTES).map(<[u8]>::to_vec));
        for line_break in ["\n", "\r\n"] {
            let lines: Vec<&[u8]> = encoded.as_bytes().chunks(columns).collect();
            forms.push(lines.join(line_break.as_bytes()));
        }
    }
}

fn hexadecimal(value: &[u8], forms: &mut Vec<Vec<u8>>) {
    let mut lower = String::with_capacity(value.len() * 2);
    for byte in value {
        // Writing to a string does not fail.
        let _ = write!(lower, "{byte:02x}");
    }
    forms.push(lower.to_ascii_uppercase().into());
    forms.push(lower.into());
}

/// `%XX` for all but unreserved characters (RFC 3986), with the habits of
/// forms (`+` for a space) and of paths (`/` as it is).
fn percent_encoded(value: &[u8], forms: &mut Vec<Vec<u8>>) {
    for (keep_slash, plus) in [(false, false), (true, false), (false, true)] {
        let (mut upper, mut lower) = (String::new(), String::new());
        for &byte in value {
            let kept =
                byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (keep_slash && byte == b'/');
            if kept {
                upper.push(char::from(byte));
                lower.push(char::from(byte));
            } else if plus && byte == b' ' {
                upper.push('+');
                lower.push('+');
            } else {
                // Writing to a string does not fail.
                let _ = (write!(upper, "%{byte:02X}"), write!(lower, "%{byte:02x}"));
            }
        }
        forms.push(upper.into());
        forms.push(lower.into());
    }
}

/// Inside a JSON string: as most encoders write it, as Go does, with escaped
/// slashes, and in pure ASCII.
fn json_escaped(text: &str, forms: &mut Vec<Vec<u8>>) {
    let Ok(quoted) = serde_json::to_string(text) else {
        return;
    };
    let inner = &quoted[1..quoted.len() - 1];
    let go = inner.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let slashes = inner.replace('/', "\\/");
    let mut ascii = String::new();
    for c in inner.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    forms.extend([inner.to_owned(), go, slashes, ascii].map(Vec::from));
}

/// The lines of a multi-line secret: a key printed line by line with a prefix
/// is found by them. The armour of PEM files is no secret.
fn lines(value: &[u8], forms: &mut Vec<Vec<u8>>) {
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    forms.extend(
        lines.filter(|line| line.len() >= LINE_BYTES && !line.starts_with(b"-----")).map(<[u8]>::to_vec),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(forms: &[Vec<u8>], form: &str) -> bool {
        forms.iter().any(|pattern| pattern == form.as_bytes())
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
            "pa%3Css%3E%2Fw%22%C3%B6%20rd%26",
            "pa%3css%3e/w%22%c3%b6%20rd%26",
            "pa%3Css%3E%2Fw%22%C3%B6+rd%26",
            "70613c73733e2f7722c3b620726426",
            "70613C73733E2F7722C3B620726426",
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
                        .filter(|form| encoded.as_bytes().windows(form.len()).any(|window| window == *form))
                        .map(Vec::len)
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
}
