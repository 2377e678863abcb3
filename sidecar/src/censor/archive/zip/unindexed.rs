//! Members outside of the directory, and bytes that belong to no member.

use super::super::bytes::{Cursor, ReadAt};
use super::super::format::ZIP_MEMBER;
use super::super::inflate::Inflate;
use super::super::walk::{TextMasker, Walk};
use super::super::{CHUNK_BYTES, Stop};
use super::entry::number16;
use super::{DEFLATED, LOCAL_BYTES};
use std::io::{self, BufRead};

/// Scans everything: packed members unpacked, the rest as it is. Data that cannot
/// be unpacked may not be a member at all.
pub(super) fn look(walk: Walk<'_>, source: &dyn ReadAt) -> Result<(), Stop> {
    let mut cursor = Cursor::new(source);
    let mut between = TextMasker::new(walk);
    let mut is_whole = true;
    while let Some(length) = next(&mut cursor, |bytes| between.push(bytes, walk, &mut io::sink()))? {
        let header = cursor.at_least(length)?;
        let is_packed = number16(header, 8) == DEFLATED && number16(header, 6) & 1 == 0;
        let length = if is_packed { length } else { ZIP_MEMBER.len() }.min(header.len());
        between.push(&header[..length], walk, &mut io::sink())?;
        cursor.consume(length);
        if !is_packed {
            continue;
        }
        let data_at = cursor.position();
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
