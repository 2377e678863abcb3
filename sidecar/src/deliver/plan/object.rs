//! An object of the plan, and its states.

use super::Key;
use crate::deliver::policy::Part;
use std::time::Duration;

/// Kinds of objects, in the order of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// The alias of a presubmit.
    Alias,
    /// `latest-build.txt`.
    LatestBuild,
    /// A process log.
    BuildLog,
    /// A file of an item, from small to large.
    Artifact,
    /// `sidecar-logs.json`.
    OwnLog,
    /// `report.html`.
    Page,
    /// `manifest.json`.
    Manifest,
    /// `finished.json`.
    Result,
}

impl Class {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 8] = [
        Self::Alias,
        Self::LatestBuild,
        Self::BuildLog,
        Self::Artifact,
        Self::OwnLog,
        Self::Page,
        Self::Manifest,
        Self::Result,
    ];

    /// The part of a pass it belongs to; `None` for the result itself.
    pub(in crate::deliver) const fn part(self) -> Option<Part> {
        match self {
            Self::Alias | Self::LatestBuild | Self::BuildLog | Self::Artifact => Some(Part::Bulk),
            Self::OwnLog => Some(Part::OwnLog),
            Self::Page => Some(Part::Page),
            Self::Manifest => Some(Part::Manifest),
            Self::Result => None,
        }
    }
}

/// An object that the destination should hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Desired<S, F> {
    /// Its key, unique in one listing.
    pub key: Key,
    /// Its kind.
    pub class: Class,
    /// Its size, as far as it is known.
    pub bytes: u64,
    /// The source to read.
    pub source: S,
    /// Tells this content from others.
    pub fingerprint: F,
}

/// The reason why a transfer is aborted for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Another one will follow.
    Replaced,
    /// There is no time left.
    NoTime,
    /// Its file is gone.
    Gone,
    /// The time for artifacts that the operator allows is over.
    OverLimit,
}

impl Cause {
    pub(super) fn state(self) -> State {
        match self {
            Self::Replaced => State::Skipped("another one replaces it".into()),
            Self::NoTime => State::OutOfTime,
            Self::Gone => State::Skipped("it was gone before it could be read".into()),
            Self::OverLimit => {
                State::OverLimit("delivery.limits.time: the time for artifacts is over".into())
            }
        }
    }
}

/// The state of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// It is on its way.
    InFlight,
    /// A transfer is being aborted; then it is queued again.
    Restarting,
    /// A transfer is being aborted for good, because another one follows or
    /// because there is no time left.
    Aborting {
        /// Why it is not sent again.
        cause: Cause,
        /// The transfer is of another content than the one that is wanted.
        outdated: bool,
    },
    /// It waits for another attempt.
    Pausing,
    /// The destination holds it.
    Stored,
    /// The destination holds it, but the source changed while it was read.
    Changed,
    /// It is not sent, by a rule.
    Skipped(Box<str>),
    /// There was no time to send it.
    OutOfTime,
    /// It is beyond a limit that the operator sets.
    OverLimit(Box<str>),
    /// It cannot be censored.
    Withheld(Box<str>),
    /// It could not be stored.
    Failed(Box<str>),
}

impl State {
    /// Returns whether something is still to happen.
    pub const fn is_open(&self) -> bool {
        match self {
            Self::Queued | Self::InFlight | Self::Restarting | Self::Aborting { .. } | Self::Pausing => true,
            Self::Stored
            | Self::Changed
            | Self::Skipped(_)
            | Self::OutOfTime
            | Self::OverLimit(_)
            | Self::Withheld(_)
            | Self::Failed(_) => false,
        }
    }

    /// Returns whether a transfer of it is on its way, perhaps to be aborted.
    pub const fn is_in_flight(&self) -> bool {
        matches!(self, Self::InFlight | Self::Restarting | Self::Aborting { .. })
    }

    /// Returns whether the destination holds it as it is wanted.
    pub const fn is_stored(&self) -> bool {
        matches!(self, Self::Stored)
    }

    /// Returns why it could not be stored.
    pub fn failure(&self) -> Option<&str> {
        if let Self::Failed(error) = self { Some(error) } else { None }
    }

    /// Returns which limit it is beyond.
    pub fn over_limit(&self) -> Option<&str> {
        if let Self::OverLimit(reason) = self { Some(reason) } else { None }
    }

    /// Returns why it cannot be censored.
    pub fn withheld(&self) -> Option<&str> {
        if let Self::Withheld(reason) = self { Some(reason) } else { None }
    }
}

/// An object and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object<S, F, T> {
    /// The object as it is wanted.
    pub desired: Desired<S, F>,
    /// Its state.
    pub state: State,
    /// Facts about the stored object, perhaps of an earlier pass.
    pub stored: Option<Box<T>>,
    pub(super) attempts: u8,
    pub(super) stored_fingerprint: Option<F>,
}

impl<S, F, T> Object<S, F, T> {
    /// Counts the attempts that failed in this pass.
    pub(in crate::deliver) fn attempts(&self) -> u8 {
        self.attempts
    }
}

/// A decision about a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::deliver) enum Action {
    /// Start it; answered by `stored` or `failed`.
    Start(u32),
    /// Abort it; answered by `aborted` when nothing of it can take effect
    /// any more.
    Abort(u32),
}

/// The reason why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Trying again later can help.
    Transient {
        /// The store's words.
        message: String,
        /// The delay that the store asked for.
        wish: Option<Duration>,
    },
    /// The source changed while it was read; to read it again can help.
    Unsteady(String),
    /// Trying again cannot help.
    Permanent(String),
    /// It cannot be censored.
    Withheld(String),
    /// A limit of the pass is reached.
    OverLimit(String),
    /// A rule says that it need not be stored after all.
    Skipped(String),
}

impl Failure {
    /// Returns the reason, for people.
    pub fn text(&self) -> &str {
        match self {
            Self::Transient { message, .. } => message,
            Self::Unsteady(text)
            | Self::Permanent(text)
            | Self::Withheld(text)
            | Self::OverLimit(text)
            | Self::Skipped(text) => text,
        }
    }
}
