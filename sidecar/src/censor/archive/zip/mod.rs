//! zip archives (APPNOTE.TXT 6.3.10): read by their directory, as tools do.
//!
//! ```text
//! prefix │ header, data │ header, data, descriptor │ … │ directory │ end, comment
//! ```
//!
//! A member without a secret is copied as it is packed. What belongs to no
//! member is looked at too, because some tools read without the directory; it
//! is left out of an archive that is written anew, except for a prefix such as
//! the program of a self-extracting archive. An archive without a directory
//! was cut off, and can only be looked at.

mod directory;
mod entry;
mod loose;
mod places;

use super::bytes::{Cursor, Part, ReadAt};
use super::format::PEEK_BYTES;
use super::inflate::Inflate;
use super::pass::{Pass, copy};
use super::scanned;
use super::spool::Spool;
use super::{CHUNK_BYTES, Format, Stop};
use directory::Directory;
use entry::{Entry, LOCAL_BYTES, LOCAL_MAGIC, Sums, Written, masked_extra};
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::{self, Read, Write};

pub(super) use directory::END_MAGIC;

/// What a file of members begins with.
pub(super) const MAGIC: &[u8] = LOCAL_MAGIC;

/// A directory end without a comment, at the end of a file that begins otherwise.
pub(super) const END_BYTES: u64 = 22;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// From about 4 GiB on sizes are written in 64 bits.
const LARGE: u64 = 0xffff_0000;

/// So much of a member's data is looked at together with what is around it.
/// Secrets are hardly ever longer.
const NEAR_BYTES: u64 = 64 * 1024;

/// Walks through an archive.
pub(super) fn walk(pass: Pass<'_>, source: &dyn ReadAt, output: &mut dyn Write) -> Result<(), Stop> {
    let Some(directory) = Directory::find(source)? else {
        loose::look(pass, source)?;
        return Err(Stop::Truncated);
    };
    let places = places::find(pass, &directory, source)?;
    if pass.is_looking() {
        places::look_between(pass, &directory, source, &places)?;
    }
    let mut archive = Archive {
        pass,
        source,
        output: Counted { output, written: 0 },
        entries: 0,
        directory: Spool::new(pass),
    };
    archive.prefix(places.first().map_or(directory.start, |first| first.from))?;
    for number in directory.entries(source) {
        archive.member(number?)?;
    }
    archive.end(&directory)
}

struct Archive<'a, 'io> {
    pass: Pass<'a>,
    source: &'io dyn ReadAt,
    output: Counted<'io>,
    entries: u64,
    /// The new directory.
    directory: Spool<'a>,
}

impl Archive<'_, '_> {
    /// What lies before the first member, unless there are members in it.
    fn prefix(&mut self, length: u64) -> Result<(), Stop> {
        let prefix = Part::new(self.source, 0, length);
        if length == 0 || loose::has_members(&prefix)? {
            return Ok(());
        }
        self.pass.mask(&mut Cursor::new(&prefix), &mut self.output)
    }

    fn member(&mut self, mut entry: Entry) -> Result<(), Stop> {
        let local = entry.local(self.source)?;
        let raw = Part::new(self.source, local.data_at, entry.packed);
        let mut name = local.name;
        self.pass.mask_text(&mut name)?;
        self.pass.mask_text(&mut entry.name)?;
        self.pass.mask_text(&mut entry.comment)?;
        entry.extra = masked_extra(self.pass, &entry.extra)?;
        let local_extra = masked_extra(self.pass, &local.extra)?;
        let member = Member { entry: &entry, raw };
        if self.pass.is_looking() {
            return member.walk(self.pass, &mut io::sink()).map_err(|stop| match stop {
                Stop::Truncated | Stop::Damaged(_) | Stop::Member(_) => Stop::Dirty,
                Stop::Dirty | Stop::File(_) | Stop::Io(_) => stop,
            });
        }
        let offset = self.output.written;
        let texts = [entry.name.as_slice(), &local_extra].concat();
        let looked = self.pass.look_again(|pass| {
            member.walk(pass, &mut io::sink())?;
            look_across(pass, &entry, &texts, &Part::new(&raw, 0, NEAR_BYTES).to_vec()?)
        });
        let written = match looked {
            Ok(()) => self.copy(&member, &local_extra)?,
            Err(Stop::Dirty) if entry.is_masked_inside() => match self.rehearse(&member, &texts) {
                Ok(sums) => self.pack(&member, sums, &local_extra)?,
                Err(stop) => self.withhold(&mut entry.clone(), stop)?,
            },
            Err(stop) => self.withhold(&mut entry.clone(), stop)?,
        };
        let entry = written.entry.as_ref().unwrap_or(&entry);
        self.directory.write_all(&entry.record(&written, offset))?;
        self.entries += 1;
        Ok(())
    }

    /// A member that stays as it is packed.
    fn copy(&mut self, member: &Member<'_>, extra: &[u8]) -> Result<Written, Stop> {
        let entry = member.entry;
        let sums = Sums { crc: entry.crc, packed: entry.packed, size: entry.size };
        self.output.write_all(&entry.header(Some(&sums), extra))?;
        copy(&member.raw, &mut self.output)?;
        Ok(Written { entry: None, sums, is_streamed: false })
    }

    /// What a member would be: its sums must stand before stored data, and
    /// whatever cannot be censored is found before anything is written.
    fn rehearse(&self, member: &Member<'_>, texts: &[u8]) -> Result<Sums, Stop> {
        let mut summing = Summing { crc: Crc::new(), size: 0, output: Beginning::default() };
        self.pass.rehearse(|pass| member.walk(pass, &mut summing))?;
        let beginning = summing.output.0;
        self.pass.look_again(|pass| look_across(pass, member.entry, texts, &beginning))?;
        Ok(Sums { crc: summing.crc.sum(), packed: summing.size, size: summing.size })
    }

    /// A member that is masked inside.
    fn pack(&mut self, member: &Member<'_>, sums: Sums, extra: &[u8]) -> Result<Written, Stop> {
        let entry = member.entry;
        if entry.method == STORED {
            self.output.write_all(&entry.header(Some(&sums), extra))?;
            member.walk(self.pass, &mut self.output)?;
            return Ok(Written { entry: None, sums, is_streamed: false });
        }
        let is_large = sums.size >= LARGE;
        let streamed = entry.of_size(sums.size);
        self.output.write_all(&streamed.header(None, extra))?;
        let before = self.output.written;
        let (crc, size) = deflate(&mut self.output, |packer| member.walk(self.pass, packer))?;
        let sums = Sums { crc, packed: self.output.written - before, size };
        self.output.write_all(&sums.descriptor(is_large))?;
        Ok(Written { entry: None, sums, is_streamed: true })
    }

    /// Puts a line with the reason in the place of a member.
    fn withhold(&mut self, entry: &mut Entry, stop: Stop) -> Result<Written, Stop> {
        let reason = match stop {
            Stop::File(_) | Stop::Io(_) => return Err(stop),
            Stop::Dirty | Stop::Truncated => format!("{stop}, and cannot be packed anew"),
            Stop::Damaged(_) | Stop::Member(_) => stop.to_string(),
        };
        self.pass.count_withheld()?;
        let line = format!("This member was withheld: {reason}.\n");
        let mut crc = Crc::new();
        crc.update(line.as_bytes());
        let size = line.len() as u64;
        let sums = Sums { crc: crc.sum(), packed: size, size };
        let placeholder = entry.placeholder();
        self.output.write_all(&placeholder.header(Some(&sums), &[]))?;
        self.output.write_all(line.as_bytes())?;
        Ok(Written { entry: Some(placeholder), sums, is_streamed: false })
    }

    /// Writes the directory and its end.
    fn end(mut self, directory: &Directory) -> Result<(), Stop> {
        if !self.pass.is_looking() {
            let look = |pass: Pass<'_>| pass.mask(&mut Cursor::new(&self.directory), &mut io::sink());
            self.pass.look_again(look).map_err(|stop| match stop {
                Stop::Dirty => Stop::Damaged("its directory holds a secret where texts end"),
                Stop::Truncated | Stop::Damaged(_) | Stop::Member(_) | Stop::File(_) | Stop::Io(_) => stop,
            })?;
        }
        let start = self.output.written;
        copy(&self.directory, &mut self.output)?;
        let size = self.output.written - start;
        self.output.write_all(&directory::end(self.entries, start, size, directory.comment))?;
        // The comment and what lies behind it are one text.
        self.pass.mask(&mut Cursor::new(&directory.comment(self.source)), &mut self.output)
    }
}

/// Whether a member's data is looked at as it stands there, by its beginning.
fn is_text(entry: &Entry, data: &[u8]) -> bool {
    let is_container = || Format::of(&data[..data.len().min(PEEK_BYTES)]).is_some();
    entry.is_plain() && !(entry.is_masked_inside() && is_container())
}

/// Looks at what runs on from the texts before the data into it.
fn look_across(pass: Pass<'_>, entry: &Entry, texts: &[u8], data: &[u8]) -> Result<(), Stop> {
    if !is_text(entry, data) {
        return Ok(());
    }
    pass.mask(&mut texts.chain(data), &mut io::sink()).map_err(|stop| match stop {
        Stop::Dirty => Stop::Member("a secret runs on from its name into its content".to_owned()),
        Stop::Truncated | Stop::Damaged(_) | Stop::Member(_) | Stop::File(_) | Stop::Io(_) => stop,
    })
}

/// Packs what is written; its checksum and size.
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
    raw: Part<'a>,
}

impl Member<'_> {
    fn walk(&self, pass: Pass<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        let raw = Cursor::new(&self.raw);
        if self.raw.len() < self.entry.packed {
            return Err(Stop::Truncated);
        }
        if self.entry.is_encrypted() {
            pass.note("encrypted members");
            return pass.mask(&mut { raw }, output);
        }
        match (self.entry.method, scanned_method(self.entry.method)) {
            (STORED, _) => self.checked(raw, |input| pass.content(input, output)).map(|_| ()),
            (DEFLATED, _) => {
                let inflate = Inflate::new(raw, pass.meter());
                let inflate = self.checked(inflate, |input| pass.content(input, output))?;
                // Tools leave out what follows the end of the data.
                pass.mask(&mut inflate.into_source(), &mut io::sink())
            }
            (_, Some(format)) => scanned::walk(pass, format, &self.raw, output),
            (_, None) => {
                pass.note("members packed by a method that is not known here");
                pass.mask(&mut { raw }, output)
            }
        }
    }

    /// Compares what was unpacked with what the directory says of it.
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

fn scanned_method(method: u16) -> Option<Format> {
    match method {
        12 => Some(Format::Bzip2),
        93 => Some(Format::Zstd),
        95 => Some(Format::Xz),
        _ => None,
    }
}

/// Keeps the beginning of what is written.
#[derive(Default)]
struct Beginning(Vec<u8>);

impl Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(NEAR_BYTES).unwrap_or(usize::MAX) - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sums up what passes.
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
