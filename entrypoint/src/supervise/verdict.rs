//! The verdict: how the job ended, as reason, code and cause.

use super::Policy;
use common::codes;
use common::report::{ChildEnd, Origin, Reason};
use common::signal::Signal;

/// Cause of the termination of a running job.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// Its time limit passed.
    Timeout,
    /// This signal came from outside.
    Abort(Signal),
}

impl Cause {
    /// Returns the origin of the signals that this cause makes entrypoint send.
    pub(super) const fn origin(self) -> Origin {
        match self {
            Self::Timeout => Origin::Timeout,
            Self::Abort(_) => Origin::Outside,
        }
    }
}

/// Facts about how the job ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Ending {
    /// The child ended by itself.
    ByItself(ChildEnd),
    /// The job was terminated.
    Terminated {
        /// Its cause.
        cause: Cause,
        /// End of the direct child; `None` if not even SIGKILL ended it.
        child: Option<ChildEnd>,
        /// Part of the tree that ended within the grace period.
        grace: Grace,
    },
    /// The child never ran.
    NotStarted(NotStarted),
}

/// Part of the tree that ended within the grace period.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Grace {
    /// The whole tree.
    Tree {
        /// The last signal that the direct child got.
        after: Signal,
    },
    /// The direct child only.
    ChildOnly,
    /// Not even the direct child.
    Nobody,
}

/// Reason why the child never ran.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum NotStarted {
    /// A signal arrived before the start.
    Aborted(Signal),
    /// The start failed.
    StartFailed(String),
    /// The previous entry exited with this code.
    PreviousFailed(i32),
    /// The previous entry was killed and left no marker.
    PreviousLost,
    /// Entrypoint could not do its work.
    Internal(String),
}

/// Counts of processes other than the direct child, by how they ended.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct Tally {
    /// Ended after a signal that they could handle.
    pub ended: u32,
    /// Ended by SIGKILL.
    pub killed: u32,
    /// Outlived SIGKILL.
    pub unkillable: u32,
    /// The counts are incomplete because /proc could not be read.
    pub unknown: bool,
}

/// The result of the job.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Verdict {
    /// Kind of end.
    pub reason: Reason,
    /// Code for the marker.
    pub code: i32,
    /// One sentence for people.
    pub cause: String,
    /// Error text of the record that only stdout gets; none for a success.
    pub error: Option<String>,
    /// End of the direct child, if it ended.
    pub child: Option<ChildEnd>,
}

/// Applies the table of codes (entrypoint/README.md, "Codes").
pub(super) fn verdict(policy: &Policy, ending: &Ending) -> Verdict {
    match ending {
        Ending::ByItself(end) => by_itself(*end),
        Ending::Terminated { cause, child, grace } => terminated(policy, *cause, *child, *grace),
        Ending::NotStarted(why) => not_started(why),
    }
}

fn by_itself(end: ChildEnd) -> Verdict {
    let (reason, cause, error) = match end {
        ChildEnd::ExitCode(0) => (Reason::Exited, describe(end), None),
        ChildEnd::ExitCode(code) => {
            (Reason::Exited, describe(end), Some(format!("wrapped process failed: exit status {code}")))
        }
        ChildEnd::Signal(signal) => (
            Reason::Signaled,
            if signal.is_own_doing() { describe(end) } else { format!("killed from outside ({signal})") },
            Some(format!("wrapped process failed: signal: {}", signal.description())),
        ),
    };
    Verdict { reason, code: end.code(), cause, error, child: Some(end) }
}

fn terminated(policy: &Policy, cause: Cause, child: Option<ChildEnd>, grace: Grace) -> Verdict {
    let (reason, fixed, began, error) = match cause {
        Cause::Timeout => (
            Reason::TimedOut,
            codes::INTERNAL_ERROR,
            format!("timed out after {}", policy.timeout),
            "process timed out",
        ),
        Cause::Abort(signal) => {
            (Reason::Aborted, codes::ABORTED, format!("aborted by {signal}"), "process aborted")
        }
    };
    let own = match (grace, child) {
        (Grace::Tree { .. } | Grace::ChildOnly, Some(end)) => end.code(),
        (Grace::Tree { .. } | Grace::ChildOnly, None) | (Grace::Nobody, _) => {
            codes::died_of(Signal::KILL.as_raw())
        }
    };
    let limit = policy.grace_period;
    let rest = match (grace, child) {
        // A success may only mean that the program handles the signal.
        (Grace::Tree { after }, Some(ChildEnd::ExitCode(0))) => {
            format!("exited with 0 after {after}")
        }
        (Grace::Tree { .. }, Some(end)) => describe(end),
        (Grace::Tree { .. }, None) => "ended".to_owned(),
        (Grace::ChildOnly, _) => {
            format!("processes it had started did not exit within {limit}; killed")
        }
        (Grace::Nobody, Some(_)) => format!("did not exit within {limit}; killed"),
        (Grace::Nobody, None) => format!("did not exit within {limit}; could not even be killed"),
    };
    Verdict {
        reason,
        code: if policy.propagate_error_code { own } else { fixed },
        cause: format!("{began}; {rest}"),
        error: Some(error.to_owned()),
        child,
    }
}

fn not_started(why: &NotStarted) -> Verdict {
    let (reason, code, cause) = match why {
        NotStarted::Aborted(signal) => {
            (Reason::Aborted, codes::ABORTED, format!("aborted by {signal} before the process was started"))
        }
        NotStarted::StartFailed(text) => (Reason::StartFailed, codes::INTERNAL_ERROR, text.clone()),
        NotStarted::PreviousFailed(code) => (
            Reason::PreviousFailed,
            codes::PREVIOUS_FAILED,
            format!("not started because the previous step exited {code}"),
        ),
        NotStarted::PreviousLost => (
            Reason::PreviousFailed,
            codes::PREVIOUS_FAILED,
            "not started because the previous step was lost: its entrypoint ended without a result"
                .to_owned(),
        ),
        NotStarted::Internal(text) => (Reason::InternalError, codes::INTERNAL_ERROR, text.clone()),
    };
    Verdict { reason, code, error: Some(cause.clone()), cause, child: None }
}

fn describe(end: ChildEnd) -> String {
    match end {
        ChildEnd::ExitCode(code) => format!("exited with code {code}"),
        ChildEnd::Signal(signal) => format!("died of {signal}"),
    }
}
