//! zstd, bzip2, xz, lzma and zlib: unpacked, and packed anew when they hold a secret.
//!
//! | module | contents |
//! | --- | --- |
//! | `zstd_frames` | the frames of a zstd stream as one text |
//! | `pack` | the encoders |
//!
//! A stream that is packed anew is one stream: what was in several frames, members or
//! blocks, among them indexes that no longer fit, is in one.

mod pack;
mod zstd_frames;

use super::bytes::{Cursor, ReadAt, SourceRange};
use super::format::Format;
use super::limits::Meter;
use super::walk::Walk;
use super::{CHUNK_BYTES, Stop};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::ZlibDecoder;
use lzma_rust2::{LzmaReader, XzReader};
use pack::Packer;
use std::cell::Cell;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;
use zstd_frames::Frames;

/// Censors a stream.
pub(super) fn censor(
    walk: Walk<'_>,
    format: Format,
    source: &dyn ReadAt,
    output: &mut dyn Write,
) -> Result<(), Stop> {
    if walk.is_looking() {
        return unpack_all(walk, format, source, &mut io::sink()).and_then(|rest| behind(walk, rest, output));
    }
    let mut packer = Packer::new(walk, format, source, output)?;
    let rest = unpack_all(walk, format, source, &mut packer)?;
    packer.finish()?;
    behind(walk, rest, output)
}

/// Censors the content of a stream, and returns what follows it, where its decoder has not
/// read that.
fn unpack_all<'a>(
    walk: Walk<'_>,
    format: Format,
    source: &'a dyn ReadAt,
    output: &mut dyn Write,
) -> Result<Option<Rest<'a>>, Stop> {
    if format.is_guess() {
        unpack_first(walk, format, source, output).map(Some)
    } else {
        unpack(walk, format, source, output).map(|()| None)
    }
}

/// Masks what follows a stream.
fn behind(walk: Walk<'_>, rest: Option<Rest<'_>>, output: &mut dyn Write) -> Result<(), Stop> {
    let Some(mut rest) = rest else { return Ok(()) };
    let mut first = [0];
    if rest.read(&mut first)? > 0 {
        walk.note("what follows a compressed stream");
        walk.mask(&mut first.chain(rest), output)?;
    }
    Ok(())
}

/// The bytes behind a stream.
type Rest<'a> = io::Chain<io::Cursor<Vec<u8>>, Packed<'a>>;

/// Censors the content of a stream of a kind that others do not follow.
fn unpack_first<'a>(
    walk: Walk<'_>,
    format: Format,
    source: &'a dyn ReadAt,
    output: &mut dyn Write,
) -> Result<Rest<'a>, Stop> {
    let room = walk.memory_left();
    let packed = Packed { cursor: Cursor::new(source), state: Rc::default() };
    let state = Rc::clone(&packed.state);
    let unpacked = |decoder, most| Unpacked {
        decoder,
        packed: state,
        meter: walk.meter(),
        written: 0,
        room,
        most,
        again: None,
    };
    if format == Format::Zlib {
        let mut decoder = ZlibDecoder::new(packed);
        walk.content(&mut unpacked(Box::new(&mut decoder), u64::MAX), output)?;
        return Ok(io::Cursor::new(Vec::new()).chain(decoder.into_inner()));
    }
    let window = SourceRange::new(source, 1, 4).to_vec()?;
    let window = window.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
    let most = if window > room / 2 { grown(room) } else { u64::MAX };
    let decoder = LzmaReader::new_mem_limit(packed, u32::MAX, None);
    let mut decoder = decoder.map_err(|error| {
        error.downcast::<Stop>().unwrap_or(Stop::Damaged("its header does not begin a stream"))
    })?;
    walk.content(&mut unpacked(Box::new(&mut decoder), most), output)?;
    let (packed, ahead) = decoder.into_parts();
    Ok(io::Cursor::new(ahead).chain(packed))
}

/// Returns how much content a window that grows has room for: it is twice as large for a
/// moment, and reads ahead.
fn grown(room: u64) -> u64 {
    (room / 2).saturating_sub(2 * CHUNK_BYTES as u64)
}

/// Censors the content of a stream, and writes it unpacked.
pub(super) fn unpack(
    walk: Walk<'_>,
    format: Format,
    source: &dyn ReadAt,
    output: &mut dyn Write,
) -> Result<(), Stop> {
    let room = walk.memory_left();
    let packed = Packed { cursor: Cursor::new(source), state: Rc::default() };
    let state = Rc::clone(&packed.state);
    let decoder: Box<dyn Read + '_> = match format {
        Format::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
        Format::Xz => {
            let kibibytes = u32::try_from(room / 1024).unwrap_or(u32::MAX);
            Box::new(XzReader::new_mem_limit(packed, true, kibibytes))
        }
        Format::Zstd => Box::new(Frames::new(walk, room, packed)),
        Format::Gzip | Format::Tar | Format::Zip | Format::Ar | Format::Lzma | Format::Pdf | Format::Zlib => {
            return Err(Stop::Damaged("it is of another format"));
        }
    };
    let again = (format == Format::Xz).then_some(source);
    let mut unpacked =
        Unpacked { decoder, packed: state, meter: walk.meter(), written: 0, room, most: u64::MAX, again };
    walk.content(&mut unpacked, output)
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
        self.most = grown(self.room);
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
