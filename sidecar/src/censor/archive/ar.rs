//! ar archives, such as packages of Debian (deb(5), ar(5)).
//!
//! Everything is one text but members that are containers, which are censored by
//! themselves and may change their size.

use super::bytes::{ReadAt, SourceRange};
use super::digests;
use super::format::{AR, Format, PEEK_BYTES};
use super::survey::ZipMembers;
use super::walk::{Nested, TextMasker, Walk, copy};
use super::{CHUNK_BYTES, Stop, survey, tar_block, zip};
use std::io::Write;
use std::ops::Range;

const HEADER_BYTES: usize = 60;
const NAME: Range<usize> = 0..16;
const SIZE: Range<usize> = 48..58;
const HEADER_END: &[u8] = b"`\n";

/// Censors an archive. What follows the last header that is one is text.
pub(super) fn censor(walk: Walk<'_>, source: &dyn ReadAt, output: &mut dyn Write) -> Result<(), Stop> {
    let mut archive =
        Archive { walk, source, run: TextMasker::new(walk), zip_members: ZipMembers::default(), output };
    archive.run.push(AR, walk, archive.output)?;
    let mut at = AR.len() as u64;
    loop {
        let header = SourceRange::new(source, at, HEADER_BYTES as u64).to_vec()?;
        let Some(size) = size(&header) else {
            archive.text(at, source.len())?;
            return archive.run.finish(walk, archive.output);
        };
        walk.meter().member()?;
        let content = at + HEADER_BYTES as u64;
        at = content.saturating_add(size).saturating_add(size % 2);
        archive = archive.member(header, content, size)?;
        if content.saturating_add(size) > source.len() {
            archive.run.finish(walk, archive.output)?;
            return Err(Stop::Truncated);
        }
    }
}

/// Returns whether this place belongs to a member that is a zip archive, and is looked
/// into as one.
pub(super) fn is_in_zip_member(source: &dyn ReadAt, place: &Range<u64>) -> Result<bool, Stop> {
    let mut at = AR.len() as u64;
    while at <= place.start {
        let header = SourceRange::new(source, at, HEADER_BYTES as u64).to_vec()?;
        let Some(size) = size(&header) else { return Ok(false) };
        let content = at + HEADER_BYTES as u64;
        let end = content.saturating_add(size);
        if place.start < end {
            let is_inside = content <= place.start && place.end <= end;
            let member = SourceRange::new(source, content, size);
            return Ok(is_inside && format(&member)? == Some(Format::Zip));
        }
        at = end.saturating_add(size % 2);
    }
    Ok(false)
}

/// Refuses an archive among whose blocks tar finds a header before the end of the last member that is
/// a tar archive and begins with a block; returns that end. The headers in such a member are
/// tar's as they are ours.
pub(super) fn end_of_tar_members(walk: Walk<'_>, source: &dyn ReadAt) -> Result<u64, Stop> {
    let (mut at, mut checked) = (AR.len() as u64, 0);
    loop {
        let header = SourceRange::new(source, at, HEADER_BYTES as u64).to_vec()?;
        let Some(size) = size(&header) else { return Ok(checked) };
        let content = at + HEADER_BYTES as u64;
        let end = content.saturating_add(size);
        if content.is_multiple_of(tar_block::BYTES as u64) {
            let beginning = SourceRange::new(source, content, PEEK_BYTES as u64).to_vec()?;
            if Format::of(&beginning) == Some(Format::Tar) {
                survey::refuse_tar_in(walk, source, checked..content)?;
                // A block may reach out of the member.
                checked = end - end % tar_block::BYTES as u64;
            }
        }
        at = end.saturating_add(size % 2);
    }
}

struct Archive<'a, 'io> {
    walk: Walk<'a>,
    source: &'io dyn ReadAt,
    run: TextMasker,
    zip_members: ZipMembers,
    output: &'io mut dyn Write,
}

impl Archive<'_, '_> {
    fn member(mut self, mut header: Vec<u8>, at: u64, size: u64) -> Result<Self, Stop> {
        let content = SourceRange::new(self.source, at, size);
        self.walk.note_digests(digests::of_member(header[NAME].trim_ascii()));
        let Some(format) = format(&content)? else {
            self.walk.note_unknown(&SourceRange::new(&content, 0, PEEK_BYTES as u64).to_vec()?);
            self.run.push(&header, self.walk, self.output)?;
            self.text(at, at.saturating_add(size).saturating_add(size % 2))?;
            return Ok(self);
        };
        let nested;
        let new: &dyn ReadAt = match self.walk.censor_nested(format, &content)? {
            Nested::Unchanged => &content,
            Nested::Rewritten(spool) => {
                nested = spool;
                &nested
            }
            Nested::Withheld(why) => {
                self.walk.count_withheld()?;
                let mut line = format!("This member was withheld: {why}.\n");
                set_size(&mut header, line.len() as u64)?;
                if line.len() % 2 == 1 {
                    line.push('\n');
                }
                // A text as any other: the next header follows it.
                self.run.push(&header, self.walk, self.output)?;
                self.run.push(line.as_bytes(), self.walk, self.output)?;
                return Ok(self);
            }
        };
        set_size(&mut header, new.len())?;
        self.run.push(&header, self.walk, self.output)?;
        self.run = self.run.next(self.walk, self.output)?;
        copy(new, self.output)?;
        if new.len() % 2 == 1 {
            self.output.write_all(b"\n")?;
        }
        Ok(self)
    }

    /// Masks a part as text.
    fn text(&mut self, mut at: u64, end: u64) -> Result<(), Stop> {
        let mut chunk = vec![0; CHUNK_BYTES];
        while at < end {
            let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let read = self.source.read_at(at, &mut chunk[..most])?;
            if read == 0 {
                break;
            }
            self.zip_members.note(self.walk, &chunk[..read]);
            self.run.push(&chunk[..read], self.walk, self.output)?;
            at += read as u64;
        }
        Ok(())
    }
}

/// Returns the container format of a member.
fn format(member: &dyn ReadAt) -> Result<Option<Format>, Stop> {
    let beginning = SourceRange::new(member, 0, PEEK_BYTES as u64).to_vec()?;
    zip::or_at_end(Format::of(&beginning), member)
}

fn set_size(header: &mut [u8], size: u64) -> Result<(), Stop> {
    let digits = format!("{size:<10}");
    if digits.len() > SIZE.len() {
        return Err(Stop::Member("a member of it becomes too large".to_owned()));
    }
    header[SIZE].copy_from_slice(digits.as_bytes());
    Ok(())
}

/// Returns the size of a member, if this is a header.
fn size(header: &[u8]) -> Option<u64> {
    let is_header = header.len() == HEADER_BYTES && header.ends_with(HEADER_END);
    let digits = header.get(SIZE).filter(|_| is_header)?.trim_ascii();
    std::str::from_utf8(digits).ok()?.parse().ok()
}
