//! The programs as they are, end to end.

mod containers;
mod tidy;
mod wrapper;
