//! Meaning of a report's tags: suites, cases, and their results.

use super::reruns::{Passed, Reruns};
use super::text::{attribute, seconds, value};
use super::{
    Failure, MAX_CASES, MAX_DEPTH, MAX_FAILURES, MAX_KEPT_BYTES, MAX_NAME_BYTES, MAX_SLOWEST, MAX_TEXT_BYTES,
    TestFile, Timed,
};
use quick_xml::events::BytesStart;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// An open element.
#[derive(Debug)]
enum Element {
    Suites,
    Suite(String),
    Case,
    Outcome(Outcome),
    /// `system-out` or `system-err` of a case.
    Output,
    /// Of no interest; its text belongs to what it lies in.
    Other,
}

/// The outcomes that a case's children tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Failed,
    Skipped,
    /// A failure of an earlier run of a test that passed in the end.
    Flaky,
    /// A failure of a later run of a test that failed anyway.
    Rerun,
}

/// Reasons for which `CTest` (3.25, 4.1) does not run a test and fails itself; its report
/// calls these tests skipped.
const NOT_RUN: [&str; 4] = [
    "Unable to find executable",
    "Required Files Missing",
    "Failed to change working directory",
    "Fixture dependency failed",
];

/// The open case. Its texts keep their room for the next one: reports have many cases, and
/// to allocate takes longer than to read.
#[derive(Debug, Default)]
struct Case {
    suite: String,
    name: String,
    file: String,
    seconds: f64,
    is_failed: bool,
    is_skipped: bool,
    is_flaky: bool,
    message: String,
    /// Text of the first failure.
    text: Vec<u8>,
    /// The end of the test's own output.
    output: Vec<u8>,
}

/// Takes the tags of a report in their order.
#[derive(Debug, Default)]
pub(super) struct Cases {
    stack: Vec<Element>,
    case: Option<Case>,
    /// The case before.
    spare: Case,
    file: TestFile,
    /// Bytes of the failures that are kept.
    kept_bytes: usize,
    /// The failed tests by a hash of their names, with their places among the failures.
    failed: HashMap<u64, Option<usize>>,
    /// The passed tests of pytest.
    reruns: Reruns,
    is_of_pytest: bool,
    /// A root that reports have was seen.
    is_report: bool,
    is_over: bool,
}

impl Element {
    /// Returns the name of a suite that has one.
    fn suite(&self) -> Option<&str> {
        match self {
            Self::Suite(name) if !name.is_empty() => Some(name),
            Self::Suites | Self::Suite(_) | Self::Case | Self::Outcome(_) | Self::Output | Self::Other => {
                None
            }
        }
    }
}

impl Case {
    fn clear(&mut self) {
        let Self { suite, name, file, seconds, is_failed, is_skipped, is_flaky, message, text, output } =
            self;
        [suite, name, file, message].into_iter().for_each(String::clear);
        [text, output].into_iter().for_each(Vec::clear);
        *seconds = 0.0;
        (*is_failed, *is_skipped, *is_flaky) = (false, false, false);
    }
}

impl Cases {
    /// Begins an element.
    pub(super) fn start(&mut self, tag: &BytesStart<'_>) {
        if self.stack.len() >= MAX_DEPTH {
            self.is_cut();
            self.is_over = true;
            return;
        }
        let local = tag.local_name();
        let element = match (local.as_ref(), self.case.is_some()) {
            (b"testsuites", false) => {
                self.is_of_pytest |= attribute(tag, b"name", MAX_NAME_BYTES) == "pytest tests";
                Element::Suites
            }
            (b"testsuite", false) => {
                let name = attribute(tag, b"name", MAX_NAME_BYTES);
                // As versions before 8.3 call it, without a name of the root.
                self.is_of_pytest |= name == "pytest";
                Element::Suite(name)
            }
            (b"testcase", false) if self.is_report => {
                self.begin_case(tag);
                Element::Case
            }
            (b"failure" | b"error", true) => self.outcome(Outcome::Failed, tag),
            (b"skipped", true) => self.outcome(Outcome::Skipped, tag),
            (b"flakyFailure" | b"flakyError", true) => self.outcome(Outcome::Flaky, tag),
            (b"rerunFailure" | b"rerunError", true) => self.outcome(Outcome::Rerun, tag),
            (b"system-out" | b"system-err", true) => Element::Output,
            // Any other root makes this no report.
            (_, _) if self.stack.is_empty() => {
                self.is_over = true;
                return;
            }
            (_, _) => Element::Other,
        };
        self.is_report |= matches!(element, Element::Suites | Element::Suite(_));
        self.stack.push(element);
    }

    /// Ends the innermost element.
    pub(super) fn end(&mut self) {
        if let Some(Element::Case) = self.stack.pop() {
            self.end_case();
        }
    }

    /// Takes a text.
    pub(super) fn text(&mut self, text: &[u8]) {
        let Some(case) = &mut self.case else { return };
        let owner = self.stack.iter().rev().find(|element| !matches!(element, Element::Other));
        match owner {
            Some(Element::Outcome(Outcome::Failed | Outcome::Flaky)) => {
                let room = MAX_TEXT_BYTES.saturating_sub(case.text.len());
                case.text.extend_from_slice(&text[..text.len().min(room)]);
            }
            Some(Element::Output) => {
                case.output.extend_from_slice(&text[text.len().saturating_sub(MAX_TEXT_BYTES)..]);
                let excess = case.output.len().saturating_sub(MAX_TEXT_BYTES);
                case.output.drain(..excess);
            }
            Some(
                Element::Suites
                | Element::Suite(_)
                | Element::Case
                | Element::Other
                | Element::Outcome(Outcome::Skipped | Outcome::Rerun),
            )
            | None => {}
        }
    }

    /// The file is not read to its end.
    pub(super) fn is_cut(&mut self) {
        self.file.is_incomplete = true;
    }

    /// Returns whether nothing more is wanted.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns what was read; `None` for what is no report.
    pub(super) fn finish(mut self) -> Option<TestFile> {
        if !self.stack.is_empty() {
            self.is_cut();
        }
        // A runner that was killed may have told of a failure already.
        if self.case.as_ref().is_some_and(|case| case.is_failed) {
            self.end_case();
        }
        self.is_report.then_some(self.file)
    }

    fn begin_case(&mut self, tag: &BytesStart<'_>) {
        let mut case = std::mem::take(&mut self.spare);
        case.clear();
        for attribute in tag.attributes().with_checks(false).flatten() {
            let value = value(&attribute.value, MAX_NAME_BYTES);
            match attribute.key.as_ref() {
                b"classname" => put(&mut case.suite, &value),
                b"name" => put(&mut case.name, &value),
                b"file" => put(&mut case.file, &value),
                b"time" => case.seconds = seconds(&value),
                b"status" => {
                    case.is_skipped |= matches!(value.as_ref(), "notrun" | "disabled" | "skipped");
                }
                b"result" => case.is_skipped |= matches!(value.as_ref(), "skipped" | "suppressed"),
                _ => {}
            }
        }
        if case.suite.is_empty()
            && let Some(name) = self.stack.iter().rev().find_map(Element::suite)
        {
            case.suite.push_str(name);
        }
        self.case = Some(case);
    }

    fn outcome(&mut self, outcome: Outcome, tag: &BytesStart<'_>) -> Element {
        let fails = |tag| NOT_RUN.contains(&attribute(tag, b"message", MAX_NAME_BYTES).as_str());
        let outcome = if outcome == Outcome::Skipped && fails(tag) { Outcome::Failed } else { outcome };
        if let Some(case) = &mut self.case {
            match outcome {
                Outcome::Failed => (case.is_failed, case.is_skipped) = (true, false),
                Outcome::Skipped => case.is_skipped = true,
                Outcome::Flaky => case.is_flaky = true,
                Outcome::Rerun => {}
            }
            if outcome != Outcome::Skipped && case.message.is_empty() {
                case.message = attribute(tag, b"message", MAX_TEXT_BYTES);
                if case.message.is_empty() {
                    case.message = attribute(tag, b"type", MAX_NAME_BYTES);
                }
            }
        }
        Element::Outcome(outcome)
    }

    fn end_case(&mut self) {
        let Some(case) = self.case.take() else { return };
        if self.file.counts.tests >= MAX_CASES {
            self.is_cut();
            self.is_over = true;
            return;
        }
        self.count(&case);
        self.spare = case;
    }

    fn count(&mut self, case: &Case) {
        if self.is_of_pytest && self.is_rerun(case) {
            return;
        }
        // An earlier run of the same test that failed.
        let is_first = case.is_failed || self.failed.is_empty();
        let before = if is_first { None } else { self.failed.remove(&key(case)) };
        let counts = &mut self.file.counts;
        counts.seconds += case.seconds;
        if case.is_failed {
            let key = key(case);
            // The same test a second time has run again.
            if self.failed.contains_key(&key) {
                return;
            }
            counts.tests += 1;
            counts.failed += 1;
            let at = self.keep(case);
            self.failed.insert(key, at);
        } else if let Some(before) = before.filter(|_| !case.is_skipped) {
            counts.failed -= 1;
            counts.flaky += 1;
            if let Some(failure) = before.and_then(|at| self.file.failures.get_mut(at)) {
                failure.flaky = true;
            }
        } else {
            counts.tests += 1;
            counts.flaky += u64::from(case.is_flaky);
            counts.skipped += u64::from(case.is_skipped && !case.is_flaky);
            if case.is_flaky {
                self.keep(case);
            }
        }
        self.time(case);
    }

    /// Counts a further attempt of a test that has not failed yet in a report of pytest.
    fn is_rerun(&mut self, case: &Case) -> bool {
        let key = key(case);
        let before = self.reruns.take(key);
        match (before, case.is_failed) {
            (None, true) => return false,
            // What was skipped is no attempt that passed.
            (None, false) if case.is_skipped || self.failed.contains_key(&key) => return false,
            (None, false) => {
                self.reruns.remember(key, Passed::Once);
                return false;
            }
            (Some(Passed::Once), false) => {
                self.file.counts.flaky += 1;
                let at = self.keep(case);
                self.reruns.remember(key, Passed::Again(at));
            }
            (Some(Passed::Again(at)), false) => self.reruns.remember(key, Passed::Again(at)),
            (Some(passed), true) => {
                self.file.counts.failed += 1;
                self.file.counts.flaky -= u64::from(passed != Passed::Once);
                let at = if let Passed::Again(Some(at)) = passed {
                    self.fails_after_all(case, at);
                    Some(at)
                } else {
                    self.keep(case)
                };
                self.failed.insert(key, at);
            }
        }
        self.file.counts.seconds += case.seconds;
        self.time(case);
        true
    }

    /// Makes a failure of a test that was kept as flaky, with its texts while there is room.
    fn fails_after_all(&mut self, case: &Case, at: usize) {
        let failure = failure(case);
        let Some(kept) = self.file.failures.get_mut(at) else { return };
        self.kept_bytes += failure.bytes();
        if self.kept_bytes <= MAX_KEPT_BYTES {
            *kept = failure;
        } else {
            kept.flaky = false;
        }
    }

    /// Keeps a failure while there is room; returns its place.
    fn keep(&mut self, case: &Case) -> Option<usize> {
        let failure = failure(case);
        self.kept_bytes += failure.bytes();
        let failures = &mut self.file.failures;
        if failures.len() >= MAX_FAILURES || self.kept_bytes > MAX_KEPT_BYTES {
            return None;
        }
        failures.push(failure);
        Some(failures.len() - 1)
    }

    /// Keeps the slowest.
    fn time(&mut self, case: &Case) {
        let slowest = &mut self.file.slowest;
        let at = slowest.partition_point(|other| other.seconds >= case.seconds);
        if at < MAX_SLOWEST && case.seconds > 0.0 {
            slowest.truncate(MAX_SLOWEST - 1);
            let (suite, name) = (case.suite.clone(), case.name.clone());
            slowest.insert(at, Timed { suite, name, seconds: case.seconds });
        }
    }
}

fn failure(case: &Case) -> Failure {
    let text = decoded_text(&case.text);
    let output = if text.is_empty() { decoded_text(&case.output) } else { text };
    // Several runners give no message, or only the type of what was raised.
    let first = output.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let is_telling = case.message.contains(char::is_whitespace) || first.is_empty();
    Failure {
        suite: case.suite.clone(),
        name: case.name.clone(),
        file: case.file.clone(),
        message: if is_telling { &case.message } else { first }.to_owned(),
        output,
        seconds: case.seconds,
        flaky: !case.is_failed,
    }
}

/// Texts are resolved when they are read.
fn decoded_text(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).trim().to_owned()
}

fn key(case: &Case) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&case.suite, &case.name, &case.file).hash(&mut hasher);
    hasher.finish()
}

/// Puts the first value of its kind in its place.
fn put(place: &mut String, value: &str) {
    if place.is_empty() {
        place.push_str(value);
    }
}
