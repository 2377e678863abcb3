//! One attempt to store one object, made by [`upload`].
//!
//! | module | what it does |
//! | --- | --- |
//! | `pump` | drives the bytes from `input` to `output`, on a thread |
//! | `read_ahead`, `holes` | reads and sums up the source |
//! | `censoring` | masks the content, or rewrites a container |
//! | `parts`, `files` | the sinks: a bucket, a directory |
//! | `checksum_only` | the sink that stores nothing |

mod censoring;
mod checksum_only;
mod files;
mod holes;
mod input;
mod output;
mod parts;
mod pump;
mod read_ahead;
#[cfg(test)]
mod tests;

pub use checksum_only::checksum_only;

use super::source::{Source, Stamp};
use super::store::{Backend, Precondition, Store, Version, WriteError};
use crate::censor::Censor;
use crate::io::logs::Logs;
use crate::junit::Reports;
use output::{ContentHeaders, PumpError, Totals};
use std::sync::Arc;
use thiserror::Error;

/// An object to be stored.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The key below the destination, byte for byte.
    pub key: String,
    /// The source of the content, opened again for each attempt.
    pub source: Source,
    /// The content type; `None` detects it by the first 512 bytes (U-70).
    pub content_type: Option<String>,
    /// The encoding that the source is already in.
    pub content_encoding: Option<&'static str>,
    /// Custom metadata (U-72).
    pub metadata: Vec<(String, String)>,
    /// A candidate for compression (U-50); the content decides (U-51).
    pub compress: bool,
    /// The content type of the compressed object; `None` means plain text (U-52).
    pub compressed_type: Option<String>,
    /// The condition on which the store may write.
    pub precondition: Precondition,
    /// Censors the content.
    pub censor: bool,
    /// Reader of the content as it passes, masked.
    pub reader: Option<ContentReader>,
}

/// Where to keep what is read of an object's content.
#[derive(Clone, Debug)]
pub enum ContentReader {
    /// It is a test report, with this number.
    TestReport(Reports, u64),
    /// It is the log of the entry with this index.
    Log(Logs, usize),
}

/// Upper bounds on the memory of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a part; larger objects are sent in parts of this size.
    /// It grows with files that would need more than 10,000 parts.
    pub part_bytes: usize,
    /// Upper bound on a part, however large the file is.
    pub max_part_bytes: usize,
    /// Parts of one object in memory at a time, the one being filled included.
    pub parts_in_memory: usize,
}

/// A stored object and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes read from the source.
    pub source_bytes: u64,
    /// CRC32C of the bytes read.
    pub source_crc32c: u32,
    /// Bytes of the object.
    pub stored_bytes: u64,
    /// CRC32C of the object.
    pub stored_crc32c: u32,
    /// Bytes that were overwritten because they belonged to secrets.
    pub censored: u64,
    /// A note on what was left out or not inspected.
    pub note: Option<String>,
    /// The source changed while it was read.
    pub changed: bool,
    /// The object's content type.
    pub content_type: Option<String>,
    /// The object's content encoding.
    pub content_encoding: Option<String>,
    /// The version that the store gave the object.
    pub version: Option<Version>,
    /// The source's identity when it was opened; `None` for documents.
    pub source_stamp: Option<Stamp>,
}

/// The reason why nothing was stored, as one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UploadError {
    /// The source cannot be read.
    #[error("{0}")]
    Source(String),
    /// The content cannot be censored; the reason is for people and free of secrets.
    #[error("{0}")]
    Withheld(String),
    /// A limit of the pass is reached; the reason is for people.
    #[error("{0}")]
    OverLimit(String),
    /// The source changed under the attempt.
    #[error("it was written to between the look into it and its delivery")]
    Moved,
    /// The store did not write.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Makes one attempt to store an object. Dropping the future gives it up and
/// aborts a multipart upload.
pub async fn upload(
    store: &Store,
    upload: &Upload,
    censor: Option<&Arc<Censor>>,
    limits: &Limits,
) -> Result<Stored, UploadError> {
    match store.backend() {
        Backend::Remote(remote) => parts::store(remote, upload, censor, limits).await,
        Backend::Local(local) => files::store(local, upload, censor).await,
    }
}

impl Stored {
    fn new(totals: &Totals, head: &ContentHeaders, version: Option<Version>) -> Self {
        Self {
            source_bytes: totals.source_bytes,
            source_crc32c: totals.source_crc32c,
            stored_bytes: totals.stored_bytes,
            stored_crc32c: totals.stored_crc32c,
            censored: totals.censored,
            note: totals.note.clone(),
            changed: totals.changed,
            content_type: Some(head.content_type.clone()),
            content_encoding: head.content_encoding.map(str::to_owned),
            version,
            source_stamp: totals.stamp,
        }
    }
}

impl From<PumpError<WriteError>> for UploadError {
    fn from(error: PumpError<WriteError>) -> Self {
        match error {
            PumpError::Source(message) => Self::Source(message),
            PumpError::Withheld(reason) => Self::Withheld(reason),
            PumpError::OverLimit(reason) => Self::OverLimit(reason),
            PumpError::Moved => Self::Moved,
            PumpError::Sink(error) => Self::Write(error),
        }
    }
}

fn transient(message: &str) -> WriteError {
    WriteError::Transient { message: message.to_owned(), retry_after: None }
}

/// The error of an abandoned attempt; never observed.
fn gave_up() -> WriteError {
    transient("the attempt was given up")
}

/// The reading thread panicked, or the runtime is ending.
fn thread_lost(error: &tokio::task::JoinError) -> UploadError {
    WriteError::Permanent(format!("the reading thread was lost: {error}")).into()
}
