//! JSON values of others that are passed on: read as Go reads them, written as
//! Go writes them, except that integers keep their value (S-58 as changed).

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Values nested deeper than this are refused; nobody writes them by accident.
pub(super) const DEEPEST: usize = 100;

/// A value whose objects are in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is to be written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Object(BTreeMap<String, Value>),
    /// A value that is masked and written already, as JSON.
    Written(Box<str>),
}

impl Value {
    /// Parses a document; what is wrong with it is said in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        let raw: &RawValue = serde_json::from_str(text).map_err(not_json)?;
        from_raw(raw, DEEPEST)
    }

    /// A text.
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

/// Masks keys and values. Keys that become equal are told apart by more `X`.
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

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err by name")]
pub(super) fn not_json(error: serde_json::Error) -> String {
    format!("not valid JSON: {error}")
}

fn from_raw(raw: &RawValue, depth: usize) -> Result<Value, String> {
    let text = raw.get();
    if depth == 0 {
        return Err(format!("it is nested more than {DEEPEST} levels deep"));
    }
    Ok(match text.as_bytes().first() {
        Some(b'n') | None => Value::Null,
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'"') => Value::Text(serde_json::from_str(text).map_err(not_json)?),
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(text).map_err(not_json)?;
            Value::List(list.into_iter().map(|raw| from_raw(raw, depth - 1)).collect::<Result<_, _>>()?)
        }
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(not_json)?;
            let member = |(key, raw)| from_raw(raw, depth - 1).map(|value| (key, value));
            Value::Object(members.into_iter().map(member).collect::<Result<_, _>>()?)
        }
        Some(_) => Value::Number(number(text)?),
    })
}

/// Integers as they are; everything else as Go writes a 64-bit float.
pub(super) fn number(text: &str) -> Result<String, String> {
    if !text.contains(['.', 'e', 'E']) {
        return Ok(text.to_owned());
    }
    let float: f64 = text.parse().map_err(|error| format!("the number {text}: {error}"))?;
    if !float.is_finite() {
        return Err(format!("the number {text} is out of range"));
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
            let error = Value::parse(text).expect_err("refused");
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
