//! Recognition of containers that do not begin like one.
//!
//! Tools look further than the first bytes: GNU tar skips blocks until it finds a
//! header, unzip and Python look for the end record of a zip archive near the end
//! of the file, and 7z for any container wherever it begins.

use super::bytes::ReadAt;
use super::embedded::{Embedded, each_chunk};
use super::format::{Format, ZIP_MEMBER};
use super::walk::Walk;
use super::{Stop, tar_block, zip};
use memchr::memmem;
use std::ops::ControlFlow;

/// Content of a file without a known beginning.
pub(super) enum Survey {
    /// A container that the common tools find.
    Container(Format),
    /// Zip members without a directory.
    ZipMembers,
    /// Plain bytes, among which a container begins that only 7z finds.
    Embedded,
    /// Nothing that a tool would find.
    Plain,
}

/// Surveys the end of a file for a zip archive's directory, and its front for anything
/// else.
pub(super) fn survey(walk: Walk<'_>, source: &dyn ReadAt) -> Result<Survey, Stop> {
    if zip::has_directory(source)? {
        return Ok(Survey::Container(Format::Zip));
    }
    let (mut members, mut has_members, mut is_tar) = (ZipMembers::default(), false, false);
    let (mut embedded, mut is_embedded) = (Embedded::default(), false);
    each_chunk(walk, source, &mut |chunk| {
        is_tar = chunk.as_chunks::<{ tar_block::BYTES }>().0.iter().any(tar_block::is_header);
        has_members |= members.are_in(chunk);
        is_embedded = is_embedded || embedded.is_in(chunk);
        if is_tar { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(match (is_tar, has_members, is_embedded) {
        (true, ..) => Survey::Container(Format::Tar),
        (false, true, _) => Survey::ZipMembers,
        (false, false, true) => Survey::Embedded,
        (false, false, false) => Survey::Plain,
    })
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
        let contains = |bytes: &[u8]| memmem::find(bytes, ZIP_MEMBER).is_some();
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
