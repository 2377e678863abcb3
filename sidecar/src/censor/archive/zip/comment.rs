//! The comment of a rewritten archive.
//!
//! It is scanned alone and as the end of one text with the directory and what is in
//! front of that: what belongs to a secret can depend on the bytes around it.

use super::super::Stop;
use super::super::bytes::{Cursor, ReadAt, read_full};
use super::super::spool::Spool;
use super::super::walk::Walk;
use std::io::{self, Read, Write};

/// A secret reaches out of the comment, or lies in front of it.
const IN_FRONT: Stop = Stop::Damaged("its directory holds a secret where texts end");

/// Masks a comment behind `front`, which nothing may change.
pub(super) fn masked<'a>(
    walk: Walk<'a>,
    front: &[&dyn ReadAt],
    comment: &dyn ReadAt,
) -> Result<Spool<'a>, Stop> {
    let mut alone = Spool::new(walk);
    walk.mask(&mut Cursor::new(comment), &mut alone)?;
    if is_clean(walk, &mut behind(front, &alone))? {
        return Ok(alone);
    }
    let mut masked = Spool::new(walk);
    walk.mask(&mut behind(front, &alone), &mut Behind { front: &mut whole(front), output: &mut masked })?;
    if is_clean(walk, &mut Cursor::new(&masked))? && is_clean(walk, &mut behind(front, &masked))? {
        Ok(masked)
    } else {
        Err(IN_FRONT)
    }
}

fn is_clean(walk: Walk<'_>, text: &mut dyn Read) -> Result<bool, Stop> {
    match walk.look_again(|walk| walk.mask(text, &mut io::sink())) {
        Ok(()) => Ok(true),
        Err(Stop::Dirty) => Ok(false),
        Err(stop) => Err(stop),
    }
}

fn behind<'a>(front: &[&'a dyn ReadAt], comment: &'a dyn ReadAt) -> impl Read + use<'a> {
    whole(front).chain(Cursor::new(comment))
}

/// Reads one source after the other.
fn whole<'a>(sources: &[&'a dyn ReadAt]) -> Box<dyn Read + 'a> {
    sources.iter().fold(Box::new(io::empty()), |before, source| Box::new(before.chain(Cursor::new(*source))))
}

/// Passes on what follows `front`.
struct Behind<'a> {
    front: &'a mut dyn Read,
    output: &'a mut dyn Write,
}

impl Write for Behind<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut front = vec![0; bytes.len()];
        let length = read_full(self.front, &mut front)?;
        if front[..length] != bytes[..length] {
            return Err(IN_FRONT.into());
        }
        self.output.write_all(&bytes[length..])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
