//! Outputs of the core.

use super::entries::End;
use super::event::{Document, Timer};
use super::policy::{Part, Policy};
use super::verdict::Verdict;
use super::write::Precondition;
use common::signal::Signal;
use std::time::Duration;

/// Something to do for the I/O layer. Its completion comes back as an
/// [`Input`](super::Input).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<V> {
    /// Write a log record.
    Log(Record),
    /// Write a log record about the object with this number.
    LogTransfer(u32, TransferRecord),
    /// Write a log record about the store.
    LogStore(StoreRecord),
    /// Arm a timer, anew when it is armed.
    Arm(Timer, Duration),
    /// Arm a timer, but keep it when it is armed for an earlier time.
    ArmEarliest(Timer, Duration),
    /// Disarm a timer; it may not be armed.
    Disarm(Timer),
    /// Look at every entry now.
    LookAtEntries,
    /// A pass begins: take its time, and for a best-effort or final one close
    /// sidecar's own log.
    BeginPass(Policy),
    /// List the files; answered by any number of `Found`, then `Listed` or
    /// `ListingFailed`. A later `List` replaces an earlier one.
    List(Policy),
    /// End the listing under way; what it has found so far comes as `Found`.
    CutListing,
    /// Make a document; answered by `Composed`. A later result replaces an
    /// earlier one.
    Compose(Document),
    /// Send the object with this number; answered by `TransferEnded`.
    StartTransfer {
        /// The object.
        number: u32,
        /// The store writes under this precondition only.
        precondition: Precondition<V>,
        /// Send nothing when an earlier sidecar has stored exactly this.
        unless_stored: bool,
    },
    /// Ask what the destination holds of the object with this number; answered by
    /// `ObjectLookedAt`, or by `TransferEnded` where that is impossible.
    LookAtObject {
        /// The object.
        number: u32,
        /// The content is wanted too.
        content: bool,
    },
    /// Say that the store ignores preconditions, as the object with this number has
    /// shown, and use none from now on.
    DistrustPreconditions(u32),
    /// Abort the request for the object with this number; answered by its
    /// `TransferEnded` when nothing of it can take effect any more, except under
    /// its precondition.
    AbortTransfer(u32),
    /// Abandon everything in flight and end the program.
    Finish,
}

/// News about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferRecord {
    /// An attempt starts.
    Queued,
    /// The destination holds it.
    Stored,
    /// An attempt failed, another one follows after this time; without one when the
    /// store takes objects again.
    Retrying(Option<Duration>, String),
    /// It could not be stored.
    Failed(String),
    /// It is beyond a limit of the pass.
    OverLimit(String),
    /// It cannot be censored.
    Withheld(String),
    /// It is not sent after all.
    Skipped(String),
}

/// News about the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreRecord {
    /// It takes nothing at the moment, for this reason; one object at a time asks it.
    Out(Box<str>),
    /// Nothing has arrived for some time.
    Waiting {
        /// The last failure.
        error: Box<str>,
        /// The time since the first one.
        since: Duration,
        /// Objects still to be stored.
        open: usize,
        /// The time until they are given up, or the given time is over.
        left: Duration,
    },
    /// It takes objects again, after this time.
    Back(Duration),
    /// Nothing has arrived for this time, and so many objects are given up.
    GivenUp(Duration, usize),
}

/// An order of the machine to the coordinator, which may pass it on to the I/O layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Directive {
    /// Write a log record.
    Record(Record),
    /// Arm a timer, anew when it is armed.
    Arm(Timer, Duration),
    /// Arm a timer, but keep it when it is armed for an earlier time.
    ArmEarliest(Timer, Duration),
    /// Arm [`Timer::Checkpoint`] for the time that [`super::checkpoint::rest`] gives.
    ArmCheckpoint,
    /// Arm [`Timer::Unseen`] of this entry; the interval grows.
    ArmUnseen(usize),
    /// Look at every entry now.
    LookAtEntries,
    /// Disarm a timer; it may not be armed.
    Disarm(Timer),
    /// From now on time is short.
    Hurry,
    /// A pass begins, or becomes one with this policy.
    BeginPass(Policy),
    /// The pass was a checkpoint, and is through.
    EndCheckpoint,
    /// List the files; answered by `Prepared`. A later `Prepare` replaces an
    /// earlier one.
    Prepare(Policy),
    /// Send what the plan holds of this part; answered by `Sent`.
    Send(Policy, Part),
    /// Skip whatever of the bulk and the page is not stored yet; answered by `Sent`.
    CutUploads,
    /// Write `finished.json`; answered by `ResultSettled`.
    WriteResult(Policy, Verdict),
    /// Abort the provisional write in flight; answered by its `ResultSettled`.
    AbandonResult,
    /// Abandon everything in flight and end the program.
    Finish,
}

/// A record whose occasion the cores decide.
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
    AwaitingTerm,
    /// Nothing of an entry has been there yet.
    Unseen(usize),
    /// An entry came to its end.
    Ended(usize, End),
    /// An entry looks lost or broken; it is looked at again for a while.
    Suspected(usize),
    /// The wait's share of the deadline is over.
    WaitOver,
    /// The cutoff came: everything not stored yet is skipped.
    UploadsCut,
    /// The deadline is there.
    DeadlineReached,
    /// All entries ended while a best-effort pass was running.
    Upgraded,
    /// A checkpoint is through.
    CheckpointDone,
    /// Nothing of a pass is queued or in flight any more.
    Finished,
    /// A best-effort pass delivered everything (S-23).
    BestEffortDelivered,
    /// A best-effort pass could not deliver everything (S-23).
    BestEffortFailed,
    /// The final pass delivered everything.
    Delivered,
    /// The final pass could not deliver everything (3.9).
    DeliveryFailed,
}
