//! Objects in a bucket.

use super::bucket::Bucket;
use super::bytes_in_flight::BytesInFlight;
use super::failure::{Failure, classify};
use super::http::{Extra, ObjectContent, On, with_call_context, within};
use super::part_retry::PartRetry;
use super::upload::Upload;
use super::{Buffers, CleanupTasks, Precondition, StoreError, Version, WriteError};
use crate::destination::MAX_KEY_BYTES;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, HeaderValue, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, UpdateVersion,
};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The provider, where stores differ: preconditions on completions, checksums,
/// names of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    S3,
    Gcs,
    Azure,
}

/// An object's attributes beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::io) struct Properties {
    pub(in crate::io) content_type: String,
    pub(in crate::io) content_encoding: Option<&'static str>,
    pub(in crate::io) metadata: Vec<(String, String)>,
}

/// An open bucket.
#[derive(Debug)]
pub(in crate::io) struct Remote {
    store: Arc<dyn Bucket>,
    dialect: Dialect,
    prefix: String,
    conditional: AtomicBool,
    cleanup: CleanupTasks,
    buffers: Mutex<Weak<Buffers>>,
    bytes_in_flight: BytesInFlight,
}

impl Remote {
    pub(super) fn new(store: Arc<dyn Bucket>, dialect: Dialect, prefix: &str, cleanup: CleanupTasks) -> Self {
        Self {
            store,
            dialect,
            prefix: prefix.to_owned(),
            conditional: AtomicBool::new(true),
            cleanup,
            buffers: Mutex::default(),
            bytes_in_flight: BytesInFlight::default(),
        }
    }

    /// Ignores preconditions from now on.
    pub(super) fn ignore_preconditions(&self) {
        self.conditional.store(false, Ordering::Relaxed);
    }

    pub(super) fn conditional_writes(&self) -> bool {
        self.conditional.load(Ordering::Relaxed)
    }

    /// Returns the counter of bytes that the store accepted of incomplete objects.
    pub(super) fn bytes_in_flight(&self) -> &BytesInFlight {
        &self.bytes_in_flight
    }

    /// Returns the memory for parts, shared by all attempts in flight.
    pub(in crate::io) fn buffers(&self) -> Arc<Buffers> {
        let mut shared = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(Buffers::default());
            *shared = Arc::downgrade(&fresh);
            fresh
        })
    }

    /// Stores a small object in one request.
    pub(in crate::io) async fn put(
        &self,
        key: &str,
        content: Bytes,
        properties: &Properties,
        precondition: &Precondition,
    ) -> Result<Option<Version>, WriteError> {
        let path = self.path(key)?;
        let mode = if self.conditional_writes() { put_mode(precondition) } else { PutMode::Overwrite };
        let result = self.put_once(&path, content.clone(), properties, mode).await;
        if let Err(Failure::NotImplemented(_)) = &result
            && *precondition != Precondition::Overwrite
            && self.conditional.swap(false, Ordering::Relaxed)
        {
            tracing::warn!("The store refuses conditional writes, going on without");
            return self
                .put_once(&path, content, properties, PutMode::Overwrite)
                .await
                .map_err(Failure::into_write_error);
        }
        result.map_err(Failure::into_write_error)
    }

    async fn put_once(
        &self,
        path: &Path,
        content: Bytes,
        properties: &Properties,
        mode: PutMode,
    ) -> Result<Option<Version>, Failure> {
        let replaces = matches!(mode, PutMode::Update(_));
        let options = PutOptions { mode, attributes: self.attributes(properties), ..PutOptions::default() };
        let (result, last) = with_call_context(
            self.checksum(&content),
            self.store.put_opts(path, PutPayload::from_bytes(content), options),
        )
        .await;
        match result {
            // Google sends the generation with everything that it has stored.
            Ok(result) if self.dialect == Dialect::Gcs && result.version.is_none() => {
                let message = "the answer has no generation, so that the object may not be stored".to_owned();
                Err(Failure::Write(WriteError::Transient { message, retry_after: None }))
            }
            Ok(result) => Ok(version_of(result)),
            Err(error) => match classify(&error, last.as_ref()) {
                // S3's answer when the object to be replaced is gone.
                Failure::NotFound(message) if replaces && message.contains("NoSuchKey") => {
                    Err(Failure::Write(WriteError::PreconditionFailed))
                }
                failure @ (Failure::NotFound(_) | Failure::NotImplemented(_) | Failure::Write(_)) => {
                    Err(bucket_missing(failure))
                }
            },
        }
    }

    /// Starts a multipart upload; [`super::Multipart`] sends its parts.
    pub(super) async fn open_multipart(
        &self,
        path: &Path,
        properties: &Properties,
    ) -> Result<Upload, WriteError> {
        let options = PutMultipartOptions { attributes: self.attributes(properties), ..Default::default() };
        let open = async {
            match self.dialect {
                Dialect::S3 | Dialect::Gcs => {
                    let id = self.store.create_multipart_opts(path, options).await?;
                    Ok(Upload::named(self.bucket(), path.clone(), id))
                }
                Dialect::Azure => {
                    let options = options.with_retry_policy(Arc::new(PartRetry));
                    Ok(Upload::of_library(self.store.put_multipart_opts(path, options).await?))
                }
            }
        };
        let (result, last) = with_call_context(None, open).await;
        result.map_err(|error: object_store::Error| {
            bucket_missing(classify(&error, last.as_ref())).into_write_error()
        })
    }

    /// Returns the client of the bucket.
    pub(super) fn bucket(&self) -> Arc<dyn Bucket> {
        Arc::clone(&self.store)
    }

    pub(super) fn cleanup(&self) -> &CleanupTasks {
        &self.cleanup
    }

    fn attributes(&self, properties: &Properties) -> Attributes {
        let mut attributes = Attributes::new();
        if !properties.content_type.is_empty() {
            attributes.insert(Attribute::ContentType, properties.content_type.clone().into());
        }
        if let Some(encoding) = properties.content_encoding {
            attributes.insert(Attribute::ContentEncoding, encoding.into());
        }
        for (name, value) in &properties.metadata {
            let (name, value) = match self.dialect {
                Dialect::Gcs => (name.clone(), value.clone()),
                Dialect::S3 => (path_escaped(&name.to_lowercase()), path_escaped(value)),
                Dialect::Azure => (identifier(name), path_escaped(value)),
            };
            attributes.insert(Attribute::Metadata(name.into()), value.into());
        }
        attributes
    }

    /// Returns a checksum that the store verifies. S3 has one in its signature;
    /// Azure's would have to be signed, which the library does not do.
    pub(super) fn checksum(&self, content: &[u8]) -> Option<Extra> {
        match self.dialect {
            Dialect::S3 | Dialect::Azure => None,
            Dialect::Gcs => {
                let sum = STANDARD.encode(crc32c::crc32c(content).to_be_bytes());
                let value = HeaderValue::from_str(&format!("crc32c={sum}")).ok()?;
                Some(Extra { on: On::Content, name: "x-goog-hash", value })
            }
        }
    }

    /// Returns the precondition as a header of the completion, where the store has one.
    pub(super) fn completion_header(&self, precondition: &Precondition) -> Option<Extra> {
        let (name, value) = match (self.dialect, precondition) {
            // GCS has no conditions for uploads in parts
            // (<https://docs.cloud.google.com/storage/docs/request-preconditions>).
            // Azure signs conditions, and the library does so only for objects in one piece.
            (Dialect::Gcs | Dialect::Azure, _) | (Dialect::S3, Precondition::Overwrite) => return None,
            (Dialect::S3, Precondition::IfAbsent) => ("if-none-match", "*"),
            (Dialect::S3, Precondition::IfVersion(version)) => ("if-match", version.e_tag.as_deref()?),
        };
        let value = HeaderValue::from_str(value).ok().filter(|_| self.conditional_writes());
        value.map(|value| Extra { on: On::Completion, name, value })
    }

    /// Checks a precondition now, for stores that take none with a completion. Best
    /// effort: another writer can still come between.
    pub(super) async fn check_precondition(
        &self,
        path: &Path,
        precondition: &Precondition,
    ) -> Result<(), WriteError> {
        if *precondition == Precondition::Overwrite || !self.conditional_writes() {
            return Ok(());
        }
        let found = self.head_version(path).await?;
        let holds = match precondition {
            Precondition::Overwrite => true,
            Precondition::IfAbsent => found.is_none(),
            Precondition::IfVersion(seen) => found.is_some_and(|found| match self.dialect {
                Dialect::Gcs => found.generation == seen.generation,
                Dialect::S3 | Dialect::Azure => found.e_tag == seen.e_tag,
            }),
        };
        if holds { Ok(()) } else { Err(WriteError::PreconditionFailed) }
    }

    async fn head_version(&self, path: &Path) -> Result<Option<Version>, WriteError> {
        let (result, last) = with_call_context(None, self.store.head(path)).await;
        match result {
            Ok(meta) => Ok(Some(Version { e_tag: meta.e_tag, generation: meta.version })),
            Err(error) => match classify(&error, last.as_ref()) {
                Failure::NotFound(_) => Ok(None),
                failure @ (Failure::NotImplemented(_) | Failure::Write(_)) => Err(failure.into_write_error()),
            },
        }
    }

    /// Returns the current version of an object.
    pub(super) async fn current_version(&self, key: &str) -> Result<Option<Version>, StoreError> {
        let path = self.path(key).map_err(StoreError::from)?;
        self.head_version(&path).await.map_err(StoreError::from)
    }

    /// Reads a whole small object.
    pub(super) async fn read_small(
        &self,
        key: &str,
        limit: usize,
    ) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        let path = self.path(key).map_err(StoreError::from)?;
        let (result, last) = with_call_context(None, async {
            let object = self.store.get_opts(&path, content_options()).await?;
            if object.meta.size > limit as u64 {
                return Ok(Err(object.meta.size));
            }
            let version =
                Version { e_tag: object.meta.e_tag.clone(), generation: object.meta.version.clone() };
            let bytes = within(object.meta.size, object.bytes()).await??;
            Ok(Ok((bytes.to_vec(), version)))
        })
        .await;
        match result {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(size)) => {
                Err(StoreError::Permanent(format!("it has {size} bytes, which is more than {limit}")))
            }
            Err(error) => match classify(&error, last.as_ref()) {
                Failure::NotFound(_) => Ok(None),
                failure @ (Failure::NotImplemented(_) | Failure::Write(_)) => {
                    Err(failure.into_write_error().into())
                }
            },
        }
    }

    /// Returns a header that asks for the bytes as they are stored: Google
    /// decompresses gzip for clients that do not accept it
    /// (<https://docs.cloud.google.com/storage/docs/transcoding>).
    pub(super) fn as_stored(&self) -> Option<Extra> {
        match self.dialect {
            Dialect::S3 | Dialect::Azure => None,
            Dialect::Gcs => {
                let value = HeaderValue::from_static("gzip");
                Some(Extra { on: On::Reading, name: "accept-encoding", value })
            }
        }
    }

    /// Returns the store for reading.
    pub(super) fn reader(&self) -> &dyn ObjectStore {
        &*self.store
    }

    /// Returns the prefix of every key.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the path of a key, byte for byte.
    pub(super) fn path(&self, key: &str) -> Result<Path, WriteError> {
        let full = if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) };
        let refuse = |reason: &str| Err(WriteError::Permanent(format!("the key cannot be stored: {reason}")));
        if full.len() > MAX_KEY_BYTES {
            return refuse(&format!("it has {} bytes, allowed are {MAX_KEY_BYTES}", full.len()));
        }
        if full.split('/').any(str::is_empty) {
            return refuse("a part between two slashes is empty");
        }
        if full.chars().any(char::is_control) {
            return refuse("it contains a control character");
        }
        Path::parse(&full).or_else(|_| refuse("a part of it is `.` or `..`"))
    }
}

/// Escapes as Go's `url.PathEscape`, which upstream's S3 client applies to
/// metadata (U-72).
fn path_escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+=:@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

/// Converts a name to an identifier of C#, which Azure's metadata requires.
fn identifier(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_lowercase()
}

/// Makes "not found" permanent for a write, where it means that the bucket is
/// missing.
fn bucket_missing(failure: Failure) -> Failure {
    match failure {
        Failure::NotFound(message) => Failure::Write(WriteError::Permanent(message)),
        other @ (Failure::NotImplemented(_) | Failure::Write(_)) => other,
    }
}

/// Returns the options of a request for an object's content.
pub(super) fn content_options() -> GetOptions {
    let mut options = GetOptions::default();
    options.extensions.insert(ObjectContent);
    options
}

fn put_mode(precondition: &Precondition) -> PutMode {
    match precondition {
        Precondition::Overwrite => PutMode::Overwrite,
        Precondition::IfAbsent => PutMode::Create,
        Precondition::IfVersion(version) => PutMode::Update(UpdateVersion {
            e_tag: version.e_tag.clone(),
            version: version.generation.clone(),
        }),
    }
}

pub(super) fn version_of(result: PutResult) -> Option<Version> {
    let known = result.e_tag.is_some() || result.version.is_some();
    known.then_some(Version { e_tag: result.e_tag, generation: result.version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_escaped_as_upstream_does_on_s3() {
        assert_eq!(path_escaped("gs://bucket/a b"), "gs:%2F%2Fbucket%2Fa%20b");
        assert_eq!(path_escaped("x-goog-meta-link"), "x-goog-meta-link");
        assert_eq!(identifier("X-Goog-Meta-Link"), "x_goog_meta_link");
    }
}
