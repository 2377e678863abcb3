//! entrypoint by itself: one process or one PID 1, no sidecar beside it.

mod campaign;
mod command;
mod course;
mod history;
pub(crate) mod hostile_env;
mod hostile_job;
mod killed_in_each_state;
mod limits;
mod option_errors;
mod options;
mod process_tree;
mod signals;
mod stdout;
mod upstream_vectors;
mod volume_faults;
