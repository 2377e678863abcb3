//! The difference of two documents as a JSON Patch (RFC 6902).

use crate::yaml::{Map, Node, to_json};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// One operation.
#[derive(Debug, Serialize)]
pub(super) struct Operation {
    op: &'static str,
    /// A JSON Pointer (RFC 6901).
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
}

/// Returns the operations that make `after` of `before`.
pub(super) fn difference(before: &Node, after: &Node) -> Vec<Operation> {
    let mut operations = Vec::new();
    compare(&mut operations, "", before, after);
    operations
}

fn compare(operations: &mut Vec<Operation>, path: &str, before: &Node, after: &Node) {
    match (before, after) {
        (Node::Map(before), Node::Map(after)) => maps(operations, path, before, after),
        (Node::List(before), Node::List(after)) => lists(operations, path, before, after),
        (Node::Scalar(_) | Node::List(_) | Node::Map(_), _) => {
            if before != after {
                operations.push(operation("replace", path.to_owned(), Some(after)));
            }
        }
    }
}

fn operation(op: &'static str, path: String, value: Option<&Node>) -> Operation {
    // A node of a JSON document becomes JSON.
    let value = value.and_then(|node| RawValue::from_string(to_json(node).trim_end().to_owned()).ok());
    Operation { op, path, value }
}

fn below(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn maps(operations: &mut Vec<Operation>, path: &str, before: &Map, after: &Map) {
    let index = |map: &'_ Map| -> HashMap<String, usize> {
        map.entries().iter().enumerate().map(|(at, (key, _))| (key.key().to_owned(), at)).collect()
    };
    let (old, new) = (index(before), index(after));
    for (key, _) in before.entries().iter().filter(|(key, _)| !new.contains_key(key.key())) {
        operations.push(operation("remove", below(path, key.key()), None));
    }
    for (key, value) in after.entries() {
        let path = below(path, key.key());
        match old.get(key.key()) {
            Some(at) => compare(operations, &path, &before.entries()[*at].1, value),
            None => operations.push(operation("add", path, Some(value))),
        }
    }
}

/// Items that were put in are added one by one, so that the patch says what is new; a
/// list that lost items is replaced.
fn lists(operations: &mut Vec<Operation>, path: &str, before: &[Node], after: &[Node]) {
    let mut rest = before.iter().peekable();
    let added: Vec<bool> =
        after.iter().map(|item| rest.next_if(|old| is_same(old, item)).is_none()).collect();
    if rest.peek().is_some() {
        operations.push(Operation {
            value: operation("replace", String::new(), Some(&Node::List(after.to_vec()))).value,
            op: "replace",
            path: path.to_owned(),
        });
        return;
    }
    let mut old = before.iter();
    for (index, (item, added)) in after.iter().zip(added).enumerate() {
        let path = format!("{path}/{index}");
        if added {
            operations.push(operation("add", path, Some(item)));
        } else if let Some(old) = old.next() {
            compare(operations, &path, old, item);
        }
    }
}

/// Returns whether an item is the same one as before, changed or not: containers, volumes and
/// variables are told apart by their names.
fn is_same(before: &Node, after: &Node) -> bool {
    match (before.get("name"), after.get("name")) {
        (Some(before), Some(after)) => before == after,
        (None, None) => before == after,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn node(value: &Value) -> Node {
        // Only objects are read as JSON.
        let text = json!({ "document": value }).to_string();
        let document = yaml::documents(&text).expect("JSON").1.remove(0).node;
        document
            .get("document")
            .cloned()
            .unwrap_or_else(|| yaml::documents("null").expect("null").1.remove(0).node)
    }

    fn patch(before: &Value, after: &Value) -> Value {
        serde_json::to_value(difference(&node(before), &node(after))).expect("JSON")
    }

    /// Applies a patch as RFC 6902 says, `add`, `replace` and `remove` only.
    fn apply(mut document: Value, operations: &Value) -> Value {
        for operation in operations.as_array().expect("a list") {
            let path = operation["path"].as_str().expect("a path");
            let value = operation["value"].clone();
            let Some((parent, key)) = path.rsplit_once('/') else {
                document = value;
                continue;
            };
            let key = key.replace("~1", "/").replace("~0", "~");
            let op = operation["op"].as_str().expect("an operation");
            match (op, document.pointer_mut(parent).expect("the parent is there")) {
                ("add", Value::Array(list)) => list.insert(key.parse().expect("an index"), value),
                ("replace", Value::Array(list)) => list[key.parse::<usize>().expect("an index")] = value,
                ("add", Value::Object(map)) => assert_eq!(map.insert(key, value), None),
                ("replace", Value::Object(map)) => assert!(map.insert(key, value).is_some()),
                ("remove", Value::Object(map)) => assert!(map.remove(&key).is_some()),
                other => panic!("{other:?}"),
            }
        }
        document
    }

    #[test]
    fn what_was_put_in_is_added() {
        let before =
            json!({"spec": {"containers": [{"name": "test", "command": ["a"], "args": ["b"]}], "x/y~": 1}});
        let after = json!({"spec": {
            "initContainers": [{"name": "place"}],
            "containers": [{"name": "first"}, {"name": "test", "command": ["/tools/entrypoint"]}, {"name": "sidecar"}],
            "x/y~": 2,
        }});
        let operations = patch(&before, &after);
        let paths: Vec<_> = operations
            .as_array()
            .expect("a list")
            .iter()
            .map(|operation| {
                format!(
                    "{} {}",
                    operation["op"].as_str().expect("op"),
                    operation["path"].as_str().expect("path")
                )
            })
            .collect();
        assert_eq!(
            paths,
            [
                "add /spec/containers/0",
                "remove /spec/containers/1/args",
                "replace /spec/containers/1/command",
                "add /spec/containers/2",
                "add /spec/initContainers",
                "replace /spec/x~1y~0",
            ]
        );
        assert_eq!(apply(before, &operations), after);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..3i64).prop_map(Value::from),
            "[ab~/]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("name|[a~/]{1,2}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_patch_makes_the_one_of_the_other(before in values(), after in values()) {
            let operations = patch(&before, &after);
            prop_assert_eq!(apply(before, &operations), after);
        }
    }
}
