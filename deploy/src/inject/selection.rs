//! Which objects of a stream are to be decorated.

use super::field_path::{FieldPath, Finding};
use std::collections::BTreeMap;

/// The objects that `--select` and `--selector` name; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    objects: Vec<(String, Option<String>)>,
    labels: Vec<Requirement>,
}

/// One requirement on the labels of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Is(String, String),
    IsNot(String, String),
    Exists(String),
    IsAbsent(String),
}

impl Selection {
    /// Parses the values of `--select` (KIND or KIND/NAME) and of `--selector`
    /// (`a=b,c!=d,e,!f`). The error is one line.
    pub(super) fn parse(objects: &[String], selector: Option<&str>) -> Result<Self, String> {
        let object = |text: &String| match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => {
                Ok((kind.to_owned(), Some(name.to_owned())))
            }
            None if !text.is_empty() => Ok((text.clone(), None)),
            Some(_) | None => {
                Err(format!("--select {text}: allowed is KIND or KIND/NAME, such as Job/nightly"))
            }
        };
        let labels = selector.into_iter().flat_map(|text| text.split(','));
        Ok(Self {
            objects: objects.iter().map(object).collect::<Result<_, _>>()?,
            labels: labels.map(|text| Requirement::parse(text.trim())).collect::<Result<_, _>>()?,
        })
    }

    /// Returns whether every object is selected.
    pub(super) fn is_all(&self) -> bool {
        self.objects.is_empty() && self.labels.is_empty()
    }

    /// Returns whether the object at `root` is selected. Kinds are compared as
    /// kubectl does, in upper or lower case.
    pub(super) fn takes(&self, root: &FieldPath<'_>, kind: &str) -> Result<bool, Finding> {
        if self.is_all() {
            return Ok(true);
        }
        let name = root.keys(&["metadata", "name"]).text()?.unwrap_or_default();
        let is_named = |(wanted, wanted_name): &(String, Option<String>)| {
            wanted.eq_ignore_ascii_case(kind) && wanted_name.as_ref().is_none_or(|wanted| *wanted == name)
        };
        if !self.objects.is_empty() && !self.objects.iter().any(is_named) {
            return Ok(false);
        }
        let labels = root.keys(&["metadata", "labels"]).text_members()?;
        Ok(self.labels.iter().all(|requirement| requirement.is_met(&labels)))
    }
}

impl Requirement {
    fn parse(text: &str) -> Result<Self, String> {
        let is_key = |key: &str| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        };
        let two = |(key, value): (&str, &str)| (key.trim().to_owned(), value.trim().to_owned());
        let (requirement, key) = if let Some(pair) = text.split_once("!=") {
            let (key, value) = two(pair);
            (Self::IsNot(key.clone(), value), key)
        } else if let Some(pair) = text.split_once("==").or_else(|| text.split_once('=')) {
            let (key, value) = two(pair);
            (Self::Is(key.clone(), value), key)
        } else if let Some(key) = text.strip_prefix('!') {
            (Self::IsAbsent(key.trim().to_owned()), key.trim().to_owned())
        } else {
            (Self::Exists(text.to_owned()), text.to_owned())
        };
        if is_key(&key) {
            return Ok(requirement);
        }
        Err(format!(
            "--selector {text}: allowed are KEY=VALUE, KEY!=VALUE, KEY and !KEY, with commas between them"
        ))
    }

    fn is_met(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Is(key, value) => labels.get(key) == Some(value),
            Self::IsNot(key, value) => labels.get(key) != Some(value),
            Self::Exists(key) => labels.contains_key(key),
            Self::IsAbsent(key) => !labels.contains_key(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn takes(objects: &[&str], selector: Option<&str>, text: &str) -> bool {
        let objects: Vec<String> = objects.iter().map(|text| (*text).to_owned()).collect();
        let selection = Selection::parse(&objects, selector).expect("valid");
        let node = yaml::documents(text).expect("YAML").1.remove(0).node;
        let root = FieldPath::root(&node, "");
        let kind = root.key("kind").text().expect("a text").expect("there");
        selection.takes(&root, &kind).expect("readable")
    }

    const JOB: &str = "kind: Job\nmetadata: {name: unit, labels: {app: ci, tier: a}}\n";

    #[test]
    fn objects_are_selected_by_kind_name_and_labels() {
        for (objects, selector, expected) in [
            (&[][..], None, true),
            (&["job/unit"], None, true),
            (&["Job"], None, true),
            (&["Job/lint"], None, false),
            (&["Pod", "Job/unit"], None, true),
            (&["Pod/unit"], None, false),
            (&[], Some("app=ci"), true),
            (&[], Some("app==ci, tier"), true),
            (&[], Some("app!=ci"), false),
            (&[], Some("other!=ci,!other"), true),
            (&[], Some("other"), false),
            (&["Job"], Some("!tier"), false),
        ] {
            assert_eq!(takes(objects, selector, JOB), expected, "{objects:?} {selector:?}");
        }
    }

    #[test]
    fn malformed_selections_are_refused_in_one_line() {
        for (object, selector) in
            [("Job/", None), ("/unit", None), ("", None), ("Job", Some("a b")), ("Job", Some("=x"))]
        {
            let error = Selection::parse(&[object.to_owned()], selector).expect_err("malformed");
            assert!(error.contains("allowed") && error.lines().count() == 1, "{error}");
        }
    }
}
