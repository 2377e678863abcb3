//! Escaped, wrapped and listed values. Each rule encodes a random value, which
//! must be masked anywhere in a text, and the text beside it must not be.

use super::stream;
use crate::{Matcher, Pattern, canonical};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write;

/// Returns a matcher for values as sidecar builds it, without encoded forms.
fn matcher(values: &[&[u8]]) -> Matcher {
    let canonical: Vec<_> =
        values.iter().map(|value| canonical(value)).filter(|form| form.len() >= 8).collect();
    let all: Vec<_> =
        values.iter().map(|value| value.to_vec()).chain(canonical).map(Pattern::exact).collect();
    let is_value = vec![true; all.len()];
    Matcher::with_views(all, &is_value).expect("few")
}

fn masked_in_chunks(matcher: &Matcher, text: &[u8], chunk: usize) -> Vec<u8> {
    stream(matcher, text, &[chunk.max(1)]).0
}

/// A way to write a value.
type Rule = fn(&[u8], usize) -> Vec<u8>;

fn each(value: &[u8], write: impl Fn(&mut String, u8)) -> Vec<u8> {
    let mut out = String::new();
    for byte in value {
        write(&mut out, *byte);
    }
    out.into_bytes()
}

fn json(value: &[u8]) -> Vec<u8> {
    each(value, |out, byte| match byte {
        b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
        b'<' | b'>' | b'&' | b'=' | b'\'' => write!(out, "\\u{byte:04x}").expect("written"),
        b'/' => out.push_str("\\/"),
        _ => out.push(char::from(byte)),
    })
}

fn markup(value: &[u8]) -> Vec<u8> {
    each(value, |out, byte| match byte {
        b'&' => out.push_str("&amp;"),
        b'<' => out.push_str("&lt;"),
        b'>' => out.push_str("&gt;"),
        b'"' => out.push_str("&quot;"),
        b'\'' => out.push_str("&#39;"),
        b'=' => out.push_str("&#x3D;"),
        _ => out.push(char::from(byte)),
    })
}

/// Escapes like PHP's `htmlentities` for HTML 5.
fn named_markup(value: &[u8]) -> Vec<u8> {
    let names = [
        ("!", "excl"),
        ("#", "num"),
        ("$", "dollar"),
        ("%", "percnt"),
        ("&", "amp"),
        ("(", "lpar"),
        (")", "rpar"),
        ("*", "ast"),
        ("+", "plus"),
        (",", "comma"),
        (".", "period"),
        ("/", "sol"),
        (":", "colon"),
        (";", "semi"),
        ("<", "lt"),
        (">", "gt"),
        ("?", "quest"),
        ("@", "commat"),
        ("[", "lbrack"),
        ("\\", "bsol"),
        ("]", "rsqb"),
        ("^", "Hat"),
        ("_", "lowbar"),
        ("{", "lbrace"),
        ("|", "vert"),
        ("}", "rcub"),
    ];
    each(value, |out, byte| match names.iter().find(|(c, _)| c.as_bytes() == [byte]) {
        Some((_, name)) => write!(out, "&{name};").expect("written"),
        None => out.push(char::from(byte)),
    })
}

fn percent(value: &[u8], kept: &[u8]) -> Vec<u8> {
    each(value, |out, byte| {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else if byte % 2 == 0 {
            write!(out, "%{byte:02x}").expect("written");
        } else {
            write!(out, "%{byte:02X}").expect("written");
        }
    })
}

/// Folds as writers do that never part an escape.
fn folded_json(value: &[u8], columns: usize, with: &str) -> Vec<u8> {
    let pieces: Vec<_> = value.chunks(columns % 60 + 1).map(json).collect();
    pieces.join(with.as_bytes())
}

fn folded(value: &[u8], columns: usize, with: &str) -> Vec<u8> {
    let pieces: Vec<_> = value.chunks(columns % 60 + 1).collect();
    pieces.join(with.as_bytes())
}

fn utf16(value: &[u8], is_big: bool, width: usize) -> Vec<u8> {
    let zeros = vec![0; width - 1];
    value
        .iter()
        .flat_map(
            |byte| if is_big { [&zeros[..], &[*byte]].concat() } else { [&[*byte], &zeros[..]].concat() },
        )
        .collect()
}

fn dump(value: &[u8], line: impl Fn(usize, &str, &str) -> String) -> Vec<u8> {
    let lines = value.chunks(16).enumerate().map(|(number, bytes)| {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown: String =
            bytes.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        line(number * 16, &hex.join(" "), &shown)
    });
    lines.collect::<String>().into_bytes()
}

const RULES: [(&str, Rule); 33] = [
    ("JSON", |value, _| json(value)),
    ("JSON in JSON", |value, _| json(&json(value))),
    ("JSON in JSON in JSON", |value, _| json(&json(&json(value)))),
    ("markup", |value, _| markup(value)),
    ("markup of JSON", |value, _| markup(&json(value))),
    ("markup, by names", |value, _| named_markup(value)),
    ("escape of JavaScript", |value, _| {
        each(value, |out, byte| write!(out, "%u{byte:04X}").expect("written"))
    }),
    ("markup, by numbers", |value, _| each(value, |out, byte| write!(out, "&#{byte};").expect("written"))),
    ("JSON of markup", |value, _| json(&markup(value))),
    ("markup twice", |value, _| markup(&markup(value))),
    ("percent", |value, _| percent(value, b"")),
    ("percent, some kept", |value, _| percent(value, b"/:!$()*+,;@-._~")),
    ("percent twice", |value, _| percent(&percent(value, b"-._~"), b"-._~")),
    ("JSON of percent", |value, _| json(&percent(value, b"-._~"))),
    ("fold", |value, columns| folded(value, columns, "\n")),
    ("CRLF", |value, columns| folded(value, columns, "\r\n")),
    ("indented", |value, columns| folded(value, columns, "\n      ")),
    ("in a box", |value, columns| folded(value, columns, "   │\n│ ")),
    ("in a table", |value, columns| folded(value, columns, "  |\n|  ")),
    ("soft breaks", |value, columns| folded(value, columns, "=\r\n")),
    ("double quotes of YAML", |value, columns| folded_json(value, columns, "\\\n  ")),
    ("coloured", |value, columns| folded(value, columns, "\u{1b}[01;31m\u{1b}[K")),
    ("coloured in JSON", |value, columns| folded(value, columns, "\\u001b[31m")),
    ("folded JSON", |value, columns| folded_json(value, columns, "\n")),
    ("octal", |value, _| each(value, |out, byte| write!(out, "\\{byte:03o}").expect("written"))),
    ("escaped bytes", |value, _| each(value, |out, byte| write!(out, "\\x{byte:02x}").expect("written"))),
    ("UTF-16LE", |value, _| utf16(value, false, 2)),
    ("UTF-16BE", |value, _| utf16(value, true, 2)),
    ("UTF-32LE", |value, _| utf16(value, false, 4)),
    ("shell words", |value, _| {
        each(value, |out, byte| {
            if !byte.is_ascii_alphanumeric() {
                out.push('\\');
            }
            out.push(char::from(byte));
        })
    }),
    ("joined quotes", |value, columns| folded_json(value, columns, "\" +\n    \"")),
    ("properties", |value, _| {
        each(value, |out, byte| {
            if b":=#! \\".contains(&byte) {
                out.push('\\');
            }
            out.push(char::from(byte));
        })
    }),
    ("doubled backslashes", |value, _| String::from_utf8_lossy(value).replace('\\', "\\\\").into_bytes()),
];

/// Rules that part a value, or escape each byte of it.
const PARTS: [&str; 15] = [
    "escape of JavaScript",
    "markup, by numbers",
    "fold",
    "CRLF",
    "indented",
    "in a box",
    "in a table",
    "soft breaks",
    "coloured",
    "coloured in JSON",
    "double quotes of YAML",
    "folded JSON",
    "joined quotes",
    "octal",
    "escaped bytes",
];

const NUMBERS: [(&str, Rule); 16] = [
    ("list", |value, _| joined(value, ", ", |byte| byte.to_string())),
    ("list of Go", |value, _| joined(value, " ", |byte| byte.to_string())),
    ("list in lines", |value, _| joined(value, ",\n    ", |byte| byte.to_string())),
    ("list of YAML", |value, _| joined(value, "\n    - ", |byte| byte.to_string())),
    ("hex with blanks", |value, _| joined(value, " ", |byte| format!("{byte:02x}"))),
    ("hex with colons", |value, _| joined(value, ":", |byte| format!("{byte:02X}"))),
    ("columns of od", |value, _| joined(value, " ", |byte| format!("{byte:>3}"))),
    ("od -t u1", |value, _| {
        let lines = value.chunks(16).enumerate().map(|(number, bytes)| {
            let numbers = joined(bytes, "", |byte| format!(" {byte:>3}"));
            let numbers = String::from_utf8_lossy(&numbers);
            format!("{:07o}{numbers}\n", number * 16)
        });
        lines.collect::<String>().into_bytes()
    }),
    ("hex in quotes", |value, _| {
        format!("\"{}\"", String::from_utf8_lossy(&joined(value, ":", |byte| format!("{byte:02x}"))))
            .into_bytes()
    }),
    ("columns of Node", |value, _| {
        let rows = value.chunks(6).map(|row| joined(row, ", ", |byte| format!("{byte:>3}")));
        rows.collect::<Vec<_>>().join(&b",\n  "[..])
    }),
    ("hex in groups", |value, _| {
        let groups = value.chunks(4).map(|group| joined(group, "", |byte| format!("{byte:02x}")));
        groups.collect::<Vec<_>>().join(&b" "[..])
    }),
    ("xxd -g 4", |value, _| {
        let lines = value.chunks(16).enumerate().map(|(number, bytes)| {
            let groups: Vec<_> = { bytes.chunks(4) }
                .map(|group| {
                    String::from_utf8_lossy(&joined(group, "", |byte| format!("{byte:02x}"))).into_owned()
                })
                .collect();
            let shown = String::from_utf8_lossy(bytes);
            format!("{:08x}: {:<36} {shown}\n", number * 16, groups.join(" "))
        });
        lines.collect::<String>().into_bytes()
    }),
    ("hex of C", |value, _| joined(value, ", ", |byte| format!("0x{byte:02x}"))),
    ("hexdump -C", |value, _| {
        dump(value, |at, hex, shown| {
            let (left, right) = hex.split_at(hex.len().min(24));
            format!("{at:08x}  {:<23}  {:<23}  |{shown}|\n", left.trim(), right)
        })
    }),
    ("od -A x -t x1z", |value, _| dump(value, |at, hex, shown| format!("{at:06x} {hex:<47}  >{shown}<\n"))),
    ("curl --trace", |value, _| dump(value, |at, hex, shown| format!("{at:04x}: {hex:<47} {shown}\n"))),
];

/// Ends of lines between letters of encoded data.
const ENDS: [&str; 7] = ["\n", "\r\n", "\n    ", "=\n", "\" +\n  \"", "\n| ", "   │\n│ "];

fn joined(value: &[u8], with: &str, number: impl Fn(u8) -> String) -> Vec<u8> {
    let numbers: Vec<_> = value.iter().map(|byte| number(*byte)).collect();
    numbers.join(with).into_bytes()
}

/// Letters and digits that are left in the place of a value; addresses of dumps stay.
fn left(masked: &[u8]) -> usize {
    masked.iter().filter(|byte| byte.is_ascii_graphic() && !b"X89".contains(byte)).count()
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(
            prop::sample::select(&b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[..]),
            12..80
        ),
        vec(33..127_u8, 24..60),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 300 } else { 3000 }))]

    #[test]
    fn a_value_is_masked_however_it_is_written(
        value in value(), columns in 0..60_usize, rule in 0..RULES.len(), before in "[a-z\n ,.]{0,300}", behind in "[a-z\n ,.]{0,300}", chunk in prop_oneof![1..100_usize, 100..5000_usize],
    ) {
        // A value can end in what begins an escape, or begin with what ends one.
        prop_assume!(canonical(&value).len() >= 8);
        let (name, write) = RULES[rule];
        // One that contains an escape can be parted within.
        let is_parted = |byte: &u8| PARTS.contains(&name) && b"\\%&".contains(byte);
        let value: Vec<u8> = value.into_iter().map(|byte| if is_parted(&byte) { b'#' } else { byte }).collect();
        // The escapes of terminals themselves are not decoded in another encoding.
        prop_assume!(!value.windows(2).any(|pair| pair.eq_ignore_ascii_case(b"\\e")));
        let written = write(&value, columns);
        let text = [before.as_bytes(), b" \"", &written, b"\" ", behind.as_bytes()].concat();
        let masked = masked_in_chunks(&matcher(&[&value]), &text, chunk);
        prop_assert_eq!(masked.len(), text.len());
        let (first, rest) = masked.split_at(before.len() + 2);
        let (place, last) = rest.split_at(written.len());
        prop_assert_eq!(first, &text[..first.len()], "{}", name);
        prop_assert_eq!(last, &text[text.len() - last.len()..], "{}", name);
        let shown = String::from_utf8_lossy(place);
        let decoded = canonical(place);
        let visible = decoded.iter().filter(|byte| !b"X89+".contains(byte)).count();
        prop_assert!(visible <= 3, "{name}: {:?} is {shown:?}", String::from_utf8_lossy(&written));
    }

    #[test]
    fn a_list_of_numbers_is_masked(
        value in vec(33..127_u8, 8..60), rule in 0..NUMBERS.len(), opened in "[\"'<(=]?", before in "[a-z ,.]{0,300}", behind in "[a-z ,.]{0,300}", chunk in prop_oneof![1..100_usize, 100..5000_usize],
    ) {
        let (name, write) = NUMBERS[rule];
        // Two groups are too little to be recognized.
        prop_assume!(name != "hex in groups" || value.len() >= 12);
        let written = write(&value, 0);
        let before = before + "\n" + &opened;
        let text = [before.as_bytes(), &written, b"\n", behind.as_bytes()].concat();
        let masked = masked_in_chunks(&matcher(&[&value]), &text, chunk);
        prop_assert_eq!(masked.len(), text.len());
        let end = before.len() + written.len();
        let place = &masked[before.len()..end];
        prop_assert_eq!(&masked[..before.len()], &text[..before.len()]);
        prop_assert_eq!(&masked[end..], &text[end..]);
        let addresses = if place.ends_with(b"\n") { 10 * place.split(|byte| *byte == b'\n').count() } else { 0 };
        prop_assert!(left(&strip(place)) <= addresses, "{name}: {:?}", String::from_utf8_lossy(place));
    }

    #[test]
    fn encoded_data_is_masked_across_ends_of_lines(
        data in vec(prop::sample::select(&b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"[..]), 40..200),
        columns in 16..77_usize, with in 0..ENDS.len(), before in "[a-z\n ,.]{0,300}", behind in "[a-z\n ,.]{0,300}", chunk in 1..5000_usize,
    ) {
        // The end of a line says nothing behind the last few letters.
        prop_assume!(data.len() % columns >= 2 && data.len() > columns);
        let matcher = Matcher::with_views(vec![Pattern::exact(data.clone())], &[false]).expect("few");
        let lines: Vec<_> = data.chunks(columns).collect();
        let written = lines.join(ENDS[with].as_bytes());
        let text = [before.as_bytes(), b"\n\"", &written, b"\"\n", behind.as_bytes()].concat();
        let masked = masked_in_chunks(&matcher, &text, chunk);
        let (place, end) = (before.len() + 2..before.len() + 2 + written.len(), ENDS[with].as_bytes());
        let expected: Vec<_> = lines.iter().map(|line| vec![b'X'; line.len()]).collect();
        let layout = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != b'X').count();
        prop_assert!(layout(&masked[place.clone()]) <= layout(&expected.join(end)), "{:?}", String::from_utf8_lossy(&masked[place]));
        prop_assert_eq!(&masked[..before.len() + 2], &text[..before.len() + 2]);
    }

    #[test]
    fn other_texts_are_untouched(text in "[a-zA-Z0-9%&;\\\\\n\t \"'=+,:0-9\\[\\]-]{0,3000}", value in value(), chunk in 1..5000_usize) {
        let masked = masked_in_chunks(&matcher(&[&value]), text.as_bytes(), chunk);
        prop_assert_eq!(String::from_utf8_lossy(&masked), text);
    }
}

/// Removes what separates numbers.
fn strip(place: &[u8]) -> Vec<u8> {
    place.iter().copied().filter(|byte| !b",:-|>< \"".contains(byte)).collect()
}

#[test]
fn layout_is_left_as_it_is() {
    let matcher = matcher(&[b"ghp_16C7e42F292c6912E7710c838347Ae178B4a"]);
    let masked =
        |text: &str| String::from_utf8(masked_in_chunks(&matcher, text.as_bytes(), 7)).expect("text");
    assert_eq!(
        masked("│ ghp_16C7e42F292c6912E7 │\n│ 710c838347Ae178B4a     │\n"),
        "│ XXXXXXXXXXXXXXXXXXXXXX │\n│ XXXXXXXXXXXXXXXXXX     │\n"
    );
    assert_eq!(
        masked("a: ghp_16C7e42F292c6912E7\n  710c838347Ae178B4a\nb: 1\n"),
        "a: XXXXXXXXXXXXXXXXXXXXXX\n  XXXXXXXXXXXXXXXXXX\nb: 1\n"
    );
    assert_eq!(masked("6768705f: 67 68 70 5f"), "6768705f: 67 68 70 5f");
}

#[test]
fn short_patterns_are_not_looked_for_in_views() {
    let matcher = matcher(&[b"foo", b"barbarbar"]);
    let masked =
        |text: &str| String::from_utf8(masked_in_chunks(&matcher, text.as_bytes(), 100)).expect("text");
    assert_eq!(
        masked("fo\no foo bar\nbarbar [102, 111, 111, 1, 2, 3, 4, 5]"),
        "fo\no XXX XXX\nXXXXXX [102, 111, 111, 1, 2, 3, 4, 5]"
    );
}
