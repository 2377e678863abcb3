//! The number of transfers that may be in flight together.
//!
//! A congestion window as TCP has one (RFC 5681), with the delay as its measure (Brakmo,
//! Peterson: TCP Vegas, 1995): of the time that a small object takes, what is beyond the
//! shortest one is spent in queues, of the line, of the store, or of our own processor.
//! Over a distance there are none until many are in flight; where the processor is the limit
//! there are some at once, and more in flight would cost memory and win nothing.
//!
//! ```text
//!  FIRST ── few wait in queues: twice as many ──▶ … ── some wait: stays ──▶ …
//!    few wait again: STEP more    many wait: STEP less    a transient failure: half
//! ```
//!
//! It only grows while it is what holds transfers back, and not the memory or a lack of
//! objects.

use super::policy::MAX_SMALL_BYTES;
use std::time::Duration;

/// The size that it begins with, where it may have it.
const FIRST: usize = 16;

/// The least size, however often the store fails.
const MIN: usize = 4;

/// The step in which it grows and shrinks, once it has found its size.
const STEP: usize = 8;

/// Transfers in queues with which no time is lost between two of them.
const ENOUGH_QUEUED: u64 = 16;

/// Transfers in queues that only cost memory.
const MANY_QUEUED: u64 = 48;

/// Upper bounds on objects whose times are compared with each other, in bytes.
const SIZE_CLASSES: [u64; 3] = [16 << 10, 128 << 10, MAX_SMALL_BYTES];

/// One, as a stretch is counted.
const UNSTRETCHED: u64 = 1000;

/// See the module. Times are counted from any common point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Window {
    size: usize,
    max: usize,
    /// It has not met a limit yet.
    is_doubling: bool,
    /// The shortest time of an object of each class, in this pass.
    shortest: [Option<Duration>; SIZE_CLASSES.len()],
    /// Objects that arrived since the size was last considered.
    arrived: usize,
    /// The sum of their times, each in thousandths of the shortest one.
    stretch: u64,
    /// It has held back transfers since then.
    was_full: bool,
    /// The last time that a failure halved it.
    halved: Duration,
}

impl Window {
    pub(super) fn new(max: usize) -> Self {
        Self {
            size: max.min(FIRST),
            max,
            is_doubling: true,
            shortest: [None; SIZE_CLASSES.len()],
            arrived: 0,
            stretch: 0,
            was_full: false,
            halved: Duration::ZERO,
        }
    }

    /// Returns whether one more transfer may start beside so many.
    pub(super) fn has_room(&self, in_flight: usize) -> bool {
        in_flight < self.size
    }

    /// A pass begins: the way to the store may be another one than an hour ago.
    pub(super) fn begin(&mut self) {
        self.shortest = [None; SIZE_CLASSES.len()];
        self.consider_anew();
    }

    /// An object of so many bytes arrived by one request, in this time, from among
    /// `in_flight` transfers.
    pub(super) fn arrived(&mut self, bytes: u64, took: Duration, in_flight: usize) {
        let Some(class) = SIZE_CLASSES.iter().position(|most| bytes <= *most) else { return };
        if self.is_fixed() {
            return;
        }
        let took = took.max(Duration::from_micros(1));
        let shortest = self.shortest[class].map_or(took, |shortest| shortest.min(took));
        self.shortest[class] = Some(shortest);
        self.arrived += 1;
        let stretch = took.as_nanos() * u128::from(UNSTRETCHED) / shortest.as_nanos();
        self.stretch = self.stretch.saturating_add(u64::try_from(stretch).unwrap_or(u64::MAX));
        self.was_full |= !self.has_room(in_flight);
        if self.arrived >= self.size {
            self.consider();
        }
    }

    /// An attempt that began at `began` failed in a way that another one may cure. Those
    /// that were under way when the window was halved say nothing new.
    pub(super) fn failed(&mut self, began: Duration, now: Duration) {
        if self.is_fixed() || began < self.halved {
            return;
        }
        self.size = (self.size / 2).max(MIN);
        self.is_doubling = false;
        self.halved = now;
        self.consider_anew();
    }

    /// So few are no load for any store, however they go.
    fn is_fixed(&self) -> bool {
        self.max <= MIN
    }

    fn consider(&mut self) {
        let mean = (self.stretch / self.arrived.max(1) as u64).max(UNSTRETCHED);
        let size = self.size as u64;
        let queued = size - size * UNSTRETCHED / mean;
        let has_met_limit = queued > ENOUGH_QUEUED;
        let wanted = match queued {
            0..=ENOUGH_QUEUED if !self.was_full => self.size,
            0..=ENOUGH_QUEUED if self.is_doubling => self.size * 2,
            0..=ENOUGH_QUEUED => self.size + STEP,
            MANY_QUEUED.. => self.size - STEP,
            _ => self.size,
        };
        self.is_doubling &= !has_met_limit;
        self.size = wanted.min(self.max);
        self.consider_anew();
    }

    fn consider_anew(&mut self) {
        (self.arrived, self.stretch, self.was_full) = (0, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A store at a distance that takes so many objects a second, from a window that is
    /// always full.
    fn after_rounds(window: &mut Window, distance: Duration, per_second: u32, rounds: usize) {
        for _ in 0..rounds {
            let in_flight = window.size;
            let by_rate = Duration::from_secs(1) * u32::try_from(in_flight).expect("few") / per_second;
            for _ in 0..in_flight {
                window.arrived(4096, distance.max(by_rate), in_flight);
            }
        }
    }

    #[test]
    fn a_distant_store_gets_many_requests_at_once_within_a_few_round_trips() {
        let mut window = Window::new(256);
        assert!(window.has_room(15) && !window.has_room(16), "it begins with 16");
        after_rounds(&mut window, 30 * MS, 100_000, 4);
        assert_eq!(window.size, 256);
        after_rounds(&mut window, 30 * MS, 100_000, 4);
        assert_eq!(window.size, 256, "and never more than it may");
    }

    #[test]
    fn where_the_rate_is_the_limit_it_stays_small() {
        let mut window = Window::new(256);
        window.arrived(4096, MS / 2, 1);
        after_rounds(&mut window, MS / 2, 3000, 100);
        assert!((16..=64).contains(&window.size), "{}", window.size);
        let mut window = Window::new(256);
        after_rounds(&mut window, 30 * MS, 3000, 100);
        assert!((90..=150).contains(&window.size), "the line is full with 90: {}", window.size);
    }

    #[test]
    fn it_gives_back_what_only_waits() {
        let mut window = Window::new(256);
        after_rounds(&mut window, 30 * MS, 100_000, 4);
        after_rounds(&mut window, 30 * MS, 1000, 60);
        assert!(window.size < 100, "{}", window.size);
    }

    #[test]
    fn an_overload_halves_it_once_and_it_recovers_in_steps() {
        let mut window = Window::new(256);
        after_rounds(&mut window, 30 * MS, 100_000, 4);
        for _ in 0..100 {
            window.failed(Duration::ZERO, 500 * MS);
        }
        assert_eq!(window.size, 128, "they were all on their way");
        window.failed(499 * MS, 510 * MS);
        assert_eq!(window.size, 128);
        window.failed(500 * MS, 520 * MS);
        assert_eq!(window.size, 64, "these were not");
        after_rounds(&mut window, 30 * MS, 100_000, 2);
        assert_eq!(window.size, 80);
        for second in 1..20 {
            let now = Duration::from_secs(second);
            window.failed(now, now);
        }
        assert_eq!(window.size, MIN);
    }

    #[test]
    fn it_grows_only_where_it_holds_back() {
        let mut window = Window::new(256);
        for _ in 0..1000 {
            window.arrived(4096, 30 * MS, 10);
        }
        assert_eq!(window.size, 16, "memory or a lack of objects did");
        for _ in 0..1000 {
            window.arrived(20 << 20, 30 * MS, 16);
        }
        assert_eq!(window.size, 16, "large objects tell nothing");
    }

    #[test]
    fn objects_are_compared_with_those_of_their_size() {
        let mut window = Window::new(256);
        for _ in 0..64 {
            window.arrived(1000, 30 * MS, window.size);
            window.arrived(1 << 20, 900 * MS, window.size);
        }
        assert!(window.size > 16, "{}", window.size);
    }

    #[test]
    fn a_pass_measures_anew() {
        let mut window = Window::new(256);
        window.arrived(1, MS, 1);
        window.begin();
        after_rounds(&mut window, 50 * MS, 100_000, 3);
        assert_eq!(window.size, 128);
    }

    #[test]
    fn a_few_are_always_the_same() {
        let mut window = Window::new(4);
        let before = window;
        window.failed(MS, MS);
        after_rounds(&mut window, MS, 100_000, 9);
        assert_eq!(window, before);
    }
}
