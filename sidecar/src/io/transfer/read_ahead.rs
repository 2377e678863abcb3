//! Reads a source block by block.
//!
//! Of a large source that is censored or compressed, another thread reads the
//! next block and sums it up while the pump works on the last one.
//!
//! Of a hole in a sparse file the zeros at both ends are made as if they were read,
//! because a secret may reach into them; between them one block says how many more there
//! are.

use super::holes::{Hole, with_zeros};
use super::input::{Input, READ_BYTES, SourceError};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Room in front of each block of a large source for the bytes of earlier blocks
/// that the censor held back.
const HEADROOM_BYTES: usize = 32 * 1024;

/// Smaller sources, in bytes, are not worth the start of a thread.
const MIN_AHEAD_BYTES: u64 = 8 << 20;

/// A block of the source behind its headroom.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Bytes of room in front of it.
    pub(super) headroom: usize,
    /// Its bytes belong to a hole.
    pub(super) is_hole: bool,
    /// Zeros that follow its bytes and are not among them.
    pub(super) zeros: u64,
    /// No other block follows.
    pub(super) end: bool,
    /// Bytes and CRC32C of everything read so far, this block included.
    pub(super) read: (u64, u32),
}

/// Reads a source, and totals it up.
pub(super) struct Reader<'a, 's> {
    input: &'a mut Input<'s>,
    headroom: usize,
    read: (u64, u32),
    hole: Option<Hole>,
}

impl<'a, 's> Reader<'a, 's> {
    pub(super) fn new(input: &'a mut Input<'s>) -> Self {
        let headroom = if input.size() > READ_BYTES as u64 { HEADROOM_BYTES } else { 0 };
        Self { input, headroom, read: (0, 0), hole: None }
    }

    /// Reads the next block into a reused buffer.
    pub(super) fn next(&mut self, mut bytes: Vec<u8>) -> Result<Block, SourceError> {
        bytes.resize(self.headroom, 0);
        if self.hole.is_none() {
            self.hole = Hole::next(self.input);
        }
        let (is_hole, zeros, end) = if let Some(hole) = &mut self.hole {
            let (made, zeros) = hole.take();
            bytes.resize(self.headroom + made, 0);
            if hole.is_over() {
                self.hole = None;
            }
            (true, zeros, self.hole.is_none() && self.input.is_over())
        } else {
            (false, 0, !self.input.read(&mut bytes)?)
        };
        let content = &bytes[self.headroom..];
        self.read.0 += content.len() as u64 + zeros;
        self.read.1 = crc32c::crc32c_append(self.read.1, content);
        if zeros > 0 {
            self.read.1 = with_zeros(self.read.1, zeros);
        }
        Ok(Block { bytes, headroom: self.headroom, is_hole, zeros, end, read: self.read })
    }
}

/// Returns whether to read a source of this size ahead.
pub(super) fn is_worth_a_thread(size: u64) -> bool {
    size >= MIN_AHEAD_BYTES
}

/// Calls `take` for each block up to the last one, or until it fails; it returns
/// the block's buffer.
pub(super) fn each_block<E>(
    input: &mut Input<'_>,
    ahead: bool,
    mut take: impl FnMut(Block) -> Result<Vec<u8>, E>,
) -> Result<(), Fault<E>> {
    if ahead && let Some(done) = ahead_of(input, &mut take) {
        return done;
    }
    let mut reader = Reader::new(input);
    let mut bytes = Vec::new();
    loop {
        let block = reader.next(bytes).map_err(Fault::Source)?;
        let end = block.end;
        bytes = take(block).map_err(Fault::Pump)?;
        if end {
            return Ok(());
        }
    }
}

/// The side that failed.
pub(super) enum Fault<E> {
    /// The source cannot be read.
    Source(SourceError),
    /// The pump could not process a block.
    Pump(E),
}

/// Does the same with a reading thread; returns `None`, having read nothing, when
/// no thread can be started.
fn ahead_of<E>(
    input: &mut Input<'_>,
    take: &mut impl FnMut(Block) -> Result<Vec<u8>, E>,
) -> Option<Result<(), Fault<E>>> {
    // One block is read, one waits, one is worked on.
    let (filled, blocks) = sync_channel(1);
    let (emptied, buffers) = channel();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("read".to_owned());
        let read = move || read_ahead(Reader::new(input), &filled, &buffers);
        thread.spawn_scoped(scope, read).ok()?;
        Some(take_all(blocks, &emptied, take))
    })
}

fn read_ahead(
    mut reader: Reader<'_, '_>,
    filled: &SyncSender<Result<Block, SourceError>>,
    buffers: &Receiver<Vec<u8>>,
) {
    loop {
        let block = reader.next(buffers.try_recv().unwrap_or_default());
        let over = block.as_ref().map_or(true, |block| block.end);
        // The receiver is gone: the attempt was given up.
        if filled.send(block).is_err() || over {
            return;
        }
    }
}

fn take_all<E>(
    blocks: Receiver<Result<Block, SourceError>>,
    emptied: &Sender<Vec<u8>>,
    take: &mut impl FnMut(Block) -> Result<Vec<u8>, E>,
) -> Result<(), Fault<E>> {
    for block in blocks {
        let bytes = take(block.map_err(Fault::Source)?).map_err(Fault::Pump)?;
        // Fails when the reader has ended and needs no more buffers.
        let _ = emptied.send(bytes);
    }
    Ok(())
}
