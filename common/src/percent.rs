//! Percent-encoding of texts in addresses.

use std::fmt::Write;

/// Encodes a text; unreserved characters stay (RFC 3986, 2.3), and those in `kept`.
pub fn encoded(text: &str, kept: &[u8]) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreserved_characters_stay() {
        assert_eq!(encoded("ci-results/a_b.c~/ü?", b""), "ci-results%2Fa_b.c~%2F%C3%BC%3F");
        assert_eq!(encoded("a b/%", b"/"), "a%20b/%25");
    }
}
