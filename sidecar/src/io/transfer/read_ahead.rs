//! What the pump is fed with: a source's bytes, block by block.
//!
//! Of a large file that is to be censored or compressed the next block is read
//! and summed up on another thread while the last one is worked on.

use super::pump::Input;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Bytes asked of the file at a time. The page cache gives more per second up
/// to about this size, and it fits the processor's cache beside the output.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// Room in front of each block of a large source for what the censor held back
/// of those before.
const HEADROOM: usize = 32 * 1024;

/// From this size on a thread of its own is worth its start, in bytes.
const AHEAD_FROM: u64 = 8 << 20;

/// A block of the source behind its headroom.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// How much room there is in front of it.
    pub(super) headroom: usize,
    /// No other follows.
    pub(super) end: bool,
    /// Bytes and CRC32C of all that was read so far, this block included.
    pub(super) read: (u64, u32),
}

/// Reads a source, and totals it up.
pub(super) struct Reader<'a, 's> {
    input: &'a mut Input<'s>,
    headroom: usize,
    read: (u64, u32),
}

impl<'a, 's> Reader<'a, 's> {
    pub(super) fn new(input: &'a mut Input<'s>) -> Self {
        let headroom = if input.size() > READ_BYTES as u64 { HEADROOM } else { 0 };
        Self { input, headroom, read: (0, 0) }
    }

    /// The next block, in a buffer that was used before.
    pub(super) fn next(&mut self, mut bytes: Vec<u8>) -> Result<Block, String> {
        bytes.resize(self.headroom, 0);
        let end = !self.input.read(&mut bytes)?;
        let content = &bytes[self.headroom..];
        self.read.0 += content.len() as u64;
        self.read.1 = crc32c::crc32c_append(self.read.1, content);
        Ok(Block { bytes, headroom: self.headroom, end, read: self.read })
    }
}

/// Whether to read a source of this size ahead.
pub(super) fn is_worth_a_thread(size: u64) -> bool {
    size >= AHEAD_FROM
}

/// Calls `take` for each block until it fails or the last one was taken; it
/// gives the block's buffer back.
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
        bytes = take(block).map_err(Fault::Taker)?;
        if end {
            return Ok(());
        }
    }
}

/// Which side failed.
pub(super) enum Fault<E> {
    /// The source cannot be read.
    Source(String),
    /// The blocks' taker.
    Taker(E),
}

/// The same with a thread that reads; `None`, and nothing is read, when there
/// can be none.
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
    filled: &SyncSender<Result<Block, String>>,
    buffers: &Receiver<Vec<u8>>,
) {
    loop {
        let block = reader.next(buffers.try_recv().unwrap_or_default());
        let over = block.as_ref().map_or(true, |block| block.end);
        // Nobody takes any more: the attempt was given up.
        if filled.send(block).is_err() || over {
            return;
        }
    }
}

fn take_all<E>(
    blocks: Receiver<Result<Block, String>>,
    emptied: &Sender<Vec<u8>>,
    take: &mut impl FnMut(Block) -> Result<Vec<u8>, E>,
) -> Result<(), Fault<E>> {
    for block in blocks {
        let bytes = take(block.map_err(Fault::Source)?).map_err(Fault::Taker)?;
        // It fails when the reader has ended, which then needs no buffer.
        let _ = emptied.send(bytes);
    }
    Ok(())
}
