//! The condition of the store, as the ends of attempts tell it, and so who may ask it.
//!
//! ```text
//!  Open ── failures in a row ──▶ Pausing ── the pause is over ──▶ Ready ──▶ Probing(object)
//!    ▲                              ▲                                │          │
//!    │                              └───────── transient failure ────┼──────────┤
//!    └───────────────── an object or a part that arrives ◀───────────┴──────────┘
//!  GivenUp: nothing arrived for so long that only what is submitted anew is tried
//! ```
//!
//! While the store is out one object, the prober, asks at growing intervals and
//! the others wait: a thousand of them would keep down a store that recovers.
//! The objects take turns, for a store may refuse one of them only. When the
//! prober arrives all go on. Results ask whenever they want: there is
//! one, and it is what people wait for.

use super::place::Place;
use std::time::Duration;

/// Failures in a row, of any objects, after which the store counts as out. One is
/// enough where nothing at all was stored before it.
const OUT_AFTER: u8 = 3;

/// Probes after which a pass that is not the final one goes on without what waits:
/// about 15 s, as upstream bridges.
const STALLED_AFTER: u8 = 5;

/// The objects that may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// All.
    All,
    /// One, and results.
    Prober,
    /// Results.
    Results,
}

/// Consequences of a transient failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The object pauses by itself.
    Alone,
    /// It waits with the others; a pause for the next probe begins, after so many
    /// that failed.
    Probe(u8),
    /// It waits with the others.
    Behind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Gate {
    Open,
    Pausing,
    Ready,
    Probing(u32),
    GivenUp,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outage {
    gate: Gate,
    failed_in_a_row: u8,
    failed_probes: u8,
    /// The object that failed last of those whose failure counts: the next one asks.
    asked: Option<Place>,
    /// Something was stored since the last listing.
    answers: bool,
}

impl Outage {
    pub(super) fn new() -> Self {
        Self { gate: Gate::Open, failed_in_a_row: 0, failed_probes: 0, asked: None, answers: false }
    }

    pub(super) fn admission(&self) -> Admission {
        match self.gate {
            Gate::Open | Gate::GivenUp => Admission::All,
            Gate::Ready => Admission::Prober,
            Gate::Pausing | Gate::Probing(_) => Admission::Results,
        }
    }

    /// The object after which another one asks.
    pub(super) fn asked(&self) -> Option<Place> {
        self.asked
    }

    /// A pass begins: what was given up is tried again.
    pub(super) fn begin(&mut self) {
        if self.gate == Gate::GivenUp {
            *self = Self::new();
        }
        (self.failed_in_a_row, self.answers) = (0, false);
    }

    /// An object starts while one may.
    pub(super) fn probes(&mut self, number: u32) {
        self.gate = Gate::Probing(number);
    }

    /// The pause is over.
    pub(super) fn ready(&mut self) {
        if self.gate == Gate::Pausing {
            self.gate = Gate::Ready;
        }
    }

    /// Time is short: the next probe comes at once, and those after it soon.
    pub(super) fn hasten(&mut self) {
        self.ready();
        self.failed_probes = 0;
    }

    /// Something arrived.
    pub(super) fn arrived(&mut self) {
        *self = Self { answers: true, ..Self::new() };
    }

    /// An attempt ended with a failure that no other attempt cures: perhaps the
    /// store's answer. The next failure tells.
    pub(super) fn answered(&mut self, number: u32) {
        if self.gate == Gate::Probing(number) {
            self.gate = Gate::Open;
        }
    }

    /// An attempt ended without asking the store, or nobody knows how.
    pub(super) fn ended(&mut self, number: u32) {
        if self.gate == Gate::Probing(number) {
            self.gate = Gate::Ready;
        }
    }

    /// An attempt failed that another one may cure.
    pub(super) fn failed(&mut self, object: Place) -> Failed {
        self.failed_in_a_row = self.failed_in_a_row.saturating_add(1).min(OUT_AFTER);
        let enough = if self.answers { OUT_AFTER } else { 1 };
        match self.gate {
            Gate::Open if self.failed_in_a_row < enough => Failed::Alone,
            Gate::Open => self.pause(object),
            Gate::Probing(prober) if prober == object.number() => self.pause(object),
            Gate::Probing(_) | Gate::Pausing | Gate::Ready => Failed::Behind,
            Gate::GivenUp => Failed::Alone,
        }
    }

    fn pause(&mut self, object: Place) -> Failed {
        self.gate = Gate::Pausing;
        self.asked = Some(object);
        self.failed_probes = self.failed_probes.saturating_add(1).min(STALLED_AFTER);
        Failed::Probe(self.failed_probes)
    }

    pub(super) fn give_up(&mut self) {
        self.gate = Gate::GivenUp;
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.gate == Gate::GivenUp
    }

    /// Returns whether objects wait for the store.
    pub(super) fn is_out(&self) -> bool {
        match self.gate {
            Gate::Pausing | Gate::Ready | Gate::Probing(_) => true,
            Gate::Open | Gate::GivenUp => false,
        }
    }

    /// Returns whether the store is out for so long that a provisional result does
    /// not wait for it.
    pub(super) fn is_stalled(&self) -> bool {
        self.gate == Gate::Pausing && self.failed_probes >= STALLED_AFTER
    }
}

/// The terms on which a failed attempt is followed by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::deliver) struct Terms {
    /// Any number, from a random source.
    pub(in crate::deliver) random: u32,
    /// The time left for the object; `None` without a limit.
    pub(in crate::deliver) left: Option<Duration>,
}

impl Terms {
    /// Shortens a pause so that several more attempts fit into the time left.
    pub(super) fn within(&self, pause: Duration) -> Duration {
        self.left.map_or(pause, |left| pause.min(left / 4))
    }
}

/// The attempt that follows a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::deliver) enum Again {
    /// It follows after this time, and a call of `wake`.
    After(Duration),
    /// The object waits with all others for the store, which is asked again after
    /// this time, and a call of `probe`.
    Probe(Duration),
    /// The object waits with all others for the store.
    WithOthers,
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::*;

    fn place(number: u32) -> Place {
        Place::of((Class::Artifact, 1, number))
    }

    #[test]
    fn one_object_asks_a_store_that_is_out_and_all_go_on_with_it() {
        let mut outage = Outage::new();
        assert_eq!(outage.failed(place(1)), Failed::Probe(1), "nothing was ever stored");
        assert_eq!(outage.failed(place(2)), Failed::Behind, "it was on its way before");
        assert_eq!(outage.admission(), Admission::Results);
        outage.ready();
        assert_eq!(outage.admission(), Admission::Prober);
        outage.probes(7);
        assert_eq!(outage.admission(), Admission::Results);
        assert_eq!(outage.failed(place(2)), Failed::Behind);
        assert_eq!(outage.asked(), Some(place(1)));
        assert_eq!(outage.failed(place(7)), Failed::Probe(2), "pauses grow");
        assert_eq!(outage.asked(), Some(place(7)), "it is another one's turn");
        outage.ready();
        outage.probes(8);
        outage.arrived();
        assert_eq!((outage.admission(), outage.is_out()), (Admission::All, false));
    }

    #[test]
    fn a_store_that_answers_is_out_after_some_failures_in_a_row() {
        let mut outage = Outage::new();
        outage.arrived();
        assert_eq!([outage.failed(place(1)), outage.failed(place(1))], [Failed::Alone; 2]);
        outage.arrived();
        assert_eq!([outage.failed(place(1)), outage.failed(place(1))], [Failed::Alone; 2]);
        assert_eq!(outage.failed(place(2)), Failed::Probe(1));
    }

    #[test]
    fn a_prober_that_never_asked_is_replaced() {
        let mut outage = Outage::new();
        assert_eq!(outage.failed(place(1)), Failed::Probe(1));
        outage.ready();
        outage.probes(1);
        outage.ended(1);
        assert_eq!(outage.admission(), Admission::Prober);
        outage.probes(2);
        outage.answered(2);
        assert_eq!(outage.admission(), Admission::All);
        assert_eq!(outage.failed(place(3)), Failed::Probe(2), "and it is out at the next failure");
    }

    #[test]
    fn a_pause_leaves_time_for_more() {
        let terms = |left| Terms { random: 0, left };
        assert_eq!(terms(None).within(Duration::from_secs(8)), Duration::from_secs(8));
        let left = Some(Duration::from_secs(4));
        assert_eq!(terms(left).within(Duration::from_secs(8)), Duration::from_secs(1));
    }
}
