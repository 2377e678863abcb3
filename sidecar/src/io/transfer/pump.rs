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
use super::input::{Input, SourceError};
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
    let mut censoring = Censoring::of(upload, censor);
    let mut output = Output::new(upload, compress, input.size(), sink);
    if let Input::File(file) = &input
        && let Some(dirty) = censoring.inspect(file, || output.sink.wanted())?
    {
        return dirty.rewrite(file, output);
    }
    let (mut carry, mut read) = (Vec::new(), (0, 0));
    let ahead = (compress || censoring.is_masking()) && is_worth_a_thread(input.size());
    let fed = each_block(&mut input, ahead, |mut block| {
        read = block.read;
        let end = block.end;
        let window = behind(&mut carry, &mut block);
        let released = censoring.mask(window, end);
        output.write(&window[..released])?;
        carry = window[released..].to_vec();
        Ok(block.bytes)
    });
    fed.map_err(|fault| match fault {
        Fault::Source(error) => source_failed(error),
        Fault::Pump(error) => PumpError::Sink(error),
    })?;
    let (source_bytes, source_crc32c) = read;
    if !censoring.holds_for(source_bytes, source_crc32c) {
        return Err(PumpError::Moved);
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
