//! The steps of a pass: list, send part by part, write the result.

use super::{Driver, records};
use crate::deliver::{Class, Desired, Event, Part, Policy, State, Verdict};
use crate::io::documents;
use crate::io::earlier;
use crate::io::flight::{Context, Place};
use crate::io::listing::{self, Listing, document};
use crate::io::object::{Fingerprint, Origin};
use crate::layout::paths::{FINISHED, MANIFEST, OWN_LOG};
use bytes::Bytes;
use common::timestamp::Timestamp;
use std::rc::Rc;
use std::sync::Arc;
use tokio::task::JoinHandle;

impl Driver {
    pub(super) fn prepare(&mut self, policy: Policy) {
        let settings = Arc::clone(&self.settings);
        let (types, secrets) = (Arc::clone(&self.types), self.secrets.clone());
        if matches!(*self.context.place, Place::Broken(_)) {
            // Credentials may have been put right meanwhile.
            let place = Rc::new(Place::of(&self.settings));
            let earlier = earlier::reading(Rc::clone(&place), self.settings.paths.key(MANIFEST));
            self.context = Rc::new(Context { place, earlier, ..Context::clone(&self.context) });
        }
        // An earlier listing goes on to nobody's use; it cannot be stopped.
        let list = move || {
            let censor = secrets.map(|secrets| secrets.renew());
            listing::list(&settings, &types, censor)
        };
        self.listing = Some((policy, tokio::task::spawn_blocking(list)));
    }

    pub(super) fn listed(&mut self, (policy, listing): (Policy, Listing)) {
        self.take_listing(listing);
        self.handle(Event::Prepared(policy));
    }

    /// From now on what was listed is in force: the files, and the secrets.
    pub(super) fn take_listing(&mut self, mut listing: Listing) {
        if let Some(censor) = listing.censor.take() {
            self.context = Rc::new(Context { censor: Some(censor), ..Context::clone(&self.context) });
        }
        self.listed = Some(listing);
    }

    pub(super) fn send(&mut self, policy: Policy, part: Part) {
        self.awaited_part = Some((policy, part));
        let submitted = match part {
            Part::Bulk => {
                self.policy = policy;
                return self.reconcile(policy);
            }
            Part::OwnLog => {
                let mut log = document(OWN_LOG, Class::OwnLog, self.own_log.content());
                log.fingerprint = log.fingerprint.under(self.context.generation());
                log
            }
            Part::Manifest => {
                if let Some(pass) = self.passes.last_mut() {
                    pass.finished = Some(Timestamp::now());
                }
                let entries: Vec<_> = self.entries().collect();
                let censor = self.context.censor.as_deref();
                let times = (self.passes.as_slice(), self.deadline);
                let content =
                    documents::manifest(&self.settings, &self.plan, &entries, &self.machine, times, censor);
                Desired {
                    key: MANIFEST.into(),
                    class: Class::Manifest,
                    bytes: content.bytes(),
                    fingerprint: Fingerprint::of_compressed(&content),
                    source: Origin::Compressed(Arc::new(content)),
                }
            }
        };
        if let Some(action) = self.plan.submit(submitted) {
            self.act(action);
        }
    }

    /// Hands the listing to the plan; at a cutoff there may be none.
    pub(super) fn reconcile(&mut self, policy: Policy) {
        self.listing = None;
        let Some(listing) = self.listed.take() else { return };
        self.items = listing.items;
        for action in self.plan.reconcile(policy, listing.wanted) {
            self.act(action);
        }
        for (skipped, reason) in listing.skipped {
            self.plan.skip(skipped, &reason);
        }
        self.plan.displace(listing.displaced);
        let withheld: Vec<_> = self
            .plan
            .objects()
            .filter_map(|object| match &object.state {
                State::Withheld(reason) => {
                    Some((object.desired.key.clone(), object.desired.class, reason.clone()))
                }
                State::Due
                | State::InFlight
                | State::Restarting
                | State::Leaving(_)
                | State::Pausing
                | State::Stored
                | State::Changed
                | State::Skipped(_)
                | State::Cut
                | State::Failed(_) => None,
            })
            .collect();
        for (key, class, reason) in withheld {
            self.note_withheld(&key, class, &reason);
        }
    }

    pub(super) fn write_result(&mut self, policy: Policy, verdict: Verdict) {
        self.awaited_result = Some(policy);
        let (settings, machine) = (Arc::clone(&self.settings), self.machine.clone());
        let reports: Vec<_> = self.entries().map(|entry| entry.report().cloned()).collect();
        let censor = self.context.censor.clone();
        let compose = move || {
            let mask =
                |text: &str| censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text));
            documents::finished(&settings, &machine, &reports, verdict, &mask)
        };
        self.composing = Some(tokio::task::spawn_blocking(compose));
    }

    pub(super) fn composed(&mut self, content: Bytes) {
        let mut result = document(FINISHED, Class::Result, content);
        // Never held already, even when an earlier one has the same bytes: the
        // result of a pass is written after everything else of it (I4).
        self.results += 1;
        result.fingerprint = Fingerprint::of_document(&self.results.to_ne_bytes());
        if let Some(action) = self.plan.submit(result) {
            self.act(action);
        }
        self.proceed();
    }

    /// Tells the machine what has come to rest.
    pub(super) fn answer(&mut self) {
        if let Some((policy, part)) = self.awaited_part
            && self.plan.is_settled(part)
        {
            self.awaited_part = None;
            self.events.push_back(Event::Sent(policy, part));
        }
        if let Some(policy) = self.awaited_result
            && self.composing.is_none()
            && self.plan.find(FINISHED).is_none_or(|result| !result.state.is_open())
        {
            self.awaited_result = None;
            let duration = records::go_duration(self.began.elapsed());
            if self.awaited_part.is_none() {
                tracing::info!(duration = %duration, "Finished uploading");
            }
            self.events.push_back(Event::ResultSettled(policy, self.plan.completeness()));
        }
    }

    pub(super) fn masked(&self, text: &str) -> String {
        self.context.censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text))
    }
}

/// The listing under way, once it is done; pending for ever without one.
pub(super) async fn listed(listing: &mut Option<(Policy, JoinHandle<Listing>)>) -> (Policy, Listing) {
    let Some((policy, handle)) = listing else { return std::future::pending().await };
    let (policy, done) = (*policy, handle.await);
    *listing = None;
    match done {
        Ok(listing) => (policy, listing),
        Err(error) => {
            tracing::error!(error = %error, "The files could not be listed");
            (policy, Listing::default())
        }
    }
}

/// The result being put together, once it is; pending for ever without one.
pub(super) async fn composed(composing: &mut Option<JoinHandle<Bytes>>) -> Bytes {
    let Some(handle) = composing else { return std::future::pending().await };
    let done = handle.await;
    *composing = None;
    done.unwrap_or_else(|error| {
        tracing::error!(error = %error, "The result could not be put together");
        Bytes::new()
    })
}
