//! How far an upload has come: a record every few seconds, and a live bar for
//! people in front of a terminal. A crate for that would make the program larger
//! by more than this line is worth.

use super::object::ObjectPlan;
use super::own_log::OwnLog;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Between two records.
const EVERY: Duration = Duration::from_secs(5);

/// Between two pictures of the bar.
const REDRAW: Duration = Duration::from_millis(250);

/// Characters of the bar itself.
const WIDTH: u8 = 24;

/// When the last record was written, and what it said.
#[derive(Debug)]
pub struct Progress {
    interval: Option<Interval>,
    last: Option<(Instant, u64)>,
    /// Where the bar is drawn, when stderr is a terminal.
    bar: Option<OwnLog>,
    began: Option<Instant>,
}

impl Progress {
    /// With a bar when stderr is a terminal; records then go above it.
    pub fn new(own_log: &OwnLog) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| own_log.clone());
        Self { interval: None, last: None, bar, began: None }
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
            let time = self.began.get_or_insert_with(Instant::now).elapsed();
            let whole = picture(done, all, rate(done, time));
            bar.draw(&format!("{whole}, {} of {objects} objects", summary.stored));
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
            bar.draw("");
        }
    }
}

/// The bar as one line.
fn picture(done: u64, all: u64, rate: u64) -> String {
    let full = (u128::from(done) * u128::from(WIDTH)).checked_div(u128::from(all)).unwrap_or(0);
    let full = usize::try_from(full).unwrap_or(0);
    let bar: String = (0..usize::from(WIDTH)).map(|at| if at < full { '█' } else { '░' }).collect();
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
