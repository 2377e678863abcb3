//! Excerpts of a log: its end, and lines that look like errors.
//!
//! A log can be of any size: it passes through a [`Scanner`], which keeps little of it.

use crate::escape;
use aho_corasick::AhoCorasick;
use memchr::{memchr, memchr_iter, memrchr};
use std::collections::VecDeque;

/// Bytes in which one word makes every line be looked at.
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

/// Words that make a line look like an error, in upper or lower case.
const WORDS: [&str; 12] = [
    "error",
    "fail",
    "fatal",
    "panic",
    "exception",
    "traceback",
    "segmentation fault",
    "core dumped",
    "out of memory",
    "assertion",
    "timed out",
    "not ok ",
];

/// Phrases that make such a line harmless.
const HARMLESS: [&str; 8] =
    ["0 error", "no error", "0 fail", "0 failures", "without error", "failures: 0", "errors: 0", "failed: 0"];

/// The position of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The line's number, from 1.
    Line(u64),
    /// Its first byte, where not all lines before it were read.
    Byte(u64),
}

/// A line that looks like an error, harmless to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLine {
    /// Its position.
    pub at: At,
    /// The line, cut where it is long.
    pub text: String,
}

/// The part of a log that is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The log's size as it is stored.
    pub bytes: u64,
    /// Its last lines, harmless to show.
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

/// Finds errors in what passes, and keeps its end.
#[derive(Debug)]
pub struct Scanner {
    words: AhoCorasick,
    seen: u64,
    /// Number of the line that is being read; `None` behind a gap.
    line: Option<u64>,
    line_start: u64,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    tail: Vec<u8>,
    tail_is_cut: bool,
    first: Vec<ErrorLine>,
    last: VecDeque<ErrorLine>,
    dropped: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Nothing has passed.
    pub fn new() -> Self {
        let words = AhoCorasick::builder().ascii_case_insensitive(true).build(WORDS);
        Self {
            words: words.expect("a dozen words make an automaton"),
            seen: 0,
            line: Some(1),
            line_start: 0,
            partial: Vec::new(),
            tail: Vec::new(),
            tail_is_cut: false,
            first: Vec::new(),
            last: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Continues at this byte; the rest of the line there is not shown.
    pub fn jump(&mut self, at: u64) {
        self.end_line();
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

    /// Only counts lines where no word matches.
    fn look(&mut self, block: &[u8]) {
        let mut rest = block;
        if let Some(first) = memchr(b'\n', block)
            && let Some(last) = memrchr(b'\n', block)
            && !self.words.is_match(&block[first..=last])
        {
            // The first line may have begun before, the last one goes on.
            self.part(&block[..first]);
            self.end_line();
            let lines = memchr_iter(b'\n', &block[first + 1..=last]).count() as u64;
            self.line = self.line.map(|line| line + lines);
            self.seen += last as u64 + 1;
            self.line_start = self.seen;
            rest = &block[last + 1..];
        }
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
        if self.words.is_match(&self.partial) && !is_harmless(&self.partial) {
            let at = self.line.map_or(At::Byte(self.line_start), At::Line);
            let error = ErrorLine { at, text: shown(&self.partial) };
            if self.first.len() < FIRST_ERRORS {
                self.first.push(error);
            } else {
                self.last.push_back(error);
                if self.last.len() > LAST_ERRORS {
                    self.last.pop_front();
                    self.dropped += 1;
                }
            }
        }
        self.partial.clear();
        self.line = self.line.map(|line| line + 1);
    }

    /// Returns the number of bytes that have passed.
    pub fn seen(&self) -> u64 {
        self.seen
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
        Excerpt {
            bytes: self.seen,
            tail: lines.into_iter().map(shown).collect(),
            has_more,
            errors: self.first.into_iter().chain(self.last).collect(),
            errors_left_out: self.dropped,
            unread: 0,
        }
    }
}

/// Counts of zero are what goes well.
fn is_harmless(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line).to_lowercase();
    let count_is_larger = |at: usize| line[..at].ends_with(|c: char| c.is_ascii_digit());
    HARMLESS.iter().any(|words| line.find(words).is_some_and(|at| !count_is_larger(at)))
}

fn shown(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let cut = &line[..line.len().min(MAX_LINE)];
    let mut text = escape::line(&String::from_utf8_lossy(cut));
    if cut.len() < line.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(blocks: &[&[u8]]) -> Excerpt {
        let mut scanner = Scanner::new();
        for block in blocks {
            scanner.push(block);
        }
        scanner.finish()
    }

    #[test]
    fn lines_keep_their_numbers_across_blocks() {
        let excerpt = scanned(&[b"fine\nan Er", b"ror here\n0 errors\n10 errors\r\nlast: PANIC"]);
        let at: Vec<_> = excerpt.errors.iter().map(|error| (error.at, error.text.as_str())).collect();
        assert_eq!(
            at,
            [(At::Line(2), "an Error here"), (At::Line(4), "10 errors"), (At::Line(5), "last: PANIC")]
        );
        assert_eq!(excerpt.tail.last().map(String::as_str), Some("last: PANIC"));
        assert!(!excerpt.has_more);
        assert_eq!(scanned(&[]).tail, Vec::<String>::new());
    }

    #[test]
    fn lines_that_are_only_counted_count() {
        let fine = "fine\n".repeat(SCAN_BYTES / 2);
        let excerpt =
            scanned(&[b"fatal: a", b"\n", fine.as_bytes(), b"fine and err", b"or\nfine\n", b"panic"]);
        let at: Vec<_> = excerpt.errors.iter().map(|error| error.at).collect();
        let after = SCAN_BYTES as u64 / 2;
        assert_eq!(at, [At::Line(1), At::Line(after + 2), At::Line(after + 4)]);
        let mut scanner = Scanner::new();
        scanner.jump(100);
        scanner.push(b"x\ny\nz\n");
        scanner.push(b"error\n");
        assert_eq!(scanner.finish().errors[0].at, At::Byte(106));
    }

    #[test]
    fn a_long_log_is_a_bounded_excerpt() {
        let line = [b"error ".as_slice(), &[b'x'; 10_000], b"\n"].concat();
        let block = line.repeat(100);
        let excerpt = scanned(&[&block, &block, &block]);
        assert_eq!(excerpt.errors.len(), FIRST_ERRORS + LAST_ERRORS);
        assert_eq!(excerpt.errors_left_out, 300 - 40);
        assert!(excerpt.errors.iter().all(|error| error.text.len() <= MAX_LINE + 3));
        assert!(excerpt.has_more && excerpt.tail.len() <= TAIL_LINES);
        let lines = scanned(&["short\n".repeat(5000).as_bytes()]);
        assert!(lines.has_more);
        assert_eq!(lines.tail, vec!["short"; TAIL_LINES]);
    }

    #[test]
    fn behind_a_gap_only_bytes_are_known() {
        let mut scanner = Scanner::new();
        scanner.push(b"begin\n");
        scanner.jump(1 << 30);
        scanner.push(b"half a line\nfatal: it\n");
        let excerpt = scanner.finish();
        assert_eq!(excerpt.errors[0].at, At::Byte((1 << 30) + 12));
        assert_eq!(excerpt.tail, ["fatal: it"]);
    }

    #[test]
    fn hostile_lines_are_inert() {
        let excerpt = scanned(&["\u{1b}]0;x\u{7}error \u{202e}\n".as_bytes(), b"error \xff\n"]);
        assert_eq!(excerpt.errors[0].text, "\\u{1b}]0;x\\u{7}error \\u{202e}");
        assert_eq!(excerpt.errors[1].text, "error \u{fffd}");
    }
}
