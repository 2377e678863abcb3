//! Shorter documents, which are sent where those that were composed cannot be stored: a full
//! disk has room for what was taken at the start only, and how long manifest and result are
//! is up to the job.

use super::Driver;
use super::compose::LIST_TIMEOUT;
use crate::deliver::{Class, Verdict};
use crate::destination::Destination;
use crate::io::closing::{Bounds, NO_ROOM, widened};
use crate::io::compressed_document::CompressedDocument;
use crate::io::source::Source;
use crate::io::store::MANIFEST_BYTES;
use crate::junit::Reports;
use crate::layout::paths::MANIFEST;
use bytes::Bytes;
use std::sync::Arc;

/// Space of a manifest for an object, beside the names in it.
const ROW_BYTES: u64 = 320;

/// Space of a short manifest for its objects: half of what is taken at the start.
const SHORT_ROWS_BYTES: u64 = MANIFEST_BYTES / 2;

/// The reason why a shorter document says less.
const NOT_STORED: &str = "it was left out because the result could not be stored with it";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Spares {
    result: Option<Bytes>,
    manifest: Option<Arc<CompressedDocument>>,
    /// Bytes of the manifest of what was listed in this pass, about.
    listed_bytes: u64,
    /// Objects that the manifest does not list, and why.
    pub(super) unlisted: Option<(u64, &'static str)>,
}

impl Driver {
    /// Files were listed whose names take so many bytes: takes space of the manifest for them.
    pub(super) fn make_room_in_manifest(&mut self, objects: usize, weight: usize) {
        let Some(store) = self.context.store() else { return };
        let bytes = self.spares.listed_bytes + objects as u64 * ROW_BYTES + weight as u64;
        self.spares.listed_bytes = bytes;
        store.enlarge_manifest(&self.settings.paths.key(MANIFEST), bytes);
    }

    /// A listing has begun.
    pub(super) fn begin_spares(&mut self) {
        self.spares.listed_bytes = 0;
    }

    /// Makes a result without the job's metadata and tests, whose length is not up to the job.
    pub(super) fn keep_spare_result(&mut self, verdict: Verdict) {
        self.spares.result = Some(self.plain_result(verdict, NOT_STORED, &Reports::default()));
    }

    /// Makes a manifest with fewer objects where the whole one, of so many bytes, may not fit.
    pub(super) fn keep_spare_manifest(&mut self, bytes: u64) {
        self.spares.manifest = None;
        let is_directory = self.settings.destination.as_ref().is_some_and(Destination::keeps_names);
        if !is_directory || bytes <= MANIFEST_BYTES {
            return;
        }
        let entries: Vec<_> = self.entries.iter().collect();
        let bounds = Bounds::new(self.within(LIST_TIMEOUT), Some(SHORT_ROWS_BYTES));
        let none = Reports::default();
        let mut delivered = self.delivered(&entries, &self.times.passes, bounds);
        delivered.reports = &none;
        let retired = self.journal.as_ref().map_or(0, |journal| journal.objects());
        let left_out = (retired > 0).then_some((retired, NO_ROOM));
        delivered.listing = widened(delivered.listing, left_out, delivered.plan);
        let short = delivered.manifest(None);
        self.spares.manifest = Some(Arc::new(short));
    }

    /// Returns what is sent in an object's place where it cannot be stored.
    pub(super) fn spare(&self, class: Class) -> Option<Source> {
        match class {
            Class::Result => self.spares.result.clone().map(Source::Bytes),
            Class::Manifest => self.spares.manifest.clone().map(Source::Compressed),
            Class::Alias
            | Class::LatestBuild
            | Class::BuildLog
            | Class::Artifact
            | Class::OwnLog
            | Class::Page => None,
        }
    }
}
