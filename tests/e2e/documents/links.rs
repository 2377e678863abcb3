//! Links between documents, and paths in them.

use super::{prose, root, shown, texts};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The anchors of a document, as GitHub makes them from its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let anchor = anchor(line.trim_start_matches('#'));
        // A second heading of the same name gets a number.
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|name| !found.contains(name));
        found.extend(free);
    }
    found
}

fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The targets of a line's links.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

#[test]
fn every_link_leads_somewhere() {
    for (path, text) in texts(&[".md"]) {
        let here = path.parent().expect("a directory");
        for (number, line) in prose(&text) {
            for target in targets(line).filter(|target| !target.contains("://")) {
                let at = format!("{}:{number}: {target}", shown(&path));
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let file = if file.is_empty() { path.clone() } else { here.join(file) };
                assert!(file.exists(), "{at}: there is no such file");
                let text = if anchor.is_empty() { continue } else { fs::read_to_string(&file) };
                let anchors = anchors(&text.expect("a document"));
                assert!(anchors.contains(anchor), "{at}: its anchors are {anchors:?}");
            }
        }
    }
}

/// Words in backquotes that begin like a path of the workspace.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    const BEGINNINGS: [&str; 9] = [
        "common/",
        "deploy/",
        "entrypoint/",
        "entrypoint-wrapper/",
        "sidecar/",
        "tests/",
        ".ci/",
        ".github/",
        "findings/",
    ];
    let is_path = |word: &&str| {
        BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
    };
    line.split('`').skip(1).step_by(2).filter_map(|code| code.split_whitespace().next()).filter(is_path)
}

#[test]
fn every_path_named_in_a_document_exists() {
    for (path, text) in texts(&[".md"]) {
        for (number, line) in prose(&text) {
            for named in paths(line) {
                assert!(root().join(named).exists(), "{}:{number}: {named}", shown(&path));
            }
        }
    }
}

#[test]
fn every_folder_with_a_document_is_reached_from_the_first_one() {
    let documents = texts(&["README.md", "contract.md", "CONTRIBUTING.md", "SECURITY.md"]);
    let mut reached = BTreeSet::from([root().join("README.md")]);
    let mut open = vec![root().join("README.md")];
    while let Some(path) = open.pop() {
        let text = fs::read_to_string(&path).expect("a document");
        for (_, line) in prose(&text) {
            let files = targets(line).map(|target| target.split('#').next().unwrap_or(target));
            for file in files.filter(|file| Path::new(file).extension().is_some_and(|kind| kind == "md")) {
                let Ok(next) = fs::canonicalize(path.with_file_name(file)) else { continue };
                if reached.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
    }
    for (path, _) in documents {
        assert!(reached.contains(&path), "{} is reached by no link", shown(&path));
    }
}

#[test]
fn anchors_are_githubs() {
    assert_eq!(anchor(" Times when told to stop"), "times-when-told-to-stop");
    assert_eq!(anchor(" `podutils` & co."), "podutils--co");
    let twice = anchors("# A b\n\n```sh\n# no heading\n```\n## A b\n");
    assert_eq!(twice.into_iter().collect::<Vec<_>>(), ["a-b", "a-b-1"]);
    assert_eq!(targets("[a](b.md#c) and [d](e)").collect::<Vec<_>>(), ["b.md#c", "e"]);
    assert_eq!(
        paths("`sidecar/src` `sidecar …` `tests/*.sh` sidecar/x").collect::<Vec<_>>(),
        ["sidecar/src"]
    );
}
