//! The encoded forms of a secret.
//!
//! **To add a form**, add its [`Encoding`] and its patterns here, or in `rare.rs` where few
//! jobs write it. A way to escape or wrap text is none: it belongs in the engine's views
//! (`sidecar/engine/src/views`), which find each form in it. Then give `rules/table.rs` a
//! row with a function that writes a value so: the property test masks such values in
//! random texts, and the document's table is made of the rows. What it closes leaves the
//! document's list of what is not found, and `GAPS` of `tests/campaign/encoders/read.py`.

mod folded;
mod quoted;
mod rare;
#[cfg(test)]
mod rules;
mod shortened;
#[cfg(test)]
mod tests;

use super::engine::Pattern;
use super::likeness::is_telling_line;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use folded::folded;
use quoted::{json_escaped, shell_quoted, yaml_quoted};
use rare::rare;
use shortened::shortened;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use zeroize::Zeroizing;

/// Minimum length of a secret with all forms. Shorter ones have the base64 forms
/// of C-22 only; more forms of them would match everywhere.
pub(super) const MIN_ALL_FORMS_BYTES: usize = 8;

/// Minimum length of a line of a multi-line secret that is masked on its own.
const MIN_LINE_BYTES: usize = 16;

/// Maximum size of a secret with all forms. Larger ones (bundles, binaries) have
/// the forms of C-22 and their lines only, which keeps the tables small.
const MAX_BYTES: usize = 16 * 1024;

/// Columns at which `base64(1)` and PEM wrap lines.
const WRAPPED_AT: [usize; 2] = [76, 64];

/// Minimum length of a last line that is looked for everywhere; a shorter one is
/// looked for only close behind the line before it.
const MIN_DISTINCTIVE_LINE_BYTES: usize = 24;

/// The encoding that turns a value into a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The value itself.
    Plain,
    /// A line of the value.
    Line,
    /// Text with the replacement character for invalid bytes.
    Lossy,
    /// Base64 with the standard alphabet.
    Base64,
    /// Base64 with the alphabet for URLs.
    Base64Url,
    /// Base64 in lines.
    Base64Lines,
    /// Inside a JSON string.
    Json,
    /// Percent-encoding, as in URLs and forms.
    Percent,
    /// Hexadecimal digits.
    Hexadecimal,
    /// Quoted for a shell.
    Shell,
    /// Inside a YAML string.
    Yaml,
    /// Without layout and escapes.
    Folded,
    /// UTF-16 or UTF-32.
    Wide,
    /// Base32.
    Base32,
    /// Base64 of an encoded value.
    Base64Twice,
    /// A part of the value, and what of it stands around.
    Shortened,
}

impl Encoding {
    /// Returns whether it leaves a value as it is, rather than encoding its bits.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Plain | Self::Line | Self::Lossy | Self::Folded)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Line => "line",
            Self::Lossy => "lossy text",
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Base64Lines => "base64 in lines",
            Self::Json => "JSON",
            Self::Percent => "percent-encoded",
            Self::Hexadecimal => "hexadecimal",
            Self::Shell => "shell-quoted",
            Self::Yaml => "YAML-quoted",
            Self::Folded => "wrapped or escaped",
            Self::Wide => "UTF-16 or UTF-32",
            Self::Base32 => "base32",
            Self::Base64Twice => "base64 twice",
            Self::Shortened => "shortened",
        })
    }
}

/// Returns the distinct, non-empty patterns of a secret. `raw` is the secret as it
/// was read, `trimmed` the same without surrounding white space.
pub fn encodings(raw: &[u8], trimmed: &[u8]) -> Vec<(Encoding, Pattern)> {
    let mut forms = Forms::default();
    least(raw, trimmed, &mut forms);
    if trimmed.len() >= MIN_ALL_FORMS_BYTES {
        lines(trimmed, &mut forms);
        wrapped(raw, &mut forms);
        wrapped(trimmed, &mut forms);
        if trimmed.len() <= MAX_BYTES {
            base64_anywhere(trimmed, &mut forms);
            hexadecimal(trimmed, &mut forms);
            percent_encoded(trimmed, &mut forms);
            as_text(trimmed, &mut forms);
            folded(trimmed, &mut forms);
        }
    }
    forms.all
}

/// Returns the forms of C-22 alone: the secret as it is, and as base64.
pub fn least_encodings(raw: &[u8], trimmed: &[u8]) -> Vec<(Encoding, Pattern)> {
    let mut forms = Forms::default();
    least(raw, trimmed, &mut forms);
    forms.all
}

fn least(raw: &[u8], trimmed: &[u8], forms: &mut Forms) {
    forms.add(Encoding::Plain, trimmed.to_vec());
    forms.add(Encoding::Base64, STANDARD.encode(raw));
    forms.add(Encoding::Base64, STANDARD.encode(trimmed));
}

/// Returns the forms of a trimmed secret that are looked for unless there are very
/// many secrets.
pub fn rare_encodings(trimmed: &[u8]) -> Vec<(Encoding, Pattern)> {
    let mut forms = Forms::default();
    if trimmed.len() >= MIN_ALL_FORMS_BYTES {
        rare(trimmed, &mut forms);
        if trimmed.len() <= MAX_BYTES {
            shortened(trimmed, &mut forms);
        }
    }
    forms.all
}

/// Distinct forms in the order in which they were added. A value can have as many as it has
/// lines, so they are found by a hash.
#[derive(Default)]
struct Forms {
    all: Vec<(Encoding, Pattern)>,
    /// The index of each form at its hash, or at the next number that was free.
    places: HashMap<u64, usize>,
    hasher: RandomState,
}

impl Forms {
    fn add(&mut self, encoding: Encoding, bytes: impl Into<Vec<u8>>) {
        self.push(encoding, Pattern::exact(bytes.into()));
    }

    fn push(&mut self, encoding: Encoding, pattern: Pattern) {
        if pattern.bytes().is_empty() || pattern.line().is_some() && self.free_place(&pattern, None).is_none()
        {
            return;
        }
        if let Some(place) = self.free_place(&pattern, pattern.line()) {
            self.places.insert(place, self.all.len());
            self.all.push((encoding, pattern));
        }
    }

    /// Returns the place for a pattern behind this line; `None` if it is known.
    fn free_place(&self, pattern: &Pattern, line: Option<&[u8]>) -> Option<u64> {
        let mut place = self.hasher.hash_one((pattern.bytes(), pattern.is_hexadecimal(), line));
        while let Some(at) = self.places.get(&place) {
            let (_, other) = &self.all[*at];
            let is_equal = other.bytes() == pattern.bytes()
                && other.is_hexadecimal() == pattern.is_hexadecimal()
                && other.line() == line;
            if is_equal {
                return None;
            }
            place = place.wrapping_add(1);
        }
        Some(place)
    }
}

/// Adds base64 inside other base64 data: at each of the three alignments the
/// characters that depend on the value alone, and the whole forms without padding.
fn base64_anywhere(value: &[u8], forms: &mut Forms) {
    base64(&STANDARD_NO_PAD.encode(value), forms);
    base64(&STANDARD.encode(value), forms);
    for before in 0..3 {
        let shifted = Zeroizing::new([&[0; 2][..before.min(2)], value].concat());
        let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(&*shifted));
        // A character encodes six bits; those that share bits with a neighbour are left out.
        let (first, end) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        base64(&encoded[first..end], forms);
    }
}

/// Adds both alphabets, which differ in two characters.
fn base64(standard: &str, forms: &mut Forms) {
    forms.add(Encoding::Base64, standard);
    let for_urls = |byte| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    };
    if standard.bytes().any(|byte| for_urls(byte) != byte) {
        forms.add(Encoding::Base64Url, standard.bytes().map(for_urls).collect::<Vec<_>>());
    }
}

/// Adds wrapped base64: each line on its own, so that neither the kind of line
/// break nor an indentation matters.
fn wrapped(value: &[u8], forms: &mut Forms) {
    let encoded = Zeroizing::new(STANDARD.encode(value));
    for columns in WRAPPED_AT.into_iter().filter(|columns| encoded.len() > *columns) {
        let lines: Vec<&[u8]> = encoded.as_bytes().chunks(columns).collect();
        let Some((last, others)) = lines.split_last() else { continue };
        for line in others {
            forms.add(Encoding::Base64Lines, *line);
        }
        match others.last().filter(|_| last.len() < MIN_DISTINCTIVE_LINE_BYTES) {
            Some(line) => {
                forms.push(Encoding::Base64Lines, Pattern::after_line(line.to_vec(), last.to_vec()));
            }
            None => forms.add(Encoding::Base64Lines, *last),
        }
        for line_break in ["\n", "\r\n"] {
            forms.add(Encoding::Base64Lines, lines.join(line_break.as_bytes()));
        }
    }
}

fn hexadecimal(value: &[u8], forms: &mut Forms) {
    let mut digits = Vec::with_capacity(value.len() * 2);
    for &byte in value {
        digits.extend(two_digits(byte));
    }
    forms.push(Encoding::Hexadecimal, Pattern::hexadecimal(digits));
}

fn two_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)])
}

/// Adds `%xx` for all but unreserved characters (RFC 3986), with the conventions of
/// forms (`+` for a space) and of paths (`/` as it is). If anything is encoded,
/// the case of A to F is ignored in the whole value.
fn percent_encoded(value: &[u8], forms: &mut Forms) {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if value.iter().all(|byte| is_unreserved(*byte)) {
        return;
    }
    let matters = |special: &Option<u8>| special.is_none_or(|byte| value.contains(&byte));
    for special in [None, Some(b'/'), Some(b' ')].into_iter().filter(matters) {
        let mut encoded = Vec::with_capacity(value.len() * 3);
        for &byte in value {
            match byte {
                _ if is_unreserved(byte) => encoded.push(byte),
                b' ' if special == Some(byte) => encoded.push(b'+'),
                _ if special == Some(byte) => encoded.push(byte),
                _ => {
                    encoded.push(b'%');
                    encoded.extend(two_digits(byte));
                }
            }
        }
        if encoded.contains(&b'%') {
            forms.push(Encoding::Percent, Pattern::hexadecimal(encoded));
        } else {
            forms.add(Encoding::Percent, encoded);
        }
    }
}

/// Adds the forms of text. Readers replace each invalid sequence by the replacement
/// character; those at the ends depend on the surroundings.
fn as_text(value: &[u8], forms: &mut Forms) {
    let lossy = Zeroizing::new(String::from_utf8_lossy(value).into_owned());
    let is_text = lossy.as_bytes() == value;
    let text = if is_text { lossy.as_str() } else { lossy.trim_matches('\u{fffd}') };
    if text.len() < MIN_ALL_FORMS_BYTES {
        return;
    }
    if !is_text {
        forms.add(Encoding::Lossy, text);
    }
    json_escaped(text, forms);
    shell_quoted(text, forms);
    yaml_quoted(text, forms);
}

/// Adds the lines of a multi-line secret, which match a key that is printed line
/// by line with a prefix. The armour of PEM files is no secret, nor is a line that
/// public files have.
fn lines(value: &[u8], forms: &mut Forms) {
    let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let is_secret = |line: &&[u8]| {
        line.len() >= MIN_LINE_BYTES
            && !line.starts_with(b"-----")
            && (*line == value || is_telling_line(line))
    };
    for line in lines.filter(is_secret) {
        forms.add(Encoding::Line, line);
        if line != value && line.len() <= MAX_BYTES {
            folded(line, forms);
        }
    }
}
