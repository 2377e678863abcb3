//! Texts and numbers of reports.

use quick_xml::events::BytesStart;
use std::borrow::Cow;

/// The longest reference to a character or a predefined entity: `&#x10FFFF;` with
/// some leading zeros.
pub(super) const MAX_REFERENCE_BYTES: usize = 16;

/// Decodes what a tag or a text holds. Bytes that are not UTF-8 and unknown entities
/// stay visible.
pub(super) fn decoded(raw: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(raw);
    if text.contains('&') { resolved(&text).into() } else { text }
}

fn resolved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let reference = rest.find(';').filter(|end| *end <= MAX_REFERENCE_BYTES).map(|end| &rest[1..end]);
        if let Some((name, c)) = reference.and_then(|name| Some((name, entity(name)?))) {
            out.push(c);
            rest = &rest[name.len() + 2..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// Returns the character of a reference without its `&` and `;`. A longer one than any is waited
/// for stands for nothing, wherever the pieces of a file end.
pub(super) fn entity(name: &str) -> Option<char> {
    match name {
        _ if name.len() >= MAX_REFERENCE_BYTES => None,
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// Cuts a text to a number of bytes.
pub(super) fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
}

/// Returns an attribute's value; empty where there is none.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &[u8], most: usize) -> String {
    let found = tag.attributes().with_checks(false).flatten().find(|one| one.key.as_ref() == name);
    found.map_or_else(String::new, |found| value(&found.value, most).into_owned())
}

/// Decodes an attribute's value, and cuts it.
pub(super) fn value(raw: &[u8], most: usize) -> Cow<'_, str> {
    // A byte that is kept needs at most ten in the file (`&#x10FFFF;` is four bytes).
    let mut value = decoded(&raw[..raw.len().min(most * 10)]);
    if value.len() > most {
        cut(value.to_mut(), most);
    }
    value
}

/// Reads a time as runners write it: `0.123`, `1,234.567` (surefire), `0,123` (a
/// decimal comma), `1.5s`, `12ms`. What is none, or below zero, is no time.
pub(super) fn seconds(text: &str) -> f64 {
    let text = text.trim();
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1e-3),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let plain: Cow<'_, str> = match (number.contains(','), number.contains('.')) {
        (true, true) => number.replace(',', "").into(),
        (true, false) => number.replace(',', ".").into(),
        (false, _) => number.into(),
    };
    let time = plain.trim().parse::<f64>().unwrap_or(0.0) * unit;
    // A year: what is longer is no time of a test.
    if time.is_finite() && (0.0..31_557_600.0).contains(&time) { time } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_resolved_once_and_only_the_predefined_ones() {
        for (raw, text) in [
            ("a &lt;b&gt; &amp;amp; &quot;&apos;", "a <b> &amp; \"'"),
            ("&#65;&#x42;&#X43;", "ABC"),
            ("&nbsp; &xxe; & &; &#; &#x110000; &#55296;", "&nbsp; &xxe; & &; &#; &#x110000; &#55296;"),
            ("&lt", "&lt"),
        ] {
            assert_eq!(decoded(raw.as_bytes()), text);
        }
        assert_eq!(decoded(b"\xff&lt;"), "\u{fffd}<");
    }

    #[test]
    fn times_of_all_dialects() {
        for (text, time) in [
            ("0.123", 0.123),
            ("1,234.567", 1234.567),
            ("0,5", 0.5),
            ("1.5s", 1.5),
            ("12ms", 0.012),
            (" 3 ", 3.0),
            ("1e-3", 0.001),
            ("", 0.0),
            ("-1", 0.0),
            ("NaN", 0.0),
            ("1e300", 0.0),
            ("soon", 0.0),
        ] {
            assert!((seconds(text) - time).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn a_cut_text_is_whole_characters() {
        let mut text = "ää".to_owned();
        cut(&mut text, 3);
        assert_eq!(text, "ä…");
    }
}
