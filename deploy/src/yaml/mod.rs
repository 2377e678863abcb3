//! YAML as Kubernetes reads it, with nothing lost but comments.
//!
//! ```text
//! stream ──split──▶ documents ──read──▶ Node ──write──▶ text
//! ```
//!
//! A [`Node`] keeps the text and the style of each scalar, not a value that
//! somebody made of it: what was written `0123`, `yes` or `1e3` is written so
//! again, and means to every parser what it meant before. Keys stay in their
//! order. Aliases and merge keys are resolved while reading, because a change
//! of one user of an anchor must not reach the others; comments inside a
//! document are dropped.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`scalar`] | what a scalar means to Kubernetes' parser |
//! | [`document`] | one document, and the two formats |
//! | [`stream`] | a stream taken apart into documents |
//! | [`budget`] | how much a stream may hold |
//! | [`flow`] | brackets that would take too much to parse |
//! | [`lenient`] | indentation that only Kubernetes' parser takes |
//! | [`read`], [`json`] | the text of one document, or of a stream of JSON, becomes nodes |
//! | [`mod@write`] | nodes become text |

mod budget;
mod document;
mod flow;
mod json;
mod lenient;
mod read;
mod scalar;
mod stream;
mod write;

pub(crate) use document::{Document, Format};
pub(crate) use scalar::{Meaning, Scalar};
pub(crate) use stream::{MAX_STREAM_BYTES, documents};
pub(crate) use write::{to_json, to_yaml};

/// One value of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// A text, number, bool or null.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// A mapping in the order in which it was written. No key occurs twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Map {
    entries: Vec<(Scalar, Node)>,
}

impl Node {
    /// A sequence that was read, in no more space than it takes.
    fn list(mut nodes: Vec<Self>) -> Self {
        nodes.shrink_to_fit();
        Self::List(nodes)
    }

    /// A text of ours.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Scalar(Scalar::text(text))
    }

    /// A number of ours.
    pub(crate) fn number(number: i64) -> Self {
        Self::Scalar(Scalar::plain(number.to_string()))
    }

    /// `true` or `false`.
    pub(crate) fn bool(value: bool) -> Self {
        Self::Scalar(Scalar::plain(value.to_string()))
    }

    /// A mapping of ours.
    pub(crate) fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Map(Map {
            entries: entries.into_iter().map(|(key, value)| (Scalar::text(key), value)).collect(),
        })
    }

    /// A list of texts of ours.
    pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// Returns the meaning of a scalar; `None` for lists and mappings.
    pub(crate) fn meaning(&self) -> Option<Meaning<'_>> {
        match self {
            Self::Scalar(scalar) => Some(scalar.meaning()),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Returns whether it is null, which Kubernetes treats as if nothing were there.
    pub(crate) fn is_null(&self) -> bool {
        self.meaning() == Some(Meaning::Null)
    }

    /// The value of a key; null counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key).filter(|node| !node.is_null()),
            Self::Scalar(_) | Self::List(_) => None,
        }
    }

    /// The mapping, which takes the place of a null.
    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        if self.is_null() {
            *self = Self::Map(Map::default());
        }
        match self {
            Self::Map(map) => Some(map),
            Self::Scalar(_) | Self::List(_) => None,
        }
    }

    /// The list, which takes the place of a null.
    pub(crate) fn as_list_mut(&mut self) -> Option<&mut Vec<Self>> {
        if self.is_null() {
            *self = Self::List(Vec::new());
        }
        match self {
            Self::List(list) => Some(list),
            Self::Scalar(_) | Self::Map(_) => None,
        }
    }

    /// Names the kind of value in a message.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Scalar(scalar) => match scalar.meaning() {
                Meaning::Null => "null",
                Meaning::Bool(_) => "a bool",
                Meaning::Int(_) | Meaning::Number => "a number",
                Meaning::Text(_) => "a text",
            },
        }
    }
}

impl Map {
    /// A mapping that was read, in no more space than it takes.
    fn into_node(mut self) -> Node {
        self.entries.shrink_to_fit();
        Node::Map(self)
    }

    /// The members in their order.
    pub(crate) fn entries(&self) -> &[(Scalar, Node)] {
        &self.entries
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|(name, _)| name.key() == key)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    /// The value of a key, put at the end as null when it is not there.
    pub(crate) fn slot(&mut self, key: &str) -> &mut Node {
        let at = self.position(key).unwrap_or_else(|| {
            self.entries.push((Scalar::text(key), Node::Scalar(Scalar::plain("null"))));
            self.entries.len() - 1
        });
        &mut self.entries[at].1
    }

    /// Sets a key, at its place when it is there, else at the end.
    pub(crate) fn set(&mut self, key: &str, value: Node) {
        *self.slot(key) = value;
    }

    /// Sets a key unless it has a value; returns whether it set it.
    pub(crate) fn fill(&mut self, key: &str, value: Node) -> bool {
        let is_free = self.get(key).is_none_or(Node::is_null);
        if is_free {
            self.set(key, value);
        }
        is_free
    }

    /// Iterates over the mappings in the list at `key`, which is made where it is missing.
    pub(crate) fn members(&mut self, key: &str) -> impl Iterator<Item = &mut Map> {
        let list = self.slot(key).as_list_mut();
        list.into_iter().flatten().filter_map(Node::as_map_mut)
    }

    /// Appends to the list at `key`, which is made if there is something to append.
    pub(crate) fn push(&mut self, key: &str, nodes: impl IntoIterator<Item = Node>) {
        let mut nodes = nodes.into_iter().peekable();
        if nodes.peek().is_some()
            && let Some(list) = self.slot(key).as_list_mut()
        {
            list.extend(nodes);
        }
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        self.position(key).map(|at| self.entries.remove(at).1)
    }
}

#[cfg(test)]
mod tests;
