//! What touches the operating system and the network.

pub mod documents;
pub mod driver;
pub mod earlier;
pub mod flight;
pub mod interrupts;
pub mod keeper;
pub mod kind;
pub mod listing;
pub mod markers;
pub mod object;
pub mod own_log;
pub mod packed;
pub mod progress;
pub mod source;
pub mod store;
pub mod transfer;
