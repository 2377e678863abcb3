//! Encodings that are looked for unless there are very many secrets: they take as
//! many patterns as all others together.

use super::quoted::json_strings;
use super::{Encoding, Forms};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

/// Maximum size of a secret with these forms.
const MAX_BYTES: usize = 4096;

/// The alphabet of base32 (RFC 4648).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Adds base32 at each alignment, base64 of base64, and base64 of the value inside
/// a JSON string, however that is escaped.
pub(super) fn rare(value: &[u8], forms: &mut Forms) {
    if value.len() > MAX_BYTES {
        return;
    }
    for before in 0..5 {
        let encoded = base32(before, value);
        let (first, end) = ((before * 8).div_ceil(5), (before + value.len()) * 8 / 5);
        forms.add(Encoding::Base32, &encoded[first..end]);
    }
    for before in 0..3 {
        aligned(&base64_part(before, value), forms);
    }
    let once = Zeroizing::new(STANDARD.encode(value));
    forms.add(Encoding::Base64Twice, STANDARD.encode(&*once));
    let Ok(text) = std::str::from_utf8(value) else { return };
    for inner in json_strings(text).iter().filter(|inner| inner.as_str() != text) {
        aligned(inner.as_bytes(), forms);
    }
}

/// Adds the base64 of something that is encoded already, at each alignment.
fn aligned(inner: &[u8], forms: &mut Forms) {
    for before in 0..3 {
        forms.add(Encoding::Base64Twice, base64_part(before, inner).as_slice());
    }
}

/// Returns the characters that a value alone decides, behind some other bytes.
fn base64_part(before: usize, value: &[u8]) -> Zeroizing<Vec<u8>> {
    let shifted = Zeroizing::new([&[0; 2][..before], value].concat());
    let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(&*shifted));
    let (first, end) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
    Zeroizing::new(encoded.as_bytes()[first..end].to_vec())
}

fn base32(before: usize, value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut encoded = Zeroizing::new(Vec::with_capacity((before + value.len()) * 8 / 5 + 2));
    let (mut bits, mut count) = (0_u32, 0);
    for byte in std::iter::repeat_n(&0, before).chain(value) {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            encoded.push(BASE32[(bits >> count) as usize & 31]);
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        encoded.push(BASE32[(bits << (5 - count)) as usize & 31]);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;

    /// The password in `auths`, as `kubectl create secret docker-registry` writes it.
    #[test]
    fn base64_of_json_as_each_encoder_escapes_it() {
        let mut forms = Forms::default();
        rare("a&b<c>/üü\"x".as_bytes(), &mut forms);
        for escaped in [
            r#"a&b<c>/üü\"x"#,
            r#"a\u0026b\u003cc\u003e/üü\"x"#,
            r#"a&b<c>\/üü\"x"#,
            r#"a&b<c>/\u00fc\u00fc\"x"#,
        ] {
            let document = STANDARD.encode(format!(r#"{{"auths":{{"a":{{"password":"{escaped}"}}}}}}"#));
            let is_in = |form: &Pattern| document.contains(&*String::from_utf8_lossy(form.bytes()));
            assert!(forms.all.iter().any(|(_, form)| is_in(form)), "{escaped}");
        }
    }

    #[test]
    fn base32_of_the_specification() {
        for (value, encoded) in [("f", "MY"), ("foobar", "MZXW6YTBOI"), ("fooba", "MZXW6YTB")] {
            assert_eq!(base32(0, value.as_bytes()).as_slice(), encoded.as_bytes());
        }
    }
}
