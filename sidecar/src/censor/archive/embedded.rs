//! Containers that begin at any place of a file: 7z finds them, and other tools do not.

use super::bytes::ReadAt;
use super::format::{GZIP, ZSTD};
use super::walk::Walk;
use super::{CHUNK_BYTES, Stop, gzip, tar_block};
use memchr::memmem;
use std::ops::ControlFlow;

/// Upper bound on the distance from a file's beginning at which a tar header or a zip
/// member is looked for. Without it a file that is delivered as it lies would be read
/// twice, and a sparse one of a tebibyte for minutes.
pub(super) const MAX_SURVEY_BYTES: u64 = 8 << 20;

/// Notes a container that begins among bytes which precede another one.
pub(super) fn note_embedded(walk: Walk<'_>, source: &dyn ReadAt) -> Result<(), Stop> {
    let mut embedded = Embedded::default();
    each_chunk(walk, source, &mut |chunk| {
        if embedded.is_in(chunk) {
            walk.note(EMBEDDED);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })
}

/// The name of a container that only 7z finds.
pub(super) const EMBEDDED: &str = "a container behind other bytes";

/// Calls `each` with one piece of the beginning after another, until it breaks.
pub(super) fn each_chunk(
    walk: Walk<'_>,
    source: &dyn ReadAt,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), Stop> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    while at < source.len().min(MAX_SURVEY_BYTES) {
        walk.meter().time()?;
        let mut filled = 0;
        while filled < CHUNK_BYTES {
            match source.read_at(at + filled as u64, &mut chunk[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        if filled == 0 || each(&chunk[..filled]).is_break() {
            break;
        }
        at += filled as u64;
    }
    Ok(())
}

/// Looks for the beginnings of containers at any place of a text that arrives in pieces.
#[derive(Default)]
pub(super) struct Embedded {
    /// The last bytes of the piece before.
    tail: Vec<u8>,
}

impl Embedded {
    /// Returns whether a container begins in this piece, or at the end of the one before.
    pub(super) fn is_in(&mut self, piece: &[u8]) -> bool {
        let border = tar_block::BYTES - 1;
        let seam = [&self.tail[..], &piece[..piece.len().min(border)]].concat();
        let found = begins_in(&seam) || begins_in(piece);
        let rest = if piece.len() < border { &seam } else { piece };
        self.tail = rest[rest.len().saturating_sub(border)..].to_vec();
        found
    }
}

fn begins_in(bytes: &[u8]) -> bool {
    let any = |magic: &[u8], is_one: &dyn Fn(usize) -> bool| memmem::find_iter(bytes, magic).any(is_one);
    any(b"ustar", &|at| {
        let block = at.checked_sub(tar_block::MAGIC.start).and_then(|at| bytes[at..].first_chunk());
        block.is_some_and(tar_block::is_header)
    }) || any(GZIP, &|at| gzip::is_plausible(&bytes[at..]))
        || SIGNATURES.iter().any(|magic| any(magic, &|_| true))
        || any(ZSTD, &|at| {
            bytes.get(at + ZSTD.len()).is_none_or(|descriptor| descriptor & ZSTD_RESERVED == 0)
        })
}

/// Signatures that hardly any other text has.
const SIGNATURES: [&[u8]; 6] = [
    b"1AY&SY",
    b"\xfd7zXZ\0",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    // A zip archive and a gzip stream in the data URLs of a report.
    b"base64,UEsDB",
    b"base64,H4sI",
];

/// A bit in the frame header of zstd that must be zero (RFC 8878, 3.1.1.1.1).
const ZSTD_RESERVED: u8 = 1 << 3;
