//! Which object comes next, and how many may be in flight together.

use super::Class;
use super::outage::Admission;
use super::place::{Key, Place};
use crate::deliver::policy::MAX_SMALL_BYTES;
use crate::deliver::window::Window;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Limits of all transfers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Weights {
    /// Bytes of memory for all transfers.
    pub memory: u64,
    /// Bytes of memory that a transfer needs at most for its content.
    pub largest: u64,
    /// Transfers at most, however small they are and however quickly they go.
    pub in_flight: usize,
    /// Bytes of artifacts that a pass may send; `None` for any number.
    pub sent_bytes: Option<u64>,
}

impl Weights {
    /// Returns the number of transfers that may be in flight together.
    pub fn transfers(&self) -> usize {
        usize::try_from(self.memory / OVERHEAD).unwrap_or(usize::MAX).clamp(1, self.in_flight)
    }
}

/// Memory of a transfer beside its content: buffers, a connection, a task.
const OVERHEAD: u64 = 128 << 10;

/// Upper bound on the parts of an object: those of a larger one are larger.
const MAX_PARTS: u64 = 10_000;

/// The verdict of the queue on the next object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may start.
    Start(u32),
    /// The time that is left is not enough for it.
    TooLarge(u32),
    /// The bytes that the pass may send are not enough for it.
    OverLimit(u32),
}

/// Due objects in the order of a pass, and the weight of those in flight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Queue {
    weights: Weights,
    due: BTreeSet<Place>,
    in_flight: BTreeMap<u32, InFlight>,
    weight: u64,
    window: Window,
    hurry: bool,
    /// Bytes of artifacts that may still be sent; `None` for any number.
    allowance: Option<u64>,
}

/// An object in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct InFlight {
    weight: u64,
    /// Bytes taken of the allowance.
    allowed: u64,
}

impl Queue {
    pub(super) fn new(weights: Weights) -> Self {
        let allowance = weights.sent_bytes;
        Self {
            weights,
            due: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            weight: 0,
            window: Window::new(weights.in_flight),
            hurry: false,
            allowance,
        }
    }

    /// A pass begins, with its whole allowance.
    pub(super) fn begin(&mut self) {
        self.allowance = self.weights.sent_bytes;
        self.window.begin();
    }

    /// An object in flight of so many bytes arrives by one request, in this time.
    pub(super) fn measured(&mut self, bytes: u64, took: Duration) {
        self.window.arrived(bytes, took, self.in_flight.len());
    }

    /// An attempt that began at `began` failed in a way that another one may cure.
    pub(super) fn overloaded(&mut self, began: Duration, now: Duration) {
        self.window.failed(began, now);
    }

    pub(super) fn hurry(&mut self) {
        self.hurry = true;
    }

    pub(super) fn insert(&mut self, key: Key) {
        self.due.insert(Place::of(key));
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.due.remove(&Place::of(key));
    }

    /// The objects in flight.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = u32> {
        self.in_flight.keys().copied()
    }

    /// The next object of those that are admitted, when it may start. One may
    /// always be in flight, however large it is. `room` is how many bytes can be
    /// sent in the time that is left; `asked` is the object that asked a store that
    /// is out before.
    pub(super) fn take(
        &mut self,
        room: Option<u64>,
        admission: Admission,
        asked: Option<Place>,
    ) -> Option<Turn> {
        let result = || self.first_of(Class::Result);
        let place = match admission {
            Admission::All => *self.due.first()?,
            Admission::Prober => result().or_else(|| self.next_to_ask(asked))?,
            Admission::Results => result()?,
        };
        let (class, bytes, number) = place.parts();
        if self.hurry && class == Class::Artifact && bytes > MAX_SMALL_BYTES {
            if self.in_flight.values().any(|other| other.weight > OVERHEAD + MAX_SMALL_BYTES) {
                return None;
            }
            if room.is_some_and(|room| bytes > room) {
                self.due.remove(&place);
                return Some(Turn::TooLarge(number));
            }
        }
        let allowed = if class == Class::Artifact { bytes } else { 0 };
        if self.allowance.is_some_and(|left| allowed > left) {
            self.due.remove(&place);
            return Some(Turn::OverLimit(number));
        }
        // One whose parts do not fit is refused before it takes any memory.
        let grown = Some(bytes / MAX_PARTS).filter(|part| *part <= self.weights.memory).unwrap_or(0);
        let weight = OVERHEAD + bytes.min(self.weights.largest.max(grown));
        let fits = self.window.has_room(self.in_flight.len()) && self.weight + weight <= self.weights.memory;
        if !fits && !self.in_flight.is_empty() {
            return None;
        }
        self.due.remove(&place);
        self.in_flight.insert(number, InFlight { weight, allowed });
        self.weight += weight;
        self.allowance = self.allowance.map(|left| left - allowed);
        Some(Turn::Start(number))
    }

    /// The first one of a class.
    fn first_of(&self, class: Class) -> Option<Place> {
        self.first_from((class, 0, 0))
    }

    /// The first one of a class, from a place in it on.
    fn first_from(&self, first: Key) -> Option<Place> {
        self.due.range(Place::of(first)..=Place::of((first.0, u64::MAX, u32::MAX))).next().copied()
    }

    /// The one whose arrival is told soonest, of those that come after `asked` when all are
    /// in the order of their sizes; then the smallest again.
    fn next_to_ask(&self, asked: Option<Place>) -> Option<Place> {
        let first_of_all = |from: &dyn Fn(Class) -> Key| {
            let firsts = Class::ALL.into_iter().filter_map(|class| self.first_from(from(class)));
            firsts.min_by_key(|place| place.parts().1)
        };
        let after = |asked: Place| {
            let (of, bytes, number) = asked.parts();
            first_of_all(&|class| match class.cmp(&of) {
                Ordering::Less => (class, bytes.saturating_add(1), 0),
                Ordering::Equal => (class, bytes, number.saturating_add(1)),
                Ordering::Greater => (class, bytes, 0),
            })
        };
        asked.and_then(after).or_else(|| first_of_all(&|class| (class, 0, 0)))
    }

    /// The object's transfer ended, and its bytes may be sent again.
    pub(super) fn leave(&mut self, number: u32) {
        let Some(InFlight { weight, allowed }) = self.in_flight.remove(&number) else { return };
        self.weight -= weight;
        // One of an earlier pass took nothing of this one's.
        let restored =
            |left: u64| left.saturating_add(allowed).min(self.weights.sent_bytes.unwrap_or(u64::MAX));
        self.allowance = self.allowance.map(restored);
    }

    /// The object takes so many bytes of the allowance, not those it was listed with: an archive
    /// may be longer when it is packed anew, and text is shorter when it is compressed.
    pub(super) fn took(&mut self, number: u32, bytes: u64) {
        let Some(InFlight { allowed, .. }) = self.in_flight.get(&number) else { return };
        let most = self.weights.sent_bytes.unwrap_or(u64::MAX);
        let left = |left: u64| left.saturating_add(*allowed).saturating_sub(bytes).min(most);
        self.allowance = self.allowance.map(left);
    }

    /// The object is stored.
    pub(super) fn arrived(&mut self, number: u32) {
        self.weight -= self.in_flight.remove(&number).map_or(0, |object| object.weight);
    }
}
