//! A source that must not change while it is looked into.
//!
//! Containers are read at random, some parts more than once, and delivery reads
//! them again. The checksum of each block is kept from its first read: different
//! bytes later are an error, and the checksum of the whole follows from all.

use super::bytes::ReadAt;
use super::{CHUNK_BYTES, Stop};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;

/// Maximum number of the smallest blocks; of larger sources they are larger.
const MAX_SMALL_BLOCKS: u64 = 256 * 1024;

/// Length of the larger blocks: one is kept, so that a sparse source of any size costs
/// little memory.
const LARGE_BLOCK_BYTES: u64 = 1 << 20;

/// Number of small blocks kept: a zip archive is read at its directory and at a member in
/// turns.
const MAX_KEPT: usize = 4;

/// Number of checksums that are kept in one piece of memory.
const SUMS_PER_PIECE: u64 = 1024;

/// A fault of a source.
#[derive(Debug)]
pub(super) enum Fault {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It changed.
    Moved,
}

/// Wraps a source, and fails once it changes.
pub(super) struct UnchangingSource<'a> {
    source: &'a dyn ReadAt,
    block_bytes: u64,
    /// The checksums of blocks that were read, in pieces of those that are near each other.
    sums: RefCell<HashMap<u64, Box<[Option<u32>]>>>,
    blocks: RefCell<Vec<Block>>,
    /// Index of the block that is replaced next.
    oldest: Cell<usize>,
    fault: Cell<Option<Fault>>,
}

/// A block that was read lately.
#[derive(Default)]
struct Block {
    number: Option<u64>,
    bytes: Vec<u8>,
}

impl<'a> UnchangingSource<'a> {
    pub(super) fn new(source: &'a dyn ReadAt) -> Self {
        let small = CHUNK_BYTES as u64;
        let is_large = source.len().div_ceil(small) > MAX_SMALL_BLOCKS;
        Self {
            source,
            block_bytes: if is_large { LARGE_BLOCK_BYTES } else { small },
            sums: RefCell::default(),
            blocks: RefCell::default(),
            oldest: Cell::new(0),
            fault: Cell::new(None),
        }
    }

    /// Returns the source without checks, for bytes whose change does no harm.
    pub(super) fn unchecked(&self) -> &'a dyn ReadAt {
        self.source
    }

    /// Takes the fault, if there was one.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.take()
    }

    /// Returns the CRC32C of the whole; reads what was not read yet. Fails once `go_on` does.
    pub(super) fn crc32c(&self, go_on: &dyn Fn() -> Result<(), Stop>) -> Result<u32, Stop> {
        let mut whole = 0;
        for number in 0..self.source.len().div_ceil(self.block_bytes) {
            let sum = if let Some(sum) = self.known(number) {
                sum
            } else {
                go_on()?;
                self.load(number)?
            };
            let length = self.block_bytes.min(self.source.len() - number * self.block_bytes);
            whole = crc32c::crc32c_combine(whole, sum, usize::try_from(length).unwrap_or(usize::MAX));
        }
        Ok(whole)
    }

    /// Returns the checksum of a block that was read.
    fn known(&self, number: u64) -> Option<u32> {
        let sums = self.sums.borrow();
        sums.get(&(number / SUMS_PER_PIECE))?.get(index_in_piece(number)).copied().flatten()
    }

    fn remember(&self, number: u64, sum: u32) {
        let mut sums = self.sums.borrow_mut();
        let piece = sums.entry(number / SUMS_PER_PIECE);
        let count = self.source.len().div_ceil(self.block_bytes).min(SUMS_PER_PIECE);
        let piece = piece.or_insert_with(|| (0..count).map(|_| None).collect());
        if let Some(known) = piece.get_mut(index_in_piece(number)) {
            *known = Some(sum);
        }
    }

    /// Reads and checks a block, and returns its checksum.
    fn load(&self, number: u64) -> io::Result<u32> {
        let mut blocks = self.blocks.borrow_mut();
        let kept = if self.block_bytes > CHUNK_BYTES as u64 { 1 } else { MAX_KEPT };
        let index = self.oldest.replace((self.oldest.get() + 1) % kept);
        if blocks.len() <= index {
            blocks.resize_with(index + 1, Block::default);
        }
        let block = &mut blocks[index];
        block.number = None;
        let at = number * self.block_bytes;
        let length = usize::try_from(self.block_bytes.min(self.source.len() - at)).unwrap_or(0);
        block.bytes.resize(length, 0);
        let mut filled = 0;
        if self.source.is_hole(at, length as u64) {
            block.bytes.fill(0);
            filled = length;
        }
        while filled < length {
            match self.source.read_at(at + filled as u64, &mut block.bytes[filled..]) {
                Ok(0) => return Err(self.fail(Fault::Moved)),
                Ok(read) => filled += read,
                Err(error) => return Err(self.fail(Fault::Unreadable(error))),
            }
        }
        let sum = crc32c::crc32c(&block.bytes);
        match self.known(number) {
            Some(known) if known != sum => return Err(self.fail(Fault::Moved)),
            Some(_) => {}
            None => self.remember(number, sum),
        }
        block.number = Some(number);
        Ok(sum)
    }

    fn fail(&self, fault: Fault) -> io::Error {
        self.fault.set(Some(fault));
        io::Error::other("the source failed")
    }
}

fn index_in_piece(number: u64) -> usize {
    usize::try_from(number % SUMS_PER_PIECE).unwrap_or(usize::MAX)
}

impl ReadAt for UnchangingSource<'_> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        if at >= self.len() {
            return Ok(0);
        }
        let number = at / self.block_bytes;
        let find = || self.blocks.borrow().iter().position(|block| block.number == Some(number));
        if find().is_none() {
            self.load(number)?;
        }
        let index = find().ok_or_else(|| io::Error::other("the block was replaced"))?;
        let blocks = self.blocks.borrow();
        let block = &blocks[index];
        let from = usize::try_from(at % self.block_bytes).unwrap_or(0);
        let read = into.len().min(block.bytes.len() - from);
        into[..read].copy_from_slice(&block.bytes[from..from + read]);
        Ok(read)
    }
}
