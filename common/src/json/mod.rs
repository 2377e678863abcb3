//! JSON by the rules of Go's `encoding/json` (contract O-10 to O-18).
//!
//! Pods carry options that other programs wrote for Go programs. A document is
//! taken apart into values of raw text, so that the order and the repetition of
//! keys survive, and each field is set by the rule of its type ([`Decode`]). A
//! [`Document`] is an object with known keys.
//!
//! A list that occurs twice is replaced by the later one, as `encoding/json`
//! documents it (not merged element by element, as it happens to do).

mod decode;
mod encode;
mod raw;
mod syntax;

pub use encode::{append_go_string, to_go_string, to_go_writer};
pub use raw::Raw;

use serde_json::value::RawValue;
use std::fmt;

/// A type that JSON can set in place, by the rule that Go has for it.
pub trait Decode {
    /// Sets the value; `null` leaves it or makes it absent (O-15).
    fn decode(&mut self, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError>;

    /// The name of a list of such values in errors.
    fn list_name() -> &'static str
    where
        Self: Sized,
    {
        "a list of objects"
    }
}

/// An object with known keys, see [`document!`](crate::document!).
pub trait Document {
    /// The members by their keys; none is repeated.
    fn members(&mut self) -> Vec<Member<'_>>;
}

/// The member of an object.
pub struct Member<'a> {
    /// Its key as it is written.
    pub key: &'static str,
    value: &'a mut dyn Decode,
    is_lenient: bool,
}

impl<'a> Member<'a> {
    /// Binds a key to the value that it sets.
    pub fn new(key: &'static str, value: &'a mut dyn Decode) -> Self {
        Self { key, value, is_lenient: false }
    }

    /// Takes anything: what the value cannot take counts as `null`, and unknown
    /// keys are not noted.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self { is_lenient: true, ..self }
    }

    fn decode(&mut self, raw: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        if !self.is_lenient {
            return self.value.decode(raw, notes);
        }
        let ignored = &mut Notes::default();
        self.value.decode(raw, ignored).or_else(|_| self.value.decode(Raw { text: "null", ..raw }, ignored))
    }
}

/// Lists the members of structs that are JSON objects: `field`, `field as
/// "key"`, and `field or null` for a [lenient](Member::lenient) one.
#[macro_export]
macro_rules! document {
    ($type:ty { $($field:ident $(as $key:literal)? $(or $null:ident)?),* $(,)? }) => {
        impl $crate::json::Document for $type {
            fn members(&mut self) -> Vec<$crate::json::Member<'_>> {
                vec![$($crate::document!(@member self $field $($key)? $($null)?),)*]
            }
        }
    };
    (@member $self:ident $field:ident) => {
        $crate::json::Member::new(stringify!($field), &mut $self.$field)
    };
    (@member $self:ident $field:ident $key:literal) => {
        $crate::json::Member::new($key, &mut $self.$field)
    };
    (@member $self:ident $field:ident null) => {
        $crate::json::Member::new(stringify!($field), &mut $self.$field).lenient()
    };
}

/// Notes of a decoder about input that is no error.
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
        /// Description of what the field takes.
        allowed: &'static str,
    },
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// Decodes a whole document (O-10) on top of what `target` holds.
pub fn decode(target: &mut impl Document, text: &str) -> Result<Notes, JsonError> {
    if text.trim().is_empty() {
        return Err(JsonError::Empty);
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
    let mut notes = Notes::default();
    Raw { text: raw.get(), path: "" }.decode_members(target.members(), &mut notes)?;
    Ok(notes)
}

#[cfg(test)]
mod tests;
