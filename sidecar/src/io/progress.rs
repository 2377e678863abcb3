//! The progress of an upload: a record every few seconds, and a live bar on a
//! terminal. A crate for the bar would enlarge the program by more than it is
//! worth.

use super::object::ObjectPlan;
use super::own_log::OwnLog;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// The part of a progress record that all of them have; `podutils run` shows them.
pub const ARE_STORED: &str = "objects are stored";

/// Between two records.
const RECORD_INTERVAL: Duration = Duration::from_secs(5);

/// Between two redraws of the bar.
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// Characters of the bar itself.
const BAR_WIDTH: u8 = 24;

/// Shows the progress at [`tick`](Self::tick)s.
#[derive(Debug)]
pub struct Progress {
    interval: Option<Interval>,
    /// The time of the last record, and the bytes it reported.
    last: Option<(Instant, u64)>,
    /// Draws the bar, when stderr is a terminal.
    bar: Option<OwnLog>,
    started: Option<Instant>,
}

impl Progress {
    /// Shows a bar when stderr is a terminal; records then appear above it.
    pub fn new(own_log: &OwnLog) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| own_log.clone());
        Self { interval: None, last: None, bar, started: None }
    }

    /// Waits until the next [`show`](Self::show) is due.
    pub async fn tick(&mut self) {
        let every = if self.bar.is_some() { REDRAW_INTERVAL } else { RECORD_INTERVAL };
        let interval = self.interval.get_or_insert_with(|| {
            let mut interval = tokio::time::interval_at(Instant::now() + every, every);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        interval.tick().await;
    }

    /// Shows the progress. `in_flight` are the bytes of incomplete objects that the
    /// destination has accepted.
    pub fn show(&mut self, plan: &ObjectPlan, in_flight: u64) {
        let summary = plan.summary();
        let objects = summary.stored + summary.open;
        let done = summary.stored_bytes.saturating_add(in_flight.min(summary.open_bytes));
        let all = summary.stored_bytes.saturating_add(summary.open_bytes);
        if let Some(bar) = &self.bar {
            let time = self.started.get_or_insert_with(Instant::now).elapsed();
            let whole = picture(done, all, rate(done, time));
            bar.draw(&format!("{whole}, {} of {objects} objects", summary.stored));
        }
        let now = Instant::now();
        let (then, before) = *self.last.get_or_insert((now - RECORD_INTERVAL, 0));
        if now - then < RECORD_INTERVAL {
            return;
        }
        let rate = rate(done.saturating_sub(before), now - then);
        self.last = Some((now, done));
        tracing::info!(
            bytes = done,
            bytes_per_second = rate,
            open_bytes = all - done,
            "{} of {objects} {ARE_STORED}{}",
            summary.stored,
            estimate(all - done, rate)
        );
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.draw("");
        }
    }
}

/// Returns the bar as one line.
fn picture(done: u64, all: u64, rate: u64) -> String {
    let full = (u128::from(done) * u128::from(BAR_WIDTH)).checked_div(u128::from(all)).unwrap_or(0);
    let full = usize::try_from(full).unwrap_or(0);
    let bar: String = (0..usize::from(BAR_WIDTH)).map(|at| if at < full { '█' } else { '░' }).collect();
    let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20);
    let left =
        (all - done).checked_div(rate).map_or(String::new(), |seconds| format!(", {} s left", seconds + 1));
    format!("{bar} {} of {}, {}/s{left}", mib(done), mib(all), mib(rate))
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
    fn a_picture() {
        let half = picture(3 << 19, 3 << 20, 1 << 19);
        assert_eq!(half, "████████████░░░░░░░░░░░░ 1.5 MiB of 3.0 MiB, 0.5 MiB/s, 4 s left");
        assert!(picture(0, 0, 0).ends_with("0.0 MiB of 0.0 MiB, 0.0 MiB/s"));
    }
}
