//! Masking of a text that arrives in pieces.

use super::Stop;
use super::bytes::are_zeros;
use super::walk::Walk;
use crate::censor::stream::StreamMask;
use std::io::{Read, Write};

/// Zeros in a row after which more of them are passed on without a look: no secret holds on
/// to as many.
const MAX_ZEROS: usize = 1 << 20;

/// Masks a text that arrives in pieces.
pub(super) struct TextMasker {
    mask: StreamMask,
    window: Vec<u8>,
    /// Zeros at the end of what was pushed, in whole pieces.
    zeros: usize,
    /// The bytes released last are zeros, as they were pushed.
    are_zeros_kept: bool,
}

impl TextMasker {
    pub(super) fn new(walk: Walk<'_>) -> Self {
        Self { mask: walk.fresh(), window: Vec::new(), zeros: 0, are_zeros_kept: false }
    }

    pub(super) fn push(&mut self, bytes: &[u8], walk: Walk<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        walk.meter().time()?;
        if !are_zeros(bytes) {
            self.zeros = 0;
        } else if self.passes_zeros() {
            return Ok(output.write_all(bytes)?);
        } else {
            self.zeros += bytes.len();
        }
        self.window.extend_from_slice(bytes);
        self.release(walk, output)
    }

    /// Returns whether more zeros change nothing: no secret covers those before them, or
    /// holds them back because of what precedes them.
    fn passes_zeros(&self) -> bool {
        self.zeros >= MAX_ZEROS
            && self.are_zeros_kept
            && self.window.len() <= MAX_ZEROS / 2
            && are_zeros(&self.window)
    }

    /// Reads to the end of the input, or to an error.
    pub(super) fn read(
        &mut self,
        input: &mut dyn Read,
        walk: Walk<'_>,
        output: &mut dyn Write,
    ) -> Result<(), Stop> {
        let mut chunk = walk.chunk();
        loop {
            let read = input.read(&mut chunk)?;
            if read == 0 {
                return Ok(());
            }
            self.push(&chunk[..read], walk, output)?;
        }
    }

    pub(super) fn finish(self, walk: Walk<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        self.finish_with(&mut [], walk, output).map(|_| ())
    }

    /// Ends this text, and starts another one.
    pub(super) fn next(self, walk: Walk<'_>, output: &mut dyn Write) -> Result<Self, Stop> {
        self.finish(walk, output)?;
        Ok(Self::new(walk))
    }

    /// Ends with bytes that are written elsewhere: masks them as the end of the
    /// text, and returns whether they changed.
    pub(super) fn finish_with(
        mut self,
        last: &mut [u8],
        walk: Walk<'_>,
        output: &mut dyn Write,
    ) -> Result<bool, Stop> {
        self.window.extend_from_slice(last);
        self.mask(true, walk)?;
        walk.count(self.mask.masked());
        let (rest, masked) = self.window.split_at(self.window.len() - last.len());
        output.write_all(rest)?;
        let is_changed = masked != last;
        last.copy_from_slice(masked);
        Ok(is_changed)
    }

    fn release(&mut self, walk: Walk<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        let released = self.mask(false, walk)?;
        output.write_all(&self.window[..released])?;
        if released > 0 {
            self.are_zeros_kept = self.zeros > 0 && are_zeros(&self.window[released / 2..released]);
        }
        self.window.drain(..released);
        Ok(())
    }

    fn mask(&mut self, end: bool, walk: Walk<'_>) -> Result<usize, Stop> {
        let released = self.mask.mask(&mut self.window, end);
        if walk.is_looking() && self.mask.masked() > 0 { Err(Stop::Dirty) } else { Ok(released) }
    }
}
