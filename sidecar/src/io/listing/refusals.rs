//! Files that are not sent.

use super::Lister;
use crate::deliver::{Class, Desired};
use crate::destination::{Destination, MAX_KEY_BYTES};
use crate::io::object::{Fingerprint, ItemPath, Origin};
use crate::layout::paths::{ObjectPaths, PAGE, WITHHELD_SUFFIX};
use crate::settings::ItemNames;

/// Memory of the files that wait for the end of the listing.
pub(super) const MAX_SKIPPED_BYTES: usize = 256 << 10;

impl Lister<'_> {
    /// Adds the skipped files to the piece: key collisions, and others. They wait for the
    /// end of the listing, as far as there is memory, because a file that comes later may
    /// be sent with the same key.
    pub(super) fn hand_over_skipped(&mut self) {
        self.piece.weight += std::mem::take(&mut self.skipped_weight);
        for refused in std::mem::take(&mut self.skipped) {
            let key = refused.0.key.to_string();
            // Of several skipped files the first one has the key.
            let is_displaced =
                self.is_reserved(&key) || self.taken.contains(&key) || !self.refused.insert(&key);
            if is_displaced { &mut self.piece.displaced } else { &mut self.piece.skipped }.push(refused);
        }
    }

    fn is_reserved(&self, key: &str) -> bool {
        self.settings.item_names == ItemNames::Unreserved
            && (ObjectPaths::is_reserved(key, &self.settings.build_logs)
                || self.settings.delivery.report_page && key == PAGE)
    }

    /// Returns the reason why a key cannot be used, if there is one.
    pub(super) fn refusal(&mut self, key: &str) -> Option<String> {
        // A directory of that name, or of the note in its place, would keep the object away from
        // a destination that has directories.
        let name = key
            .split_once('/')
            .map_or(key, |(first, _)| first.strip_suffix(WITHHELD_SUFFIX).unwrap_or(first));
        if self.is_reserved(name) {
            return Some("its name belongs to an object of sidecar's own".to_owned());
        }
        let full = self.settings.paths.key(key).len()
            + self.settings.destination.as_ref().map_or(0, Destination::prefix_bytes);
        if !self.local && full > MAX_KEY_BYTES {
            return Some(format!("its key would have {full} bytes, more than {MAX_KEY_BYTES}"));
        }
        (!self.taken.insert(key)).then(|| "its name at the destination is taken by another file".to_owned())
    }

    pub(super) fn skip(&mut self, key: &str, number: u32, path: Option<Box<ItemPath>>, reason: &str) {
        if self.repeated.admits(reason) {
            tracing::warn!(path = %key, reason = %reason, "Skipping a file");
        }
        let skipped = Desired {
            key: self.shared_key(key),
            class: Class::Artifact,
            bytes: 0,
            source: Origin::Item { item: number, path },
            fingerprint: Fingerprint::of_document(reason.as_bytes()),
        };
        let refused = (skipped, reason.to_owned());
        self.skipped_weight += self.weigher.weigh_refused(&refused);
        self.skipped.push(refused);
    }
}
