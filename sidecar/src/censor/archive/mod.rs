//! Containers: looked into, and rewritten when they contain a secret.
//!
//! ```text
//! file ─▶ unchanging ─▶ look ─┬─▶ clean: delivered byte for byte
//!                             ├─▶ dirty ─▶ rewrite: masked inside, repacked
//!                             └─▶ withheld: cannot be checked
//! gzip ─▶ content ─┬─▶ plain: masked       tar, zip ─▶ members ─▶ content
//!                  ├─▶ tar                 zstd, bzip2, xz ─▶ content
//!                  └─▶ any other container ─▶ spool ─▶ look, rewrite
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | `format`, `tar_block`, `survey`, `embedded` | recognition of formats |
//! | `text_masker` | masking of a text in pieces |
//! | `walk` | one walk through a container, which looks or rewrites |
//! | `limits`, `pool` | limits on the cost of one file, and what is used again in it |
//! | `large_memory_lock` | one file at a time may use much memory |
//! | `bytes`, `unchanging_source`, `spool` | sources with random access |
//! | `inflate`, `gzip` | gzip streams of any number of members |
//! | `tar` | archives of 512-byte blocks |
//! | `zip` | archives with a directory at their end |
//! | `ar` | packages of Debian |
//! | `compressed` | zstd, bzip2, xz, lzma and zlib |
//! | `pdf` | documents with packed streams |
//! | `digests` | formats whose digests no longer fit what was masked |
//!
//! Looking and rewriting are the same walk, so they cannot disagree about the
//! content. A walk that looks ends at the first thing to change. Everything is
//! streamed; only a container inside a container is spooled, because its new
//! size must be known before it is written.
//!
//! Deliberately absent: encrypted members and formats without a decoder. Their
//! bytes are masked as they are, and a note says so.

mod ar;
mod bytes;
mod compressed;
mod digests;
mod embedded;
mod format;
mod gzip;
mod inflate;
mod large_memory_lock;
mod limits;
mod pdf;
mod pool;
mod spool;
mod survey;
mod tar;
mod tar_block;
#[cfg(test)]
mod tests;
mod text_masker;
mod unchanging_source;
mod walk;
mod zip;

pub use bytes::ReadAt;
pub(crate) use digests::{MASKED_DATABASE, is_database};
pub use limits::Limits;
pub(crate) use spool::temporary_file;
pub(crate) use survey::TarSearch;

use super::budget::Budget;
use super::engine::Matcher;
use format::Format;
use large_memory_lock::LargeMemoryLock;
use std::io::{self, Write};
use std::sync::Arc;
use survey::{Survey, survey};
use unchanging_source::{Fault, UnchangingSource};
use walk::{Shared, Walk};

/// Bytes that are read or unpacked at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// The note on a plain file that holds a tar archive farther behind than the survey looks.
pub(crate) const TAR_FAR_BEHIND: &str = "not looked into: a tar archive behind other bytes";

/// The result of looking into a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is no container, or one that cannot be opened: mask its bytes as they are.
    Plain {
        /// Description of what was not looked into.
        note: Option<String>,
    },
    /// It contains no secret.
    Clean {
        /// The file's size in bytes.
        bytes: u64,
        /// CRC32C of its bytes; exactly these must be delivered.
        crc32c: u32,
        /// Description of what was not looked into.
        note: Option<String>,
    },
    /// Something must be masked or omitted: rewrite it.
    Dirty,
    /// It cannot be checked or rewritten; the reason, for people.
    Withheld(String),
}

/// A rewritten container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The size of the source.
    pub source_bytes: u64,
    /// CRC32C of the source.
    pub source_crc32c: u32,
    /// Number of bytes overwritten in unpacked content.
    pub masked: u64,
    /// Names of what was omitted or not looked into.
    pub note: Option<String>,
}

/// Why there is no verdict, or no rewritten container.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The source cannot be read.
    #[error("it cannot be read: {0}")]
    Source(io::Error),
    /// The source changed meanwhile.
    #[error("it was written to while it was looked into")]
    Moved,
    /// It cannot be censored.
    #[error("{0}")]
    Withheld(String),
    /// The caller gave it up, which says nothing about the file.
    #[error("the attempt was given up")]
    GivenUp,
    /// Writing the output failed.
    #[error("{0}")]
    Output(io::Error),
}

/// The reason why a walk ended early.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// Something must be changed; looking ends at once.
    #[error("it holds a secret")]
    Dirty,
    /// It is truncated; the existing part was scanned.
    #[error("it is cut off")]
    Truncated,
    /// It is malformed, so the rest cannot be found.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// This container cannot be checked; others beside it can.
    #[error("{0}")]
    Member(String),
    /// The file as a whole exceeds a limit.
    #[error("{0}")]
    File(String),
    /// The result is not wanted any more.
    #[error("the attempt was given up")]
    GivenUp,
    /// Reading or writing failed.
    #[error("{0}")]
    Io(io::Error),
}

/// Lets readers and writers carry a `Stop` in their errors.
impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Io(error) => error,
            Stop::Dirty
            | Stop::Truncated
            | Stop::Damaged(_)
            | Stop::Member(_)
            | Stop::File(_)
            | Stop::GivenUp => Self::other(stop),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Io)
    }
}

/// The caller's side of a walk.
#[derive(Clone, Copy)]
pub(super) struct WalkContext<'a> {
    /// The secrets to look for.
    pub(super) matcher: &'a Arc<Matcher>,
    /// Returns whether the result is no longer wanted.
    pub(super) is_stopped: &'a dyn Fn() -> bool,
    /// The budget of the pass.
    pub(super) budget: Option<&'a Budget>,
}

/// Looks into containers and rewrites them, within limits.
#[derive(Clone, Debug)]
pub(super) struct Archives {
    limits: Limits,
    large_memory: Arc<LargeMemoryLock>,
}

impl Archives {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, large_memory: Arc::default() }
    }

    /// Looks into a file.
    pub(super) fn look(&self, source: &dyn ReadAt, with: WalkContext<'_>) -> Result<Verdict, ArchiveError> {
        let shared = Shared::new(self, with);
        let walk = Walk::looking(&shared);
        let unchanging = UnchangingSource::new(source);
        let looked = censor(walk, &unchanging, &mut io::sink());
        let looked = summed(looked, &shared, &unchanging)?;
        let note = || shared.note();
        Ok(match looked {
            Ok(Some(crc32c)) => Verdict::Clean { bytes: source.len(), crc32c, note: note() },
            Ok(None) => Verdict::Plain { note: note() },
            Err(Stop::Truncated) => {
                shared.cut_off();
                Verdict::Plain { note: note() }
            }
            Err(Stop::Dirty) => Verdict::Dirty,
            Err(Stop::Io(error)) => return Err(ArchiveError::Source(error)),
            Err(Stop::GivenUp) => return Err(ArchiveError::GivenUp),
            Err(stop @ (Stop::Damaged(_) | Stop::Member(_) | Stop::File(_))) => {
                Verdict::Withheld(stop.to_string())
            }
        })
    }

    /// Rewrites a container without its secrets.
    pub(super) fn rewrite(
        &self,
        source: &dyn ReadAt,
        output: &mut dyn Write,
        with: WalkContext<'_>,
    ) -> Result<Rewritten, ArchiveError> {
        let unchanging = UnchangingSource::new(source);
        let shared = Shared::new(self, with);
        let written = censor(Walk::rewriting(&shared), &unchanging, output);
        match summed(written, &shared, &unchanging)? {
            Ok(Some(source_crc32c)) => Ok(Rewritten {
                source_bytes: source.len(),
                source_crc32c,
                masked: shared.masked(),
                note: shared.note(),
            }),
            // It was a container before.
            Ok(None) => Err(ArchiveError::Moved),
            Err(Stop::Io(error)) => Err(ArchiveError::Output(error)),
            Err(Stop::GivenUp) => Err(ArchiveError::GivenUp),
            Err(Stop::Dirty) => {
                Err(ArchiveError::Withheld("it holds a secret and cannot be packed anew".to_owned()))
            }
            Err(stop @ Stop::Truncated) => Err(ArchiveError::Withheld(format!("{stop} and holds a secret"))),
            Err(stop @ (Stop::Damaged(_) | Stop::Member(_) | Stop::File(_))) => {
                Err(ArchiveError::Withheld(stop.to_string()))
            }
        }
    }
}

/// Returns the checksum of the file that was walked through, `None` where it is no container.
/// A fault of the file goes before what came of it.
fn summed(
    walked: Result<bool, Stop>,
    shared: &Shared<'_>,
    source: &UnchangingSource<'_>,
) -> Result<Result<Option<u32>, Stop>, ArchiveError> {
    let sum = |is_container| {
        if is_container { source.crc32c(&|| shared.meter.time()).map(Some) } else { Ok(None) }
    };
    let summed = walked.and_then(sum);
    source.fault().map_or(Ok(summed), |fault| Err(fault.into()))
}

/// The reason to withhold a file that other tools open as a zip archive.
const ZIP_BEHIND: &str = "a zip archive lies behind it";

/// Walks through a file, and returns whether it is a container.
fn censor(walk: Walk<'_>, source: &UnchangingSource<'_>, output: &mut dyn Write) -> Result<bool, Stop> {
    let beginning = bytes::SourceRange::new(source, 0, format::PEEK_BYTES as u64).to_vec()?;
    let format = Format::of(&beginning);
    let format = match format.map_or_else(|| ending(source), |format| Ok(Some(format)))? {
        Some(Format::Gzip | Format::Bzip2 | Format::Xz | Format::Zstd) if zip::has_directory(source)? => {
            return Err(Stop::Damaged(ZIP_BEHIND));
        }
        Some(Format::Ar) => match zip::extent(source)? {
            Some(zip) if !ar::is_in_zip_member(source, &zip)? => return Err(Stop::Damaged(ZIP_BEHIND)),
            Some(_) | None => Format::Ar,
        },
        Some(format) if format.is_guess() && zip::has_directory(source)? => Format::Zip,
        // Other archives can lie behind or among its objects.
        Some(Format::Pdf) => match survey(walk, source.unchecked())? {
            Survey::Container(format) => format,
            Survey::ZipMembers => scan_zip_members(walk, source).map(|()| Format::Pdf)?,
            Survey::Embedded => {
                walk.note(embedded::EMBEDDED);
                Format::Pdf
            }
            Survey::Plain => Format::Pdf,
        },
        Some(format) => format,
        None => return censor_unknown(walk, source, &beginning, output),
    };
    match walk.container(format, source, output) {
        // What its decoder has read held no secret.
        Err(Stop::Damaged(_)) if format.is_guess() && walk.is_looking() => {
            censor_unknown(walk, source, &beginning, output)
        }
        walked => walked.map(|()| true),
    }
}

/// Walks through a file that does not begin like a container.
fn censor_unknown(
    walk: Walk<'_>,
    source: &UnchangingSource<'_>,
    beginning: &[u8],
    output: &mut dyn Write,
) -> Result<bool, Stop> {
    match survey(walk, source.unchecked())? {
        Survey::Container(format) => return walk.container(format, source, output).map(|()| true),
        Survey::ZipMembers => scan_zip_members(walk, source)?,
        Survey::Embedded => {
            if !walk.note_unknown(beginning) {
                walk.note(embedded::EMBEDDED);
            }
        }
        Survey::Plain => {
            walk.note_unknown(beginning);
        }
    }
    Ok(false)
}

/// Looks into zip members that no directory lists, which cannot be rewritten.
fn scan_zip_members(walk: Walk<'_>, source: &dyn ReadAt) -> Result<(), Stop> {
    match zip::scan_unindexed(walk, source) {
        Ok(()) | Err(Stop::Truncated) => Ok(()),
        Err(Stop::Dirty) => Err(Stop::Damaged("it holds a secret, and zip members without a directory")),
        Err(stop) => Err(stop),
    }
}

/// Recognizes a zip archive by its end; anything can precede it, such as a program.
fn ending(source: &dyn ReadAt) -> Result<Option<Format>, Stop> {
    let Some(from) = source.len().checked_sub(zip::END_BYTES) else { return Ok(None) };
    let end = bytes::SourceRange::new(source, from, zip::END_BYTES).to_vec()?;
    Ok(end.starts_with(format::ZIP_END).then_some(Format::Zip))
}

impl From<Fault> for ArchiveError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreadable(error) => Self::Source(error),
            Fault::Moved => Self::Moved,
        }
    }
}
