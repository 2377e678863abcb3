//! The plan's objects as the I/O layer has them: where each is read from, what
//! identifies its content, what was stored.

use super::compressed_document::CompressedDocument;
use super::source::Stamp;
use super::store::Version;
use super::transfer;
use crate::deliver::{self, Coordinator, Desired, Key, Plan, Remembered};
use crate::layout::manifest::Proof;
use crate::layout::media_types::MediaTypes;
use bytes::Bytes;
use common::report::crc32c_text;
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The plan with the I/O layer's types. Keys are relative to the upload path; those
/// relative to the bucket begin with a slash.
pub type ObjectPlan = Plan<Origin, Fingerprint, Record>;
/// The core with the I/O layer's types.
pub type Core = Coordinator<Origin, Fingerprint, Record>;
/// An input of the core.
pub type Input = deliver::Input<Origin, Fingerprint, Record, Version>;
/// An effect of the core.
pub type Effect = deliver::Effect<Version>;
/// The end of a request for an object.
pub type Outcome = deliver::Outcome<Fingerprint, Record>;
/// An object that the destination is to hold.
pub type Wanted = Desired<Origin, Fingerprint>;

/// The source of an object's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A document that sidecar makes; boxed, because most objects are files.
    Document(Box<Bytes>),
    /// A document that grows with the number of files.
    Compressed(Arc<CompressedDocument>),
    /// The process log of an entry.
    Log(usize),
    /// A file of an item. A struct of its own would make every origin 8 bytes larger.
    Item {
        /// The item's number.
        item: u32,
        /// The file's path in the item, where the object's key does not end with
        /// it. Most keys do, and a second copy would take 5 MB for 100,000 files
        /// with paths of 40 bytes.
        path: Option<Box<ItemPath>>,
    },
}

/// The path of a file in its item; many share their directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPath {
    directory: Arc<Path>,
    name: Box<OsStr>,
}

impl ItemPath {
    /// Splits a path; where it has the directory of another one, shares it.
    pub fn beside(other: Option<&Self>, path: &Path) -> Self {
        let directory = path.parent().unwrap_or(Path::new(""));
        let shared = other.filter(|other| *other.directory == *directory);
        Self {
            directory: shared.map_or_else(|| directory.into(), |other| Arc::clone(&other.directory)),
            name: path.file_name().unwrap_or_default().into(),
        }
    }

    /// Returns whether they share their directory.
    pub fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.directory, &other.directory)
    }

    /// Returns the length of its directory.
    pub fn directory_bytes(&self) -> usize {
        self.directory.as_os_str().len()
    }

    /// Returns the length of its last component.
    pub fn name_bytes(&self) -> usize {
        self.name.len()
    }

    /// Returns the whole path.
    pub fn path(&self) -> PathBuf {
        self.directory.join(&*self.name)
    }
}

/// Returns the path of an [`Origin::Item`] in its item, given the object's key, which
/// begins with the item's base name. Empty where the item is the file.
pub fn path_in_item(key: &Key, path: Option<&ItemPath>) -> PathBuf {
    let in_key = || key.to_string().split_once('/').map_or_else(PathBuf::new, |(_, path)| path.into());
    path.map_or_else(in_key, ItemPath::path)
}

/// Identifies a content: a hash over size, times, device and inode of a file, or
/// over a document's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(NonZeroU64);

impl Fingerprint {
    /// Identifies a file's content.
    pub fn of_file(stamp: &Stamp) -> Self {
        Self::of(stamp)
    }

    /// Identifies a document.
    pub fn of_document(bytes: &[u8]) -> Self {
        Self::of(bytes)
    }

    /// Identifies a compressed document.
    pub fn of_compressed(document: &CompressedDocument) -> Self {
        Self::of((document.bytes(), document.crc32c()))
    }

    /// Distinguishes the same content under other secrets.
    #[must_use]
    pub fn under(self, generation: u64) -> Self {
        Self::of((self, generation))
    }

    /// Returns the hash itself.
    pub fn hash(self) -> u64 {
        self.0.get()
    }

    fn of(value: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Self(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
    }
}

/// A stored object, as far as later passes and the manifest need it; empty in a
/// dry run.
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

/// The facts that few objects have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rare {
    censored: u64,
    note: Option<Box<str>>,
    version: Option<Version>,
}

impl Rare {
    fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl Remembered for Record {
    type Version = Version;

    fn version(&self) -> Option<&Version> {
        self.rare.as_ref()?.version.as_ref()
    }

    fn forget_version(&mut self) {
        self.rare = self.rare.take().and_then(|rare| Rare { version: None, ..*rare }.boxed());
    }
}

impl Record {
    /// Remembers a stored object.
    pub fn new(stored: transfer::Stored, types: &MediaTypes) -> Self {
        let rare = Rare {
            censored: stored.censored,
            note: stored.note.map(String::into_boxed_str),
            version: stored.version,
        };
        Self {
            source_bytes: stored.source_bytes,
            stored_bytes: stored.stored_bytes,
            source_crc32c: stored.source_crc32c,
            stored_crc32c: stored.stored_crc32c,
            rare: rare.boxed(),
            content_type: stored.content_type.as_deref().map(|text| types.shared(text)),
            gzip: stored.content_encoding.is_some(),
        }
    }

    /// Returns the source's size and CRC32C.
    pub fn source(&self) -> (u64, u32) {
        (self.source_bytes, self.source_crc32c)
    }

    /// Returns the record as the manifest has it.
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
