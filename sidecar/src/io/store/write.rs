//! The terms of one write: its precondition, and why nothing was written.

use std::time::Duration;
use thiserror::Error;

/// A store's name for one content of an object, for conditional writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    pub(crate) e_tag: Option<String>,
    pub(crate) generation: Option<String>,
}

/// A condition that the stored object must meet for the store to write.
pub type Precondition = crate::deliver::Precondition<Version>;

/// The reason why a write did not happen, as one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// A later attempt can succeed.
    #[error("{message}")]
    Transient {
        /// The store's words.
        message: String,
        /// The delay that the store asked for.
        retry_after: Option<Duration>,
    },
    /// Every attempt would fail.
    #[error("{0}")]
    Permanent(String),
    /// The object is not what the precondition demands.
    #[error("the object was written by somebody else meanwhile")]
    PreconditionFailed,
}
