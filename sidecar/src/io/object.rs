//! What the plan holds of an object on this side: what to read, what tells two
//! contents apart, what was stored.

use super::compressed_document::CompressedDocument;
use super::source::Stamp;
use super::store::Version;
use super::transfer;
use crate::deliver::{Desired, Plan};
use crate::layout::manifest::Proof;
use crate::layout::media_types::MediaTypes;
use bytes::Bytes;
use common::report::crc32c_text;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

/// The plan as the driver has it. Keys are relative to the upload path; those
/// relative to the bucket begin with a slash.
pub type ObjectPlan = Plan<Origin, Fingerprint, Record>;
/// An object that the destination should hold.
pub type Wanted = Desired<Origin, Fingerprint>;

/// What an object's content is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A document that sidecar makes; boxed, because files are many more.
    Document(Box<Bytes>),
    /// A document that grows with the number of files.
    Compressed(Arc<CompressedDocument>),
    /// The process log of an entry.
    Log(usize),
    /// A file of an item: the item's number, and the file's path in it where the
    /// object's key does not tell it.
    Item(u32, Option<Box<Path>>),
}

/// What tells one content from another: a hash over size, times, device and
/// inode of a file, or over a document's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(NonZeroU64);

impl Fingerprint {
    /// Of a file.
    pub fn of_file(stamp: &Stamp) -> Self {
        Self::of(stamp)
    }

    /// Of a document.
    pub fn of_document(bytes: &[u8]) -> Self {
        Self::of(bytes)
    }

    /// Of a packed document.
    pub fn of_compressed(packed: &CompressedDocument) -> Self {
        Self::of((packed.bytes(), packed.crc32c()))
    }

    /// The same content with other secrets in force is another one.
    #[must_use]
    pub fn under(self, generation: u64) -> Self {
        Self::of((self, generation))
    }

    fn of(value: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Self(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
    }
}

/// What is remembered of a stored object; in a dry run nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    source_bytes: u64,
    stored_bytes: u64,
    source_crc32c: u32,
    stored_crc32c: u32,
    rare: Option<Box<Rare>>,
    content_type: Option<Arc<str>>,
    gzip: bool,
}

/// What few objects have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rare {
    censored: u64,
    note: Option<Box<str>>,
    version: Option<Version>,
}

impl Record {
    /// What is remembered; the version only where a later write needs it.
    pub fn new(stored: transfer::Stored, keep_version: bool, types: &MediaTypes) -> Self {
        let rare = Rare {
            censored: stored.censored,
            note: stored.note.map(String::into_boxed_str),
            version: stored.version.filter(|_| keep_version),
        };
        Self {
            source_bytes: stored.source_bytes,
            stored_bytes: stored.stored_bytes,
            source_crc32c: stored.source_crc32c,
            stored_crc32c: stored.stored_crc32c,
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
            content_type: stored.content_type.as_deref().map(|text| types.shared(text)),
            gzip: stored.content_encoding.is_some(),
        }
    }

    /// What the store calls the content.
    pub fn version(&self) -> Option<&Version> {
        self.rare.as_ref()?.version.as_ref()
    }

    /// Bytes and CRC32C of what was read.
    pub fn source(&self) -> (u64, u32) {
        (self.source_bytes, self.source_crc32c)
    }

    /// The same for the manifest.
    pub fn proof(&self) -> Proof {
        Proof {
            source_bytes: self.source_bytes,
            source_crc32c: crc32c_text(self.source_crc32c),
            stored_bytes: self.stored_bytes,
            stored_crc32c: crc32c_text(self.stored_crc32c),
            content_type: self.content_type.as_deref().map(str::to_owned),
            content_encoding: self.gzip.then(|| "gzip".to_owned()),
            censored: self.rare.as_ref().map_or(0, |rare| rare.censored),
            note: self.rare.as_ref().and_then(|rare| rare.note.as_deref()).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::Object;

    /// There can be hundreds of thousands of each (I8).
    #[test]
    fn i8_what_is_held_of_a_file_stays_small() {
        assert!(size_of::<Wanted>() <= 64, "{}", size_of::<Wanted>());
        assert!(size_of::<Object<Origin, Fingerprint, Record>>() <= 112);
        assert!(size_of::<Record>() <= 56, "{}", size_of::<Record>());
    }
}
