//! What a file is, by its content.

/// So many bytes tell everything: a tar header is a whole block.
pub(super) const PEEK_BYTES: usize = 512;

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

/// Formats that no decoder is built in for: their beginnings and names.
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
    /// The container of content that begins so (C-36).
    pub(super) fn of(beginning: &[u8]) -> Option<Self> {
        if beginning.starts_with(super::gzip::MAGIC) {
            Some(Self::Gzip)
        } else if super::tar::is_tar(beginning) {
            Some(Self::Tar)
        } else if beginning.starts_with(super::zip::MAGIC) {
            Some(Self::Zip)
        } else {
            super::scanned::format(beginning)
        }
    }
}

/// The name of a format that is not looked into.
pub(super) fn unknown(beginning: &[u8]) -> Option<&'static str> {
    UNKNOWN.iter().find(|(magic, _)| beginning.starts_with(magic)).map(|(_, name)| *name)
}
