//! Unpacks deflated data within the limits.

use super::limits::Meter;
use super::pool::Pooled;
use super::walk::Walk;
use super::{CHUNK_BYTES, Stop};
use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, Read};

/// Unpacks one deflate stream. Errors carry a [`Stop`].
pub(super) struct Inflate<'a, R> {
    source: R,
    state: Pooled<'a, Decompress>,
    is_done: bool,
    meter: &'a Meter<'a>,
}

impl<'a, R: BufRead> Inflate<'a, R> {
    pub(super) fn new(source: R, walk: Walk<'a>) -> Self {
        Self { source, state: walk.inflater(), is_done: false, meter: walk.meter() }
    }

    /// Returns the source, which continues behind the stream once that has ended.
    pub(super) fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Returns the source for good.
    pub(super) fn into_source(self) -> R {
        self.source
    }

    /// Starts another stream behind the one that has ended.
    pub(super) fn restart(&mut self) {
        self.state.reset(false);
        self.is_done = false;
    }

    fn unpack(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        // The limits are checked often enough, whatever the caller's buffer.
        let most = into.len().min(CHUNK_BYTES);
        while !self.is_done && most > 0 {
            let packed = self.source.fill_buf()?;
            let is_end = packed.is_empty();
            let (read, written) = (self.state.total_in(), self.state.total_out());
            let status = self
                .state
                .decompress(packed, &mut into[..most], FlushDecompress::None)
                .map_err(|_| Stop::Damaged("its data cannot be unpacked"))?;
            let consumed = usize::try_from(self.state.total_in() - read).unwrap_or(0);
            let unpacked = usize::try_from(self.state.total_out() - written).unwrap_or(0);
            self.source.consume(consumed);
            self.meter.unpack(unpacked, self.state.total_in(), self.state.total_out())?;
            self.is_done = status == Status::StreamEnd;
            if unpacked > 0 {
                return Ok(unpacked);
            }
            if is_end && !self.is_done {
                return Err(Stop::Truncated);
            }
        }
        Ok(0)
    }
}

impl<R: BufRead> Read for Inflate<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.unpack(into)?)
    }
}
