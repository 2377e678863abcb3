//! The blocking half of a transfer: read, censor, compress, sum up.
//!
//! ```text
//! input ─┬─ read_ahead ── window ── censor ─┬─ output: [gzip] ── sink (parts, or a file)
//!        │      └ CRC32C of the source      │               └ CRC32C of the object
//!        └─ container, rewritten ───────────┘
//! ```
//!
//! The window is one block, behind the bytes of earlier blocks that the censor
//! held back. A pump runs on a thread of its own, never on the runtime's.

use super::Upload;
use super::censoring::Censoring;
use super::holes::EDGE_BYTES;
use super::input::{Input, READ_BYTES, SourceError};
use super::output::{Output, PumpError, Sink, Totals};
use super::read_ahead::{Block, Fault, each_block, is_worth_a_thread};
use crate::censor::Censor;
use crate::io::fault_injection;

/// Pumps a whole source into a sink.
pub(super) fn pump<S: Sink>(
    upload: &Upload,
    compress: bool,
    censor: Option<&Censor>,
    sink: &mut S,
) -> Result<Totals, PumpError<S::Error>> {
    fault_injection::point(format_args!("reader {}", upload.key));
    let mut input = Input::open(&upload.source).map_err(source_failed)?;
    // Before anything is read, or looked into.
    sink.accepts(input.size()).map_err(PumpError::Sink)?;
    let mut censoring = Censoring::of(upload, censor);
    let mut output = Output::new(upload, compress, input.size(), sink);
    if let Input::File(file) = &input
        && let Some(dirty) = censoring.inspect(file, || output.sink.wanted())?
    {
        return dirty.rewrite(file, output);
    }
    censoring.within_budget()?;
    let (mut window, mut read) = (Window::default(), (0, 0));
    let ahead = (compress || censoring.is_masking()) && is_worth_a_thread(input.size());
    let fed = each_block(&mut input, ahead, |mut block| {
        read = block.read;
        censoring.search(&block.bytes[block.headroom..], block.zeros);
        window.pass(&mut block, &mut censoring, &mut output)?;
        window.pass_zeros(&block, &mut censoring, &mut output)?;
        Ok(block.bytes)
    });
    fed.map_err(|fault| match fault {
        Fault::Source(error) => source_failed(error),
        Fault::Pump(error) => error,
    })?;
    let (source_bytes, source_crc32c) = read;
    if !censoring.holds_for(source_bytes, source_crc32c) {
        return Err(PumpError::Moved);
    }
    if let Input::File(file) = &input {
        censoring.passed(file, source_bytes, source_crc32c);
    }
    let (stored_bytes, stored_crc32c) = output.finish().map_err(PumpError::Sink)?;
    Ok(Totals {
        source_bytes,
        source_crc32c,
        stored_bytes,
        stored_crc32c,
        censored: censoring.masked(),
        note: censoring.note(),
        changed: input.changed(source_bytes),
        stamp: input.stamp(),
    })
}

/// The bytes that the censor held back, and what it made of the zeros of a hole.
#[derive(Default)]
struct Window {
    carry: Vec<u8>,
    are_zeros_kept: bool,
}

impl Window {
    /// Masks a block and passes it on.
    fn pass<S: Sink>(
        &mut self,
        block: &mut Block,
        censoring: &mut Censoring<'_>,
        output: &mut Output<'_, S>,
    ) -> Result<(), PumpError<S::Error>> {
        let (end, is_hole) = (block.end, block.is_hole);
        let window = behind(&mut self.carry, block);
        let released = censoring.mask(window, end);
        censoring.within_budget()?;
        output.write(&window[..released]).map_err(PumpError::Sink)?;
        self.are_zeros_kept = is_hole && are_zeros(&window[released / 2..released]);
        self.carry = window[released..].to_vec();
        Ok(())
    }

    /// Passes the inner zeros of a hole on. What no secret covers after so many zeros, and is
    /// not held back because of what precedes them, is covered nowhere among more of them.
    fn pass_zeros<S: Sink>(
        &mut self,
        block: &Block,
        censoring: &mut Censoring<'_>,
        output: &mut Output<'_, S>,
    ) -> Result<(), PumpError<S::Error>> {
        let mut left = block.zeros;
        if left == 0 {
            return Ok(());
        }
        if self.are_zeros_kept && self.carry.len() <= EDGE_BYTES / 2 && are_zeros(&self.carry) {
            return output.write_zeros(left).map_err(PumpError::Sink);
        }
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(READ_BYTES);
            left -= now as u64;
            let bytes = vec![0; now];
            let mut piece =
                Block { bytes, headroom: 0, is_hole: true, zeros: 0, end: false, read: block.read };
            self.pass(&mut piece, censoring, output)?;
        }
        Ok(())
    }
}

fn are_zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Returns the window: a block behind the bytes held back of earlier ones.
fn behind<'a>(carry: &mut Vec<u8>, block: &'a mut Block) -> &'a mut [u8] {
    let headroom = block.headroom;
    if carry.len() > headroom {
        // Only a secret of this length holds back so much of a large source.
        block.bytes.splice(..headroom, carry.drain(..));
        return &mut block.bytes;
    }
    let start = headroom - carry.len();
    block.bytes[start..headroom].copy_from_slice(carry);
    &mut block.bytes[start..]
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err by name")]
fn source_failed<E>(error: SourceError) -> PumpError<E> {
    PumpError::Source(error.to_string())
}
