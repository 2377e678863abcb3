//! zip archives (APPNOTE.TXT 6.3.10): read by their directory, as tools do.
//!
//! ```text
//! prefix │ header, data │ header, data, descriptor │ … │ directory │ end, comment
//! ```
//!
//! A member without a secret is copied as it is packed. Bytes that belong to no
//! member are scanned too, because some tools read without the directory; a
//! rewritten archive drops them, except for a prefix such as the program of a
//! self-extracting archive. An archive without a directory was cut off, and can
//! only be scanned.

mod comment;
mod directory;
mod ends;
mod entry;
mod member_ranges;
mod unindexed;

use super::bytes::{Cursor, ReadAt, SourceRange};
use super::compressed;
use super::format::PEEK_BYTES;
use super::inflate::Inflate;
use super::spool::Spool;
use super::walk::{Walk, copy};
use super::{CHUNK_BYTES, Format, Stop};
use super::{digests, embedded};
use directory::Directory;
use ends::Ends;
use entry::{Entry, LOCAL_BYTES, Measured, Written, masked_extra};
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::{self, Read, Write};
use std::ops::Range;

/// Length of an end record without a comment.
pub(super) const END_BYTES: u64 = 22;

/// The note on a member of a method without a decoder here.
const UNKNOWN_METHOD: &str = "members packed by a method that is not known here";

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Size from which on sizes are written with 64 bits.
const MIN_ZIP64_BYTES: u64 = 0xffff_0000;

/// Amount of a member's data scanned together with its surroundings; secrets
/// are hardly ever longer.
const CONTEXT_BYTES: u64 = 64 * 1024;

/// Returns whether tools find a directory with members near the end of a file.
pub(super) fn has_directory(source: &dyn ReadAt) -> Result<bool, Stop> {
    Ok(extent(source)?.is_some())
}

/// Returns a format as it is known by the beginning of a file, or that of an archive behind
/// an unknown beginning.
pub(super) fn or_at_end(format: Option<Format>, source: &dyn ReadAt) -> Result<Option<Format>, Stop> {
    let is_at_end = format.is_none() && has_directory(source)?;
    Ok(if is_at_end { Some(Format::Zip) } else { format })
}

/// Returns the place of the archive that tools find by its directory near the end of a
/// file: from where its offsets count to the end of its directory.
pub(super) fn extent(source: &dyn ReadAt) -> Result<Option<Range<u64>>, Stop> {
    let directory = match Directory::find(source) {
        Ok(Some(directory)) => directory,
        Ok(None) | Err(Stop::Damaged(_)) => return Ok(None),
        Err(stop) => return Err(stop),
    };
    let has_entries = directory.entries(source).next().is_some_and(|entry| entry.is_ok());
    Ok(has_entries.then(|| directory.extent()))
}

/// Scans members without a directory, and everything between them.
pub(super) fn scan_unindexed(walk: Walk<'_>, source: &dyn ReadAt) -> Result<(), Stop> {
    unindexed::look(walk, source)
}

/// Censors an archive.
pub(super) fn censor(walk: Walk<'_>, source: &dyn ReadAt, output: &mut dyn Write) -> Result<(), Stop> {
    let Some(directory) = Directory::find(source)? else {
        unindexed::look(walk, source)?;
        return Err(Stop::Truncated);
    };
    let ranges = member_ranges::find(walk, &directory, source)?;
    member_ranges::refuse_tar(walk, &directory, source, &ranges)?;
    if walk.is_looking() {
        member_ranges::scan_between(walk, &directory, source, &ranges)?;
    }
    let mut archive = Archive {
        walk,
        source,
        output: Counted { output, written: 0 },
        entries: 0,
        before_directory: Vec::new(),
        directory: Spool::new(walk),
    };
    archive.prefix(ranges.first().map_or(directory.start, |first| first.from))?;
    for number in directory.entries(source) {
        archive.member(number?)?;
    }
    archive.end(&directory)
}

struct Archive<'a, 'io> {
    walk: Walk<'a>,
    source: &'io dyn ReadAt,
    output: Counted<'io>,
    entries: u64,
    /// The text in front of the directory, which is scanned with it.
    before_directory: Vec<u8>,
    /// The new directory.
    directory: Spool<'a>,
}

impl Archive<'_, '_> {
    /// Copies what precedes the first member, unless it contains members.
    fn prefix(&mut self, length: u64) -> Result<(), Stop> {
        let prefix = SourceRange::new(self.source, 0, length);
        if length == 0 || unindexed::has_members(&prefix)? {
            return Ok(());
        }
        embedded::note_embedded(self.walk, &prefix)?;
        self.walk.mask(&mut Cursor::new(&prefix), &mut self.output)
    }

    fn member(&mut self, mut entry: Entry) -> Result<(), Stop> {
        let local = entry.local(self.source)?;
        if !self.walk.is_looking() {
            self.walk.note_digests(digests::of_member(&local.name));
        }
        let raw = SourceRange::new(self.source, local.data_at, entry.packed);
        let mut name = local.name;
        self.walk.mask_text(&mut name)?;
        self.walk.mask_text(&mut entry.name)?;
        self.walk.mask_text(&mut entry.comment)?;
        entry.extra = masked_extra(self.walk, &entry.extra)?;
        let local_extra = masked_extra(self.walk, &local.extra)?;
        let member = Member { entry: &entry, raw };
        if self.walk.is_looking() {
            return member.censor(self.walk, &mut io::sink()).map_err(|stop| match stop {
                Stop::Truncated | Stop::Damaged(_) | Stop::Member(_) => Stop::Dirty,
                Stop::Dirty | Stop::File(_) | Stop::GivenUp | Stop::Io(_) => stop,
            });
        }
        let offset = self.output.written;
        let texts = [entry.name.as_slice(), &local_extra].concat();
        let looked = self.walk.look_again(|walk| {
            member.censor(walk, &mut io::sink())?;
            scan_boundary(walk, &entry, &texts, &SourceRange::new(&raw, 0, CONTEXT_BYTES).to_vec()?)
        });
        let written = match looked {
            Ok(()) => self.copy(&member, &local_extra, &texts)?,
            Err(Stop::Dirty) if entry.is_masked_inside() => match self.measure(&member, &texts) {
                Ok((sums, ends)) => self.pack(&member, sums, &local_extra, ends.text(&entry, &texts))?,
                Err(stop) => self.withhold(&mut entry.clone(), stop)?,
            },
            Err(stop) => self.withhold(&mut entry.clone(), stop)?,
        };
        let entry = written.entry.as_ref().unwrap_or(&entry);
        self.directory.write_all(&entry.record(&written, offset))?;
        self.entries += 1;
        Ok(())
    }

    /// Copies a member as it is packed.
    fn copy(&mut self, member: &Member<'_>, extra: &[u8], texts: &[u8]) -> Result<Written, Stop> {
        let entry = member.entry;
        self.before_directory = Ends::of(&member.raw)?.text(entry, texts);
        let sums = Measured { crc: entry.crc, packed: entry.packed, size: entry.size };
        self.output.write_all(&entry.header(Some(&sums), extra))?;
        copy(&member.raw, &mut self.output)?;
        Ok(Written { entry: None, sums, is_streamed: false })
    }

    /// Measures the masked member without writing it: the header of stored data
    /// states its size, and a member that cannot be censored must be known early.
    fn measure(&self, member: &Member<'_>, texts: &[u8]) -> Result<(Measured, Ends), Stop> {
        let mut summing = Summing { crc: Crc::new(), size: 0, output: Ends::default() };
        self.walk.dry_run(|walk| member.censor(walk, &mut summing))?;
        let ends = summing.output;
        self.walk.look_again(|walk| scan_boundary(walk, member.entry, texts, &ends.first))?;
        Ok((Measured { crc: summing.crc.sum(), packed: summing.size, size: summing.size }, ends))
    }

    /// Writes a member with its content masked. `text` is what may go on in the directory.
    fn pack(
        &mut self,
        member: &Member<'_>,
        sums: Measured,
        extra: &[u8],
        text: Vec<u8>,
    ) -> Result<Written, Stop> {
        let entry = member.entry;
        if entry.method == STORED {
            self.before_directory = text;
            self.output.write_all(&entry.header(Some(&sums), extra))?;
            member.censor(self.walk, &mut self.output)?;
            return Ok(Written { entry: None, sums, is_streamed: false });
        }
        let is_large = sums.size >= MIN_ZIP64_BYTES;
        let streamed = entry.deflated(sums.size);
        self.output.write_all(&streamed.header(None, extra))?;
        let before = self.output.written;
        let (crc, size) = deflate(&mut self.output, |packer| member.censor(self.walk, packer))?;
        let sums = Measured { crc, packed: self.output.written - before, size };
        self.before_directory = sums.descriptor(is_large);
        self.output.write_all(&self.before_directory)?;
        Ok(Written { entry: Some(streamed), sums, is_streamed: true })
    }

    /// Replaces a member with a line that gives the reason.
    fn withhold(&mut self, entry: &mut Entry, stop: Stop) -> Result<Written, Stop> {
        let reason = match stop {
            Stop::File(_) | Stop::GivenUp | Stop::Io(_) => return Err(stop),
            Stop::Dirty | Stop::Truncated => format!("{stop} and cannot be packed anew"),
            Stop::Damaged(_) | Stop::Member(_) => stop.to_string(),
        };
        self.walk.count_withheld()?;
        let line = format!("This member was withheld: {reason}.\n");
        let mut crc = Crc::new();
        crc.update(line.as_bytes());
        let size = line.len() as u64;
        let sums = Measured { crc: crc.sum(), packed: size, size };
        let placeholder = entry.placeholder();
        self.output.write_all(&placeholder.header(Some(&sums), &[]))?;
        self.output.write_all(line.as_bytes())?;
        self.before_directory = [placeholder.name.as_slice(), line.as_bytes()].concat();
        Ok(Written { entry: Some(placeholder), sums, is_streamed: false })
    }

    /// Writes the directory and its end record.
    fn end(mut self, directory: &Directory) -> Result<(), Stop> {
        // The comment and what follows it are one text.
        let comment = directory.comment(self.source);
        if self.walk.is_looking() {
            return self.walk.mask(&mut Cursor::new(&comment), &mut io::sink());
        }
        let (start, size) = (self.output.written, self.directory.len());
        let end = directory::end(self.entries, start, size, directory.comment);
        let before: &[&dyn ReadAt] = &[&self.before_directory.as_slice(), &self.directory, &end.as_slice()];
        let comment = comment::masked(self.walk, before, &comment)?;
        copy(&self.directory, &mut self.output)?;
        self.output.write_all(&end)?;
        copy(&comment, &mut self.output)
    }
}

/// Returns whether a member's data is scanned as it is, by its beginning.
fn is_text(entry: &Entry, data: &[u8]) -> bool {
    let is_container = || Format::of(&data[..data.len().min(PEEK_BYTES)]).is_some();
    entry.is_plain() && !(entry.is_masked_inside() && is_container())
}

/// Scans a member's texts, and across their boundary where its data is text.
fn scan_boundary(walk: Walk<'_>, entry: &Entry, texts: &[u8], data: &[u8]) -> Result<(), Stop> {
    let data = if is_text(entry, data) { data } else { &[] };
    walk.mask(&mut texts.chain(data), &mut io::sink()).map_err(|stop| match stop {
        Stop::Dirty => Stop::Member("a secret runs on from its name into its content".to_owned()),
        Stop::Truncated
        | Stop::Damaged(_)
        | Stop::Member(_)
        | Stop::File(_)
        | Stop::GivenUp
        | Stop::Io(_) => stop,
    })
}

/// Packs what `write` writes, and returns its checksum and size.
fn deflate(
    output: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Stop>,
) -> Result<(u32, u64), Stop> {
    let encoder = DeflateEncoder::new(output, Compression::default());
    let mut summing = Summing { crc: Crc::new(), size: 0, output: encoder };
    write(&mut summing)?;
    let sums = (summing.crc.sum(), summing.size);
    summing.output.finish()?;
    Ok(sums)
}

/// A member's packed data.
struct Member<'a> {
    entry: &'a Entry,
    raw: SourceRange<'a>,
}

impl Member<'_> {
    fn censor(&self, walk: Walk<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        let raw = Cursor::new(&self.raw);
        if self.raw.len() < self.entry.packed {
            return Err(Stop::Truncated);
        }
        if self.entry.is_encrypted() {
            walk.note("encrypted members");
            return walk.mask(&mut { raw }, output);
        }
        match (self.entry.method, compressed_format(self.entry.method)) {
            (STORED, _) => self.checked(raw, |input| walk.content(input, output)).map(|_| ()),
            (DEFLATED, _) => {
                let inflate = Inflate::new(raw, walk);
                let inflate = self.checked(inflate, |input| walk.content(input, output))?;
                // Tools ignore what follows the end of the data.
                walk.mask(&mut inflate.into_source(), &mut io::sink())
            }
            (_, Some(format)) => compressed::unpack(walk, format, &self.raw, output),
            (_, None) => {
                walk.note(UNKNOWN_METHOD);
                walk.mask(&mut { raw }, output)
            }
        }
    }

    /// Compares unpacked data with the directory's checksum and size.
    fn checked<R: Read>(
        &self,
        input: R,
        walk: impl FnOnce(&mut dyn Read) -> Result<(), Stop>,
    ) -> Result<R, Stop> {
        let mut summing = Summing { crc: Crc::new(), size: 0, output: input };
        walk(&mut summing)?;
        if (summing.crc.sum(), summing.size) != (self.entry.crc, self.entry.size) {
            return Err(Stop::Damaged("its content does not match its checksum"));
        }
        Ok(summing.output)
    }
}

fn compressed_format(method: u16) -> Option<Format> {
    match method {
        12 => Some(Format::Bzip2),
        93 => Some(Format::Zstd),
        95 => Some(Format::Xz),
        _ => None,
    }
}

/// A reader or writer that computes checksum and size.
struct Summing<T> {
    crc: Crc,
    size: u64,
    output: T,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let now = &bytes[..bytes.len().min(CHUNK_BYTES)];
        self.output.write_all(now)?;
        self.crc.update(now);
        self.size += now.len() as u64;
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.output.read(into)?;
        self.crc.update(&into[..read]);
        self.size += read as u64;
        Ok(read)
    }
}

struct Counted<'a> {
    output: &'a mut dyn Write,
    written: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
