//! Recognition of a file's format by its content.

use super::tar_block;

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
    Bzip2,
    Xz,
    Zstd,
}

/// Formats without a decoder here: their magic numbers and names.
const UNKNOWN: [(&[u8], &str); 12] = [
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "an LZ4 stream"),
    (b"LZIP", "an lzip stream"),
    (b"\x89LZO\0\r\n\x1a\n", "an lzop stream"),
    (b"\x5d\0\0", "an LZMA stream"),
    (b"\x1f\x9d", "a compress stream"),
    (b"\xff\x06\0\0sNaPpY", "a Snappy stream"),
    (b"MSCF\0\0\0\0", "a cabinet"),
    (b"hsqs", "a SquashFS image"),
    (b"!<arch>\n", "an ar archive, whose members were not unpacked"),
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
        } else {
            None
        }
    }
}

/// Returns whether a skippable zstd frame begins here.
pub(super) fn is_skippable(beginning: &[u8]) -> bool {
    beginning.first().is_some_and(|first| first & 0xf0 == 0x50) && beginning[1..].starts_with(ZSTD_SKIPPABLE)
}

/// Returns the name of a format that is not looked into.
pub(super) fn unknown(beginning: &[u8]) -> Option<&'static str> {
    UNKNOWN.iter().find(|(magic, _)| beginning.starts_with(magic)).map(|(_, name)| *name)
}
