//! The one module that knows how objects are stored.

mod destination;

pub use destination::{Destination, DestinationError};

use std::path::PathBuf;
use thiserror::Error;

/// Where credentials come from (U-91 … U-93).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// A Google credentials file in JSON; unset means the default chain, then anonymous.
    pub gcs_credentials_file: Option<PathBuf>,
    /// The JSON file of U-92; unset or empty means the AWS default chain.
    pub s3_credentials_file: Option<PathBuf>,
}

/// What a store said an object's content was, for conditional writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    pub(crate) e_tag: Option<String>,
    pub(crate) generation: Option<String>,
}

/// Why a store could not be opened or read; one line for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A configuration or credentials file that cannot be used.
    #[error("{0}")]
    Setup(String),
    /// Trying again later can help.
    #[error("{0}")]
    Transient(String),
    /// Trying again cannot help.
    #[error("{0}")]
    Permanent(String),
}

/// An open destination.
#[derive(Debug)]
pub struct Store {
    destination: Destination,
}

impl Store {
    /// Opens a destination; nothing is contacted yet.
    pub fn open(destination: &Destination, _credentials: &Credentials) -> Result<Self, StoreError> {
        Ok(Self { destination: destination.clone() })
    }

    /// Whether the store honours [`Condition`](super::transfer::Condition)s.
    ///
    /// Becomes false when a store refuses its first conditional write.
    pub fn conditional_writes(&self) -> bool {
        true
    }

    /// Whether content types, encodings and metadata are kept with an object.
    ///
    /// Directories keep none of them: nothing is compressed for them, and
    /// names of compressed files stay as they are.
    pub fn keeps_attributes(&self) -> bool {
        matches!(self.destination, Destination::Gs { .. } | Destination::S3 { .. })
    }

    /// The content of a small object, or `None` where there is none; one
    /// larger than `limit` bytes is an error.
    #[expect(clippy::unused_async, reason = "a remote store is asked over the network")]
    pub async fn read_small(
        &self,
        key: &str,
        _limit: usize,
    ) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        Err(StoreError::Permanent(format!("{} cannot be read", self.describe(key))))
    }

    /// The full destination of a key, as log records name it (U-62).
    pub fn describe(&self, key: &str) -> String {
        format!("{}/{key}", self.destination)
    }

    /// Waits until the clean-up of dropped uploads has been done.
    #[expect(clippy::unused_async, reason = "a remote store is asked over the network")]
    pub async fn settled(&self) {}
}
