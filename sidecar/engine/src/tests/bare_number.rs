//! Masks of bare numbers.

use super::stream;
use crate::{Matcher, Pattern};

fn masked(secret: &str, text: &str, chunk: usize) -> String {
    let matcher = Matcher::new([Pattern::exact(secret.into())]).expect("one pattern");
    String::from_utf8(stream(&matcher, text.as_bytes(), &[chunk]).0).expect("text")
}

#[test]
fn numbers_stay_numbers() {
    for (secret, text, expected) in [
        ("443", "{\"port\": 443, \"x\": 1443}", "{\"port\": 999, \"x\": 1999}"),
        ("443", "[443]", "[999]"),
        ("443", "port: 443\nname: 443-x\n", "port: 999\nname: XXX-x\n"),
        ("443", "{\"port\": \"443\"}", "{\"port\": \"XXX\"}"),
        ("443", "took 443 ms", "took XXX ms"),
        ("999", "[999]", "[888]"),
        ("12.5", "{\"a\":12.5e3}", "{\"a\":9999e3}"),
    ] {
        assert_eq!(masked(secret, text, usize::MAX), expected);
    }
}

#[test]
fn numbers_of_yaml_stay_numbers() {
    for (text, expected) in [
        ("- 41582077\n- x\n", "- 99999999\n- x\n"),
        ("a:\n  - - 41582077\n", "a:\n  - - 99999999\n"),
        ("- -41582077\n", "- -99999999\n"),
        ("a: -41582077 # port\n", "a: -99999999 # port\n"),
        ("a: 41582077", "a: 99999999"),
        ("{a: 41582077, b: [41582077 ]}", "{a: 99999999, b: [99999999 ]}"),
        ("a: !!int 41582077\n", "a: !!int 99999999\n"),
        ("\"a\": !!int \"41582077\"\n", "\"a\": !!int \"99999999\"\n"),
        ("- !!float '41582077.5'\n", "- !!float '99999999.5'\n"),
        // None of these is a number.
        ("a: \"41582077\"\n", "a: \"XXXXXXXX\"\n"),
        ("a: !!str \"41582077\"\n", "a: !!str \"XXXXXXXX\"\n"),
        ("see - 41582077\n", "see - XXXXXXXX\n"),
        ("a: 41582077#x\n", "a: XXXXXXXX#x\n"),
        ("a: 41582077 and", "a: XXXXXXXX and"),
    ] {
        for chunk in [1, 5, usize::MAX] {
            assert_eq!(masked("41582077", text, chunk), expected, "{chunk}");
        }
    }
}
