//! JSON by the rules of Go's `encoding/json` (contract O-10 to O-18).
//!
//! Pods carry options that other programs wrote for Go programs. A document is
//! taken apart into values of raw text, so that the order and the repetition of
//! keys survive, and each field is set by the rule of its type. Types that
//! appear in options implement [`Document`].
//!
//! A list that occurs twice is replaced by the later one, as `encoding/json`
//! documents it (not merged element by element, as it happens to do).

mod encode;
mod raw;
mod syntax;

pub use encode::{to_go_string, to_go_writer};
pub use raw::Raw;

use serde_json::value::RawValue;
use std::fmt;

/// An object with known keys, into which JSON can be decoded.
pub trait Document {
    /// The keys as they are written; none is repeated.
    const KEYS: &'static [&'static str];

    /// Sets the field of `key`, one of [`Document::KEYS`]. Objects inside pass
    /// `notes` on.
    fn set(&mut self, key: &'static str, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError>;
}

/// What a decoder met that is no error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    unknown: Vec<String>,
    /// For each of them the known key that may have been meant.
    meant: Vec<Option<&'static str>>,
}

/// A key that no field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKey<'a> {
    /// Its dotted path.
    pub path: &'a str,
    /// The key of the same object that may have been meant.
    pub meant: Option<&'static str>,
}

/// The path, and what may have been meant: `proces_log; did you mean "process_log"?`
impl fmt::Display for UnknownKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)?;
        match self.meant {
            Some(meant) => write!(f, "; did you mean \"{meant}\"?"),
            None => Ok(()),
        }
    }
}

impl Notes {
    /// The keys that no field has, as dotted paths (`entries[0].arg`), in the
    /// order met. They are ignored (O-11); the caller logs them once.
    pub fn unknown_keys(&self) -> &[String] {
        &self.unknown
    }

    /// The same with what may have been meant, as they are logged.
    pub fn unknown(&self) -> impl Iterator<Item = UnknownKey<'_>> {
        self.unknown.iter().zip(&self.meant).map(|(path, meant)| UnknownKey { path, meant: *meant })
    }

    /// Whether there is nothing to log.
    pub fn is_empty(&self) -> bool {
        self.unknown.is_empty()
    }
}

/// Why a document was refused. Each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// There is no text.
    #[error("the text is empty; allowed is one JSON object")]
    Empty,
    /// The text is no JSON.
    #[error("not valid JSON: {0}; allowed is one JSON object and nothing after it")]
    Syntax(String),
    /// A value that its field cannot take.
    #[error("{}{found}; allowed is {allowed}", prefix(.path))]
    Value {
        /// The dotted path of the key; empty for the whole document.
        path: String,
        /// The value, shortened, and what is wrong with it.
        found: String,
        /// What the field takes.
        allowed: &'static str,
    },
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// Decodes a whole document (O-10) on top of what `target` holds.
pub fn decode<T: Document>(target: &mut T, text: &str) -> Result<Notes, JsonError> {
    if text.trim().is_empty() {
        return Err(JsonError::Empty);
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
    let mut notes = Notes::default();
    Raw { text: raw.get(), path: "" }.set_object(target, &mut notes)?;
    Ok(notes)
}

#[cfg(test)]
mod tests;
