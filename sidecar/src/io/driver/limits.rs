//! The memory that is given, divided among transfers.

use crate::deliver::Weights;
use crate::io::transfer::Limits;

/// Small transfers wait for the store most of the time, over a distance all of it.
const MAX_IN_FLIGHT: usize = 256;

/// Upper bound on the threads for what blocks, as tokio has it.
pub const MAX_THREADS: usize = 512;

/// Threads beside those of transfers: the listing, documents, names of hosts.
const OTHER_THREADS: usize = 64;

/// The smallest part that S3 accepts.
const MIN_PART_BYTES: u64 = 5 << 20;

/// Parts are not larger than this unless a file needs it.
const MAX_PART_BYTES: u64 = 8 << 20;

/// Upper bound on a part that a file needs; 10,000 of them are an object of 320 GB.
const MAX_GROWN_PART_BYTES: u64 = 32 << 20;

/// Memory of the program beside the content of its transfers: code, TLS, the
/// allocator's slack. Measured: 11 MiB with 20 files of 100 MiB on their way to
/// S3.
const RESERVED_BYTES: u64 = 14 << 20;

/// Of the memory that is given, what transfers may take, and what one attempt
/// may use of it: a part is an eighth, one filled and one on its way, for four
/// large transfers.
pub(super) fn of(memory: u64) -> (Weights, Limits) {
    let memory = memory.saturating_sub(RESERVED_BYTES).max(MIN_PART_BYTES);
    let part = (memory / 8).clamp(MIN_PART_BYTES, MAX_PART_BYTES);
    let parts_in_memory = if memory >= 2 * part { 2 } else { 1 };
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let max_part_bytes = bytes(memory.min(MAX_GROWN_PART_BYTES));
    let largest = part * parts_in_memory as u64;
    (
        Weights { memory, largest, in_flight: MAX_IN_FLIGHT, sent_bytes: None },
        Limits { part_bytes: bytes(part), max_part_bytes, parts_in_memory },
    )
}

/// Threads for what blocks, with the memory that is given. One that has sent its answer counts
/// as busy until it runs again, and on a busy machine there are more and more of these: each
/// takes 16 KiB. Beside the transfers in flight as many again may hang in the file system in a
/// pass before, and once more in one before that.
pub fn threads(memory: u64) -> usize {
    let (weights, _) = of(memory);
    (3 * weights.transfers() + OTHER_THREADS).min(MAX_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_parts_and_transfers_fit_into_the_memory_that_is_given() {
        for mebibytes in [20, 32, 64, 256] {
            let memory = mebibytes << 20;
            let (weights, limits) = of(memory);
            assert!(limits.part_bytes as u64 >= MIN_PART_BYTES);
            assert!(weights.memory + RESERVED_BYTES <= memory, "{mebibytes} MiB");
            assert!(weights.largest <= weights.memory, "{mebibytes} MiB");
            assert!(limits.max_part_bytes >= limits.part_bytes, "{mebibytes} MiB");
            assert!(limits.max_part_bytes as u64 <= weights.memory, "{mebibytes} MiB: a part that has grown");
        }
        assert_eq!([20, 64].map(|mebibytes| threads(mebibytes << 20)), [208, MAX_THREADS]);
        let (weights, limits) = of(64 << 20);
        assert_eq!((weights.largest, limits.parts_in_memory), ((50 << 20) / 4, 2));
    }
}
