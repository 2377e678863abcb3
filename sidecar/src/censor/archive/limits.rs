//! Limits on the cost of one file, and its cost so far.

use super::Stop;
use crate::censor::budget::{Budget, thread_time};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Unpacked size from which on the ratio is limited: a few packed kilobytes of
/// zeros do no harm.
const MIN_RATIO_BYTES: u64 = 64 * 1024 * 1024;

/// Limits on the cost of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum nesting of containers.
    pub depth: u32,
    /// Maximum number of unpacked bytes per packed byte, from 64 MiB on.
    pub ratio: u64,
    /// Unpacked bytes of all containers in the file.
    pub unpacked_bytes: u64,
    /// Members of all containers in the file.
    pub members: u64,
    /// Processor time.
    pub cpu_time: Duration,
    /// Bytes of memory for spooled content, and for a decoder's window.
    pub memory: u64,
    /// Bytes on disk for spooled content.
    pub spool_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 4,
            ratio: 250,
            unpacked_bytes: 64 << 30,
            members: 500_000,
            cpu_time: Duration::from_mins(10),
            memory: 64 << 20,
            spool_bytes: 1 << 30,
        }
    }
}

/// The cost of one file so far.
#[derive(Clone)]
pub(super) struct Meter<'a> {
    limits: Limits,
    is_stopped: &'a dyn Fn() -> bool,
    unpacked: Cell<u64>,
    members: Cell<u64>,
    spooled: Cell<u64>,
    started: Duration,
    /// The budget of the pass, and the time up to which it has paid.
    budget: Option<&'a Budget>,
    paid: Rc<Cell<Duration>>,
}

impl<'a> Meter<'a> {
    /// Starts to measure; to be used on this thread only. `is_stopped` returns
    /// whether the result is no longer wanted.
    pub(super) fn new(limits: Limits, is_stopped: &'a dyn Fn() -> bool, budget: Option<&'a Budget>) -> Self {
        let started = thread_time();
        Self {
            limits,
            is_stopped,
            unpacked: Cell::new(0),
            members: Cell::new(0),
            spooled: Cell::new(0),
            started,
            budget,
            paid: Rc::new(Cell::new(started)),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Accounts for `now` more bytes of a stream that has unpacked `read` to `written`.
    pub(super) fn unpack(&self, now: usize, read: u64, written: u64) -> Result<(), Stop> {
        let ratio = self.limits.ratio;
        if written > MIN_RATIO_BYTES && written > read.saturating_mul(ratio) {
            return Err(Stop::Member(format!("each of its bytes stands for more than {ratio} bytes")));
        }
        self.unpacked.set(self.unpacked.get() + now as u64);
        if let Some(budget) = self.budget {
            budget.unpack(now);
        }
        let most = self.limits.unpacked_bytes;
        if self.unpacked.get() > most {
            return Err(Stop::File(format!("it unpacks to more than {most} bytes")));
        }
        if let Some(exceeded) = self.budget.and_then(Budget::bytes_exceeded) {
            return Err(Stop::File(exceeded.to_string()));
        }
        self.time()
    }

    /// Accounts for a member.
    pub(super) fn member(&self) -> Result<(), Stop> {
        self.members.set(self.members.get() + 1);
        let most = self.limits.members;
        if self.members.get() > most {
            return Err(Stop::File(format!("it has more than {most} members")));
        }
        self.time()
    }

    /// Checks the time; to be called for each chunk.
    pub(super) fn time(&self) -> Result<(), Stop> {
        if (self.is_stopped)() {
            return Err(Stop::GivenUp);
        }
        let most = self.limits.cpu_time;
        let now = thread_time();
        if now.saturating_sub(self.started) > most {
            return Err(Stop::File(format!("looking into it takes more than {most:?} of processor time")));
        }
        let Some(budget) = self.budget else { return Ok(()) };
        budget.spend(now.saturating_sub(self.paid.replace(now)));
        budget.time_exceeded().map_or(Ok(()), |exceeded| Err(Stop::File(exceeded.to_string())))
    }

    /// Accounts for more bytes on disk.
    pub(super) fn spool(&self, bytes: usize) -> Result<(), Stop> {
        self.spooled.set(self.spooled.get() + bytes as u64);
        let most = self.limits.spool_bytes;
        if self.spooled.get() > most {
            return Err(Stop::Member(format!("more than {most} bytes would have to be kept aside")));
        }
        Ok(())
    }

    /// Accounts for bytes no longer on disk.
    pub(super) fn release(&self, bytes: u64) {
        self.spooled.set(self.spooled.get().saturating_sub(bytes));
    }
}
