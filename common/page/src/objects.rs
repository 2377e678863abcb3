//! The objects of a job in bounded memory: sums over all, and those worth showing.

use crate::manifest::{Object, base_of};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// At most this many that are not as they should be are kept: the first ones.
const MAX_TROUBLED: usize = 200;

/// At most this many of the others are kept: the largest.
const MAX_LARGEST: usize = 300;

/// The state of an object that is written after the page that names it.
pub const FOLLOWS: &str = "follows";

/// Number and bytes of some objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Number of objects.
    pub count: u64,
    /// Sum of their sizes.
    pub bytes: u64,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// Sums over a job's objects, and the notable ones.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// All of them.
    pub all: Sum,
    /// Sums by state.
    pub by_state: BTreeMap<String, Sum>,
    /// Bytes of secrets that were masked.
    pub censored_bytes: u64,
    /// The upload path, when the manifest tells it.
    pub base: Option<String>,
    /// Not as they should be.
    pub troubled: Vec<Object>,
    /// Those that tell about the others and are in no manifest: manifest and result.
    pub closing: Vec<Object>,
    largest: BinaryHeap<Reverse<Ranked>>,
}

/// Larger first, then by name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ranked(Object);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let size = |ranked: &Self| ranked.0.stored_bytes;
        size(self).cmp(&size(other)).then_with(|| other.0.key.cmp(&self.0.key))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Objects {
    /// Takes one object.
    pub fn add(&mut self, object: Object) {
        let bytes = object.stored_bytes.unwrap_or(0);
        self.all.add(bytes);
        // The states are ours and few; a forged manifest shall not make more of them.
        if self.by_state.len() < 16 || self.by_state.contains_key(&object.state) {
            self.by_state.entry(object.state.clone()).or_default().add(bytes);
        }
        self.censored_bytes = self.censored_bytes.saturating_add(object.censored);
        if let Some(base) = base_of(&object) {
            self.base = Some(base.to_owned());
        }
        if !object.is_stored() || object.matches_report == Some(false) {
            if self.troubled.len() < MAX_TROUBLED {
                self.troubled.push(object);
            }
            return;
        }
        let ranked = Ranked(object);
        if self.largest.len() == MAX_LARGEST && self.largest.peek().is_some_and(|least| ranked < least.0) {
            return;
        }
        self.largest.push(Reverse(ranked));
        if self.largest.len() > MAX_LARGEST {
            self.largest.pop();
        }
    }

    /// Counts an object that the manifest does not list, so that there are as many objects
    /// everywhere.
    pub fn add_closing(&mut self, key: &str, state: &str) {
        self.all.add(0);
        self.by_state.entry(state.to_owned()).or_default().add(0);
        self.closing.push(Object { key: key.to_owned(), state: state.to_owned(), ..Object::default() });
    }

    /// Number of objects that are not in order.
    pub fn count_of_troubled(&self) -> u64 {
        let in_order = ["stored", FOLLOWS].map(|state| self.by_state.get(state).map_or(0, |sum| sum.count));
        self.all.count.saturating_sub(in_order.iter().sum())
    }

    /// The largest that are in order, from large to small.
    pub fn largest(&self) -> Vec<&Object> {
        let mut largest: Vec<_> = self.largest.iter().map(|Reverse(ranked)| ranked).collect();
        largest.sort_by(|one, other| other.cmp(one));
        largest.into_iter().map(|ranked| &ranked.0).collect()
    }

    /// Number of objects that are counted only.
    pub fn left_out(&self) -> u64 {
        self.all.count - (self.troubled.len() + self.largest.len() + self.closing.len()) as u64
    }

    /// The name below the upload path; the whole key elsewhere.
    pub fn name<'a>(&self, key: &'a str) -> &'a str {
        self.base.as_deref().and_then(|base| crate::manifest::name_below(key, base)).unwrap_or(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, state: &str, bytes: u64) -> Object {
        Object {
            key: key.to_owned(),
            state: state.to_owned(),
            stored_bytes: Some(bytes),
            ..Object::default()
        }
    }

    #[test]
    fn the_largest_and_the_troubled_are_kept_and_all_are_counted() {
        let mut objects = Objects::default();
        for number in 0..10_000_u64 {
            objects.add(object(&format!("p/{number:05}"), "stored", number % 7000));
            objects.add(object(&format!("p/bad-{number}"), "failed", 0));
        }
        objects.add(object("p/sidecar-logs.json", "stored", 1));
        assert_eq!(objects.all.count, 20_001);
        assert_eq!(objects.count_of_troubled(), 10_000);
        assert_eq!(objects.troubled.len(), MAX_TROUBLED);
        let largest = objects.largest();
        assert_eq!(largest.len(), MAX_LARGEST);
        assert_eq!((largest[0].stored_bytes, objects.name(&largest[0].key)), (Some(6999), "06999"));
        assert!(largest.windows(2).all(|pair| pair[0].stored_bytes >= pair[1].stored_bytes));
        assert_eq!(objects.left_out(), 20_001 - 500);
        objects.add_closing("p/manifest.json", "stored");
        objects.add_closing("p/finished.json", FOLLOWS);
        assert_eq!((objects.all.count, objects.count_of_troubled()), (20_003, 10_000));
        assert_eq!(objects.left_out(), 20_001 - 500);
    }
}
