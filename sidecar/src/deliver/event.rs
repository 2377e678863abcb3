//! Inputs of the core.

use super::entries::Observation;
use super::plan::{Class, Completeness, Desired, Failure};
use super::policy::{Part, Policy};
use super::verdict::Verdict;
use super::write::ObjectStatus;
use common::signal::Signal;

/// An event for the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// An entry was looked at.
    Observed {
        /// Its index.
        entry: usize,
        /// The observation.
        observation: Observation,
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

/// A timer. Each is armed at most once at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Ten seconds after an entry's marker was unreadable, or its lock gone, for
    /// the first time in a row: then it counts as it looks.
    Suspicion(usize),
    /// Until something of an entry is there: time to record that nothing is.
    Unseen(usize),
    /// Nothing of an entry was there for `delivery.start_timeout`, or since the
    /// pod was told to stop: it counts as lost.
    Start(usize),
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
    /// The time that the operator allows for the artifacts of a pass is over: what is not
    /// stored is left out.
    PassTime,
    /// While the store is out: time to ask it again.
    Probe,
    /// While nothing arrives: once a minute, to say what is waited for.
    Waiting,
    /// Nothing has arrived for `delivery.retry_for`: what is left is given up. Not
    /// armed while a given time runs, whose end decides.
    GiveUp,
}

/// A document that the I/O layer makes from what is known by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// `sidecar-logs.json`.
    OwnLog,
    /// `report.html`; it may come to nothing.
    Page,
    /// `manifest.json`.
    Manifest,
    /// `finished.json`.
    Result(Verdict),
    /// A line in the place of an object that is withheld.
    WithheldNote {
        /// The object.
        number: u32,
        /// The object's class, and the line's: no part of a pass is over before its lines
        /// are stored (I4).
        class: Class,
        /// The reason why it cannot be censored.
        reason: Box<str>,
    },
}

/// News from the I/O layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<S, F, T, V> {
    /// Something that happened to sidecar, or a timer that fired.
    Event(Event),
    /// Some files were found; more may follow.
    Found(Policy, Bulk<S, F>),
    /// The files were listed; these are the last ones.
    Listed(Policy, Bulk<S, F>),
    /// The listing ended before it was through.
    ListingFailed(Policy),
    /// A document was made.
    Composed(Document, Desired<S, F>),
    /// The page could not be made.
    NotComposed,
    /// A request to store an object, or a look at it, ended.
    TransferEnded(u32, Outcome<F, T>),
    /// A look at an object ended.
    ObjectLookedAt(u32, ObjectStatus<V>),
    /// Some time has passed: perhaps parts have arrived.
    Ticked,
}

/// The objects of a listing: everything but the closing ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bulk<S, F> {
    /// Objects to send.
    pub wanted: Vec<Desired<S, F>>,
    /// Objects not to send, and why.
    pub skipped: Vec<(Desired<S, F>, String)>,
    /// The same, where another object has the key.
    pub displaced: Vec<(Desired<S, F>, String)>,
    /// Files beyond a limit were left out.
    pub is_partial: bool,
}

impl<S, F> Default for Bulk<S, F> {
    fn default() -> Self {
        Self { wanted: Vec::new(), skipped: Vec::new(), displaced: Vec::new(), is_partial: false }
    }
}

/// The end of a request for an object.
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
        /// Facts to remember of it.
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
