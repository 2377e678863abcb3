//! One value as text, and the keys of an object.

use super::syntax::{Elements, Members, unquote};
use super::{JsonError, Member, Notes};
use crate::quote::shortened;
use serde_json::value::RawValue;
use std::str::FromStr;

/// One JSON value as text, and the path of its key.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a str,
}

impl<'a> Raw<'a> {
    /// The value's JSON text, without white space around it.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The dotted path of the value's key.
    pub fn path(self) -> &'a str {
        self.path
    }

    /// Whether the value is `null`.
    pub fn is_null(self) -> bool {
        self.text == "null"
    }

    /// The error for a value of this field that cannot be taken.
    pub fn refuse(self, allowed: &'static str) -> JsonError {
        JsonError::Value {
            path: self.path.to_owned(),
            found: format!("{} is {}", shortened(self.text), self.kind()),
            allowed,
        }
    }

    /// Sets a value that is written as a text; `null` leaves it.
    pub fn parse_text<T: FromStr>(self, target: &mut T, allowed: &'static str) -> Result<(), JsonError> {
        if !self.is_null() {
            let text = unquote(self.text).ok_or_else(|| self.refuse(allowed))?;
            *target = text.parse().map_err(|_| self.refuse(allowed))?;
        }
        Ok(())
    }

    /// Calls `each` for every element of a list; a `null` has none.
    pub(super) fn each_element(
        self,
        allowed: &'static str,
        each: &mut dyn FnMut(Raw<'_>) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.is_null() {
            return Ok(());
        }
        let elements: Elements<'a> = serde_json::from_str(self.text).map_err(|_| self.refuse(allowed))?;
        for (index, element) in elements.0.into_iter().enumerate() {
            each(Raw { text: element.get(), path: &format!("{}[{index}]", self.path) })?;
        }
        Ok(())
    }

    /// Sets the known members of an object (O-13), notes the others; `null`
    /// leaves all.
    pub(super) fn decode_members(
        self,
        mut known: Vec<Member<'_>>,
        notes: &mut Notes,
    ) -> Result<(), JsonError> {
        if self.is_null() {
            return Ok(());
        }
        for (key, text) in self.members("an object")? {
            if let Some(member) = find(&known, &key).and_then(|at| known.get_mut(at)) {
                member.decode(Raw { text, path: &dotted(self.path, member.key) }, notes)?;
            } else {
                notes.unknown.push(dotted(self.path, &shortened(&key)));
                notes.meant.push(similar(&known, &key));
            }
        }
        Ok(())
    }

    /// The members of an object, in order and with repetitions.
    pub(super) fn members(self, allowed: &'static str) -> Result<Vec<(String, &'a str)>, JsonError> {
        let members: Members<'a> = serde_json::from_str(self.text).map_err(|_| self.refuse(allowed))?;
        let unquoted = |(key, value): (&'a RawValue, &'a RawValue)| {
            unquote(key.get()).map(|key| (key, value.get())).ok_or_else(|| self.refuse(allowed))
        };
        members.0.into_iter().map(unquoted).collect()
    }

    fn kind(self) -> &'static str {
        match self.text.as_bytes().first() {
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b't' | b'f') => "a bool",
            Some(b'n') => "null",
            Some(_) | None => "a number",
        }
    }
}

pub(super) fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The known key that `key` means: itself, else the first that differs in case
/// only (O-12).
fn find(known: &[Member<'_>], key: &str) -> Option<usize> {
    let exact = known.iter().position(|member| member.key == key);
    exact.or_else(|| known.iter().position(|member| folded(member.key).eq(folded(key))))
}

/// The known key that is most like `key`, when one is like it at all.
fn similar(known: &[Member<'_>], key: &str) -> Option<&'static str> {
    let key = key.to_lowercase();
    let scored = known.iter().map(|member| (strsim::jaro(&member.key.to_lowercase(), &key), member.key));
    let likeness = |(score, _): &(f64, &str)| *score;
    let best = scored.max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (best.0 >= LIKE).then_some(best.1)
}

/// Swapped, missing and doubled letters and the wrong kind of separator score
/// more than this, other words of the same letters less.
const LIKE: f64 = 0.82;

/// The text under Unicode simple case folding, as far as it can equal a key
/// made of ASCII: besides the ASCII letters only ſ (U+017F) folds to `s` and
/// the Kelvin sign (U+212A) to `k`.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}
