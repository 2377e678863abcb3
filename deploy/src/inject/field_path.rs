//! Reading a document field by field, with the path of each.

use crate::yaml::{Meaning, Node, Scalar};
use std::collections::BTreeMap;
use std::fmt;

/// Something that is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The field's path, `spec.containers[0].command[1]`.
    pub(super) path: String,
    /// The problem, and its remedy.
    pub(super) text: String,
}

impl Finding {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}", self.text)
        } else {
            write!(f, "{}: {}", self.path, self.text)
        }
    }
}

/// One step down from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

impl Step {
    /// Returns the field one step down.
    pub(super) fn down<'a>(&self, at: &FieldPath<'a>) -> FieldPath<'a> {
        match self {
            Self::Key(key) => at.key(key),
            Self::Item(index) => at.item(*index),
        }
    }
}

/// A field of a document with its path; the field may be missing.
#[derive(Clone, Debug)]
pub(super) struct FieldPath<'a> {
    node: Option<&'a Node>,
    path: String,
}

impl<'a> FieldPath<'a> {
    /// The root of a document, or of a part of one with this path.
    pub(super) fn root(node: &'a Node, path: &str) -> Self {
        Self { node: Some(node), path: path.to_owned() }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn exists(&self) -> bool {
        self.node.is_some()
    }

    /// The member of a mapping.
    pub(super) fn key(&self, key: &str) -> Self {
        Self { node: self.node.and_then(|node| node.get(key)), path: join(&self.path, key) }
    }

    /// The member behind several keys.
    pub(super) fn keys(&self, keys: &[&str]) -> Self {
        keys.iter().fold(self.clone(), |at, key| at.key(key))
    }

    /// The element of a list.
    pub(super) fn item(&self, index: usize) -> Self {
        let node = match self.node {
            Some(Node::List(list)) => list.get(index),
            Some(Node::Scalar(_) | Node::Map(_)) | None => None,
        };
        Self { node, path: format!("{}[{index}]", self.path) }
    }

    /// Returns the steps to everything in a list or mapping.
    pub(super) fn children(&self) -> Vec<Step> {
        match self.node {
            Some(Node::List(list)) => (0..list.len()).map(Step::Item).collect(),
            Some(Node::Map(map)) => {
                map.entries().iter().map(|(key, _)| Step::Key(key.key().to_owned())).collect()
            }
            Some(Node::Scalar(_)) | None => Vec::new(),
        }
    }

    /// Returns the keys of a mapping.
    pub(super) fn member_names(&self) -> impl Iterator<Item = &'a str> {
        let entries = match self.node {
            Some(Node::Map(map)) => map.entries(),
            Some(Node::Scalar(_) | Node::List(_)) | None => &[],
        };
        entries.iter().map(|(key, _)| key.key())
    }

    /// Returns a mapping of texts, such as labels.
    pub(super) fn text_members(&self) -> Result<BTreeMap<String, String>, Finding> {
        self.mapping()?;
        let entries = match self.node {
            Some(Node::Map(map)) => map.entries(),
            Some(Node::Scalar(_) | Node::List(_)) | None => &[],
        };
        let member = |(key, node): &'a (Scalar, Node)| {
            let node = Some(node).filter(|node| !node.is_null());
            let at = Self { node, path: join(&self.path, key.key()) };
            Ok((key.key().to_owned(), at.text()?.unwrap_or_default()))
        };
        entries.iter().map(member).collect()
    }

    /// A key of the mapping that is not this one.
    pub(super) fn other_key(&self, key: &str) -> Option<String> {
        let Some(Node::Map(map)) = self.node else { return None };
        map.entries().iter().map(|(name, _)| name.key()).find(|name| *name != key).map(str::to_owned)
    }

    /// A complaint about this field.
    pub(super) fn finding(&self, text: impl Into<String>) -> Finding {
        Finding::new(&self.path, text)
    }

    fn refuse<T>(&self, found: &Node, wanted: &str) -> Result<T, Finding> {
        let shown = match found {
            Node::Scalar(scalar) => format!("{} ({})", found.describe(), scalar.shown()),
            Node::List(_) | Node::Map(_) => found.describe().to_owned(),
        };
        let hint = if wanted == "a text" && found.meaning().is_some() { "; put it in quotes" } else { "" };
        Err(self.finding(format!("{shown} where {wanted} belongs{hint}")))
    }

    /// The elements of a list; none when there is nothing.
    pub(super) fn items(&self) -> Result<Vec<Self>, Finding> {
        match self.node {
            None => Ok(Vec::new()),
            Some(Node::List(list)) => {
                Ok(list.iter().enumerate().map(|(index, _)| self.item(index)).collect())
            }
            Some(other) => self.refuse(other, "a list"),
        }
    }

    /// Refuses anything but a mapping or nothing.
    pub(super) fn mapping(&self) -> Result<(), Finding> {
        match self.node {
            None | Some(Node::Map(_)) => Ok(()),
            Some(other) => self.refuse(other, "a mapping"),
        }
    }

    pub(super) fn text(&self) -> Result<Option<String>, Finding> {
        match self.node.map(|node| (node, node.meaning())) {
            None => Ok(None),
            Some((_, Some(Meaning::Text(text)))) => Ok(Some(text.to_owned())),
            Some((node, _)) => self.refuse(node, "a text"),
        }
    }

    /// A list of texts; `None` when there is no list.
    pub(super) fn texts(&self) -> Result<Option<Vec<String>>, Finding> {
        if !self.exists() {
            return Ok(None);
        }
        let one = |item: Self| match item.text() {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(item.finding("null where a text belongs")),
            Err(finding) => Err(finding),
        };
        self.items()?.into_iter().map(one).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn number(&self) -> Result<Option<i64>, Finding> {
        match self.node.map(|node| (node, node.meaning())) {
            None => Ok(None),
            Some((_, Some(Meaning::Int(number)))) => Ok(Some(number)),
            Some((node, _)) => self.refuse(node, "a whole number"),
        }
    }

    /// Returns the meaning of a scalar, if there is one.
    pub(super) fn meaning(&self) -> Option<Meaning<'a>> {
        self.node.and_then(Node::meaning)
    }

    /// Returns a quantity such as `500m`, which may be written as a number.
    pub(super) fn quantity(&self) -> Result<Option<String>, Finding> {
        match self.node {
            None => Ok(None),
            Some(Node::Scalar(scalar)) => Ok(Some(scalar.key().to_owned())),
            Some(other) => self.refuse(other, "a quantity"),
        }
    }

    /// A bool; false when there is nothing.
    pub(super) fn is_true(&self) -> Result<bool, Finding> {
        Ok(self.flag()?.unwrap_or(false))
    }

    /// A bool, if there is one.
    pub(super) fn flag(&self) -> Result<Option<bool>, Finding> {
        match self.node.map(|node| (node, node.meaning())) {
            None => Ok(None),
            Some((_, Some(Meaning::Bool(value)))) => Ok(Some(value)),
            Some((node, _)) => self.refuse(node, "true or false"),
        }
    }
}

/// The path of a key below another path.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
