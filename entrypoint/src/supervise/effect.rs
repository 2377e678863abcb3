//! Effects: everything the machine asks the I/O layer to do.

use super::event::{Identity, Pid, Timer};
use super::verdict::{Tally, Verdict};
use common::duration::GoDuration;
use common::report::Origin;
use common::signal::Signal;
use std::time::Duration;

/// Recipient of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Target {
    /// The direct child, which has not been reaped.
    Child,
    /// Every process of the direct child's group.
    ChildGroup,
    /// One other process of the tree.
    Process(Pid),
    /// One other process of the tree and its process group. The group lies inside
    /// the tree, because the child leads a session of its own.
    GroupOf(Pid),
    /// A process that is not entrypoint's child, provided it still is the same one.
    Descendant(Identity),
}

/// A share of the time that is left of the grace period.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Share {
    /// Tenths.
    pub tenths: u32,
}

impl Share {
    /// One half.
    pub const HALF: Self = Self { tenths: 5 };
    /// Four fifths.
    pub const FOUR_FIFTHS: Self = Self { tenths: 8 };
}

/// A record for the process log and stdout.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// The job's time limit has passed.
    TimedOut(GoDuration),
    /// The same in words that Deck's default highlighting unfolds.
    TimedOutError {
        /// The program's name.
        program: String,
        /// Its time limit.
        timeout: GoDuration,
    },
    /// A signal arrived from outside.
    Interrupted(Signal),
    /// The whole tree ended in time.
    Graceful(GoDuration),
    /// The tree did not end in time.
    NotGraceful(GoDuration),
    /// The previous entry exited with this code.
    PreviousFailed(i32),
    /// The previous entry was killed and left no marker.
    PreviousLost,
    /// A signal arrived during the wait for the previous marker.
    Cancelled(Signal),
}

impl Record {
    /// Returns the text, on which people's tools match (contract, section 2.7).
    pub fn message(&self) -> String {
        match self {
            Self::TimedOut(timeout) => format!("Process did not finish before {timeout} timeout"),
            Self::TimedOutError { program, timeout } => {
                format!("ERROR: {program} timed out after {timeout}")
            }
            Self::Interrupted(signal) => format!("Entrypoint received interrupt: {}", signal.description()),
            Self::Graceful(grace) => format!("Process gracefully exited before {grace} grace period"),
            Self::NotGraceful(grace) => format!("Process did not exit before {grace} grace period"),
            Self::PreviousFailed(code) => format!("Skipping as previous step exited {code}"),
            Self::PreviousLost => "Skipping as previous step was lost".to_owned(),
            Self::Cancelled(signal) => format!("Received interrupt {}, cancelling...", signal.description()),
        }
    }

    /// Returns true for an error record; the others are informative.
    pub const fn is_error(&self) -> bool {
        match self {
            Self::TimedOut(_)
            | Self::TimedOutError { .. }
            | Self::Interrupted(_)
            | Self::Graceful(_)
            | Self::NotGraceful(_)
            | Self::Cancelled(_) => true,
            Self::PreviousFailed(_) | Self::PreviousLost => false,
        }
    }
}

/// A request to the I/O layer. Its completion returns as an event.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Take the lock, make the artifact directory, preallocate files, open the log.
    Prepare,
    /// Check the previous marker until [`Effect::UnwatchPrevious`].
    WatchPrevious,
    /// Stop checking the previous marker.
    UnwatchPrevious,
    /// Start the child.
    Spawn,
    /// Send a signal.
    Signal {
        /// The signal.
        signal: Signal,
        /// Its recipient.
        to: Target,
        /// Its cause, for the report.
        from: Origin,
    },
    /// Reap, then list entrypoint's children at once: later effects of the same
    /// step happen after the scan.
    Scan,
    /// List the whole tree but entrypoint's children, at once. Without a readable
    /// /proc nothing is reported.
    ScanTree,
    /// Record what the processes are doing, for the report; the first snapshot counts.
    Snapshot,
    /// Write the names of these processes to the log and the report.
    ReportLeftovers(Vec<Pid>),
    /// Start or restart a timer.
    Arm(Timer, Duration),
    /// Start or restart a timer that fires after this share of the time left on
    /// [`Timer::Grace`].
    ArmWithinGrace(Timer, Share),
    /// Make a running timer fire no later than this.
    Shorten(Timer, Duration),
    /// Stop all timers.
    DisarmAll,
    /// Write a record to the process log and stdout.
    Record(Record),
    /// Write a text verbatim to the process log only.
    LogText(String),
    /// Pump the bytes that are in the pipe now, without waiting for more.
    DrainPipe,
    /// Log the verdict and restore a deleted log. The log gets nothing afterwards.
    CloseLog(Verdict),
    /// Make report and marker visible.
    WriteMarker(Verdict, Tally),
    /// Release the lock and exit with this status.
    Exit(u8),
}
