//! Small pieces of a pod's document that several modules put together.

use crate::yaml::Node;

/// A volume mount of ours.
pub(super) fn mount(volume: &str, at: &str) -> Node {
    Node::map([("name", Node::text(volume)), ("mountPath", Node::text(at))])
}

pub(super) fn variable(name: &str, value: &str) -> Node {
    Node::map([("name", Node::text(name)), ("value", Node::text(value))])
}
