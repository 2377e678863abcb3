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
mod progress;
mod sentence;
mod state;
mod terminating;
mod verdict;
mod waiting;

#[cfg(test)]
mod tests;

pub use effect::{Effect, Record, Share, Target};
pub use event::{
    Descendant, Event, Identity, Marker, Output, Pid, Predecessor, Process, Setup, Timer, Top, Tree, Trigger,
};
pub use sentence::{Evidence, sentence};
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

/// Signals that the job gets because of a signal from outside.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Interrupt {
    /// SIGINT, and at once the signal that was received: upstream's contract.
    #[default]
    IntThenReceived,
    /// SIGINT; a signal of the escalation comes at its own time only.
    IntThenEscalation,
    /// The signal that was received, alone.
    Received,
}

/// Signals that end the job when no others are given: those that Docker, Kubernetes,
/// terminals and systemd send to stop a container.
pub const DEFAULT_STOP_SIGNALS: [Signal; 6] =
    [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::PWR, Signal::RTMIN_3];

/// Signals that end the job when they come from outside; all others are passed on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StopSignals {
    /// A bit for each signal number, the lowest for number 1.
    bits: u64,
}

impl StopSignals {
    /// Makes a set of these signals. SIGINT and SIGTERM are always in it.
    pub fn new(signals: &[Signal]) -> Self {
        let both = [Signal::INT, Signal::TERM];
        let bits = signals.iter().chain(&both).fold(0, |bits, signal| bits | Self::bit(*signal));
        Self { bits }
    }

    /// Returns true if the signal is in the set.
    pub fn contains(self, signal: Signal) -> bool {
        self.bits & Self::bit(signal) != 0
    }

    fn bit(signal: Signal) -> u64 {
        // Numbers are 1 to 64.
        1 << (signal.as_raw().clamp(1, 64) - 1)
    }
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
#[expect(clippy::struct_excessive_bools, reason = "options that are independent of each other")]
pub struct Policy {
    /// Time limit of the job; a negative one has passed already.
    pub timeout: GoDuration,
    /// Time the job's tree has to end after the first signal.
    pub grace_period: GoDuration,
    /// Wait for the marker of a previous entry first.
    pub await_previous: bool,
    /// Name of the program, for a record.
    pub program: String,
    /// Entrypoint is PID 1: a SIGHUP does not mean that its supervisor is gone.
    pub is_init: bool,
    /// Signals from outside that end the job.
    pub stop_signals: StopSignals,
    /// Signals that the job gets because of one of them.
    pub interrupt: Interrupt,
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
