//! The values of a YAML or JSON document, such as a kubeconfig.

use super::SecretBytes;
use super::ini::Malformed;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;
use zeroize::Zeroizing;

/// Maximum number of values; a document with more contains data, not secrets.
const MAX_VALUES: usize = 100_000;

/// Returns all scalar values except keys, `null` and booleans. Aliases are not
/// followed: their anchors count already.
pub(super) fn scalars(content: &[u8]) -> Result<Vec<SecretBytes>, Malformed> {
    let text = Zeroizing::new(String::from_utf8_lossy(content).into_owned());
    let mut values = Vec::new();
    // JSON has escapes that YAML lacks.
    if let Ok(document) = serde_json::from_str::<Value>(&text) {
        of_json(document, &mut values);
    } else if !of_yaml(&text, &mut values) {
        // The parser's own message would quote the file.
        let reason = "it is neither a YAML nor a JSON document".to_owned();
        return Err(Malformed { values, reason });
    }
    if values.len() > MAX_VALUES {
        let reason = format!("it holds more than {MAX_VALUES} values");
        return Err(Malformed { values: Vec::new(), reason });
    }
    Ok(values)
}

fn of_json(value: Value, values: &mut Vec<SecretBytes>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => values.push(Zeroizing::new(number.to_string().into_bytes())),
        Value::String(text) => values.push(Zeroizing::new(text.into_bytes())),
        Value::Array(list) => list.into_iter().for_each(|value| of_json(value, values)),
        Value::Object(members) => members.into_iter().for_each(|(_, value)| of_json(value, values)),
    }
}

/// The role of the next node.
#[derive(Clone, Copy)]
enum Position {
    Key,
    Value,
    Item,
}

/// Collects values, and returns whether all of the text is YAML.
fn of_yaml(text: &str, values: &mut Vec<SecretBytes>) -> bool {
    let mut open: Vec<Position> = Vec::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, _)) = event else { return false };
        match event {
            Event::Scalar(value, style, ..) => {
                let word = style == ScalarStyle::Plain && is_word(&value);
                if !matches!(open.last(), Some(Position::Key)) && !word && !value.is_empty() {
                    values.push(Zeroizing::new(value.as_bytes().to_vec()));
                }
                node_ends(&mut open);
            }
            Event::Alias(_) => node_ends(&mut open),
            Event::MappingStart(..) => open.push(Position::Key),
            Event::SequenceStart(..) => open.push(Position::Item),
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                node_ends(&mut open);
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }
    true
}

/// Updates the role: a value follows its key, and the next key a value.
fn node_ends(open: &mut [Position]) {
    if let Some(place) = open.last_mut() {
        *place = match place {
            Position::Key => Position::Value,
            Position::Value => Position::Key,
            Position::Item => Position::Item,
        };
    }
}

/// Returns whether a plain scalar is null or a boolean.
fn is_word(value: &str) -> bool {
    ["", "~", "null", "true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let values = scalars(text.as_bytes()).expect("a document");
        values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    #[test]
    fn every_scalar_of_a_kubeconfig() {
        let text = "apiVersion: v1\nclusters:\n- name: c\n  cluster:\n    server: https://x:6443\n\
                    users:\n- name: &n admin\n  user:\n    client-key-data: 'QUJD'\n    token: |\n      two\n      lines\n\
                    other: *n\nempty:\nyes: true\n? [a, b]\n: 12345\n---\nsecond: document\n";
        assert_eq!(
            read(text),
            ["v1", "c", "https://x:6443", "admin", "QUJD", "two\nlines\n", "a", "b", "12345", "document"]
        );
    }

    #[test]
    fn every_scalar_of_json() {
        assert_eq!(read(r#"{"a":["x\u00e9\/",{"b":1.5,"c":null,"d":true}],"e":""}"#), ["xé/", "1.5", ""]);
    }

    #[test]
    fn what_is_no_document_says_so_without_quoting() {
        for text in ["a: [hidden", "\"hidden", "\t- hidden: x\n- y"] {
            let malformed = scalars(text.as_bytes()).expect_err("malformed");
            assert!(!malformed.reason.contains("hidden"), "{}", malformed.reason);
        }
    }
}
