//! Masking of a text that arrives in pieces.

use super::Stop;
use super::walk::Walk;
use crate::censor::stream::StreamMask;
use std::io::{Read, Write};

/// Masks a text that arrives in pieces.
pub(super) struct TextMasker {
    mask: StreamMask,
    window: Vec<u8>,
}

impl TextMasker {
    pub(super) fn new(walk: Walk<'_>) -> Self {
        Self { mask: walk.fresh(), window: Vec::new() }
    }

    pub(super) fn push(&mut self, bytes: &[u8], walk: Walk<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        walk.meter().time()?;
        self.window.extend_from_slice(bytes);
        self.release(walk, output)
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
        self.window.drain(..released);
        Ok(())
    }

    fn mask(&mut self, end: bool, walk: Walk<'_>) -> Result<usize, Stop> {
        let released = self.mask.mask(&mut self.window, end);
        if walk.is_looking() && self.mask.masked() > 0 { Err(Stop::Dirty) } else { Ok(released) }
    }
}
