//! How far an upload has come: a record every few seconds, and a live bar for
//! people in front of a terminal.

use super::object::ObjectPlan;
use super::own_log::OwnLog;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Between two records.
const EVERY: Duration = Duration::from_secs(5);

/// Between two pictures of the bar.
const REDRAW: Duration = Duration::from_millis(250);

/// Redrawing happens no more often than that, whatever is asked for.
const PICTURES_PER_SECOND: u8 = 5;

const BAR: &str = "{bar:24} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left, {msg}";

/// When the last record was written, and what it said.
#[derive(Debug)]
pub struct Progress {
    interval: Option<Interval>,
    last: Option<(Instant, u64)>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// With a bar when stderr is a terminal; records then go above it.
    pub fn new(own_log: &OwnLog) -> Self {
        let bar = std::io::stderr().is_terminal().then(bar);
        if let Some(bar) = &bar {
            own_log.write_above(bar);
        }
        Self { interval: None, last: None, bar }
    }

    /// Waits until it is time to [`show`](Self::show) something.
    pub async fn tick(&mut self) {
        let every = if self.bar.is_some() { REDRAW } else { EVERY };
        let interval = self.interval.get_or_insert_with(|| {
            let mut interval = tokio::time::interval_at(Instant::now() + every, every);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        interval.tick().await;
    }

    /// Shows how far the upload has come. `under_way` are bytes at the
    /// destination of objects that are not complete.
    pub fn show(&mut self, plan: &ObjectPlan, under_way: u64) {
        let summary = plan.summary();
        let objects = summary.stored + summary.open;
        let done = summary.stored_bytes.saturating_add(under_way.min(summary.open_bytes));
        let all = summary.stored_bytes.saturating_add(summary.open_bytes);
        if let Some(bar) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
            bar.set_message(format!("{} of {objects} objects", summary.stored));
        }
        let now = Instant::now();
        let (then, before) = *self.last.get_or_insert((now - EVERY, 0));
        if now - then < EVERY {
            return;
        }
        let rate = rate(done.saturating_sub(before), now - then);
        self.last = Some((now, done));
        tracing::info!(
            bytes = done,
            bytes_per_second = rate,
            open_bytes = all - done,
            "{} of {objects} objects are stored{}",
            summary.stored,
            estimate(all - done, rate)
        );
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(PICTURES_PER_SECOND);
    let bar = ProgressBar::with_draw_target(Some(0), target);
    // A template that is wrong would be so in every test: then the usual one does.
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar
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

    #[test]
    fn the_bars_template_is_one() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
