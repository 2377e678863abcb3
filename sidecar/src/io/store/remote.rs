//! Objects in a bucket.

use super::bucket::{Dialect, Properties};
use super::bytes_in_flight::BytesInFlight;
use super::clients::Clients;
use super::failure::{Failure, classify};
use super::google::JsonApi;
use super::http::{Extra, ObjectContent, On, with_call_context, within};
use super::part_retry::PartRetry;
use super::upload::Upload;
use super::{Buffers, CleanupTasks, Precondition, StoreError, Version, WriteError};
use crate::destination::key_refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{
    GetOptions, HeaderValue, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, UpdateVersion,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The uses of Google's JSON API.
#[derive(Clone, Debug)]
pub(super) struct Json {
    pub(super) api: JsonApi,
    /// An emulator, which may know nothing else; on Google only what has a condition and
    /// does not fit into one request.
    pub(super) is_emulator: bool,
}

/// An open bucket.
#[derive(Debug)]
pub(in crate::io) struct Remote {
    clients: Clients,
    json: Option<Json>,
    pub(super) dialect: Dialect,
    prefix: String,
    pub(super) conditional: AtomicBool,
    /// The store compares tags without their quotes.
    pub(super) bare_tags: AtomicBool,
    /// The warning about names with a backslash was given.
    backslash_told: AtomicBool,
    cleanup: CleanupTasks,
    buffers: Mutex<Weak<Buffers>>,
    bytes_in_flight: BytesInFlight,
}

impl Remote {
    pub(super) fn new(clients: Clients, dialect: Dialect, prefix: &str, cleanup: CleanupTasks) -> Self {
        Self {
            clients,
            json: None,
            dialect,
            prefix: prefix.to_owned(),
            conditional: AtomicBool::new(true),
            bare_tags: AtomicBool::new(false),
            backslash_told: AtomicBool::new(false),
            cleanup,
            buffers: Mutex::default(),
            bytes_in_flight: BytesInFlight::default(),
        }
    }

    /// Uses Google's JSON API too.
    pub(super) fn with_json(self, json: Json) -> Self {
        Self { json: Some(json), ..self }
    }

    /// Ignores preconditions from now on; returns whether it did not before.
    pub(super) fn ignore_preconditions(&self) -> bool {
        self.conditional.swap(false, Ordering::Relaxed)
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
        let path = self.path_to_write(key)?;
        let precondition = self.in_force(precondition);
        let result = self.put_once(&path, content.clone(), properties, &precondition).await;
        let result = match result {
            Err(Failure::Write(WriteError::PreconditionFailed)) => {
                self.put_with_bare_tag(&path, &content, properties, &precondition).await
            }
            result => result,
        };
        if let Err(Failure::NotImplemented(_)) = &result
            && precondition != Precondition::Overwrite
            && self.ignore_preconditions()
        {
            tracing::warn!(
                "The store refuses conditional writes, going on without: a late write can replace a newer one"
            );
            return self
                .put_once(&path, content, properties, &Precondition::Overwrite)
                .await
                .map_err(Failure::into_write_error);
        }
        result.map_err(Failure::into_write_error)
    }

    pub(super) async fn put_once(
        &self,
        path: &Path,
        content: Bytes,
        properties: &Properties,
        precondition: &Precondition,
    ) -> Result<Option<Version>, Failure> {
        let replaces = matches!(precondition, Precondition::IfVersion(_));
        let emulator = self.json.as_ref().filter(|json| json.is_emulator);
        let (result, ended) = if let Some(Json { api, .. }) = emulator {
            with_call_context(None, api.put(path, content, properties, precondition)).await
        } else {
            let mode = put_mode(precondition);
            let options =
                PutOptions { mode, attributes: properties.attributes(self.dialect), ..PutOptions::default() };
            let checksum = self.checksum(&content);
            self.clients.put(path, PutPayload::from_bytes(content), options, checksum).await
        };
        match result {
            // Google sends the generation with everything that it has stored.
            Ok(result) if self.dialect == Dialect::Gcs && result.version.is_none() => {
                let message = "the answer has no generation, so that the object may not be stored".to_owned();
                Err(Failure::Write(WriteError::Transient { message, retry_after: None }))
            }
            Ok(result) => Ok(version_of(result)),
            Err(error) => match classify(&error, &ended) {
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
        precondition: &Precondition,
    ) -> Result<Upload, WriteError> {
        let precondition = self.in_force(precondition);
        let needs_json = |json: &&Json| json.is_emulator || precondition != Precondition::Overwrite;
        if let Some(Json { api, .. }) = self.json.as_ref().filter(needs_json) {
            let (begun, ended) = with_call_context(None, api.begin(path, properties, &precondition)).await;
            return begun
                .map(Upload::Resumable)
                .map_err(|error| bucket_missing(classify(&error, &ended)).into_write_error());
        }
        let options =
            PutMultipartOptions { attributes: properties.attributes(self.dialect), ..Default::default() };
        let (opened, ended) = match self.dialect {
            Dialect::S3 | Dialect::Gcs => self.clients.begin_upload(path, options).await,
            Dialect::Azure => {
                let options = options.with_retry_policy(Arc::new(PartRetry));
                let begin = self.clients.store().put_multipart_opts(path, options);
                let (upload, ended) = with_call_context(None, begin).await;
                (upload.map(Upload::of_library), ended)
            }
        };
        opened.map_err(|error| bucket_missing(classify(&error, &ended)).into_write_error())
    }

    pub(super) fn cleanup(&self) -> &CleanupTasks {
        &self.cleanup
    }

    /// Returns a checksum that the store verifies. S3's client sends its own;
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

    pub(super) async fn head_version(&self, path: &Path) -> Result<Option<Version>, WriteError> {
        let (result, ended) = with_call_context(None, self.clients.store().head(path)).await;
        match result {
            Ok(meta) => Ok(Some(Version { e_tag: meta.e_tag, generation: meta.version })),
            Err(error) => match classify(&error, &ended) {
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
        let (result, ended) = with_call_context(None, async {
            let object = self.clients.store().get_opts(&path, content_options()).await?;
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
            Err(error) => match classify(&error, &ended) {
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
        &**self.clients.store()
    }

    /// Returns the store for listing page by page.
    pub(super) fn lister(&self) -> &dyn PaginatedListStore {
        &**self.clients.store()
    }

    /// Returns the prefix of every key.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the path of a key that is written to. Says once what some stores make of
    /// a backslash.
    pub(super) fn path_to_write(&self, key: &str) -> Result<Path, WriteError> {
        let is_at_risk = match self.dialect {
            Dialect::S3 | Dialect::Azure => key.contains('\\'),
            Dialect::Gcs => false,
        };
        if is_at_risk && !self.backslash_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                key,
                "A name has a backslash; a store that takes it for a slash, as Azure and SeaweedFS do, makes one object \
                 of a\\b and a/b (podutils verify tells)"
            );
        }
        self.path(key)
    }

    /// Returns the path of a key, byte for byte.
    pub(super) fn path(&self, key: &str) -> Result<Path, WriteError> {
        let full = if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) };
        let refuse = |reason: &str| WriteError::Permanent(format!("the key cannot be stored: {reason}"));
        if let Some(reason) = key_refusal(&full) {
            return Err(refuse(&reason));
        }
        Path::parse(&full).map_err(|_| refuse("the object store library does not take it"))
    }
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
