//! The patterns themselves, side by side in one block of memory.

use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Patterns in ascending order, none twice, none empty. Zeroed when dropped.
pub(super) struct Patterns {
    bytes: Zeroizing<Vec<u8>>,
    /// Where each pattern starts, and the end of the last one.
    starts: Vec<u32>,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patterns").finish_non_exhaustive()
    }
}

impl Patterns {
    /// Takes over the patterns and zeroes the memory they came in. `None` when
    /// they have more than 4 GiB together.
    pub(super) fn new(patterns: impl IntoIterator<Item = Vec<u8>>) -> Option<Self> {
        let mut patterns: Vec<Vec<u8>> = patterns.into_iter().filter(|pattern| !pattern.is_empty()).collect();
        // Most comparisons end within the first eight bytes, which lie beside each other.
        patterns.sort_by_cached_key(|pattern| prefix(pattern));
        for equal in patterns.chunk_by_mut(|a, b| prefix(a) == prefix(b)) {
            equal.sort_unstable();
        }
        let total: usize = patterns.iter().map(Vec::len).sum();
        u32::try_from(total).ok()?;
        // With its final capacity from the start, no copy is left behind by growing.
        let mut bytes = Zeroizing::new(Vec::with_capacity(total));
        let mut starts = Vec::with_capacity(patterns.len() + 1);
        let mut last = 0;
        for mut pattern in patterns {
            if starts.is_empty() || bytes[last..] != pattern[..] {
                last = bytes.len();
                starts.push(u32::try_from(last).ok()?);
                bytes.extend_from_slice(&pattern);
            }
            pattern.zeroize();
        }
        starts.push(u32::try_from(bytes.len()).ok()?);
        Some(Self { bytes, starts })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        &self.bytes[self.starts[id] as usize..self.starts[id + 1] as usize]
    }

    /// All with their numbers, in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> + Clone {
        (0..)
            .zip(self.starts.windows(2))
            .map(|(id, ends)| (id, &self.bytes[ends[0] as usize..ends[1] as usize]))
    }

    /// Bytes of memory, those of the patterns included.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * size_of::<u32>()
    }
}

/// The first eight bytes as a number that sorts as they do.
fn prefix(pattern: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = pattern.len().min(8);
    first[..length].copy_from_slice(&pattern[..length]);
    u64::from_be_bytes(first)
}
