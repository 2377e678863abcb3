//! Scalars, and what they mean to Kubernetes.
//!
//! Kubernetes reads YAML with `sigs.k8s.io/yaml`, whose parser follows YAML 1.1
//! in part: `yes` and `off` are bools, `0123` is octal, `1:30` is a text. The
//! rules here are those of its `resolve.go`.

/// A scalar as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    text: Box<str>,
    style: Style,
    /// An explicit tag as it is written, `!!binary` for example. Few have one, and a stream
    /// may hold many scalars.
    #[expect(clippy::box_collection, reason = "a pointer is a third of a text")]
    tag: Option<Box<String>>,
}

/// The style in which a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: the text decides what it is.
    Plain,
    /// A text in quotes.
    Quoted,
    /// A text of several lines, one below the other.
    Block,
}

/// The meaning of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A fraction, or an integer beyond 64 bits.
    Number,
    Text(&'a str),
}

const TRUE: [&str; 11] = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const FALSE: [&str; 11] = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];
const FLOATS: [&str; 12] =
    [".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"];

impl Scalar {
    /// A scalar that was read.
    pub(super) fn new(text: impl Into<Box<str>>, style: Style, tag: Option<String>) -> Self {
        Self { text: text.into(), style, tag: tag.map(Box::new) }
    }

    /// A text of ours: quoted unless no parser can take it for anything else.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into().into_boxed_str();
        let style = if is_harmless(&text) { Style::Plain } else { Style::Quoted };
        Self { text, style, tag: None }
    }

    /// A number, bool or null of ours.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into().into_boxed_str(), style: Style::Plain, tag: None }
    }

    /// The text as a key of a mapping.
    pub(crate) fn key(&self) -> &str {
        &self.text
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }

    pub(super) fn tag(&self) -> Option<&str> {
        self.tag.as_deref().map(String::as_str)
    }

    /// The text as it is shown to people, shortened.
    pub(crate) fn shown(&self) -> String {
        const MAX_CHARS: usize = 40;
        let mut text: String = self.text.chars().take(MAX_CHARS).collect();
        if text.len() < self.text.len() {
            text.push('…');
        }
        crate::terminal::harmless(&text)
    }

    /// Returns its meaning to Kubernetes' parser.
    pub(crate) fn meaning(&self) -> Meaning<'_> {
        if self.style != Style::Plain || self.tag.is_some() {
            return Meaning::Text(&self.text);
        }
        meaning_of(&self.text)
    }

    /// Returns whether it is a merge key.
    pub(super) fn is_merge(&self) -> bool {
        self.style == Style::Plain && self.tag.is_none() && &*self.text == "<<"
    }
}

/// Returns the meaning of a plain scalar.
pub(super) fn meaning_of(text: &str) -> Meaning<'_> {
    match text {
        _ if NULL.contains(&text) => Meaning::Null,
        _ if TRUE.contains(&text) => Meaning::Bool(true),
        _ if FALSE.contains(&text) => Meaning::Bool(false),
        _ if FLOATS.contains(&text) => Meaning::Number,
        _ if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => Meaning::Text(text),
        _ => number(text),
    }
}

fn number(text: &str) -> Meaning<'_> {
    // A text that starts with a point is never looked at without its underscores.
    let plain = if text.starts_with('.') { text.to_owned() } else { text.replace('_', "") };
    match integer(&plain) {
        Some(Ok(number)) => Meaning::Int(number),
        Some(Err(TooLarge)) => Meaning::Number,
        None if is_float(&plain) => Meaning::Number,
        None => Meaning::Text(text),
    }
}

struct TooLarge;

/// Go's `strconv.ParseInt` with base 0, and a leading `0` for octal.
fn integer(text: &str) -> Option<Result<i64, TooLarge>> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
    Some(i64::from_str_radix(&signed, radix).map_err(|_| TooLarge))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let exponent_fits = exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits));
    has_digits && all_digits(whole) && all_digits(fraction) && exponent_fits
}

/// Returns whether any YAML parser, of whatever version, reads the plain text as text.
fn is_harmless(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-:@".contains(c));
    starts && plain && !text.ends_with(':') && matches!(meaning_of(text), Meaning::Text(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_mean_what_kubernetes_makes_of_them() {
        for text in ["yes", "Y", "on", "True"] {
            assert_eq!(meaning_of(text), Meaning::Bool(true), "{text}");
        }
        for text in ["no", "n", "OFF", "false"] {
            assert_eq!(meaning_of(text), Meaning::Bool(false), "{text}");
        }
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(meaning_of(text), Meaning::Null, "{text:?}");
        }
        for (text, number) in [
            ("0", 0),
            ("0123", 83),
            ("0o17", 15),
            ("0x1F", 31),
            ("0b101", 5),
            ("1_000", 1000),
            ("-12", -12),
            ("+5", 5),
            ("-0b11", -3),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(meaning_of(text), Meaning::Int(number), "{text}");
        }
        for text in ["1e3", "1.5", ".5", "1.", "-.inf", ".NaN", "9223372036854775808", "089", "1E-3"] {
            assert_eq!(meaning_of(text), Meaning::Number, "{text}");
        }
        for text in
            ["yEs", "tRUE", "1:30", "12:30:45", "0x", "1.2.3", "2001-12-14", "+", "-", ".", "1e", "a", "0xg"]
        {
            assert_eq!(meaning_of(text), Meaning::Text(text), "{text}");
        }
    }

    #[test]
    fn quoted_texts_are_texts() {
        for style in [Style::Quoted, Style::Block] {
            let scalar = Scalar::new("yes".to_owned(), style, None);
            assert_eq!(scalar.meaning(), Meaning::Text("yes"));
        }
    }

    #[test]
    fn our_texts_are_quoted_when_somebody_could_misread_them() {
        for text in ["sidecar", "/tools/entrypoint", "registry.example/a:1", "FallbackToLogsOnError"] {
            assert_eq!(Scalar::text(text).style(), Style::Plain, "{text}");
        }
        for text in
            ["", "yes", "n", "1000", "0x1", "a: b", "a:", "--copy", "{}", "a #b", "~", "1e3", "ä", "null"]
        {
            assert_eq!(Scalar::text(text).style(), Style::Quoted, "{text}");
            assert_eq!(Scalar::text(text).meaning(), Meaning::Text(text));
        }
    }
}
