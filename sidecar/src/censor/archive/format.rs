//! Recognition of a file's format by its content.

use super::tar_block;
use flate2::{Decompress, FlushDecompress};

/// Length of the beginning that identifies every format: a tar header is a whole block.
pub(super) const PEEK_BYTES: usize = tar_block::BYTES;

/// Magic number, and the only compression method ever defined (RFC 1952).
pub(super) const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];

/// A member's local header in a zip archive.
pub(super) const ZIP_MEMBER: &[u8] = b"PK\x03\x04";

/// The end record of a zip archive.
pub(super) const ZIP_END: &[u8] = b"PK\x05\x06";

/// A zstd frame.
pub(super) const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// The last three bytes of the magic number of a skippable zstd frame.
const ZSTD_SKIPPABLE: &[u8] = b"\x2a\x4d\x18";

/// Bytes of deflated data that tell it from noise.
const PLAUSIBLE_BYTES: usize = 64;

/// An ar archive.
pub(super) const AR: &[u8] = b"!<arch>\n";

/// A PDF document.
const PDF: &[u8] = b"%PDF-";

/// The usual properties of an LZMA stream, and the length of its header.
const LZMA: &[u8] = &[0x5d, 0, 0];
pub(super) const LZMA_HEADER_BYTES: usize = 13;

/// Sizes that no LZMA stream states: xz takes a larger one for another format.
const MAX_LZMA_BYTES: u64 = 256 << 30;

const XZ: &[u8] = b"\xfd7zXZ\0";

/// A bzip2 stream: `BZh`, the block size, and the start of a block or of the end.
const BZIP2: &[u8] = b"BZh";
const BZIP2_BLOCK: &[u8] = b"1AY&SY";
const BZIP2_END: &[u8] = b"\x17\x72\x45\x38\x50\x90";

/// A container that is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Gzip,
    Tar,
    Zip,
    Ar,
    Bzip2,
    Lzma,
    Pdf,
    Xz,
    Zlib,
    Zstd,
}

/// Formats without a decoder here: their magic numbers and names.
const UNKNOWN: [(&[u8], &str); 12] = [
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "an LZ4 stream"),
    (b"xar!\0", "a xar archive"),
    (b"LZIP", "an lzip stream"),
    (b"\x89LZO\0\r\n\x1a\n", "an lzop stream"),
    (b"\x1f\x9d", "a compress stream"),
    (b"\xff\x06\0\0sNaPpY", "a Snappy stream"),
    (b"MSCF\0\0\0\0", "a cabinet"),
    (b"hsqs", "a SquashFS image"),
    (b"PAR1", "pages of a Parquet file"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
];

impl Format {
    /// Returns the container format of content with this beginning (C-36).
    pub(super) fn of(beginning: &[u8]) -> Option<Self> {
        let bzip2_block = beginning.get(4..10).unwrap_or_default();
        if beginning.starts_with(GZIP) {
            Some(Self::Gzip)
        } else if beginning.first_chunk().is_some_and(tar_block::is_first_header) {
            Some(Self::Tar)
        } else if beginning.starts_with(ZIP_MEMBER) {
            Some(Self::Zip)
        } else if beginning.starts_with(BZIP2) && [BZIP2_BLOCK, BZIP2_END].contains(&bzip2_block) {
            Some(Self::Bzip2)
        } else if beginning.starts_with(XZ) {
            Some(Self::Xz)
        } else if beginning.starts_with(ZSTD) || is_skippable(beginning) {
            Some(Self::Zstd)
        } else if beginning.starts_with(AR) {
            Some(Self::Ar)
        } else if beginning.starts_with(PDF) {
            Some(Self::Pdf)
        } else if is_lzma(beginning) {
            Some(Self::Lzma)
        } else if is_zlib(beginning) {
            Some(Self::Zlib)
        } else {
            None
        }
    }

    /// Returns whether other texts can begin like it: what its decoder refuses is none.
    pub(super) fn is_guess(self) -> bool {
        matches!(self, Self::Lzma | Self::Zlib)
    }
}

/// Returns whether an LZMA stream (`.lzma`) begins here, as xz judges it.
fn is_lzma(beginning: &[u8]) -> bool {
    let Some(header) = beginning.first_chunk::<LZMA_HEADER_BYTES>() else { return false };
    let window = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
    let size = header[5..].iter().rev().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    // A power of two, or the sum of two that are next to each other.
    let top = window & window.wrapping_neg();
    let is_round = window.is_power_of_two() || window == top | top.wrapping_mul(2);
    header.starts_with(LZMA) && is_round && (size == u64::MAX || size <= MAX_LZMA_BYTES)
}

/// Returns whether a zlib stream (RFC 1950) without a dictionary may begin here: its
/// header is valid, and the first bytes can be unpacked.
pub(super) fn is_zlib(beginning: &[u8]) -> bool {
    let Some([method, flags]) = beginning.first_chunk() else { return false };
    let is_header = method & 15 == 8
        && method >> 4 <= 7
        && flags & 32 == 0
        && u16::from_be_bytes([*method, *flags]).is_multiple_of(31);
    is_header && can_be_unpacked(&beginning[2..])
}

/// Returns whether deflated data may begin here.
pub(super) fn can_be_unpacked(packed: &[u8]) -> bool {
    let mut unpacked = [0; 1024];
    let packed = &packed[..packed.len().min(PLAUSIBLE_BYTES)];
    Decompress::new(false).decompress(packed, &mut unpacked, FlushDecompress::None).is_ok()
}

/// Returns whether a skippable zstd frame begins here.
pub(super) fn is_skippable(beginning: &[u8]) -> bool {
    beginning.first().is_some_and(|first| first & 0xf0 == 0x50) && beginning[1..].starts_with(ZSTD_SKIPPABLE)
}

/// Returns the name of a format that is not looked into.
pub(super) fn unknown(beginning: &[u8]) -> Option<&'static str> {
    UNKNOWN.iter().find(|(magic, _)| beginning.starts_with(magic)).map(|(_, name)| *name)
}
