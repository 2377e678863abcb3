//! Armed timers, by their points in time.

use crate::deliver::Timer;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// All armed timers; each is armed at most once. Many objects can pause.
#[derive(Debug, Default)]
pub struct Timers {
    by_timer: BTreeMap<Timer, Instant>,
    by_time: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Arms a timer, anew when it is armed.
    pub fn arm(&mut self, timer: Timer, after: Duration) {
        self.arm_at(timer, Instant::now() + after);
    }

    /// Arms a timer, but keeps it when it is armed for an earlier time.
    pub fn arm_earliest(&mut self, timer: Timer, after: Duration) {
        let at = Instant::now() + after;
        if self.by_timer.get(&timer).is_none_or(|armed| at < *armed) {
            self.arm_at(timer, at);
        }
    }

    /// Disarms a timer; it may not be armed.
    pub fn disarm(&mut self, timer: Timer) {
        if let Some(at) = self.by_timer.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    /// Waits for the earliest, and takes it; pending for ever without any.
    pub async fn next(&mut self) -> Timer {
        let Some((at, timer)) = self.by_time.first().copied() else { return std::future::pending().await };
        tokio::time::sleep_until(at).await;
        self.disarm(timer);
        timer
    }

    fn arm_at(&mut self, timer: Timer, at: Instant) {
        self.disarm(timer);
        self.by_timer.insert(timer, at);
        self.by_time.insert((at, timer));
    }
}
