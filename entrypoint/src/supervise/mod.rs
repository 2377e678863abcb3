//! Supervision: a synchronous function from (state, event) to (state, effects).
//!
//! ```text
//! Preparing → AwaitingPrevious → Spawning → Running ─────────────→ Draining → Leftovers ┐
//!     │              │              │          └→ Terminating ──────↗  │                 │
//!     │              │              │                  └→ Killing ─────┼────────────────→┤
//!     └──────────────┴──────────────┴──────────────────────────────────┴──→ Marking → Done
//! ```
//!
//! All policy lives here: which process gets which signal and when, what counts
//! as ending in time, which code the marker holds. There is no clock, handle or
//! process in this module. Time enters only as [`Timer`] events, so the tests can
//! explore every interleaving.
//!
//! The I/O layer calls [`begin`] once, then [`step`] for each event, and carries
//! out the effects of a step in order before it passes in the next event.

mod descendants;
mod effect;
mod ending;
mod event;
mod killing;
mod leftovers;
mod state;
mod terminating;
mod verdict;

#[cfg(test)]
mod explore;
#[cfg(test)]
mod tests;

pub use effect::{Effect, Record, Target};
pub use event::{Event, Marker, Output, Pid, Predecessor, Process, Setup, Timer, Tree, Trigger};
pub use state::{State, Step, begin, step};
pub use verdict::{Cause, Ending, Grace, NotStarted, Tally, Verdict};

use common::duration::GoDuration;
use common::signal::Signal;

/// Treatment of processes that the job leaves behind.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Leftovers {
    /// End them: SIGTERM, then SIGKILL.
    #[default]
    End,
    /// Leave them running, for build hosts with long-lived daemons.
    Keep,
}

/// Recipients of the first signals of a termination.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum SignalScope {
    /// The direct child alone: tools take a second SIGINT for "force quit".
    #[default]
    Child,
    /// The direct child's whole process group.
    Group,
}

/// A signal for processes that ignore the first one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EscalationStep {
    /// The signal.
    pub signal: Signal,
    /// Delay, counted from the first signal of the termination.
    pub after: GoDuration,
}

/// The options that concern supervision, with every default resolved.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Policy {
    /// Time limit of the job; a negative one has passed already.
    pub timeout: GoDuration,
    /// Time the job's tree has to end after the first signal.
    pub grace_period: GoDuration,
    /// Wait for the marker of a previous entry first.
    pub await_previous: bool,
    /// Further signals inside the grace period.
    pub escalation: Vec<EscalationStep>,
    /// Treatment of leftovers.
    pub leftovers: Leftovers,
    /// Recipients of the first signals.
    pub signal_scope: SignalScope,
    /// Report a terminated job's own code instead of 127 or 130.
    pub propagate_error_code: bool,
    /// Exit with 0 once the marker is visible.
    pub always_zero: bool,
}
