//! The header of a member: one block.

use super::super::Stop;
use super::super::tar_block::{self, BYTES as BLOCK_BYTES, CHECKSUM, MAGIC, SIZE, TYPE, number, text};
use super::super::walk::{TextMasker, Walk};
use std::io::Write;
use std::ops::Range;

const NAME: Range<usize> = 0..100;
const LINK: Range<usize> = 157..257;
const USER: Range<usize> = 265..297;
const GROUP: Range<usize> = 297..329;
const PREFIX: Range<usize> = 345..500;
/// GNU: non-zero if blocks with a map of a sparse file follow.
const IS_EXTENDED: usize = 482;
const IS_EXTENDED_AGAIN: usize = 504;

const USTAR: &[u8] = b"ustar\x0000";

/// The kind of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    /// A file with content.
    File,
    /// A link to another member.
    Link,
    /// Without content: a directory, a device, a symlink.
    Empty,
    /// Metadata of the next members.
    Extension,
    /// A sparse file in GNU's own form.
    Sparse,
    /// The rest of a file that began in another volume.
    Continued,
}

/// A header with a valid checksum.
#[derive(Clone)]
pub(super) struct Header(Box<[u8; BLOCK_BYTES]>);

impl Header {
    /// Returns the block as a header, if it is one.
    pub(super) fn of(block: &[u8; BLOCK_BYTES]) -> Option<Self> {
        tar_block::is_header(block).then(|| Self(Box::new(*block)))
    }

    pub(super) fn kind(&self) -> MemberKind {
        match self.0[TYPE] {
            b'1' => MemberKind::Link,
            b'2'..=b'6' => MemberKind::Empty,
            b'x' | b'g' | b'L' | b'K' => MemberKind::Extension,
            b'S' => MemberKind::Sparse,
            b'M' => MemberKind::Continued,
            _ => MemberKind::File,
        }
    }

    pub(super) fn letter(&self) -> u8 {
        self.0[TYPE]
    }

    pub(super) fn is_global(&self) -> bool {
        self.0[TYPE] == b'g'
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

    /// Returns the path, joined with its prefix.
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

    /// Masks its texts.
    pub(super) fn masked(mut self, walk: Walk<'_>) -> Result<Self, Stop> {
        let mut is_changed = self.mask_path(walk)?;
        // Whole fields: bytes can follow the zero that ends a text.
        for field in self.texts() {
            if self.0[field.clone()].iter().any(|byte| *byte != 0) {
                is_changed |= walk.mask_text(&mut self.0[field])?;
            }
        }
        if is_changed {
            self.seal();
        }
        Ok(self)
    }

    /// Masks its name as the end of the preceding text.
    pub(super) fn end_with_name(
        &mut self,
        before: TextMasker,
        walk: Walk<'_>,
        output: &mut dyn Write,
    ) -> Result<(), Stop> {
        if before.finish_with(&mut self.0[NAME], walk, output)? {
            self.seal();
        }
        Ok(())
    }

    /// Returns the ranges of texts. Numbers stay as they are; anything else in
    /// their place belongs to the adjacent text.
    fn texts(&self) -> [Range<usize>; 3] {
        let is_digit = |byte: &u8| byte.is_ascii_digit() || [0, b' '].contains(byte);
        let are_numbers = |field: Range<usize>| self.0[field].iter().all(is_digit);
        let name = if are_numbers(NAME.end..CHECKSUM.start) { NAME } else { NAME.start..CHECKSUM.start };
        // A text in place of magic and version can extend into the owner's name.
        let is_marked = matches!(&self.0[MAGIC.start..USER.start], b"ustar\x0000" | b"ustar  \0");
        let owner = if is_marked { USER.start } else { MAGIC.start };
        let owner = owner..if are_numbers(GROUP.end..BLOCK_BYTES) { GROUP.end } else { BLOCK_BYTES };
        // Readers treat an unknown type as a plain file.
        let is_known = matches!(self.0[TYPE], 0 | b'0'..=b'7' | b'A'..=b'Z' | b'g' | b'x');
        let link = match are_numbers(CHECKSUM) {
            true if is_known => LINK.start,
            true => TYPE,
            false => CHECKSUM.start,
        };
        let link = link..if is_marked { LINK.end } else { owner.end };
        [name, link, owner]
    }

    /// Masks the two parts of a path as one text.
    fn mask_path(&mut self, walk: Walk<'_>) -> Result<bool, Stop> {
        let mut path = self.path();
        if !walk.mask_text(&mut path)? {
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
            // GNU and POSIX pax readers: a binary number that its first bit marks.
            self.0[SIZE].fill(0);
            self.0[SIZE.start] = 0x80;
            self.0[SIZE.end - 8..SIZE.end].copy_from_slice(&size.to_be_bytes());
        }
        self.seal();
    }

    /// Returns the header of a plain file of this name, as far as it fits, and size.
    pub(super) fn placeholder(&self, name: &[u8], size: u64) -> Self {
        let mut header = self.clone();
        header.set_name(name);
        header.0[LINK].fill(0);
        header.0[TYPE] = b'0';
        header.set_size(size);
        header
    }

    /// Returns an extension header of this type and size.
    pub(super) fn extension(&self, kind: u8, size: u64) -> Self {
        let mut header = self.clone();
        header.set_name(b"././@PaxHeader");
        header.0[LINK].fill(0);
        header.0[TYPE] = kind;
        header.set_size(size);
        header
    }

    fn set_name(&mut self, name: &[u8]) {
        self.0[NAME].fill(0);
        let length = name.len().min(NAME.len());
        self.0[NAME][..length].copy_from_slice(&name[..length]);
        // In GNU's form this contains times and the map of a sparse file.
        self.0[PREFIX.start..].fill(0);
    }

    /// Returns whether it contains this whole name.
    pub(super) fn holds(&self, name: &[u8]) -> bool {
        self.path() == name
    }

    fn seal(&mut self) {
        let sum = format!("{:06o}\0 ", tar_block::sum(&self.0));
        self.0[CHECKSUM].copy_from_slice(sum.as_bytes());
    }
}

/// Returns whether another block with a map follows this one.
pub(super) fn has_sparse_map(block: &[u8; BLOCK_BYTES]) -> bool {
    block[IS_EXTENDED_AGAIN] != 0
}

/// Returns the number of bytes that fill the last block.
pub(super) fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK_BYTES as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK_BYTES - over }
}
