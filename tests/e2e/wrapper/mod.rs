//! entrypoint-wrapper around a step of ci-operator.

mod chain;
mod early_upload;
mod forwarding;
mod hostile_env;
mod secret_update;
mod step;
mod step_pod;
