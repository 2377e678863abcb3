//! The listing's share of the memory. While it is used up the listing waits, and what is
//! settled goes out of the plan into the journal, so that a job with more files is
//! delivered directory by directory.
//!
//! ```text
//!  Walking ──pieces──▶ plan ──settled──▶ Journal ──▶ manifest.json
//!     ▲                  │
//!     └──── room ◀───────┘
//! ```

use super::Driver;
use crate::deliver::Object;
use crate::io::closing::{manifest_object, widened};
use crate::io::journal::Journal;
use crate::io::object::{Fingerprint, Origin, Record};
use crate::io::weight::Weigher;
use crate::layout::manifest::ListingGap;

/// The listing's part of the memory.
const DIVISOR: u64 = 8;

/// With fewer objects to send than these transfers would wait for the listing.
const MIN_OPEN: usize = 64;

/// At least so many are taken out at a time, or this part of those that are held: each time
/// all are looked at.
const MIN_RETIRED: usize = 64;
const PART_RETIRED: usize = 8;

/// The reason why the manifest does not list an object that was delivered.
const NO_ROOM: &str = "the temporary directory could not take more of the manifest";

/// See the module.
#[derive(Debug)]
pub(super) struct Share {
    /// Bytes that the plan may take.
    bytes: usize,
    /// Bytes that it takes.
    held: usize,
    /// Objects that may have been settled since some were taken out.
    changes: usize,
    /// Objects that are taken out are not written down: there is no manifest.
    is_forgetful: bool,
}

impl Share {
    pub(super) fn of(memory: u64) -> Self {
        let bytes = usize::try_from(memory / DIVISOR).unwrap_or(usize::MAX);
        Self { bytes, held: 0, changes: 0, is_forgetful: false }
    }

    /// No manifest will be made.
    pub(super) fn keep_no_journal(&mut self) {
        self.is_forgetful = true;
    }

    /// Returns the bytes that the listing may find.
    pub(super) fn room(&self) -> usize {
        self.bytes.saturating_sub(self.held).max(1)
    }

    /// Objects were added to the plan.
    pub(super) fn takes(&mut self, objects: usize, weight: usize) {
        self.held += weight;
        self.changes += objects;
    }

    /// Objects may have been settled.
    pub(super) fn changed(&mut self, objects: usize) {
        self.changes += objects;
    }
}

impl Driver {
    /// A listing has begun.
    pub(super) fn begin_share(&mut self) {
        self.journal = None;
        self.share.held = self.weigh();
    }

    /// Lets the listing go on as far as there is room.
    pub(super) fn make_room(&mut self) {
        if self.listing.is_none() {
            return;
        }
        let (held, open) = self.core.plan().held();
        let share = &self.share;
        let due = MIN_RETIRED.max(held / PART_RETIRED);
        if share.held > share.bytes
            && share.changes > 0
            && (share.changes >= due && held - open >= due || open < MIN_OPEN)
        {
            self.retire();
        }
        let share = &self.share;
        let room = share.bytes.saturating_sub(share.held);
        if let Some((_, walking)) = &self.listing {
            walking.allow(if open < MIN_OPEN { room.max(1) } else { room });
        }
    }

    fn retire(&mut self) {
        let retired = self.core.retire();
        self.share.changes = 0;
        if !self.share.is_forgetful {
            for object in &retired {
                self.write_down(object);
            }
        }
        drop(retired);
        self.share.held = self.weigh();
    }

    fn write_down(&mut self, object: &Object<Origin, Fingerprint, Record>) {
        let censor = self.context.censor.as_deref();
        let mask = |text: &str| censor.map_or_else(|| text.to_owned(), |censor| censor.text(text));
        let row = manifest_object(&self.settings, object, &[], &mask);
        let (bytes, has_page) = (self.share.bytes, self.settings.delivery.report_page);
        let is_file = matches!(object.desired.source, Origin::Item { .. });
        let journal = self.journal.get_or_insert_with(|| Box::new(Journal::new(bytes, has_page)));
        if is_file {
            journal.remember_name(&object.desired.key);
        }
        journal.add(row);
    }

    /// Returns the bytes that the plan takes.
    fn weigh(&self) -> usize {
        let mut weigher = Weigher::default();
        self.core.plan().objects().map(|object| weigher.weigh(&object.desired)).sum()
    }

    /// The gap of the listing, or of what the manifest lists of it.
    pub(super) fn gap(&self) -> Option<ListingGap> {
        let left_out = self.journal.as_ref().map_or(0, |journal| journal.left_out());
        let unwritten = [(left_out > 0).then_some((left_out, NO_ROOM)), self.spares.unlisted];
        unwritten.into_iter().fold(self.gap, |gap, left_out| widened(gap, left_out, self.core.plan()))
    }
}
