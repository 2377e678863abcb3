//! The machine's timers on the monotonic clock: jumps of the wall clock mean
//! nothing here.

use crate::supervise::Timer;
use std::time::{Duration, Instant};

/// All running timers.
#[derive(Debug, Default)]
pub(super) struct Timers {
    running: Vec<(Timer, Instant)>,
}

impl Timers {
    /// Starts a timer, or starts it again. One too long for the clock never fires.
    pub(super) fn arm(&mut self, timer: Timer, after: Duration) {
        self.running.retain(|(other, _)| *other != timer);
        if let Some(at) = Instant::now().checked_add(after) {
            self.running.push((timer, at));
        }
    }

    /// Stops all timers.
    pub(super) fn disarm_all(&mut self) {
        self.running.clear();
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.running.iter().map(|(_, at)| *at).min()
    }

    /// Takes the timer that is due for the longest time.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (index, _) = self
            .running
            .iter()
            .enumerate()
            .filter(|(_, (_, at))| *at <= now)
            .min_by_key(|(_, (_, at))| *at)?;
        Some(self.running.swap_remove(index).0)
    }
}
