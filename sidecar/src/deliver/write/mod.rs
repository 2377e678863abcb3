//! The write protocol: who may overwrite which object, under which precondition.
//!
//! A [`Write`] is one attempt. It asks for a request, is told how the request
//! ended, and asks for the next one until the attempt is through:
//!
//! ```text
//!           ┌────── precondition failed ──────┐
//!           ▼                                 │
//!  start ─▶ LookAt ── present or absent ─▶ Put(that) ─▶ stored
//!           │                                 ▲
//!           │ unreadable,                     └── start, of what was last stored
//!           │ or overtaken MAX_PUTS times
//!           └▶ Yielded (a result) | Put(Overwrite), which nothing may abort any more
//! ```
//!
//! An answer that is lost fails the attempt. The next one starts from the version
//! that was known before; should the lost request have been applied, its
//! precondition fails, and a look tells the attempt what it has written itself.
//!
//! Some stores ignore preconditions without a word. A `latest-build.txt` that a look
//! has found is therefore written first as if there were none, which must be refused.
//! Where it is carried out, twice, the store is not trusted any more: then nothing
//! provisional is aborted, because only its own end keeps it from being applied late.

use super::plan::{Class, Failure};
use super::policy::Policy;

/// Another writer may be ahead this often before the attempt stops asking.
const MAX_PUTS: u8 = 5;

/// A condition that the stored object must meet for the store to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precondition<V> {
    /// None: the write replaces any object.
    Overwrite,
    /// No such object exists yet.
    IfAbsent,
    /// The object still has this version.
    IfVersion(V),
}

/// The terms on which an object is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum WriteIntent<V> {
    /// Replaces any object.
    Overwrite,
    /// Replaces any object, unless an earlier sidecar of the same job has stored
    /// exactly the same.
    UnlessStored,
    /// A later policy may replace it: written only over what was last seen.
    Provisional {
        /// The version that was last seen.
        known: Option<V>,
        /// Leaves an object alone that cannot be looked at.
        yields: bool,
    },
    /// Never replaces a newer build id (U-14 as changed).
    LatestBuild(Box<str>),
}

impl<V> WriteIntent<V> {
    /// Returns the terms for an object of a pass.
    ///
    /// Before the final pass every write is provisional. A provisional result
    /// replaces the version that a look found, and yields where it cannot be
    /// looked at or keeps changing: what is there is of the same job. Asking about a small
    /// object takes as long as sending it, so only large ones are asked about.
    pub(super) fn of(class: Class, policy: Policy, is_large: bool, known: Option<V>, build_id: &str) -> Self {
        match (class, policy) {
            (Class::LatestBuild, _) => Self::LatestBuild(build_id.into()),
            (_, Policy::Checkpoint | Policy::BestEffort) => {
                Self::Provisional { known, yields: class == Class::Result }
            }
            (Class::Result, Policy::Final) => Self::Overwrite,
            (_, Policy::Final) if is_large => Self::UnlessStored,
            (_, Policy::Final) => Self::Overwrite,
        }
    }
}

/// The next step of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteStep<V> {
    /// Send the object.
    Put {
        /// The store writes under this precondition only.
        precondition: Precondition<V>,
        /// Send nothing when an earlier sidecar has stored exactly this.
        unless_stored: bool,
    },
    /// Ask for the version of the stored object, and perhaps its content.
    LookAt {
        /// The content is wanted too.
        content: bool,
    },
    /// End: the object that is there stays and counts as stored.
    Yield,
    /// End: the attempt failed.
    Fail(Failure),
}

/// The result of a look at an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectStatus<V> {
    /// There is none.
    Absent,
    /// There is one.
    Present {
        /// Its version.
        version: V,
        /// Its content, where that was asked for.
        content: Vec<u8>,
    },
    /// The credentials may write but not read, or the object is too large.
    Unreadable,
    /// The store did not answer, for the reason given.
    Unanswered(String),
}

/// Consequences of a request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Applied<V> {
    /// The object is stored.
    Stored,
    /// The object is stored, but the precondition did not hold: ask once more.
    Doubtful(WriteStep<V>),
    /// The object is stored, and the store ignores preconditions.
    Unguarded,
}

/// Progress of the question whether the store keeps preconditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question<V> {
    /// Nobody has asked.
    Open,
    /// The object had this version; the request on its way must be refused.
    Asked(V),
    /// The first request was carried out, so that the object is there for certain. The
    /// second one on its way must be refused.
    AskedAgain,
    /// The store has answered.
    Settled,
}

/// One attempt to write an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Write<V> {
    intent: WriteIntent<V>,
    question: Question<V>,
    /// Requests that met another object than expected.
    overtaken: u8,
    /// The request on its way has no precondition.
    overwrites: bool,
}

impl<V: Clone> Write<V> {
    /// Starts an attempt; `preconditions` says whether the store honours them.
    pub(super) fn start(intent: WriteIntent<V>, preconditions: bool) -> (Self, WriteStep<V>) {
        let mut write = Self { intent, question: Question::Open, overtaken: 0, overwrites: false };
        let step = match &write.intent {
            WriteIntent::UnlessStored => {
                write.overwrites = true;
                WriteStep::Put { precondition: Precondition::Overwrite, unless_stored: true }
            }
            WriteIntent::Provisional { known, .. } => put_over(known.clone()),
            WriteIntent::LatestBuild(_) if preconditions => WriteStep::LookAt { content: true },
            WriteIntent::Overwrite | WriteIntent::LatestBuild(_) => write.overwrite(),
        };
        (write, step)
    }

    /// Returns whether the request on its way may be abandoned: either its
    /// precondition fails once another write was applied, or no other write
    /// follows. A provisional write without precondition would be applied
    /// whenever the store comes to it, perhaps after the final one.
    pub(super) fn is_abortable(&self) -> bool {
        match self.intent {
            WriteIntent::Provisional { .. } => !self.overwrites,
            WriteIntent::Overwrite | WriteIntent::UnlessStored | WriteIntent::LatestBuild(_) => true,
        }
    }

    /// Takes note that the stored object was not the expected one.
    pub(super) fn precondition_failed(&mut self, preconditions: bool) -> WriteStep<V> {
        if self.overwrites {
            let text = "the object was written by somebody else meanwhile";
            return WriteStep::Fail(Failure::Permanent(text.to_owned()));
        }
        match std::mem::replace(&mut self.question, Question::Settled) {
            Question::Asked(version) => return put_over(Some(version)),
            Question::AskedAgain => return WriteStep::LookAt { content: true },
            question @ (Question::Open | Question::Settled) => self.question = question,
        }
        self.overtaken += 1;
        match self.intent {
            WriteIntent::LatestBuild(_) if self.overtaken <= MAX_PUTS && preconditions => {
                WriteStep::LookAt { content: true }
            }
            // The last look has shown an older build, but others keep writing.
            WriteIntent::LatestBuild(_) if preconditions => {
                let text = "other builds write it all the time";
                WriteStep::Fail(Failure::Skipped(text.to_owned()))
            }
            WriteIntent::LatestBuild(_) | WriteIntent::Overwrite | WriteIntent::UnlessStored => {
                self.overwrite()
            }
            WriteIntent::Provisional { .. } => WriteStep::LookAt { content: false },
        }
    }

    /// Takes note that the request was carried out.
    pub(super) fn applied(&mut self, preconditions: bool) -> Applied<V> {
        match std::mem::replace(&mut self.question, Question::Settled) {
            Question::Asked(_) if preconditions => {
                self.question = Question::AskedAgain;
                Applied::Doubtful(put_over(None))
            }
            Question::AskedAgain if preconditions => Applied::Unguarded,
            Question::Open | Question::Asked(_) | Question::AskedAgain | Question::Settled => Applied::Stored,
        }
    }

    /// Takes note of what a look at the stored object showed.
    pub(super) fn looked_at(&mut self, status: ObjectStatus<V>) -> WriteStep<V> {
        let is_open = matches!(self.question, Question::Open);
        match &self.intent {
            WriteIntent::LatestBuild(build_id) => match status {
                ObjectStatus::Absent => put_over(None),
                ObjectStatus::Present { version, content } => match newer(&content, build_id) {
                    Some(newer) => {
                        WriteStep::Fail(Failure::Skipped(format!("it holds the newer build {newer}")))
                    }
                    None if is_open => {
                        self.question = Question::Asked(version);
                        put_over(None)
                    }
                    None => put_over(Some(version)),
                },
                ObjectStatus::Unanswered(message) => {
                    WriteStep::Fail(Failure::Transient { message, wish: None })
                }
                // Credentials that may only write are common: then as upstream.
                ObjectStatus::Unreadable if self.overtaken == 0 => self.overwrite(),
                ObjectStatus::Unreadable => WriteStep::Fail(Failure::Skipped(
                    "another build wrote it, and it cannot be read".to_owned(),
                )),
            },
            WriteIntent::Provisional { yields, .. } => match status {
                ObjectStatus::Unanswered(message) => {
                    WriteStep::Fail(Failure::Transient { message, wish: None })
                }
                ObjectStatus::Absent if self.overtaken < MAX_PUTS => put_over(None),
                ObjectStatus::Present { version, .. } if self.overtaken < MAX_PUTS => put_over(Some(version)),
                ObjectStatus::Absent | ObjectStatus::Present { .. } | ObjectStatus::Unreadable if *yields => {
                    WriteStep::Yield
                }
                ObjectStatus::Absent | ObjectStatus::Present { .. } | ObjectStatus::Unreadable => {
                    self.overwrite()
                }
            },
            WriteIntent::Overwrite | WriteIntent::UnlessStored => self.overwrite(),
        }
    }

    fn overwrite(&mut self) -> WriteStep<V> {
        self.overwrites = true;
        WriteStep::Put { precondition: Precondition::Overwrite, unless_stored: false }
    }
}

/// Writes over what was seen, or where nothing was.
fn put_over<V>(seen: Option<V>) -> WriteStep<V> {
    let precondition = seen.map_or(Precondition::IfAbsent, Precondition::IfVersion);
    WriteStep::Put { precondition, unless_stored: false }
}

/// Returns the build id that is held, when both are numbers and it is the larger one.
fn newer(held: &[u8], build_id: &str) -> Option<String> {
    let held = std::str::from_utf8(held).ok()?.trim();
    let (there, ours): (u128, u128) = (held.parse().ok()?, build_id.trim().parse().ok()?);
    (there > ours).then(|| held.to_owned())
}

#[cfg(test)]
mod tests;
