//! Under construction.

pub mod censor;
pub mod shell;
