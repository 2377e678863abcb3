//! JSON values from outside that are passed on: read as Go reads them, written as
//! Go writes them, except that integers keep their value (S-58 as changed).

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::num::ParseFloatError;
use thiserror::Error;

/// Upper bound on the nesting of values; nobody exceeds it by accident.
pub(super) const MAX_DEPTH: usize = 100;

/// The reason why a document cannot be passed on, as one line.
#[derive(Debug, Error)]
pub enum ValueError {
    /// There is no document.
    #[error("it is empty")]
    Empty,
    /// The text is not JSON.
    #[error("not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The document is no object.
    #[error("it holds no JSON object")]
    NoObject,
    /// The nesting exceeds the bound.
    #[error("it is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// A number is malformed.
    #[error("the number {0}: {1}")]
    Number(String, ParseFloatError),
    /// A number does not fit into 64 bits.
    #[error("the number {0} is out of range")]
    OutOfRange(String),
}

/// A value whose objects are in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Object(BTreeMap<String, Value>),
    /// JSON text that is masked already.
    Written(Box<str>),
}

impl Value {
    /// Parses a document.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if text.trim().is_empty() {
            return Err(ValueError::Empty);
        }
        let raw: &RawValue = serde_json::from_str(text)?;
        from_raw(raw, MAX_DEPTH)
    }

    /// Makes a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Passes every text and every key through `mask`. A number that holds
    /// something to mask becomes a text.
    #[must_use]
    pub fn masked(self, mask: &dyn Fn(&str) -> String) -> Self {
        match self {
            Self::Null | Self::Bool(_) | Self::Written(_) => self,
            Self::Number(digits) => {
                let masked = mask(&digits);
                if masked == digits { Self::Number(digits) } else { Self::Text(masked) }
            }
            Self::Text(text) => Self::Text(mask(&text)),
            Self::List(list) => Self::List(list.into_iter().map(|value| value.masked(mask)).collect()),
            Self::Object(members) => Self::Object(masked_members(members, mask)),
        }
    }
}

/// Masks keys and values. More `X` distinguish keys that become equal.
pub fn masked_members(
    members: BTreeMap<String, Value>,
    mask: &dyn Fn(&str) -> String,
) -> BTreeMap<String, Value> {
    let mut result = BTreeMap::new();
    for (key, value) in members {
        let mut key = mask(&key);
        while result.contains_key(&key) {
            key.push('X');
        }
        result.insert(key, value.masked(mask));
    }
    result
}

fn from_raw(raw: &RawValue, depth: usize) -> Result<Value, ValueError> {
    let text = raw.get();
    if depth == 0 {
        return Err(ValueError::TooDeep);
    }
    Ok(match text.as_bytes().first() {
        Some(b'n') | None => Value::Null,
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'"') => Value::Text(serde_json::from_str(text)?),
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(text)?;
            Value::List(list.into_iter().map(|raw| from_raw(raw, depth - 1)).collect::<Result<_, _>>()?)
        }
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            let member = |(key, raw)| from_raw(raw, depth - 1).map(|value| (key, value));
            Value::Object(members.into_iter().map(member).collect::<Result<_, _>>()?)
        }
        Some(_) => Value::Number(number(text)?),
    })
}

/// Keeps integers as they are; writes other numbers as Go writes a 64-bit float.
pub(super) fn number(text: &str) -> Result<String, ValueError> {
    if !text.contains(['.', 'e', 'E']) {
        return Ok(text.to_owned());
    }
    let float: f64 = text.parse().map_err(|error| ValueError::Number(text.to_owned(), error))?;
    if !float.is_finite() {
        return Err(ValueError::OutOfRange(text.to_owned()));
    }
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let short = format!("{float:e}");
        return Ok(if short.contains("e-") { short } else { short.replace('e', "e+") });
    }
    Ok(float.to_string())
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(digits) => RawValue::from_string(digits.clone())
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Written(json) => {
                let raw: &RawValue = serde_json::from_str(json).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
            Self::List(list) => {
                let mut sequence = serializer.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|value| sequence.serialize_element(value))?;
                sequence.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str) -> String {
        common::json::to_go_string(&Value::parse(text).expect("parses"))
    }

    #[test]
    fn s_58_integers_keep_their_value_and_keys_are_sorted() {
        assert_eq!(
            round(r#"{"b": 9007199254740993, "a": [123456789012345678901234567890, -0, 1.50, 1.0, 1e3]}"#),
            r#"{"a":[123456789012345678901234567890,-0,1.5,1,1000],"b":9007199254740993}"#
        );
        assert_eq!(
            round("[1e21,1.5e-7,-2.5e300,0.000001,1e20]"),
            "[1e+21,1.5e-7,-2.5e+300,0.000001,100000000000000000000]"
        );
        assert_eq!(round(r#"{"a":1,"a":{"<":null}}"#), r#"{"a":{"\u003c":null}}"#);
    }

    #[test]
    fn nonsense_is_refused_in_one_line() {
        for text in
            ["", " ", "{", "json-error", "1e999", &"[".repeat(500_000), &("[".repeat(200) + &"]".repeat(200))]
        {
            let error = Value::parse(text).expect_err("refused").to_string();
            assert!(!error.contains('\n') && error.len() < 200, "{error}");
        }
    }

    #[test]
    fn i6_texts_keys_and_numbers_are_masked() {
        let mask = |text: &str| text.replace("42", "XX").replace("secret", "XXXXXX");
        let value =
            Value::parse(r#"{"secret":1,"XXXXXX":"a secret","n":[1425,7],"t":true}"#).expect("parses");
        assert_eq!(
            common::json::to_go_string(&value.masked(&mask)),
            r#"{"XXXXXX":"a XXXXXX","XXXXXXX":1,"n":["1XX5",7],"t":true}"#
        );
    }
}
