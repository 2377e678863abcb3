//! The cost of the views in which wrapped, escaped and listed values are found.

use crate::texts::{Random, log_text, secrets};
use crate::{COUNTS, engine, in_turns};
use sidecar::censor::encodings::{encodings, rare_encodings};
use sidecar::censor::engine::Matcher;

/// With views and without them, in turns: log text, and text of escapes at every depth.
pub(crate) fn table(size: usize, runs: usize, random: &mut Random) {
    println!("## Views, {} MiB, all forms\n", size >> 20);
    println!(
        "| secrets | log text | without views | text of escapes | without views | numbers | without views |"
    );
    println!("|---|---|---|---|---|---|---|");
    let log = log_text(size, random);
    let [escapes, numbers] = [escapes(&log[..size / 4]), numbers(&log[..size / 8])];
    for count in COUNTS {
        let values = secrets(count, 16..=200, random);
        let rare = |value: &[u8]| if count <= 1000 { rare_encodings(value) } else { Vec::new() };
        let of = |value: &Vec<u8>| encodings(value, value).into_iter().chain(rare(value));
        let forms = || values.iter().flat_map(of);
        let (is_text, patterns): (Vec<_>, Vec<_>) =
            forms().map(|(encoding, pattern)| (encoding.is_text(), pattern)).unzip();
        let without = Matcher::new(forms().map(|(_, pattern)| pattern)).expect("they fit");
        let with = Matcher::with_views(patterns, &is_text).expect("they fit");
        let figures = in_turns(
            runs,
            &mut [
                &mut || engine(&with, &log),
                &mut || engine(&without, &log),
                &mut || engine(&with, &escapes),
                &mut || engine(&without, &escapes),
                &mut || engine(&with, &numbers),
                &mut || engine(&without, &numbers),
            ],
        );
        println!("| {count} | {} |", figures.join(" | "));
    }
    println!();
}

/// Strings of JSON in strings of JSON, as logs of services in CI have them.
fn escapes(log: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(log.len() * 2);
    for line in log.split(|byte| *byte == b'\n') {
        out.extend(br#"{"Output":"{\"msg\":\""#);
        for byte in line {
            match byte {
                b' ' => out.extend(br"\\\u0020"),
                b'/' => out.extend(br"\/"),
                _ => out.push(*byte),
            }
        }
        out.extend(b"\\\"}\"}\n");
    }
    out
}

/// Rows of numbers as `od` writes them.
fn numbers(log: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(log.len() * 5);
    for row in log.chunks(16) {
        for byte in row {
            out.extend(format!("{byte:>4}").bytes());
        }
        out.push(b'\n');
    }
    out
}
