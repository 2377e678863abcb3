//! JSON by the rules of Go's `encoding/json` (contract O-10 to O-18).
//!
//! Pods carry options that other programs wrote for Go programs. A document is
//! taken apart into values of raw text, so that the order and the repetition of
//! keys survive, and each field is set by the rule of its type. Types that
//! appear in options implement [`Document`].
//!
//! A list that occurs twice is replaced by the later one, as `encoding/json`
//! documents it (not merged element by element, as it happens to do).

use crate::duration::GoDuration;
use crate::excerpt::{excerpt, quoted};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::io;

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
}

impl Notes {
    /// The keys that no field has, as dotted paths (`entries[0].arg`), in the
    /// order met. They are ignored (O-11); the caller logs them once.
    pub fn unknown_keys(&self) -> &[String] {
        &self.unknown
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

/// One JSON value as text, and the path of its key.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    text: &'a str,
    path: &'a str,
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
            found: format!("{} is {}", excerpt(self.text), self.kind()),
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
            let path = dotted(self.path, &key);
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
            match find_key(keys, &key) {
                Some(known) => each(known, Raw { text, path: &dotted(self.path, known) }, notes)?,
                None => notes.unknown.push(dotted(self.path, &excerpt(&key))),
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

/// The content of a JSON string whose syntax has been checked; `None` for any
/// other value. Half a surrogate pair becomes U+FFFD, as Go has it.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => {
                let first = hex4(chars.as_str())?;
                chars = chars.as_str().get(4..)?.chars();
                let low = chars.as_str().strip_prefix("\\u").and_then(hex4);
                let pair = low.and_then(|low| char::decode_utf16([first, low]).next()?.ok());
                if pair.is_some() && (0xd800..0xdc00).contains(&first) {
                    chars = chars.as_str().get(6..)?.chars();
                }
                out.push(pair.unwrap_or_else(|| {
                    char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER)
                }));
            }
            other => out.push(other),
        }
    }
    Some(out)
}

fn hex4(text: &str) -> Option<u16> {
    u16::from_str_radix(text.get(..4)?, 16).ok()
}

/// The elements of a list, unparsed.
struct Elements<'a>(Vec<&'a RawValue>);

/// The members of an object, unparsed.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Elements<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// Encodes as Go's `json.Marshal` does (O-18): compact, fields in the order of
/// the type, `<`, `>`, `&`, U+2028 and U+2029 escaped, no newline at the end.
pub fn to_go_string<T: Serialize>(value: &T) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, GoFormatter);
    value
        .serialize(&mut serializer)
        .expect("writing into memory does not fail, and options have text keys only");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// Writes the pieces of a string that need no JSON escape, with Go's escapes
/// for HTML.
struct GoFormatter;

impl serde_json::ser::Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut start = 0;
        for (at, c) in fragment.char_indices() {
            if let Some(escape) = html_escape(c) {
                writer.write_all(&fragment.as_bytes()[start..at])?;
                writer.write_all(escape.as_bytes())?;
                start = at + c.len_utf8();
            }
        }
        writer.write_all(&fragment.as_bytes()[start..])
    }
}

fn html_escape(c: char) -> Option<&'static str> {
    match c {
        '<' => Some("\\u003c"),
        '>' => Some("\\u003e"),
        '&' => Some("\\u0026"),
        '\u{2028}' => Some("\\u2028"),
        '\u{2029}' => Some("\\u2029"),
        _ => None,
    }
}
