//! A record every few seconds while objects are on their way.

use super::object::ObjectPlan;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Between two records.
const EVERY: Duration = Duration::from_secs(5);

/// When the last record was written, and what it said.
#[derive(Debug, Default)]
pub struct Progress {
    interval: Option<Interval>,
    last: Option<(Instant, u64)>,
}

impl Progress {
    /// Waits for the next record's time.
    pub async fn tick(&mut self) {
        let interval = self.interval.get_or_insert_with(|| {
            let mut interval = tokio::time::interval_at(Instant::now() + EVERY, EVERY);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        interval.tick().await;
    }

    /// Writes how far the upload has come, its rate since the last record, and
    /// how long the rest takes at that rate.
    pub fn record(&mut self, plan: &ObjectPlan) {
        let now = Instant::now();
        let summary = plan.summary();
        let total = summary.stored + summary.open;
        let (then, before) = self.last.unwrap_or((now - EVERY, 0));
        let rate = rate(summary.stored_bytes.saturating_sub(before), now - then);
        self.last = Some((now, summary.stored_bytes));
        tracing::info!(
            bytes = summary.stored_bytes,
            bytes_per_second = rate,
            open_bytes = summary.open_bytes,
            "{} of {total} objects are stored{}",
            summary.stored,
            estimate(summary.open_bytes, rate)
        );
    }
}

fn rate(bytes: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(bytes) * 1000 / time.as_millis().max(1)).unwrap_or(u64::MAX)
}

fn estimate(open_bytes: u64, rate: u64) -> String {
    match open_bytes.checked_div(rate) {
        Some(seconds) => format!(", the rest takes about {} s", seconds + 1),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_estimates() {
        assert_eq!(rate(10_000, Duration::from_secs(5)), 2000);
        assert_eq!(rate(1, Duration::ZERO), 1000);
        assert_eq!(estimate(4000, 2000), ", the rest takes about 3 s");
        assert_eq!(estimate(4000, 0), "");
    }
}
