//! The frames of a zstd stream (RFC 8878), read as one text.

use super::super::Stop;
use super::super::format::{ZSTD, is_skippable};
use super::super::walk::Walk;
use super::{Packed, too_large};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, BufRead, Read};

/// Magic number and length of a skippable frame.
const SKIPPED_MAGIC_BYTES: usize = 4;
const SKIPPED_HEADER_BYTES: usize = 8;

/// The largest window that zstd itself unpacks unless it is told to (2^27, of `--ultra -22`
/// and `--long`). Memory for it is reserved, and used only as far as content fills it.
const MAX_WINDOW_BYTES: u64 = 128 << 20;

/// In a frame's header: the bit that says that the window is as large as the content,
/// and where its size is otherwise.
const SINGLE_SEGMENT: u8 = 1 << 5;
const DESCRIPTOR_AT: usize = 4;
const WINDOW_AT: usize = 5;

/// Reads all frames.
pub(super) struct Frames<'a> {
    walk: Walk<'a>,
    room: u64,
    state: Frame<'a>,
}

enum Frame<'a> {
    Between(Packed<'a>, FrameDecoder),
    Open(StreamingDecoder<Packed<'a>, FrameDecoder>, Window),
    /// At the end, or at an error.
    Done,
}

/// The content that a frame may still unpack to: without a limit if its window fits into
/// the memory, else as much as fits.
#[derive(Clone, Copy)]
struct Window {
    left: Option<u64>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(walk: Walk<'a>, room: u64, packed: Packed<'a>) -> Self {
        Self { walk, room, state: Frame::Between(packed, FrameDecoder::new()) }
    }

    fn unpack(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        loop {
            match std::mem::replace(&mut self.state, Frame::Done) {
                Frame::Done => return Ok(0),
                Frame::Open(mut decoder, mut window) => {
                    let read = decoder.read(into)?;
                    if read > 0 {
                        if let Some(left) = &mut window.left {
                            *left = left.checked_sub(read as u64).ok_or_else(|| too_large(self.room))?;
                        }
                        self.state = Frame::Open(decoder, window);
                        return Ok(read);
                    }
                    let (packed, mut decoder) = decoder.into_parts();
                    let stated = decoder.get_checksum_from_data();
                    if stated.is_some() && stated != decoder.get_calculated_checksum() {
                        return Err(Stop::Damaged("its content does not match its checksum"));
                    }
                    if window.left.is_some() {
                        // Its buffer would be filled by and by.
                        decoder = FrameDecoder::new();
                    }
                    self.state = Frame::Between(packed, decoder);
                }
                Frame::Between(packed, decoder) => self.state = self.next(packed, decoder)?,
            }
        }
    }

    /// Continues with the next frame.
    fn next(&self, mut packed: Packed<'a>, mut decoder: FrameDecoder) -> Result<Frame<'a>, Stop> {
        let beginning = packed.cursor.at_least(SKIPPED_HEADER_BYTES)?;
        if is_skippable(beginning) && beginning.len() >= SKIPPED_HEADER_BYTES {
            let length = u32::from_le_bytes([beginning[4], beginning[5], beginning[6], beginning[7]]);
            // Includes the length field, where a text can begin.
            packed.consume(SKIPPED_MAGIC_BYTES);
            let rest = (SKIPPED_HEADER_BYTES - SKIPPED_MAGIC_BYTES) as u64 + u64::from(length);
            self.walk.mask(&mut (&mut packed).take(rest), &mut io::sink())?;
            return Ok(Frame::Between(packed, decoder));
        }
        if !beginning.starts_with(ZSTD) {
            // Tools ignore what follows the last frame, or complain about it.
            self.walk.mask(&mut packed, &mut io::sink())?;
            return Ok(Frame::Done);
        }
        let window = Window { left: self.is_wide(beginning).then_some(self.room) };
        decoder.set_max_window_size(self.room.max(MAX_WINDOW_BYTES));
        match StreamingDecoder::new_with_decoder(packed, decoder) {
            Ok(decoder) => Ok(Frame::Open(decoder, window)),
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => Err(too_large(self.room)),
            Err(error) => Err(Stop::Io(io::Error::other(error))),
        }
    }

    /// Returns whether a frame's window may need more memory than there is.
    fn is_wide(&self, header: &[u8]) -> bool {
        let (Some(descriptor), Some(window)) = (header.get(DESCRIPTOR_AT), header.get(WINDOW_AT)) else {
            return false;
        };
        let base = 1_u64 << (10 + (window >> 3));
        descriptor & SINGLE_SEGMENT != 0 || base + base / 8 * u64::from(window & 7) > self.room
    }
}

impl Read for Frames<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.unpack(into)?)
    }
}
