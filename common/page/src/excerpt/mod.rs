//! Excerpts of a log: its end, and lines that look like errors.
//!
//! A log can be of any size: it passes through a [`Scanner`], which keeps little of it.

mod judge;

use crate::escape;
use judge::Judge;
use memchr::{memchr, memchr_iter, memrchr};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Bytes that are looked at together: when there are too many errors, the count of those
/// that were not looked at is as exact as this.
const SCAN_BYTES: usize = 32 << 10;

/// Bytes of the end that are kept.
const MAX_TAIL_BYTES: usize = 48 << 10;

/// Lines of the end that are shown.
const TAIL_LINES: usize = 100;

/// Errors that are shown: the first ones, and the last ones.
const FIRST_ERRORS: usize = 15;
const LAST_ERRORS: usize = 25;

/// Longer lines are cut, in bytes.
const MAX_LINE: usize = 400;

/// After so many lines that look like errors a log is no longer looked through: every
/// line of it may be one.
const MAX_ERRORS: u64 = 200_000;

/// The position of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// The line's number, from 1.
    Line(u64),
    /// Its first byte, where not all lines before it were read.
    Byte(u64),
}

/// A line that looks like an error, harmless to show but for its colours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorLine {
    /// Its position.
    #[serde(flatten)]
    pub at: At,
    /// The line, cut where it is long.
    pub text: String,
    /// Number of equal lines that follow it, anywhere.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub again: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The errors of a whole log, as the manifest holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogErrors {
    /// Number of lines in the log.
    pub lines: u64,
    /// Lines that look like errors, in their order.
    #[serde(deserialize_with = "common::bounded::first::<1000, _, _>")]
    pub errors: Vec<ErrorLine>,
    /// Number of further lines that look like errors.
    pub left_out: u64,
    /// Bytes that were not looked through.
    pub unread: u64,
}

/// The part of a log that is shown. Its lines are harmless but for their colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The log's size as it is stored.
    pub bytes: u64,
    /// Number of its lines, where all were counted.
    pub lines: Option<u64>,
    /// Its last lines.
    pub tail: Vec<String>,
    /// Set if there are lines before them.
    pub has_more: bool,
    /// Lines that look like errors, in their order.
    pub errors: Vec<ErrorLine>,
    /// Number of further lines that look like errors.
    pub errors_left_out: u64,
    /// Bytes that were not looked through.
    pub unread: u64,
}

impl Excerpt {
    /// Returns what the manifest keeps of it, with texts masked.
    pub fn log_errors(&self) -> LogErrors {
        LogErrors {
            lines: self.lines.unwrap_or(0),
            errors: self.errors.clone(),
            left_out: self.errors_left_out,
            unread: self.unread,
        }
    }

    /// Takes over what was found when all of the log passed.
    pub fn adopt(&mut self, whole: LogErrors) {
        self.lines = Some(whole.lines);
        // Whoever wrote them: they are shown to people.
        self.errors = whole.errors;
        for error in &mut self.errors {
            error.text = escape::coloured_line(&error.text);
        }
        self.errors_left_out = whole.left_out;
        self.unread = whole.unread;
    }

    /// The number of the tail's first line, where it is known.
    pub fn tail_begins_at(&self) -> Option<u64> {
        Some(self.lines?.saturating_sub(self.tail.len() as u64) + 1)
    }
}

/// A line that was found.
#[derive(Debug)]
struct Found {
    at: At,
    hash: u64,
    line: Vec<u8>,
    again: u64,
}

/// Finds errors in what passes, and keeps its end.
#[derive(Debug)]
pub struct Scanner {
    judge: Judge,
    seen: u64,
    /// Number of the line that is being read; `None` behind a gap.
    line: Option<u64>,
    line_start: u64,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    tail: Vec<u8>,
    tail_is_cut: bool,
    first: Vec<Found>,
    last: VecDeque<Found>,
    found: u64,
    dropped: u64,
    unread: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Nothing has passed.
    pub fn new() -> Self {
        Self {
            judge: Judge::new(),
            seen: 0,
            line: Some(1),
            line_start: 0,
            partial: Vec::new(),
            tail: Vec::new(),
            tail_is_cut: false,
            first: Vec::new(),
            last: VecDeque::new(),
            found: 0,
            dropped: 0,
            unread: 0,
        }
    }

    /// Continues at this byte; the rest of the line there is not shown.
    pub fn jump(&mut self, at: u64) {
        self.end_line();
        self.unread += at.saturating_sub(self.seen);
        (self.seen, self.line_start, self.line) = (at, at, None);
        self.tail.clear();
        self.tail_is_cut = true;
    }

    /// Takes the next bytes.
    pub fn push(&mut self, block: &[u8]) {
        self.keep_tail(block);
        for part in block.chunks(SCAN_BYTES) {
            self.look(part);
        }
    }

    /// Takes this many zeros, as a hole of a file has them: of their line no more is shown.
    pub fn push_zeros(&mut self, zeros: u64) {
        let shown = [0; 4 * MAX_LINE];
        let pushed = shown.len().min(usize::try_from(zeros).unwrap_or(usize::MAX));
        self.push(&shown[..pushed]);
        self.seen += zeros - pushed as u64;
        self.tail_is_cut |= zeros > pushed as u64;
    }

    /// Returns the number of bytes that have passed.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Looks at the lines with a hint, and only counts those without.
    fn look(&mut self, block: &[u8]) {
        let is_over = self.found >= MAX_ERRORS;
        self.unread += if is_over { block.len() as u64 } else { 0 };
        let ends = memchr(b'\n', block).zip(memrchr(b'\n', block));
        // The first line may have begun before, the last one goes on.
        let Some((first, last)) = ends else { return self.look_at_lines(block) };
        self.look_at_lines(&block[..=first]);
        self.look_at_whole_lines(&block[first..=last], is_over);
        self.look_at_lines(&block[last + 1..]);
    }

    /// Looks at whole lines, with the end of the line before them.
    fn look_at_whole_lines(&mut self, lines: &[u8], is_over: bool) {
        let mut before = 0;
        while before + 1 < lines.len() {
            let hint = if is_over { None } else { self.judge.find_hint(&lines[before..]) };
            let begin = hint.map_or(lines.len(), |hint| {
                let line = memrchr(b'\n', &lines[before..before + hint]).unwrap_or(0);
                before + line + 1
            });
            let skipped = &lines[before + 1..begin];
            self.line = self.line.map(|line| line + memchr_iter(b'\n', skipped).count() as u64);
            self.seen += skipped.len() as u64;
            self.line_start = self.seen;
            let length = memchr(b'\n', &lines[begin..]).map_or(0, |length| length + 1);
            self.look_at_lines(&lines[begin..begin + length]);
            before = begin + length - 1;
        }
    }

    fn look_at_lines(&mut self, mut rest: &[u8]) {
        while let Some(end) = memchr(b'\n', rest) {
            self.part(&rest[..end]);
            self.seen += end as u64 + 1;
            self.end_line();
            self.line_start = self.seen;
            rest = &rest[end + 1..];
        }
        self.part(rest);
        self.seen += rest.len() as u64;
    }

    fn part(&mut self, bytes: &[u8]) {
        let room = (4 * MAX_LINE).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        if self.found < MAX_ERRORS && self.judge.is_error(&self.partial) {
            self.found += 1;
            self.keep_error();
        }
        self.partial.clear();
        self.line = self.line.map(|line| line + 1);
    }

    fn keep_error(&mut self) {
        let mut hasher = DefaultHasher::new();
        self.partial.hash(&mut hasher);
        let hash = hasher.finish();
        let mut kept = self.first.iter_mut().chain(&mut self.last);
        if let Some(equal) = kept.find(|found| found.hash == hash && found.line == self.partial) {
            equal.again += 1;
            return;
        }
        let at = self.line.map_or(At::Byte(self.line_start), At::Line);
        let found = Found { at, hash, line: self.partial.clone(), again: 0 };
        if self.first.len() < FIRST_ERRORS {
            self.first.push(found);
            return;
        }
        self.last.push_back(found);
        if self.last.len() > LAST_ERRORS {
            self.dropped += self.last.pop_front().map_or(0, |found| 1 + found.again);
        }
    }

    fn keep_tail(&mut self, block: &[u8]) {
        let end = &block[block.len().saturating_sub(MAX_TAIL_BYTES)..];
        self.tail_is_cut |= end.len() < block.len();
        self.tail.extend_from_slice(end);
        if self.tail.len() > 4 * MAX_TAIL_BYTES {
            self.tail.drain(..self.tail.len() - MAX_TAIL_BYTES);
            self.tail_is_cut = true;
        }
    }

    /// Returns what is shown.
    pub fn finish(mut self) -> Excerpt {
        if !self.partial.is_empty() {
            self.end_line();
        }
        let mut tail = self.tail.as_slice();
        let mut has_more = self.tail_is_cut;
        if tail.len() > MAX_TAIL_BYTES {
            tail = &tail[tail.len() - MAX_TAIL_BYTES..];
            has_more = true;
        }
        if has_more {
            // The first line has lost its beginning.
            let begin = tail.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            tail = &tail[begin..];
        }
        let tail = tail.strip_suffix(b"\n").unwrap_or(tail);
        let mut lines: VecDeque<&[u8]> = VecDeque::new();
        if !tail.is_empty() {
            for line in tail.split(|byte| *byte == b'\n') {
                lines.push_back(line);
                if lines.len() > TAIL_LINES {
                    lines.pop_front();
                    has_more = true;
                }
            }
        }
        let error = |found: Found| ErrorLine { at: found.at, text: shown(&found.line), again: found.again };
        Excerpt {
            bytes: self.seen,
            lines: self.line.map(|next| next - 1),
            tail: lines.into_iter().map(shown).collect(),
            has_more,
            errors: self.first.into_iter().chain(self.last).map(error).collect(),
            errors_left_out: self.dropped,
            unread: self.unread,
        }
    }
}

fn shown(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let cut = &line[..line.len().min(MAX_LINE)];
    let mut text = escape::coloured_line(&String::from_utf8_lossy(cut));
    if cut.len() < line.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
