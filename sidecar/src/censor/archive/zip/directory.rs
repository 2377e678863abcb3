//! The central directory, and the record that ends it.

use super::super::Stop;
use super::super::bytes::{ReadAt, SourceRange};
use super::super::format::ZIP_END;
use super::entry::{Entry, number16, number32, number64};
use std::ops::Range;

const END_BYTES: usize = 22;
const END64_MAGIC: &[u8] = b"PK\x06\x06";
const END64_BYTES: usize = 56;
const LOCATOR_MAGIC: &[u8] = b"PK\x06\x07";
const LOCATOR_BYTES: u64 = 20;

/// Version needed for 64-bit sizes, as written into an end record.
const VERSION_64: u16 = 45;

/// The position of the directory.
pub(super) struct Directory {
    /// Its offset in the file.
    pub(super) start: u64,
    /// The end of its entries, by its stated size.
    end: u64,
    count: u64,
    /// The offset that all others are relative to: the archive may have a prefix.
    base: u64,
    /// The length of the comment.
    pub(super) comment: u16,
    comment_at: u64,
}

impl Directory {
    /// Finds the directory by its end record in the last 64 KiB.
    pub(super) fn find(source: &dyn ReadAt) -> Result<Option<Self>, Stop> {
        let most = (END_BYTES + usize::from(u16::MAX)) as u64;
        let from = source.len().saturating_sub(most);
        let tail = SourceRange::new(source, from, most).to_vec()?;
        let Some((at, comment)) = find_end(&tail) else { return Ok(None) };
        let end_at = from + at as u64;
        let end = &tail[at..];
        let mut directory = Self {
            start: 0,
            end: end_at,
            count: number16(end, 10).into(),
            base: number32(end, 16).into(),
            comment,
            comment_at: end_at + END_BYTES as u64,
        };
        let mut size = u64::from(number32(end, 12));
        if let Some((record_at, record)) = end64(source, end_at)? {
            (directory.end, directory.count) = (record_at, number64(&record, 32));
            (size, directory.base) = (number64(&record, 40), number64(&record, 48));
        }
        let start =
            directory.end.checked_sub(size).ok_or(Stop::Damaged("its directory lies outside of it"))?;
        let base = start.checked_sub(directory.base);
        directory.base = base.ok_or(Stop::Damaged("its directory is not where it says"))?;
        directory.start = start;
        Ok(Some(directory))
    }

    /// Returns the archive's place in the file, up to the end of the directory.
    pub(super) fn extent(&self) -> Range<u64> {
        self.base..self.comment_at
    }

    /// Iterates over the entries in order; ends after a damaged one.
    pub(super) fn entries<'a>(
        &self,
        source: &'a dyn ReadAt,
    ) -> impl Iterator<Item = Result<Entry, Stop>> + use<'a> {
        let (mut at, end, mut left, base) = (self.start, self.end, self.count, self.base);
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let entry = Entry::read(&SourceRange::new(source, at, end - at), base);
            left = if entry.is_ok() { left - 1 } else { 0 };
            Some(entry.map(|(entry, length)| {
                at += length;
                entry
            }))
        })
    }

    /// Returns the directory and everything behind it, to scan texts across
    /// entries and bytes that belong to none.
    pub(super) fn tail<'a>(&self, source: &'a dyn ReadAt) -> SourceRange<'a> {
        SourceRange::new(source, self.start, u64::MAX)
    }

    /// Returns the comment and everything behind it.
    pub(super) fn comment<'a>(&self, source: &'a dyn ReadAt) -> SourceRange<'a> {
        SourceRange::new(source, self.comment_at, u64::MAX)
    }
}

/// Finds the end record, and the length of its comment: the last record whose
/// comment ends with the file, else the last one whose comment fits.
fn find_end(tail: &[u8]) -> Option<(usize, u16)> {
    let ends = || {
        let last = tail.len().checked_sub(END_BYTES)?;
        let at = (0..=last).rev().filter(|at| tail[*at..].starts_with(ZIP_END));
        Some(at.map(|at| (at, number16(&tail[at..], 20))))
    };
    let end = |(at, comment): &(usize, u16)| at + END_BYTES + usize::from(*comment);
    let exact = ends()?.find(|found| end(found) == tail.len());
    exact.or_else(|| ends()?.find(|found| end(found) <= tail.len()))
}

/// Returns the 64-bit end record, if one precedes the other.
fn end64(source: &dyn ReadAt, end_at: u64) -> Result<Option<(u64, Vec<u8>)>, Stop> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_BYTES) else { return Ok(None) };
    let locator = SourceRange::new(source, locator_at, LOCATOR_BYTES).to_vec()?;
    if !locator.starts_with(LOCATOR_MAGIC) {
        return Ok(None);
    }
    let stated = number64(&locator, 8);
    let usual = locator_at.saturating_sub(END64_BYTES as u64);
    for at in [stated, usual] {
        let record = SourceRange::new(source, at, END64_BYTES as u64).to_vec()?;
        if record.len() == END64_BYTES && record.starts_with(END64_MAGIC) && at < locator_at {
            return Ok(Some((at, record)));
        }
    }
    Err(Stop::Damaged("its directory cannot be found"))
}

/// Returns the end records of a rewritten directory, without the comment.
pub(super) fn end(count: u64, start: u64, size: u64, comment: u16) -> Vec<u8> {
    let mut end = Vec::new();
    let is_large = count >= u64::from(u16::MAX) || start.max(size) >= u64::from(u32::MAX);
    if is_large {
        end.extend(END64_MAGIC);
        end.extend((END64_BYTES as u64 - 12).to_le_bytes());
        end.extend([VERSION_64, VERSION_64].map(u16::to_le_bytes).concat());
        end.extend([0; 8]);
        end.extend([count, count, size, start].map(u64::to_le_bytes).concat());
        end.extend(LOCATOR_MAGIC);
        end.extend([0; 4]);
        end.extend((start + size).to_le_bytes());
        end.extend(1_u32.to_le_bytes());
    }
    let short = |number: u64| u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes();
    let long = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    end.extend(ZIP_END);
    end.extend([0; 4]);
    end.extend([short(count), short(count)].concat());
    end.extend([long(size), long(start)].concat());
    end.extend(comment.to_le_bytes());
    end
}
