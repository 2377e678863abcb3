//! Small pieces of a pod's document that several modules put together.

use crate::yaml::Node;

/// A volume mount of ours.
pub(super) fn mount(volume: &str, at: &str) -> Node {
    Node::map([("name", Node::text(volume)), ("mountPath", Node::text(at))])
}

/// The variables that these Secrets hold.
pub(super) fn env_from<'a>(secrets: impl IntoIterator<Item = &'a String>) -> Option<(&'static str, Node)> {
    let source = |name: &String| Node::map([("secretRef", Node::map([("name", Node::text(name))]))]);
    let sources: Vec<_> = secrets.into_iter().map(source).collect();
    (!sources.is_empty()).then_some(("envFrom", Node::List(sources)))
}

pub(super) fn variable(name: &str, value: &str) -> Node {
    Node::map([("name", Node::text(name)), ("value", Node::text(value))])
}

/// A variable with a field of the pod (downward API).
pub(super) fn field_of_pod(name: &str, field: &str) -> Node {
    let source = Node::map([("fieldRef", Node::map([("fieldPath", Node::text(field))]))]);
    Node::map([("name", Node::text(name)), ("valueFrom", source)])
}
