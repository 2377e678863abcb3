//! The machine's timers on the monotonic clock, which jumps of the wall clock do
//! not affect.

use crate::supervise::Timer;
use std::time::{Duration, Instant};

/// The running timers.
#[derive(Debug, Default)]
pub(super) struct Timers {
    running: Vec<(Timer, Instant)>,
}

impl Timers {
    /// Starts or restarts a timer. One beyond the clock's range never fires.
    pub(super) fn arm(&mut self, timer: Timer, after: Duration) {
        self.running.retain(|(other, _)| *other != timer);
        if let Some(at) = Instant::now().checked_add(after) {
            self.running.push((timer, at));
        }
    }

    /// Starts a timer that fires after so many tenths of the time left on another one.
    pub(super) fn arm_within(&mut self, timer: Timer, tenths: u32, of: Timer) {
        let end = self.running.iter().find(|(other, _)| *other == of).map(|(_, at)| *at);
        if let Some(end) = end {
            self.arm(timer, end.saturating_duration_since(Instant::now()) * tenths / 10);
        }
    }

    /// Makes a running timer fire no later than `limit` from now.
    pub(super) fn shorten(&mut self, timer: Timer, limit: Duration) {
        let latest = Instant::now() + limit;
        for (other, at) in &mut self.running {
            if *other == timer {
                *at = latest.min(*at);
            }
        }
    }

    /// Stops all timers.
    pub(super) fn disarm_all(&mut self) {
        self.running.clear();
    }

    /// Returns the time of the next timer.
    pub(super) fn next(&self) -> Option<Instant> {
        self.running.iter().map(|(_, at)| *at).min()
    }

    /// Removes and returns the timer that has been due for longest.
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
