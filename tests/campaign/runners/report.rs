//! The state of a runner's own report after the runner was stopped.

use quick_xml::events::{BytesStart, Event};
use serde_json::Value;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The state of a report. The letters are those of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Everything is in it, the cut test as not passed.
    Complete,
    /// Well-formed, with the tests that had ended; the cut one is missing or nameless.
    Partial,
    /// Well-formed, and the cut test counts as passed.
    Wrong,
    /// The test ran to its end.
    Finished,
    /// Cut off: it does not parse.
    Torn,
    /// A file of zero bytes.
    Empty,
    /// None.
    Absent,
}

impl State {
    /// The letter in the table.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Complete => 'C',
            Self::Partial => 'P',
            Self::Wrong => 'W',
            Self::Finished => 'F',
            Self::Torn => 'X',
            Self::Empty => '0',
            Self::Absent => '-',
        }
    }

    /// Whether a collector of reports can read it.
    pub(crate) fn is_usable(letter: char) -> bool {
        matches!(letter, 'C' | 'P' | 'W')
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.letter())
    }
}

/// A test in a report.
#[derive(Default)]
struct Case {
    name: String,
    passed: bool,
}

/// Reads what lies in `dir`; `finished` is set if the cut test ran to its end.
pub(crate) fn state(dir: &Path, finished: bool) -> State {
    let mut files = Vec::new();
    collect(dir, &mut files);
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap_or_default()).collect::<Vec<_>>();
    if texts.is_empty() {
        return State::Absent;
    }
    if texts.iter().all(String::is_empty) {
        return State::Empty;
    }
    let mut cases = Vec::new();
    for (file, text) in files.iter().zip(&texts) {
        match read(file, text) {
            Some(found) => cases.extend(found),
            None => return State::Torn,
        }
    }
    let has = |name: &str| cases.iter().find(|case| case.name.to_lowercase().contains(name));
    match has("second") {
        Some(_) if finished => State::Finished,
        Some(second) if second.passed => State::Wrong,
        Some(_) => State::Complete,
        None if has("first").is_some() => State::Partial,
        // Well-formed and without a test: as good as none.
        None => State::Absent,
    }
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|end| end == "xml" || end == "json" || end == "html")
            // Meson's own log beside its report.
            && !path.ends_with("testlog.json")
        {
            into.push(path);
        }
    }
}

/// Returns the tests of a document, or nothing if it does not parse.
fn read(file: &Path, text: &str) -> Option<Vec<Case>> {
    match file.extension().and_then(|end| end.to_str()) {
        Some("json") => json(text),
        Some("html") => {
            text.trim_end().ends_with("</html>").then(|| vec![case("first", true), case("second", false)])
        }
        _ => junit(text),
    }
}

fn case(name: &str, passed: bool) -> Case {
    Case { name: name.to_owned(), passed }
}

/// Returns the examples of rspec, or what k6 measured.
fn json(text: &str) -> Option<Vec<Case>> {
    let document = serde_json::from_str::<Value>(text).ok()?;
    let Some(examples) = document["examples"].as_array() else {
        return document["metrics"].is_object().then(|| vec![case("first", true), case("second", false)]);
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // The status of a cut example is an empty text, and the summary counts no failure.
    let passed = |one: &Value| !matches!(one["status"].as_str(), Some("failed" | "pending"));
    Some(examples.iter().map(|one| case(&text(&one["description"]), passed(one))).collect())
}

/// Returns the cases of a document, or nothing if it does not parse.
fn junit(text: &str) -> Option<Vec<Case>> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut cases: Vec<Case> = Vec::new();
    let (mut depth, mut roots) = (0, 0);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                roots += usize::from(depth == 0);
                depth += 1;
                seen(&tag, &mut cases);
            }
            Event::Empty(tag) => {
                roots += usize::from(depth == 0);
                seen(&tag, &mut cases);
            }
            Event::End(_) => depth -= 1,
            Event::Eof => return (depth == 0 && roots == 1).then_some(cases),
            Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
}

fn seen(tag: &BytesStart<'_>, cases: &mut Vec<Case>) {
    match tag.name().as_ref() {
        b"testcase" => {
            let name = tag.try_get_attribute("name").ok().flatten();
            let name = name.map(|name| String::from_utf8_lossy(&name.value).into_owned()).unwrap_or_default();
            cases.push(Case { name, passed: true });
        }
        b"failure" | b"error" | b"skipped" => {
            if let Some(case) = cases.last_mut() {
                case.passed = false;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, text: &str) -> char {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), text).unwrap();
        state(dir.path(), false).letter()
    }

    #[test]
    fn states_of_reports_are_told_apart() {
        let first = r#"<testcase name="test_first"/>"#;
        let suite = |cases: &str| {
            format!("<?xml version='1.0'?>\n<testsuites><testsuite>{cases}</testsuite></testsuites>")
        };
        let second = |inner: &str| suite(&format!(r#"{first}<testcase name="Second">{inner}</testcase>"#));
        assert_eq!(of("a.xml", &second("<failure>x</failure>")), 'C');
        assert_eq!(of("a.xml", &second("<skipped/>")), 'C');
        assert_eq!(of("a.xml", &second("<system-out>x</system-out>")), 'W');
        assert_eq!(of("a.xml", &suite(first)), 'P');
        assert_eq!(of("a.xml", &suite(&format!("{first}<testcase time='1'/>"))), 'P');
        assert_eq!(of("a.xml", &suite("")), '-');
        assert_eq!(of("a.xml", "<?xml version='1.0'?><testsuites>"), 'X');
        assert_eq!(of("a.xml", &suite(first)[..40]), 'X');
        assert_eq!(of("a.xml", ""), '0');
        assert_eq!(of("a.txt", "something else"), '-');
        assert_eq!(of("a.json", r#"{"examples":[{"description":"second","status":"passed"}]}"#), 'W');
        assert_eq!(of("a.json", r#"{"metrics":{}}"#), 'C');
        assert_eq!(of("a.json", r#"{"metrics":"#), 'X');
        assert_eq!(of("a.html", "<html></html>\n"), 'C');
    }
}
