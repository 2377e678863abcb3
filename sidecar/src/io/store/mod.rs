//! Object stores behind one type: buckets of three providers, and directories.
//! Nothing above this module knows which of them it writes to.

mod aws_identity;
mod aws_keys;
mod azure;
mod azure_tokens;
mod bucket;
mod buffers;
mod bytes_in_flight;
mod cleanup;
mod clients;
mod error_text;
mod failure;
mod federation;
mod gcs;
mod gcs_file;
mod google;
mod google_tokens;
mod http;
mod local;
mod local_space;
mod multipart;
mod part_retry;
mod preconditions;
mod profile;
mod read;
mod refusable;
mod remote;
mod s3;
mod s3_address;
mod s3_clients;
mod setting;
mod tokens;
mod upload;
mod variables;
mod write;

pub(in crate::io) use bucket::Properties;
pub(in crate::io) use buffers::{Buffer, Buffers};
pub(in crate::io) use http::bundled_roots;
pub(in crate::io) use local::{Draft, Local};
pub(in crate::io) use multipart::Multipart;
pub use read::{Child, Head, Listed};
pub(in crate::io) use remote::Remote;
pub use write::{Precondition, Version, WriteError};

use crate::destination::{Credentials, Destination};
use crate::settings::Settings;
use bucket::Dialect;
use cleanup::CleanupTasks;
use clients::Clients;
use std::sync::Arc;
use thiserror::Error;

/// The reason why a store cannot be opened or read, as one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A configuration or credentials file cannot be used.
    #[error("{0}")]
    Setup(String),
    /// A variable, or a key of such a file, has a value that is not allowed.
    #[error("{0}")]
    Setting(String),
    /// A later attempt can succeed.
    #[error("{0}")]
    Transient(String),
    /// Every attempt would fail.
    #[error("{0}")]
    Permanent(String),
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Transient { message, .. } => Self::Transient(message),
            other @ (WriteError::Permanent(_) | WriteError::PreconditionFailed) => {
                Self::Permanent(other.to_string())
            }
        }
    }
}

fn setup(message: impl Into<String>) -> StoreError {
    StoreError::Setup(failure::one_line(&message.into()))
}

/// Installs the cryptography that TLS uses. Call it before anything else.
pub fn install_tls() {
    // A second call finds the first one's provider, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Finds a setting of the destination with which whatever were sent would fail.
/// Everything else about credentials may be put right until it is needed.
pub fn check_settings(settings: &Settings) -> Result<(), StoreError> {
    let Some(destination) = settings.destination.as_ref().filter(|_| !settings.upload.dry_run) else {
        return Ok(());
    };
    let credentials = &settings.credentials;
    let checked = match destination {
        Destination::S3 { bucket, .. } => {
            s3::check_settings(bucket, credentials.s3_credentials_file.as_deref())
        }
        Destination::Az { container, .. } => azure::check_settings(container),
        Destination::Gs { .. } => gcs::check_settings(credentials.gcs_credentials_file.as_deref()),
        Destination::File { .. } | Destination::LocalDir { .. } => Ok(()),
    };
    checked.or_else(|error| if matches!(error, StoreError::Setting(_)) { Err(error) } else { Ok(()) })
}

/// Space taken for a manifest at first: that of about a thousand objects. It grows in steps
/// of this size with the files that are listed.
pub(in crate::io) const MANIFEST_BYTES: u64 = 256 << 10;

/// Upper bound on the space of a manifest, that of some fifty thousand objects. It is taken anew
/// after each manifest.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;

/// Space taken for a result with its metadata.
const RESULT_BYTES: u64 = 64 << 10;

/// A result is written over a provisional one, which still takes up its space.
const RESULT_TIMES: usize = 2;

/// An open destination.
#[derive(Debug)]
pub struct Store {
    destination: Destination,
    backend: Backend,
    cleanup: CleanupTasks,
}

/// The two ways of storing.
#[derive(Debug)]
pub(in crate::io) enum Backend {
    Remote(Remote),
    Local(Local),
}

impl Store {
    /// Opens a destination; nothing is contacted yet.
    ///
    /// Reads both credentials files where they are given, whichever bucket it
    /// opens (U-91, U-93); directories need none (U-28).
    pub fn open(destination: &Destination, credentials: &Credentials) -> Result<Self, StoreError> {
        let destination = destination.clone().tidy();
        let cleanup = CleanupTasks::new();
        let (gcs, s3) =
            (credentials.gcs_credentials_file.as_deref(), credentials.s3_credentials_file.as_deref());
        let backend = match &destination {
            Destination::Gs { bucket, prefix } => {
                s3.map_or(Ok(()), s3::check)?;
                let (store, json) = gcs::open(bucket, gcs)?;
                let remote = Remote::new(Clients::new(store), Dialect::Gcs, prefix, cleanup.clone());
                Backend::Remote(remote.with_json(json))
            }
            Destination::S3 { bucket, prefix } => {
                gcs.map_or(Ok(()), gcs::check)?;
                let clients = s3::open(bucket, s3)?;
                Backend::Remote(Remote::new(clients, Dialect::S3, prefix, cleanup.clone()))
            }
            Destination::Az { container, prefix } => {
                gcs.map_or(Ok(()), gcs::check)?;
                s3.map_or(Ok(()), s3::check)?;
                let clients = Clients::new(Arc::new(azure::open(container)?));
                Backend::Remote(Remote::new(clients, Dialect::Azure, prefix, cleanup.clone()))
            }
            Destination::File { root } | Destination::LocalDir { root } => {
                Backend::Local(Local::new(root.clone()))
            }
        };
        Ok(Self { destination, backend, cleanup })
    }

    pub(in crate::io) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns whether the store honours [`Precondition`]s.
    ///
    /// Becomes false when the store refuses its first conditional write, or carries out
    /// one that it must refuse; later writes have no preconditions. Azure takes none for objects in parts: there
    /// the precondition is checked just before the completion.
    pub fn conditional_writes(&self) -> bool {
        match &self.backend {
            Backend::Remote(remote) => remote.conditional_writes(),
            Backend::Local(_) => true,
        }
    }

    /// Uses no preconditions any more: the store replaced the object with this key,
    /// which was there, on condition that it was not. Says so, once.
    pub(in crate::io) fn distrust_preconditions(&self, key: &str) {
        if let Backend::Remote(remote) = &self.backend
            && remote.ignore_preconditions()
        {
            tracing::warn!(
                dest = %self.describe(key),
                "The store ignores conditions, going on without: a late write can replace a newer one, as a provisional \
                 result the final one, and latest-build.txt can go back when builds end together"
            );
        }
    }

    /// Returns whether the store keeps content types, encodings and metadata.
    ///
    /// Directories keep none of them, so nothing is compressed for them and
    /// compressed files keep their names.
    pub fn keeps_attributes(&self) -> bool {
        match &self.backend {
            Backend::Remote(_) => true,
            Backend::Local(_) => false,
        }
    }

    /// Returns the content of a small object; `None` where there is none. An
    /// object of more than `limit` bytes is an error.
    pub async fn read_small(
        &self,
        key: &str,
        limit: usize,
    ) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        match &self.backend {
            Backend::Remote(remote) => remote.read_small(key, limit).await,
            Backend::Local(local) => {
                let (local, key) = (local.clone(), key.to_owned());
                let read = tokio::task::spawn_blocking(move || local.read_small(&key, limit));
                read.await.map_err(|error| StoreError::Transient(error.to_string()))?
            }
        }
    }

    /// Stores a small document in one request, whatever is there before.
    pub async fn write_small(
        &self,
        key: &str,
        content: Vec<u8>,
        content_type: &str,
    ) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Remote(remote) => {
                let properties =
                    Properties { content_type: content_type.to_owned(), ..Properties::default() };
                remote.put(key, content.into(), &properties, &Precondition::Overwrite).await?;
            }
            Backend::Local(local) => {
                let mut draft = local.create(key)?;
                draft.write(&content)?;
                draft.commit(&Precondition::Overwrite)?;
            }
        }
        Ok(())
    }

    /// Returns the current version of an object; `None` where there is none.
    pub async fn current_version(&self, key: &str) -> Result<Option<Version>, StoreError> {
        match &self.backend {
            Backend::Remote(remote) => remote.current_version(key).await,
            Backend::Local(local) => local.current_version(key),
        }
    }

    /// Prepares a directory for a job's objects below `path`, and those with the keys
    /// `beside`: removes the temporary files of an earlier sidecar, and takes the space of manifest and result, so that
    /// artifacts cannot use it up.
    pub(in crate::io) fn prepare(&self, path: &str, beside: &[&str], manifest: &str, result: &str) {
        if let Backend::Local(local) = &self.backend {
            local.remove_stale(path, true);
            for key in beside {
                local.remove_stale(key.rsplit_once('/').map_or("", |(parent, _)| parent), false);
            }
            local.reserve(manifest, MANIFEST_BYTES, 1);
            local.reserve(result, RESULT_BYTES, RESULT_TIMES);
        }
    }

    /// Takes more space in a directory for a manifest of so many bytes, as far as there is room.
    pub(in crate::io) fn enlarge_manifest(&self, key: &str, bytes: u64) {
        if let Backend::Local(local) = &self.backend {
            local.enlarge(key, bytes.next_multiple_of(MANIFEST_BYTES).min(MAX_MANIFEST_BYTES));
        }
    }

    /// Returns the full destination of a key, as log records name it (U-62).
    pub fn describe(&self, key: &str) -> String {
        format!("{}/{key}", self.destination)
    }

    /// Returns how many bytes of incomplete objects the destination has accepted.
    pub fn bytes_in_flight(&self) -> u64 {
        match &self.backend {
            Backend::Remote(remote) => remote.bytes_in_flight().bytes(),
            Backend::Local(local) => local.bytes_in_flight().bytes(),
        }
    }

    /// Waits until all dropped uploads have been cleaned up.
    pub async fn settled(&self) {
        self.cleanup.settled().await;
    }
}
