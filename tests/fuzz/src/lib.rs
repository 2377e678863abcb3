//! Checks of the fuzz targets.

pub mod answers;
pub mod checks;
pub mod delivery;
pub mod webhook;
pub mod yaml;
