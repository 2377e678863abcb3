//! Nodes become text.

use super::scalar::{Meaning, Scalar, Style, meaning_of};
use super::{Map, Node};
use std::fmt::Write;

/// Longer keys need the explicit form `? key`.
const MAX_SIMPLE_KEY: usize = 120;

/// The node as a YAML document of block style, without a marker in front.
pub(crate) fn to_yaml(node: &Node) -> String {
    let mut out = String::new();
    match node {
        Node::Map(map) if !map.entries.is_empty() => block_map(&mut out, map, 0, true),
        Node::List(list) if !list.is_empty() => block_list(&mut out, list, 0, true),
        Node::Map(_) | Node::List(_) | Node::Scalar(_) => value(&mut out, node, 0),
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Members below each other; the first follows a `- ` when `fresh` is false.
fn block_map(out: &mut String, map: &Map, depth: usize, fresh: bool) {
    for (number, (key, node)) in map.entries.iter().enumerate() {
        if number > 0 || fresh {
            indent(out, depth);
        }
        let name = inline(key);
        if name.len() > MAX_SIMPLE_KEY {
            out.extend(["? ", &name, "\n"]);
            indent(out, depth);
            out.push(':');
        } else {
            out.push_str(&name);
            out.push(':');
        }
        value(out, node, depth);
    }
}

fn block_list(out: &mut String, list: &[Node], depth: usize, fresh: bool) {
    for (number, node) in list.iter().enumerate() {
        if number > 0 || fresh {
            indent(out, depth);
        }
        out.push('-');
        match node {
            Node::Map(map) if !map.entries.is_empty() => {
                out.push(' ');
                block_map(out, map, depth + 1, false);
            }
            Node::List(inner) if !inner.is_empty() => {
                out.push(' ');
                block_list(out, inner, depth + 1, false);
            }
            Node::Map(_) | Node::List(_) | Node::Scalar(_) => value(out, node, depth),
        }
    }
}

/// Writes the rest of a line behind `key:` or `-`, and the lines below it.
fn value(out: &mut String, node: &Node, depth: usize) {
    match node {
        Node::Map(map) if map.entries.is_empty() => out.push_str(" {}\n"),
        Node::List(list) if list.is_empty() => out.push_str(" []\n"),
        Node::Map(map) => {
            out.push('\n');
            block_map(out, map, depth + 1, true);
        }
        Node::List(list) => {
            out.push('\n');
            block_list(out, list, depth, true);
        }
        Node::Scalar(scalar) => {
            if scalar.style() == Style::Block && scalar.tag().is_none() && fits_block(scalar.key()) {
                out.push(' ');
                literal(out, scalar.key(), depth + 1);
                return;
            }
            let text = inline(scalar);
            if !text.is_empty() {
                out.push(' ');
                out.push_str(&text);
            }
            out.push('\n');
        }
    }
}

/// Returns whether the text can stand as it is, line by line.
fn fits_block(text: &str) -> bool {
    let has_text = text.lines().any(|line| !line.trim().is_empty());
    has_text && text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn literal(out: &mut String, text: &str, depth: usize) {
    out.push('|');
    // The first line with text tells how far all are indented, unless it says so.
    let first = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    if first.starts_with([' ', '\t']) || text.starts_with('\n') {
        out.push('2');
    }
    let content = text.strip_suffix('\n');
    match content {
        None => out.push('-'),
        Some(rest) if rest.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    out.push('\n');
    for line in content.unwrap_or(text).split('\n') {
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// A scalar in one line.
fn inline(scalar: &Scalar) -> String {
    let text = scalar.key();
    let tag = scalar.tag().map(|tag| format!("{tag} ")).unwrap_or_default();
    match scalar.style() {
        Style::Plain if is_plain(text) => format!("{tag}{text}"),
        Style::Plain | Style::Quoted | Style::Block => format!("{tag}{}", quoted(text)),
    }
}

/// Returns whether a text that was plain somewhere is plain everywhere in block style.
fn is_plain(text: &str) -> bool {
    if !matches!(meaning_of(text), Meaning::Text(_)) {
        return true;
    }
    let begins = |c: char| ",[]{}#&*!|>'\"%@`".contains(c) || c.is_whitespace();
    let indicator = |text: &str| {
        text.starts_with(['-', '?', ':']) && text[1..].chars().next().is_none_or(char::is_whitespace)
    };
    !text.starts_with(begins)
        && !indicator(text)
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.ends_with(char::is_whitespace)
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(":\t")
        && !text.contains(" #")
        && !text.contains("\t#")
        && text.chars().all(|c| c == '\t' || is_printable(c))
}

/// Characters that stand for themselves in every YAML parser. Line and paragraph
/// separators are line breaks to some.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='\u{7e}' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

/// Single quotes where nothing needs an escape, else JSON's form.
fn quoted(text: &str) -> String {
    if text.chars().all(is_printable) && text.contains(['"', '\\']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        escaped(text)
    }
}

/// A text in double quotes, which both JSON and YAML understand.
fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    // Writing into memory does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

/// The node as indented JSON with a newline at its end.
pub(crate) fn to_json(node: &Node) -> String {
    let mut out = String::new();
    json(&mut out, node, 0);
    out.push('\n');
    out
}

fn json(out: &mut String, node: &Node, depth: usize) {
    match node {
        Node::Scalar(scalar) => json_scalar(out, scalar),
        Node::List(list) => {
            let items = list.iter().map(|item| (None, item));
            json_items(out, ['[', ']'], items, depth);
        }
        Node::Map(map) => {
            let items = map.entries.iter().map(|(key, item)| (Some(key), item));
            json_items(out, ['{', '}'], items, depth);
        }
    }
}

fn json_items<'a>(
    out: &mut String,
    brackets: [char; 2],
    items: impl ExactSizeIterator<Item = (Option<&'a Scalar>, &'a Node)>,
    depth: usize,
) {
    out.push(brackets[0]);
    let is_empty = items.len() == 0;
    for (number, (key, item)) in items.enumerate() {
        out.push_str(if number > 0 { ",\n" } else { "\n" });
        indent(out, depth + 1);
        if let Some(key) = key {
            out.push_str(&escaped(key.key()));
            out.push_str(": ");
        }
        json(out, item, depth + 1);
    }
    if !is_empty {
        out.push('\n');
        indent(out, depth);
    }
    out.push(brackets[1]);
}

/// In a JSON document what is plain was a number, a bool or null.
fn json_scalar(out: &mut String, scalar: &Scalar) {
    match scalar.meaning() {
        Meaning::Text(text) => out.push_str(&escaped(text)),
        Meaning::Null | Meaning::Bool(_) | Meaning::Int(_) | Meaning::Number => out.push_str(scalar.key()),
    }
}
