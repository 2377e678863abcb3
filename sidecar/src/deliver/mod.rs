//! The core: when to deliver what.
//!
//! Two parts without I/O and without a clock. The [`Machine`] is small and
//! finite: entries, interrupts, the one pass and its policy. It takes an
//! [`Event`] and gives [`Effect`]s; time enters only as [`Timer`]s that fired.
//! The [`Plan`] beside it knows the objects: what is wanted, what was stored,
//! what is in flight, how often it was tried.
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
//! There is one pass at a time. Upgrading it (checkpoint, best-effort, final) never waits: transfers in flight go
//! on while the files are looked at again; those whose source is unchanged are
//! adopted, the others are given up.

mod budget;
mod checkpoint;
mod effect;
mod entries;
mod event;
mod machine;
mod pace;
mod plan;
mod retry;
mod verdict;

pub use budget::Budget;
pub use checkpoint::rest;
pub use effect::{Effect, Record};
pub use entries::End;
pub use event::{Completeness, Event, Look, Timer, Told};
pub use machine::{Config, Machine, Part, Policy};
pub use pace::Pace;
pub use plan::{Action, Cause, Class, Desired, Failure, Object, Plan, State, Summary, Weights};
pub use retry::{MAX_ATTEMPTS, backoff, patience};
pub use verdict::{JobResult, Verdict, exit_status};
