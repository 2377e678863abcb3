//! Entrypoints and a sidecar together, as a pod has them.

mod command_lines;
pub(crate) mod containers;
mod crash_campaign;
pub(crate) mod job;
mod mixed_versions;
mod out_of_memory;
