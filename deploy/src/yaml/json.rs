//! A stream of JSON objects becomes nodes.

use super::budget::Budget;
use super::document::{Document, SyntaxError};
use super::read::MAX_DEPTH;
use super::scalar::{Scalar, Style};
use super::{Map, Node};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// All documents; `None` when the text is no JSON, which does not mean that it
/// is no YAML.
pub(super) fn documents(text: &str) -> Option<Result<Vec<Document<'_>>, SyntaxError>> {
    let mut chunks = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let budget = Cell::new(Budget::of_stream());
    while !text_left(&mut deserializer) {
        match (AnyNode { depth: 0, budget: &budget }).deserialize(&mut deserializer) {
            Ok(node) => chunks.push(Document { heading: "", text: "", node }),
            Err(error) if error.is_data() => {
                return Some(Err(SyntaxError { document: chunks.len() + 1, text: error.to_string() }));
            }
            Err(_) => return None,
        }
    }
    Some(Ok(chunks))
}

/// Returns whether nothing but white space is left.
fn text_left<'a, R: serde_json::de::Read<'a>>(deserializer: &mut serde_json::Deserializer<R>) -> bool {
    deserializer.end().is_ok()
}

#[derive(Clone, Copy)]
struct AnyNode<'a> {
    depth: usize,
    /// The values and texts that the stream may still hold.
    budget: &'a Cell<Budget>,
}

impl<'de> DeserializeSeed<'de> for AnyNode<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let mut budget = self.budget.get();
        budget.take_node().map_err(D::Error::custom)?;
        self.budget.set(budget);
        deserializer.deserialize_any(self)
    }
}

impl AnyNode<'_> {
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

fn plain(value: &dyn fmt::Display) -> Node {
    Node::Scalar(Scalar::plain(value.to_string()))
}

impl<'de> Visitor<'de> for AnyNode<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(plain(&"null"))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(plain(&value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(plain(&value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(plain(&value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or_else(|| plain(&"null"), |number| plain(&number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::new(text, Style::Quoted, None)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let inside = self.inside()?;
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(inside)? {
            nodes.push(node);
        }
        Ok(Node::list(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let inside = self.inside()?;
        let mut map = Map::default();
        let mut names = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if !names.insert(key.clone()) {
                return Err(A::Error::custom(format!("the key {key:?} is there twice")));
            }
            let value = members.next_value_seed(inside)?;
            map.entries.push((Scalar::new(key, Style::Quoted, None), value));
        }
        Ok(map.into_node())
    }
}
