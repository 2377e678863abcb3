//! Preconditions of writes: as each store is asked for them, and what becomes of one that
//! a store does not understand.

use super::bucket::{Dialect, Properties};
use super::failure::Failure;
use super::http::{Extra, On};
use super::remote::Remote;
use super::{Precondition, Version, WriteError};
use bytes::Bytes;
use object_store::HeaderValue;
use object_store::path::Path;
use std::sync::atomic::Ordering;

impl Remote {
    /// Returns the precondition that the store is asked for.
    pub(super) fn in_force(&self, precondition: &Precondition) -> Precondition {
        let mut precondition = precondition.clone();
        if !self.conditional_writes() {
            return Precondition::Overwrite;
        }
        if let Precondition::IfVersion(Version { e_tag: Some(tag), .. }) = &mut precondition
            && self.bare_tags.load(Ordering::Relaxed)
        {
            *tag = bare(tag).to_owned();
        }
        precondition
    }

    /// Asks once more with the bare tag, where the object still has the tag that was
    /// refused: Ceph's RGW takes a tag in its quotes for another one. Remembers what the
    /// store wants.
    pub(super) async fn put_with_bare_tag(
        &self,
        path: &Path,
        content: &Bytes,
        properties: &Properties,
        precondition: &Precondition,
    ) -> Result<Option<Version>, Failure> {
        const REFUSED: Failure = Failure::Write(WriteError::PreconditionFailed);
        let Precondition::IfVersion(Version { e_tag: Some(tag), generation }) = precondition else {
            return Err(REFUSED);
        };
        if self.dialect != Dialect::S3 || bare(tag) == tag {
            return Err(REFUSED);
        }
        let found = self.head_version(path).await.map_err(Failure::Write)?;
        if found.and_then(|found| found.e_tag).as_ref() != Some(tag) {
            return Err(REFUSED);
        }
        let bare = Version { e_tag: Some(bare(tag).to_owned()), generation: generation.clone() };
        let stored = self.put_once(path, content.clone(), properties, &Precondition::IfVersion(bare)).await;
        match &stored {
            Ok(_) => self.bare_tags.store(true, Ordering::Relaxed),
            Err(Failure::Write(WriteError::PreconditionFailed)) => {
                if self.ignore_preconditions() {
                    tracing::warn!(
                        "The store refuses conditions that hold, going on without: a late write can replace a newer one"
                    );
                }
            }
            Err(_) => {}
        }
        stored
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
        let value = if self.bare_tags.load(Ordering::Relaxed) { bare(value) } else { value };
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
}

/// Returns a tag without its quotes; a weak one as it is.
fn bare(tag: &str) -> &str {
    tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag)
}
