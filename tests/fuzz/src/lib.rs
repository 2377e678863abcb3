//! Checks of the fuzz targets.

pub mod checks;
pub mod webhook;
