//! Throughput of large objects, and the bytes that fit into the time left.

use super::policy::MAX_SMALL_BYTES;
use std::time::Duration;

/// Window of the average: older measurements count less and less.
const MEMORY: Duration = Duration::from_secs(10);

/// An estimate errs by a quarter. What just does not fit is tried all the same:
/// whatever would come after it is larger.
const BENEFIT_OF_DOUBT: (u64, u64) = (5, 4);

/// Measures large objects that travel alone, as they do when time is short.
/// Small ones tell how long the store takes to answer, and of several that share
/// the line none tells its rate. Times are counted from any common point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Throughput {
    large_in_flight: u32,
    /// Start of the only one in flight; `None` when others were beside it.
    alone_since: Option<Duration>,
    bytes: u64,
    took: Duration,
}

impl Throughput {
    /// An attempt starts.
    pub(super) fn started(&mut self, bytes: u64, now: Duration) {
        if bytes > MAX_SMALL_BYTES {
            self.large_in_flight += 1;
            self.alone_since = (self.large_in_flight == 1).then_some(now);
        }
    }

    /// An attempt that was started with so many bytes has ended; `sent` is what
    /// arrived by it.
    pub(super) fn ended(&mut self, bytes: u64, sent: Option<u64>, now: Duration) {
        if bytes <= MAX_SMALL_BYTES {
            return;
        }
        self.large_in_flight = self.large_in_flight.saturating_sub(1);
        let Some((since, sent)) = self.alone_since.take().zip(sent) else { return };
        while self.took > MEMORY {
            (self.bytes, self.took) = (self.bytes / 2, self.took / 2);
        }
        self.bytes = self.bytes.saturating_add(sent);
        self.took += now.saturating_sub(since);
    }

    /// Returns the bytes that arrive in this time; `None` while nothing was measured.
    pub(super) fn bytes_within(&self, time: Duration) -> Option<u64> {
        if self.bytes == 0 {
            return None;
        }
        let (more, of) = BENEFIT_OF_DOUBT;
        let bytes = u128::from(self.bytes) * time.as_millis() * u128::from(more)
            / (self.took.as_millis().max(1) * u128::from(of));
        Some(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_fits_follows_from_what_was_measured() {
        let mut throughput = Throughput::default();
        assert_eq!(throughput.bytes_within(seconds(10)), None, "everything is tried");
        throughput.started(20 * MIB, seconds(1));
        throughput.ended(20 * MIB, Some(20 * MIB), seconds(3));
        assert_eq!(throughput.bytes_within(seconds(4)), Some(50 * MIB), "10 MiB/s and the benefit of doubt");
        assert_eq!(throughput.bytes_within(Duration::ZERO), Some(0));
    }

    #[test]
    fn a_store_that_becomes_slower_is_noticed() {
        let mut throughput = Throughput::default();
        let mut now = 0;
        for (rate, times) in [(100, 4), (10, 6)] {
            for _ in 0..times {
                throughput.started(50 * MIB, seconds(now));
                now += 50 / rate + 1;
                throughput.ended(50 * MIB, Some(50 * MIB), seconds(now));
            }
        }
        let room = throughput.bytes_within(seconds(1)).expect("measured") / MIB;
        assert!((8..20).contains(&room), "{room} MiB in a second");
    }

    #[test]
    fn small_failed_and_shared_transfers_tell_nothing() {
        let mut throughput = Throughput::default();
        throughput.started(MIB, seconds(0));
        throughput.ended(MIB, Some(MIB), seconds(9));
        throughput.started(9 * MIB, seconds(10));
        throughput.ended(9 * MIB, None, seconds(20));
        throughput.started(9 * MIB, seconds(20));
        throughput.started(9 * MIB, seconds(20));
        throughput.ended(9 * MIB, Some(9 * MIB), seconds(21));
        throughput.ended(9 * MIB, Some(9 * MIB), seconds(22));
        assert_eq!(throughput.bytes_within(seconds(1)), None);
    }
}
