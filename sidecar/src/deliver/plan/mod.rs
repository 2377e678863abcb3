//! The plan: which objects are wanted, and what has become of them.
//!
//! A reconciler without I/O. *Wanted* is what the last listing gave, *stored*
//! is what the destination is known to hold; only differences are sent. What is
//! read (`S`), what tells two contents apart (`F`) and what is remembered of a
//! stored object (`T`) are the I/O layer's business.

mod key;
mod object;
mod outage;
mod outcome;
mod place;
mod queue;
mod retired;
mod slots;
mod summary;

use super::policy::{MAX_SMALL_BYTES, Part, Policy};
pub use key::Key;
use key::{Pieces, compare};
pub(super) use object::Action;
pub use object::{Cause, Class, Desired, Failure, Object, State};
use outage::{Admission, Outage};
pub(super) use outage::{Again, Terms};
pub use queue::Weights;
use queue::{Queue, Turn};
pub use retired::Retired;
use slots::Slots;
pub use summary::{Completeness, Summary};

/// Wanted and stored objects. An object's number never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan<S, F, T> {
    objects: Slots<Object<S, F, T>>,
    /// Numbers in the order of their keys.
    by_key: Vec<u32>,
    /// Files of the last listing whose key another object has, in the order of
    /// the keys.
    displaced: Vec<Object<S, F, T>>,
    /// Counts what was taken out since the begin of the listing.
    retired: Retired,
    queue: Queue,
    /// Open objects of each part, and results.
    open: [usize; 5],
    outage: Outage,
    /// While a listing is under way: which of the objects that were known at its
    /// begin it has found.
    listed: Vec<bool>,
}

impl<S, F: PartialEq + Clone, T> Plan<S, F, T> {
    /// An empty plan.
    pub(super) fn new(weights: Weights) -> Self {
        Self {
            objects: Slots::new(),
            by_key: Vec::new(),
            displaced: Vec::new(),
            retired: Retired::default(),
            queue: Queue::new(weights),
            open: [0; 5],
            outage: Outage::new(),
            listed: Vec::new(),
        }
    }

    /// All objects, in the order of their keys, and behind the one that has its
    /// key whatever is displaced.
    pub fn objects(&self) -> impl Iterator<Item = &Object<S, F, T>> {
        let mut objects = self.by_key.iter().map(|number| &self.objects[*number]).peekable();
        let mut displaced = self.displaced.iter().peekable();
        std::iter::from_fn(move || match (objects.peek(), displaced.peek()) {
            (Some(object), Some(other)) if other.desired.key < object.desired.key => displaced.next(),
            (Some(_), _) => objects.next(),
            (None, _) => displaced.next(),
        })
    }

    /// The object with this number, as an action gave it. Panics once it was taken out.
    pub fn object(&self, number: u32) -> &Object<S, F, T> {
        &self.objects[number]
    }

    /// The object with this key.
    pub fn find(&self, key: &str) -> Option<&Object<S, F, T>> {
        self.position((key, "")).ok().map(|at| self.object(self.by_key[at]))
    }

    /// The numbers of what is withheld, and why it is.
    pub(super) fn withheld(&self) -> Vec<(u32, Box<str>)> {
        let withheld = |number: &u32| Some((*number, self.object(*number).state.withheld()?.into()));
        self.by_key.iter().filter_map(withheld).collect()
    }

    /// Returns whether nothing of this part is open any more.
    pub(super) fn is_settled(&self, part: Part) -> bool {
        self.open[part as usize] == 0
    }

    /// Returns whether nothing of this part happens because the store is out.
    pub(super) fn is_stalled(&self, part: Part) -> bool {
        let of_part = |number: u32| self.object(number).desired.class.part() == Some(part);
        self.outage.is_stalled() && !self.queue.in_flight().any(of_part)
    }

    /// Counts the objects that are still to be stored.
    pub(super) fn open(&self) -> usize {
        self.open.iter().sum()
    }

    /// Takes a whole new listing of the bulk.
    #[cfg(test)]
    #[must_use]
    pub(super) fn reconcile(&mut self, policy: Policy, listing: Vec<Desired<S, F>>) -> Vec<Action> {
        self.begin_listing();
        let actions = self.add(policy, listing);
        self.end_listing();
        actions
    }

    /// A new listing of the bulk begins; the one under way is forgotten.
    pub(super) fn begin_listing(&mut self) {
        self.listed = vec![false; self.objects.next_number() as usize];
        self.displaced.clear();
        self.retired = Retired::default();
        self.queue.begin();
        self.outage.begin();
    }

    /// Takes a piece of the listing. Transfers in flight are adopted when their
    /// content is unchanged, else restarted; what was stored unchanged is not sent
    /// again; what failed gets new attempts.
    ///
    /// The final pass adopts large transfers only. A small one may be a request
    /// that the store accepted and never answers, and the result waits for it.
    #[must_use]
    pub(super) fn add(&mut self, policy: Policy, piece: Vec<Desired<S, F>>) -> Vec<Action> {
        let mut actions = Vec::new();
        // New objects join the order of keys when all of them are known.
        let mut new = Vec::new();
        for desired in piece {
            match self.position(desired.key.pieces()) {
                Ok(at) => {
                    let number = self.by_key[at];
                    if let Some(listed) = self.listed.get_mut(number as usize) {
                        *listed = true;
                    }
                    let adopt = policy != Policy::Final || desired.bytes > MAX_SMALL_BYTES;
                    actions.extend(self.update(number, desired, adopt));
                }
                Err(_) => new.push(self.push(desired)),
            }
        }
        if !new.is_empty() {
            self.by_key.append(&mut new);
            let objects = &self.objects;
            // Stable: it finds that most of them are in order already.
            self.by_key.sort_by(|a, b| objects[*a].desired.key.cmp(&objects[*b].desired.key));
        }
        actions
    }

    /// The listing is through: what it has not found is gone.
    pub(super) fn end_listing(&mut self) {
        for (number, listed) in (0..).zip(std::mem::take(&mut self.listed)) {
            let Some(object) = self.objects.get(number) else { continue };
            if listed || object.desired.class.part() != Some(Part::Bulk) {
                continue;
            }
            match object.state {
                State::Queued
                | State::Pausing
                | State::OutOfTime
                | State::OverLimit(_)
                | State::Failed(_) => self.set_state(number, Cause::Gone.state()),
                State::Restarting | State::Aborting { .. } => {
                    self.set_state(number, State::Aborting { cause: Cause::Gone, outdated: false });
                }
                State::InFlight | State::Stored | State::Changed | State::Skipped(_) | State::Withheld(_) => {
                }
            }
        }
    }

    /// Wants one more object, or another content of it.
    #[must_use]
    pub(super) fn submit(&mut self, desired: Desired<S, F>) -> Option<Action> {
        match self.position(desired.key.pieces()) {
            Ok(at) => self.update(self.by_key[at], desired, true),
            Err(at) => {
                let number = self.push(desired);
                self.by_key.insert(at, number);
                None
            }
        }
    }

    /// Records an object that is not to be sent. What was stored of it stays.
    pub(super) fn skip(&mut self, desired: Desired<S, F>, reason: &str) {
        let number = match self.position(desired.key.pieces()) {
            Ok(at) => self.by_key[at],
            Err(at) => {
                let number = self.push(desired);
                self.by_key.insert(at, number);
                number
            }
        };
        if !self.object(number).state.is_in_flight() {
            self.set_state(number, State::Skipped(reason.into()));
        }
    }

    /// Records what is not to be sent because another object has its key.
    pub(super) fn displace(&mut self, displaced: impl IntoIterator<Item = (Desired<S, F>, String)>) {
        let object = |(desired, reason): (_, String)| {
            let state = State::Skipped(reason.into());
            Object { desired, state, stored: None, attempts: 0, stored_fingerprint: None }
        };
        self.displaced.extend(displaced.into_iter().map(object));
        self.displaced.sort_by(|one, other| one.desired.key.cmp(&other.desired.key));
    }

    /// From now on time is short: large artifacts go one after another, from
    /// small to large, so that as many as possible arrive whole.
    pub(super) fn hurry(&mut self) {
        self.queue.hurry();
    }

    /// Starts what may start now, in the order of a pass and as memory allows. In a
    /// hurry, large artifacts that do not fit into `room`, the bytes for which
    /// there is still time, are cut when it is their turn.
    #[must_use]
    pub(super) fn start_more(&mut self, room: Option<u64>) -> Vec<Action> {
        let mut actions = Vec::new();
        loop {
            let admission = self.outage.admission();
            let Some(turn) = self.queue.take(room, admission, self.outage.asked()) else { return actions };
            match turn {
                Turn::Start(number) => {
                    self.set_state(number, State::InFlight);
                    if admission == Admission::Prober && self.object(number).desired.class != Class::Result {
                        self.outage.probes(number);
                    }
                    actions.push(Action::Start(number));
                }
                Turn::TooLarge(number) => self.set_state(number, State::OutOfTime),
                Turn::OverLimit(number) => {
                    let reason = "delivery.limits.sent_bytes: the bytes of artifacts to send are used up";
                    self.set_state(number, State::OverLimit(reason.into()));
                }
            }
        }
    }

    /// Aborts whatever of this part is open: no time is left for it.
    #[must_use]
    pub(super) fn cut(&mut self, part: Part) -> Vec<Action> {
        self.leave_all(Cause::NoTime, |class| class.part() == Some(part))
    }

    /// Aborts whatever artifact is open: the time that the operator allows is over.
    #[must_use]
    pub(super) fn limit(&mut self) -> Vec<Action> {
        self.leave_all(Cause::OverLimit, |class| class == Class::Artifact)
    }

    fn leave_all(&mut self, cause: Cause, of_class: impl Fn(Class) -> bool) -> Vec<Action> {
        let objects = self.objects.iter().filter(|(_, object)| of_class(object.desired.class));
        let numbers: Vec<u32> = objects.map(|(number, _)| number).collect();
        numbers.into_iter().filter_map(|number| self.leave(number, cause)).collect()
    }

    /// Aborts one object: another content will be wanted of it.
    #[must_use]
    pub(super) fn abandon(&mut self, key: &str) -> Option<Action> {
        let at = self.position((key, "")).ok()?;
        self.leave(self.by_key[at], Cause::Replaced)
    }

    fn leave(&mut self, number: u32, cause: Cause) -> Option<Action> {
        match self.object(number).state {
            State::Queued | State::Pausing => self.set_state(number, cause.state()),
            State::Restarting => self.set_state(number, State::Aborting { cause, outdated: true }),
            State::InFlight => {
                self.set_state(number, State::Aborting { cause, outdated: false });
                return Some(Action::Abort(number));
            }
            State::Aborting { .. }
            | State::Stored
            | State::Changed
            | State::Skipped(_)
            | State::OutOfTime
            | State::OverLimit(_)
            | State::Withheld(_)
            | State::Failed(_) => {}
        }
        None
    }

    /// Takes over what is wanted now of an object that is known. A transfer of
    /// the same content goes on when it may be adopted.
    fn update(&mut self, number: u32, desired: Desired<S, F>, adopt: bool) -> Option<Action> {
        let object = &mut self.objects[number];
        let unchanged = object.desired.fingerprint == desired.fingerprint;
        // A result is written after everything else of its pass, even where an
        // earlier one has the same content (I4).
        let anew = desired.class == Class::Result;
        let goes_on = unchanged && adopt && !anew;
        let held = object.stored_fingerprint.as_ref() == Some(&desired.fingerprint) && !anew;
        // The queue knows it by its old size.
        self.queue.remove((object.desired.class, object.desired.bytes, number));
        object.desired = desired;
        object.attempts = 0;
        match (&object.state, goes_on) {
            (State::InFlight | State::Restarting | State::Aborting { .. }, true) => {
                if object.state != State::InFlight {
                    self.set_state(number, State::Restarting);
                }
                None
            }
            (State::InFlight, false) => {
                self.set_state(number, State::Restarting);
                Some(Action::Abort(number))
            }
            (State::Restarting | State::Aborting { .. }, false) => {
                self.set_state(number, State::Restarting);
                None
            }
            (State::Withheld(_), _) if unchanged => None,
            (
                State::Queued
                | State::Pausing
                | State::Stored
                | State::Changed
                | State::Skipped(_)
                | State::OutOfTime
                | State::OverLimit(_)
                | State::Withheld(_)
                | State::Failed(_),
                _,
            ) => {
                self.set_state(number, if held { State::Stored } else { State::Queued });
                None
            }
        }
    }

    /// Appends an object; its place in the order of keys is the caller's business.
    fn push(&mut self, desired: Desired<S, F>) -> u32 {
        // Start in a settled state so that `set_state` adjusts the open count.
        let state = State::Skipped(Box::default());
        let object = Object { desired, state, stored: None, attempts: 0, stored_fingerprint: None };
        let number = self.objects.push(object);
        self.set_state(number, State::Queued);
        number
    }

    fn set_state(&mut self, number: u32, state: State) {
        let object = &mut self.objects[number];
        let (before, after) = (object.state.is_open(), state.is_open());
        let key = (object.desired.class, object.desired.bytes, number);
        if object.state == State::Queued {
            self.queue.remove(key);
        }
        if state == State::Queued {
            self.queue.insert(key);
        }
        object.state = state;
        let open = &mut self.open[object.desired.class.part().map_or(RESULTS, |part| part as usize)];
        *open = *open + usize::from(after) - usize::from(before);
    }

    fn position(&self, key: Pieces<'_>) -> Result<usize, usize> {
        let key_of = |number: &u32| self.objects[*number].desired.key.pieces();
        self.by_key.binary_search_by(|number| compare(key_of(number), key))
    }
}

/// The place of results in the counts of open objects, behind the parts.
const RESULTS: usize = 4;

#[cfg(test)]
mod hurry_tests;
#[cfg(test)]
mod property;
#[cfg(test)]
mod retry_tests;
#[cfg(test)]
mod tests;
