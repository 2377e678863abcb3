//! Pins: I1, I4, I6, I7, I8; sidecar/README.md, "Odd files" and "Containers".
//!
//! Inputs that a hostile job or a mistyped option can make, each followed by a whole
//! delivery. Whatever the input: the result is there, in time, within memory, with no
//! secret in anything delivered, and the exit status is true.
//!
//! `POD_UTILS_HOSTILE=full` makes the inputs as large as they can be in practice (up to
//! an hour); without it they are small enough for every run.
//!
//! ```text
//! Case::new() ─▶ files of the job ─▶ deliver(Expected) ─▶ entrypoint ─▶ sidecar ─▶ checks
//! ```

#![expect(clippy::unwrap_used, reason = "in a test a panic with a place is the right answer")]

mod archives;
mod case;
mod credentials;
mod files;
mod items;
mod limits;
mod names;
mod secrets;

/// Returns `small`, or `full` in a campaign of full size.
pub(crate) fn size(small: usize, full: usize) -> usize {
    if std::env::var_os("POD_UTILS_HOSTILE").is_some_and(|size| size == "full") { full } else { small }
}
