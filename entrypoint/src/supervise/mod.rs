//! Supervision: a synchronous function from (state, event) to (state, effects).
//!
//! ```text
//! Preparing → AwaitingPrevious → Spawning → Running ─────────────→ Draining → Leftovers ┐
//!     │              │              │          └→ Terminating ──────↗  │                 │
//!     │              │              │                  └→ Killing ─────┼────────────────→┤
//!     └──────────────┴──────────────┴──────────────────────────────────┴──→ Marking → Done
//! ```
//!
//! All policy is here: who is signalled when, what counts as having ended in
//! time, which code the marker gets. There is no clock, handle or process here:
//! time enters as [`Timer`] events only, so that the tests can explore every
//! interleaving.

mod effect;
mod ending;
mod event;
mod machine;
mod roster;
mod sweeping;
mod terminating;
mod verdict;

#[cfg(test)]
mod explore;
#[cfg(test)]
mod tests;

pub use effect::{Effect, Record, Target};
pub use event::{Event, Marker, Output, Pace, Pid, Predecessor, Process, Setup, Timer, Tree};
pub use machine::{State, Step, begin, step};
pub use verdict::{Cause, Ending, Grace, NotStarted, Tally, Verdict};

use common::duration::GoDuration;
use common::signal::Signal;

/// What becomes of processes that the job left behind.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Leftovers {
    /// They are ended: TERM, then KILL.
    #[default]
    End,
    /// They are left alone, for use on a build host with long-lived daemons.
    Keep,
}

/// Who gets the signals of a termination from the start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum SignalScope {
    /// The direct child alone: tools take a second SIGINT for "force quit".
    #[default]
    Child,
    /// The direct child's whole process group.
    Group,
}

/// A signal for those who do not react to the first one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rung {
    /// The signal.
    pub signal: Signal,
    /// When, counted from the first signal of the termination.
    pub after: GoDuration,
}

/// What the options ask for, with every default settled.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Policy {
    /// How long the job may run; negative counts as over.
    pub timeout: GoDuration,
    /// How long its tree has to end after the first signal.
    pub grace_period: GoDuration,
    /// Whether there is a marker to wait for.
    pub await_previous: bool,
    /// The escalation ladder.
    pub escalation: Vec<Rung>,
    /// What becomes of leftovers.
    pub leftovers: Leftovers,
    /// Who is signalled.
    pub signal_scope: SignalScope,
    /// Whether a terminated job's code is the child's own.
    pub propagate_error_code: bool,
    /// Whether the exit status is 0 once the marker is visible.
    pub always_zero: bool,
}
