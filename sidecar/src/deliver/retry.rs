//! How often and with which pauses something is tried, and how long an attempt may take.

use super::policy::MAX_SMALL_BYTES;
use std::time::Duration;

/// Attempts to read a file that changes under each of them, and attempts for a
/// result when everything else was given up.
pub(super) const MAX_ATTEMPTS: u8 = 5;

/// Attempts for any other object when everything was given up.
pub(super) const MAX_LAST_ATTEMPTS: u8 = 2;

/// Attempts for a part of an object, and for its completion; beyond them the object as
/// a whole is tried again.
pub const MAX_PART_ATTEMPTS: u8 = 4;

/// Doublings of a pause and of a timeout. A pause is at most 16 s: longer ones would
/// be noticed when the store is back.
const MAX_PAUSE_DOUBLINGS: u8 = 4;
const MAX_TIMEOUT_DOUBLINGS: u8 = 3;

/// Upper bound on the delay that a store may ask for.
const LONGEST_WISH: Duration = Duration::from_mins(1);

/// The pause before the attempt that follows `attempts` failed ones:
/// exponential from one second, of which at least half, as `jitter` (any
/// number, from a random source) says; longer where the store asked for it.
pub fn backoff(attempts: u8, jitter: u32, wish: Option<Duration>) -> Duration {
    let full = Duration::from_secs(1 << (attempts.max(1) - 1).min(MAX_PAUSE_DOUBLINGS));
    let pause = full / 2 + (full / 2).mul_f64(f64::from(jitter) / f64::from(u32::MAX));
    pause.max(wish.unwrap_or_default().min(LONGEST_WISH))
}

/// Timeout of the first attempt to store an empty object.
const FIRST_TIMEOUT: Duration = Duration::from_secs(15);

/// The slowest line on which a small object's first attempt succeeds.
const SLOWEST: u64 = 64 << 10;

/// Timeout of an attempt that follows `attempts` failed ones; `None` for
/// a large object, whose requests have time-outs of their own. A request that
/// the store accepts and never answers would hold up everything that waits for
/// it; twice the time for each attempt suits a store that is merely slow.
pub(super) fn attempt_timeout(bytes: u64, attempts: u8) -> Option<Duration> {
    let first = FIRST_TIMEOUT + Duration::from_secs(bytes / SLOWEST);
    (bytes <= MAX_SMALL_BYTES).then(|| first * (1 << attempts.min(MAX_TIMEOUT_DOUBLINGS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_objects_are_not_waited_for_as_long_as_large_ones() {
        assert_eq!(attempt_timeout(0, 0), Some(Duration::from_secs(15)));
        assert_eq!(attempt_timeout(1 << 20, 0), Some(Duration::from_secs(31)));
        assert_eq!(attempt_timeout(10, 3), Some(Duration::from_mins(2)));
        assert_eq!(attempt_timeout(10, 200), Some(Duration::from_mins(2)));
        assert_eq!(attempt_timeout(2 << 20, 0), None);
    }

    #[test]
    fn pauses_double_and_jitter_stays_within_half() {
        for (attempts, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
            let full = Duration::from_secs(seconds);
            assert_eq!(backoff(attempts, 0, None), full / 2);
            assert_eq!(backoff(attempts, u32::MAX, None), full);
        }
        assert_eq!(backoff(200, u32::MAX, None), Duration::from_secs(16));
    }

    #[test]
    fn a_stores_wish_is_honoured_within_reason() {
        assert_eq!(backoff(1, 0, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(backoff(1, 0, Some(Duration::from_secs(7000))), LONGEST_WISH);
        assert_eq!(backoff(4, 0, Some(Duration::from_secs(1))), Duration::from_secs(4));
    }
}
