//! Secrets, their encodings, and texts that are the same in every run.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use std::fmt::Write as _;

/// Numbers that look random and are the same in every run (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PRINTABLE: &[u8] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!\"#$%&'()*+,-./:;<=>?@[]^_{|}~";
const HEX: &[u8] = b"0123456789abcdef";

fn of(letters: &[u8], length: usize, random: &mut Random) -> Vec<u8> {
    (0..length).map(|_| letters[random.below(letters.len())]).collect()
}

pub(crate) fn token(length: usize, random: &mut Random) -> Vec<u8> {
    of(BASE64, length, random)
}

/// Tokens, passwords with punctuation, hexadecimal keys and JWTs.
pub(crate) fn secrets(
    count: usize,
    lengths: std::ops::RangeInclusive<usize>,
    random: &mut Random,
) -> Vec<Vec<u8>> {
    let span = lengths.end() - lengths.start() + 1;
    (0..count)
        .map(|number| {
            let length = lengths.start() + random.below(span);
            match number % 4 {
                0 => token(length, random),
                1 => of(PRINTABLE, length, random),
                2 => of(HEX, length, random),
                _ => {
                    let mut jwt = b"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.".to_vec();
                    jwt.extend(token(200, random));
                    jwt.truncate(length.max(48).min(*lengths.end()));
                    jwt
                }
            }
        })
        .collect()
}

/// All encodings, none twice.
pub(crate) fn patterns(secrets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| encodings(secret)).collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}

pub(crate) fn encodings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    for (padded, plain) in [(STANDARD, STANDARD_NO_PAD), (URL_SAFE, URL_SAFE_NO_PAD)] {
        forms.push(padded.encode(secret).into_bytes());
        for before in 0..3 {
            let shifted = [&[0; 2][..before.min(2)], secret].concat();
            let encoded = plain.encode(&shifted).into_bytes();
            forms.push(encoded[(before * 8).div_ceil(6)..shifted.len() * 8 / 6].to_vec());
        }
    }
    let (mut json, mut percent, mut hex) = (String::new(), String::new(), String::new());
    for &byte in secret {
        if b"\"\\".contains(&byte) {
            json.push('\\');
        }
        json.push(char::from(byte));
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            percent.push(char::from(byte));
        } else {
            let _ = write!(percent, "%{byte:02X}");
        }
        let _ = write!(hex, "{byte:02x}");
    }
    forms.extend([json, percent, hex.to_ascii_uppercase(), hex].map(String::into_bytes));
    forms
}

/// Log text as tests write it: times, levels, words, paths, numbers, JSON, hashes.
pub(crate) fn log_text(size: usize, random: &mut Random) -> Vec<u8> {
    const WORDS: [&str; 24] = [
        "starting",
        "container",
        "pod",
        "kubelet",
        "reconcile",
        "error",
        "retrying",
        "in",
        "the",
        "namespace",
        "ok",
        "PASS",
        "FAIL",
        "expected",
        "actual",
        "timeout",
        "connection",
        "refused",
        "default/test-runner",
        "image",
        "pulled",
        "successfully",
        "created",
        "--- RUN TestReconcile",
    ];
    let mut text = String::with_capacity(size + 256);
    let mut line = 0_u32;
    while text.len() < size {
        line += 1;
        let (second, nanos) = (line / 50 % 60, random.below(1_000_000_000));
        let _ = write!(text, "2026-03-11T08:{:02}:{second:02}.{nanos:09}Z ", line / 3000 % 60);
        match random.below(8) {
            0 => {
                let id = String::from_utf8(of(HEX, 40, random)).expect("letters");
                let _ = write!(text, "INFO  image digest sha256:{id} ");
            }
            1 => {
                let _ = write!(
                    text,
                    "{{\"level\":\"info\",\"line\":{line},\"took\":{}}} ",
                    random.below(100_000)
                );
            }
            2 => {
                let _ = write!(
                    text,
                    "GET https://registry.example.com/v2/team/app/blobs/{} 200 ",
                    random.below(9999)
                );
            }
            _ => text.push_str("I0311 controller.go:217] "),
        }
        for _ in 0..4 + random.below(10) {
            text.push_str(WORDS[random.below(WORDS.len())]);
            text.push(' ');
        }
        text.push('\n');
    }
    text.truncate(size);
    text.into_bytes()
}

pub(crate) fn base64_text(size: usize, random: &mut Random) -> Vec<u8> {
    let mut text = token(size, random);
    text.iter_mut().skip(76).step_by(77).for_each(|byte| *byte = b'\n');
    text
}

pub(crate) fn near_misses(
    patterns: &[Vec<u8>],
    size: usize,
    random: &mut Random,
    changed: impl Fn(usize, &mut Random) -> usize,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(size + 1024);
    while text.len() < size {
        let mut pattern = patterns[random.below(patterns.len())].clone();
        let at = changed(pattern.len(), random);
        pattern[at] ^= 1;
        text.extend(pattern);
    }
    text.truncate(size);
    text
}

pub(crate) fn pieces(patterns: &[Vec<u8>], length: usize, size: usize, random: &mut Random) -> Vec<u8> {
    let mut text = Vec::with_capacity(size + 1024);
    while text.len() < size {
        let pattern = &patterns[random.below(patterns.len())];
        let from = random.below(pattern.len().saturating_sub(length) + 1);
        text.extend(pattern.iter().skip(from).take(length));
    }
    text.truncate(size);
    text
}

pub(crate) fn numbers(size: usize, random: &mut Random) -> Vec<u8> {
    let numbers =
        (0..=size / 18).flat_map(|_| format!("test-password-{}", 5000 + random.below(5000)).into_bytes());
    numbers.take(size).collect()
}

pub(crate) fn repeat(part: &[u8], size: usize) -> Vec<u8> {
    part.iter().copied().cycle().take(size).collect()
}
