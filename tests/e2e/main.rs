//! The programs as they are, end to end.

mod tidy;
mod wrapper;
