//! Ways to write a value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;

pub(super) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

pub(super) fn as_is(byte: u8) -> String {
    char::from(byte).to_string()
}

pub(super) fn each(value: &[u8], write: impl Fn(u8) -> String) -> Vec<u8> {
    value.iter().map(|byte| write(*byte)).collect::<String>().into_bytes()
}

/// Writes what is no letter or digit in another way.
pub(super) fn escaped(value: &[u8], write: impl Fn(u8) -> String) -> Vec<u8> {
    each(value, |byte| if byte.is_ascii_alphanumeric() { as_is(byte) } else { write(byte) })
}

pub(super) fn parted(value: &[u8], columns: usize, with: &str) -> Vec<u8> {
    value.chunks(columns + 1).collect::<Vec<_>>().join(with.as_bytes())
}

pub(super) fn replaced(value: &[u8], byte: u8, with: &str) -> Vec<u8> {
    value.split(|other| *other == byte).collect::<Vec<_>>().join(with.as_bytes())
}

pub(super) fn doubled(value: &[u8], byte: u8) -> Vec<u8> {
    replaced(value, byte, &as_is(byte).repeat(2))
}

pub(super) fn json(value: &[u8]) -> Vec<u8> {
    each(value, |byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b'<' | b'>' | b'&' | b'=' | b'\'' => format!("\\u{byte:04x}"),
        b'/' => "\\/".to_owned(),
        _ => as_is(byte),
    })
}

pub(super) fn markup(value: &[u8]) -> Vec<u8> {
    each(value, |byte| match byte {
        b'&' => "&amp;".to_owned(),
        b'<' => "&lt;".to_owned(),
        b'>' => "&gt;".to_owned(),
        b'"' => "&quot;".to_owned(),
        b'\'' => "&#39;".to_owned(),
        b'_' => "&lowbar;".to_owned(),
        b'.' => "&period;".to_owned(),
        _ => as_is(byte),
    })
}

pub(super) fn percent(value: &[u8], kept: &[u8]) -> Vec<u8> {
    escaped(value, |byte| match byte {
        _ if kept.contains(&byte) => as_is(byte),
        _ if byte % 2 == 0 => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    })
}

pub(super) fn wide(value: &[u8], width: usize, is_little: bool) -> Vec<u8> {
    let zeros = vec![0; width - 1];
    let unit =
        |byte: &u8| if is_little { [&[*byte], &zeros[..]].concat() } else { [&zeros[..], &[*byte]].concat() };
    value.iter().flat_map(unit).collect()
}

/// A value behind some others, which share letters of an encoding with it.
pub(super) fn behind(value: &[u8], count: usize) -> Vec<u8> {
    [&b"uvwx"[..count], value].concat()
}

pub(super) fn base64(value: &[u8]) -> Vec<u8> {
    STANDARD.encode(value).into_bytes()
}

pub(super) fn base32(value: &[u8]) -> Vec<u8> {
    let bits = value.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<_> = bits.collect();
    let letter = |group: &[u8]| {
        let index = (0..5).fold(0, |index, at| index << 1 | usize::from(group.get(at).copied().unwrap_or(0)));
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[index]
    };
    bits.chunks(5).map(letter).collect()
}

pub(super) fn numbers(value: &[u8], with: &str, number: impl Fn(u8) -> String) -> Vec<u8> {
    value.iter().map(|byte| number(*byte)).collect::<Vec<_>>().join(with).into_bytes()
}

pub(super) fn hex(value: &[u8], with: &str) -> Vec<u8> {
    numbers(value, with, |byte| format!("{byte:02x}"))
}

pub(super) fn groups(value: &[u8], size: usize) -> Vec<u8> {
    value.chunks(size).map(|group| hex(group, "")).collect::<Vec<_>>().join(&b" "[..])
}

pub(super) fn halves(value: &[u8]) -> Vec<u8> {
    value.chunks(8).map(|half| hex(half, " ")).collect::<Vec<_>>().join(&b"  "[..])
}

pub(super) fn dump(value: &[u8], line: impl Fn(usize, &[u8], &str) -> String) -> Vec<u8> {
    let mut out = String::new();
    for (number, bytes) in value.chunks(16).enumerate() {
        writeln!(out, "{}", line(number * 16, bytes, &text(bytes))).expect("written");
    }
    out.into_bytes()
}
