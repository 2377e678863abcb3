//! Passes foreign documents on without a tree of their values, which could take a
//! hundred times the memory of their text. A value is read, masked and written
//! member by member; only the names in the objects that are open are in memory.

use super::value::{MAX_DEPTH, Value, ValueError, number};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

type Mask<'a> = &'a dyn Fn(&str) -> String;

/// Returns the members of a document that is an object, masked and written as Go
/// does; none for `null`.
pub fn members(text: &str, mask: Mask<'_>) -> Result<BTreeMap<String, Value>, ValueError> {
    if text.trim().is_empty() {
        return Err(ValueError::Empty);
    }
    let raw: &RawValue = serde_json::from_str(text)?;
    match raw.get().as_bytes().first() {
        Some(b'n') => Ok(BTreeMap::new()),
        Some(b'{') => {
            let mut members = BTreeMap::new();
            for (key, raw) in masked_object(raw, mask)? {
                let mut written = String::new();
                write(raw, MAX_DEPTH - 1, mask, &mut written)?;
                members.insert(key, Value::Written(written.into()));
            }
            Ok(members)
        }
        Some(_) | None => Err(ValueError::NoObject),
    }
}

/// Appends a value as [`Value::masked`] and its serialisation would write it.
fn write(raw: &RawValue, depth: usize, mask: Mask<'_>, out: &mut String) -> Result<(), ValueError> {
    if depth == 0 {
        return Err(ValueError::TooDeep);
    }
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'n' | b't' | b'f') | None => out.push_str(text),
        Some(b'"') => {
            let text: String = serde_json::from_str(text)?;
            out.push_str(&common::json::to_go_string(&mask(&text)));
        }
        Some(b'[') => {
            out.push('[');
            let mut first = true;
            each(text, |raw| {
                separate(&mut first, out);
                write(raw, depth - 1, mask, out)
            })?;
            out.push(']');
        }
        Some(b'{') => {
            out.push('{');
            let mut first = true;
            for (key, raw) in masked_object(raw, mask)? {
                separate(&mut first, out);
                out.push_str(&common::json::to_go_string(&key));
                out.push(':');
                write(raw, depth - 1, mask, out)?;
            }
            out.push('}');
        }
        Some(_) => {
            let digits = number(text)?;
            let masked = mask(&digits);
            if masked == digits {
                out.push_str(&digits);
            } else {
                out.push_str(&common::json::to_go_string(&masked));
            }
        }
    }
    Ok(())
}

fn separate(first: &mut bool, out: &mut String) {
    if !std::mem::take(first) {
        out.push(',');
    }
}

/// Returns the members of an object under their masked names, in order. More `X`
/// distinguish names that become equal.
fn masked_object<'a>(
    raw: &'a RawValue,
    mask: Mask<'_>,
) -> Result<BTreeMap<String, &'a RawValue>, ValueError> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get())?;
    let mut masked = BTreeMap::new();
    for (key, raw) in members {
        let mut key = mask(&key);
        while masked.contains_key(&key) {
            key.push('X');
        }
        masked.insert(key, raw);
    }
    Ok(masked)
}

/// Calls `take` for each element of a list, until it fails.
fn each<'a>(
    list: &'a str,
    take: impl FnMut(&'a RawValue) -> Result<(), ValueError>,
) -> Result<(), ValueError> {
    struct Elements<F>(F);
    impl<'de, F: FnMut(&'de RawValue) -> Result<(), ValueError>> Visitor<'de> for Elements<F> {
        type Value = Result<(), ValueError>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut result = Ok(());
            while let Some(raw) = list.next_element::<&RawValue>()? {
                if result.is_ok() {
                    result = (self.0)(raw);
                }
            }
            Ok(result)
        }
    }
    serde_json::Deserializer::from_str(list).deserialize_seq(Elements(take))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed_on(text: &str, mask: Mask<'_>) -> Result<String, ValueError> {
        members(text, mask).map(|members| common::json::to_go_string(&members))
    }

    #[test]
    fn s_58_it_is_what_a_tree_would_give() {
        let mask = |text: &str| text.replace("42", "XX").replace("secret", "XXXXXX");
        for text in [
            r#"{"b": 9007199254740993, "a": [12345678901234567890123, -0, 1.50, 1.0, 1e3, [], {}, null, true]}"#,
            r#"{"secret":1,"XXXXXX":"a secret <","n":[1425,7,{"secret":{"z":[],"XXXXXX":"y"}}],"t":false}"#,
            r#"{"a":1,"a":{"<":null},"e":[1e21,1.5e-7,0.000001]}"#,
            " null ",
        ] {
            let tree = common::json::to_go_string(&Value::parse(text).expect("parses").masked(&mask));
            let tree = if tree == "null" { "{}".to_owned() } else { tree };
            assert_eq!(passed_on(text, &mask).expect("passed on"), tree, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_in_one_line() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for text in ["", "[]", "{", "{\"a\":[1e999]}", &"{\"a\":".repeat(100_000), &deep] {
            let error = passed_on(text, &|text| text.to_owned()).expect_err("refused").to_string();
            assert!(!error.contains('\n') && error.len() < 200, "{error}");
        }
    }
}
