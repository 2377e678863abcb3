//! How one source is censored: masked, or looked into when it is a container.

use super::Upload;
use super::pump::PumpError;
use crate::censor::{Censor, Container, Mask, Verdict};
use crate::shell::source::{OpenFile, Source};
use std::io::{self, Read};

/// A file that cannot be read on when it is not wanted any more. What little
/// is packed in one read can be unpacked in a moment.
struct Stoppable<F> {
    file: OpenFile,
    stopped: F,
}

impl<F: Fn() -> bool> Read for Stoppable<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if (self.stopped)() {
            return Err(io::Error::other("it is not wanted any more"));
        }
        self.file.read(into)
    }
}

/// The censoring of one source.
pub(super) enum Censoring<'a> {
    /// No secret is in force here.
    Off,
    /// The content is masked as it passes.
    Masking { censor: &'a Censor, mask: Box<dyn Mask>, containers: bool },
    /// A container without a secret passes as it is, provided that these are its sums.
    Checked { bytes: u64, crc32c: u32 },
}

impl<'a> Censoring<'a> {
    pub(super) fn of(upload: &Upload, censor: Option<&'a Censor>) -> Self {
        let Some(censor) = censor.filter(|_| upload.censor) else {
            return Self::Off;
        };
        let containers = match &upload.source {
            Source::Bytes(_) => false,
            Source::File(file) => !file.is_plain(),
        };
        censor.stream().map_or(Self::Off, |mask| Self::Masking { censor, mask, containers })
    }

    /// Looks into the source when it begins like a container. `wanted` fails
    /// once nobody waits for that any more.
    pub(super) fn look_into<E>(
        &mut self,
        source: &Source,
        beginning: &[u8],
        wanted: impl Fn() -> Result<(), E>,
    ) -> Result<(), PumpError<E>> {
        let (Self::Masking { censor, containers: true, .. }, Source::File(file)) = (&*self, source) else {
            return Ok(());
        };
        let Some(container) = Container::of(beginning) else {
            return Ok(());
        };
        let stoppable = |file| Stoppable { file, stopped: || wanted().is_err() };
        let verdict = file.open().and_then(|file| censor.inspect(container, stoppable(file)));
        wanted().map_err(PumpError::Sink)?;
        match verdict.map_err(|error: io::Error| PumpError::Source(format!("it cannot be read: {error}")))? {
            Verdict::Clean { bytes, crc32c } => *self = Self::Checked { bytes, crc32c },
            Verdict::Secret => {
                let name = container.name();
                return Err(PumpError::Withheld(format!(
                    "it is a {name} that holds a secret, which cannot be masked inside"
                )));
            }
            // Its bytes are masked like those of any other file.
            Verdict::Faulty => {}
        }
        Ok(())
    }

    /// As [`Mask::mask`].
    pub(super) fn mask(&mut self, window: &mut [u8], end: bool) -> usize {
        match self {
            Self::Off | Self::Checked { .. } => window.len(),
            Self::Masking { mask, .. } => mask.mask(window, end),
        }
    }

    /// Whether what was read is what was checked.
    pub(super) fn holds_for(&self, bytes: u64, crc32c: u32) -> bool {
        match self {
            Self::Off | Self::Masking { .. } => true,
            Self::Checked { bytes: checked_bytes, crc32c: checked } => {
                (*checked_bytes, *checked) == (bytes, crc32c)
            }
        }
    }

    /// Bytes overwritten.
    pub(super) fn masked(&self) -> u64 {
        match self {
            Self::Off | Self::Checked { .. } => 0,
            Self::Masking { mask, .. } => mask.masked(),
        }
    }
}
