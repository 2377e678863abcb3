//! The members of a job's folder that are builds, and the order in which they came.

use sidecar::io::store::Child;
use std::collections::BTreeSet;

/// Upper bound on ids that say nothing about their order: all of these builds are read.
const MAX_UNORDERED: usize = 5_000;

/// Upper bound on an id, in bytes: no file system takes a longer name.
const MAX_ID_BYTES: usize = 255;

/// The object that names the last build.
pub(super) const LATEST: &str = "latest-build.txt";

/// The end of an alias's name.
const ALIAS: &str = ".txt";

/// A build to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: String,
    /// It lies elsewhere: the object `ID.txt` has its address.
    pub(crate) is_alias: bool,
}

/// The facts about a folder that its listing has told so far.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    folders: Ids,
    aliases: Ids,
    /// It is a build itself.
    is_build: bool,
}

impl Folder {
    /// Adds a member; only the `last` newest are kept.
    pub(crate) fn add(&mut self, child: Child, last: usize) {
        let Child { name, is_folder } = child;
        if is_folder {
            self.folders.add(&name, last);
        } else if name == "finished.json" || name == "started.json" {
            self.is_build = true;
        } else if name != LATEST
            && let Some(id) = name.strip_suffix(ALIAS)
        {
            self.aliases.add(id, last);
        }
    }

    /// Returns whether it is no job's folder but a build.
    pub(crate) fn is_build(&self) -> bool {
        self.is_build
    }

    /// Returns the folder whose number is the largest.
    pub(super) fn newest(self) -> Option<String> {
        self.folders.ordered.into_iter().next_back().map(|(_, id)| id)
    }

    /// Returns the builds to be read, and the number of those that are left out. Aliases
    /// count where there are no folders: the folder of a presubmit's aliases has none.
    pub(crate) fn builds(self) -> (Vec<Found>, usize) {
        let is_alias = self.folders.count == 0;
        let ids = if is_alias { self.aliases } else { self.folders };
        let left_out = ids.count - ids.ordered.len() - ids.unordered.len();
        let ordered = ids.ordered.into_iter().rev().map(|(_, id)| id);
        let found = ordered.chain(ids.unordered).map(|id| Found { id, is_alias });
        (found.collect(), left_out)
    }
}

/// Ids; those that are numbers are in the order of time.
#[derive(Debug, Default)]
struct Ids {
    ordered: BTreeSet<(usize, String)>,
    unordered: BTreeSet<String>,
    count: usize,
}

impl Ids {
    fn add(&mut self, id: &str, last: usize) {
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return;
        }
        let Some(key) = order(id) else {
            if self.unordered.len() < MAX_UNORDERED {
                self.count += usize::from(self.unordered.insert(id.to_owned()));
            } else if !self.unordered.contains(id) {
                self.count += 1;
            }
            return;
        };
        if self.ordered.contains(&key) {
            return;
        }
        self.count += 1;
        self.ordered.insert(key);
        if self.ordered.len() > last {
            self.ordered.pop_first();
        }
    }
}

/// The order of an id that is a number of any length.
pub(crate) fn order(id: &str) -> Option<(usize, String)> {
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| (id.trim_start_matches('0').len(), id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[(&str, bool)], last: usize) -> (Vec<String>, bool, usize) {
        let mut folder = Folder::default();
        for (name, is_folder) in names {
            folder.add(Child { name: (*name).to_owned(), is_folder: *is_folder }, last);
        }
        let (found, left_out) = folder.builds();
        let is_alias = found.first().is_some_and(|found| found.is_alias);
        (found.into_iter().map(|found| found.id).collect(), is_alias, left_out)
    }

    #[test]
    fn the_newest_numbers_are_kept_whatever_the_order_of_the_listing() {
        let names = [("10", true), ("9", true), ("latest-build.txt", false), ("100", true), ("99", true)];
        assert_eq!(folder(&names, 2), (vec!["100".to_owned(), "99".to_owned()], false, 2));
        assert_eq!(folder(&names, 9).0, ["100", "99", "10", "9"]);
        let long = "1".repeat(MAX_ID_BYTES + 1);
        assert_eq!(folder(&[(&long, true), ("", true)], 9).0, Vec::<String>::new());
    }

    #[test]
    fn aliases_count_where_there_are_no_folders() {
        let names = [("7.txt", false), ("8.txt", false), ("latest-build.txt", false)];
        assert_eq!(folder(&names, 9), (vec!["8".to_owned(), "7".to_owned()], true, 0));
        assert_eq!(folder(&[("7.txt", false), ("1", true)], 9).0, ["1"]);
    }

    #[test]
    fn ids_without_an_order_are_all_read_up_to_a_limit() {
        let names: Vec<_> = (0..MAX_UNORDERED + 3).map(|n| format!("id-{n}")).collect();
        let names: Vec<_> = names.iter().map(|name| (name.as_str(), true)).collect();
        let (found, _, left_out) = folder(&names, 1);
        assert_eq!((found.len(), left_out), (MAX_UNORDERED, 3));
    }
}
