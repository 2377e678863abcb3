//! Containers: looked into, and packed anew when they hold a secret.
//!
//! ```text
//! file ─▶ steady ─▶ look ─┬─▶ clean: delivered byte for byte
//!                         ├─▶ dirty ─▶ rewrite: masked inside, packed anew
//!                         └─▶ withheld: cannot be checked
//! gzip ─▶ content ─┬─▶ plain: masked       tar, zip ─▶ members ─▶ content
//!                  ├─▶ tar                 zstd, bzip2, xz ─▶ content, looked at only
//!                  └─▶ any other container ─▶ spool ─▶ look, rewrite
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | `format` | what a file is, by its beginning |
//! | `pass` | one walk through a container, which looks or rewrites |
//! | `limits` | how much one file may cost |
//! | `bytes`, `steady`, `spool` | sources that can be read at any place |
//! | `inflate`, `gzip` | gzip streams of any number of members |
//! | `tar` | archives of 512-byte blocks |
//! | `zip` | archives with a directory at their end |
//! | `scanned` | zstd, bzip2 and xz |
//!
//! Looking and rewriting are the same walk, so they cannot disagree about what
//! is inside. A walk that looks ends at the first thing to change. Everything is
//! a stream; only what lies in a container and is itself one is kept aside,
//! because its new size must be known before it is written.
//!
//! Deliberately absent: encrypted members and formats that no decoder is built
//! in for. Their bytes are masked as they are, and a note says so.

mod bytes;
mod format;
mod gate;
mod gzip;
mod inflate;
mod limits;
mod pass;
mod scanned;
mod spool;
mod steady;
mod tar;
#[cfg(test)]
mod tests;
mod zip;

pub use bytes::ReadAt;
pub use limits::Limits;

use super::stream::Mask;
use format::Format;
use gate::Gate;
use pass::{Pass, Shared};
use std::io::{self, Write};
use std::sync::Arc;
use steady::{Fault, Steady};

/// Bytes that are read or unpacked at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// What looking into a file gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is no container, or one that cannot be opened: its bytes are to be
    /// masked as they are.
    Plain {
        /// What was not looked into.
        note: Option<String>,
    },
    /// No secret was found.
    Clean {
        /// The file's size in bytes.
        bytes: u64,
        /// CRC32C of its bytes: they must be the ones that are delivered.
        crc32c: u32,
        /// What was not looked into.
        note: Option<String>,
    },
    /// Something must be masked or left out: it is to be rewritten.
    Dirty,
    /// It cannot be checked, or cannot be rewritten; the reason, for people.
    Withheld(String),
}

/// What a container that was rewritten was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The size of the source.
    pub source_bytes: u64,
    /// CRC32C of the source.
    pub source_crc32c: u32,
    /// Bytes that were overwritten, in all that was unpacked.
    pub masked: u64,
    /// What was left out or not looked into.
    pub note: Option<String>,
}

/// Why there is no verdict, or no rewritten container.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The source cannot be read.
    #[error("it cannot be read: {0}")]
    Source(io::Error),
    /// The source was written to meanwhile.
    #[error("it was written to while it was looked into")]
    Moved,
    /// It cannot be censored.
    #[error("{0}")]
    Withheld(String),
    /// The output takes no more.
    #[error("{0}")]
    Output(io::Error),
}

/// Why a walk ended before its end.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// Something must be changed, which is all that looking is for.
    #[error("it holds a secret")]
    Dirty,
    /// It ends before its end; what there is was looked at.
    #[error("it is cut off")]
    Truncated,
    /// It is not what it says it is, so what follows cannot be found.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// This container cannot be checked; others beside it can.
    #[error("{0}")]
    Member(String),
    /// The file as a whole costs too much.
    #[error("{0}")]
    File(String),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(io::Error),
}

/// Readers and writers carry a `Stop` in their errors.
impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Io(error) => error,
            Stop::Dirty | Stop::Truncated | Stop::Damaged(_) | Stop::Member(_) | Stop::File(_) => {
                Self::other(stop)
            }
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Io)
    }
}

/// What a walk is given.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    /// Makes a mask for one stream.
    pub(super) fresh: &'a dyn Fn() -> Box<dyn Mask>,
    /// Whether nobody waits for it any more.
    pub(super) is_stopped: &'a dyn Fn() -> bool,
}

/// What containers are looked into with.
#[derive(Clone, Debug)]
pub(super) struct Archives {
    limits: Limits,
    gate: Arc<Gate>,
}

impl Archives {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, gate: Arc::default() }
    }

    /// Looks into a file.
    pub(super) fn look(&self, source: &dyn ReadAt, with: With<'_>) -> Result<Verdict, ArchiveError> {
        let shared = Shared::new(self, with);
        let pass = Pass::looking(&shared);
        let steady = Steady::new(source);
        let looked = walk(pass, &steady, &mut io::sink());
        if let Some(fault) = steady.fault() {
            return Err(fault.into());
        }
        let note = || shared.note();
        Ok(match looked {
            Ok(true) => {
                let crc32c = steady.crc32c().map_err(|error| error_of(&steady, error))?;
                Verdict::Clean { bytes: source.len(), crc32c, note: note() }
            }
            Ok(false) => Verdict::Plain { note: note() },
            Err(Stop::Truncated) => {
                shared.cut_off();
                Verdict::Plain { note: note() }
            }
            Err(Stop::Dirty) => Verdict::Dirty,
            Err(Stop::Io(error)) => return Err(ArchiveError::Source(error)),
            Err(stop @ (Stop::Damaged(_) | Stop::Member(_) | Stop::File(_))) => {
                Verdict::Withheld(stop.to_string())
            }
        })
    }

    /// Writes the container anew, without its secrets.
    pub(super) fn rewrite(
        &self,
        source: &dyn ReadAt,
        output: &mut dyn Write,
        with: With<'_>,
    ) -> Result<Rewritten, ArchiveError> {
        let steady = Steady::new(source);
        let shared = Shared::new(self, with);
        let written = walk(Pass::rewriting(&shared), &steady, output);
        if let Some(fault) = steady.fault() {
            return Err(fault.into());
        }
        match written {
            Ok(true) => Ok(Rewritten {
                source_bytes: source.len(),
                source_crc32c: steady.crc32c().map_err(|error| error_of(&steady, error))?,
                masked: shared.masked(),
                note: shared.note(),
            }),
            // It was a container when it was looked at.
            Ok(false) => Err(ArchiveError::Moved),
            Err(Stop::Io(error)) => Err(ArchiveError::Output(error)),
            Err(stop @ (Stop::Dirty | Stop::Truncated)) => {
                Err(ArchiveError::Withheld(format!("{stop} and holds a secret")))
            }
            Err(stop @ (Stop::Damaged(_) | Stop::Member(_) | Stop::File(_))) => {
                Err(ArchiveError::Withheld(stop.to_string()))
            }
        }
    }
}

/// Whether it is a container, which then was walked through.
fn walk(pass: Pass<'_>, source: &Steady<'_>, output: &mut dyn Write) -> Result<bool, Stop> {
    let beginning = bytes::Part::new(source, 0, format::PEEK_BYTES as u64).to_vec()?;
    let format = Format::of(&beginning);
    let Some(format) = format.map_or_else(|| ending(source), |format| Ok(Some(format)))? else {
        pass.note_unknown(&beginning);
        return Ok(false);
    };
    pass.container(format, source, output).map(|()| true)
}

/// A zip archive can have anything in front of it, such as a program.
fn ending(source: &dyn ReadAt) -> Result<Option<Format>, Stop> {
    let Some(from) = source.len().checked_sub(zip::END_BYTES) else { return Ok(None) };
    let end = bytes::Part::new(source, from, zip::END_BYTES).to_vec()?;
    Ok(end.starts_with(zip::END_MAGIC).then_some(Format::Zip))
}

impl From<Fault> for ArchiveError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreadable(error) => Self::Source(error),
            Fault::Moved => Self::Moved,
        }
    }
}

fn error_of(steady: &Steady<'_>, error: io::Error) -> ArchiveError {
    steady.fault().map_or(ArchiveError::Source(error), Into::into)
}
