//! The object of an attempt: its headers, its compression and its checksum, on the
//! way to a sink.

use super::holes::with_zeros;
use super::{ContentReader, Upload};
use crate::io::source::Stamp;
use crate::junit::Reader;
use crate::layout::sniff;
use flate2::Compression;
use flate2::write::GzEncoder;
use job_page::excerpt::Scanner;
use std::io::Write;

/// Smaller objects are not compressed, in bytes (U-51).
const COMPRESS_ABOVE: usize = 1024;

/// Zeros to be written in pieces.
const ZEROS: &[u8] = &[0; 64 * 1024];

const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];

/// An object's headers, known once its beginning is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentHeaders {
    pub(super) content_type: String,
    pub(super) content_encoding: Option<&'static str>,
}

/// An object's sizes and checksums, known once its end is.
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

/// The reason why pumping ended early.
#[derive(Debug)]
pub(super) enum PumpError<E> {
    /// The source cannot be opened or read.
    Source(String),
    /// The content cannot be censored.
    Withheld(String),
    /// A limit of the pass is reached.
    OverLimit(String),
    /// A container was written to between the look into it and its delivery.
    Moved,
    /// The sink accepts no more.
    Sink(E),
}

/// Takes the object's bytes: [`begin`](Self::begin) once, then any number of
/// [`write`](Self::write)s.
pub(super) trait Sink {
    type Error;

    /// Fails at once for an object that may get this large and then could not be stored.
    fn accepts(&self, _at_most: u64) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Starts the object. `at_most` is the largest size it can get, as far as known.
    fn begin(&mut self, head: &ContentHeaders, at_most: u64) -> Result<(), Self::Error>;

    /// Appends to the object.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Appends this many zeros.
    fn write_zeros(&mut self, mut zeros: u64) -> Result<(), Self::Error> {
        while zeros > 0 {
            let now = ZEROS.len().min(usize::try_from(zeros).unwrap_or(usize::MAX));
            self.write(&ZEROS[..now])?;
            zeros -= now as u64;
        }
        Ok(())
    }

    /// Fails once the attempt has been given up.
    fn wanted(&self) -> Result<(), Self::Error>;
}

/// Decides on type and compression by the first bytes, then passes bytes on to
/// the sink.
pub(super) struct Output<'a, S> {
    upload: &'a Upload,
    compress: bool,
    at_most: u64,
    pub(super) sink: &'a mut S,
    mode: Mode,
    reading: Option<Reading>,
    bytes: u64,
    crc32c: u32,
}

/// Reads the content as it passes.
enum Reading {
    TestReport(Box<Reader>),
    Log(Box<Scanner>),
}

enum Mode {
    /// The beginning is still too short to decide.
    Undecided(Vec<u8>),
    Plain,
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl<'a, S: Sink> Output<'a, S> {
    pub(super) fn new(upload: &'a Upload, compress: bool, size: u64, sink: &'a mut S) -> Self {
        let mode = Mode::Undecided(Vec::new());
        let reading = upload.reader.as_ref().map(|reader| match reader {
            ContentReader::TestReport(..) => Reading::TestReport(Box::default()),
            ContentReader::Log(..) => Reading::Log(Box::default()),
        });
        Self { upload, compress, at_most: size, sink, mode, reading, bytes: 0, crc32c: 0 }
    }

    /// Corrects the largest size that the object can get.
    pub(super) fn expect(&mut self, at_most: u64) {
        self.at_most = at_most;
    }

    /// Appends to the object.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        match &mut self.reading {
            Some(Reading::TestReport(tests)) => tests.push(bytes),
            Some(Reading::Log(scanner)) => scanner.push(bytes),
            None => {}
        }
        self.pack(bytes)
    }

    /// Appends this many zeros.
    pub(super) fn write_zeros(&mut self, mut zeros: u64) -> Result<(), S::Error> {
        if matches!(self.mode, Mode::Plain) {
            match &mut self.reading {
                None => {}
                Some(Reading::Log(scanner)) => scanner.push_zeros(zeros),
                Some(Reading::TestReport(tests)) => tests.push_zeros(zeros),
            }
            self.bytes += zeros;
            self.crc32c = with_zeros(self.crc32c, zeros);
            return self.sink.write_zeros(zeros);
        }
        while zeros > 0 {
            let now = ZEROS.len().min(usize::try_from(zeros).unwrap_or(usize::MAX));
            self.write(&ZEROS[..now])?;
            zeros -= now as u64;
        }
        Ok(())
    }

    fn pack(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
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

    /// Passes the rest on; returns the object's size and CRC32C.
    pub(super) fn finish(mut self) -> Result<(u64, u32), S::Error> {
        match std::mem::replace(&mut self.mode, Mode::Plain) {
            Mode::Undecided(beginning) => self.decide(&beginning)?,
            Mode::Plain => {}
            Mode::Gzip(encoder) => {
                let rest = encoder.finish().expect("compressing into memory does not fail");
                self.pass(&rest)?;
            }
        }
        match (&self.upload.reader, self.reading) {
            (Some(ContentReader::TestReport(reports, number)), Some(Reading::TestReport(tests))) => {
                reports.keep(*number, tests.finish());
            }
            (Some(ContentReader::Log(logs, entry)), Some(Reading::Log(scanner))) => {
                logs.keep(*entry, scanner.finish());
            }
            (_, _) => {}
        }
        Ok((self.bytes, self.crc32c))
    }

    fn decide(&mut self, beginning: &[u8]) -> Result<(), S::Error> {
        let compress = self.compress && beginning.len() > COMPRESS_ABOVE && !beginning.starts_with(GZIP);
        let head = self.head(compress, beginning);
        self.sink.begin(&head, self.at_most)?;
        if compress {
            self.mode = Mode::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::default())));
            self.pack(beginning)
        } else {
            self.mode = Mode::Plain;
            self.pass(beginning)
        }
    }

    fn head(&self, compress: bool, beginning: &[u8]) -> ContentHeaders {
        let (known, fallback, content_encoding) = if compress {
            (&self.upload.compressed_type, "text/plain; charset=utf-8", Some("gzip"))
        } else {
            // Whatever it is called, and whatever masking has made of it.
            let encoding = self.upload.content_encoding.filter(|_| beginning.starts_with(GZIP));
            (&self.upload.content_type, sniff::content_type(beginning), encoding)
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
