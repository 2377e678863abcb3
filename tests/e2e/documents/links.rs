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

fn is_document(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|kind| kind == "md")
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
            for file in files.filter(|file| is_document(file)) {
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

/// The headings that a test file says it pins: `Pins: sidecar/README.md, "Odd files".`
fn pinned(first_line: &str) -> Vec<(&str, &str)> {
    let mut document = "";
    let mut found = Vec::new();
    let parts = first_line.strip_prefix("//! Pins: ").unwrap_or_default().split('"');
    for (number, part) in parts.enumerate() {
        if number % 2 == 1 {
            found.push((document, part));
        } else if let Some(named) = part.split([' ', ',', ';']).rfind(|word| is_document(word)) {
            document = named;
        }
    }
    found
}

#[test]
fn every_heading_that_a_test_pins_exists() {
    let mut pins = 0;
    for (path, text) in texts(&[".rs"]) {
        for (document, heading) in pinned(text.lines().next().unwrap_or_default()) {
            pins += 1;
            let at = shown(&path);
            let text = fs::read_to_string(root().join(document));
            let text = text.unwrap_or_else(|error| panic!("{at} pins {document:?}: {error}"));
            assert!(anchors(&text).contains(&anchor(heading)), "{at} pins {heading:?} of {document}");
        }
    }
    assert!(pins > 10, "{pins} headings are pinned");
}

#[test]
fn pins_are_read() {
    let line = r#"//! Pins: I1; a/README.md, "One" and "Two"; b.md, "Three"."#;
    assert_eq!(pinned(line), [("a/README.md", "One"), ("a/README.md", "Two"), ("b.md", "Three")]);
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
