//! From an object of the plan to an upload: source, type, encoding, condition.

use super::Driver;
use crate::deliver::{Class, Policy, Weights, patience};
use crate::io::documents::full_key;
use crate::io::flight::Manner;
use crate::io::listing::Item;
use crate::io::object::Origin;
use crate::io::source::{FileSource, Source};
use crate::io::store::Precondition;
use crate::io::store::Store;
use crate::io::transfer::{Limits, Upload};
use crate::layout::names::{Named, base_name, extension_of, is_compression_candidate, name_rule};
use crate::layout::paths::WITHHELD_SUFFIX;
use bytes::Bytes;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Small transfers wait for the store most of the time.
const MOST_IN_FLIGHT: usize = 32;

/// The smallest part that S3 accepts.
const LEAST_PART: u64 = 5 << 20;

/// Parts are not larger than this unless a file needs it.
const LARGEST_PART: u64 = 8 << 20;

/// What the program takes beside the content of its transfers: code, TLS, the
/// allocator's slack. Measured: 11 MiB with 20 files of 100 MiB on their way to
/// S3.
const BESIDE: u64 = 14 << 20;

/// Of the memory that is given, what transfers may take, and what one attempt
/// may use of it: a part is an eighth, one filled and one on its way, for four
/// large transfers.
pub(super) fn limits(memory: u64) -> (Weights, Limits) {
    let memory = memory.saturating_sub(BESIDE).max(LEAST_PART);
    let part = (memory / 8).clamp(LEAST_PART, LARGEST_PART);
    let parts_in_memory = if memory >= 2 * part { 2 } else { 1 };
    // The bounds above fit into any usize of today.
    let part_bytes = usize::try_from(part).unwrap_or(usize::MAX);
    let largest = part * parts_in_memory as u64;
    (Weights { memory, largest, in_flight: MOST_IN_FLIGHT }, Limits { part_bytes, parts_in_memory })
}

/// The custom metadata of an alias (U-11).
const LINK: &str = "x-goog-meta-link";

impl Driver {
    /// Starts an attempt for an object.
    pub(super) fn start(&mut self, number: u32) {
        let object = self.plan.object(number);
        if self.context.store().is_some() {
            tracing::info!(dest = %self.describe(&object.desired.key), "Queued for upload");
        }
        let upload = self.upload(number);
        let (bytes, attempts) = (object.desired.bytes, object.attempts());
        let patience = patience(bytes, attempts);
        let manner = match (object.desired.class, self.awaited_result) {
            (Class::LatestBuild, _) => Manner::LatestBuild(self.build_id(number)),
            (Class::Result, Some(Policy::Final)) => Manner::Overwrite,
            (Class::Result, _) => Manner::Provisional { known: self.version(number), yields: true },
            (Class::Alias | Class::BuildLog | Class::Artifact | Class::OwnLog | Class::Manifest, _) => {
                match self.policy {
                    Policy::Checkpoint | Policy::BestEffort => {
                        Manner::Provisional { known: self.version(number), yields: false }
                    }
                    // To ask for a small object takes as long as to send it.
                    Policy::Final if patience.is_none() => Manner::UnlessThere,
                    Policy::Final => Manner::Overwrite,
                }
            }
        };
        let fingerprint = object.desired.fingerprint;
        self.pace.started(bytes, self.start.elapsed());
        self.flights.start(number, fingerprint, &self.context, upload, (manner, patience));
    }

    /// The full destination of a key of the plan, as records name it.
    pub(super) fn describe(&self, key: &str) -> String {
        let key = full_key(&self.settings, key);
        self.context.store().map_or_else(|| key.clone(), |store| store.describe(&key))
    }

    fn version(&self, number: u32) -> Option<crate::io::store::Version> {
        self.plan.object(number).stored.as_ref().and_then(|stored| stored.version().cloned())
    }

    fn build_id(&self, number: u32) -> String {
        match &self.plan.object(number).desired.source {
            Origin::Document(content) => String::from_utf8_lossy(content).into_owned(),
            Origin::Compressed(_) | Origin::Log(_) | Origin::Item(..) => String::new(),
        }
    }

    fn upload(&self, number: u32) -> Upload {
        let desired = &self.plan.object(number).desired;
        let key = full_key(&self.settings, &desired.key);
        let (source, censor, named) = match &desired.source {
            Origin::Document(content) => self.document(&desired.key, desired.class, content),
            Origin::Compressed(packed) => (Source::Compressed(Arc::clone(packed)), false, None),
            Origin::Log(index) => {
                let path = self.settings.entries.get(*index).map(|entry| entry.process_log.clone());
                (Source::File(FileSource::configured(path.unwrap_or_default().into()).plain()), true, None)
            }
            Origin::Item(file) => self.file(file.item, file.path(&desired.key).to_owned()),
        };
        let list = &self.settings.upload.compress_file_types;
        let compress =
            self.context.store().is_some_and(Store::keeps_attributes) && is_compression_candidate(&key, list);
        let metadata = match (desired.class, &desired.source) {
            (Class::Alias, Origin::Document(content)) => {
                vec![(LINK.to_owned(), String::from_utf8_lossy(content).into_owned())]
            }
            _ => Vec::new(),
        };
        let (content_type, content_encoding) =
            named.map_or((None, None), |named| (named.content_type, named.content_encoding));
        Upload {
            source,
            content_type,
            content_encoding,
            metadata,
            compress,
            compressed_type: self.types.of(extension_of(&key)).map(str::to_owned),
            precondition: Precondition::Overwrite,
            censor,
            key,
        }
    }

    /// Documents are masked when they are made, except sidecar's own log, which
    /// may have begun before the secrets were known.
    fn document(&self, key: &str, class: Class, content: &Bytes) -> (Source, bool, Option<Named>) {
        let source = Source::Bytes(content.clone());
        let typed = matches!(class, Class::Alias | Class::LatestBuild) || key.ends_with(WITHHELD_SUFFIX);
        let named = typed.then(|| name_rule(base_name(key), &self.types));
        (source, class == Class::OwnLog && !key.ends_with(WITHHELD_SUFFIX), named)
    }

    fn file(&self, item: u32, path: PathBuf) -> (Source, bool, Option<Named>) {
        let censor = self.context.censor.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let configured =
            self.settings.upload.items.get(item as usize).map(String::as_str).unwrap_or_default();
        match self.items.get(item as usize) {
            Some(Some(Item::Directory(dir))) => {
                let censored = censor.is_some_and(|censor| censor.selects(path.as_os_str().as_bytes()));
                let named = name_rule(&name, &self.types);
                (Source::File(FileSource::in_item(dir.clone(), path)), censored, Some(named))
            }
            Some(Some(Item::File(source))) => {
                let censored = censor.is_some_and(|censor| censor.selects(b"."));
                (Source::File(source.clone()), censored, Some(name_rule(base_name(configured), &self.types)))
            }
            // Gone since it was listed: opening it says so.
            Some(None) | None => (Source::File(FileSource::configured(configured.into())), true, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_parts_and_transfers_fit_into_the_memory_that_is_given() {
        for mebibytes in [20, 32, 64, 256] {
            let memory = mebibytes << 20;
            let (weights, limits) = limits(memory);
            assert!(limits.part_bytes as u64 >= LEAST_PART);
            assert!(weights.memory + BESIDE <= memory, "{mebibytes} MiB");
            assert!(weights.largest <= weights.memory, "{mebibytes} MiB");
        }
        let (weights, limits) = limits(64 << 20);
        assert_eq!((weights.largest, limits.parts_in_memory), ((50 << 20) / 4, 2));
    }
}
