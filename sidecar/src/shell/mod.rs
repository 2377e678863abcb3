//! What touches the operating system and the network.

pub mod source;
pub mod store;
pub mod transfer;
