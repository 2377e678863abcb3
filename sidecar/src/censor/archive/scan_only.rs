//! zstd, bzip2 and xz: unpacked and scanned, never repacked.
//!
//! Good encoders for them are large and slow. A file with a secret is withheld.

use super::bytes::{Cursor, ReadAt};
use super::format::{Format, ZSTD, is_skippable};
use super::limits::Meter;
use super::walk::Walk;
use super::{CHUNK_BYTES, Stop};
use bzip2::bufread::MultiBzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::cell::Cell;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;

/// Magic number and length of a skippable zstd frame.
const SKIPPED_MAGIC_BYTES: usize = 4;
const SKIPPED_HEADER_BYTES: usize = 8;

/// Scans a stream, which cannot be rewritten.
pub(super) fn censor(
    walk: Walk<'_>,
    format: Format,
    source: &dyn ReadAt,
    _output: &mut dyn Write,
) -> Result<(), Stop> {
    if !walk.is_looking() {
        return Err(Stop::Dirty);
    }
    let room = walk.memory_left();
    let packed = Packed { cursor: Cursor::new(source), state: Rc::default() };
    let state = Rc::clone(&packed.state);
    let decoder: Box<dyn Read + '_> = match format {
        Format::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
        Format::Xz => {
            let kibibytes = u32::try_from(room / 1024).unwrap_or(u32::MAX);
            Box::new(XzReader::new_mem_limit(packed, true, kibibytes))
        }
        Format::Zstd => Box::new(Frames { walk, room, state: Frame::Between(packed, FrameDecoder::new()) }),
        Format::Gzip | Format::Tar | Format::Zip => {
            return Err(Stop::Damaged("it is of another format"));
        }
    };
    let again = (format == Format::Xz).then_some(source);
    let mut unpacked =
        Unpacked { decoder, packed: state, meter: walk.meter(), written: 0, room, most: u64::MAX, again };
    walk.content(&mut unpacked, &mut io::sink())
}

/// The progress of a decoder in its input.
#[derive(Default)]
struct Progress {
    read: Cell<u64>,
    /// It asked for more than there is.
    is_starved: Cell<bool>,
}

struct Packed<'a> {
    cursor: Cursor<'a>,
    state: Rc<Progress>,
}

impl BufRead for Packed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.cursor.fill_buf()?;
        self.state.is_starved.set(buffer.is_empty());
        Ok(buffer)
    }

    fn consume(&mut self, bytes: usize) {
        self.state.read.set(self.state.read.get() + bytes as u64);
        self.cursor.consume(bytes);
    }
}

impl Read for Packed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let buffer = self.fill_buf()?;
        let read = buffer.len().min(into.len());
        into[..read].copy_from_slice(&buffer[..read]);
        self.consume(read);
        Ok(read)
    }
}

/// A decoder's output, within the limits.
struct Unpacked<'a> {
    decoder: Box<dyn Read + 'a>,
    packed: Rc<Progress>,
    meter: &'a Meter<'a>,
    written: u64,
    room: u64,
    /// The content that may be unpacked, if the window is larger than the room for it.
    most: u64,
    /// An xz stream, whose window grows with the content: a header that asks for
    /// more is tried again, and the content is limited.
    again: Option<&'a dyn ReadAt>,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(CHUNK_BYTES);
        let read = match self.decoder.read(&mut into[..most]) {
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory && self.starts_again() => {
                self.decoder.read(&mut into[..most])
            }
            other => other,
        };
        let read = read.map_err(|error| self.stop(error))?;
        self.written += read as u64;
        if self.written > self.most {
            return Err(too_large(self.room).into());
        }
        self.meter.unpack(read, self.packed.read.get(), self.written)?;
        Ok(read)
    }
}

impl Unpacked<'_> {
    /// Starts again without a limit on the window, if nothing is unpacked yet.
    fn starts_again(&mut self) -> bool {
        let Some(source) = self.again.take().filter(|_| self.written == 0) else { return false };
        let packed = Packed { cursor: Cursor::new(source), state: Rc::default() };
        self.packed = Rc::clone(&packed.state);
        self.decoder = Box::new(XzReader::new(packed, true));
        // A window that grows is twice as large for a moment, and reads ahead.
        self.most = (self.room / 2).saturating_sub(2 * CHUNK_BYTES as u64);
        true
    }

    fn stop(&self, error: io::Error) -> io::Error {
        let stop = match error.downcast::<Stop>() {
            Ok(stop) => stop,
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => too_large(self.room),
            Err(_) if self.packed.is_starved.get() => Stop::Truncated,
            Err(_) => Stop::Damaged("its data cannot be unpacked"),
        };
        stop.into()
    }
}

fn too_large(room: u64) -> Stop {
    Stop::Member(format!("unpacking it takes more than {room} bytes of memory"))
}

/// Reads the frames of a zstd stream as one text.
struct Frames<'a> {
    walk: Walk<'a>,
    room: u64,
    state: Frame<'a>,
}

enum Frame<'a> {
    Between(Packed<'a>, FrameDecoder),
    Open(StreamingDecoder<Packed<'a>, FrameDecoder>),
    /// At the end, or at an error.
    Done,
}

impl Frames<'_> {
    fn unpack(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        loop {
            match std::mem::replace(&mut self.state, Frame::Done) {
                Frame::Done => return Ok(0),
                Frame::Open(mut decoder) => {
                    let read = decoder.read(into)?;
                    if read > 0 {
                        self.state = Frame::Open(decoder);
                        return Ok(read);
                    }
                    let (packed, decoder) = decoder.into_parts();
                    let stated = decoder.get_checksum_from_data();
                    if stated.is_some() && stated != decoder.get_calculated_checksum() {
                        return Err(Stop::Damaged("its content does not match its checksum"));
                    }
                    self.state = Frame::Between(packed, decoder);
                }
                Frame::Between(packed, decoder) => self.state = self.next(packed, decoder)?,
            }
        }
    }

    /// Continues with the next frame.
    fn next<'a>(&self, mut packed: Packed<'a>, mut decoder: FrameDecoder) -> Result<Frame<'a>, Stop> {
        let beginning = packed.cursor.at_least(SKIPPED_HEADER_BYTES)?;
        if is_skippable(beginning) && beginning.len() >= SKIPPED_HEADER_BYTES {
            let length = u32::from_le_bytes([beginning[4], beginning[5], beginning[6], beginning[7]]);
            // Includes the length field, where a text can begin.
            packed.consume(SKIPPED_MAGIC_BYTES);
            let rest = (SKIPPED_HEADER_BYTES - SKIPPED_MAGIC_BYTES) as u64 + u64::from(length);
            self.walk.mask(&mut (&mut packed).take(rest), &mut io::sink())?;
            return Ok(Frame::Between(packed, decoder));
        }
        if !beginning.starts_with(ZSTD) {
            // Tools ignore what follows the last frame, or complain about it.
            self.walk.mask(&mut packed, &mut io::sink())?;
            return Ok(Frame::Done);
        }
        decoder.set_max_window_size(self.room);
        match StreamingDecoder::new_with_decoder(packed, decoder) {
            Ok(decoder) => Ok(Frame::Open(decoder)),
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => Err(too_large(self.room)),
            Err(error) => Err(Stop::Io(io::Error::other(error))),
        }
    }
}

impl Read for Frames<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.unpack(into)?)
    }
}
