//! The programs as they are, end to end. `tests/README.md` says how to find a test.

mod deploy;
mod documents;
mod entrypoint;
mod pod;
mod podutils;
mod sidecar;
mod tidy;
mod wrapper;
