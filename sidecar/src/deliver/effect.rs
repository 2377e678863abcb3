//! What the machine wants done.

use super::entries::End;
use super::event::Timer;
use super::machine::{Part, Policy};
use super::verdict::Verdict;
use common::signal::Signal;
use std::time::Duration;

/// Something to do. Its completion comes back as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Write a log record.
    Record(Record),
    /// Arm a timer, anew when it is armed.
    Arm(Timer, Duration),
    /// Arm a timer, but keep it when it is armed for an earlier time.
    ArmEarliest(Timer, Duration),
    /// Arm [`Timer::Checkpoint`] for the time that [`super::rest`] gives.
    ArmCheckpoint,
    /// Look at every entry now.
    Look,
    /// Disarm a timer; it may not be armed.
    Disarm(Timer),
    /// List the files and hand them to the plan; answered by `Prepared`. A later
    /// `Prepare` replaces an earlier one.
    Prepare(Policy),
    /// Send what the plan holds of this part; answered by `Sent`.
    Send(Policy, Part),
    /// Skip whatever of the bulk is not stored yet; answered by `Sent`.
    Cut,
    /// Write `finished.json`; answered by `ResultSettled`. A best-effort or
    /// interim write is conditional on what is known of the object, a final one is not.
    WriteResult(Policy, Verdict),
    /// Give the provisional write in flight up; answered by its `ResultSettled`.
    AbandonResult,
    /// Give everything in flight up and end the program.
    Finish,
}

/// A record whose occasion the machine decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// An interrupt that changes nothing (S-22).
    InterruptIgnored(Signal),
    /// An interrupt that starts a best-effort pass (S-23).
    InterruptCancelling(Signal),
    /// An interrupt while the final pass runs.
    InterruptLate(Signal),
    /// A native sidecar is told that the ordinary containers have ended.
    OthersEnded(Signal),
    /// A report says that the pod was told to stop.
    ToldByReport,
    /// A result goes out before the pass is through.
    Interim,
    /// A native sidecar is done, and stays until it is told to end.
    Staying,
    /// An entry came to its end.
    Ended(usize, End),
    /// An entry looks lost or broken; it is looked at again for a while.
    Doubted(usize),
    /// The wait's share of the deadline is over.
    WaitOver,
    /// What is not stored yet is skipped because of the deadline.
    Cut,
    /// The deadline is there.
    DeadlineReached,
    /// All entries ended while a best-effort pass was running.
    Upgraded,
    /// A pass begins (`Starting to upload`).
    Starting(Policy),
    /// A checkpoint is through.
    CheckpointDone,
    /// A best-effort pass delivered everything (S-23).
    BestEffortDelivered,
    /// A best-effort pass could not deliver everything (S-23).
    BestEffortFailed,
    /// The final pass delivered everything.
    Delivered,
    /// The final pass could not deliver everything (3.9).
    DeliveryFailed,
}
