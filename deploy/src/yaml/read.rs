//! The text of one YAML document becomes nodes.
//!
//! Everything is bounded: how deep a document is nested, and how much the stream may hold.

use super::budget::{Budget, Size};
use super::scalar::{Meaning, Scalar, Style};
use super::{Map, Node, flow, lenient};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Deeper than anything that Kubernetes defines.
pub(super) const MAX_DEPTH: usize = 100;

/// Line breaks of YAML 1.1, and so of Kubernetes, that YAML 1.2 does not have.
const BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// Reads one document; the error says the line, counted on from `line`, and what
/// is wrong. Takes what the document holds from the stream's budget.
pub(super) fn document(text: &str, line: usize, budget: &mut Budget) -> Result<Node, String> {
    flow::check(text, budget.nodes()).map_err(|why| format!("line {}: {why}", line + 1))?;
    let before = *budget;
    let refusal = match strict(text, line, budget) {
        Err(Refusal::Syntax(refusal)) => refusal,
        read => return read.map_err(|(Refusal::Syntax(error) | Refusal::Content(error))| error),
    };
    let Some(indented) = lenient::indented(text) else { return Err(refusal) };
    // The lines of the document as it is say more than those of a changed one.
    *budget = before;
    strict(&indented, line, budget).map_err(|_| refusal)
}

/// Why a document is refused: it is no YAML 1.2, or its content is not taken.
enum Refusal {
    Syntax(String),
    Content(String),
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self::Content(text)
    }
}

/// Reads a document by the rules of YAML 1.2.
fn strict(text: &str, line: usize, budget: &mut Budget) -> Result<Node, Refusal> {
    if let Some(at) = text.find(BREAKS) {
        let at = text[..at].matches('\n').count() + line + 1;
        return Err(Refusal::Content(format!(
            "line {at}: a character that is a line break to some parsers only (U+0085, U+2028, U+2029); write it with \\u in \
             double quotes"
        )));
    }
    let mut reader = Reader { line, budget, open: Vec::new(), anchors: HashMap::new(), root: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            let hint = if text.contains("{{") { "; {{ }} is a template: render it first" } else { "" };
            Refusal::Syntax(format!(
                "line {}, column {}: not YAML: {}{hint}",
                at.line() + line,
                at.col() + 1,
                error.info()
            ))
        })?;
        reader.take(event, span)?;
    }
    reader.root.ok_or_else(|| Refusal::Content("there is nothing in it".to_owned()))
}

/// A list or mapping that is not complete yet.
struct Open {
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map { map: Map, names: HashSet<String>, key: Option<Scalar>, merged: Vec<(usize, Vec<Map>)> },
}

struct Reader<'a> {
    line: usize,
    budget: &'a mut Budget,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Size)>,
    root: Option<Node>,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), String> {
        let at = span.start.line() + self.line;
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Alias(anchor) => {
                let node = self.alias(anchor).map_err(|why| format!("line {at}: {why}"))?;
                self.put(node, 0, at)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(at)?;
                self.put(Node::Scalar(scalar(&text, style, tag)), anchor, at)
            }
            Event::SequenceStart(anchor, _) => self.start(Open { anchor, kind: Kind::List(Vec::new()) }, at),
            Event::MappingStart(anchor, _) => {
                let (map, names) = (Map::default(), HashSet::new());
                let kind = Kind::Map { map, names, key: None, merged: Vec::new() };
                self.start(Open { anchor, kind }, at)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { anchor, kind }) = self.open.pop() else { return Ok(()) };
                let node = match kind {
                    Kind::List(list) => Node::list(list),
                    Kind::Map { map, merged, .. } => merge(map, merged).into_node(),
                };
                self.put(node, anchor, at)
            }
        }
    }

    fn start(&mut self, open: Open, at: usize) -> Result<(), String> {
        self.count(at)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("line {at}: nested more than {MAX_DEPTH} levels deep"));
        }
        if let Some(Open { kind: Kind::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(format!(
                "line {at}: a list or mapping as a key; if {{{{ }}}} is a template, render it first"
            ));
        }
        self.open.push(open);
        Ok(())
    }

    fn count(&mut self, at: usize) -> Result<(), String> {
        self.budget.take_node().map_err(|why| format!("line {at}: {why}"))
    }

    /// A copy of what an anchor names.
    fn alias(&mut self, anchor: usize) -> Result<Node, &'static str> {
        let (node, size) = self.anchors.get(&anchor).ok_or("an alias of something that contains it")?;
        self.budget.take_copy(*size)?;
        Ok(node.clone())
    }

    /// Puts a complete node where it belongs.
    fn put(&mut self, node: Node, anchor: usize, at: usize) -> Result<(), String> {
        if anchor > 0 {
            let mut size = Size::default();
            measure(&node, &mut size);
            self.budget.take_copy(size).map_err(|why| format!("line {at}: {why}"))?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(Kind::List(list)) => list.push(node),
            Some(Kind::Map { map, names, key, merged }) => match key.take() {
                None => *key = Some(as_key(node, at)?),
                Some(key) if key.is_merge() => merged.push((map.entries.len(), sources(node, at)?)),
                Some(key) => {
                    if !names.insert(key.key().to_owned()) {
                        return Err(format!("line {at}: the key {:?} is there twice", key.key()));
                    }
                    map.entries.push((key, node));
                }
            },
        }
        Ok(())
    }
}

fn as_key(node: Node, at: usize) -> Result<Scalar, String> {
    match node {
        Node::Scalar(scalar) => Ok(scalar),
        Node::List(_) | Node::Map(_) => Err(format!("line {at}: a list or mapping as a key")),
    }
}

/// Returns the mappings that a merge key merges.
fn sources(node: Node, at: usize) -> Result<Vec<Map>, String> {
    let nodes = match node {
        Node::List(list) => list,
        one @ (Node::Map(_) | Node::Scalar(_)) => vec![one],
    };
    let as_map = |node| match node {
        Node::Map(map) => Ok(map),
        Node::Scalar(_) | Node::List(_) => {
            Err(format!("line {at}: << takes a mapping or a list of mappings"))
        }
    };
    nodes.into_iter().map(as_map).collect()
}

/// Members of a merge key come in its place; those that the mapping has itself
/// win, then those of an earlier source.
fn merge(own: Map, merged: Vec<(usize, Vec<Map>)>) -> Map {
    if merged.is_empty() {
        return own;
    }
    let own_names: HashSet<String> = own.entries.iter().map(|(key, _)| key.key().to_owned()).collect();
    let mut merged_names = HashSet::new();
    let mut merged = merged.into_iter().peekable();
    let mut result = Map::default();
    let mut own = own.entries.into_iter();
    for at in 0.. {
        while let Some((_, maps)) = merged.next_if(|(place, _)| *place == at) {
            for (key, value) in maps.into_iter().flat_map(|map| map.entries) {
                if !own_names.contains(key.key()) && merged_names.insert(key.key().to_owned()) {
                    result.entries.push((key, value));
                }
            }
        }
        match own.next() {
            Some(entry) => result.entries.push(entry),
            None => break,
        }
    }
    result
}

fn measure(node: &Node, size: &mut Size) {
    size.nodes += 1;
    match node {
        Node::Scalar(scalar) => size.bytes += scalar.key().len(),
        Node::List(list) => list.iter().for_each(|node| measure(node, size)),
        Node::Map(map) => map.entries.iter().for_each(|(key, node)| {
            size.bytes += key.key().len();
            measure(node, size);
        }),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<Cow<'_, Tag>>) -> Scalar {
    // The parser's texts have room to grow: a copy takes a fraction of their space.
    let text: Box<str> = Box::from(text);
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    let Some(tag) = tag else { return Scalar::new(text, style, None) };
    if !tag.is_yaml_core_schema() {
        // `!` alone makes a text of anything; other tags mean nothing to Kubernetes.
        return Scalar::new(text, if style == Style::Plain { Style::Quoted } else { style }, None);
    }
    let plain = super::scalar::meaning_of(&text);
    match (tag.suffix.as_str(), plain) {
        ("str", _) => Scalar::new(text, if style == Style::Plain { Style::Quoted } else { style }, None),
        ("int", Meaning::Int(_)) | ("float", Meaning::Int(_) | Meaning::Number) => {
            Scalar::new(text, Style::Plain, None)
        }
        ("bool", Meaning::Bool(_)) | ("null", Meaning::Null) => Scalar::new(text, Style::Plain, None),
        (other, _) => Scalar::new(text, style, Some(format!("!!{other}"))),
    }
}
