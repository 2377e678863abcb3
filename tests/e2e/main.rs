//! The programs as they are, end to end.

mod containers;
mod job;
mod mistakes;
mod podutils;
mod tidy;
mod wrapper;
mod wrapper_pod;
mod wrapper_step;
