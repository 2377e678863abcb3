//! Timers of the machine and pauses of objects, by their points in time.

use crate::deliver::Timer;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// What is armed.
#[derive(Debug, Default)]
pub(super) struct Timers {
    timers: BTreeMap<Timer, Instant>,
    pauses: BTreeSet<(Instant, u32)>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A timer of the machine.
    Timer(Timer),
    /// The pause of an object.
    Pause(u32),
}

impl Timers {
    pub(super) fn arm(&mut self, timer: Timer, after: Duration) {
        self.timers.insert(timer, Instant::now() + after);
    }

    pub(super) fn arm_earliest(&mut self, timer: Timer, after: Duration) {
        let at = Instant::now() + after;
        self.timers.entry(timer).and_modify(|armed| *armed = at.min(*armed)).or_insert(at);
    }

    pub(super) fn disarm(&mut self, timer: Timer) {
        self.timers.remove(&timer);
    }

    /// The time until it fires, when it is armed.
    pub(super) fn left(&self, timer: Timer) -> Option<Duration> {
        self.timers.get(&timer).map(|at| at.saturating_duration_since(Instant::now()))
    }

    pub(super) fn pause(&mut self, number: u32, time: Duration) {
        self.pauses.insert((Instant::now() + time, number));
    }

    /// Waits for the earliest, and takes it; pending for ever without any.
    pub(super) async fn due(&mut self) -> Due {
        let timer = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*at, *timer));
        let pause = self.pauses.first().copied();
        let (at, due) = match (timer, pause) {
            (Some((at, timer)), Some((pause, _))) if at <= pause => (at, Due::Timer(timer)),
            (_, Some((at, number))) => (at, Due::Pause(number)),
            (Some((at, timer)), None) => (at, Due::Timer(timer)),
            (None, None) => return std::future::pending().await,
        };
        tokio::time::sleep_until(at).await;
        match due {
            Due::Timer(timer) => {
                self.timers.remove(&timer);
            }
            Due::Pause(number) => {
                self.pauses.remove(&(at, number));
            }
        }
        due
    }
}
