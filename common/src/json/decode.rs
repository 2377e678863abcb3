//! The rule by which each type takes a value (contract O-14 to O-16).

use super::raw::dotted;
use super::syntax::unquote;
use super::{Decode, Document, JsonError, Notes, Raw};
use crate::duration::GoDuration;
use crate::quote::{quoted, shortened};
use std::collections::BTreeMap;
use std::ffi::OsString;

const INTEGER: &str = "an integer of 64 bits without fraction or exponent";
const DURATION: &str = "an integer of nanoseconds or a duration such as \"300ms\", \"1.5h\" or \"2h45m\"";

/// An object is set member by member (O-13).
impl<T: Document> Decode for T {
    fn decode(&mut self, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        value.decode_members(self.members(), notes)
    }
}

impl Decode for String {
    fn decode(&mut self, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        value.parse_text(self, "a string")
    }

    fn list_name() -> &'static str {
        "a list of strings"
    }
}

impl Decode for OsString {
    fn decode(&mut self, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        value.parse_text(self, "a string")
    }
}

impl Decode for bool {
    fn decode(&mut self, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        match value.text {
            "null" => {}
            "true" => *self = true,
            "false" => *self = false,
            _ => return Err(value.refuse("true or false")),
        }
        Ok(())
    }
}

impl Decode for i64 {
    fn decode(&mut self, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        if !value.is_null() {
            *self = value.text.parse().map_err(|_| value.refuse(INTEGER))?;
        }
        Ok(())
    }
}

/// Integer nanoseconds, or a Go duration string.
impl Decode for GoDuration {
    fn decode(&mut self, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        if let Some(text) = unquote(value.text) {
            *self = text.parse().map_err(|_| JsonError::Value {
                path: value.path.to_owned(),
                found: format!("{} is no duration", quoted(&text)),
                allowed: DURATION,
            })?;
        } else if !value.is_null() {
            let nanos = value.text.parse().map_err(|_| value.refuse(DURATION))?;
            *self = GoDuration::from_nanos(nanos);
        }
        Ok(())
    }
}

/// `null` makes the value absent; anything else is set by the rule of its type.
impl<T: Decode + Default> Decode for Option<T> {
    fn decode(&mut self, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        if value.is_null() {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_default().decode(value, notes)
    }
}

/// `null` empties the list, a `null` inside is a default element (O-15).
impl<T: Decode + Default> Decode for Vec<T> {
    fn decode(&mut self, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        let mut list = Vec::new();
        value.each_element(T::list_name(), &mut |element| {
            let mut item = T::default();
            item.decode(element, notes)?;
            list.push(item);
            Ok(())
        })?;
        *self = list;
        Ok(())
    }
}

/// A map is set on top of what it holds; `null` empties it, a `null` inside is
/// an empty string.
impl Decode for BTreeMap<String, String> {
    fn decode(&mut self, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        if value.is_null() {
            self.clear();
            return Ok(());
        }
        for (key, text) in value.members("an object with strings as values")? {
            let path = dotted(value.path, &shortened(&key));
            let mut string = String::new();
            string.decode(Raw { text, path: &path }, notes)?;
            self.insert(key, string);
        }
        Ok(())
    }
}
