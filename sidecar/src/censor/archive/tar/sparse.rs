//! Sparse members: a file's segments side by side, and a map that says where they
//! belong (GNU tar manual, "Storing Sparse Files").
//!
//! A member whose segments are in order reads as the stored bytes do, with zeros
//! between them. It is scanned, and stays as it is; one with a secret is withheld,
//! because few tools agree on how to write it.

use super::super::Stop;
use super::super::format::{Format, PEEK_BYTES};
use super::super::tar_block::{BYTES as BLOCK_BYTES, number};
use super::super::walk::Walk;
use super::fill;
use std::io::{self, Read};

/// Maximum number of segments; a file of 2 GiB with data in every other block of 4 KiB
/// has as many.
const MAX_SEGMENTS: usize = 256 * 1024;

/// GNU's own map: entries of an offset and a length, four in the header and 21 in each
/// block that follows.
const ENTRY_BYTES: usize = 24;
const IN_HEADER: std::ops::Range<usize> = 386..482;
const IN_BLOCK: std::ops::Range<usize> = 0..504;

/// The segments: where each belongs, and its length.
#[derive(Debug, Default)]
pub(super) struct Map(Vec<(u64, u64)>);

impl Map {
    /// Reads the map of GNU's own form from a header.
    pub(super) fn of_header(block: &[u8]) -> Option<Self> {
        let mut map = Self::default();
        map.append(&block[IN_HEADER])?;
        Some(map)
    }

    /// Adds the entries of a block behind the header.
    pub(super) fn append_block(&mut self, block: &[u8; BLOCK_BYTES]) -> Option<()> {
        self.append(&block[IN_BLOCK])
    }

    fn append(&mut self, entries: &[u8]) -> Option<()> {
        for entry in entries.chunks_exact(ENTRY_BYTES) {
            let (offset, length) = entry.split_at(ENTRY_BYTES / 2);
            self.push(number(offset)?, number(length)?)?;
        }
        Some(())
    }

    fn push(&mut self, offset: u64, length: u64) -> Option<()> {
        if length > 0 {
            self.0.push((offset, length));
        }
        (self.0.len() <= MAX_SEGMENTS).then_some(())
    }

    /// Reads the map at the beginning of a member (version 1.0), and returns it with its
    /// bytes: decimal numbers in lines, filled up to a block.
    pub(super) fn read(input: &mut dyn Read) -> Result<Option<(Self, Vec<u8>)>, Stop> {
        let (mut map, mut bytes, mut at) = (Self::default(), Vec::new(), 0);
        let mut next = |bytes: &mut Vec<u8>| -> Result<Option<u64>, Stop> {
            loop {
                let line = bytes[at..].iter().position(|byte| *byte == b'\n');
                if let Some(length) = line {
                    let line = std::str::from_utf8(&bytes[at..at + length]);
                    at += length + 1;
                    return Ok(line.ok().and_then(|line| line.parse().ok()));
                }
                if bytes.len() - at > BLOCK_BYTES {
                    return Ok(None);
                }
                let mut block = [0; BLOCK_BYTES];
                let (read, error) = fill(input, &mut block);
                bytes.extend_from_slice(&block[..read]);
                if read < BLOCK_BYTES {
                    return Err(error.map_or(Stop::Truncated, Stop::from));
                }
            }
        };
        let Some(count) = next(&mut bytes)? else { return Ok(None) };
        for _ in 0..count {
            let (Some(offset), Some(length)) = (next(&mut bytes)?, next(&mut bytes)?) else {
                return Ok(None);
            };
            if map.push(offset, length).is_none() {
                return Ok(None);
            }
        }
        Ok(Some((map, bytes)))
    }

    /// Returns whether the file reads as its `stored` bytes do: the segments are in order,
    /// and what tells a container is in one of them.
    fn is_plain(&self, stored: u64) -> bool {
        let (mut end, mut total) = (0_u64, 0_u64);
        for (offset, length) in &self.0 {
            let (Some(next_end), Some(next_total)) =
                (offset.checked_add(*length), total.checked_add(*length))
            else {
                return false;
            };
            if *offset < end {
                return false;
            }
            (end, total) = (next_end, next_total);
        }
        let peek = PEEK_BYTES as u64;
        let begins_whole = self.0.first().is_none_or(|(offset, length)| {
            *offset >= peek || *offset == 0 && (*length >= peek || *length == end)
        });
        total == stored && begins_whole
    }
}

/// Scans a sparse member: its map, where that is not known, and `size` bytes. Any end but
/// `Ok` means that it cannot stay as it is.
pub(super) fn scan(walk: Walk<'_>, map: Option<&Map>, size: u64, input: &mut dyn Read) -> Result<(), Stop> {
    let read;
    let (map, mut stored) = if let Some(map) = map {
        (map, size)
    } else {
        let Some((map, mut bytes)) = Map::read(input)? else { return Err(unusual()) };
        walk.mask_text(&mut bytes)?;
        read = map;
        (&read, size.saturating_sub(bytes.len() as u64))
    };
    if !map.is_plain(stored) {
        return Err(unusual());
    }
    let mut beginning = [0; PEEK_BYTES];
    let (peeked, error) = fill(input, &mut beginning);
    let beginning = &mut beginning[..peeked];
    stored -= peeked as u64;
    if Format::of(beginning).is_some() {
        return Err(Stop::Member("it is a sparse file, and a container".to_owned()));
    }
    walk.note_unknown(beginning);
    if let Some(error) = error {
        walk.mask_text(beginning)?;
        return Err(error.into());
    }
    let mut rest = input.take(stored);
    walk.mask(&mut (&*beginning).chain(&mut rest), &mut io::sink())?;
    if rest.limit() > 0 { Err(Stop::Truncated) } else { Ok(()) }
}

fn unusual() -> Stop {
    Stop::Member("it is a sparse file in an unusual form".to_owned())
}
