//! What the machine asks the I/O layer to do.

use super::event::{Pid, Timer};
use super::verdict::{Tally, Verdict};
use common::duration::GoDuration;
use common::report::Origin;
use common::signal::Signal;
use std::time::Duration;

/// Who gets a signal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// The direct child, which has not been reaped.
    Child,
    /// Every process of the direct child's group.
    ChildGroup,
    /// One other process of the tree.
    Process(Pid),
    /// One other process of the tree and everybody in its process group,
    /// which is inside the tree because the child leads a session of its own.
    GroupOf(Pid),
}

/// A record for the process log and stdout.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// The timeout came.
    TimedOut(GoDuration),
    /// A signal came from outside.
    Interrupted(Signal),
    /// The whole tree ended in time.
    Graceful(GoDuration),
    /// It did not.
    NotGraceful(GoDuration),
    /// The previous entry exited with this code.
    PreviousFailed(i32),
    /// The previous entry was killed without a marker.
    PreviousLost,
    /// A signal came during the wait for the previous marker.
    Cancelled(Signal),
}

impl Record {
    /// The text. People's tools match on it (contract, section 2.7).
    pub fn message(&self) -> String {
        match self {
            Self::TimedOut(timeout) => format!("Process did not finish before {timeout} timeout"),
            Self::Interrupted(signal) => format!("Entrypoint received interrupt: {}", signal.description()),
            Self::Graceful(grace) => format!("Process gracefully exited before {grace} grace period"),
            Self::NotGraceful(grace) => format!("Process did not exit before {grace} grace period"),
            Self::PreviousFailed(code) => format!("Skipping as previous step exited {code}"),
            Self::PreviousLost => "Skipping as previous step was lost".to_owned(),
            Self::Cancelled(signal) => format!("Received interrupt {}, cancelling...", signal.description()),
        }
    }

    /// Whether the record is an error; the others are informative.
    pub const fn is_error(&self) -> bool {
        match self {
            Self::TimedOut(_)
            | Self::Interrupted(_)
            | Self::Graceful(_)
            | Self::NotGraceful(_)
            | Self::Cancelled(_) => true,
            Self::PreviousFailed(_) | Self::PreviousLost => false,
        }
    }
}

/// Everything the I/O layer can be asked for. Whatever completes returns as an event.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// Take the lock, make the artifact directory, reserve space, open the log.
    Prepare,
    /// Look at the previous marker until told otherwise.
    WatchPrevious,
    /// Stop looking at it.
    UnwatchPrevious,
    /// Start the child.
    Spawn,
    /// Send a signal.
    Signal {
        /// Which.
        signal: Signal,
        /// To whom.
        to: Target,
        /// Because of what.
        from: Origin,
    },
    /// Reap, then look for entrypoint's children, at once: what follows in the
    /// same batch of effects happens after the look.
    Scan,
    /// Write the names of these processes to the log and the report.
    Name(Vec<Pid>),
    /// Start a timer, or start it again.
    Arm(Timer, Duration),
    /// Stop all timers.
    DisarmAll,
    /// Write a record to the process log and stdout.
    Record(Record),
    /// Write a text to the process log alone, as it is.
    LogText(String),
    /// Pump what is in the pipe now, without waiting for more.
    LastLook,
    /// Say how it ended, put a deleted log back: nothing is written to the log
    /// any more.
    Conclude(Verdict),
    /// Make report and marker visible.
    Mark(Verdict, Tally),
    /// Release the lock and exit with this status.
    Exit(u8),
}
