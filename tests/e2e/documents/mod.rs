//! The documents: their links and paths lead somewhere, the contract ids that
//! code and documents cite exist, and every command they show is run here, by
//! another test or by `.ci/run`, or says what it needs.
//!
//! A `sh` block carries one of these comments on the line above it:
//!
//! | comment | meaning |
//! | --- | --- |
//! | `<!-- command: NAME -->` | `.ci/run` runs it by this name |
//! | `<!-- runs here -->` | [`commands`] runs it in an empty directory |
//! | `<!-- tested by: NAME -->` | the test, or the file of tests, of this name runs it |
//! | `<!-- not run: needs … -->` | nothing runs it |

mod commands;
mod contract;
mod links;
mod records;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("the workspace")
}

/// Directories that hold no text of ours.
const FOREIGN: [&str; 6] = ["target", ".git", "corpus", "artifacts", "pod-utils-out", "golden"];

/// All files of the workspace whose name ends in one of `endings`, with their texts.
fn texts(endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("listed").flatten() {
            let name = entry.file_name().into_string().expect("a plain name");
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() && !FOREIGN.contains(&name.as_str()) {
                open.push(entry.path());
            } else if kind.is_file()
                && endings.iter().any(|ending| name.ends_with(ending))
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                found.push((entry.path(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no file ends in {endings:?}");
    found.sort();
    found
}

/// A path as people write it.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The lines of a document outside its code blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        (!inside && !fence).then_some((number + 1, line))
    })
}
