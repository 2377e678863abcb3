//! Entrypoints and a sidecar together, as a pod has them.

mod command_lines;
pub(crate) mod containers;
mod crash_campaign;
mod endings;
pub(crate) mod job;
mod mixed_versions;
mod out_of_memory;
