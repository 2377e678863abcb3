//! One value, and the rule by which each type takes it.

use super::syntax::{Elements, Members, unquote};
use super::{Document, JsonError, Notes};
use crate::duration::GoDuration;
use crate::quote::{quoted, shortened};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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

    /// Sets a string; `null` leaves it.
    pub fn set_string(self, target: &mut String) -> Result<(), JsonError> {
        if !self.is_null() {
            *target = unquote(self.text).ok_or_else(|| self.refuse("a string"))?;
        }
        Ok(())
    }

    /// Sets a bool; `null` leaves it.
    pub fn set_bool(self, target: &mut bool) -> Result<(), JsonError> {
        match self.text {
            "null" => {}
            "true" => *target = true,
            "false" => *target = false,
            _ => return Err(self.refuse("true or false")),
        }
        Ok(())
    }

    /// Sets an integer of 64 bits, written without fraction or exponent (O-16);
    /// `null` leaves it.
    pub fn set_i64(self, target: &mut i64) -> Result<(), JsonError> {
        if !self.is_null() {
            *target = self.text.parse().map_err(|_| self.refuse(INTEGER))?;
        }
        Ok(())
    }

    /// Sets a duration, given as integer nanoseconds or as a Go duration
    /// string; `null` leaves it.
    pub fn set_duration(self, target: &mut GoDuration) -> Result<(), JsonError> {
        if let Some(text) = unquote(self.text) {
            *target = text.parse().map_err(|_| JsonError::Value {
                path: self.path.to_owned(),
                found: format!("{} is no duration", quoted(&text)),
                allowed: DURATION,
            })?;
        } else if !self.is_null() {
            let nanos = self.text.parse().map_err(|_| self.refuse(DURATION))?;
            *target = GoDuration::from_nanos(nanos);
        }
        Ok(())
    }

    /// Sets a list of strings; `null` empties it, a `null` inside is an empty string.
    pub fn set_strings(self, target: &mut Vec<String>) -> Result<(), JsonError> {
        let mut strings = Vec::new();
        self.each_element(LIST_OF_STRINGS, &mut |element| {
            let mut string = String::new();
            element.set_string(&mut string)?;
            strings.push(string);
            Ok(())
        })?;
        *target = strings;
        Ok(())
    }

    /// Sets a map from strings to strings, on top of what it holds; `null`
    /// empties it, a `null` inside is an empty string.
    pub fn set_string_map(self, target: &mut BTreeMap<String, String>) -> Result<(), JsonError> {
        if self.is_null() {
            target.clear();
            return Ok(());
        }
        for (key, text) in self.members("an object with strings as values")? {
            let path = dotted(self.path, &shortened(&key));
            let mut string = String::new();
            Raw { text, path: &path }.set_string(&mut string)?;
            target.insert(key, string);
        }
        Ok(())
    }

    /// Sets an object field by field (O-13); `null` leaves it.
    pub fn set_object<T: Document>(self, target: &mut T, notes: &mut Notes) -> Result<(), JsonError> {
        if self.is_null() {
            return Ok(());
        }
        self.each_field(T::KEYS, notes, &mut |key, value, notes| target.set(key, value, notes))
    }

    /// Sets an object that may be absent; `null` makes it so.
    pub fn set_optional<T: Document + Default>(
        self,
        target: &mut Option<T>,
        notes: &mut Notes,
    ) -> Result<(), JsonError> {
        self.set_option(target, |value, inner| value.set_object(inner, notes))
    }

    /// Sets anything that may be absent by the rule of its type; `null` makes
    /// it absent: `value.set_option(&mut self.limit, Raw::set_i64)`.
    pub fn set_option<T: Default>(
        self,
        target: &mut Option<T>,
        set: impl FnOnce(Self, &mut T) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.is_null() {
            *target = None;
            return Ok(());
        }
        set(self, target.get_or_insert_default())
    }

    /// Sets a list of objects; `null` empties it, a `null` inside is a default
    /// object (O-15).
    pub fn set_list<T: Document + Default>(
        self,
        target: &mut Vec<T>,
        notes: &mut Notes,
    ) -> Result<(), JsonError> {
        let mut list = Vec::new();
        self.each_element("a list of objects", &mut |element| {
            let mut object = T::default();
            element.set_object(&mut object, notes)?;
            list.push(object);
            Ok(())
        })?;
        *target = list;
        Ok(())
    }

    /// Calls `each` for every element of a list; a `null` has none.
    fn each_element(
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

    /// Calls `each` for every known key of an object, notes the others.
    fn each_field(
        self,
        keys: &'static [&'static str],
        notes: &mut Notes,
        each: &mut dyn FnMut(&'static str, Raw<'_>, &mut Notes) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        for (key, text) in self.members("an object")? {
            if let Some(known) = find_key(keys, &key) {
                each(known, Raw { text, path: &dotted(self.path, known) }, notes)?;
            } else {
                notes.unknown.push(dotted(self.path, &shortened(&key)));
                notes.meant.push(similar_key(keys, &key));
            }
        }
        Ok(())
    }

    /// The members of an object, in order and with repetitions.
    fn members(self, allowed: &'static str) -> Result<Vec<(String, &'a str)>, JsonError> {
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

const INTEGER: &str = "an integer of 64 bits without fraction or exponent";
const DURATION: &str = "an integer of nanoseconds or a duration such as \"300ms\", \"1.5h\" or \"2h45m\"";
const LIST_OF_STRINGS: &str = "a list of strings";

fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The known key that `key` means: itself, else the first that differs in case
/// only (O-12).
fn find_key(keys: &'static [&'static str], key: &str) -> Option<&'static str> {
    let exact = keys.iter().find(|known| **known == key);
    exact.or_else(|| keys.iter().find(|known| folded(known).eq(folded(key)))).copied()
}

/// The known key that is most like `key`, when one is like it at all.
fn similar_key(keys: &'static [&'static str], key: &str) -> Option<&'static str> {
    let key = key.to_lowercase();
    let scored = keys.iter().map(|known| (strsim::jaro(&known.to_lowercase(), &key), *known));
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
