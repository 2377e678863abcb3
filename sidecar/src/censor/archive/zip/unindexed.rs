//! Members outside of the directory, and bytes that belong to no member.

use super::super::bytes::{Cursor, ReadAt, SourceRange};
use super::super::format::{Format, PEEK_BYTES, ZIP_MEMBER};
use super::super::inflate::Inflate;
use super::super::survey::ZIP_MEMBERS;
use super::super::walk::{TextMasker, Walk};
use super::super::{CHUNK_BYTES, Stop, compressed};
use super::entry::{AES, ENCRYPTED, number16, number32};
use super::{DEFLATED, LOCAL_BYTES, STORED, UNKNOWN_METHOD, compressed_format};
use std::io::{self, BufRead};

/// The newest version of the format that a member can need (APPNOTE.TXT 4.4.3).
const MAX_VERSION: u8 = 63;

const HAS_DESCRIPTOR: u16 = 1 << 3;

/// Scans everything: packed members unpacked, the rest as it is. Data that cannot
/// be unpacked may not be a member at all.
pub(super) fn look(walk: Walk<'_>, source: &dyn ReadAt) -> Result<(), Stop> {
    let mut cursor = Cursor::new(source);
    let mut between = TextMasker::new(walk);
    let mut is_whole = true;
    while let Some(whole) = next(&mut cursor, |bytes| between.push(bytes, walk, &mut io::sink()))? {
        let member_at = cursor.position();
        let header = cursor.at_least(whole)?;
        let other = Other::of(header);
        let is_packed = number16(header, 8) == DEFLATED && number16(header, 6) & 1 == 0;
        let length = if is_packed { whole } else { ZIP_MEMBER.len() }.min(header.len());
        between.push(&header[..length], walk, &mut io::sink())?;
        cursor.consume(length);
        let data_at = member_at + whole as u64;
        if !is_packed {
            other.map_or(Ok(()), |other| other.look(walk, source, data_at))?;
            continue;
        }
        let mut inflate = Inflate::new(&mut cursor, walk);
        match walk.look_again(|walk| walk.content(&mut inflate, &mut io::sink())) {
            Ok(()) => between = between.next(walk, &mut io::sink())?,
            Err(Stop::Damaged(_)) => cursor.seek(data_at),
            Err(Stop::Truncated) => {
                is_whole = false;
                cursor.seek(data_at);
            }
            Err(stop) => return Err(stop),
        }
    }
    between.finish(walk, &mut io::sink())?;
    if is_whole { Ok(()) } else { Err(Stop::Truncated) }
}

/// A member that is not deflated. Its bytes are scanned as they are, too.
struct Other {
    method: u16,
    is_encrypted: bool,
    /// The length of its data, where the header states it.
    packed: Option<u64>,
}

impl Other {
    /// Reads a header; `None` for a deflated member, and for what only resembles a header.
    fn of(header: &[u8]) -> Option<Self> {
        let (flags, method) = (number16(header, 6), number16(header, 8));
        let is_header = header.get(4).is_some_and(|version| *version <= MAX_VERSION)
            && matches!(method, 0..=20 | 93..=AES)
            && number16(header, 26) > 0;
        let packed = number32(header, 18);
        let is_stated = flags & HAS_DESCRIPTOR == 0 && packed != u32::MAX;
        let is_encrypted = flags & ENCRYPTED != 0 || method == AES;
        (is_header && (method != DEFLATED || is_encrypted)).then_some(Self {
            method,
            is_encrypted,
            packed: is_stated.then_some(packed.into()),
        })
    }

    /// Looks into what is packed in another way, and into a container that is stored.
    fn look(&self, walk: Walk<'_>, source: &dyn ReadAt, at: u64) -> Result<(), Stop> {
        if self.is_encrypted {
            walk.note("encrypted members");
            return Ok(());
        }
        let data = SourceRange::new(source, at, self.packed.unwrap_or(u64::MAX));
        let looked = if self.method == STORED {
            let Some(format) = Format::of(&SourceRange::new(&data, 0, PEEK_BYTES as u64).to_vec()?) else {
                return Ok(());
            };
            match walk.look_again(|walk| walk.container(format, &data, &mut io::sink())) {
                Err(Stop::Damaged(_)) if format.is_guess() => Ok(()),
                looked => looked,
            }
        } else if let Some(format) = compressed_format(self.method) {
            walk.look_again(|walk| compressed::unpack(walk, format, &data, &mut io::sink()))
        } else {
            walk.note(UNKNOWN_METHOD);
            return Ok(());
        };
        match looked {
            // It may be no member.
            Err(Stop::Damaged(_) | Stop::Truncated | Stop::Member(_)) => {
                walk.note(ZIP_MEMBERS);
                Ok(())
            }
            looked => looked,
        }
    }
}

/// Returns whether something like a member is in there.
pub(super) fn has_members(source: &dyn ReadAt) -> Result<bool, Stop> {
    Ok(next(&mut Cursor::new(source), |_| Ok(()))?.is_some())
}

/// Continues to the next header and returns its length; `skipped` receives the
/// bytes before it.
fn next(
    cursor: &mut Cursor<'_>,
    mut skipped: impl FnMut(&[u8]) -> Result<(), Stop>,
) -> Result<Option<usize>, Stop> {
    loop {
        let buffer = cursor.at_least(LOCAL_BYTES)?;
        let is_end = buffer.len() < LOCAL_BYTES;
        let buffer = &buffer[..buffer.len().min(2 * CHUNK_BYTES)];
        let found = buffer.windows(ZIP_MEMBER.len()).position(|window| window == ZIP_MEMBER);
        match found.filter(|_| !is_end) {
            Some(0) => {
                let texts = usize::from(number16(buffer, 26)) + usize::from(number16(buffer, 28));
                return Ok(Some(LOCAL_BYTES + texts));
            }
            found => {
                // A header may begin in the last bytes of the buffer.
                let without = if is_end { buffer.len() } else { buffer.len() - (ZIP_MEMBER.len() - 1) };
                let length = found.unwrap_or(without);
                skipped(&buffer[..length])?;
                cursor.consume(length);
            }
        }
        if is_end {
            return Ok(None);
        }
    }
}
