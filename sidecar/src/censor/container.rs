//! Compressed files: looked into, never rewritten.
//!
//! A gzip stream or zip archive that holds a secret cannot be masked without
//! packing it anew, so it is withheld as a whole; one that holds none is
//! delivered byte for byte. Not looked into are containers inside containers
//! (a tar inside gzip is: its bytes are plain), encrypted members, members
//! packed by other methods than deflate, and zstd, bzip2 and xz files, which
//! are masked as plain bytes.

use super::stream::Mask;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use std::io::{self, BufRead, Read};

const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];

/// A member's local header (APPNOTE.TXT 4.3.7).
const ZIP_MEMBER: &[u8] = b"PK\x03\x04";
const ZIP_HEADER_BYTES: usize = 30;
const DEFLATE: u16 = 8;
const ENCRYPTED: u16 = 1;

const CHUNK_BYTES: usize = 64 * 1024;

/// A kind of container that is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// One or more gzip members.
    Gzip,
    /// A zip archive.
    Zip,
}

/// What looking into a container gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No secret was found.
    Clean {
        /// The container's size in bytes.
        bytes: u64,
        /// CRC32C of its bytes: they must be the ones that are delivered.
        crc32c: u32,
    },
    /// It holds a secret.
    Secret,
    /// No secret was found, but it is damaged, or only begins like a container:
    /// its bytes are to be masked as they are.
    Faulty,
}

impl Container {
    /// The kind of a file that begins so (C-36).
    pub fn of(beginning: &[u8]) -> Option<Self> {
        if beginning.starts_with(GZIP) {
            Some(Self::Gzip)
        } else if beginning.starts_with(ZIP_MEMBER) {
            Some(Self::Zip)
        } else {
            None
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip stream",
            Self::Zip => "zip archive",
        }
    }

    /// Looks for secrets in what is packed, and in the bytes between. `fresh`
    /// makes a mask for one stream. Fails only when `source` cannot be read.
    pub(super) fn inspect(
        self,
        source: impl Read,
        mut fresh: impl FnMut() -> Box<dyn Mask>,
    ) -> io::Result<Verdict> {
        let mut raw = Raw::new(source);
        let finding = match self {
            // The header of a member holds the name of the packed file, and more.
            Self::Gzip => {
                raw.search = Some(Search::new(fresh()));
                let unpacked = unpack(MultiGzDecoder::new(&mut raw), fresh());
                match unpacked {
                    Finding::Nothing if raw.holds_secret()? => Finding::Secret,
                    Finding::Nothing | Finding::Secret | Finding::Fault => unpacked,
                }
            }
            Self::Zip => zip(&mut raw, &mut fresh)?,
        };
        raw.failed()?;
        Ok(match finding {
            Finding::Secret => Verdict::Secret,
            Finding::Fault => Verdict::Faulty,
            Finding::Nothing => Verdict::Clean { bytes: raw.bytes, crc32c: raw.crc32c },
        })
    }
}

/// What was found in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Nothing,
    Secret,
    /// No secret, but not everything could be unpacked.
    Fault,
}

/// Whether a zip archive holds a secret.
fn zip(raw: &mut Raw<impl Read>, fresh: &mut dyn FnMut() -> Box<dyn Mask>) -> io::Result<Finding> {
    let mut without_secret = Finding::Nothing;
    // Everything but packed members is searched as it is, headers included:
    // names can hold secrets.
    let mut between = Search::new(fresh());
    while let Some(header) = next_member(raw, &mut between)? {
        let length = if header.is_packed() { header.length } else { ZIP_MEMBER.len() };
        let buffer = raw.at_least(length)?;
        let length = length.min(buffer.len());
        if between.add(&buffer[..length]) {
            return Ok(Finding::Secret);
        }
        raw.consume(length);
        if header.is_packed() {
            if between.finish() {
                return Ok(Finding::Secret);
            }
            between = Search::new(fresh());
            match unpack(DeflateDecoder::new(&mut *raw), fresh()) {
                Finding::Nothing => {}
                Finding::Secret => return Ok(Finding::Secret),
                Finding::Fault => without_secret = Finding::Fault,
            }
        }
    }
    Ok(if between.finish() { Finding::Secret } else { without_secret })
}

/// Goes on to the next local header, searching what lies before it; `None` at
/// the end, or once a secret was found.
fn next_member(raw: &mut Raw<impl Read>, between: &mut Search) -> io::Result<Option<Header>> {
    loop {
        let buffer = raw.at_least(ZIP_HEADER_BYTES)?;
        let is_end = buffer.len() < ZIP_HEADER_BYTES;
        // A signature may begin in the last bytes of the buffer.
        let without = if is_end { buffer.len() } else { buffer.len() - (ZIP_MEMBER.len() - 1) };
        let skipped = find(buffer, ZIP_MEMBER).filter(|_| !is_end).unwrap_or(without);
        if skipped == 0 && !is_end {
            return Ok(Some(Header::of(buffer)));
        }
        let found = between.add(&buffer[..skipped]);
        raw.consume(skipped);
        if found || is_end {
            return Ok(None);
        }
    }
}

struct Header {
    flags: u16,
    method: u16,
    length: usize,
}

impl Header {
    fn of(bytes: &[u8]) -> Self {
        let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let length = ZIP_HEADER_BYTES + usize::from(number(26)) + usize::from(number(28));
        Self { flags: number(6), method: number(8), length }
    }

    fn is_packed(&self) -> bool {
        self.method == DEFLATE && self.flags & ENCRYPTED == 0
    }
}

/// Looks for secrets in what a decoder gives.
fn unpack(mut decoder: impl Read, mask: Box<dyn Mask>) -> Finding {
    let mut search = Search::new(mask);
    let mut chunk = vec![0; CHUNK_BYTES];
    let end = loop {
        match decoder.read(&mut chunk) {
            Ok(0) => break Finding::Nothing,
            Ok(read) if search.add(&chunk[..read]) => return Finding::Secret,
            Ok(_) => {}
            // A fault of the source itself is kept by `Raw`.
            Err(_) => break Finding::Fault,
        }
    };
    if search.finish() { Finding::Secret } else { end }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// Looks for secrets in one stream.
struct Search {
    mask: Box<dyn Mask>,
    window: Vec<u8>,
}

impl Search {
    fn new(mask: Box<dyn Mask>) -> Self {
        Self { mask, window: Vec::new() }
    }

    /// Whether a secret was found so far.
    fn add(&mut self, bytes: &[u8]) -> bool {
        self.window.extend_from_slice(bytes);
        if self.window.len() >= CHUNK_BYTES {
            self.look(false);
        }
        self.mask.masked() > 0
    }

    fn finish(&mut self) -> bool {
        self.look(true);
        self.mask.masked() > 0
    }

    fn look(&mut self, end: bool) {
        let released = self.mask.mask(&mut self.window, end);
        self.window.drain(..released);
    }
}

/// The source's own bytes, counted and summed up, with a look ahead.
struct Raw<R> {
    source: R,
    buffer: Vec<u8>,
    taken: usize,
    bytes: u64,
    crc32c: u32,
    error: Option<io::Error>,
    /// Looks for secrets in the bytes themselves.
    search: Option<Search>,
}

impl<R: Read> Raw<R> {
    fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), taken: 0, bytes: 0, crc32c: 0, error: None, search: None }
    }

    /// At least so many bytes, or all that are left.
    fn at_least(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.taken < wanted && self.read_more()? {}
        Ok(&self.buffer[self.taken..])
    }

    /// Appends a chunk to the buffer; false at the end.
    fn read_more(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let before = self.buffer.len();
        let read = (&mut self.source).take(CHUNK_BYTES as u64).read_to_end(&mut self.buffer);
        let read =
            read.inspect_err(|error| self.error = Some(io::Error::new(error.kind(), error.to_string())))?;
        self.bytes += read as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &self.buffer[before..]);
        if let Some(search) = &mut self.search {
            search.add(&self.buffer[before..]);
        }
        Ok(read > 0)
    }

    /// Reads to the end; whether the bytes themselves hold a secret.
    fn holds_secret(&mut self) -> io::Result<bool> {
        while self.read_more()? {
            self.taken = self.buffer.len();
        }
        Ok(self.search.as_mut().is_some_and(Search::finish))
    }

    /// Whether reading the source failed: decoders do not tell that apart.
    fn failed(&mut self) -> io::Result<()> {
        self.error.take().map_or(Ok(()), Err)
    }
}

impl<R: Read> BufRead for Raw<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.at_least(1)
    }

    fn consume(&mut self, bytes: usize) {
        self.taken += bytes;
    }
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let buffer = self.fill_buf()?;
        let read = buffer.len().min(into.len());
        into[..read].copy_from_slice(&buffer[..read]);
        self.consume(read);
        Ok(read)
    }
}
