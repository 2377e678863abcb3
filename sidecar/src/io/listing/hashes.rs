//! Very many hashes in little more memory than they take.

/// Sorted lists that the hashes are spread over, by their first byte.
const LISTS: usize = 256;

/// A set of hashes: 9 bytes for each, where a hash table takes up to 27 while it grows.
#[derive(Debug)]
pub(super) struct Hashes(Vec<Vec<u64>>);

impl Default for Hashes {
    fn default() -> Self {
        Self(vec![Vec::new(); LISTS])
    }
}

impl Hashes {
    /// Returns whether it is there.
    pub(super) fn contains(&self, hash: u64) -> bool {
        self.0[list_of(hash)].binary_search(&hash).is_ok()
    }

    /// Adds a hash; returns whether it is new.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        let list = &mut self.0[list_of(hash)];
        let Err(at) = list.binary_search(&hash) else { return false };
        if list.len() == list.capacity() {
            list.reserve_exact(list.len() / 8 + 1);
        }
        list.insert(at, hash);
        true
    }
}

fn list_of(hash: u64) -> usize {
    usize::from(hash.to_be_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{DefaultHasher, Hash, Hasher};

    #[test]
    fn i8_hashes_are_found_again_and_take_little_memory() {
        let mut hashes = Hashes::default();
        let hash = |number: u32| {
            let mut state = DefaultHasher::new();
            number.hash(&mut state);
            state.finish()
        };
        for number in 0..100_000 {
            assert!(!hashes.contains(hash(number)) && hashes.insert(hash(number)), "{number}");
        }
        for number in 0..100_000 {
            assert!(hashes.contains(hash(number)) && !hashes.insert(hash(number)), "{number}");
        }
        let bytes: usize = hashes.0.iter().map(|list| list.capacity() * size_of::<u64>()).sum();
        assert!(bytes < 100_000 * 10, "{bytes}");
    }
}
