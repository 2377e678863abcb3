//! Where members lie, and what is around them.

use super::super::Stop;
use super::super::bytes::{Cursor, Part, ReadAt};
use super::super::format::PEEK_BYTES;
use super::super::pass::{Pass, Run};
use super::directory::Directory;
use super::{LOCAL_BYTES, NEAR_BYTES, is_text, loose};
use std::io;

/// Where a member lies.
pub(super) struct Place {
    pub(super) from: u64,
    /// Where its name begins.
    name_at: u64,
    data_at: u64,
    to: u64,
    /// Its data is looked at as it stands there.
    is_plain: bool,
}

/// Where the members lie, in the order of the archive.
pub(super) fn find(pass: Pass<'_>, directory: &Directory, source: &dyn ReadAt) -> Result<Vec<Place>, Stop> {
    let mut places = Vec::new();
    for entry in directory.entries(source) {
        pass.meter().member()?;
        let entry = entry?;
        let data_at = entry.local(source)?.data_at;
        let to = data_at.checked_add(entry.packed).filter(|to| *to <= directory.start);
        let to = to.ok_or(Stop::Damaged("a member lies outside of it"))?;
        let (from, name_at) = (entry.offset, entry.offset + LOCAL_BYTES as u64);
        let most = entry.packed.min(PEEK_BYTES as u64);
        let is_plain = is_text(&entry, &Part::new(source, data_at, most).to_vec()?);
        places.push(Place { from, name_at, data_at, to, is_plain });
    }
    places.sort_unstable_by_key(|place| (place.from, place.to));
    if places.windows(2).any(|pair| pair[1].from < pair[0].to) {
        return Err(Stop::Damaged("members lie over each other"));
    }
    Ok(places)
}

/// Looks at what belongs to no member, and at what lies across members and what
/// is around them.
pub(super) fn look_between(
    pass: Pass<'_>,
    directory: &Directory,
    source: &dyn ReadAt,
    places: &[Place],
) -> Result<(), Stop> {
    let mut run = Run::new(pass);
    let mut done = 0;
    let read = |run: &mut Run, from: u64, to: u64| {
        run.read(&mut Cursor::new(&Part::new(source, from, to - from)), pass, &mut io::sink())
    };
    // What belongs to no member is packed by nobody: it is looked at as it is,
    // and what looks like members in it unpacked too.
    let loose =
        |run: &mut Run, from: u64, to: u64| match loose::look(pass, &Part::new(source, from, to - from)) {
            Ok(()) | Err(Stop::Truncated) => read(run, from, to),
            Err(stop) => Err(stop),
        };
    for place in places {
        loose(&mut run, done, place.from)?;
        run = run.next(pass, &mut io::sink())?;
        let near = if place.is_plain { NEAR_BYTES } else { 0 };
        let begins = place.data_at.saturating_add(near).min(place.to);
        let ends = place.to.saturating_sub(near).max(begins);
        read(&mut run, place.name_at, begins)?;
        if begins < ends || near == 0 {
            run = run.next(pass, &mut io::sink())?;
        }
        read(&mut run, ends, place.to)?;
        done = place.to;
    }
    loose(&mut run, done, directory.start)?;
    run.read(&mut Cursor::new(&directory.tail(source)), pass, &mut io::sink())?;
    run.finish(pass, &mut io::sink())
}
