//! Documents of JSON and YAML.

use super::values::Values;
use saphyr_parser::{Event, Parser};
use serde_json::Value;
use zeroize::Zeroizing;

/// Looks at every value of a JSON document; `key` is that of the enclosing member.
pub(super) fn of_json(key: &str, value: Value, values: &mut Values) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => values.consider(key, &number.to_string()),
        Value::String(text) => values.consider(key, &Zeroizing::new(text)),
        Value::Array(list) => list.into_iter().for_each(|value| of_json(key, value, values)),
        Value::Object(members) => members.into_iter().for_each(|(key, value)| of_json(&key, value, values)),
    }
}

/// The context of a YAML node.
enum Open {
    /// A mapping whose next node is a key.
    Key,
    /// A mapping whose next node is the value of this key.
    Value(String),
    /// A sequence below this key.
    Items(String),
}

/// Looks at every value of a YAML document. Returns whether all of the text is
/// YAML, and a mapping or a sequence.
pub(super) fn of_yaml(text: &str, values: &mut Values) -> bool {
    let mut open: Vec<Open> = Vec::new();
    let mut is_collection = false;
    for event in Parser::new_from_str(text) {
        let Ok((event, _)) = event else { return false };
        match event {
            Event::Scalar(value, ..) => match open.last_mut() {
                Some(place @ Open::Key) => *place = Open::Value(value.into_owned()),
                Some(Open::Value(key)) => {
                    values.consider(&std::mem::take(key), &value);
                    ends(&mut open);
                }
                Some(Open::Items(key)) => values.consider(key, &value),
                None => return false,
            },
            Event::Alias(_) => ends(&mut open),
            Event::MappingStart(..) => {
                is_collection = true;
                open.push(Open::Key);
            }
            Event::SequenceStart(..) => {
                is_collection = true;
                let key = match open.last() {
                    Some(Open::Value(key) | Open::Items(key)) => key.clone(),
                    Some(Open::Key) | None => String::new(),
                };
                open.push(Open::Items(key));
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                ends(&mut open);
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }
    is_collection
}

/// A node ends: the value of a mapping is followed by a key, a key that is no
/// scalar by its value.
fn ends(open: &mut [Open]) {
    if let Some(place) = open.last_mut() {
        *place = match std::mem::replace(place, Open::Key) {
            Open::Key => Open::Value(String::new()),
            Open::Value(_) => Open::Key,
            items @ Open::Items(_) => items,
        };
    }
}
