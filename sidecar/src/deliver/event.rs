//! What the cores are told.

use super::effect::Document;
use super::plan::{Desired, Failure};
use super::policy::{Part, Policy};
use super::write::ObjectStatus;
use common::report::Reason;
use common::signal::Signal;
use std::time::Duration;

/// Something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A look at an entry.
    Seen {
        /// Its index.
        entry: usize,
        /// What there was to see.
        look: Look,
    },
    /// The pod is told to stop.
    Interrupt(Signal),
    /// A timer that was armed fired.
    Fired(Timer),
    /// The files of a pass have been listed, and the plan knows them.
    Prepared(Policy),
    /// Nothing of this part is queued or in flight any more.
    Sent(Policy, Part),
    /// The write of the result ended, and nothing of it can take effect later.
    ResultSettled(Policy, Completeness),
}

/// What one look at an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// No result yet, and its lock is held.
    Waiting,
    /// No result yet, and no lock either: not begun, or one that knows no locks.
    Absent,
    /// The lock that was seen is free, but its path is gone.
    Vanished,
    /// A marker that holds no number, or cannot be read.
    Unreadable,
    /// The marker is there.
    Marker {
        /// Its code.
        code: i32,
        /// What the report beside it says, if there is one.
        told: Option<Told>,
    },
    /// Entrypoint is gone without a marker.
    Lost,
}

/// What of a report counts for the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Told {
    /// Why the entry ended.
    pub reason: Reason,
    /// How long ago the earliest signal from outside came, if one did.
    pub outside: Option<Duration>,
}

/// A timer. Each is armed at most once at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Ten seconds after an entry's marker was unreadable, or its lock gone, for
    /// the first time in a row: then it counts as it looks.
    Doubt(usize),
    /// While entries run: time to deliver what has changed since the last time.
    Checkpoint,
    /// With a deadline and `ignore_interrupts`: the wait's share of the time is
    /// over, a best-effort pass begins.
    WaitShare,
    /// With a deadline: what is not stored yet is skipped, so that there is time
    /// for the closing objects.
    Cutoff,
    /// With a deadline: sidecar ends, whatever is in flight.
    Deadline,
    /// Without one: shortly before the pod is probably killed, a result goes
    /// out, whatever else is in flight.
    Interim,
    /// The attempt to store the small object with this number takes so long that
    /// another one is more promising. A request that the store accepts and never
    /// answers would hold up everything that waits for it.
    Attempt(u32),
    /// The object with this number is queued again after a failed attempt.
    Pause(u32),
}

/// What the I/O layer tells the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<S, F, T, V> {
    /// Something that happened to sidecar, or a timer that fired.
    Event(Event),
    /// The files were listed.
    Listed(Policy, Bulk<S, F>),
    /// A document was made.
    Composed(Document, Desired<S, F>),
    /// A request to store an object, or a look at it, ended.
    TransferEnded(u32, Outcome<F, T>),
    /// A look at an object ended.
    ObjectLookedAt(u32, ObjectStatus<V>),
}

/// What the destination should hold by a listing, without the closing objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bulk<S, F> {
    /// What to send.
    pub wanted: Vec<Desired<S, F>>,
    /// What not to send, and why.
    pub skipped: Vec<(Desired<S, F>, String)>,
    /// The same, where another object has the key.
    pub displaced: Vec<(Desired<S, F>, String)>,
}

/// How a request for an object ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<F, T> {
    /// The destination holds the object.
    Stored {
        /// Tells the content that was read from others; `None` for the content
        /// that was wanted.
        read: Option<F>,
        /// The source changed while it was read.
        changed: bool,
        /// Bytes of the stored object.
        bytes: u64,
        /// What is remembered of it.
        record: T,
    },
    /// Nothing is ever sent: a dry run.
    DryRun,
    /// The stored object is not what the precondition demands.
    PreconditionFailed,
    /// It could not be stored.
    Failed(Failure),
    /// The request was aborted. Nothing of it takes effect later, except under
    /// its precondition.
    Aborted,
}

/// Whether a pass delivered all it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Completeness {
    /// Every object was stored, or skipped by a rule.
    Complete,
    /// At least one object could not be stored.
    Incomplete,
}
