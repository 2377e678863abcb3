//! Listings: their start, what they find, and their end before they are through.

use super::Driver;
use crate::censor::Budget;
use crate::deliver::{Bulk, Policy};
use crate::io::context::Context;
use crate::io::listing::{self, Begin, News, Piece, Walking};
use crate::io::object::{Fingerprint, Input, Origin};
use crate::layout::manifest::ListingGap;
use std::rc::Rc;
use std::sync::Arc;

/// The reason of a listing that left out files.
const FILES_LIMIT: &str = "delivery.limits.files was reached";

impl Driver {
    pub(super) fn list(&mut self, policy: Policy) {
        self.context.reopen(&self.settings);
        let settings = Arc::clone(&self.settings);
        let (types, secrets) = (Arc::clone(&self.context.types), self.secrets.clone());
        let limits = self.settings.delivery.limits();
        let walking = Walking::start(self.share.room(), move |take| {
            let budget = Arc::new(Budget::new(limits.cpu_time(), limits.unpacked_bytes()));
            let renew = || secrets.map(|secrets| Arc::new(secrets.renew().with_budget(budget)));
            listing::list(&settings, &types, renew, take);
        });
        // One that is superseded stops.
        (self.listing, self.gap) = (Some((policy, walking)), None);
        self.has_begun = false;
    }

    pub(super) fn listed(&mut self, policy: Policy, news: News) {
        let input = match news {
            News::Found(piece) => Input::Found(policy, self.take_piece(piece)),
            News::Through(piece) => {
                self.listing = None;
                let bulk = self.take_piece(piece);
                if let Some(gap) = &self.gap {
                    tracing::warn!("{gap}");
                }
                Input::Listed(policy, bulk)
            }
            News::Failed => {
                tracing::error!("The files could not all be listed, because of an internal error");
                let gap = "an internal error ended it";
                let piece = self.end_listing(gap);
                let bulk = piece.map(|piece| self.take_piece(piece)).unwrap_or_default();
                self.inputs.push_back(Input::Found(policy, bulk));
                Input::ListingFailed(policy)
            }
        };
        self.inputs.push_back(input);
    }

    /// The time for the listing is over.
    pub(super) fn cut_listing(&mut self) {
        let Some(policy) = self.listing.as_ref().map(|(policy, _)| *policy) else { return };
        if let Some(piece) = self.end_listing("there was no time left for it") {
            let bulk = self.take_piece(piece);
            self.inputs.push_back(Input::Found(policy, bulk));
        }
    }

    /// Ends the listing before it is through; returns what it has found.
    pub(super) fn end_listing(&mut self, reason: &'static str) -> Option<Piece> {
        let (_, walking) = self.listing.take()?;
        let files = walking.files();
        tracing::warn!("The list of files is not complete: {files} were found, then {reason}");
        let not_listed = self.gap.map_or(0, |gap| gap.not_listed);
        self.gap = Some(ListingGap { complete: false, files, reason, not_listed });
        let piece = walking.take();
        if self.has_begun || piece.begin.is_some() {
            return Some(piece);
        }
        tracing::error!("The build logs are not sent: the secrets could not be read again");
        let Piece { skipped, .. } = listing::without_secrets(&self.settings);
        Some(Piece { skipped, ..piece })
    }

    /// From its first piece on the secrets are in force, and from their piece on the items.
    pub(super) fn take_piece(&mut self, piece: Piece) -> Bulk<Origin, Fingerprint> {
        let Piece { begin, items, wanted, skipped, displaced, weight, files: _, not_listed } = piece;
        if not_listed > 0 {
            let files = self.settings.delivery.limits().files();
            let gap = ListingGap { complete: false, files, reason: FILES_LIMIT, not_listed: 0 };
            self.gap.get_or_insert(gap).not_listed += not_listed;
        }
        if let Some(Begin { censor }) = begin {
            self.has_begun = true;
            self.begin_share();
            self.begin_spares();
            let censor = censor.or_else(|| self.context.censor.clone());
            self.context = Rc::new(Context { censor, ..Context::clone(&self.context) });
        }
        if let Some(items) = items {
            self.context = Rc::new(Context { items: items.into(), ..Context::clone(&self.context) });
        }
        let objects = wanted.len() + skipped.len() + displaced.len();
        self.share.takes(objects, weight);
        self.make_room_in_manifest(objects, weight);
        Bulk { wanted, skipped, displaced, is_partial: not_listed > 0 }
    }
}

/// News of the listing under way; pending for ever without one.
pub(super) async fn news(listing: &mut Option<(Policy, Walking)>) -> (Policy, News) {
    match listing {
        Some((policy, walking)) => (*policy, walking.news().await),
        None => std::future::pending().await,
    }
}
