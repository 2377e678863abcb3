//! A value in the canonical form of the engine's views, in which it is found
//! wherever it is escaped, wrapped or coloured; and the few ways to write it that
//! the views leave as they are.

use super::super::engine::{MIN_VIEW_BYTES, canonical};
use super::{Encoding, Forms};
use memchr::memmem;
use zeroize::Zeroizing;

/// Minimum length of the canonical form of words, without the blanks between them:
/// `pass word` would be found as `password`.
const MIN_JOINED_WORDS_BYTES: usize = 16;

/// Adds the canonical forms, where they differ from the value.
pub(super) fn folded(value: &[u8], forms: &mut Forms) {
    add(value, value, forms);
    if value.contains(&b' ') {
        let of_forms = Zeroizing::new(replaced(value, b' ', b"+"));
        add(&of_forms, value, forms);
    }
    // Where no line ends within, there is no seam beside which the view is searched.
    let is_quoted: [fn(u8) -> bool; 2] = [
        |byte| byte == b'=' || !byte.is_ascii(),
        |byte| byte == b'=' || !byte.is_ascii() || byte.is_ascii_control(),
    ];
    for is_quoted in is_quoted {
        if value.iter().any(|byte| is_quoted(*byte)) {
            let quoted = quoted_printable(value, is_quoted);
            forms.add(Encoding::Folded, quoted.as_slice());
            add(&quoted, value, forms);
        }
    }
    if let Ok(text) = std::str::from_utf8(value)
        && !text.is_ascii()
    {
        wide(text, value, forms);
    }
    if value.contains(&b'\n') {
        let lines: Vec<_> = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
        forms.add(Encoding::Folded, lines.join(&b' '));
    }
    for (byte, doubled) in [(b'"', b"\"\""), (b'$', b"$$")] {
        if value.contains(&byte) {
            forms.add(Encoding::Folded, replaced(value, byte, doubled));
        }
    }
    parted_sections(value, forms);
    escaped_again(value, forms);
}

/// Adds a value over two sections of XML, as writers part the end of one within it.
fn parted_sections(value: &[u8], forms: &mut Forms) {
    for with in ["]]]]><![CDATA[>", "]]]><![CDATA[]>"] {
        let ends: Vec<_> = memmem::find_iter(value, b"]]>").collect();
        let mut written = Zeroizing::new(Vec::with_capacity(value.len() + ends.len() * with.len()));
        let mut from = 0;
        for at in &ends {
            written.extend_from_slice(&value[from..*at]);
            written.extend_from_slice(with.as_bytes());
            from = at + 3;
        }
        if from > 0 {
            written.extend_from_slice(&value[from..]);
            forms.add(Encoding::Folded, written.as_slice());
            add(&written, value, forms);
        }
    }
}

/// Adds what the views make of a value with an escape of its own each byte of which is
/// escaped again: they read no escape over bytes that are escaped themselves.
fn escaped_again(value: &[u8], forms: &mut Forms) {
    if !value.iter().any(|byte| b"\\%&".contains(byte)) {
        return;
    }
    let writers: [fn(u8) -> String; 3] =
        [|byte| format!("\\x{byte:02x}"), |byte| format!("%{byte:02x}"), |byte| format!("&#{byte};")];
    for write in writers {
        let written = Zeroizing::new(value.iter().map(|byte| write(*byte)).collect::<String>());
        add(written.as_bytes(), value, forms);
    }
}

/// Adds the canonical form of a way to write a value.
fn add(written: &[u8], value: &[u8], forms: &mut Forms) {
    let form = Zeroizing::new(canonical(written));
    let is_words = || {
        let dropped = value.iter().filter(|byte| !byte.is_ascii_alphanumeric());
        form.len() < MIN_JOINED_WORDS_BYTES && form.len() < value.len() && { dropped }
            .all(u8::is_ascii_whitespace)
    };
    if form.len() < MIN_VIEW_BYTES || is_words() {
        return;
    }
    // An escape that begins at the end goes on in the text behind.
    let from = form.len().saturating_sub(10);
    if let Some(at) = form[from..].iter().position(|byte| b"\\%&".contains(byte))
        && from + at >= MIN_VIEW_BYTES
    {
        forms.add(Encoding::Folded, &form[..from + at]);
    }
    forms.add(Encoding::Folded, form.as_slice());
}

/// Adds text with characters beyond ASCII as Latin-1, which is also what the views
/// make of UTF-16 and UTF-32; and those themselves where it has none.
fn wide(text: &str, value: &[u8], forms: &mut Forms) {
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    if let Some(latin) = latin.map(Zeroizing::new) {
        forms.add(Encoding::Folded, latin.as_slice());
        return add(&latin, value, forms);
    }
    let units: Vec<_> = text.encode_utf16().collect();
    forms.add(Encoding::Wide, units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>());
    forms.add(Encoding::Wide, units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<_>>());
    forms.add(Encoding::Wide, text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>());
    forms.add(Encoding::Wide, text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<_>>());
}

/// Writes `=XX` for some bytes: `=` and all that is not ASCII (RFC 2045), and for many
/// writers controls.
fn quoted_printable(value: &[u8], is_quoted: fn(u8) -> bool) -> Zeroizing<Vec<u8>> {
    let mut written = Zeroizing::new(Vec::with_capacity(value.len() * 3));
    for byte in value {
        if is_quoted(*byte) {
            let digits = super::two_digits(*byte);
            written.extend([b'=', digits[0].to_ascii_uppercase(), digits[1].to_ascii_uppercase()]);
        } else {
            written.push(*byte);
        }
    }
    written
}

fn replaced(value: &[u8], byte: u8, with: &[u8]) -> Vec<u8> {
    let parts: Vec<_> = value.split(|other| *other == byte).collect();
    parts.join(with)
}
