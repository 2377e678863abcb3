//! The header of a member: one block (POSIX.1-2024 pax, "ustar Interchange
//! Format"; GNU tar manual, "Basic Tar Format").

use super::super::Stop;
use super::super::pass::{Pass, Run};
use std::io::Write;
use std::ops::Range;

pub(super) const BLOCK_BYTES: usize = 512;

const NAME: Range<usize> = 0..100;
const SIZE: Range<usize> = 124..136;
const CHECKSUM: Range<usize> = 148..156;
const KIND: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const USER: Range<usize> = 265..297;
const GROUP: Range<usize> = 297..329;
const PREFIX: Range<usize> = 345..500;
/// GNU: whether blocks with a map of a sparse file follow.
const IS_EXTENDED: usize = 482;
const IS_EXTENDED_AGAIN: usize = 504;

const USTAR: &[u8] = b"ustar\x0000";

/// What a member is, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has content.
    File,
    /// A link to another member.
    Link,
    /// It has no content: a directory, a device, a symlink.
    Empty,
    /// It is about the next members.
    Extension,
    /// A file with holes, in GNU's own form.
    Sparse,
    /// The rest of a file that began in another archive.
    Continued,
}

/// A header with a valid checksum.
#[derive(Clone)]
pub(super) struct Header(Box<[u8; BLOCK_BYTES]>);

impl Header {
    /// The block as a header, if it is one.
    pub(super) fn of(block: &[u8; BLOCK_BYTES]) -> Option<Self> {
        let header = Self(Box::new(*block));
        let stated = octal(&block[CHECKSUM])?;
        let is_valid = stated == header.sum(u64::from) || stated == header.signed_sum();
        let size = number(&block[SIZE])?;
        // What has no content has no size; readers disagree about what would follow.
        (is_valid && (header.kind() != Kind::Empty || size == 0)).then_some(header)
    }

    /// Whether an archive can begin with it.
    pub(super) fn is_plausible(&self) -> bool {
        self.0[0] != 0 && (self.0[MAGIC].starts_with(b"ustar") || self.0[MAGIC] == [0; 8])
    }

    pub(super) fn kind(&self) -> Kind {
        match self.0[KIND] {
            b'1' => Kind::Link,
            b'2'..=b'6' => Kind::Empty,
            b'x' | b'g' | b'L' | b'K' => Kind::Extension,
            b'S' => Kind::Sparse,
            b'M' => Kind::Continued,
            _ => Kind::File,
        }
    }

    pub(super) fn letter(&self) -> u8 {
        self.0[KIND]
    }

    pub(super) fn is_global(&self) -> bool {
        self.0[KIND] == b'g'
    }

    pub(super) fn size(&self) -> u64 {
        number(&self.0[SIZE]).unwrap_or(0)
    }

    pub(super) fn has_sparse_map(&self) -> bool {
        self.0[IS_EXTENDED] != 0
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The path, put together.
    pub(super) fn path(&self) -> Vec<u8> {
        match self.prefix() {
            Some(prefix) => [text(&self.0[prefix]), b"/", text(&self.0[NAME])].concat(),
            None => text(&self.0[NAME]).to_vec(),
        }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[LINK]).to_vec()
    }

    fn prefix(&self) -> Option<Range<usize>> {
        (self.0[MAGIC] == *USTAR && self.0[PREFIX][0] != 0).then_some(PREFIX)
    }

    /// Its texts masked.
    pub(super) fn masked(mut self, pass: Pass<'_>) -> Result<Self, Stop> {
        let mut is_changed = self.mask_path(pass)?;
        // Whole fields: something can stand behind the zero that ends a text.
        for field in self.texts() {
            if self.0[field.clone()].iter().any(|byte| *byte != 0) {
                is_changed |= pass.mask_text(&mut self.0[field])?;
            }
        }
        if is_changed {
            self.seal();
        }
        Ok(self)
    }

    /// Its name masked as the end of what comes before it.
    pub(super) fn end_with_name(
        &mut self,
        before: Run,
        pass: Pass<'_>,
        output: &mut dyn Write,
    ) -> Result<(), Stop> {
        if before.finish_with(&mut self.0[NAME], pass, output)? {
            self.seal();
        }
        Ok(())
    }

    /// Where texts can stand. Numbers stay as they are; where something else
    /// stands in their place, it goes with the text beside it.
    fn texts(&self) -> [Range<usize>; 3] {
        let is_digit = |byte: &u8| byte.is_ascii_digit() || [0, b' '].contains(byte);
        let are_numbers = |field: Range<usize>| self.0[field].iter().all(is_digit);
        let name = if are_numbers(NAME.end..CHECKSUM.start) { NAME } else { NAME.start..CHECKSUM.start };
        // What stands in place of magic and version can run on into the owner's name.
        let is_marked = matches!(&self.0[MAGIC.start..USER.start], b"ustar\x0000" | b"ustar  \0");
        let owner = if is_marked { USER.start } else { MAGIC.start };
        let owner = owner..if are_numbers(GROUP.end..BLOCK_BYTES) { GROUP.end } else { BLOCK_BYTES };
        // Readers take an unknown letter for that of a plain file.
        let is_known = matches!(self.0[KIND], 0 | b'0'..=b'7' | b'A'..=b'Z' | b'g' | b'x');
        let link = match are_numbers(CHECKSUM) {
            true if is_known => LINK.start,
            true => KIND,
            false => CHECKSUM.start,
        };
        let link = link..if is_marked { LINK.end } else { owner.end };
        [name, link, owner]
    }

    /// The two parts of a path are one text.
    fn mask_path(&mut self, pass: Pass<'_>) -> Result<bool, Stop> {
        let mut path = self.path();
        if !pass.mask_text(&mut path)? {
            return Ok(false);
        }
        let name = text(&self.0[NAME]).len();
        self.0[NAME][..name].copy_from_slice(&path[path.len() - name..]);
        if let Some(prefix) = self.prefix() {
            let length = path.len() - name - 1;
            self.0[prefix][..length].copy_from_slice(&path[..length]);
        }
        Ok(true)
    }

    pub(super) fn set_size(&mut self, size: u64) {
        let digits = format!("{size:011o}\0");
        if digits.len() == SIZE.len() {
            self.0[SIZE].copy_from_slice(digits.as_bytes());
        } else {
            // GNU and POSIX pax readers: a binary number, marked by its first bit.
            self.0[SIZE].fill(0);
            self.0[SIZE.start] = 0x80;
            self.0[SIZE.end - 8..SIZE.end].copy_from_slice(&size.to_be_bytes());
        }
        self.seal();
    }

    /// A plain file of this name and size, as far as the name fits.
    pub(super) fn placeholder(&self, name: &[u8], size: u64) -> Self {
        let mut header = self.clone();
        header.set_name(name);
        header.0[LINK].fill(0);
        header.0[KIND] = b'0';
        header.set_size(size);
        header
    }

    /// An extension header of this kind and size.
    pub(super) fn extension(&self, kind: u8, size: u64) -> Self {
        let mut header = self.clone();
        header.set_name(b"././@PaxHeader");
        header.0[LINK].fill(0);
        header.0[KIND] = kind;
        header.set_size(size);
        header
    }

    fn set_name(&mut self, name: &[u8]) {
        self.0[NAME].fill(0);
        let length = name.len().min(NAME.len());
        self.0[NAME][..length].copy_from_slice(&name[..length]);
        // In GNU's form times and the map of a sparse file stand there.
        self.0[PREFIX.start..].fill(0);
    }

    /// Whether it can hold a name of this length.
    pub(super) fn holds(&self, name: &[u8]) -> bool {
        self.path() == name
    }

    fn seal(&mut self) {
        let sum = format!("{:06o}\0 ", self.sum(u64::from));
        self.0[CHECKSUM].copy_from_slice(sum.as_bytes());
    }

    /// The sum of all bytes, with spaces in place of the checksum.
    fn sum(&self, value: impl Fn(u8) -> u64) -> u64 {
        let all = self.0.iter().enumerate();
        all.map(|(at, byte)| value(if CHECKSUM.contains(&at) { b' ' } else { *byte })).sum()
    }

    /// Some old writers had signed bytes. A negative sum equals nothing.
    fn signed_sum(&self) -> u64 {
        let all = self.0.iter().enumerate();
        let sum: i64 = all
            .map(|(at, byte)| i64::from(if CHECKSUM.contains(&at) { 32 } else { byte.cast_signed() }))
            .sum();
        u64::try_from(sum).unwrap_or(u64::MAX)
    }
}

/// Whether another block with a map follows this one.
pub(super) fn has_sparse_map(block: &[u8; BLOCK_BYTES]) -> bool {
    block[IS_EXTENDED_AGAIN] != 0
}

/// Bytes that fill the last block.
pub(super) fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK_BYTES as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK_BYTES - over }
}

/// A text ends with a zero, or with its field.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = text(field).trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// Octal digits, or a binary number that is marked by its first bit.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        return octal(field);
    }
    let (high, low) = field.split_at(field.len() - 8);
    let is_small = high[0] == 0x80 && high[1..].iter().all(|byte| *byte == 0);
    let value = u64::from_be_bytes(low.try_into().ok()?);
    (is_small && value <= i64::MAX.cast_unsigned()).then_some(value)
}
