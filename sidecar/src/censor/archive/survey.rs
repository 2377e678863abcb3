//! Recognition of containers that do not begin like one.
//!
//! Tools look further than the first bytes: GNU tar skips blocks until it finds a
//! header, unzip and Python look for the end record of a zip archive near the end
//! of the file, and 7z for its first member wherever that is.

use super::bytes::ReadAt;
use super::format::{Format, ZIP_MEMBER};
use super::walk::Walk;
use super::{CHUNK_BYTES, Stop, tar_block, zip};

/// Content of a file without a known beginning.
pub(super) enum Survey {
    /// A container that the common tools find.
    Container(Format),
    /// Zip members without a directory.
    ZipMembers,
    /// Nothing that a tool would find.
    Plain,
}

/// Upper bound on the distance from a file's beginning at which a tar header or a zip
/// member is looked for. Without it a file that is delivered as it lies would be read
/// twice, and a sparse one of a tebibyte for minutes.
const MAX_SURVEY_BYTES: u64 = 8 << 20;

/// Surveys the end of a file for a zip archive's directory, and its front for anything
/// else.
pub(super) fn survey(walk: Walk<'_>, source: &dyn ReadAt) -> Result<Survey, Stop> {
    if zip::has_directory(source)? {
        return Ok(Survey::Container(Format::Zip));
    }
    let (mut members, mut has_members) = (ZipMembers::default(), false);
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
        if filled == 0 {
            break;
        }
        let blocks = chunk[..filled].as_chunks::<{ tar_block::BYTES }>().0;
        if blocks.iter().any(tar_block::is_header) {
            return Ok(Survey::Container(Format::Tar));
        }
        has_members |= members.are_in(&chunk[..filled]);
        at += filled as u64;
    }
    Ok(if has_members { Survey::ZipMembers } else { Survey::Plain })
}

/// Looks for zip members in a text that arrives in pieces.
#[derive(Default)]
pub(super) struct ZipMembers {
    /// The last bytes of the piece before.
    tail: Vec<u8>,
}

impl ZipMembers {
    /// Returns whether a member begins in this piece, or ends its magic number there.
    pub(super) fn are_in(&mut self, piece: &[u8]) -> bool {
        let length = ZIP_MEMBER.len();
        let contains = |bytes: &[u8]| memchr::memmem::find(bytes, ZIP_MEMBER).is_some();
        let seam = [&self.tail[..], &piece[..piece.len().min(length - 1)]].concat();
        let rest = seam.len().saturating_sub(length - 1);
        self.tail = if piece.len() < length {
            seam[rest..].to_vec()
        } else {
            piece[piece.len() + 1 - length..].to_vec()
        };
        contains(&seam) || contains(piece)
    }
}
