//! What the destination looks like: names, types and the documents we write.
//!
//! Everything here is a pure function of options and facts; nothing knows a
//! store, and only the image's media types are read from files.

pub mod finished;
pub mod manifest;
pub mod media_types;
pub mod metadata;
pub mod names;
pub mod paths;
pub mod sniff;
pub mod started;
pub mod value;
pub mod written;
