//! The layer that touches the operating system and the network. It makes no policy
//! choices: those are the core's.

pub mod closing;
pub mod compressed_document;
pub mod context;
pub mod documents;
pub mod driver;
mod fault_injection;
mod gzip_names;
pub mod interrupts;
mod jitter;
mod journal;
pub mod listing;
pub mod logs;
pub mod markers;
pub mod object;
pub mod own_log;
pub mod page;
pub mod panics;
mod pause;
pub mod progress;
mod repeated;
pub mod resume;
pub mod secrets;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod termination_message;
pub mod timers;
pub mod transfer;
pub mod transfers;
mod weight;
