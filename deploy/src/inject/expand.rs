//! `$(NAME)` in the values of variables, which the kubelet replaces.
//!
//! A wrapped command moves from `command` and `args`, where the kubelet knows
//! all variables, into the JSON of a variable, where it knows only those of the
//! list in front of it, and where a quotation mark in a value would break the
//! JSON.

use super::field_path::Finding;
use super::model::{Container, Variable};

/// The names that a text refers to.
pub(super) fn references(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(escaped) = rest.strip_prefix('$') {
            rest = escaped;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            names.push(name);
            rest = after;
        }
    }
    names
}

/// The text, written so that the kubelet leaves it as it is.
pub(super) fn literal(text: &str) -> String {
    let special = text.contains("$(") || text.contains("$$");
    if special { text.replace('$', "$$") } else { text.to_owned() }
}

/// Returns the text as the kubelet expands it.
#[cfg(test)]
pub(super) fn unescaped(text: &str) -> String {
    text.replace("$$", "$")
}

/// Stands for values that the document does not have: at the beginning of a text,
/// and within one. What a program says about both is not about these values.
pub(super) const UNKNOWN: [[&str; 2]; 2] = [["gs://unknown", "unknown"], ["s3://elsewhere", "elsewhere"]];

/// Expands the references of a variable to those that stand before it, as the kubelet
/// does; `None` when its own value comes from elsewhere.
pub(super) fn expanded(
    container: &Container,
    variable: &Variable,
    unknown: [&'static str; 2],
) -> Option<String> {
    let text = variable.value.as_ref()?;
    let before: Vec<_> = container.env.iter().take_while(|other| other.path != variable.path).collect();
    let mut expanded = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(escaped) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = escaped;
            continue;
        }
        let reference = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let Some((name, after)) = reference else {
            expanded.push('$');
            continue;
        };
        let known = before.iter().rev().find(|other| other.name == name);
        let value = known.map(|other| self::expanded(container, other, unknown));
        match value {
            Some(Some(value)) => expanded.push_str(&value),
            // The kubelet leaves what it does not know as it is.
            None if !container.env_from => expanded.extend(["$(", name, ")"]),
            Some(None) | None => expanded.push_str(unknown[usize::from(!expanded.ends_with('"'))]),
        }
        rest = after;
    }
    expanded.push_str(rest);
    Some(expanded)
}

/// References of a container's command that cannot come through, and those that
/// perhaps do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) surely: Vec<Finding>,
    pub(super) perhaps: Vec<Finding>,
}

/// Looks at what a container's command refers to.
pub(super) fn lost(container: &Container, ours: &[&str]) -> Lost {
    let parts = [("command", &container.command), ("args", &container.args)];
    let words = parts.into_iter().flat_map(|(key, words)| {
        words.iter().flatten().enumerate().map(move |(index, word)| (format!("{key}[{index}]"), word))
    });
    let mut lost = Lost::default();
    for (field, word) in words {
        for name in references(word).into_iter().filter(|name| is_name(name)) {
            let Some(why) = trouble(container, name, ours) else { continue };
            let text = format!("$({name}) {why}; let a shell expand it: [sh, -c, '… \"${name}\" …']");
            let finding = Finding::new(container.field(&field), text);
            if container.variable(name).is_none() && !ours.contains(&name) {
                lost.perhaps.push(finding);
            } else {
                lost.surely.push(finding);
            }
        }
    }
    lost
}

/// Returns whether a variable can have this name: not so the command of a shell's `$(…)`.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn trouble(container: &Container, name: &str, ours: &[&str]) -> Option<&'static str> {
    if ours.contains(&name) {
        return Some("is a JSON text of ours, which cannot stand inside the options of entrypoint");
    }
    match container.variable(name) {
        Some(variable) => match &variable.value {
            Some(value) if value.chars().any(|c| c.is_control() || c == '"' || c == '\\') => Some(
                "has quotation marks, backslashes or line breaks in its value, which would break the options of entrypoint",
            ),
            None if variable.secret.is_some() => Some("would put a Secret into the options of entrypoint"),
            Some(_) | None => None,
        },
        None if container.env_from => {
            Some("stays as it is, because variables of envFrom are not known in the options of entrypoint")
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_as_the_kubelet_finds_them() {
        assert_eq!(references("echo $(A) $$(B) $$$(C) $D ${E} $(F"), ["A", "C"]);
        assert_eq!(references("$(date +%s) $"), ["date +%s"]);
    }

    #[test]
    fn a_literal_text_refers_to_nothing() {
        for text in ["$(A)", "$$(A)", "a $ b", "$$", "$$$(A)$"] {
            let written = literal(text);
            assert_eq!(references(&written), Vec::<&str>::new(), "{text}");
            assert_eq!(unescaped(&written), text);
        }
        assert_eq!(literal("$HOME"), "$HOME");
    }
}
