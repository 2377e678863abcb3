//! From an object of the plan to an upload: source, type, encoding, metadata.

use super::Driver;
use crate::deliver::Class;
use crate::io::documents::full_key;
use crate::io::listing::Item;
use crate::io::object::{Fingerprint, Origin, path_in_item};
use crate::io::source::{FileSource, Source};
use crate::io::store::{Precondition, Store};
use crate::io::transfer::{ContentReader, Upload};
use crate::layout::names::{
    Named, base_name, extension_of, is_compression_candidate, name_rule, named_as_stored,
};
use crate::layout::paths::WITHHELD_SUFFIX;
use bytes::Bytes;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The custom metadata of an alias (U-11).
const LINK: &str = "x-goog-meta-link";

impl Driver {
    /// The full destination of a key of the plan, as records name it.
    pub(super) fn describe(&self, key: &str) -> String {
        let key = full_key(&self.settings, key);
        self.context.store().map_or_else(|| key.clone(), |store| store.describe(&key))
    }

    /// The key of an object at the destination.
    pub(super) fn key(&self, number: u32) -> String {
        full_key(&self.settings, &self.core.plan().object(number).desired.key.to_string())
    }

    /// Describes the upload of an object.
    pub(super) fn upload(&self, number: u32, precondition: Precondition) -> Upload {
        let desired = &self.core.plan().object(number).desired;
        let key = self.key(number);
        let (source, censor, named) = match &desired.source {
            Origin::Document(content) => self.document(&desired.key.to_string(), desired.class, content),
            Origin::Compressed(packed) => (Source::Compressed(Arc::clone(packed)), false, None),
            Origin::Log(index) => {
                let path = self.settings.entries.get(*index).map(|entry| entry.process_log.clone());
                (Source::File(FileSource::configured(path.unwrap_or_default().into()).plain()), true, None)
            }
            Origin::Item { item, path } => {
                let linked = path.is_some();
                self.file(*item, path_in_item(&desired.key, path.as_deref()), &key, linked)
            }
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
            compressed_type: self.context.types.of(extension_of(&key)).map(str::to_owned),
            precondition,
            censor,
            reader: self.reader(number),
            key,
        }
    }

    /// The reader through which the content of an object passes, if it has one.
    fn reader(&self, number: u32) -> Option<ContentReader> {
        match self.core.plan().object(number).desired.source {
            Origin::Log(index) => Some(ContentReader::Log(self.logs.clone(), index)),
            Origin::Item { .. } => {
                let report = self.report(number)?;
                Some(ContentReader::TestReport(self.tests.clone(), report))
            }
            Origin::Document(_) | Origin::Compressed(_) => None,
        }
    }

    /// Returns the number of a test report, which stays the same in later passes, if the
    /// object is one to be read.
    fn report(&self, number: u32) -> Option<u64> {
        let desired = &self.core.plan().object(number).desired;
        let Origin::Item { path, .. } = &desired.source else { return None };
        let path = path_in_item(&desired.key, path.as_deref());
        // Where the item is the file, its name is what there is to match.
        let path =
            if path.as_os_str().is_empty() { base_name(&desired.key.to_string()).into() } else { path };
        let globs = self.settings.test_reports.as_ref()?;
        if !globs.select(path.as_os_str().as_bytes()) {
            return None;
        }
        let report = Fingerprint::of_document(desired.key.to_string().as_bytes()).hash();
        self.tests.has_room_for(report).then_some(report)
    }

    /// Documents are masked when they are made, except sidecar's own log, which
    /// may have begun before the secrets were known.
    fn document(&self, key: &str, class: Class, content: &Bytes) -> (Source, bool, Option<Named>) {
        let source = Source::Bytes(content.clone());
        let typed = matches!(class, Class::Alias | Class::LatestBuild) || key.ends_with(WITHHELD_SUFFIX);
        let named = typed.then(|| name_rule(base_name(key), &self.context.types));
        (source, class == Class::OwnLog && !key.ends_with(WITHHELD_SUFFIX), named)
    }

    fn file(&self, item: u32, path: PathBuf, key: &str, linked: bool) -> (Source, bool, Option<Named>) {
        let censor = self.context.censor.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let configured =
            self.settings.upload.items.get(item as usize).map(String::as_str).unwrap_or_default();
        match self.context.items.get(item as usize) {
            Some(Some(Item::Directory(dir))) => {
                let censored = censor.is_some_and(|censor| censor.selects(path.as_os_str().as_bytes()));
                let named = named_as_stored(&name, key, &self.context.types);
                (Source::File(FileSource::in_item(dir.clone(), path).linked(linked)), censored, Some(named))
            }
            Some(Some(Item::File(source))) => {
                let censored = censor.is_some_and(|censor| censor.selects(b"."));
                (
                    Source::File(source.clone()),
                    censored,
                    Some(named_as_stored(base_name(configured), key, &self.context.types)),
                )
            }
            // Gone since it was listed: opening it says so.
            Some(None) | None => (Source::File(FileSource::configured(configured.into())), true, None),
        }
    }
}
