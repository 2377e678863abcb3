//! The random number that spreads retries.

use std::hash::{BuildHasher, RandomState};

/// Returns a random number for [`backoff`](crate::deliver::backoff).
pub(in crate::io) fn jitter() -> u32 {
    // The upper half of a random number is one, too.
    (RandomState::new().hash_one(0_u8) >> 32) as u32
}
