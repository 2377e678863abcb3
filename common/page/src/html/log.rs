//! The excerpt of a log on the page: numbered, in its colours, with sections that fold.

use crate::amounts::size;
use crate::escape::{visible, without_colours};
use crate::excerpt::{At, ErrorLine, Excerpt};
use crate::links::Links;
use crate::sgr::{Piece, Style, pieces};
use crate::words::again;
use maud::{Markup, html};
use std::ops::Range;

/// Containers beyond this number show only ten lines of their log's end.
const MAX_LONG_TAILS: usize = 8;

/// Lines of a container's log.
pub(super) fn section(name: &str, log: &Excerpt, index: usize, links: &Links) -> Markup {
    let shown = if index < MAX_LONG_TAILS { log.tail.len() } else { log.tail.len().min(10) };
    let tail = &log.tail[log.tail.len() - shown..];
    let begin = log.tail_begins_at().map(|begin| begin + (log.tail.len() - shown) as u64);
    let view = View { container: index, begin, end: begin.map(|begin| begin + shown as u64) };
    html! {
        p.log {
            "Log: "
            @match links.to(name) {
                Some(link) => a href=(link) { (visible(name)) },
                None => code { (visible(name)) },
            }
            ", " (size(log.bytes))
            @if let Some(lines) = log.lines { ", " (lines) " lines" }
        }
        @if !log.errors.is_empty() {
            h4 { "Lines that look like errors" }
            @if log.unread > 0 {
                p.note { (size(log.unread)) " of the log was not looked through." }
            }
            ol.errors {
                @for error in &log.errors { (error_line(error, name, view, links)) }
            }
            @if log.errors_left_out > 0 {
                p.note { (log.errors_left_out) " more lines look like errors." }
            }
        }
        @if !tail.is_empty() {
            h4 { @if log.has_more { "The last " (tail.len()) " lines" } @else { "All lines" } }
            (excerpt(tail, view))
        }
    }
}

/// The lines of a log that the page has.
#[derive(Clone, Copy)]
struct View {
    container: usize,
    /// The number of the first one, where it is known, and the one behind the last.
    begin: Option<u64>,
    end: Option<u64>,
}

impl View {
    /// The anchor of a line, if the page has it.
    fn anchor(self, line: u64) -> Option<String> {
        let (begin, end) = (self.begin?, self.end?);
        (begin..end).contains(&line).then(|| format!("log-{}-{line}", self.container))
    }
}

fn error_line(error: &ErrorLine, name: &str, view: View, links: &Links) -> Markup {
    let (place, anchor) = match error.at {
        At::Line(number) => (format!("line {number}"), view.anchor(number)),
        At::Byte(number) => (format!("byte {number}"), None),
    };
    let link = anchor.map(|anchor| format!("#{anchor}")).or_else(|| links.to_line(name, &error.text));
    html! {
        li {
            @match link {
                Some(link) => a href=(link) { (place) },
                None => span.at { (place) },
            }
            " " code { (coloured(&error.text, &mut Style::default())) }
            @if error.again > 0 { " " span.note { (again(error.again)) } }
        }
    }
}

/// Lines, some of them in sections that fold. The last section is open: what happened
/// last matters most.
fn excerpt(lines: &[String], view: View) -> Markup {
    let parts = parts(lines);
    let last = parts.len().saturating_sub(1);
    let mut style = Style::default();
    html! {
        div.tail role="group" aria-label="End of the log" {
            @for (index, part) in parts.iter().enumerate() {
                @match &part.title {
                    Some(title) => {
                        details open[part.is_open || index == last] {
                            summary { (coloured(title, &mut style)) }
                            (numbered(lines, part.lines.clone(), view, &mut style))
                        }
                    },
                    None => (numbered(lines, part.lines.clone(), view, &mut style)),
                }
            }
        }
    }
}

fn numbered(lines: &[String], range: Range<usize>, view: View, style: &mut Style) -> Markup {
    html! {
        @if !range.is_empty() {
            pre tabindex="0" aria-label="Lines of the log" {
                code {
                    @for at in range {
                        @let number = view.begin.map(|begin| begin + at as u64);
                        @let anchor = number.and_then(|number| view.anchor(number));
                        span.line id=[anchor] data-line=[number] { (coloured(&lines[at], style)) } "\n"
                    }
                }
            }
        }
    }
}

/// A line in its colours, which go on into the next one.
pub(super) fn coloured(line: &str, style: &mut Style) -> Markup {
    html! {
        @for piece in pieces(line) {
            @match piece {
                Piece::Colour(numbers) => ({ style.apply(numbers); "" }),
                Piece::Text(text) => {
                    @let classes = style.classes();
                    @if classes.is_empty() { (visible(text)) } @else { span class=(classes) { (visible(text)) } }
                },
            }
        }
    }
}

/// Lines that belong together.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    /// The title of a section; lines outside of any have none.
    title: Option<&'a str>,
    is_open: bool,
    lines: Range<usize>,
}

/// The effect of a line on sections.
#[derive(Debug, PartialEq, Eq)]
enum Mark<'a> {
    Begin { title: &'a str, is_open: bool },
    End,
    None,
}

/// Finds the sections of GitHub (`::group::`), and of Buildkite (`--- `, and `+++ ` for
/// one that is open).
fn parts(lines: &[String]) -> Vec<Part<'_>> {
    let mut parts = vec![Part { title: None, is_open: true, lines: 0..0 }];
    for at in 0..lines.len() {
        match mark(lines, at) {
            Mark::Begin { title, is_open } => {
                parts.push(Part { title: Some(title), is_open, lines: at + 1..at + 1 });
            }
            Mark::End => parts.push(Part { title: None, is_open: true, lines: at + 1..at + 1 }),
            Mark::None => {
                if let Some(part) = parts.last_mut() {
                    part.lines.end = at + 1;
                }
            }
        }
    }
    parts.retain(|part| part.title.is_some() || !part.lines.is_empty());
    parts
}

fn mark(lines: &[String], at: usize) -> Mark<'_> {
    let line = lines[at].as_str();
    let plain = without_colours(line);
    // Sections are marked at the begin of a line, perhaps after a time.
    if let Some((_, title)) = line.split_once("::group::").filter(|(before, _)| before.len() < 40) {
        return Mark::Begin { title, is_open: false };
    }
    if plain.trim_end().ends_with("::endgroup::") && plain.len() < 60 {
        return Mark::End;
    }
    let begins = |at: Option<usize>, with: &str| {
        at.and_then(|at| lines.get(at)).is_some_and(|line| without_colours(line).starts_with(with))
    };
    if plain.starts_with("--- ") && !is_go_test(&plain) && !begins(at.checked_add(1), "+++ ") {
        return Mark::Begin { title: after_mark(line), is_open: false };
    }
    if plain.starts_with("+++ ") && !begins(at.checked_sub(1), "--- ") {
        return Mark::Begin { title: after_mark(line), is_open: true };
    }
    Mark::None
}

/// `--- FAIL: TestA` is no section.
fn is_go_test(line: &str) -> bool {
    ["PASS:", "FAIL:", "SKIP:", "BENCH:"].iter().any(|word| line["--- ".len()..].starts_with(word))
}

fn after_mark(line: &str) -> &str {
    line.split_once("--- ").or_else(|| line.split_once("+++ ")).map_or(line, |(_, title)| title)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Option<String>, bool, usize)> {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let parts = parts(&lines);
        parts.iter().map(|part| (part.title.map(str::to_owned), part.is_open, part.lines.len())).collect()
    }

    #[test]
    fn sections_are_found() {
        let title = |text: &str| Some(text.to_owned());
        assert_eq!(
            found("a\n::group::Build it\nb\nc\n::endgroup::\nd"),
            [(None, true, 1), (title("Build it"), false, 2), (None, true, 1)]
        );
        assert_eq!(
            found("--- :docker: Pull\na\n+++ Test\nb\n--- FAIL: TestA (0.1s)\n    x"),
            [(title(":docker: Pull"), false, 1), (title("Test"), true, 3)]
        );
        assert_eq!(found("--- a/x.go\n+++ b/x.go\n@@ -1 +1 @@"), [(None, true, 3)], "a diff");
        assert_eq!(found("\u{1b}[1m--- x\u{1b}[0m\ny"), [(title("x\u{1b}[0m"), false, 1)]);
        assert_eq!(found("---\n--\n"), [(None, true, 2)]);
    }

    #[test]
    fn colours_are_classes_and_go_on() {
        let mut style = Style::default();
        let line = coloured("\u{1b}[31;1m<b>\u{1b}[0m &", &mut style).into_string();
        assert_eq!(line, r#"<span class="sb f1">&lt;b&gt;</span> &amp;"#);
        coloured("\u{1b}[32m", &mut style);
        assert_eq!(coloured("x", &mut style).into_string(), r#"<span class="f2">x</span>"#);
    }

    #[test]
    fn errors_lead_to_the_lines_that_the_page_has() {
        let error =
            |line| ErrorLine { at: At::Line(line), text: "\u{1b}[31merror: it\u{1b}[0m".into(), again: 0 };
        let log = Excerpt {
            lines: Some(5),
            tail: vec!["a".to_owned(), "\u{1b}[31merror: it\u{1b}[0m".to_owned()],
            errors: vec![error(2), error(5)],
            ..Excerpt::default()
        };
        let text = section("build-log.txt", &log, 0, &Links::beside()).into_string();
        assert!(text.contains(r#"<a href="./build-log.txt#:~:text=error%3A%20it">line 2</a>"#), "{text}");
        assert!(text.contains(r##"<a href="#log-0-5">line 5</a>"##), "{text}");
        assert!(text.contains(r#"<span class="line" id="log-0-5" data-line="5">"#), "{text}");
    }
}
