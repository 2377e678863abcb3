//! The censoring of one source: masks it, or inspects it when it is a container.

use super::Upload;
use super::output::{Output, PumpError, Sink, Totals};
use crate::censor::archive::{self, ArchiveError, ReadAt, TarSearch, Verdict};
use crate::censor::{Censor, StreamMask};
use crate::io::source::{OpenFile, Source};
use std::cell::RefCell;
use std::io::{self, Write};

impl ReadAt for OpenFile {
    fn len(&self) -> u64 {
        self.stamp().size
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        Self::read_at(self, at, into)
    }

    fn is_hole(&self, at: u64, length: u64) -> bool {
        Self::is_hole(self, at, length)
    }
}

/// Kind of content that is censored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A document that sidecar made.
    Document,
    /// A process log.
    Log,
    /// A file that may be a container.
    Artifact,
}

/// The censoring of one source.
pub(super) enum Censoring<'a> {
    /// No secret is in force here.
    Off,
    /// The content is masked as it passes.
    Masking {
        censor: &'a Censor,
        mask: Box<StreamMask>,
        kind: Kind,
        note: Option<String>,
        is_database: bool,
        tar: TarSearch,
    },
    /// A container without a secret passes unchanged if these are still its totals.
    Checked { bytes: u64, crc32c: u32, note: Option<String> },
}

impl<'a> Censoring<'a> {
    pub(super) fn of(upload: &Upload, censor: Option<&'a Censor>) -> Self {
        let Some(censor) = censor.filter(|_| upload.censor) else {
            return Self::Off;
        };
        let (mask, kind) = match &upload.source {
            Source::Bytes(_) | Source::Compressed(_) => (censor.stream_of_document(), Kind::Document),
            Source::File(file) if file.is_plain() => (censor.stream_of_log(), Kind::Log),
            Source::File(_) => (censor.stream(), Kind::Artifact),
        };
        let masking = |mask| Self::Masking {
            censor,
            mask: Box::new(mask),
            kind,
            note: None,
            is_database: false,
            tar: TarSearch::default(),
        };
        mask.map_or(Self::Off, masking)
    }

    /// Inspects the file; returns the container to rewrite, where it holds a secret.
    /// `wanted` fails once the attempt has been given up.
    pub(super) fn inspect<E>(
        &mut self,
        file: &OpenFile,
        wanted: impl Fn() -> Result<(), E>,
    ) -> Result<Option<Dirty<'a>>, PumpError<E>> {
        let Self::Masking { censor, kind: Kind::Artifact, note, is_database, .. } = self else {
            return Ok(None);
        };
        let is_stopped = || wanted().is_err();
        let verdict = if file.has_other_names() {
            censor.look_into_once(file.stamp().identity(), file, &is_stopped)
        } else {
            censor.look_into(file, &is_stopped)
        };
        wanted().map_err(PumpError::Sink)?;
        match verdict.map_err(failed)? {
            // No container: its bytes are masked like those of any other file.
            Verdict::Plain { note: found } => {
                *note = found;
                *is_database = archive::is_database(file);
            }
            Verdict::Clean { bytes, crc32c, note } => *self = Self::Checked { bytes, crc32c, note },
            Verdict::Withheld(reason) => return Err(withheld(censor, reason)),
            Verdict::Dirty => return Ok(Some(Dirty { censor })),
        }
        Ok(None)
    }

    /// Fails once the budget for masking is used up: what was masked so far must not be
    /// delivered.
    pub(super) fn within_budget<E>(&self) -> Result<(), PumpError<E>> {
        let Self::Masking { mask, kind, .. } = self else { return Ok(()) };
        match (mask.exceeded(), kind) {
            (None, _) => Ok(()),
            (Some(exceeded), Kind::Artifact) => Err(PumpError::OverLimit(exceeded.to_string())),
            (Some(exceeded), Kind::Document | Kind::Log) => Err(PumpError::Withheld(exceeded.to_string())),
        }
    }

    /// Remembers a file with several names that was read to its end and held no secret.
    pub(super) fn passed(&self, file: &OpenFile, bytes: u64, crc32c: u32) {
        let Self::Masking { censor, mask, kind: Kind::Artifact, tar, .. } = self else { return };
        if file.has_other_names() && mask.masked() == 0 && !tar.is_found() && !file.changed() {
            censor.is_clean(file.stamp().identity(), bytes, crc32c);
        }
    }

    /// Looks for an archive in a piece of the source, and in the zeros that follow it.
    pub(super) fn search(&mut self, piece: &[u8], zeros: u64) {
        if let Self::Masking { kind: Kind::Artifact, tar, .. } = self {
            tar.push(piece);
            tar.push_zeros(zeros);
        }
    }

    /// As [`StreamMask::mask`].
    pub(super) fn mask(&mut self, window: &mut [u8], end: bool) -> usize {
        match self {
            Self::Off | Self::Checked { .. } => window.len(),
            Self::Masking { mask, .. } => mask.mask(window, end),
        }
    }

    /// Returns whether the bytes read are the bytes inspected.
    pub(super) fn holds_for(&self, bytes: u64, crc32c: u32) -> bool {
        match self {
            Self::Off | Self::Masking { .. } => true,
            Self::Checked { bytes: checked_bytes, crc32c: checked, .. } => {
                (*checked_bytes, *checked) == (bytes, crc32c)
            }
        }
    }

    /// Returns whether the content is masked as it passes.
    pub(super) fn is_masking(&self) -> bool {
        matches!(self, Self::Masking { .. })
    }

    /// Returns the number of bytes overwritten.
    pub(super) fn masked(&self) -> u64 {
        match self {
            Self::Off | Self::Checked { .. } => 0,
            Self::Masking { mask, .. } => mask.masked(),
        }
    }

    /// Returns a note on what was not inspected.
    pub(super) fn note(&self) -> Option<String> {
        match self {
            Self::Off => None,
            Self::Masking { is_database: true, mask, .. } if mask.masked() > 0 => {
                Some(archive::MASKED_DATABASE.to_owned())
            }
            Self::Masking { note: None, tar, .. } if tar.is_found() => {
                Some(archive::TAR_FAR_BEHIND.to_owned())
            }
            Self::Masking { note, .. } | Self::Checked { note, .. } => note.clone(),
        }
    }
}

/// A container that holds a secret.
pub(super) struct Dirty<'a> {
    censor: &'a Censor,
}

impl Dirty<'_> {
    /// Rewrites it without the secret, as the object.
    pub(super) fn rewrite<S: Sink>(
        &self,
        file: &OpenFile,
        mut output: Output<'_, S>,
    ) -> Result<Totals, PumpError<S::Error>> {
        let stamp = file.stamp();
        // A generous guess: it may have been compressed better than it will be now.
        output.expect(stamp.size.saturating_mul(2));
        let output = RefCell::new(output);
        let wanted = || output.borrow().sink.wanted();
        let mut writer = Writer { output: &output, failure: None };
        let is_stopped = || wanted().is_err();
        let rewritten = if file.has_other_names() {
            self.censor.rewrite_once(stamp.identity(), file, &mut writer, &is_stopped)
        } else {
            self.censor.rewrite(file, &mut writer, &is_stopped)
        };
        writer.failure.map_or_else(wanted, Err).map_err(PumpError::Sink)?;
        let rewritten = rewritten.map_err(|error| match error {
            ArchiveError::Withheld(reason) => withheld(self.censor, reason),
            error @ (ArchiveError::Source(_)
            | ArchiveError::Moved
            | ArchiveError::GivenUp
            | ArchiveError::Output(_)) => failed(error),
        })?;
        let (stored_bytes, stored_crc32c) = output.into_inner().finish().map_err(PumpError::Sink)?;
        Ok(Totals {
            source_bytes: rewritten.source_bytes,
            source_crc32c: rewritten.source_crc32c,
            stored_bytes,
            stored_crc32c,
            censored: rewritten.masked,
            note: rewritten.note,
            changed: file.changed(),
            stamp: Some(stamp),
        })
    }
}

/// Returns why a container is not delivered: because of itself, or of the pass's budget.
fn withheld<E>(censor: &Censor, reason: String) -> PumpError<E> {
    if censor.is_over_limit(&reason) { PumpError::OverLimit(reason) } else { PumpError::Withheld(reason) }
}

fn failed<E>(error: ArchiveError) -> PumpError<E> {
    match error {
        ArchiveError::Source(_) | ArchiveError::Output(_) | ArchiveError::GivenUp => {
            PumpError::Source(error.to_string())
        }
        ArchiveError::Moved => PumpError::Moved,
        ArchiveError::Withheld(reason) => PumpError::Withheld(reason),
    }
}

/// Keeps the sink's own error, which `io::Error` cannot carry.
struct Writer<'a, 'b, S: Sink> {
    output: &'a RefCell<Output<'b, S>>,
    failure: Option<S::Error>,
}

impl<S: Sink> Write for Writer<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.borrow_mut().write(bytes).map_err(|error| {
            self.failure = Some(error);
            io::Error::other("the output failed")
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
