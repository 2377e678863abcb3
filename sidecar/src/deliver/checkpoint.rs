//! Intervals at which the destination is brought up to date while entries run.

use std::time::Duration;

/// Between two checkpoints sidecar rests at least this many times as long as the
/// last one took: then they take at most a tenth of the time. A large growing
/// log, which is sent whole, is so sent at growing intervals.
const REST: u32 = 9;

/// The pause before the next checkpoint, when the last one took `took`.
pub(super) fn rest(interval: Duration, took: Duration) -> Duration {
    interval.max(took.saturating_mul(REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_take_at_most_a_tenth_of_the_time() {
        let interval = Duration::from_secs(30);
        for took in [0, 1, 3, 4, 60, 3600].map(Duration::from_secs) {
            let pause = rest(interval, took);
            assert!(pause >= interval);
            assert!(took * 10 <= took + pause, "{took:?}");
        }
        assert_eq!(rest(interval, Duration::from_secs(1)), interval);
        assert_eq!(rest(interval, Duration::MAX), Duration::MAX);
    }

    #[test]
    fn a_growing_log_is_sent_whole_at_growing_intervals() {
        // 1 MB/s into the log, 10 MB/s to the store, for four hours.
        let (mut now, mut sent, mut times) = (Duration::ZERO, 0, 0);
        while now < Duration::from_hours(4) {
            let log = now.as_secs();
            let took = Duration::from_secs(log) / 10;
            (now, sent, times) = (now + took + rest(Duration::from_secs(30), took), sent + log, times + 1);
        }
        let log = now.as_secs();
        assert!(sent < 2 * log, "{sent} of {log} in {times} times");
    }
}
