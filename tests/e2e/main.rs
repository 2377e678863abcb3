//! The programs as they are, end to end.

mod containers;
mod crash_campaign;
mod endings;
mod entrypoint;
mod entrypoint_campaign;
mod entrypoint_faults;
mod entrypoint_odd;
mod entrypoint_options;
mod entrypoint_tree;
mod gcsupload;
mod initupload;
mod inject;
mod job;
mod mistakes;
mod podutils;
mod tidy;
mod wrapper;
mod wrapper_chain;
mod wrapper_early;
mod wrapper_odd;
mod wrapper_pod;
mod wrapper_secret;
mod wrapper_step;
