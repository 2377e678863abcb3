//! The core: when to deliver what, and on which terms. Without I/O and without a
//! clock.
//!
//! The [`Coordinator`] takes an [`Input`] and returns [`Effect`]s; time enters
//! only as [`Timer`]s that fired and as the [`Moment`] of an input. Inside it
//! three parts have one task each:
//!
//! * The [`Machine`] is small and finite: entries, interrupts, the one pass and
//!   its policy.
//! * The [`Plan`] knows the objects: what is wanted, what was stored, what is in
//!   flight, how often it was tried.
//! * A `Write` is one attempt: which precondition a request has, what its answer
//!   means, and whether it may be aborted.
//!
//! ```text
//!  Idle ─▶ Preparing(policy) ─▶ Sending(policy, Bulk ▸ OwnLog ▸ Manifest) ─▶ WritingResult(policy) ─▶ Idle | Over
//!                 ▲                          │                                       │
//!                 └───── upgrade to final ───┴───────────────────────────────────────┘
//! ```
//!
//! While entries run, checkpoints (opt-in) are passes of the bulk alone, with an
//! interval of rest between them.
//!
//! There is one pass at a time. Upgrading it (checkpoint, best-effort, final)
//! never waits: transfers in flight go on while the files are looked at again;
//! those whose source is unchanged are adopted, the others are aborted.

mod budget;
mod checkpoint;
mod coordinator;
mod effect;
mod entries;
mod event;
mod machine;
mod plan;
mod policy;
mod retry;
pub mod sentence;
mod throughput;
mod verdict;
mod window;
mod write;

pub use budget::Budget;
pub use coordinator::{Coordinator, Moment, Remembered, Setup};
pub use effect::{Effect, Record, StoreRecord, TransferRecord};
pub use entries::{End, Observation, ReportSummary};
pub use event::{Bulk, Document, Event, Input, Outcome, Timer};
pub use machine::{Config, Machine};
pub use plan::{
    Cause, Class, Completeness, Desired, Failure, Key, Object, Plan, Retired, State, Summary, Weights,
};
pub use policy::{Part, Policy};
pub use retry::{MAX_PART_ATTEMPTS, backoff};
pub use verdict::{JobResult, Verdict, exit_status};
pub use write::{ObjectStatus, Precondition};
