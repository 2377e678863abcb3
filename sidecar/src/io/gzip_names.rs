//! Tells whether a file whose name ends with `.gz` is what the name says.
//!
//! An object loses that part of its name because its encoding says the same
//! (contract 4.5). A browser cannot open a text, or a gzip file that is cut off, whose
//! encoding claims to be gzip: such a file keeps its name and gets no encoding.
//!
//! Only unpacking it to its end shows that a file is complete. A job can make files that
//! cost any amount of time, so that there is an upper bound for all of a listing, beyond
//! which the first bytes decide.

use super::source::{FileSource, OpenFile, Stamp};
use flate2::bufread::MultiGzDecoder;
use std::collections::HashMap;
use std::io::{self, BufReader, Read};

/// The magic number and the one method (RFC 1952, 2.3.1).
const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Upper bound on the packed bytes that one listing unpacks.
const MAX_PACKED_BYTES: u64 = 256 << 20;

/// Upper bound on the bytes that they become.
const MAX_UNPACKED_BYTES: u64 = 4 << 30;

/// Upper bound on the files that are remembered because they may have further links.
const MAX_REMEMBERED: usize = 10_000;

/// Bytes that are read, and unpacked, at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// The checks of one listing.
#[derive(Debug, Default)]
pub(super) struct GzipNames {
    packed: u64,
    unpacked: u64,
    known: HashMap<Stamp, bool>,
}

impl GzipNames {
    /// Returns whether the file is one complete gzip file, as far as the bounds allow to
    /// look. One that cannot be read is not.
    pub(super) fn is_gzip(&mut self, source: &FileSource) -> bool {
        let Ok(file) = source.open() else { return false };
        let stamp = file.stamp();
        if let Some(known) = self.known.get(&stamp) {
            return *known;
        }
        let is_gzip = begins_as_gzip(&file) && self.is_complete(file);
        if self.known.len() < MAX_REMEMBERED {
            self.known.insert(stamp, is_gzip);
        }
        is_gzip
    }

    fn is_complete(&mut self, file: OpenFile) -> bool {
        self.packed = self.packed.saturating_add(file.stamp().size);
        if self.packed > MAX_PACKED_BYTES {
            return true;
        }
        let mut unpacked = MultiGzDecoder::new(BufReader::with_capacity(BLOCK_BYTES, Reader { file, at: 0 }));
        let mut block = vec![0; BLOCK_BYTES];
        while self.unpacked <= MAX_UNPACKED_BYTES {
            match unpacked.read(&mut block) {
                Ok(0) => return true,
                Ok(bytes) => self.unpacked += bytes as u64,
                Err(_) => return false,
            }
        }
        true
    }
}

fn begins_as_gzip(file: &OpenFile) -> bool {
    let mut beginning = [0; MAGIC.len()];
    file.read_at(0, &mut beginning).is_ok_and(|read| read == MAGIC.len()) && beginning == MAGIC
}

/// Reads a file from its beginning.
struct Reader {
    file: OpenFile,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, into)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn packed(bytes: usize) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![b'a'; bytes]).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn only_complete_files_are_gzip() {
        let dir = tempfile::tempdir().expect("a directory");
        let is_gzip = |content: &[u8]| {
            let path = dir.path().join("file.gz");
            std::fs::write(&path, content).expect("written");
            GzipNames::default().is_gzip(&FileSource::configured(path))
        };
        let whole = packed(100_000);
        assert!(is_gzip(&whole) && is_gzip(&[whole.clone(), packed(3)].concat()), "members may follow");
        for cut in [0, 2, 9, 12, whole.len() - 9, whole.len() - 4, whole.len() - 1] {
            assert!(!is_gzip(&whole[..cut]), "{cut}");
        }
        let mut damaged = whole.clone();
        let checksum = damaged.len() - 6;
        damaged[checksum] ^= 1;
        assert!(!is_gzip(&damaged), "the checksum");
        assert!(!is_gzip(b"a plain text") && !is_gzip(&[&whole[..], b"and something else"].concat()));
        assert!(!GzipNames::default().is_gzip(&FileSource::configured(dir.path().join("none"))));
    }

    #[test]
    fn beyond_the_bounds_the_beginning_decides() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file.gz");
        std::fs::write(&path, &packed(1000)[..20]).expect("written");
        let source = FileSource::configured(path.clone());
        let mut spent = GzipNames { packed: MAX_PACKED_BYTES, ..GzipNames::default() };
        assert!(spent.is_gzip(&source), "as far as one can see");
        let mut spent = GzipNames { unpacked: MAX_UNPACKED_BYTES + 1, ..GzipNames::default() };
        assert!(spent.is_gzip(&source));
        std::fs::write(&path, "text").expect("written");
        assert!(!spent.is_gzip(&source));
    }
}
