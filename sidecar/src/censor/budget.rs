//! Budgets that several files share.

use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Processor time and unpacked bytes for all files of a pass, or for one log.
///
/// Give one to [`Censor::with_budget`](super::Censor::with_budget) at the begin of a pass.
/// A file that exceeds it must not be delivered.
#[derive(Debug)]
pub struct Budget {
    cpu_time: Duration,
    unpacked_bytes: u64,
    spent_nanos: AtomicU64,
    unpacked: AtomicU64,
}

/// A budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetExceeded {
    /// The processor time.
    #[error("delivery.limits.cpu_time: masking has used up its {0:?} of processor time")]
    CpuTime(Duration),
    /// The unpacked bytes.
    #[error("delivery.limits.unpacked_bytes: all containers together unpack to more than {0} bytes")]
    UnpackedBytes(u64),
}

impl Budget {
    /// Creates a budget with nothing spent.
    pub fn new(cpu_time: Duration, unpacked_bytes: u64) -> Self {
        Self { cpu_time, unpacked_bytes, spent_nanos: AtomicU64::new(0), unpacked: AtomicU64::new(0) }
    }

    /// Creates a budget of the same processor time for one stream, which unpacks nothing.
    pub(super) fn of_stream(&self) -> Self {
        Self::new(self.cpu_time, u64::MAX)
    }

    /// Returns whether the processor time is used up.
    pub fn time_exceeded(&self) -> Option<BudgetExceeded> {
        let spent = Duration::from_nanos(self.spent_nanos.load(Ordering::Relaxed));
        (spent > self.cpu_time).then_some(BudgetExceeded::CpuTime(self.cpu_time))
    }

    /// Returns whether the unpacked bytes are used up.
    pub fn bytes_exceeded(&self) -> Option<BudgetExceeded> {
        let unpacked = self.unpacked.load(Ordering::Relaxed);
        (unpacked > self.unpacked_bytes).then_some(BudgetExceeded::UnpackedBytes(self.unpacked_bytes))
    }

    /// Returns whether it is the reason why something was given up.
    pub fn explains(&self, reason: &str) -> bool {
        let exceeded = [self.time_exceeded(), self.bytes_exceeded()];
        exceeded.into_iter().flatten().any(|exceeded| exceeded.to_string() == reason)
    }

    /// Spends processor time.
    pub(super) fn spend(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.spent_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Spends unpacked bytes.
    pub(super) fn unpack(&self, bytes: usize) {
        self.unpacked.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Returns the processor time of this thread.
pub(super) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
