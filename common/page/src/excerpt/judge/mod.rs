//! The lines of a log that look like errors.
//!
//! A line is judged by its words: a count of failures above zero, a mark that a runner
//! puts before what failed, a position with a message as compilers print it, or a word
//! such as *error* that is no part of a name. Texts around it that say the opposite are
//! taken out first, so that they do not hide the rest.

use crate::escape;
use aho_corasick::{AhoCorasick, MatchKind};
use std::borrow::Cow;

/// One of these is in every line that is judged. Lines without any are only counted, at
/// close to the speed of memory: there are few enough for that.
const HINTS: [&str; 60] = [
    "err",
    "Err",
    "ERR",
    "fail",
    "Fail",
    "FAIL",
    "fatal",
    "Fatal",
    "FATAL",
    "panic",
    "Panic",
    "PANIC",
    "xcept",
    "XCEPT",
    "raceback",
    "ssert",
    "SSERT",
    "egment",
    "SEGMENT",
    "ore dumped",
    "ut of mem",
    "OUT OF MEM",
    "imed out",
    "IMED OUT",
    "not ok",
    "Killed",
    "killed",
    "not found",
    "No such",
    "no such",
    "ndefined ref",
    "enied",
    "\nE0",
    "\nE1",
    "\nF0",
    "\nF1",
    "✕",
    "✖",
    "✗",
    "✘",
    "●",
    ".go:",
    ".rs:",
    ".c:",
    ".cc:",
    ".cpp:",
    ".h:",
    ".py:",
    ".js:",
    ".ts:",
    ".java:",
    ".kt:",
    ".rb:",
    ".swift:",
    ".cs:",
    ".php:",
    "OOMK",
    "efused",
    "o space left",
    "annot find",
];

/// Words that mean an error when they stand alone, or at the end of a name in camel case.
const WORDS: [&str; 27] = [
    "error",
    "errors",
    "err",
    "fail",
    "fails",
    "failed",
    "failing",
    "failure",
    "failures",
    "fatal",
    "panic",
    "panicked",
    "panics",
    "exception",
    "exceptions",
    "assertion",
    "assertions",
    "traceback",
    "segfault",
    "sigsegv",
    "sigabrt",
    "errored",
    "oomkilled",
    "enoent",
    "eacces",
    "enospc",
    "econnrefused",
];

/// Phrases that mean an error wherever they stand, in lower case.
const PHRASES: [&str; 13] = [
    "segmentation fault",
    "core dumped",
    "out of memory",
    "timed out",
    "command not found",
    "no such file or directory",
    "undefined reference",
    "permission denied",
    "npm err!",
    "no space left on device",
    "connection refused",
    "cannot find module",
    "not ok ",
];

/// Phrases that say the opposite, in lower case.
const HARMLESS: [&str; 8] = [
    "no errors",
    "no error",
    "without errors",
    "without error",
    "no failures",
    "without failures",
    "no failed",
    "error-free",
];

/// Begins of lines of what went well, or goes on.
const WELL: [&str; 23] = [
    "ok ",
    "ok\t",
    "PASS",
    "--- PASS",
    "--- SKIP",
    "✓",
    "✔",
    "√",
    "=== RUN",
    "=== PAUSE",
    "=== CONT",
    "=== NAME",
    "[ RUN      ]",
    "[       OK ]",
    "Installing ",
    "Downloading ",
    "Downloaded ",
    "Compiling ",
    "Collecting ",
    "Successfully ",
    "Unpacking ",
    "Setting up ",
    "Fetching ",
];

/// Marks that runners put before what failed.
const MARKS: [&str; 4] = ["✕", "✖", "✗", "✘"];

/// Nouns and participles that are counted.
const COUNTED: [&str; 8] =
    ["error", "errors", "failure", "failures", "failed", "failing", "fail", "failed tests"];

/// Judges lines one after another.
#[derive(Debug)]
pub(super) struct Judge {
    hints: AhoCorasick,
    /// The line before says that a test failed: its message follows.
    message_follows: bool,
}

impl Judge {
    pub(super) fn new() -> Self {
        let hints = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(HINTS);
        Self { hints: hints.expect("some words make an automaton"), message_follows: false }
    }

    /// Returns a position in the first line that may be an error. `lines` begins with the
    /// end of the line before.
    pub(super) fn find_hint(&self, lines: &[u8]) -> Option<usize> {
        if self.message_follows {
            return Some(1);
        }
        // Some hints begin with that end; all end in the line.
        self.hints.find(lines).map(|hint| hint.end() - 1)
    }

    /// Returns true if the line looks like an error.
    pub(super) fn is_error(&mut self, line: &[u8]) -> bool {
        let follows = std::mem::take(&mut self.message_follows);
        // The hint of a line's begin has the end of the line before.
        let klog = matches!(line, [b'E' | b'F', b'0' | b'1', ..]);
        if !follows && !klog && !self.hints.is_match(line) {
            return false;
        }
        let text = String::from_utf8_lossy(line);
        let text = escape::without_colours(&text);
        let shown = text.trim();
        if follows && text.starts_with([' ', '\t']) && !shown.is_empty() && !shown.starts_with("---") {
            return true;
        }
        self.message_follows = shown.starts_with("--- FAIL");
        self.message_follows || is_error(shown)
    }
}

fn is_error(line: &str) -> bool {
    if is_own_record(line) || is_fine(line) {
        return false;
    }
    if is_klog(line) || MARKS.iter().any(|mark| line.contains(mark)) || is_jest(line) || is_killed(line) {
        return true;
    }
    let lower = line.to_lowercase();
    if PHRASES.iter().any(|phrase| lower.contains(phrase)) || is_diagnostic(line) {
        return true;
    }
    match counts(&lower) {
        None => true,
        // What is left when the counts of zero are out.
        Some(Cow::Borrowed(_)) => has_word(line, &lower),
        Some(Cow::Owned(rest)) => has_word(&rest, &rest),
    }
}

/// A record of entrypoint: what it says is told elsewhere.
fn is_own_record(line: &str) -> bool {
    line.starts_with(r#"{"component":"entrypoint""#)
}

/// Lines about success, and headings.
fn is_fine(line: &str) -> bool {
    if WELL.iter().any(|begin| line.starts_with(begin))
        || line.ends_with("... ok")
        || line.ends_with(" PASSED")
    {
        return true;
    }
    let is_rule = |c: char| "=-*#_".contains(c);
    let (begin, end) = (line.trim_start_matches(is_rule), line.trim_end_matches(is_rule));
    let is_framed = line.len() - begin.len() >= 3 && line.len() - end.len() >= 3;
    is_framed && !line.contains(|c: char| c.is_ascii_digit())
}

/// `E0102 15:04:05.000000 …`, as Kubernetes' programs write errors.
fn is_klog(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() > 6
        && matches!(bytes[0], b'E' | b'F')
        && bytes[1..5].iter().all(u8::is_ascii_digit)
        && bytes[5] == b' '
        && bytes[6].is_ascii_digit()
}

/// `● suite › test`.
fn is_jest(line: &str) -> bool {
    line.starts_with("● ") && line.contains(" › ")
}

/// Words of a shell, make or a kubelet about a command that was killed.
fn is_killed(line: &str) -> bool {
    line == "Killed" || line.ends_with(" Killed") || line.contains(": Killed") || line.contains(" Killed  ")
}

/// `./x.go:3:2: undefined: y`: a path, line, column, and what is wrong there.
fn is_diagnostic(line: &str) -> bool {
    let mut parts = line.splitn(4, ':');
    let (Some(path), Some(row), Some(column), Some(message)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_number =
        |text: &str| !text.is_empty() && text.len() < 8 && text.bytes().all(|b| b.is_ascii_digit());
    let harmless = ["warning", "note", "info", "remark"];
    path.rsplit_once('.').is_some_and(|(name, extension)| {
        !name.ends_with(['/', ' ']) && (1..=5).contains(&extension.len()) && !path.contains(' ')
    }) && is_number(row)
        && is_number(column)
        && message.starts_with(' ')
        && !harmless.iter().any(|begin| message.trim_start().starts_with(begin))
}

/// Returns the text without counts of zero and other phrases that say that nothing failed;
/// `None` if a count of errors is above zero.
fn counts(text: &str) -> Option<Cow<'_, str>> {
    let mut rest = Cow::Borrowed(text);
    for phrase in HARMLESS {
        if rest.contains(phrase) {
            rest = Cow::Owned(rest.replace(phrase, " "));
        }
    }
    let mut cut = Vec::new();
    let counted = words(&rest)
        .filter(|(begin, word)| COUNTED.contains(word) && !is_part_of_name(&rest[begin + word.len()..]));
    for (begin, word) in counted {
        // `3 failures`, and `Failures: 3` or `failed=3`.
        let before = rest[..begin].trim_end_matches(' ');
        let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let number = &before[before.len() - digits..];
        let is_whole = !before[..before.len() - digits].ends_with(|c: char| c.is_alphanumeric() || c == '.');
        let after = rest[begin + word.len()..].trim_start_matches([':', '=', ' ']);
        let behind = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let skipped = rest.len() - begin - word.len() - after.len();
        if digits > 0 && is_whole {
            if number.bytes().any(|digit| digit != b'0') {
                return None;
            }
            cut.push(before.len() - digits..begin + word.len());
        } else if behind > 0 && skipped > 0 && rest[begin + word.len()..].starts_with([':', '=']) {
            if after.bytes().take(behind).any(|digit| digit != b'0') {
                return None;
            }
            cut.push(begin..begin + word.len() + skipped + behind);
        }
    }
    for range in cut.into_iter().rev() {
        rest.to_mut().replace_range(range, " ");
    }
    Some(rest)
}

/// Returns true if a word of an error stands alone, or ends a name in camel case.
/// `lower` is the line in lower case.
fn has_word(line: &str, lower: &str) -> bool {
    // Where lower case has another length, case tells nothing.
    let line = if line.len() == lower.len() { line } else { lower };
    words(lower).any(|(begin, word)| {
        let Some(original) = line.get(begin..begin + word.len()) else { return false };
        let known = WORDS.contains(&word)
            || WORDS.iter().any(|known| {
                let at = word.len().saturating_sub(known.len());
                word.ends_with(known)
                    && at > 0
                    && original.as_bytes()[at].is_ascii_uppercase()
                    && original.as_bytes()[at - 1].is_ascii_lowercase()
            });
        let before = lower[..begin].chars().next_back();
        known
            && !is_part_of_name(&lower[begin + word.len()..])
            && !matches!(before, Some('-' | '/' | '@' | '\\'))
    })
}

/// Returns true if a word before this text is the begin of a path, a package or the like.
fn is_part_of_name(after: &str) -> bool {
    let mut after = after.chars();
    match after.next() {
        Some('-' | '/' | '@' | '\\') => true,
        Some('.') => after.next().is_some_and(char::is_alphanumeric),
        _ => false,
    }
}

/// Words of letters, digits and underscores, and where they begin.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + text[at..].find(is_word)?;
        let end = text[begin..].find(|c| !is_word(c)).map_or(text.len(), |length| begin + length);
        at = end;
        Some((begin, &text[begin..end]))
    })
}

#[cfg(test)]
mod tests;
