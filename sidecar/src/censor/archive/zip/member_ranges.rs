//! The byte ranges of members, and what lies between them.

use super::super::bytes::{Cursor, ReadAt, SourceRange};
use super::super::format::PEEK_BYTES;
use super::super::walk::{TextMasker, Walk};
use super::super::{Stop, embedded, survey, tar_block};
use super::directory::Directory;
use super::{CONTEXT_BYTES, LOCAL_BYTES, STORED, is_text, unindexed};
use std::io;

/// The byte range of a member.
pub(super) struct MemberRange {
    pub(super) from: u64,
    /// The offset of its name.
    name_at: u64,
    data_at: u64,
    to: u64,
    /// Its data is scanned as it is.
    is_plain: bool,
    is_stored: bool,
}

/// Returns the members' ranges in ascending order.
pub(super) fn find(
    walk: Walk<'_>,
    directory: &Directory,
    source: &dyn ReadAt,
) -> Result<Vec<MemberRange>, Stop> {
    let mut ranges = Vec::new();
    for entry in directory.entries(source) {
        walk.meter().member()?;
        let entry = entry?;
        let data_at = entry.local(source)?.data_at;
        let to = data_at.checked_add(entry.packed).filter(|to| *to <= directory.start);
        let to = to.ok_or(Stop::Damaged("a member lies outside of it"))?;
        let (from, name_at) = (entry.offset, entry.offset + LOCAL_BYTES as u64);
        let most = entry.packed.min(PEEK_BYTES as u64);
        let is_plain = is_text(&entry, &SourceRange::new(source, data_at, most).to_vec()?);
        let is_stored = entry.is_masked_inside() && entry.method == STORED;
        ranges.push(MemberRange { from, name_at, data_at, to, is_plain, is_stored });
    }
    ranges.sort_unstable_by_key(|place| (place.from, place.to));
    if ranges.windows(2).any(|pair| pair[1].from < pair[0].to) {
        return Err(Stop::Damaged("members lie over each other"));
    }
    Ok(ranges)
}

/// Refuses an archive among whose blocks tar finds a header, but for those of stored members
/// that begin with a block: there its headers are ours.
pub(super) fn refuse_tar(
    walk: Walk<'_>,
    directory: &Directory,
    source: &dyn ReadAt,
    ranges: &[MemberRange],
) -> Result<(), Stop> {
    let mut checked = 0;
    for place in ranges.iter().filter(|place| place.is_stored) {
        if place.from < embedded::MAX_SURVEY_BYTES && place.data_at.is_multiple_of(tar_block::BYTES as u64) {
            survey::refuse_tar_in(walk, source, checked..place.data_at)?;
            // A block may reach out of the member.
            checked = place.to - place.to % tar_block::BYTES as u64;
        }
    }
    survey::refuse_tar_in(walk, source, checked..embedded::MAX_SURVEY_BYTES.min(directory.start))?;
    survey::refuse_tar_in(walk, source, directory.start..u64::MAX)
}

/// Scans bytes that belong to no member, and across the boundaries of members.
pub(super) fn scan_between(
    walk: Walk<'_>,
    directory: &Directory,
    source: &dyn ReadAt,
    ranges: &[MemberRange],
) -> Result<(), Stop> {
    let mut run = TextMasker::new(walk);
    let mut done = 0;
    let read = |run: &mut TextMasker, from: u64, to: u64| {
        run.read(&mut Cursor::new(&SourceRange::new(source, from, to - from)), walk, &mut io::sink())
    };
    // Bytes that belong to no member are scanned as they are, and anything that
    // resembles a member in them is unpacked, too.
    let unindexed = |run: &mut TextMasker, from: u64, to: u64| match unindexed::look(
        walk,
        &SourceRange::new(source, from, to - from),
    ) {
        Ok(()) | Err(Stop::Truncated) => read(run, from, to),
        Err(stop) => Err(stop),
    };
    for place in ranges {
        unindexed(&mut run, done, place.from)?;
        run = run.next(walk, &mut io::sink())?;
        let near = if place.is_plain { CONTEXT_BYTES } else { 0 };
        let begins = place.data_at.saturating_add(near).min(place.to);
        let ends = place.to.saturating_sub(near).max(begins);
        read(&mut run, place.name_at, begins)?;
        if begins < ends || near == 0 {
            run = run.next(walk, &mut io::sink())?;
        }
        read(&mut run, ends, place.to)?;
        done = place.to;
    }
    unindexed(&mut run, done, directory.start)?;
    run.read(&mut Cursor::new(&directory.tail(source)), walk, &mut io::sink())?;
    run.finish(walk, &mut io::sink())
}
