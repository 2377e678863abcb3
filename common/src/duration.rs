//! Durations as Go's `time` package writes and reads them (contract O-74).
//!
//! Options, log records and reports of upstream's programs use this form (`2h0m0s`,
//! `1.5s`), so parsing and printing match Go exactly, down to the arithmetic of
//! fractions. Source: `time.ParseDuration` and `time.Duration.String`.

use crate::quote::quoted;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A signed span of time in nanoseconds (about ±292 years).
///
/// Displays in Go's form, parses Go's syntax, serialises as integer nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GoDuration(i64);

/// Go's units with their length in nanoseconds, with both micro signs (U+00B5 and U+03BC).
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// One more than the largest number of nanoseconds.
const BOUND: u64 = 1 << 63;

impl GoDuration {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Creates a duration from nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Creates a duration from seconds, saturating.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Returns the duration in nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Returns true for zero, which in options means "not set".
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Converts to the standard library's type; a negative duration has already expired
    /// and becomes zero.
    pub fn as_std(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }

    /// Converts from the standard library's type, saturating.
    pub fn from_std(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let nanos = self.0.unsigned_abs();
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write_fraction(f, nanos, 1_000, "µs"),
            1_000_000..1_000_000_000 => write_fraction(f, nanos, 1_000_000, "ms"),
            1_000_000_000.. => {
                let minutes = nanos / 60_000_000_000;
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                write_fraction(f, nanos % 60_000_000_000, 1_000_000_000, "s")
            }
        }
    }
}

/// Writes `value / unit` with all its decimals.
fn write_fraction(f: &mut fmt::Formatter<'_>, value: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", value / unit)?;
    let (mut rest, mut digits) = (value % unit, unit / 10);
    if rest > 0 {
        f.write_str(".")?;
    }
    while rest > 0 {
        write!(f, "{}", rest / digits)?;
        rest %= digits;
        digits /= 10;
    }
    f.write_str(name)
}

impl fmt::Debug for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

/// Error for a text that is not a Go duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is no duration: {problem}; allowed are values such as 300ms, 1.5h or 2h45m", quoted(.text))]
pub struct DurationError {
    text: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("a number is missing")]
    MissingNumber,
    #[error("a unit (ns, us, ms, s, m, h) is missing")]
    MissingUnit,
    #[error("the unit {} is unknown (ns, us, ms, s, m, h are known)", quoted(.0))]
    UnknownUnit(String),
    #[error("it is longer than 292 years")]
    TooLong,
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self).map_err(|problem| DurationError { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<i64, Problem> {
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(Problem::MissingNumber);
    }
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let (value, tail) = parse_part(rest)?;
        sum = sum.checked_add(value).filter(|sum| *sum <= BOUND).ok_or(Problem::TooLong)?;
        rest = tail;
    }
    if negative {
        // The bound itself is the smallest i64, which has no positive counterpart.
        Ok(0_i64.checked_sub_unsigned(sum).unwrap_or(i64::MIN))
    } else {
        i64::try_from(sum).map_err(|_| Problem::TooLong)
    }
}

/// Parses one number with its unit; returns the nanoseconds and the rest of the text.
fn parse_part(text: &str) -> Result<(u64, &str), Problem> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(tail) => split_digits(tail),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Problem::MissingNumber);
    }
    let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    if name.is_empty() {
        return Err(Problem::MissingUnit);
    }
    let unit = UNITS.iter().find(|unit| unit.0 == name).map(|unit| unit.1);
    let unit = unit.ok_or_else(|| Problem::UnknownUnit(name.to_owned()))?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Problem::TooLong)? };
    let value = whole
        .checked_mul(unit)
        .and_then(|value| value.checked_add(fraction_of(fraction, unit)))
        .filter(|value| *value <= BOUND)
        .ok_or(Problem::TooLong)?;
    Ok((value, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Returns `0.<digits>` of a unit by Go's arithmetic: ignores digits that do not fit 63
/// bits and computes the rest in floating point.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go computes like this; the result is below 3.6e12 and never negative"
)]
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let (mut number, mut scale) = (0_u64, 1.0_f64);
    for digit in digits.bytes() {
        if number > (BOUND - 1) / 10 {
            break;
        }
        let next = number * 10 + u64::from(digit - b'0');
        if next > BOUND {
            break;
        }
        number = next;
        scale *= 10.0;
    }
    (number as f64 * (unit as f64 / scale)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> i64 {
        text.parse::<GoDuration>().unwrap_or_else(|error| panic!("{error}")).as_nanos()
    }

    // O-74; the values are those of Go's own tests.
    #[test]
    fn o_74_parses_what_go_parses() {
        let second = 1_000_000_000;
        let (minute, hour) = (60 * second, 3600 * second);
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("+0", 0),
            ("0s", 0),
            ("5s", 5 * second),
            ("-5s", -5 * second),
            ("+5s", 5 * second),
            ("1478s", 1478 * second),
            ("5.0s", 5 * second),
            ("5.6s", 5_600_000_000),
            ("5.s", 5 * second),
            (".5s", 500_000_000),
            ("1.004s", 1_004_000_000),
            ("100.00100s", 100_001_000_000),
            ("10ns", 10),
            ("11us", 11_000),
            ("12µs", 12_000),
            ("12μs", 12_000),
            ("13ms", 13_000_000),
            ("15m", 15 * minute),
            ("16h", 16 * hour),
            ("3h30m", 3 * hour + 30 * minute),
            ("10.5s4m", 4 * minute + 10_500_000_000),
            ("-2m3.4s", -(2 * minute + 3_400_000_000)),
            ("1h2m3s4ms5us6ns", hour + 2 * minute + 3 * second + 4_005_006),
            ("39h9m14.425s", 39 * hour + 9 * minute + 14_425_000_000),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 20 * minute),
            ("9007199254740993ns", (1 << 53) + 1),
            ("9223372036854775807ns", i64::MAX),
            ("9223372036854775.807us", i64::MAX),
            ("9223372036s854ms775us807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("-9223372036854775.808us", i64::MIN),
            ("-2562047h47m16.854775808s", i64::MIN),
            ("0.100000000000000000000h", 6 * minute),
            ("0.830103483285477580700h", 49 * minute + 48 * second + 372_539_827),
        ] {
            assert_eq!(nanos(text), expected, "{text}");
        }
    }

    #[test]
    fn o_74_refuses_what_go_refuses() {
        for text in [
            "",
            "3",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            " 1s",
            "1s ",
            "--1s",
            "3000000h",
            "1x2s",
            "\u{85}\u{85}",
            "\u{ffff}",
            "hello \u{ffff} world",
            "9223372036854775810ns",
            "9223372036854775808ns",
            "-9223372036854775809ns",
            "9223372036854776us",
            "3000000h",
            "9223372036854775.808us",
            "9223372036854ms775us808ns",
            "99999999999999999999999s",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn o_74_errors_name_value_problem_and_what_is_allowed() {
        let error = "1d".parse::<GoDuration>().expect_err("no duration").to_string();
        assert!(error.starts_with("\"1d\" is no duration: the unit \"d\" is unknown"), "{error}");
        assert!(error.ends_with("allowed are values such as 300ms, 1.5h or 2h45m"), "{error}");
        let error = "x".repeat(10_000).parse::<GoDuration>().expect_err("no duration").to_string();
        assert!(error.len() < 400, "{error}");
        let error = "90".parse::<GoDuration>().expect_err("no duration").to_string();
        assert!(error.contains("a unit (ns, us, ms, s, m, h) is missing"), "{error}");
    }

    #[test]
    fn o_74_prints_as_go_prints() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (7_200_000_000_000, "2h0m0s"),
            (15_000_000_000, "15s"),
            (-1_500_000_000, "-1.5s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            let duration = GoDuration::from_nanos(nanos);
            assert_eq!(duration.to_string(), text);
            assert_eq!(text.parse(), Ok(duration));
        }
    }

    #[test]
    fn o_74_what_is_printed_is_parsed_back() {
        // A multiplicative sequence that reaches all magnitudes.
        let mut value: i64 = 1;
        for round in 0..20_000_u32 {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let duration = GoDuration::from_nanos(value >> (round % 63));
            assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }

    #[test]
    fn std_durations_saturate_and_negative_ones_have_expired() {
        assert_eq!(GoDuration::from_secs(-3).as_std(), Duration::ZERO);
        assert_eq!(GoDuration::from_secs(3).as_std(), Duration::from_secs(3));
        assert_eq!(GoDuration::from_std(Duration::MAX).as_nanos(), i64::MAX);
        assert_eq!(GoDuration::from_secs(i64::MAX).as_nanos(), i64::MAX);
    }
}
