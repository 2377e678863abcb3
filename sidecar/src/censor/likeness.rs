//! Judges whether a text looks like a secret, for values that are derived from a
//! larger text and masked alone.
//!
//! Generated tokens mix digits and letters of both cases at nearly every place;
//! words, paths, flags and host names do not.

/// Minimum length of a part that is judged by its characters.
pub(super) const MIN_RANDOM_BYTES: usize = 16;

/// A generated token changes between digits, capitals and small letters at this
/// part of its places, or more often: hexadecimal digits at a half, 62 characters
/// at 0.6.
const MIN_CHANGES_OF_100: usize = 25;

/// Longest run of letters of one case in a token; longer ones are words.
const MAX_WORD_BYTES: usize = 12;

/// Returns whether a part without white space looks generated. Names with dashes
/// and versions do not.
pub(super) fn looks_random(text: &[u8]) -> bool {
    if text.len() < MIN_RANDOM_BYTES || !text.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    if is_harmless_form(text) {
        return false;
    }
    let (mut changes, mut letters, mut run, mut longest) = (0, 0, 0, 0);
    let (mut last, mut digits) = (None, 0);
    for byte in text.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        let kind = (byte.is_ascii_digit(), byte.is_ascii_uppercase());
        letters += 1;
        digits += usize::from(kind.0);
        run = if last == Some(kind) { run + 1 } else { 1 };
        changes += usize::from(last.is_some_and(|last| last != kind));
        longest = if kind.0 { longest } else { longest.max(run) };
        last = Some(kind);
    }
    letters >= MIN_RANDOM_BYTES * 3 / 4
        && digits < letters
        && longest <= MAX_WORD_BYTES
        && changes * 100 >= letters * MIN_CHANGES_OF_100
}

/// Returns whether a text contains a part that looks generated, between white
/// space and punctuation that separates keys from values.
fn holds_random(text: &[u8]) -> bool {
    let separates = |byte: &u8| byte.is_ascii_whitespace() || b"=:,;\"'<>()[]{}@?&|".contains(byte);
    text.split(separates).any(looks_random)
}

/// Returns whether a line of a longer secret is worth masking where it stands alone:
/// it contains a generated part, or is nothing but encoded data.
pub(super) fn is_telling_line(line: &[u8]) -> bool {
    let is_data = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let has_capitals = line.iter().any(u8::is_ascii_uppercase);
    holds_random(line) || (line.len() >= MIN_RANDOM_BYTES && has_capitals && line.iter().all(is_data))
}

/// Returns whether it is a date, the header of a JWT, a path or an address.
fn is_harmless_form(text: &[u8]) -> bool {
    let is_date =
        text.len() > 10 && text[4] == b'-' && text[7] == b'-' && text[..4].iter().all(u8::is_ascii_digit);
    let slashes = text.split(|byte| *byte == b'/').count() - 1;
    let is_jwt_header = text.starts_with(b"eyJ") && !text.contains(&b'.') && text.len() < 64;
    is_date || is_jwt_header || text.starts_with(b"/") || slashes > text.len() / 8 || contains(text, b"://")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_tokens_look_random() {
        for text in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "9f86d081884c7d659a2feaa0c55ad015",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "xq7d2k9v0m4z8t1c6b3n5",
            "npm_Zk3xQ9vT7bW2nR5yH8jL4mP6cD1fG0sAe",
        ] {
            assert!(looks_random(text.as_bytes()), "{text}");
            assert!(holds_random(format!("token = \"{text}\"").as_bytes()), "{text}");
        }
    }

    #[test]
    fn lines_of_public_files_do_not() {
        for text in [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "#!/usr/bin/env bash",
            "set -euo pipefail",
            "region = us-east-1",
            "current-context: default",
            "registry=https://registry.npmjs.org/",
            "apiVersion: v1, kind: Config",
            "2026-03-11T08:15:01.123456789Z",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
            "service-account-of-the-nightly-build",
            "123456789012345678901234",
            "--------------------------------",
        ] {
            assert!(!holds_random(text.as_bytes()), "{text}");
        }
    }
}
