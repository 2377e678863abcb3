//! The encoders.

use super::super::bytes::{Cursor, ReadAt, SourceRange};
use super::super::format::Format;
use super::super::spool::Spool;
use super::super::walk::Walk;
use super::super::{CHUNK_BYTES, Stop};
use bzip2::Compression;
use bzip2::write::BzEncoder;
use flate2::write::ZlibEncoder;
use lzma_rust2::{LzmaOptions, LzmaWriter, XzOptions, XzWriter};
use ruzstd::encoding::{CompressionLevel, FrameCompressor};
use std::cell::RefCell;
use std::io::{self, Read, Write};

/// Memory of bzip2's encoder at its highest level (its manual, section 2.4).
const BZIP2_BYTES: u64 = 7600 * 1024;

/// The highest level of xz, and the one where the original's cannot be had.
const MAX_XZ_LEVEL: u32 = 9;
const MIDDLE_XZ_LEVEL: u32 = 3;

/// Where the first block's header begins in an xz file, behind the stream's header; its
/// filters behind sizes that the flags announce; and the filter that packs (`.xz` file
/// format, 3.1 and 5.3.1).
const XZ_BLOCK_AT: u64 = 12;
const XZ_BLOCK_BYTES: u64 = 64;
const XZ_HAS_SIZES: u8 = 0xc0;
const XZ_FILTERS_AT: usize = 2;
const XZ_LZMA2: u8 = 0x21;

/// Packs a text into one stream.
pub(super) struct Packer<'a, 'io> {
    walk: Walk<'a>,
    encoder: Encoder<'a, 'io>,
    _memory: Memory<'a>,
}

enum Encoder<'a, 'io> {
    Bzip2(BzEncoder<&'io mut dyn Write>),
    Lzma(Box<LzmaWriter<&'io mut dyn Write>>),
    Xz(Box<XzWriter<&'io mut dyn Write>>),
    Zlib(ZlibEncoder<&'io mut dyn Write>),
    /// An encoder that reads: the text is kept aside for it.
    Zstd(Spool<'a>, &'io mut dyn Write),
}

/// Memory that is accounted for as long as this lives.
struct Memory<'a> {
    walk: Walk<'a>,
    bytes: u64,
}

impl<'a> Memory<'a> {
    fn hold(walk: Walk<'a>, bytes: u64) -> Result<Self, Stop> {
        walk.hold_memory(bytes)?;
        Ok(Self { walk, bytes })
    }
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        self.walk.release_memory(self.bytes);
    }
}

impl<'a, 'io> Packer<'a, 'io> {
    /// Creates an encoder with the level of the original, where that is known and there
    /// is memory for it.
    pub(super) fn new(
        walk: Walk<'a>,
        format: Format,
        original: &dyn ReadAt,
        output: &'io mut dyn Write,
    ) -> Result<Self, Stop> {
        let (encoder, bytes) = match format {
            Format::Bzip2 => {
                let digit = SourceRange::new(original, 3, 1).to_vec()?.first().map_or(b'9', |digit| *digit);
                let level = Compression::new(u32::from(digit.wrapping_sub(b'0').clamp(1, 9)));
                (Encoder::Bzip2(BzEncoder::new(output, level)), BZIP2_BYTES)
            }
            Format::Xz => {
                let window = xz_window(&SourceRange::new(original, XZ_BLOCK_AT, XZ_BLOCK_BYTES).to_vec()?);
                let (level, bytes) = level(window, walk.memory_left());
                (Encoder::Xz(Box::new(XzWriter::new(output, XzOptions::with_preset(level))?)), bytes)
            }
            Format::Lzma => {
                let window = SourceRange::new(original, 1, 4).to_vec()?;
                let window = window.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
                let (level, bytes) = level(Some(window), walk.memory_left());
                let options = LzmaOptions::with_preset(level);
                (Encoder::Lzma(Box::new(LzmaWriter::new_use_header(output, &options, None)?)), bytes)
            }
            Format::Zlib => {
                let flags = SourceRange::new(original, 1, 1).to_vec()?.first().map_or(0, |flags| flags >> 6);
                let level =
                    if flags == 0 { flate2::Compression::fast() } else { flate2::Compression::default() };
                (Encoder::Zlib(ZlibEncoder::new(output, level)), 0)
            }
            Format::Zstd => (Encoder::Zstd(Spool::new(walk), output), 0),
            Format::Gzip | Format::Tar | Format::Zip | Format::Ar | Format::Pdf => {
                return Err(Stop::Damaged("it is of another format"));
            }
        };
        Ok(Self { walk, encoder, _memory: Memory::hold(walk, bytes)? })
    }

    /// Ends the stream.
    pub(super) fn finish(self) -> Result<(), Stop> {
        match self.encoder {
            Encoder::Bzip2(encoder) => _ = encoder.finish()?,
            Encoder::Lzma(encoder) => _ = encoder.finish()?,
            Encoder::Xz(encoder) => _ = encoder.finish()?,
            Encoder::Zlib(encoder) => _ = encoder.finish()?,
            Encoder::Zstd(text, output) => pack_zstd(self.walk, &text, output)?,
        }
        Ok(())
    }
}

impl Write for Packer<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let now = &bytes[..bytes.len().min(CHUNK_BYTES)];
        self.walk.meter().time()?;
        match &mut self.encoder {
            Encoder::Bzip2(encoder) => encoder.write(now),
            Encoder::Lzma(encoder) => encoder.write(now),
            Encoder::Xz(encoder) => encoder.write(now),
            Encoder::Zlib(encoder) => encoder.write(now),
            Encoder::Zstd(text, _) => text.write(now),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the level whose window is that of the original, or a lower one whose encoder
/// takes at most half of the memory that is left, and what it takes.
fn level(window: Option<u64>, room: u64) -> (u32, u64) {
    let options = LzmaOptions::with_preset;
    let level_of = |window| (0..=MAX_XZ_LEVEL).find(|level| u64::from(options(*level).dict_size) >= window);
    let wanted = window.map_or(MIDDLE_XZ_LEVEL, |window| level_of(window).unwrap_or(MAX_XZ_LEVEL));
    let memory = |level: &u32| u64::from(options(*level).get_memory_usage()) * 1024;
    let level = (0..=wanted).rev().find(|level| memory(level) <= room / 2).unwrap_or(0);
    (level, memory(&level))
}

/// Returns the size of the window that the first block's header states.
fn xz_window(header: &[u8]) -> Option<u64> {
    if header.get(1)? & XZ_HAS_SIZES != 0 {
        return None;
    }
    let mut filters = header.get(XZ_FILTERS_AT..)?;
    // Other filters, for machine code, can come first; all numbers here are below 128.
    loop {
        let (id, size) = (*filters.first()?, usize::from(*filters.get(1)?));
        if id == XZ_LZMA2 {
            let bits = u64::from(*filters.get(2)?);
            return (bits < 40).then_some((2 | bits & 1) << (bits / 2 + 11));
        }
        filters = filters.get(2 + size..).filter(|_| id != 0)?;
    }
}

/// Packs a text into one frame.
fn pack_zstd(walk: Walk<'_>, text: &dyn ReadAt, output: &mut dyn Write) -> Result<(), Stop> {
    let failure = RefCell::new(None);
    let mut compressor = FrameCompressor::new(CompressionLevel::Fastest);
    compressor.set_source(Source { walk, text: Cursor::new(text), failure: &failure });
    compressor.set_drain(Drain { output, failure: &failure });
    compressor.compress();
    failure.into_inner().map_or(Ok(()), |failure: io::Error| Err(failure.into()))
}

/// The encoder panics when its source fails: the text ends there instead.
struct Source<'a> {
    walk: Walk<'a>,
    text: Cursor<'a>,
    failure: &'a RefCell<Option<io::Error>>,
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.failure.borrow().is_some() {
            return Ok(0);
        }
        let read = self.walk.meter().time().map_err(io::Error::from).and_then(|()| self.text.read(into));
        read.or_else(|error| {
            self.failure.replace(Some(error));
            Ok(0)
        })
    }
}

/// It panics when its output fails, too: the rest is dropped instead.
struct Drain<'a> {
    output: &'a mut dyn Write,
    failure: &'a RefCell<Option<io::Error>>,
}

impl Write for Drain<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failure.borrow().is_none()
            && let Err(error) = self.output.write_all(bytes)
        {
            self.failure.replace(Some(error));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
