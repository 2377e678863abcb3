//! What the fuzz targets check.

pub mod checks;
pub mod webhook;
