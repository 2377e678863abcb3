//! The machine's directives, and what it is told in return.

use super::{
    AwaitedResult, Bulk, Coordinator, Desired, Document, Effects, Event, Listing, Moment, Remembered,
};
use crate::deliver::checkpoint::rest;
use crate::deliver::effect::{Directive, Effect, Record};
use crate::deliver::event::Timer;
use crate::deliver::plan::Class;
use crate::deliver::policy::{Part, Policy};
use std::time::Duration;

/// Time after which an entry that has left no trace is named for the first time;
/// from then on it is named whenever this has doubled.
const FIRST_UNSEEN_INTERVAL: Duration = Duration::from_mins(1);

/// The longest time between two records about such an entry.
const MAX_UNSEEN_INTERVAL: Duration = Duration::from_hours(1);

impl<S, F: Clone + PartialEq, T: Remembered> Coordinator<S, F, T> {
    pub(super) fn follow(&mut self, directive: Directive, moment: &Moment, out: &mut Effects<T>) {
        match directive {
            Directive::Record(record) => out.push(Effect::Log(record)),
            Directive::Arm(timer, after) => out.push(Effect::Arm(timer, after)),
            Directive::ArmEarliest(timer, after) => self.arm_earliest(timer, after, moment, out),
            Directive::ArmCheckpoint => {
                let pause = rest(self.setup.checkpoint_interval, self.checkpoint_took);
                out.push(Effect::Arm(Timer::Checkpoint, pause));
            }
            Directive::ArmUnseen(entry) => {
                let pause = moment.now.clamp(FIRST_UNSEEN_INTERVAL, MAX_UNSEEN_INTERVAL);
                out.push(Effect::Arm(Timer::Unseen(entry), pause));
            }
            Directive::LookAtEntries => out.push(Effect::LookAtEntries),
            Directive::Disarm(timer) => out.push(Effect::Disarm(timer)),
            Directive::Hurry => self.plan.hurry(),
            Directive::BeginPass(policy) => {
                self.pass_began = moment.now;
                self.artifacts_cut = false;
                if let Some(time) = self.setup.pass_time {
                    out.push(Effect::Arm(Timer::PassTime, time));
                }
                out.push(Effect::BeginPass(policy));
            }
            Directive::EndCheckpoint => {
                self.checkpoint_took = moment.now.saturating_sub(self.pass_began);
                out.push(Effect::Log(Record::CheckpointDone));
            }
            Directive::Prepare(policy) => {
                self.listing = Some(Listing::new(policy));
                self.listed = None;
                out.push(Effect::List(policy));
            }
            Directive::Send(policy, part) => self.send(policy, part, moment, out),
            Directive::CutUploads => {
                self.uploads_cut = true;
                self.plan.hasten();
                for part in [Part::Bulk, Part::Page] {
                    let actions = self.plan.cut(part);
                    self.act(actions, moment, out);
                }
            }
            Directive::WriteResult(policy, verdict) => {
                self.awaited_result = Some(AwaitedResult { policy, composing: true });
                out.push(Effect::Compose(Document::Result(verdict)));
            }
            Directive::AbandonResult => self.abandon_result(moment, out),
            Directive::Finish => out.push(Effect::Finish),
        }
    }

    fn arm_earliest(&mut self, timer: Timer, after: Duration, moment: &Moment, out: &mut Effects<T>) {
        self.clock.armed(timer, moment.now + after);
        if self.clock.is_running() {
            out.push(Effect::Disarm(Timer::GiveUp));
        }
        out.push(Effect::ArmEarliest(timer, after));
    }

    fn send(&mut self, policy: Policy, part: Part, moment: &Moment, out: &mut Effects<T>) {
        self.awaited_part = Some((policy, part));
        match part {
            Part::Bulk => {
                self.policy = policy;
                if let Some(bulk) = self.listed.take() {
                    self.found(policy, bulk, moment, out);
                    self.end_listing(out);
                } else {
                    // It failed, or the time for it is over: what it has found counts.
                    self.is_listing_complete = false;
                    if let Some(listing) = &mut self.listing {
                        listing.cut = true;
                    }
                    out.push(Effect::CutListing);
                }
            }
            Part::OwnLog => self.compose(Document::OwnLog, out),
            Part::Page => self.compose(Document::Page, out),
            Part::Manifest => self.compose(Document::Manifest, out),
        }
    }

    /// Returns whether files of a listing with this policy are taken.
    pub(super) fn is_listing(&self, policy: Policy) -> bool {
        self.listing.is_some_and(|listing| listing.policy == policy)
    }

    /// Hands a piece of a listing to the plan.
    pub(super) fn found(&mut self, policy: Policy, bulk: Bulk<S, F>, moment: &Moment, out: &mut Effects<T>) {
        let Some(listing) = &mut self.listing else { return };
        if !std::mem::replace(&mut listing.begun, true) {
            self.policy = policy;
            self.plan.begin_listing();
        }
        listing.is_partial |= bulk.is_partial;
        if listing.cut {
            self.listing = None;
        }
        let actions = self.plan.add(policy, bulk.wanted);
        self.act(actions, moment, out);
        for (skipped, reason) in bulk.skipped {
            self.plan.skip(skipped, &reason);
        }
        self.plan.displace(bulk.displaced);
        if self.uploads_cut {
            let actions = self.plan.cut(Part::Bulk);
            self.act(actions, moment, out);
        } else if self.artifacts_cut {
            let actions = self.plan.limit();
            self.act(actions, moment, out);
        }
    }

    /// The time for artifacts is over: what is not stored is left out, and a listing under
    /// way ends.
    pub(super) fn limit_artifacts(&mut self, moment: &Moment, out: &mut Effects<T>) {
        self.artifacts_cut = true;
        let actions = self.plan.limit();
        self.act(actions, moment, out);
        if let Some(Listing { policy, cut: false, .. }) = self.listing
            && self.listed.is_none()
        {
            self.events.push_back(Event::Prepared(policy));
        }
    }

    /// The listing is through. Puts a note beside whatever is withheld.
    pub(super) fn end_listing(&mut self, out: &mut Effects<T>) {
        let listing = self.listing.take();
        self.is_listing_complete = !listing.is_some_and(|listing| listing.is_partial);
        self.plan.end_listing();
        for (number, reason) in self.plan.withheld() {
            self.compose_note(number, reason, out);
        }
    }

    /// Has a line made in the place of an object that is withheld. The result has none:
    /// nothing may follow it (I4).
    pub(super) fn compose_note(&mut self, number: u32, reason: Box<str>, out: &mut Effects<T>) {
        let class = self.plan.object(number).desired.class;
        if class != Class::Result {
            self.compose(Document::WithheldNote { number, class, reason }, out);
        }
    }

    /// Has a document made; nothing is settled before it is submitted.
    pub(super) fn compose(&mut self, document: Document, out: &mut Effects<T>) {
        self.composing += 1;
        out.push(Effect::Compose(document));
    }

    pub(super) fn composed(
        &mut self,
        document: &Document,
        mut desired: Desired<S, F>,
        moment: &Moment,
        out: &mut Effects<T>,
    ) {
        match (document, &mut self.awaited_result) {
            (Document::Result(_), Some(awaited)) if awaited.composing => {
                awaited.composing = false;
                self.result_key = Some(desired.key.to_string().into());
            }
            // It was abandoned meanwhile.
            (Document::Result(_), _) => return,
            // The time for it was over first.
            (Document::Page, _) if self.uploads_cut => {
                self.composing = self.composing.saturating_sub(1);
                return;
            }
            (Document::WithheldNote { class, .. }, _) => {
                self.composing = self.composing.saturating_sub(1);
                desired.class = *class;
            }
            (Document::OwnLog | Document::Page | Document::Manifest, _) => {
                self.composing = self.composing.saturating_sub(1);
            }
        }
        self.want(desired, moment, out);
    }

    fn abandon_result(&mut self, moment: &Moment, out: &mut Effects<T>) {
        if let Some(awaited) = &mut self.awaited_result {
            awaited.composing = false;
        }
        let action = self.result_key.as_deref().and_then(|key| self.plan.abandon(key));
        self.act(action, moment, out);
    }

    /// Tells the machine what has come to rest.
    pub(super) fn settle(&mut self, out: &mut Effects<T>) {
        if let Some((policy, part)) = self.awaited_part
            && self.composing == 0
            && (self.plan.is_settled(part) || policy != Policy::Final && self.plan.is_stalled(part))
        {
            self.awaited_part = None;
            self.events.push_back(Event::Sent(policy, part));
        }
        let result = self.result_key.as_deref().and_then(|key| self.plan.find(key));
        if let Some(AwaitedResult { policy, composing: false }) = self.awaited_result
            && result.is_none_or(|result| !result.state.is_open())
        {
            self.awaited_result = None;
            if self.awaited_part.is_none() {
                out.push(Effect::Log(Record::Finished));
            }
            self.events.push_back(Event::ResultSettled(policy, self.completeness()));
        }
    }
}
