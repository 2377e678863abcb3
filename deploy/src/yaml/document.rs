//! One document of a stream, and how a stream is written.

use super::Node;

/// Something that is no YAML, with where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// The document's number, from 1 on.
    pub(crate) document: usize,
    /// One line: where, and what.
    pub(crate) text: String,
}

/// The notation of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Yaml,
    Json,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    /// Comments in front of the first line, as they were.
    pub(crate) heading: &'a str,
    /// The text from its first line on, as it was; empty when the content has changed.
    pub(crate) text: &'a str,
    /// The document's content.
    pub(crate) node: Node,
}
