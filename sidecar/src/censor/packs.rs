//! Containers with a secret and several names, packed anew once for all of these: kept in
//! unnamed files in the temporary directory.

use super::archive::{ArchiveError, Rewritten, temporary_file};
use super::once::{Identity, Once};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bound on the bytes that are kept in a pass; what is beyond is packed under each
/// name, within the budget of the pass.
const MAX_BYTES: u64 = 1 << 30;

/// Upper bound on the files that are kept, each with a descriptor.
const MAX_KEPT: u64 = 64;

/// Bytes copied at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// The files packed in one pass.
#[derive(Debug, Default)]
pub(super) struct Packs {
    files: Once<Packing>,
    kept: AtomicU64,
    bytes: AtomicU64,
}

/// Result of packing a file.
#[derive(Clone, Debug)]
enum Packing {
    Packed(Arc<Packed>),
    /// It cannot be packed; the reason.
    Withheld(Arc<str>),
    /// It was not kept.
    Forgotten,
}

/// A container without its secrets.
#[derive(Debug)]
struct Packed {
    file: File,
    bytes: u64,
    rewritten: Rewritten,
}

impl Packs {
    /// Writes what `rewrite` writes: what it wrote for another name of the file, where that
    /// is kept.
    pub(super) fn once(
        &self,
        identity: Identity,
        is_stopped: &dyn Fn() -> bool,
        output: &mut dyn Write,
        rewrite: &mut dyn FnMut(&mut dyn Write) -> Result<Rewritten, ArchiveError>,
    ) -> Result<Rewritten, ArchiveError> {
        match self.files.get(identity, is_stopped, || self.keep(rewrite))? {
            Packing::Packed(packed) => packed.copy_to(output),
            Packing::Withheld(reason) => Err(ArchiveError::Withheld(reason.to_string())),
            Packing::Forgotten => rewrite(output),
        }
    }

    fn keep(
        &self,
        rewrite: &mut dyn FnMut(&mut dyn Write) -> Result<Rewritten, ArchiveError>,
    ) -> Result<Packing, ArchiveError> {
        if self.kept.fetch_add(1, Ordering::Relaxed) >= MAX_KEPT {
            return Ok(Packing::Forgotten);
        }
        let Some(file) = temporary_file() else { return Ok(Packing::Forgotten) };
        let mut writer = BufWriter::new(Bounded { file, written: 0, of_all: &self.bytes });
        let rewritten = rewrite(&mut writer);
        match (rewritten, writer.into_inner()) {
            (Ok(rewritten), Ok(Bounded { file, written, .. })) => {
                Ok(Packing::Packed(Arc::new(Packed { file, bytes: written, rewritten })))
            }
            (Err(ArchiveError::Withheld(reason)), _) => Ok(Packing::Withheld(reason.into())),
            // There is no room for it.
            (Ok(_), Err(_)) | (Err(ArchiveError::Output(_)), _) => Ok(Packing::Forgotten),
            (Err(error @ (ArchiveError::Source(_) | ArchiveError::Moved | ArchiveError::GivenUp)), _) => {
                // Its room is for the next attempt.
                self.kept.fetch_sub(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }
}

impl Packed {
    fn copy_to(&self, output: &mut dyn Write) -> Result<Rewritten, ArchiveError> {
        let mut block = vec![0; BLOCK_BYTES];
        let mut at = 0;
        while at < self.bytes {
            let left = usize::try_from(self.bytes - at).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            self.file.read_exact_at(&mut block[..left], at).map_err(ArchiveError::Source)?;
            output.write_all(&block[..left]).map_err(ArchiveError::Output)?;
            at += left as u64;
        }
        Ok(self.rewritten.clone())
    }
}

/// Writes to a file as long as all together do not exceed [`MAX_BYTES`].
struct Bounded<'a> {
    file: File,
    written: u64,
    of_all: &'a AtomicU64,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as u64;
        if self.of_all.fetch_add(length, Ordering::Relaxed) + length > MAX_BYTES {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.file.write_all_at(bytes, self.written)?;
        self.written += length;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Identity = (1, 2, 3, 4, 5);

    fn rewritten() -> Rewritten {
        Rewritten { source_bytes: 1, source_crc32c: 2, masked: 3, note: Some("a note".to_owned()) }
    }

    #[test]
    fn names_of_one_file_get_what_was_packed_once() {
        let (packs, mut count) = (Packs::default(), 0);
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for _ in 0..3 {
            let mut output = Vec::new();
            let got = packs.once(FILE, &|| false, &mut output, &mut |writer| {
                count += 1;
                writer.write_all(&content).map_err(ArchiveError::Output)?;
                Ok(rewritten())
            });
            assert_eq!(got.expect("packed"), rewritten());
            assert!(output == content, "{} bytes", output.len());
        }
        assert_eq!(count, 1);
    }

    #[test]
    fn what_is_too_large_is_packed_for_each_name_and_what_cannot_be_packed_for_none() {
        let (packs, mut count) = (Packs::default(), 0);
        packs.bytes.store(MAX_BYTES - 10, Ordering::Relaxed);
        let content = vec![7; 100_000];
        for _ in 0..2 {
            let mut output = Vec::new();
            let mut rewrite = |writer: &mut dyn Write| {
                count += 1;
                writer.write_all(&content).map_err(ArchiveError::Output)?;
                Ok(rewritten())
            };
            packs.once(FILE, &|| false, &mut output, &mut rewrite).expect("packed");
            assert!(output == content);
        }
        assert_eq!(count, 3, "one of them in vain");
        let mut refuse = |_: &mut dyn Write| {
            count += 1;
            Err(ArchiveError::Withheld("damaged".to_owned()))
        };
        for _ in 0..2 {
            let refused = packs.once((9, 2, 3, 4, 5), &|| false, &mut Vec::new(), &mut refuse);
            assert!(matches!(refused, Err(ArchiveError::Withheld(reason)) if reason == "damaged"));
        }
        assert_eq!(count, 4);
    }
}
