//! Holes of sparse files, which cost a job nothing: not read, and summed up by their length.

use super::input::{Input, READ_BYTES};

/// Holes of at least this many bytes are skipped.
const MIN_HOLE_BYTES: u64 = 4 << 20;

/// Zeros at each end of a hole that pass through the censor.
pub(super) const EDGE_BYTES: usize = 1 << 20;

/// A hole, taken in pieces.
pub(super) struct Hole {
    before: usize,
    zeros: u64,
    after: usize,
}

impl Hole {
    /// Skips a hole of the source, where there is one.
    pub(super) fn next(input: &mut Input<'_>) -> Option<Self> {
        let bytes = input.skip_hole(MIN_HOLE_BYTES);
        let zeros = bytes.checked_sub(2 * EDGE_BYTES as u64)?;
        Some(Self { before: EDGE_BYTES, zeros, after: EDGE_BYTES })
    }

    /// Takes a piece: zeros to make, and zeros to know of.
    pub(super) fn take(&mut self) -> (usize, u64) {
        let edge = if self.before > 0 { &mut self.before } else { &mut self.after };
        let made = (*edge).min(READ_BYTES);
        *edge -= made;
        let zeros = if self.before == 0 { std::mem::take(&mut self.zeros) } else { 0 };
        (made, zeros)
    }

    pub(super) fn is_over(&self) -> bool {
        (self.before, self.zeros, self.after) == (0, 0, 0)
    }
}

/// Returns the CRC32C of a text behind which there are `zeros` more bytes.
pub(super) fn with_zeros(crc32c: u32, mut zeros: u64) -> u32 {
    let (mut all, mut power, mut length) = (crc32c, crc32c::crc32c(&[0]), 1_u64);
    // The sum of a text of twice the length follows from that of the text.
    while zeros > 0 {
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if zeros & 1 == 1 {
            all = crc32c::crc32c_combine(all, power, bytes);
        }
        zeros >>= 1;
        if zeros > 0 {
            power = crc32c::crc32c_combine(power, power, bytes);
            length *= 2;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_zeros_is_that_of_as_many_bytes() {
        for zeros in [0_usize, 1, 2, 3, 255, 256, 100_001] {
            let text = [&b"a text"[..], &vec![0; zeros]].concat();
            assert_eq!(with_zeros(crc32c::crc32c(b"a text"), zeros as u64), crc32c::crc32c(&text), "{zeros}");
        }
        // Of many tebibytes it takes no time.
        assert_ne!(with_zeros(1, 1 << 50), with_zeros(1, (1 << 50) + 1));
    }
}
