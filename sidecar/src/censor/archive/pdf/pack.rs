//! Packing to a given length.
//!
//! Deflated data (RFC 1951) can begin with empty blocks, of five or six bytes. What these
//! cannot fill are up to four ends of lines behind the data, as many writers have there.
//! Text of 85 letters can end with any number of ends of lines.

use super::ascii85::encoded;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// Length of the header, behind which the first block begins.
const HEADER_BYTES: usize = 2;

/// An empty stored block, with its bits up to the next byte.
const FIVE: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// An empty block with fixed codes and an empty stored one.
const SIX: [u8; 6] = [2, 0, 0, 0, 0xff, 0xff];

/// Packs content to exactly this length, header and checksum included, if it becomes no
/// longer.
pub(super) fn packed_to(content: &[u8], length: usize) -> Option<Vec<u8>> {
    let packed = (1..=9).rev().find_map(|level| {
        let packed = packed(content, level)?;
        (packed.len() <= length).then_some(packed)
    })?;
    let missing = length - packed.len();
    let rest = missing % FIVE.len();
    let (fives, sixes, ends) = match missing.checked_sub(rest * SIX.len()) {
        Some(others) => (others / FIVE.len(), rest, 0),
        None => (missing / FIVE.len(), 0, rest),
    };
    let (header, data) = packed.split_at_checked(HEADER_BYTES)?;
    Some([header, &FIVE.repeat(fives), &SIX.repeat(sixes), data, &b"\n".repeat(ends)].concat())
}

/// Writes content, packed or as it is, as text of exactly this length, if possible.
pub(super) fn written_to(content: &[u8], is_deflated: bool, length: usize) -> Option<Vec<u8>> {
    let mut text = if is_deflated { encoded(&packed(content, 9)?) } else { encoded(content) };
    if text.len() > length {
        return None;
    }
    text.resize(length, b'\n');
    Some(text)
}

fn packed(content: &[u8], level: u32) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn every_length_from_the_least_on_is_reached() {
        let content = b"BT /F1 12 Tf (token: XXXXXXXXXXXXXXXXXXXXXXXXXXXX) Tj ET\n".repeat(3);
        let least = packed(&content, 9).expect("memory").len();
        for length in least..least + 200 {
            let packed = packed_to(&content, length).expect("room");
            assert_eq!(packed.len(), length);
            let mut unpacked = Vec::new();
            let read = flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut unpacked);
            assert!(read.is_ok() && unpacked == content, "{length}");
        }
        assert!(packed_to(&content, least - 20).is_none());
    }
}
