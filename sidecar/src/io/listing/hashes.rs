//! Very many keys in little memory: hashes of 128 bits, the first half of each in memory and
//! the second one in an unnamed file.
//!
//! ```text
//!  recent ──full, sorted──▶ run ◀──merged, as long as the one before is no longer──▶ run
//!                            ├─ first halves: chunks, which merging gives back one by one
//!                            └─ second halves: a file, in the same order
//! ```
//!
//! Two keys count as the same where both halves are. Without a file the first halves decide:
//! of a million keys two have the same with a probability of 1 to 37 million.

use crate::censor::archive::temporary_file;
use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::FileExt;

/// Keys that are not in a run yet.
const RECENT: usize = 2000;

/// Hashes in a chunk: as many as fit into a slot of musl's allocator (4,080 bytes).
const CHUNK: usize = 508;

const HALF_BYTES: usize = size_of::<u64>();

/// A set of keys: 8 bytes of memory for each, where a hash table takes up to 27 while it grows.
#[derive(Debug)]
pub(super) struct Hashes {
    /// Random, so that nobody can make keys that collide.
    states: [RandomState; 2],
    recent: HashSet<(u64, u64)>,
    max_recent: usize,
    /// From long to short.
    runs: Vec<Run>,
    new_file: fn() -> Option<File>,
}

impl Default for Hashes {
    fn default() -> Self {
        Self::with(RECENT, temporary_file)
    }
}

impl Hashes {
    fn with(max_recent: usize, new_file: fn() -> Option<File>) -> Self {
        let (states, recent, runs) = (Default::default(), HashSet::new(), Vec::new());
        Self { states, recent, max_recent, runs, new_file }
    }

    /// Returns whether a key is there.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.contains_hash(self.hash(key))
    }

    /// Adds a key; returns whether it is new.
    pub(super) fn insert(&mut self, key: &str) -> bool {
        self.insert_hash(self.hash(key))
    }

    fn hash(&self, key: &str) -> (u64, u64) {
        let [first, second] = &self.states;
        (first.hash_one(key), second.hash_one(key))
    }

    fn contains_hash(&self, hash: (u64, u64)) -> bool {
        self.recent.contains(&hash) || self.runs.iter().any(|run| run.contains(hash))
    }

    fn insert_hash(&mut self, hash: (u64, u64)) -> bool {
        if self.runs.iter().any(|run| run.contains(hash)) || !self.recent.insert(hash) {
            return false;
        }
        if self.recent.len() >= self.max_recent {
            self.end_recent();
        }
        true
    }

    /// Makes a run of the recent ones, and merges it with those that are no longer.
    fn end_recent(&mut self) {
        let mut recent: Vec<_> = self.recent.drain().collect();
        recent.sort_unstable();
        let recent = recent.into_iter().map(|(first, second)| (first, Some(second)));
        let mut run = Run::of(recent, (self.new_file)());
        while let Some(before) = self.runs.pop_if(|before| before.len() <= run.len()) {
            let (mut one, mut other) = (before.drain().peekable(), run.drain().peekable());
            let merged = std::iter::from_fn(|| match (one.peek(), other.peek()) {
                (Some((a, _)), Some((b, _))) if b < a => other.next(),
                (Some(_), _) => one.next(),
                (None, _) => other.next(),
            });
            run = Run::of(merged, (self.new_file)());
        }
        self.runs.push(run);
    }
}

/// Hashes in their order.
#[derive(Debug)]
struct Run {
    /// The first halves; all chunks but the last one are full.
    chunks: VecDeque<Vec<u64>>,
    /// The second halves, unless they could not be written.
    file: Option<File>,
}

impl Run {
    fn of(hashes: impl Iterator<Item = (u64, Option<u64>)>, file: Option<File>) -> Self {
        let (mut chunks, mut file) = (VecDeque::<Vec<u64>>::new(), file.map(BufWriter::new));
        for (first, second) in hashes {
            if chunks.back().is_none_or(|chunk| chunk.len() == CHUNK) {
                chunks.push_back(Vec::with_capacity(CHUNK));
            }
            chunks.back_mut().into_iter().for_each(|chunk| chunk.push(first));
            file = file.zip(second).and_then(|(mut file, second)| {
                file.write_all(&second.to_ne_bytes()).ok()?;
                Some(file)
            });
        }
        let file = file.and_then(|file| file.into_inner().ok()).filter(|mut file| file.rewind().is_ok());
        Self { chunks, file }
    }

    fn len(&self) -> usize {
        let last = self.chunks.back().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    fn contains(&self, (first, second): (u64, u64)) -> bool {
        let chunk = self.chunks.partition_point(|chunk| chunk.last() < Some(&first));
        let within = self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(|other| *other < first));
        for at in chunk * CHUNK + within.. {
            let there = self.chunks.get(at / CHUNK).and_then(|chunk| chunk.get(at % CHUNK));
            if there != Some(&first) {
                break;
            }
            if self.second(at).is_none_or(|other| other == second) {
                return true;
            }
        }
        false
    }

    /// Reads the second half of a hash; `None` where it cannot be read.
    fn second(&self, at: usize) -> Option<u64> {
        let mut half = [0; HALF_BYTES];
        self.file.as_ref()?.read_exact_at(&mut half, (at * HALF_BYTES) as u64).ok()?;
        Some(u64::from_ne_bytes(half))
    }

    /// Returns all hashes in their order, and gives memory back meanwhile.
    fn drain(self) -> impl Iterator<Item = (u64, Option<u64>)> {
        let mut file = self.file.map(BufReader::new);
        self.chunks.into_iter().flatten().map(move |first| {
            let mut half = [0; HALF_BYTES];
            let is_read = file.as_mut().is_some_and(|file| file.read_exact(&mut half).is_ok());
            (first, is_read.then(|| u64::from_ne_bytes(half)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// Takes no writing, as a file in a directory that is full.
    fn full_file() -> Option<File> {
        File::open("/dev/null").ok()
    }

    fn memory(hashes: &Hashes) -> usize {
        let chunks = hashes.runs.iter().flat_map(|run| &run.chunks);
        chunks.map(|chunk| chunk.capacity() * HALF_BYTES + size_of::<Vec<u64>>()).sum::<usize>()
            + hashes.recent.capacity() * size_of::<(u64, u64)>()
    }

    #[test]
    fn i8_keys_are_found_again_and_take_little_memory() {
        for new_file in [temporary_file, || None, full_file] {
            let mut hashes = Hashes::with(RECENT, new_file);
            for number in 0..100_000 {
                let key = format!("artifacts/{number}");
                assert!(!hashes.contains(&key) && hashes.insert(&key), "{number}");
            }
            for number in 0..100_000 {
                let key = format!("artifacts/{number}");
                assert!(hashes.contains(&key) && !hashes.insert(&key), "{number}");
            }
            assert!(memory(&hashes) < 100_000 * 9, "{}", memory(&hashes));
            assert!(hashes.runs.len() < 10);
        }
    }

    #[test]
    fn keys_that_share_the_first_half_are_told_apart_by_the_second() {
        let mut hashes = Hashes::with(3, temporary_file);
        for round in 0..50 {
            assert!(hashes.insert_hash((7, round)), "{round}");
            assert!(hashes.insert_hash((round + 10, 0)), "{round}");
            assert!((0..=round).all(|before| hashes.contains_hash((7, before))), "{round}");
            assert!(!hashes.contains_hash((7, round + 1)) && !hashes.contains_hash((8, 0)), "{round}");
        }
    }

    #[test]
    fn without_a_file_the_first_half_decides() {
        for new_file in [|| None, full_file] {
            let mut hashes = Hashes::with(2, new_file);
            assert!([(1, 1), (2, 1)].into_iter().all(|hash| hashes.insert_hash(hash)));
            assert!(hashes.contains_hash((1, 2)) && !hashes.contains_hash((3, 1)));
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set(keys in prop::collection::vec((0..20_u64, 0..4_u64), 0..300), most in 1..20_usize) {
            let (mut hashes, mut set) = (Hashes::with(most, temporary_file), HashSet::new());
            for key in keys {
                prop_assert_eq!(hashes.contains_hash(key), set.contains(&key));
                prop_assert_eq!(hashes.insert_hash(key), set.insert(key));
            }
        }

        /// Keys are found again, with and without files.
        #[test]
        fn nothing_is_forgotten(keys in prop::collection::vec(any::<(u16, u64)>(), 0..2000), is_full: bool) {
            let mut hashes = Hashes::with(7, if is_full { full_file } else { || None });
            for (first, second) in &keys {
                hashes.insert_hash((u64::from(*first), *second));
            }
            prop_assert!(keys.iter().all(|(first, second)| hashes.contains_hash((u64::from(*first), *second))));
        }
    }
}
