//! PDF documents: their packed streams are unpacked, and packed anew at their old length.
//!
//! | module | contents |
//! | --- | --- |
//! | `streams` | where streams begin |
//! | `ascii85` | the text that some writers put around packed data |
//! | `pack` | packing to a given length |
//!
//! A document states the place of each object and the length of each stream, so nothing
//! may move: a stream that cannot become as long as it was withholds the document.
//! Pages, attachments and collections of other objects (`/ObjStm`) all are such streams.
//! Deliberately absent: text that a writer sets letter by letter or by the numbers of a
//! font's glyphs, which only a program that draws pages puts together.

mod ascii85;
mod pack;
mod streams;

use super::Stop;
use super::bytes::{Cursor, ReadAt, SourceRange};
use super::inflate::Inflate;
use super::walk::Walk;
use ascii85::Ascii85;
use pack::{packed_to, written_to};
use std::cell::Cell;
use std::io::{self, Read, Write};
use streams::{Packing, Stream, Streams};

/// Streams that are encrypted, damaged, or packed in another way.
const NOTE: &str = "streams of a PDF document";

/// Length of the header of packed data, and of the checksum behind it (RFC 1950).
const HEADER_BYTES: u64 = 2;
const CHECKSUM_BYTES: u64 = 4;

/// Censors a document.
pub(super) fn censor(walk: Walk<'_>, source: &dyn ReadAt, output: &mut dyn Write) -> Result<(), Stop> {
    let mut patches = Vec::new();
    let mut streams = Streams::new(source);
    while let Some(stream) = streams.next()? {
        walk.meter().member()?;
        let end = Cell::new(stream.at);
        match walk.look_again(|walk| unpack(walk, source, &stream, &end, &mut io::sink())) {
            Ok(()) => {}
            Err(Stop::Truncated | Stop::Damaged(_)) => walk.note(NOTE),
            Err(Stop::Dirty) if !walk.is_looking() => patches.push(packed_anew(walk, source, &stream)?),
            Err(stop) => return Err(stop),
        }
        streams.go_on(end.get());
    }
    walk.mask(&mut Patched { cursor: Cursor::new(source), patches: &patches }, output)
}

/// Censors the content of a stream, and tells where it ends.
fn unpack(
    walk: Walk<'_>,
    source: &dyn ReadAt,
    stream: &Stream,
    end: &Cell<u64>,
    output: &mut dyn Write,
) -> Result<(), Stop> {
    let rest = SourceRange::new(source, stream.at, u64::MAX);
    let mut header = [0; 2];
    match stream.packing {
        Packing::None => Ok(()),
        Packing::Hidden => {
            walk.note(NOTE);
            Ok(())
        }
        Packing::Deflated => {
            let mut cursor = Cursor::new(&rest);
            cursor.seek(HEADER_BYTES);
            let mut inflate = Inflate::new(cursor, walk);
            let result = walk.content(&mut inflate, output);
            end.set(stream.at + inflate.into_source().position());
            result
        }
        Packing::Ascii85 { is_deflated } => {
            let mut text = Ascii85::new(Cursor::new(&rest));
            let result = if is_deflated {
                text.read_exact(&mut header).map_err(|_| Stop::Truncated).and_then(|()| {
                    let mut inflate = Inflate::new(&mut text, walk);
                    walk.content(&mut inflate, output)
                })
            } else {
                walk.content(&mut text, output)
            };
            end.set(stream.at + text.position());
            result
        }
    }
}

/// Packed data that takes the place of other data of the same length.
struct Patch {
    at: u64,
    packed: Vec<u8>,
}

/// Packs a stream with a secret anew; fails with [`Stop::Dirty`] where that is not possible.
fn packed_anew(walk: Walk<'_>, source: &dyn ReadAt, stream: &Stream) -> Result<Patch, Stop> {
    let (mut content, end) = (Held { walk, bytes: Vec::new() }, Cell::new(stream.at));
    unpack(walk, source, stream, &end, &mut content)?;
    let content = &content.bytes;
    let most = source.len() - stream.at;
    let length = |behind: u64| {
        let length = (end.get() - stream.at).saturating_add(behind);
        walk.hold_memory(length)?;
        usize::try_from(length.min(most)).map_err(|_| Stop::Dirty)
    };
    let packed = match stream.packing {
        Packing::None | Packing::Hidden => None,
        Packing::Deflated => packed_to(content, length(CHECKSUM_BYTES)?),
        Packing::Ascii85 { is_deflated } => {
            let length = length(0)?.saturating_sub(1);
            written_to(content, is_deflated, length).map(|text| [&text[..], b"~"].concat())
        }
    };
    let packed = packed.filter(|packed| packed.len() as u64 <= most).ok_or(Stop::Dirty)?;
    Ok(Patch { at: stream.at, packed })
}

/// Content that is held in memory.
struct Held<'a> {
    walk: Walk<'a>,
    bytes: Vec<u8>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.walk.release_memory(self.bytes.len() as u64);
    }
}

impl Write for Held<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.walk.hold_memory(bytes.len() as u64)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A document with patches in ascending order.
struct Patched<'a> {
    cursor: Cursor<'a>,
    patches: &'a [Patch],
}

impl Read for Patched<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let at = self.cursor.position();
        let read = self.cursor.read(into)?;
        let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        while let Some(patch) = self.patches.first().filter(|patch| patch.at < at + read as u64) {
            let (skipped, from) = (place(at.saturating_sub(patch.at)), place(patch.at.saturating_sub(at)));
            let rest = patch.packed.get(skipped..).unwrap_or_default();
            let now = rest.len().min(read - from);
            into[from..from + now].copy_from_slice(&rest[..now]);
            if now < rest.len() {
                break;
            }
            self.patches = &self.patches[1..];
        }
        Ok(read)
    }
}
