//! The names of a manifest, beside those that a store lists.

use job_page::escape::visible;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// Names with a backslash that are looked for under another one.
const MAX_BACKSLASHED: usize = 1000;

/// Names that are in no manifest and known again when a listing is repeated; further ones are
/// counted once more then.
const MAX_STRANGERS: usize = 100_000;

/// Names beside those of a manifest, at most.
const OTHERS: usize = 16;

/// Names of the manifest, as keyed hashes: a job with many files has long names. A sorted list
/// of a million takes 8 MiB, a table of them 28 while it grows.
#[derive(Debug, Default)]
pub(super) struct Names {
    hasher: RandomState,
    known: Vec<u64>,
    /// Those that are not in the manifest and were met already.
    strangers: RefCell<HashSet<u64>>,
    /// Names with a backslash, by the name that stores give them which take it for a slash.
    backslashed: RefCell<BTreeMap<String, Backslashed>>,
}

#[derive(Debug)]
struct Backslashed {
    name: String,
    is_listed: bool,
    is_listed_with_slash: bool,
}

/// Names with a backslash, as far as a listing has shown them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Backslashes {
    /// Objects under another name.
    pub(super) notes: Vec<String>,
    pub(super) differences: Vec<String>,
}

impl Names {
    /// Takes the space of so many names at once: a list that grows leaves holes as large as itself.
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { known: Vec::with_capacity(count + OTHERS), ..Self::default() }
    }

    /// Adds a name of the manifest; [`Self::sort`] comes after the last one.
    pub(super) fn add(&mut self, name: &str) {
        self.known.push(self.hasher.hash_one(name));
        let backslashed = self.backslashed.get_mut();
        if name.contains('\\') && backslashed.len() < MAX_BACKSLASHED {
            let found = Backslashed { name: name.to_owned(), is_listed: false, is_listed_with_slash: false };
            backslashed.insert(with_slashes(name), found);
        }
    }

    pub(super) fn sort(&mut self) {
        self.known.sort_unstable();
    }

    /// Returns whether a name that the store lists is in no manifest and met for the first
    /// time.
    pub(super) fn is_new_stranger(&self, name: &str) -> bool {
        let mut backslashed = self.backslashed.borrow_mut();
        if name.contains('\\')
            && let Some(found) = backslashed.get_mut(&with_slashes(name))
        {
            found.is_listed |= found.name == name;
        }
        let is_known = self.is_known(name);
        if let Some(found) = backslashed.get_mut(name) {
            found.is_listed_with_slash = true;
            return false;
        }
        if is_known {
            return false;
        }
        let mut strangers = self.strangers.borrow_mut();
        let hash = self.hasher.hash_one(name);
        if strangers.len() < MAX_STRANGERS { strangers.insert(hash) } else { !strangers.contains(&hash) }
    }

    fn is_known(&self, name: &str) -> bool {
        self.known.binary_search(&self.hasher.hash_one(name)).is_ok()
    }

    /// Returns what the whole listing says of names with a backslash.
    pub(super) fn backslashes(&self) -> Backslashes {
        let mut said = Backslashes::default();
        for (slashed, found) in self.backslashed.borrow().iter() {
            let (name, slashed, is_known) = (visible(&found.name), visible(slashed), self.is_known(slashed));
            match (found.is_listed_with_slash, found.is_listed) {
                (true, false) if is_known => said.differences.push(format!(
                    "{name}: it and {slashed} are one object, because the store takes \\ for /"
                )),
                (true, false) => {
                    said.notes
                        .push(format!("{name}: it is {slashed} here, because the store takes \\ for /"));
                }
                (true, true) if !is_known => {
                    said.differences.push(format!("{slashed}: it is not in manifest.json"));
                }
                // Two objects; and none with slashes.
                (true, true) | (false, _) => {}
            }
        }
        said
    }
}

fn with_slashes(name: &str) -> String {
    name.replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of_manifest: &[&str], listed: &[&str]) -> (Vec<String>, Backslashes) {
        let mut names = Names::default();
        for name in of_manifest {
            names.add(name);
        }
        names.sort();
        let strangers = listed.iter().filter(|name| names.is_new_stranger(name));
        (strangers.map(|name| (*name).to_owned()).collect(), names.backslashes())
    }

    #[test]
    fn strangers_are_named_once() {
        let (strangers, said) = names(&["a", "b"], &["a", "c", "b", "c"]);
        assert_eq!((strangers, said), (vec!["c".to_owned()], Backslashes::default()));
    }

    #[test]
    fn a_store_that_takes_backslashes_for_slashes_is_seen_by_its_list() {
        let (strangers, said) = names(&[r"x\y"], &["x/y"]);
        assert_eq!(strangers, [""; 0]);
        assert!(said.notes[0].contains("it is x/y here") && said.differences.is_empty(), "{said:?}");
        let (_, said) = names(&[r"x\y", "x/y"], &["x/y"]);
        assert!(said.differences[0].contains("it and x/y are one object"), "{said:?}");
    }

    #[test]
    fn a_store_that_keeps_them_apart_is_believed() {
        let (strangers, said) = names(&[r"x\y", "x/y"], &[r"x\y", "x/y"]);
        assert_eq!((strangers.len(), said), (0, Backslashes::default()));
        let (strangers, said) = names(&[r"x\y"], &["x/y", r"x\y"]);
        assert_eq!(strangers.len(), 0);
        assert_eq!(
            (said.notes.len(), said.differences),
            (0, vec!["x/y: it is not in manifest.json".to_owned()])
        );
    }
}
