//! A document held in compressed form: the manifest of a job with very many files
//! takes a tenth of its size, and is decompressed while it is sent.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{self, BufWriter, IntoInnerError, Read, Write};

/// Bytes compressed at a time.
const BUFFER_BYTES: usize = 32 * 1024;

/// A compressed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressedDocument {
    content: Bytes,
    bytes: u64,
    crc32c: u32,
}

impl CompressedDocument {
    /// Compresses what `write` writes.
    pub fn new(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        // A serializer writes very small pieces.
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, Writer { encoder, bytes: 0, crc32c: 0 });
        write(&mut writer)?;
        let writer = writer.into_inner().map_err(IntoInnerError::into_error)?;
        let content = writer.encoder.finish()?.into();
        Ok(Self { content, bytes: writer.bytes, crc32c: writer.crc32c })
    }

    /// Returns the document's own size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the CRC32C of the document itself.
    pub fn crc32c(&self) -> u32 {
        self.crc32c
    }

    /// Reads the document from its beginning.
    pub fn open(&self) -> impl Read + use<> {
        DeflateDecoder::new(io::Cursor::new(self.content.clone()))
    }
}

/// Compresses and sums up a document.
struct Writer {
    encoder: DeflateEncoder<Vec<u8>>,
    bytes: u64,
    crc32c: u32,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(bytes)?;
        self.bytes += written as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_a_document_comes_back_as_it_was_and_takes_a_fraction_of_its_memory() {
        let line = |number: u32| format!("{{\"key\":\"logs/job/{number}\",\"state\":\"stored\"}}\n");
        let document = CompressedDocument::new(|writer| {
            (0..10_000).try_for_each(|number| writer.write_all(line(number).as_bytes()))
        })
        .expect("document");
        let whole: String = (0..10_000).map(line).collect();
        assert_eq!(
            (document.bytes(), document.crc32c()),
            (whole.len() as u64, crc32c::crc32c(whole.as_bytes()))
        );
        assert!(document.content.len() < whole.len() / 5, "{}", document.content.len());
        for _ in 0..2 {
            let mut decompressed = String::new();
            document.open().read_to_string(&mut decompressed).expect("read");
            assert_eq!(decompressed, whole);
        }
    }
}
