//! The rules, as the document lists them.

use super::writers::{
    as_is, base32, base64, behind, doubled, dump, each, escaped, groups, halves, hex, json, markup, numbers,
    parted, percent, replaced, text, wide,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Writes a value; the number is a width, an alignment, or nothing.
pub(super) type Writer = fn(&[u8], usize) -> Vec<u8>;

/// Values that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Any character that can be seen.
    Any,
    /// The same, but none that begins an escape, which would be parted.
    Parted,
    /// Letters and digits with an escape among them.
    Escapes,
    /// Letters and digits with the end of a section of XML among them.
    Sections,
    /// Letters and digits.
    Tokens,
    /// Lines of letters and digits.
    Lines,
    /// Bytes that are not text.
    Bytes,
}

/// A row of the table: a heading, rules with their writers, and what is said of all.
pub(super) type Row = (&'static str, &'static [(&'static str, Of, &'static [Writer])], &'static str);

pub(super) const ROWS: &[Row] = &[
    (
        "wrapped text",
        &[
            ("at any column", Of::Parted, &[|v, n| parted(v, n, "\n"), |v, n| parted(v, n, "\r\n")]),
            ("with indentation", Of::Parted, &[|v, n| parted(v, n, "\n      "), |v, n| parted(v, n, "\n\t")]),
            (
                "in tables and boxes",
                Of::Parted,
                &[
                    |v, n| parted(v, n, "  |\n|  "),
                    |v, n| parted(v, n, " │\n│ "),
                    |v, n| parted(v, n, "┃\n┃"),
                ],
            ),
            (
                "with soft line breaks",
                Of::Parted,
                &[|v, n| parted(v, n, "=\n"), |v, n| parted(v, n, "\\\n  ")],
            ),
            (
                "in quotes joined by ` +`",
                Of::Parted,
                &[|v, n| parted(v, n, "\" +\n    \""), |v, n| parted(v, n, "' +\n'")],
            ),
        ],
        "",
    ),
    (
        "coloured text",
        &[("with escapes of a terminal inside", Of::Parted, &[|v, n| parted(v, n, "\u{1b}[01;31m\u{1b}[K")])],
        "",
    ),
    (
        "escaped text",
        &[
            (
                "strings of JSON at any depth",
                Of::Any,
                &[
                    |v, _| json(v),
                    |v, _| json(&json(v)),
                    |v, _| json(&json(&json(v))),
                    |v, _| escaped(v, |byte| format!("\\u{byte:04x}")),
                ],
            ),
            ("of YAML", Of::Any, &[|v, _| doubled(v, b'\''), |v, _| json(v)]),
            (
                "of shells",
                Of::Any,
                &[
                    |v, _| escaped(v, |byte| format!("\\{}", char::from(byte))),
                    |v, _| replaced(v, b'\'', "'\\''"),
                    |v, _| replaced(v, b'\'', "'\"'\"'"),
                ],
            ),
            (
                "of properties",
                Of::Any,
                &[|v, _| {
                    each(v, |byte| {
                        if b":=#!\\".contains(&byte) {
                            format!("\\{}", char::from(byte))
                        } else {
                            as_is(byte)
                        }
                    })
                }],
            ),
            (
                "of C and Python",
                Of::Parted,
                &[
                    |v, _| each(v, |byte| format!("\\x{byte:02x}")),
                    |v, _| each(v, |byte| format!("\\{byte:03o}")),
                    |v, _| each(v, |byte| format!("\\U{byte:08X}")),
                ],
            ),
            (
                "XML and HTML entities by name and number",
                Of::Any,
                &[
                    |v, _| markup(v),
                    |v, _| escaped(v, |byte| format!("&#{byte};")),
                    |v, _| escaped(v, |byte| format!("&#x{byte:X};")),
                ],
            ),
            (
                "percent-encoding with any set of reserved characters, also twice",
                Of::Any,
                &[
                    |v, _| percent(v, b""),
                    |v, _| percent(v, b"-._~"),
                    |v, _| percent(v, b"-._~/:!$()*+,;@"),
                    |v, _| percent(&percent(v, b"-._~"), b""),
                ],
            ),
            ("`%u` of JavaScript", Of::Any, &[|v, _| escaped(v, |byte| format!("%u{byte:04X}"))]),
            (
                "sections of XML",
                Of::Sections,
                &[
                    |v, _| text(v).replace("]]>", "]]]]><![CDATA[>").into_bytes(),
                    |v, _| text(v).replace("]]>", "]]]><![CDATA[]>").into_bytes(),
                ],
            ),
            (
                "each byte again of a value that holds an escape",
                Of::Escapes,
                &[
                    |v, _| each(v, |byte| format!("\\x{byte:02x}")),
                    |v, _| each(v, |byte| format!("\\u{byte:04x}")),
                    |v, _| each(v, |byte| format!("\\\\u{byte:04X}")),
                    |v, _| each(v, |byte| format!("%{byte:02X}")),
                    |v, _| each(v, |byte| format!("&#{byte};")),
                    |v, _| each(v, |byte| format!("&#x{byte:x};")),
                ],
            ),
            ("quoted-printable", Of::Parted, &[|v, n| parted(&replaced(v, b'=', "=3D"), n, "=\n")]),
            (
                "one inside the other",
                Of::Any,
                &[|v, _| json(&markup(v)), |v, _| markup(&json(v)), |v, _| json(&percent(v, b"-._~"))],
            ),
        ],
        "",
    ),
    (
        "doubled characters",
        &[
            ("quotes of CSV, YAML and SQL", Of::Any, &[|v, _| doubled(v, b'"'), |v, _| doubled(v, b'\'')]),
            ("`$$` of compose files", Of::Any, &[|v, _| doubled(v, b'$')]),
        ],
        "",
    ),
    (
        "wide text",
        &[
            ("UTF-16", Of::Any, &[|v, _| wide(v, 2, true), |v, _| wide(v, 2, false)]),
            ("UTF-32 in either order", Of::Any, &[|v, _| wide(v, 4, true), |v, _| wide(v, 4, false)]),
        ],
        "",
    ),
    (
        "base64",
        &[
            (
                "standard and for URLs",
                Of::Any,
                &[|v, _| STANDARD.encode(v).into_bytes(), |v, _| URL_SAFE_NO_PAD.encode(v).into_bytes()],
            ),
            ("at each alignment", Of::Any, &[|v, n| base64(&behind(v, n % 3))]),
            (
                "with and without padding",
                Of::Any,
                &[|v, _| STANDARD_NO_PAD.encode(v).into_bytes(), |v, _| base64(v)],
            ),
            ("in lines of any length", Of::Any, &[|v, n| parted(&base64(&behind(v, n % 3)), n + 15, "\n")]),
            ("of base64", Of::Any, &[|v, n| base64(&base64(&behind(v, n % 3)))]),
            (
                "of JSON",
                Of::Any,
                &[|v, n| {
                    let quoted = serde_json::to_string(&String::from_utf8_lossy(v)).expect("JSON");
                    base64(&behind(quoted.as_bytes(), n % 3))
                }],
            ),
        ],
        " (the last two only while there are at most 1,000 values)",
    ),
    (
        "base32",
        &[("at each alignment", Of::Any, &[|v, n| base32(&behind(v, n % 5))])],
        " (only while there are at most 1,000 values)",
    ),
    (
        "hexadecimal",
        &[
            ("in either case", Of::Any, &[|v, _| hex(v, ""), |v, _| hex(v, "").to_ascii_uppercase()]),
            ("wrapped", Of::Any, &[|v, n| parted(&hex(v, ""), n + 15, "\n")]),
            (
                "with separators",
                Of::Any,
                &[
                    |v, _| hex(v, " "),
                    |v, _| hex(v, ":"),
                    |v, _| numbers(v, ", ", |byte| format!("{byte:#x}")),
                ],
            ),
            ("in groups of up to four bytes", Of::Any, &[|v, _| groups(v, 2), |v, _| groups(v, 4)]),
            (
                "in dumps of `xxd`, `hexdump -C`, `od -t x1z` and `curl --trace` with their column of characters",
                Of::Any,
                &[
                    |v, _| {
                        dump(v, |at, bytes, shown| {
                            format!("{at:08x}: {:<40} {shown}", text(&groups(bytes, 2)))
                        })
                    },
                    |v, _| {
                        dump(v, |at, bytes, shown| {
                            format!("{at:08x}: {:<36} {shown}", text(&groups(bytes, 4)))
                        })
                    },
                    |v, _| {
                        dump(v, |at, bytes, shown| {
                            format!("{at:08x}  {:<49} |{shown}|", text(&halves(bytes)))
                        })
                    },
                    |v, _| {
                        dump(v, |at, bytes, shown| {
                            format!("{at:06x} {:<47}  >{shown}<", text(&hex(bytes, " ")))
                        })
                    },
                    |v, _| {
                        dump(v, |at, bytes, shown| {
                            format!("{at:04x}: {:<47} {shown}", text(&hex(bytes, " ")))
                        })
                    },
                ],
            ),
        ],
        "",
    ),
    (
        "decimal numbers",
        &[
            ("`[104, 105]`", Of::Any, &[|v, _| numbers(v, ", ", |byte| byte.to_string())]),
            ("`[104 105]`", Of::Any, &[|v, _| numbers(v, " ", |byte| byte.to_string())]),
            (
                "one in a line",
                Of::Any,
                &[
                    |v, _| numbers(v, "\n- ", |byte| byte.to_string()),
                    |v, _| numbers(v, ",\n    ", |byte| byte.to_string()),
                ],
            ),
            ("in columns", Of::Any, &[|v, _| numbers(v, " ", |byte| format!("{byte:>3}"))]),
            ("signed", Of::Bytes, &[|v, _| numbers(v, ", ", |byte| i8::from_le_bytes([byte]).to_string())]),
        ],
        "",
    ),
    (
        "lines",
        &[
            (
                "each line of at least 16 bytes that looks generated or encoded",
                Of::Lines,
                &[|v, _| replaced(v, b'\n', "\n12: ")],
            ),
            ("all of them joined by blanks", Of::Lines, &[|v, _| replaced(v, b'\n', " ")]),
        ],
        "",
    ),
    (
        "shortened text",
        &[(
            "what is left of a value of at least 24 bytes without blanks, where 16 generated bytes of its front or its end are among it",
            Of::Tokens,
            &[
                |v, n| v[..(16 + n).min(v.len())].to_vec(),
                |v, n| v[v.len() - (16 + n).min(v.len())..].to_vec(),
                |v, _| [&v[..v.len() - 7], "…".as_bytes()].concat(),
            ],
        )],
        " (only while there are at most 1,000 values). Not the front of a JWT, of keys in base64, or the host of a URL",
    ),
    (
        "replacement characters",
        &[("that readers show for what is not text", Of::Bytes, &[|v, _| text(v).into_bytes()])],
        "",
    ),
];
