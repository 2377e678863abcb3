//! JSON as Go writes it.

use crate::quote::is_bidi_control;
use serde::Serialize;
use std::io;

/// Encodes as Go's `json.Marshal` does (O-18): compact, fields in the order of
/// the type, `<`, `>`, `&`, U+2028 and U+2029 escaped, no newline at the end. Unlike
/// Go, escapes also what acts on a terminal (C1) or reorders text (bidi).
pub fn to_go_string<T: Serialize + ?Sized>(value: &T) -> String {
    let mut bytes = Vec::new();
    to_go_writer(&mut bytes, value)
        .expect("writing into memory does not fail, and options have text keys only");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// Appends a text as [`to_go_string`] has it.
pub fn append_go_string(bytes: &mut Vec<u8>, text: &str) {
    to_go_writer(bytes, text).expect("writing into memory does not fail");
}

/// As [`to_go_string`], for documents that are too large for one piece of memory.
pub fn to_go_writer<T: Serialize + ?Sized>(writer: impl io::Write, value: &T) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(writer, GoFormatter);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Writes the pieces of a string that need no JSON escape, with Go's escapes
/// for HTML.
struct GoFormatter;

impl serde_json::ser::Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(is_plain) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut start = 0;
        for (at, c) in fragment.char_indices() {
            if is_escaped(c) {
                writer.write_all(&fragment.as_bytes()[start..at])?;
                write!(writer, "\\u{:04x}", u32::from(c))?;
                start = at + c.len_utf8();
            }
        }
        writer.write_all(&fragment.as_bytes()[start..])
    }
}

/// Returns whether a byte is a whole character, and one that is not escaped here.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b'<' | b'>' | b'&')
}

/// Returns whether a character is escaped that JSON allows as it is.
fn is_escaped(c: char) -> bool {
    matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{80}'..='\u{9f}') || is_bidi_control(c)
}
