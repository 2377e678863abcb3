//! gzip streams (RFC 1952): unpacked as one text, repacked member by member.
//!
//! A secret can span members, so their contents are one text. When it is
//! repacked, each member gets the same range of it, and keeps its name, comment
//! and time. Extra fields are dropped: the formats that use them (BGZF, dictzip)
//! store sizes of the packed data there.

use super::bytes::{Cursor, ReadAt, are_zeros};
use super::format::{GZIP, can_be_unpacked};
use super::inflate::Inflate;
use super::walk::Walk;
use super::{CHUNK_BYTES, Stop};
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};
use std::ops::Range;

const FIXED_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;

/// Offset of time, `XFL` and operating system.
const TIME_AT: usize = 4;

const HAS_CRC: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// `XFL` of a member packed with the fastest algorithm.
const FASTEST: u8 = 4;

/// Maximum length of a name or comment; no sane writer exceeds it.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Returns whether a stream may begin here: few other texts begin with its magic number, have
/// no reserved flag, and can be unpacked.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    let Some(flags) = bytes.get(3) else { return false };
    if flags & RESERVED != 0 {
        return false;
    }
    let packed = bytes.get(FIXED_BYTES..);
    packed.filter(|_| *flags & !1 == 0).is_none_or(can_be_unpacked)
}

/// Censors a stream.
pub(super) fn censor(walk: Walk<'_>, source: &dyn ReadAt, output: &mut dyn Write) -> Result<(), Stop> {
    let members = Members::default();
    let mut input = Unpacked::new(walk, Cursor::new(source), &members);
    input.begin()?;
    if walk.is_looking() {
        walk.content(&mut input, &mut io::sink())?;
    } else {
        let mut packer = Packer { members: &members, output, open: None, written: 0 };
        walk.content(&mut input, &mut packer)?;
        packer.finish()?;
    }
    // Tools ignore what follows the last member; padding with zeros is common.
    walk.mask(&mut input.rest(), output)
}

/// The header of a member, as it is rewritten.
struct Header {
    /// Flags, time, `XFL` and the operating system.
    fixed: [u8; FIXED_BYTES],
    /// Ends with a zero, as does the comment.
    name: Option<Vec<u8>>,
    comment: Option<Vec<u8>>,
}

impl Header {
    fn read(walk: Walk<'_>, source: &mut Cursor<'_>) -> Result<Self, Stop> {
        let mut fixed = [0; FIXED_BYTES];
        if super::bytes::read_full(source, &mut fixed)? < FIXED_BYTES {
            return Err(Stop::Truncated);
        }
        let flags = fixed[3];
        if !fixed.starts_with(GZIP) || flags & RESERVED != 0 {
            return Err(Stop::Damaged("a header is invalid"));
        }
        // One text: a secret can begin in place of the numbers and extend into a name.
        let mut texts = fixed[TIME_AT..].to_vec();
        if flags & HAS_EXTRA != 0 {
            let extra = take(source, 2)?;
            let length = usize::from(u16::from_le_bytes([extra[0], extra[1]]));
            texts.extend(extra);
            texts.extend(take(source, length)?);
        }
        let mut text = |flag| {
            let from = texts.len();
            if flags & flag != 0 {
                read_text(source, &mut texts)?;
            }
            Ok::<_, Stop>((flags & flag != 0).then_some(from..texts.len()))
        };
        let (name, comment) = (text(HAS_NAME)?, text(HAS_COMMENT)?);
        if flags & HAS_CRC != 0 {
            take(source, 2)?;
        }
        walk.mask_text(&mut texts)?;
        if flags & HAS_EXTRA != 0 && !walk.is_looking() {
            // Without the extra field, what lies around it is one text.
            let names = name.as_ref().or(comment.as_ref()).map_or(texts.len(), |text| text.start);
            let kept = 0..FIXED_BYTES - TIME_AT;
            let mut rest = [&texts[kept.clone()], &texts[names..]].concat();
            walk.mask_text(&mut rest)?;
            texts[kept.clone()].copy_from_slice(&rest[..kept.len()]);
            texts[names..].copy_from_slice(&rest[kept.len()..]);
        }
        fixed[TIME_AT..].copy_from_slice(&texts[..FIXED_BYTES - TIME_AT]);
        fixed[3] = flags & (HAS_NAME | HAS_COMMENT | 1);
        let masked = |text: Range<usize>| [&texts[text.start..text.end - 1], &[0]].concat();
        Ok(Self { fixed, name: name.map(masked), comment: comment.map(masked) })
    }

    fn write(&self, output: &mut dyn Write) -> io::Result<()> {
        output.write_all(&self.fixed)?;
        for text in [&self.name, &self.comment].into_iter().flatten() {
            output.write_all(text)?;
        }
        Ok(())
    }

    fn level(&self) -> Compression {
        if self.fixed[8] == FASTEST { Compression::fast() } else { Compression::default() }
    }
}

fn take(source: &mut Cursor<'_>, length: usize) -> Result<Vec<u8>, Stop> {
    let mut bytes = vec![0; length];
    match super::bytes::read_full(source, &mut bytes)? {
        read if read == length => Ok(bytes),
        _ => Err(Stop::Truncated),
    }
}

/// Appends a text up to the zero that ends it.
fn read_text(source: &mut Cursor<'_>, texts: &mut Vec<u8>) -> Result<(), Stop> {
    let most = texts.len() + MAX_TEXT_BYTES;
    loop {
        let byte = take(source, 1)?[0];
        texts.push(byte);
        if byte == 0 {
            return Ok(());
        }
        if texts.len() > most {
            return Err(Stop::Damaged("a name in it has no end"));
        }
    }
}

/// Members not written yet, each with the offset where its content begins.
type Members = RefCell<VecDeque<(u64, Header)>>;

/// Reads the content of all members.
struct Unpacked<'a> {
    walk: Walk<'a>,
    inflate: Inflate<'a, Cursor<'a>>,
    members: &'a Members,
    crc: Crc,
    size: u64,
    member_size: u64,
    /// Zeros behind the last member.
    padding: u64,
    is_done: bool,
}

impl<'a> Unpacked<'a> {
    fn new(walk: Walk<'a>, source: Cursor<'a>, members: &'a Members) -> Self {
        let inflate = Inflate::new(source, walk);
        Self { walk, inflate, members, crc: Crc::new(), size: 0, member_size: 0, padding: 0, is_done: false }
    }

    /// Reads a member's header.
    fn begin(&mut self) -> Result<(), Stop> {
        self.walk.meter().member()?;
        let header = Header::read(self.walk, self.inflate.source())?;
        if !self.walk.is_looking() {
            self.members.borrow_mut().push_back((self.size, header));
        }
        self.inflate.restart();
        self.crc.reset();
        self.member_size = 0;
        Ok(())
    }

    fn unpack(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        while !self.is_done && !into.is_empty() {
            let read = self.inflate.read(into)?;
            self.crc.update(&into[..read]);
            self.size += read as u64;
            self.member_size += read as u64;
            if read > 0 {
                return Ok(read);
            }
            self.end()?;
        }
        Ok(0)
    }

    /// Checks the trailer, and continues with the next member.
    fn end(&mut self) -> Result<(), Stop> {
        let trailer = take(self.inflate.source(), TRAILER_BYTES)?;
        let size = u32::try_from(self.member_size % (1 << 32)).unwrap_or(0);
        let expected = [self.crc.sum().to_le_bytes(), size.to_le_bytes()].concat();
        if trailer != expected {
            return Err(Stop::Damaged("its content does not match its checksum"));
        }
        let padding = self.skip_zeros()?;
        if self.inflate.source().at_least(GZIP.len())?.starts_with(GZIP) {
            self.begin()
        } else {
            (self.padding, self.is_done) = (padding, true);
            Ok(())
        }
    }

    /// Skips padding: some tools look for another member behind it, others take it for the
    /// end. A stream that is repacked has none in between.
    fn skip_zeros(&mut self) -> Result<u64, Stop> {
        let mut skipped = 0;
        loop {
            self.walk.meter().time()?;
            let source = self.inflate.source();
            let bytes = source.fill_buf()?;
            let zeros = if are_zeros(bytes) {
                bytes.len()
            } else {
                bytes.iter().take_while(|byte| **byte == 0).count()
            };
            let is_end = bytes.is_empty() || zeros < bytes.len();
            source.consume(zeros);
            skipped += zeros as u64;
            if is_end {
                return Ok(skipped);
            }
        }
    }

    /// Returns what follows the last member.
    fn rest(self) -> impl Read {
        io::repeat(0).take(self.padding).chain(self.inflate.into_source())
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.unpack(into)?)
    }
}

/// Packs a text into members that begin where the original ones began.
struct Packer<'a> {
    members: &'a Members,
    output: &'a mut dyn Write,
    open: Option<Member>,
    written: u64,
}

struct Member {
    encoder: DeflateEncoder<Vec<u8>>,
    crc: Crc,
    size: u64,
}

impl Packer<'_> {
    /// Starts the members that begin here, and returns where the last of them ends.
    fn turn_over(&mut self, is_end: bool) -> io::Result<u64> {
        loop {
            let mut members = self.members.borrow_mut();
            match members.front() {
                Some((at, _)) if *at > self.written && !is_end => return Ok(*at),
                Some(_) | None => {}
            }
            let next = members.pop_front();
            drop(members);
            let Some((_, next)) = next else { return Ok(u64::MAX) };
            self.close()?;
            next.write(self.output)?;
            let encoder = DeflateEncoder::new(Vec::new(), next.level());
            self.open = Some(Member { encoder, crc: Crc::new(), size: 0 });
        }
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(member) = self.open.take() else { return Ok(()) };
        self.output.write_all(&member.encoder.finish()?)?;
        self.output.write_all(&member.crc.sum().to_le_bytes())?;
        let size = u32::try_from(member.size % (1 << 32)).unwrap_or(0);
        self.output.write_all(&size.to_le_bytes())
    }

    fn finish(mut self) -> io::Result<()> {
        self.turn_over(true)?;
        self.close()
    }
}

impl Write for Packer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let until = self.turn_over(false)?;
        let room = usize::try_from(until.saturating_sub(self.written)).unwrap_or(usize::MAX);
        let now = &bytes[..bytes.len().min(room).min(CHUNK_BYTES)];
        if let Some(member) = &mut self.open {
            member.encoder.write_all(now)?;
            member.crc.update(now);
            member.size += now.len() as u64;
            let packed = member.encoder.get_mut();
            self.output.write_all(packed)?;
            packed.clear();
        }
        self.written += now.len() as u64;
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
