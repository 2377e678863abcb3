//! Values that begin or end with what strings escape, in strings within strings.

use super::stream;
use crate::{Matcher, Pattern};

/// Escapes like JSON.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Reads a string of JSON; `None` where it is none.
fn unquoted(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut read = String::new();
    while let Some(c) = chars.next() {
        read.push(match c {
            '"' => return None,
            '\\' => match chars.next()? {
                'n' => '\n',
                c @ ('"' | '\\' | '/') => c,
                _ => return None,
            },
            c => c,
        });
    }
    Some(read)
}

fn masked(secret: &str, text: &str, chunk: usize) -> String {
    let patterns: Vec<Pattern> = [secret.to_owned(), quoted(secret).trim_matches('"').to_owned()]
        .into_iter()
        .map(|form| Pattern::exact(form.into()))
        .collect();
    let matcher = Matcher::with_views(patterns, &[true, true]).expect("two patterns");
    String::from_utf8(stream(&matcher, text.as_bytes(), &[chunk]).0).expect("text")
}

#[test]
fn strings_within_strings_can_still_be_read() {
    for value in ["G4xnbKq93o9\\", "G4xnbKq93o9\\\\", "\"G4xnbKq93o9", "\\\"G4xnbKq93o9\\", "\\G4xnbKq93o9"] {
        for (before, behind) in [("", ""), ("a: ", "\nnext"), ("\n", "s"), ("x\\", "\"x"), ("", "\\ and")] {
            let mut text = format!("{before}{value}{behind}");
            for level in 0..5 {
                for chunk in [1, 7, usize::MAX] {
                    let masked = masked(value, &text, chunk);
                    assert_eq!(masked.len(), text.len());
                    assert!(!masked.contains("G4x"), "{masked}");
                    let mut read = masked.clone();
                    for _ in 0..level {
                        read = unquoted(&read).unwrap_or_else(|| panic!("level {level}: {text} is {masked}"));
                    }
                    assert!(level == 0 || read.starts_with(before.trim_end_matches('\\')), "{read}");
                }
                text = quoted(&text);
            }
        }
    }
}

#[test]
fn what_is_beside_a_value_stays() {
    for (text, expected) in [
        (r#"{"a":"{\"b\":\"G4xnbKq93o9\\\\\"}"}"#, r#"{"a":"{\"b\":\"XXXXXXXXXXXXXXX\"}"}"#),
        (r#""G4xnbKq93o9\\\nnext""#, r#""XXXXXXXXXXXXX\nnext""#),
        (r#""G4xnbKq93o9\\ and""#, r#""XXXXXXXXXXXXX and""#),
    ] {
        assert_eq!(masked("G4xnbKq93o9\\", text, usize::MAX), expected);
    }
}
