//! Bytes written as numbers: `[104, 105]`, `68 69`, `68:69`, `0x68, 0x69`, and the
//! dumps of `xxd`, `hexdump -C`, `od` and `curl --trace`.
//!
//! A list is recognized (`lists`) by four numbers in a row wherever it is sampled. It is
//! decoded twice, as decimal and as hexadecimal numbers. In a dump the address is
//! skipped, and the column of characters is masked with the bytes it shows.

mod quick;

use super::MAX_STRETCH;
use super::lists::{MAX_DIGITS, MAX_GAP_BYTES, each_list, is_gap};
use quick::{may_hold_value, plain_number};
use std::ops::Range;

/// Text around a list that is decoded with it: the rest of a line of a dump.
const MARGIN_BYTES: usize = 256;

/// Maximum number of bytes in a line of a dump.
const MAX_DUMP_BYTES: usize = 32;

/// Number of bytes in a line of `curl --trace`, which only a blank separates from
/// the characters.
const CURL_BYTES: usize = 16;

/// Maximum size of a part that is decoded at a time.
const MAX_PART_BYTES: usize = 128 << 10;

/// More than a number that begins in a part can reach beyond its end.
const MAX_NUMBER_BYTES: usize = 32;

/// Where to look in a window.
pub(super) struct Scan<'a> {
    pub(super) window: &'a [u8],
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) reach: usize,
}

/// Decodes lists of numbers.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    open: Option<usize>,
    places: Places,
    bytes: Vec<u8>,
}

/// Where decoded bytes stand in the window.
#[derive(Debug, Default)]
pub(super) struct Places {
    ranges: Vec<(u32, u32)>,
    /// The characters that show them, in a dump, as far as there are some.
    shown: Vec<Option<u32>>,
}

impl Places {
    /// Returns the ranges of the window that some decoded bytes stand for.
    pub(super) fn origins(&self, from: usize, to: usize, mut found: impl FnMut(usize, usize)) {
        for (number, range) in (from..to).zip(&self.ranges[from..to]) {
            found(range.0 as usize, range.1 as usize);
            if let Some(Some(at)) = self.shown.get(number) {
                found(*at as usize, *at as usize + 1);
            }
        }
    }
}

impl Numbers {
    /// Returns where a list begins that may go on.
    pub(super) fn open(&self) -> Option<usize> {
        self.open
    }

    pub(super) fn release(&mut self, released: usize) {
        self.open = self.open.map(|open| open.saturating_sub(released));
    }

    /// Hands each decoded list to `found`.
    pub(super) fn scan(&mut self, scan: &Scan<'_>, mut found: impl FnMut(&[u8], &Places)) {
        let open = self.open.take();
        let mut lists: Vec<Range<usize>> = Vec::new();
        each_list(scan.window, scan.from, scan.to, |at| {
            let from = at.saturating_sub(MARGIN_BYTES);
            let to = (at + MARGIN_BYTES).min(scan.window.len());
            match lists.last_mut() {
                Some(last) if from <= last.end => last.end = to,
                _ => lists.push(from..to),
            }
        });
        if let (Some(open), Some(first)) = (open, lists.first_mut())
            && first.start <= scan.from
        {
            first.start = first.start.min(open);
        }
        for list in &lists {
            let mut from = list.start;
            let overlap = MAX_STRETCH * scan.reach;
            while from < list.end {
                let to = (from + MAX_PART_BYTES.max(2 * overlap)).min(list.end);
                let text = &scan.window[from..(to + MAX_NUMBER_BYTES).min(scan.window.len())];
                for radix in [10, 16].into_iter().filter(|radix| may_hold_value(text, *radix)) {
                    self.decode(scan.window, from..to, radix, &mut found);
                }
                from = if to < list.end { to - overlap } else { to };
            }
        }
        self.open = lists.last().filter(|last| last.end + MARGIN_BYTES > scan.to).map(|last| last.start);
    }

    /// Decodes the numbers in a range, and hands over each unbroken list.
    fn decode(
        &mut self,
        window: &[u8],
        range: Range<usize>,
        radix: u32,
        found: &mut impl FnMut(&[u8], &Places),
    ) {
        let mut at = range.start;
        let mut line = Line::default();
        self.clear();
        while at < range.end {
            at = self.plain_numbers(window, at..range.end, radix, &mut line);
            if at >= range.end {
                break;
            }
            match self.number(window, at, radix, &mut line) {
                Step::Go(next) => at = next,
                Step::Break(next) => {
                    self.flush(found);
                    at = next;
                }
            }
            if at > 0 && at <= range.end && window[at - 1] == b'\n' {
                line = Line::default();
            }
        }
        self.flush(found);
    }

    /// Reads the numbers that most lists consist of: up to three decimal digits, or two
    /// hexadecimal ones, with one byte between them. Returns the place of what is none.
    fn plain_numbers(&mut self, window: &[u8], range: Range<usize>, radix: u32, line: &mut Line) -> usize {
        let mut at = range.start;
        while at < range.end && !line.has_address {
            let Some(next) = window[at..].first_chunk() else { break };
            let Some((value, length)) = plain_number(*next, radix) else { break };
            self.add(value, at, at + length, line);
            at += length;
            if let Some([between, next]) = window[at..].first_chunk()
                && is_gap(*between)
                && next.is_ascii_hexdigit()
            {
                at += 1;
            }
        }
        at
    }

    /// Reads what stands at a place.
    fn number(&mut self, window: &[u8], at: usize, radix: u32, line: &mut Line) -> Step {
        let rest = &window[at..];
        if rest[0] == b'\n' {
            return Step::Go(at + 1);
        }
        // Dumps of decimal numbers have none.
        let has_characters = line.has_address && radix == 16;
        // A dash marks an item of YAML, or separates hexadecimal numbers.
        let is_dash = rest[0] == b'-' && (radix == 16 || rest.get(1) == Some(&b' '));
        let gap = rest[usize::from(is_dash)..].iter().take_while(|byte| is_gap(**byte)).count()
            + usize::from(is_dash);
        if gap > 0 {
            if has_characters && gap >= 2 && line.count > 0 && !line.goes_on(&rest[gap..], radix) {
                return Step::Go(self.shown(window, at + gap, line));
            }
            return if gap > MAX_GAP_BYTES { Step::Break(at + gap) } else { Step::Go(at + gap) };
        }
        let prefix = if radix == 16
            && (rest.starts_with(b"0x") || rest.starts_with(b"0X") || rest.starts_with(b"\\x"))
        {
            2
        } else {
            0
        };
        let minus = usize::from(radix == 10 && rest[0] == b'-');
        let digits: &[u8] = &rest[prefix + minus..];
        let is_digit =
            |byte: &&u8| if radix == 10 { byte.is_ascii_digit() } else { byte.is_ascii_hexdigit() };
        let count = digits.iter().take(17).take_while(is_digit).count();
        let token = prefix + minus + count;
        let behind = rest.get(token).copied().unwrap_or(b'\n');
        if line.count == 0 && !line.has_address && prefix == 0 && is_address(count, &rest[token..]) {
            line.has_address = true;
            line.most = if count == 4 { CURL_BYTES } else { MAX_DUMP_BYTES };
            return Step::Go(at + token + usize::from(behind == b':'));
        }
        let is_pair = || is_gap(behind) || behind == b'\n';
        if has_characters
            && line.count > 0
            && (!is_pair() || !count.is_multiple_of(2) || line.count >= line.most)
        {
            return Step::Go(self.shown(window, at, line));
        }
        if count == 0 || behind.is_ascii_alphanumeric() {
            // What opens a text that holds a list is no part of its first number.
            let opens = matches!(rest[0], b'"' | b'\'' | b'`' | b'<' | b'>' | b'=');
            let word = rest.iter().take_while(|byte| !is_gap(**byte) && **byte != b'\n').count().max(1);
            let word = if opens { 1 } else { word };
            return Step::Break(at + word);
        }
        if self.value(&digits[..count], minus > 0, radix, at, token, line) {
            Step::Go(at + token)
        } else {
            Step::Break(at + token)
        }
    }

    /// Adds the bytes of a number; returns whether it has some.
    fn value(
        &mut self,
        digits: &[u8],
        is_negative: bool,
        radix: u32,
        at: usize,
        length: usize,
        line: &mut Line,
    ) -> bool {
        if radix == 10 {
            let value =
                digits.iter().take(4).fold(0, |value: i32, digit| value * 10 + i32::from(digit - b'0'));
            let value = if is_negative { -value } else { value };
            if digits.len() > 3 || !(-128..256).contains(&value) {
                return false;
            }
            self.add(value.to_le_bytes()[0], at, at + length, line);
            return true;
        }
        // Only behind `0x` can a first zero be missing.
        let is_whole = digits.len().is_multiple_of(2) || digits.len() == 1 && length > 1;
        if !is_whole || digits.len() > 16 {
            return false;
        }
        let first = at + length - digits.len();
        for (index, pair) in digits.chunks(2).enumerate() {
            let start = if index == 0 { at } else { first + 2 * index };
            let value = pair.iter().fold(0, |value, digit| value << 4 | hex_digit(*digit));
            self.add(value, start, first + 2 * index + pair.len(), line);
        }
        true
    }

    fn add(&mut self, byte: u8, from: usize, to: usize, line: &mut Line) {
        self.bytes.push(byte);
        self.places.ranges.push((place(from), place(to)));
        line.count += 1;
    }

    /// Notes the column of characters, and returns the end of the line.
    fn shown(&mut self, window: &[u8], at: usize, line: &mut Line) -> usize {
        let at = at + usize::from(window.get(at).is_some_and(|byte| matches!(byte, b'|' | b'>')));
        let length = window[at..].iter().take(MARGIN_BYTES).take_while(|byte| **byte != b'\n').count();
        let first = self.bytes.len().saturating_sub(line.count);
        self.places.shown.resize(self.bytes.len(), None);
        for (index, shown) in self.places.shown[first..].iter_mut().enumerate().take(length) {
            *shown = Some(place(at + index));
        }
        line.count = 0;
        at + length
    }

    fn clear(&mut self) {
        // Most lists are empty, and to overwrite nothing takes long, too.
        if self.bytes.is_empty() {
            return;
        }
        // Of a vector all its capacity would be overwritten, for each of many short lists.
        zeroize::Zeroize::zeroize(self.bytes.as_mut_slice());
        self.bytes.clear();
        self.places.ranges.clear();
        self.places.shown.clear();
    }

    fn flush(&mut self, found: &mut impl FnMut(&[u8], &Places)) {
        if self.bytes.len() >= super::MIN_VIEW_BYTES {
            found(&self.bytes, &self.places);
        }
        self.clear();
    }
}

/// The result of reading.
enum Step {
    /// Part of a list; the next place.
    Go(usize),
    /// The end of a list; the next place.
    Break(usize),
}

/// A line of a dump.
#[derive(Default)]
struct Line {
    has_address: bool,
    /// Numbers so far.
    count: usize,
    /// Numbers before the characters.
    most: usize,
}

impl Line {
    /// Returns whether numbers go on behind a wide gap: the middle of `hexdump -C`.
    fn goes_on(&self, rest: &[u8], radix: u32) -> bool {
        let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
        self.count == 8
            && rest.len() > 2
            && rest[..2].iter().all(is_digit)
            && (rest[2] == b' ' || rest[2] == b'\n')
    }
}

/// Returns whether a number with this many digits, followed by these bytes, is the
/// address of a line of a dump. In a list of long numbers the next one is as long.
fn is_address(digits: usize, behind: &[u8]) -> bool {
    match behind {
        [b':', b' ', ..] => digits >= 4,
        [b' ', rest @ ..] => {
            let next =
                rest.trim_ascii_start().iter().take(MAX_DIGITS).take_while(|byte| byte.is_ascii_hexdigit());
            digits >= 6 && next.count() <= 4
        }
        _ => false,
    }
}

/// Returns the value of a hexadecimal digit.
fn hex_digit(digit: u8) -> u8 {
    (digit & 0xf) + if digit > b'9' { 9 } else { 0 }
}

#[expect(clippy::cast_possible_truncation, reason = "a window has less than 4 GiB")]
fn place(at: usize) -> u32 {
    at as u32
}

#[cfg(test)]
mod tests;
