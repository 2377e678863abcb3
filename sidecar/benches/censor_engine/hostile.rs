//! Values that a job adds to slow the engine, and texts made against them.

use crate::texts::{Random, repeat};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Upper bounds on a job's values, and on their bytes.
const MAX_VALUES: usize = 1000;
const MAX_BYTES: usize = 1 << 20;

/// A name, the job's values, and a text.
pub(crate) type Case = (&'static str, Vec<Vec<u8>>, Vec<u8>);

fn letters(of: &[u8], length: usize, random: &mut Random) -> Vec<u8> {
    (0..length).map(|_| of[random.below(of.len())]).collect()
}

/// As many values as a job may add.
fn values(value: impl FnMut(usize) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut bytes = 0;
    (0..MAX_VALUES)
        .map(value)
        .take_while(|value| {
            bytes += value.len();
            bytes <= MAX_BYTES
        })
        .collect()
}

fn base64_lines(bytes: &[u8], size: usize) -> Vec<u8> {
    let encoded = STANDARD.encode(bytes);
    let lines = encoded.as_bytes().chunks(76).flat_map(|line| [line, b"\n"].concat());
    lines.take(size).collect()
}

fn hexadecimal(bytes: &[u8], size: usize) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).take(size).collect()
}

/// All cases, with texts of this size.
pub(crate) fn cases(size: usize, random: &mut Random) -> Vec<Case> {
    let shared = values(|number| [vec![b'a'; 1000], format!("{number:04}").into_bytes()].concat());
    let breaks = values(|number| [vec![b'a'; 8 + number], b"b".to_vec(), vec![b'a'; 16]].concat());
    let two = values(|_| letters(b"ab", 1000, random));
    let short = values(|_| letters(b"abc", 8, random));
    let nested = values(|number| b"ab".repeat(4 + number).into_iter().take(1040).collect());
    let part = letters(b"abcdefghijklmnopqrstuvwxyz0123456789", 100, random);
    let mut rotated = values(|number| {
        part.iter().copied().cycle().skip(number % 100).take(900 + number / 10).chain(*b"!").collect()
    });
    rotated.truncate(MAX_VALUES);
    let rotations = values(|number| part.iter().copied().cycle().skip(number % 100).take(1000).collect());
    let (run, turning) = (repeat(b"a", size), repeat(&part, size));
    let of_two = letters(b"ab", size, random);
    let misses: Vec<u8> = std::iter::repeat_with(|| {
        let mut value = two[random.below(two.len())].clone();
        let at = random.below(value.len());
        value[at] = b'c';
        value
    })
    .flatten()
    .take(size)
    .collect();
    vec![
        ("a long prefix, repeated", shared.clone(), run.clone()),
        ("a long prefix in base64", shared.clone(), base64_lines(&run, size)),
        ("a long prefix in hexadecimal", shared, hexadecimal(&run, size)),
        ("runs that break at all lengths", breaks, run),
        ("values and text of two letters", two.clone(), of_two.clone()),
        ("the same in base64", two.clone(), base64_lines(&of_two, size)),
        ("values of two letters with a byte changed", two, misses),
        ("eight of three letters", short, letters(b"abc", size, random)),
        ("values that begin with each other", nested, repeat(b"ab", size)),
        ("rotations of a period, last byte changed", rotated, turning.clone()),
        ("rotations of a period", rotations.clone(), turning.clone()),
        ("rotations of a period in base64", rotations, base64_lines(&turning, size)),
    ]
}
