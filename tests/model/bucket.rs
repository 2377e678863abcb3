//! The store: objects, and requests that were given up and may still be applied.

use sidecar::deliver::{Class, Precondition, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// The objects of a job that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Key {
    Log,
    OwnLog,
    Page,
    Manifest,
    Result,
}

impl Key {
    /// The object of a class; the bulk is one log.
    pub(crate) fn of(class: Class) -> Self {
        match class {
            Class::OwnLog => Self::OwnLog,
            Class::Page => Self::Page,
            Class::Manifest => Self::Manifest,
            Class::Result => Self::Result,
            Class::Alias | Class::LatestBuild | Class::BuildLog | Class::Artifact => Self::Log,
        }
    }
}

/// The content of an object. A store tells contents apart, as an `ETag` does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Content {
    /// The process log, by the number of its writes.
    Log(u8),
    /// Sidecar's own log, of a best-effort or a final pass.
    OwnLog(u8),
    /// The page, which goes without saying what it holds.
    Page,
    /// The manifest, which names the log that was stored.
    Manifest(Option<u8>),
    /// The result; without a verdict entries were still running.
    Result(Option<(bool, bool)>),
}

impl Content {
    pub(crate) fn result(verdict: Option<Verdict>) -> Self {
        Self::Result(verdict.map(|verdict| (verdict.passed, verdict.aborted)))
    }
}

/// A write on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Write {
    pub(crate) key: Key,
    pub(crate) content: Content,
    pub(crate) precondition: Precondition<Content>,
}

/// The bucket.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<Key, Content>,
    /// Writes that nobody waits for, in the order of arrival.
    pub(crate) late: Vec<Write>,
}

impl Bucket {
    pub(crate) fn get(&self, key: Key) -> Option<Content> {
        self.objects.get(&key).copied()
    }

    pub(crate) fn holds(&self, write: Write) -> bool {
        match write.precondition {
            Precondition::Overwrite => true,
            Precondition::IfAbsent => self.get(write.key).is_none(),
            Precondition::IfVersion(content) => self.get(write.key) == Some(content),
        }
    }

    /// Applies a write when its condition holds; says whether it did.
    pub(crate) fn apply(&mut self, write: Write) -> bool {
        let holds = self.holds(write);
        if holds {
            self.objects.insert(write.key, write.content);
        }
        holds
    }

    pub(crate) fn apply_all(&mut self, writes: impl IntoIterator<Item = Write>) {
        for write in writes {
            self.apply(write);
        }
    }

    /// Remembers writes that were abandoned. One that is there twice makes no
    /// difference.
    pub(crate) fn abandon_all(&mut self, writes: impl IntoIterator<Item = Write>) {
        for write in writes {
            if !self.late.contains(&write) {
                self.late.push(write);
            }
        }
    }

    /// Indices of the late writes.
    pub(crate) fn late(&self) -> BTreeSet<usize> {
        (0..self.late.len()).collect()
    }

    /// I5: what a later pass saw wins. The log only grows, and a result that
    /// knows how the entries ended is never replaced by one that does not.
    pub(crate) fn check(&self, before: &Self) -> Result<(), String> {
        if let (Some(Content::Log(older)), Some(Content::Log(newer))) =
            (before.get(Key::Log), self.get(Key::Log))
            && newer < older
        {
            return Err("I5: an older log replaced a newer one".to_owned());
        }
        match (before.get(Key::Result), self.get(Key::Result)) {
            (Some(Content::Result(Some(_))), Some(Content::Result(None))) => {
                Err("I5: a provisional result replaced the real one".to_owned())
            }
            _ => Ok(()),
        }
    }
}
