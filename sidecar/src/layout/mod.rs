//! The layout of the destination: names, types and documents.
//!
//! Everything here is a pure function of options and facts; nothing reads a file
//! or knows a store.

pub mod finished;
pub mod manifest;
pub mod media_types;
pub mod metadata;
pub mod names;
pub mod paths;
pub mod sniff;
pub mod started;
pub mod test_results;
pub mod trace;
pub mod value;
pub mod written;
