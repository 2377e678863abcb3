//! A value as text inside JSON, shell commands and YAML.

use super::{Encoding, Forms};
use std::fmt::Write;
use zeroize::Zeroizing;

/// Adds the inside of a JSON string.
pub(super) fn json_escaped(text: &str, forms: &mut Forms) {
    for inner in json_strings(text) {
        forms.add(Encoding::Json, inner.as_bytes());
    }
}

/// Returns the inside of a JSON string: as most encoders write it, as Go does, with
/// escaped slashes, and in pure ASCII.
pub(super) fn json_strings(text: &str) -> Vec<Zeroizing<String>> {
    let Ok(quoted) = serde_json::to_string(text).map(Zeroizing::new) else {
        return Vec::new();
    };
    let inner = &quoted[1..quoted.len() - 1];
    let mut all = vec![inner.to_owned()];
    if inner.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        let go = inner.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        all.push(go.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"));
    }
    if inner.contains('/') {
        all.push(inner.replace('/', "\\/"));
    }
    if !inner.is_ascii() {
        all.push(in_ascii(inner));
    }
    all.into_iter().map(Zeroizing::new).collect()
}

/// Escapes what is not ASCII in a JSON string.
fn in_ascii(inner: &str) -> String {
    let mut ascii = String::with_capacity(inner.len() * 3);
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
    ascii
}

/// Adds the ways to quote a shell word: a single quote inside single quotes in both
/// usual ways; inside double quotes; with backslashes (`printf %q`); and as `$'…'`
/// if there are control characters.
pub(super) fn shell_quoted(text: &str, forms: &mut Forms) {
    if text.contains('\'') {
        forms.add(Encoding::Shell, text.replace('\'', "'\\''"));
        forms.add(Encoding::Shell, text.replace('\'', "'\"'\"'"));
    }
    let is_word = |c: char| {
        !c.is_ascii()
            || c.is_ascii_alphanumeric()
            || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | '@' | '%' | '+' | ',')
    };
    if !text.chars().all(|c| is_word(c) && c != ',') {
        forms.add(Encoding::Shell, escaped(text, |c| matches!(c, '"' | '$' | '`' | '\\')));
        forms.add(Encoding::Shell, escaped(text, |c| !is_word(c)));
        forms.add(Encoding::Shell, quoted_by_bash(text));
    }
    if text.contains(|c: char| c.is_ascii_control()) {
        let mut ansi = String::with_capacity(text.len() * 4);
        for c in text.chars() {
            match c {
                '\n' => ansi.push_str("\\n"),
                '\t' => ansi.push_str("\\t"),
                '\r' => ansi.push_str("\\r"),
                '\u{1b}' => ansi.push_str("\\E"),
                '\'' | '\\' => ansi.extend(['\\', c]),
                // Writing to a string does not fail.
                c if c.is_ascii_control() => drop(write!(ansi, "\\{:03o}", u32::from(c))),
                c => ansi.push(c),
            }
        }
        forms.add(Encoding::Shell, ansi);
    }
}

/// Quotes like `printf %q` of bash, which quotes `#` and `~` only where they are
/// special (`sh_backslash_quote` in its `lib/sh/shquote.c`).
pub(super) fn quoted_by_bash(text: &str) -> String {
    let mut result = String::with_capacity(text.len() * 2);
    let mut before = None;
    for c in text.chars() {
        let special = match c {
            '#' => before.is_none(),
            '~' => matches!(before, None | Some(':' | '=')),
            '!'..=',' => !matches!(c, '#' | '%' | '+'),
            c => matches!(c, ' ' | ';' | '<' | '>' | '?' | '['..='^' | '`' | '{'..='}'),
        };
        if special {
            result.push('\\');
        }
        result.push(c);
        before = Some(c);
    }
    result
}

/// Puts a backslash in front of some characters.
fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut result = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if is_escaped(c) {
            result.push('\\');
        }
        result.push(c);
    }
    result
}

/// Adds the inside of single quotes, and of double quotes where YAML's escapes for
/// control characters differ from JSON's.
pub(super) fn yaml_quoted(text: &str, forms: &mut Forms) {
    if text.contains('\'') {
        forms.add(Encoding::Yaml, text.replace('\'', "''"));
    }
    if text.contains(|c: char| c.is_ascii_control()) {
        let mut quoted = String::with_capacity(text.len() * 4);
        for c in text.chars() {
            match c {
                '\0' => quoted.push_str("\\0"),
                '\u{7}' => quoted.push_str("\\a"),
                '\u{8}' => quoted.push_str("\\b"),
                '\t' => quoted.push_str("\\t"),
                '\n' => quoted.push_str("\\n"),
                '\u{b}' => quoted.push_str("\\v"),
                '\u{c}' => quoted.push_str("\\f"),
                '\r' => quoted.push_str("\\r"),
                '\u{1b}' => quoted.push_str("\\e"),
                '"' | '\\' => quoted.extend(['\\', c]),
                // Writing to a string does not fail.
                c if c.is_ascii_control() => drop(write!(quoted, "\\x{:02X}", u32::from(c))),
                c => quoted.push(c),
            }
        }
        forms.add(Encoding::Yaml, quoted);
    }
}
