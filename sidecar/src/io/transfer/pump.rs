//! The blocking half of a transfer: read, censor, compress, sum up.
//!
//! ```text
//! file ─┬─ feed ── window ── censor ─┬─ [gzip] ── sink (parts, or a file)
//!       │   └ CRC32C of              │               └ CRC32C of what is stored
//!       │     what was read          │
//!       └─ container, packed anew
//! ```
//!
//! The window is one block and what the censor held back of those before. It
//! runs on a thread of its own, never on the runtime's.

use super::Upload;
use super::censoring::Censoring;
use super::read_ahead::{Block, Fault, READ_BYTES, each_block, is_worth_a_thread};
use crate::censor::Censor;
use crate::io::source::{OpenFile, Source, Stamp};
use crate::layout::sniff;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

/// A first chunk up to this many bytes is not compressed (U-51).
const COMPRESS_ABOVE: usize = 1024;

const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];

/// What is known of an object once its beginning is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentHeaders {
    pub(super) content_type: String,
    pub(super) content_encoding: Option<&'static str>,
}

/// What is known of an object once its end is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) source_bytes: u64,
    pub(super) source_crc32c: u32,
    pub(super) stored_bytes: u64,
    pub(super) stored_crc32c: u32,
    pub(super) censored: u64,
    pub(super) note: Option<String>,
    pub(super) changed: bool,
    pub(super) stamp: Option<Stamp>,
}

/// Why nothing more is pumped.
#[derive(Debug)]
pub(super) enum PumpError<E> {
    /// The source cannot be opened or read.
    Source(String),
    /// The content cannot be censored.
    Withheld(String),
    /// A container was written to between the look into it and its delivery.
    Moved,
    /// The sink takes no more.
    Sink(E),
}

/// Where the object's bytes go.
pub(super) trait Sink {
    type Error;

    /// Comes once, before any byte. `at_most` is how large the object can get, where that is known.
    fn begin(&mut self, head: &ContentHeaders, at_most: u64) -> Result<(), Self::Error>;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// An error once nobody waits for the object any more.
    fn wanted(&self) -> Result<(), Self::Error>;
}

/// Pumps a whole source into a sink.
pub(super) fn pump<S: Sink>(
    upload: &Upload,
    compress: bool,
    censor: Option<&Censor>,
    sink: &mut S,
) -> Result<Totals, PumpError<S::Error>> {
    let mut input = Input::open(&upload.source).map_err(PumpError::Source)?;
    let mut censoring = Censoring::of(upload, censor);
    let mut output = Output::new(upload, compress, input.size(), sink);
    if let Input::File(file) = &input
        && let Some(dirty) = censoring.look_into(file, || output.sink.wanted())?
    {
        return dirty.rewrite(file, output);
    }
    let (mut carry, mut read) = (Vec::new(), (0, 0));
    let ahead = (compress || censoring.is_masking()) && is_worth_a_thread(input.size());
    let fed = each_block(&mut input, ahead, |mut block| {
        read = block.read;
        let end = block.end;
        let window = behind(&mut carry, &mut block);
        let released = censoring.mask(window, end);
        output.write(&window[..released])?;
        carry = window[released..].to_vec();
        Ok(block.bytes)
    });
    fed.map_err(|fault| match fault {
        Fault::Source(error) => PumpError::Source(error),
        Fault::Taker(error) => PumpError::Sink(error),
    })?;
    let (source_bytes, source_crc32c) = read;
    if !censoring.holds_for(source_bytes, source_crc32c) {
        return Err(PumpError::Moved);
    }
    let (stored_bytes, stored_crc32c) = output.finish().map_err(PumpError::Sink)?;
    Ok(Totals {
        source_bytes,
        source_crc32c,
        stored_bytes,
        stored_crc32c,
        censored: censoring.masked(),
        note: censoring.note(),
        changed: input.changed(source_bytes),
        stamp: input.stamp(),
    })
}

/// The window: a block behind what was held back of those before.
fn behind<'a>(carry: &mut Vec<u8>, block: &'a mut Block) -> &'a mut [u8] {
    let headroom = block.headroom;
    if carry.len() > headroom {
        // Only a secret that is as long holds back so much of a large source.
        block.bytes.splice(..headroom, carry.drain(..));
        return &mut block.bytes;
    }
    let start = headroom - carry.len();
    block.bytes[start..headroom].copy_from_slice(carry);
    &mut block.bytes[start..]
}

/// An open source.
pub(super) enum Input<'a> {
    Bytes(&'a [u8]),
    Packed(Box<dyn Read + Send>, u64),
    File(OpenFile),
}

impl<'a> Input<'a> {
    fn open(source: &'a Source) -> Result<Self, String> {
        match source {
            Source::Bytes(bytes) => Ok(Self::Bytes(bytes)),
            Source::Compressed(packed) => Ok(Self::Packed(Box::new(packed.open()), packed.bytes())),
            Source::File(file) => match file.open() {
                Ok(file) => Ok(Self::File(file)),
                Err(error) => Err(format!("it cannot be opened: {error}")),
            },
        }
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Packed(_, bytes) => *bytes,
            Self::File(file) => file.stamp().size,
        }
    }

    /// Appends to the window; false at the end.
    pub(super) fn read(&mut self, window: &mut Vec<u8>) -> Result<bool, String> {
        match self {
            Self::Bytes(bytes) => {
                window.extend_from_slice(bytes);
                *bytes = &[];
                Ok(false)
            }
            Self::Packed(packed, _) => {
                let limit = READ_BYTES as u64;
                let read = packed.as_mut().take(limit).read_to_end(window);
                // What was packed in memory a moment ago can be unpacked.
                Ok(read.map_err(|error| format!("it cannot be unpacked: {error}"))? as u64 == limit)
            }
            Self::File(file) => {
                let most = READ_BYTES.min(usize::try_from(file.left()).unwrap_or(usize::MAX));
                window.reserve(most);
                let read = file.append_to(window).map_err(|error| format!("it cannot be read: {error}"))?;
                Ok(read > 0 && file.left() > 0)
            }
        }
    }

    fn changed(&self, read: u64) -> bool {
        match self {
            Self::Bytes(_) | Self::Packed(..) => false,
            Self::File(file) => file.changed() || read != file.stamp().size,
        }
    }

    fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::Bytes(_) | Self::Packed(..) => None,
            Self::File(file) => Some(file.stamp()),
        }
    }
}

/// Decides on type and compression by the first bytes, then passes on.
pub(super) struct Output<'a, S> {
    upload: &'a Upload,
    compress: bool,
    at_most: u64,
    pub(super) sink: &'a mut S,
    mode: Mode,
    bytes: u64,
    crc32c: u32,
}

enum Mode {
    /// The beginning is still too short to decide.
    Undecided(Vec<u8>),
    Plain,
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl<'a, S: Sink> Output<'a, S> {
    fn new(upload: &'a Upload, compress: bool, size: u64, sink: &'a mut S) -> Self {
        let mode = Mode::Undecided(Vec::new());
        Self { upload, compress, at_most: size, sink, mode, bytes: 0, crc32c: 0 }
    }

    /// The object can get larger than its source.
    pub(super) fn expect(&mut self, at_most: u64) {
        self.at_most = at_most;
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        match &mut self.mode {
            Mode::Undecided(beginning) if beginning.len() + bytes.len() <= COMPRESS_ABOVE => {
                beginning.extend_from_slice(bytes);
                Ok(())
            }
            Mode::Undecided(beginning) => {
                let mut beginning = std::mem::take(beginning);
                beginning.extend_from_slice(bytes);
                self.decide(&beginning)
            }
            Mode::Plain => self.pass(bytes),
            Mode::Gzip(encoder) => {
                let compressed = compress(encoder, bytes);
                self.pass(&compressed)
            }
        }
    }

    /// The bytes of the object and their CRC32C.
    pub(super) fn finish(mut self) -> Result<(u64, u32), S::Error> {
        match std::mem::replace(&mut self.mode, Mode::Plain) {
            Mode::Undecided(beginning) => self.decide(&beginning)?,
            Mode::Plain => {}
            Mode::Gzip(encoder) => {
                let rest = encoder.finish().expect("compressing into memory does not fail");
                self.pass(&rest)?;
            }
        }
        Ok((self.bytes, self.crc32c))
    }

    fn decide(&mut self, beginning: &[u8]) -> Result<(), S::Error> {
        let compress = self.compress && beginning.len() > COMPRESS_ABOVE && !beginning.starts_with(GZIP);
        let head = self.head(compress, beginning);
        self.sink.begin(&head, self.at_most)?;
        if compress {
            self.mode = Mode::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::default())));
            self.write(beginning)
        } else {
            self.mode = Mode::Plain;
            self.pass(beginning)
        }
    }

    fn head(&self, compress: bool, beginning: &[u8]) -> ContentHeaders {
        let (known, fallback, content_encoding) = if compress {
            (&self.upload.compressed_type, "text/plain; charset=utf-8", Some("gzip"))
        } else {
            (&self.upload.content_type, sniff::content_type(beginning), self.upload.content_encoding)
        };
        ContentHeaders {
            content_type: known.clone().unwrap_or_else(|| fallback.to_owned()),
            content_encoding,
        }
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.bytes += bytes.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        self.sink.write(bytes)
    }
}

fn compress(encoder: &mut GzEncoder<Vec<u8>>, bytes: &[u8]) -> Vec<u8> {
    encoder.write_all(bytes).expect("compressing into memory does not fail");
    std::mem::take(encoder.get_mut())
}
