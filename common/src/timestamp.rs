//! Points in time, as reports and log records write them (RFC 3339).
//!
//! Written by hand because of size: a calendar crate adds 250 KiB to a static binary
//! (measured with jiff 0.2), more than all of entrypoint's own logic.

use crate::duration::GoDuration;
use crate::quote::quoted;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: nanoseconds since 1970 in UTC, from the year 1678 to 2261.
///
/// Displays and serialises as RFC 3339 in UTC with as many decimals as needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Timestamp {
    /// Returns the current time of the wall clock, clamped to the range.
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Creates a time from nanoseconds since 1970 (UTC).
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns nanoseconds since 1970 (UTC).
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Returns whole seconds since 1970 (UTC), rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// Returns the time since `earlier`; negative when this is earlier.
    pub const fn since(self, earlier: Self) -> GoDuration {
        GoDuration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns the point in time `time` later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(GoDuration::from_std(time).as_nanos()))
    }

    /// Formats as RFC 3339 in whole seconds, in the zone `offset` seconds east of UTC;
    /// with `Z` when that is zero, as Go does.
    pub fn in_seconds(self, offset: i32) -> String {
        let mut text = String::with_capacity(25);
        // Writing into a string does not fail.
        let _ = write_date_time(&mut text, self.as_secs().saturating_add(i64::from(offset)));
        if offset == 0 {
            return text + "Z";
        }
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.unsigned_abs() / 60;
        format!("{text}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX)),
            Err(before) => {
                let nanos = i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX);
                Self(-nanos)
            }
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_date_time(f, self.as_secs())?;
        let nanos = self.0.rem_euclid(NANOS_PER_SECOND);
        if nanos > 0 {
            f.write_str(format!(".{nanos:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn write_date_time(out: &mut dyn fmt::Write, seconds: i64) -> fmt::Result {
    let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}", second % 60)
}

/// Days from the start of year 0 (as if March began it) to 1970, and in 400 years.
const DAYS_TO_EPOCH: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;

/// Converts days since 1970 to year, month and day, by Howard Hinnant's
/// `civil_from_days`: years begin in March, so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_EPOCH;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Converts year, month and day to days since 1970 (`days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
}

/// Error for a text that is not an RFC 3339 time, or outside the range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is no time; allowed are values such as 2026-01-31T12:00:00Z", quoted(.0))]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map(Self).ok_or_else(|| TimestampError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<i64> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let pattern = b"0000-00-00T00:00:00";
    let fits = |(byte, wanted): (u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        _ => byte.to_ascii_uppercase() == *wanted,
    };
    if !date_time.bytes().zip(pattern).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| date_time.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let day_number = days(year, month, day);
    // A day that does not exist converts back to another one; 60 is a leap second.
    if civil(day_number) != (year, month, day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = match rest.strip_prefix('.') {
        Some(tail) => parse_fraction(tail)?,
        None => (0, rest),
    };
    let seconds = day_number * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - parse_zone(zone)?;
    // Before 1970 the product alone can be below the range that the sum is in.
    i64::try_from(i128::from(seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos)).ok()
}

/// Parses a fraction as nanoseconds; digits beyond the ninth are dropped.
fn parse_fraction(text: &str) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    if digits.is_empty() {
        return None;
    }
    let nanos = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some((nanos.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')), rest))
}

/// Parses `Z` or `±hh:mm` as seconds east of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    let sign = match text.bytes().next()? {
        b'Z' | b'z' if text.len() == 1 => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two_digits = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<i64>().ok() } else { None }
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap_or_else(|error| panic!("{error}")).as_nanos()
    }

    #[test]
    fn texts_and_times_go_both_ways() {
        for (text, seconds, rest) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
            ("2000-02-29T12:34:56Z", 951_827_696, 0),
            ("2026-01-01T00:00:00Z", 1_767_225_600, 0),
            ("2026-01-01T00:00:00.000000001Z", 1_767_225_600, 1),
            ("2100-03-01T00:00:00.25Z", 4_107_542_400, 250_000_000),
        ] {
            assert_eq!(nanos(text), seconds * NANOS_PER_SECOND + rest, "{text}");
            assert_eq!(Timestamp::from_nanos(nanos(text)).to_string(), text);
        }
        for end in [i64::MIN, i64::MAX] {
            let text = Timestamp::from_nanos(end).to_string();
            assert_eq!(nanos(&text), end, "{text}");
        }
    }

    #[test]
    fn every_day_of_the_range_exists_once() {
        let (first, last) = (days(1678, 1, 1), days(2261, 12, 31));
        let mut previous = civil(first - 1);
        for day in first..=last {
            let date = civil(day);
            assert!(date > previous);
            assert_eq!(days(date.0, date.1, date.2), day);
            previous = date;
        }
        assert_eq!(last - first + 1, 584 * 365 + 141);
    }

    #[test]
    fn other_writers_forms_are_read() {
        assert_eq!(nanos("2026-01-31T14:00:00+02:00"), nanos("2026-01-31T12:00:00Z"));
        assert_eq!(nanos("2026-01-31T08:30:00.120-03:30"), nanos("2026-01-31T12:00:00.12Z"));
        assert_eq!(nanos("2026-01-31t12:00:00z"), nanos("2026-01-31T12:00:00Z"));
        assert_eq!(nanos("2016-12-31T23:59:60Z"), nanos("2017-01-01T00:00:00Z"));
        assert_eq!(nanos("2026-01-01T00:00:00.1234567899Z"), nanos("2026-01-01T00:00:00.123456789Z"));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "now",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00ZZ",
            "2026-01-01T00:00:00+2:00",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+02",
            "9999-01-01T00:00:00Z",
            "1000-01-01T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:0äZ",
            "2026-01-01T00:00:00.1",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_in_a_zone() {
        let at: Timestamp = "2026-01-31T12:00:00.999Z".parse().expect("a time");
        assert_eq!(at.in_seconds(0), "2026-01-31T12:00:00Z");
        assert_eq!(at.in_seconds(7200), "2026-01-31T14:00:00+02:00");
        assert_eq!(at.in_seconds(-(3 * 3600 + 1800)), "2026-01-31T08:30:00-03:30");
        assert_eq!(at.in_seconds(12 * 3600), "2026-02-01T00:00:00+12:00");
    }

    #[test]
    fn the_clock_is_read_and_distances_are_signed() {
        let now = Timestamp::now();
        assert!(now.as_secs() > 1_767_225_600, "{now}");
        let earlier = Timestamp::from_nanos(now.as_nanos() - 1_500_000_000);
        assert_eq!(now.since(earlier).to_string(), "1.5s");
        assert_eq!(earlier.since(now).to_string(), "-1.5s");
    }
}
