//! A document held in compressed form: the manifest of a job with very many files
//! takes a tenth of its size, and is decompressed while it is sent. Its parts can be made
//! one after another, and lie in a file.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufWriter, Cursor, IntoInnerError, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes compressed at a time.
const BUFFER_BYTES: usize = 32 * 1024;

/// A compressed document.
#[derive(Clone, Debug, Default)]
pub struct CompressedDocument {
    parts: Vec<Part>,
    bytes: u64,
    crc32c: u32,
}

/// A part of a document, compressed by itself.
#[derive(Clone, Debug)]
pub struct Part {
    content: Content,
    bytes: u64,
    crc32c: u32,
}

#[derive(Clone, Debug)]
enum Content {
    Memory(Bytes),
    /// Lies in a file from here to there.
    File(Arc<File>, u64, u64),
}

impl Part {
    /// Returns where it ends in its file, if it lies in one.
    pub fn end(&self) -> Option<u64> {
        match &self.content {
            Content::Memory(_) => None,
            Content::File(_, _, end) => Some(*end),
        }
    }
}

impl CompressedDocument {
    /// Compresses what `write` writes.
    pub fn new(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let mut part = Compressing::new(None);
        write(&mut part)?;
        let mut document = Self::default();
        document.push(part.finish()?);
        Ok(document)
    }

    /// Compresses what `write` writes, with another document within it: where `write` is
    /// when it calls its second argument, behind a separator.
    pub fn around(
        inner: Self,
        write: impl FnOnce(&mut dyn Write, &dyn Fn(&'static str)) -> io::Result<()>,
    ) -> io::Result<Self> {
        let place = Cell::new(None);
        let part = Compressing::new(None);
        let mut writer = Around { place: &place, part, inner: Some(inner), document: Self::default() };
        write(&mut writer, &|separator| place.set(Some(separator)))?;
        let Around { part, mut document, .. } = writer;
        document.push(part.finish()?);
        Ok(document)
    }

    /// Appends a part.
    pub fn push(&mut self, part: Part) {
        // Exact on machines of 64 bits; others address no such file.
        let length = usize::try_from(part.bytes).unwrap_or(usize::MAX);
        self.crc32c = crc32c::crc32c_combine(self.crc32c, part.crc32c, length);
        self.bytes += part.bytes;
        self.parts.push(part);
    }

    /// Appends all parts of another document.
    pub fn append(&mut self, other: Self) {
        other.parts.into_iter().for_each(|part| self.push(part));
    }

    /// Returns the document's own size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the CRC32C of the document itself.
    pub fn crc32c(&self) -> u32 {
        self.crc32c
    }

    /// Returns the memory that it takes.
    pub fn memory(&self) -> usize {
        let part = |part: &Part| match &part.content {
            Content::Memory(bytes) => bytes.len(),
            Content::File(..) => 0,
        };
        self.parts.iter().map(part).sum()
    }

    /// Reads the document from its beginning.
    pub fn open(&self) -> impl Read + use<> {
        Reader { left: self.parts.clone().into_iter(), part: None }
    }
}

/// Documents are the same if their contents are, however they are stored.
impl PartialEq for CompressedDocument {
    fn eq(&self, other: &Self) -> bool {
        (self.bytes, self.crc32c) == (other.bytes, other.crc32c)
    }
}

impl Eq for CompressedDocument {}

/// Writes what is around a document, and inserts that when the place for it is there.
struct Around<'a> {
    place: &'a Cell<Option<&'static str>>,
    part: Compressing,
    inner: Option<CompressedDocument>,
    document: CompressedDocument,
}

impl Write for Around<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(separator) = self.place.take()
            && let Some(inner) = self.inner.take()
        {
            self.part.write_all(separator.as_bytes())?;
            let before = std::mem::replace(&mut self.part, Compressing::new(None));
            self.document.push(before.finish()?);
            self.document.append(inner);
        }
        self.part.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decompresses one part after another.
struct Reader {
    left: std::vec::IntoIter<Part>,
    part: Option<DeflateDecoder<Box<dyn Read + Send>>>,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(part) = &mut self.part {
                let read = part.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
            }
            let Some(next) = self.left.next() else { return Ok(0) };
            let content: Box<dyn Read + Send> = match next.content {
                Content::Memory(bytes) => Box::new(Cursor::new(bytes)),
                Content::File(file, at, end) => Box::new(Stretch { file, at, end }),
            };
            self.part = Some(DeflateDecoder::new(content));
        }
    }
}

/// Reads a stretch of a file.
struct Stretch {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A part that is being written.
#[derive(Debug)]
pub struct Compressing(BufWriter<Summing>);

/// Compresses and sums up.
#[derive(Debug)]
struct Summing {
    encoder: DeflateEncoder<Target>,
    bytes: u64,
    crc32c: u32,
}

#[derive(Debug)]
enum Target {
    Memory(Vec<u8>),
    File { file: Arc<File>, first: u64, at: u64 },
}

impl Compressing {
    /// Begins a part in memory, or in a file from a place on.
    pub fn new(file: Option<(Arc<File>, u64)>) -> Self {
        let target = match file {
            Some((file, at)) => Target::File { file, first: at, at },
            None => Target::Memory(Vec::new()),
        };
        let encoder = DeflateEncoder::new(target, Compression::fast());
        // A serializer writes very small pieces.
        Self(BufWriter::with_capacity(BUFFER_BYTES, Summing { encoder, bytes: 0, crc32c: 0 }))
    }

    /// Returns the compressed bytes that were written so far.
    pub fn written(&self) -> u64 {
        self.0.get_ref().encoder.get_ref().written()
    }

    /// Ends the part.
    pub fn finish(self) -> io::Result<Part> {
        let Summing { encoder, bytes, crc32c } = self.0.into_inner().map_err(IntoInnerError::into_error)?;
        let content = match encoder.finish()? {
            Target::Memory(bytes) => Content::Memory(bytes.into()),
            Target::File { file, first, at } => Content::File(file, first, at),
        };
        Ok(Part { content, bytes, crc32c })
    }
}

impl Write for Compressing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Summing {
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

impl Target {
    fn written(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { first, at, .. } => at - first,
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Memory(memory) => memory.write(bytes),
            Self::File { file, at, .. } => {
                let written = file.write_at(bytes, *at)?;
                *at += written as u64;
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u32) -> String {
        format!("{{\"key\":\"logs/job/{number}\",\"state\":\"stored\"}}\n")
    }

    #[test]
    fn i8_a_document_comes_back_as_it_was_and_takes_a_fraction_of_its_memory() {
        let document = CompressedDocument::new(|writer| {
            (0..10_000).try_for_each(|number| writer.write_all(line(number).as_bytes()))
        })
        .expect("document");
        let whole: String = (0..10_000).map(line).collect();
        assert_eq!(
            (document.bytes(), document.crc32c()),
            (whole.len() as u64, crc32c::crc32c(whole.as_bytes()))
        );
        assert!(document.memory() < whole.len() / 5, "{}", document.memory());
        for _ in 0..2 {
            let mut decompressed = String::new();
            document.open().read_to_string(&mut decompressed).expect("read");
            assert_eq!(decompressed, whole);
        }
    }

    #[test]
    fn a_document_lies_within_another_one() {
        let inner = CompressedDocument::new(|writer| writer.write_all(b"inner")).expect("document");
        let around = CompressedDocument::around(inner, |writer, place| {
            writer.write_all(b"before ")?;
            place("[");
            writer.write_all(b" behind")
        });
        let mut text = String::new();
        around.expect("document").open().read_to_string(&mut text).expect("read");
        assert_eq!(text, "before [inner behind");
    }

    #[test]
    fn i8_parts_in_a_file_and_in_memory_make_one_document() {
        let file = Arc::new(tempfile::tempfile().expect("a file"));
        let mut document = CompressedDocument::default();
        let (mut whole, mut end) = (String::new(), 0);
        for number in 0..100 {
            let mut part = Compressing::new((number % 3 > 0).then(|| (Arc::clone(&file), end)));
            let text: String = (0..number).map(line).collect();
            part.write_all(text.as_bytes()).expect("written");
            let part = part.finish().expect("finished");
            if let Content::File(_, _, at) = &part.content {
                end = *at;
            }
            whole += &text;
            document.push(part);
        }
        assert_eq!(document.crc32c(), crc32c::crc32c(whole.as_bytes()));
        let mut decompressed = String::new();
        document.open().read_to_string(&mut decompressed).expect("read");
        assert!(decompressed == whole, "{} bytes, not {}", decompressed.len(), whole.len());
        assert_eq!(
            document,
            CompressedDocument::new(|writer| writer.write_all(whole.as_bytes())).expect("one")
        );
    }
}
