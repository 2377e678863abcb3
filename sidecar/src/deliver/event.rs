//! What the machine is told.

use super::machine::{Part, Policy};
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
}

/// Whether a pass delivered all it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Completeness {
    /// Every object was stored, or skipped by a rule.
    Complete,
    /// At least one object could not be stored.
    Incomplete,
}
