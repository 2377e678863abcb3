//! `tests/contract.md`: no id and no section is cited that it does not have.

use super::{root, shown, texts};
use std::collections::BTreeSet;
use std::fs;

/// Files that cite the contract.
const CITING: [&str; 9] =
    [".rs", ".sh", ".md", ".yaml", ".yml", ".py", ".js", "Containerfile", "run-in-docker"];

/// The ids in a text: `E-31`, `S-FLAW-5`, `V-EP-9`.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let outside = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    text.split(outside).filter(|word| is_id(word))
}

fn is_id(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_letter = |text: &str| text.len() == 1 && "EOSUCJIWP".contains(text);
    match word.split('-').collect::<Vec<_>>()[..] {
        [letter, number] | [letter, "FLAW", number] => is_letter(letter) && is_number(number),
        ["V", group, number] => {
            group.len() == 2 && group.bytes().all(|byte| byte.is_ascii_uppercase()) && is_number(number)
        }
        _ => false,
    }
}

/// The sections that a text cites: the numbers right behind the word *contract*,
/// which a comment may break over two lines.
fn sections(text: &str) -> Vec<String> {
    let words = text.lines().flat_map(|line| {
        let line = line.trim_start();
        line.trim_start_matches(['/', '!', '#', '*']).split_whitespace()
    });
    let mut found = Vec::new();
    let mut citing = false;
    for word in words {
        let number = word.trim_matches(|c: char| !c.is_ascii_digit());
        if word.trim_matches(|c: char| !c.is_alphabetic()).eq_ignore_ascii_case("contract") {
            citing = true;
        } else if citing && is_section(number) && !is_id(word.trim_matches(|c| "(),.;:".contains(c))) {
            found.push(number.to_owned());
        } else {
            citing &= matches!(word, "section" | "sections" | "and" | "to");
        }
    }
    found
}

fn is_section(word: &str) -> bool {
    let is_small = |part: &str| matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit());
    word.split('.').all(is_small) && word.split('.').count() <= 2
}

#[test]
fn every_cited_id_and_section_exists() {
    let path = root().join("tests/contract.md");
    let contract = fs::read_to_string(&path).expect("the contract");
    let mut defined = BTreeSet::new();
    for line in contract.lines() {
        let id = line.strip_prefix("- **").and_then(|rest| rest.split_once("** ")).map(|(id, _)| id);
        let Some(id) = id else { continue };
        assert!(is_id(id), "{id} is no id");
        assert!(defined.insert(id), "{id} is there twice");
    }
    let headings = contract.lines().filter(|line| line.starts_with("##"));
    let known: BTreeSet<_> = headings
        .flat_map(|line| line.split_whitespace().map(|word| word.trim_end_matches(['.', ','])))
        .filter(|word| is_section(word))
        .collect();
    assert!(defined.len() > 300 && known.len() > 50, "the contract is read");
    for (path, text) in texts(&CITING) {
        for id in ids(&text) {
            assert!(
                defined.contains(id),
                "{} cites {id}, which tests/contract.md does not have",
                shown(&path)
            );
        }
        for section in sections(&text) {
            let there = known.contains(section.as_str());
            assert!(there, "{} cites section {section}, which tests/contract.md does not have", shown(&path));
        }
    }
}

#[test]
fn citations_are_recognised() {
    let text = "(E-31, S-FLAW-5) V-EP-9: x-E-3 UTF-8 I-9a C-x E-80 to E-82.";
    assert_eq!(ids(text).collect::<Vec<_>>(), ["E-31", "S-FLAW-5", "V-EP-9", "E-80", "E-82"]);
    let text = "//! as (contract 4.5,\n//! 4.7), or contract\n/// sections 3 and 7; contract E-80 9";
    assert_eq!(sections(text), ["4.5", "4.7", "3", "7"]);
}
