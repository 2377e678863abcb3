//! Recognition of containers that do not begin like one.
//!
//! Tools look further than the first bytes: GNU tar skips blocks until it finds a
//! header, unzip and Python look for the end record of a zip archive near the end
//! of the file, and 7z for any container wherever it begins.

use super::bytes::{ReadAt, SourceRange};
use super::embedded::{Embedded, MAX_SURVEY_BYTES, each_chunk};
use super::format::{Format, ZIP_MEMBER, ZSTD};
use super::walk::Walk;
use super::{CHUNK_BYTES, Stop, ar, tar_block, zip};
use memchr::memmem;
use std::io::{self, Read, Write};
use std::ops::{ControlFlow, Range};

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

/// Refuses a container that GNU tar takes for blocks to skip, if a header follows them. zip
/// archives are refused where their members are known.
pub(super) fn refuse_tar_behind(walk: Walk<'_>, format: Format, source: &dyn ReadAt) -> Result<(), Stop> {
    let from = match format {
        Format::Lzma | Format::Pdf | Format::Zlib => 0,
        Format::Ar => ar::end_of_tar_members(walk, source)?,
        // tar unpacks a frame of data.
        Format::Zstd if SourceRange::new(source, 0, 4).to_vec()? != ZSTD => 0,
        Format::Bzip2 | Format::Gzip | Format::Tar | Format::Xz | Format::Zip | Format::Zstd => return Ok(()),
    };
    refuse_tar_in(walk, source, from..MAX_SURVEY_BYTES)
}

/// Fails if a block that begins in this range is a header of tar's.
pub(super) fn refuse_tar_in(walk: Walk<'_>, source: &dyn ReadAt, range: Range<u64>) -> Result<(), Stop> {
    if has_tar_in(walk, source, range)? {
        return Err(tar_behind());
    }
    Ok(())
}

fn tar_behind() -> Stop {
    Stop::Member("a tar archive lies behind its beginning".to_owned())
}

/// Returns whether a block that begins in this range is a header of tar's.
pub(super) fn has_tar_in(walk: Walk<'_>, source: &dyn ReadAt, range: Range<u64>) -> Result<bool, Stop> {
    let end = range.end.min(source.len());
    let mut at = range.start.next_multiple_of(tar_block::BYTES as u64);
    while at < end {
        walk.meter().time()?;
        let most = (end - at).next_multiple_of(tar_block::BYTES as u64).min(CHUNK_BYTES as u64);
        let blocks = SourceRange::new(source, at, most).to_vec()?;
        if blocks.as_chunks().0.iter().any(tar_block::is_header) {
            return Ok(true);
        }
        at += most;
    }
    Ok(false)
}

/// Looks for a tar header at each block of a file that passes in pieces.
#[derive(Default)]
pub(crate) struct TarSearch {
    /// The beginning of a block whose end is in the next piece.
    partial: Vec<u8>,
    is_found: bool,
}

impl TarSearch {
    /// Takes a piece.
    pub(crate) fn push(&mut self, mut piece: &[u8]) {
        if !self.partial.is_empty() {
            let missing = (tar_block::BYTES - self.partial.len()).min(piece.len());
            self.partial.extend_from_slice(&piece[..missing]);
            piece = &piece[missing..];
            let Some(block) = self.partial.first_chunk() else { return };
            self.is_found |= tar_block::is_header(block);
            self.partial.clear();
        }
        let (blocks, rest) = piece.as_chunks();
        self.is_found = self.is_found || blocks.iter().any(tar_block::is_header);
        self.partial.extend_from_slice(rest);
    }

    /// Takes as many zeros: whole blocks of them matter to nothing.
    pub(crate) fn push_zeros(&mut self, zeros: u64) {
        const ZEROS: [u8; 2 * tar_block::BYTES] = [0; 2 * tar_block::BYTES];
        let block = tar_block::BYTES as u64;
        let zeros = if zeros > block { block + zeros % block } else { zeros };
        self.push(&ZEROS[..usize::try_from(zeros).unwrap_or(0)]);
    }

    /// Returns whether there was a header.
    pub(crate) fn is_found(&self) -> bool {
        self.is_found
    }
}

/// Looks for a tar header in what is packed anew: bytes behind what changes its size can come
/// to lie at a block.
pub(super) struct SearchedOutput<'a> {
    output: &'a mut dyn Write,
    search: Option<TarSearch>,
}

impl<'a> SearchedOutput<'a> {
    pub(super) fn new(walk: Walk<'_>, format: Format, output: &'a mut dyn Write) -> Self {
        let can_move = match format {
            Format::Ar | Format::Lzma | Format::Zip | Format::Zlib => true,
            Format::Bzip2 | Format::Gzip | Format::Pdf | Format::Tar | Format::Xz | Format::Zstd => false,
        };
        Self { output, search: (can_move && !walk.is_looking()).then(TarSearch::default) }
    }

    /// Fails if there was a header.
    pub(super) fn finish(self) -> Result<(), Stop> {
        if self.search.is_some_and(|search| search.is_found()) { Err(tar_behind()) } else { Ok(()) }
    }
}

impl Write for SearchedOutput<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        if let Some(search) = &mut self.search {
            search.push(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// The note on zip members that are not looked into.
pub(super) const ZIP_MEMBERS: &str = "zip members among other bytes";

/// Reads a text, and notes zip members in it.
pub(super) struct NotingZipMembers<'a, R> {
    walk: Walk<'a>,
    input: R,
    members: ZipMembers,
}

impl<'a, R: Read> NotingZipMembers<'a, R> {
    pub(super) fn new(walk: Walk<'a>, input: R) -> Self {
        Self { walk, input, members: ZipMembers::default() }
    }

    pub(super) fn into_inner(self) -> R {
        self.input
    }
}

impl<R: Read> Read for NotingZipMembers<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.members.note(self.walk, &into[..read]);
        Ok(read)
    }
}

/// Looks for zip members in a text that arrives in pieces.
#[derive(Default)]
pub(super) struct ZipMembers {
    /// The last bytes of the piece before.
    tail: Vec<u8>,
}

impl ZipMembers {
    /// Notes a member that begins in this piece.
    pub(super) fn note(&mut self, walk: Walk<'_>, piece: &[u8]) {
        if self.are_in(piece) {
            walk.note(ZIP_MEMBERS);
        }
    }

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
