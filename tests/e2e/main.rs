//! The programs as they are, end to end.

mod containers;
mod job;
mod podutils;
mod tidy;
mod wrapper;
