//! Values that a job adds to slow the engine, and texts made against them.

use crate::texts::{Random, repeat, token};
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
    let mut cases = plain_cases(size, random);
    cases.extend(view_cases(size, random));
    cases
}

/// Texts in which the patterns stand as they are.
fn plain_cases(size: usize, random: &mut Random) -> Vec<Case> {
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

/// Texts whose views are made against the engine, or cost the most to make.
fn view_cases(size: usize, random: &mut Random) -> Vec<Case> {
    let escaped = |values: &[Vec<u8>], random: &mut Random, escape: &dyn Fn(&mut Vec<u8>, u8)| {
        let mut text = Vec::with_capacity(size + 64);
        while text.len() < size {
            let mut value = values[random.below(values.len())].clone();
            let at = random.below(value.len());
            value[at] ^= 1;
            for byte in value {
                escape(&mut text, byte);
            }
        }
        text.truncate(size);
        text
    };
    let written = |text: &str| repeat(text.as_bytes(), size);
    let two = values(|_| letters(b"ab", 1000, random));
    let long = values(|_| letters(b"ab", 24 << 10, random));
    let random_ones = values(|_| token(1000, random));
    let front = token(16, random);
    let alike = values(|_| [&front[..], &token(16, random)].concat());
    let part = token(100, random);
    let rotations = values(|number| part.iter().copied().cycle().skip(number % 100).take(1000).collect());
    let turning = part.iter().copied().cycle().take(1 << 20).collect::<Vec<u8>>();
    let json = |text: &mut Vec<u8>, byte: u8| text.extend(format!("\\u{byte:04x}").bytes());
    let percent = |text: &mut Vec<u8>, byte: u8| text.extend(format!("%{byte:02X}").bytes());
    let split = |text: &mut Vec<u8>, byte: u8| text.extend([b'\n', byte]);
    let decimal = |text: &mut Vec<u8>, byte: u8| text.extend(format!("{byte} ").bytes());
    let bytes = |text: &mut Vec<u8>, byte: u8| text.extend(format!("{byte:02x}:").bytes());
    vec![
        ("values that begin alike, repeated", alike, repeat(&front, size)),
        ("two letters with a byte changed, as JSON", two.clone(), escaped(&two, random, &json)),
        ("two letters with a byte changed, a byte a line", two.clone(), escaped(&two, random, &split)),
        ("two letters with a byte changed, decimal", two.clone(), escaped(&two, random, &decimal)),
        ("long ones of two letters, percent-encoded", long.clone(), escaped(&long, random, &percent)),
        ("long ones of two letters, a byte a line", long.clone(), escaped(&long, random, &split)),
        (
            "random ones with a byte changed, hexadecimal",
            random_ones.clone(),
            escaped(&random_ones, random, &bytes),
        ),
        (
            "rotations of a period, a byte a line",
            rotations.clone(),
            escaped(std::slice::from_ref(&turning), random, &split),
        ),
        ("rotations of a period, decimal", rotations, escaped(&[turning], random, &decimal)),
        ("numbers of one digit", random_ones.clone(), written("1 2 3 4 5 6 7 8 ")),
        ("numbers that stand far apart", random_ones.clone(), written(&format!("1{}", " ".repeat(60)))),
        ("nothing but blanks", random_ones.clone(), written(" ")),
        ("entities that are none", random_ones.clone(), written("&a;")),
        ("the last entity", random_ones.clone(), written("&yuml;")),
        ("escapes of escapes", random_ones, written("%252525%5c%5cu0025")),
    ]
}
