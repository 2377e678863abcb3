//! Paths of pod templates in objects, `.spec.tasks[*].template`: the part of
//! `JSONPath` that names fields and walks lists and mappings.

use super::field_path::{FieldPath, Step};

/// A path with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TemplatePath(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Item(usize),
    /// Every item of a list, or every value of a mapping.
    Every,
}

impl TemplatePath {
    /// Parses a path such as `.spec.template`, `{.spec.tasks[*].template}` or
    /// `$.spec['x.y'].*.template`. The error is one line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("--path {text}: allowed is a path such as .spec.template or .spec.tasks[*].template");
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        let mut rest = inner.strip_prefix('$').unwrap_or(inner);
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let (segment, after) = if let Some(inside) = rest.strip_prefix('[') {
                let (index, after) = inside.split_once(']').ok_or_else(refuse)?;
                (bracketed(index).ok_or_else(refuse)?, after)
            } else {
                let name = rest.strip_prefix('.').unwrap_or(rest);
                if name.len() == rest.len() && !segments.is_empty() {
                    return Err(refuse());
                }
                let end = name.find(['.', '[']).unwrap_or(name.len());
                let segment = match &name[..end] {
                    "" => return Err(refuse()),
                    "*" => Segment::Every,
                    key => Segment::Key(key.to_owned()),
                };
                (segment, &name[end..])
            };
            segments.push(segment);
            rest = after;
        }
        if segments.is_empty() { Err(refuse()) } else { Ok(Self(segments)) }
    }

    /// Returns the steps of every node that the path names, in document order.
    pub(super) fn find(&self, root: &FieldPath<'_>) -> Vec<Vec<Step>> {
        let mut found = vec![(Vec::new(), root.clone())];
        for segment in &self.0 {
            found = found
                .into_iter()
                .flat_map(|(steps, at): (Vec<Step>, FieldPath<'_>)| {
                    let next = match segment {
                        Segment::Key(key) => vec![Step::Key(key.clone())],
                        Segment::Item(index) => vec![Step::Item(*index)],
                        Segment::Every => at.children(),
                    };
                    next.into_iter().map(move |step| {
                        let below = step.down(&at);
                        ([steps.clone(), vec![step]].concat(), below)
                    })
                })
                .filter(|(_, at)| at.exists())
                .collect();
        }
        found.into_iter().map(|(steps, _)| steps).collect()
    }
}

fn bracketed(text: &str) -> Option<Segment> {
    if text == "*" {
        return Some(Segment::Every);
    }
    let quoted = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match quoted('\'').or_else(|| quoted('"')) {
        Some(key) if !key.is_empty() => Some(Segment::Key(key.to_owned())),
        Some(_) => None,
        None => text.parse().ok().map(Segment::Item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inject::workloads;
    use crate::yaml;

    fn found(path: &str, text: &str) -> Vec<String> {
        let node = yaml::documents(text).expect("YAML").1.remove(0).node;
        let path = TemplatePath::parse(path).expect("a path");
        let steps = path.find(&FieldPath::root(&node, ""));
        steps.iter().map(|steps| workloads::path(steps, "")).collect()
    }

    #[test]
    fn wildcards_walk_lists_and_mappings() {
        let text =
            "spec: {tasks: [{template: 1}, {other: 2}, {template: 3}], map: {a: {t: 1}, b.c: {t: 2}}}\n";
        assert_eq!(
            found(".spec.tasks[*].template", text),
            ["spec.tasks[0].template", "spec.tasks[2].template"]
        );
        assert_eq!(found("{$.spec.tasks[2].template}", text), ["spec.tasks[2].template"]);
        assert_eq!(found("spec.map.*.t", text), ["spec.map.a.t", "spec.map.b.c.t"]);
        assert_eq!(found("spec.map['b.c'].t", text), ["spec.map.b.c.t"]);
        assert_eq!(found(".spec.none", text), Vec::<String>::new());
    }

    #[test]
    fn other_paths_are_refused() {
        for text in ["", ".", "{}", ".a..b", ".a[", ".a[x]", ".a['']", ".a[?(@.b)]", ".a[0]b"] {
            assert!(TemplatePath::parse(text).expect_err(text).contains("--path"), "{text}");
        }
    }
}
