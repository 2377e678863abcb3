//! The program `entrypoint`; all code is in the library.
//!
//! It has a C `main`: the standard library's preparations for a Rust one (a stack
//! for overflow handlers, dispositions) are not used here and cost a dozen system
//! calls.

#![no_main]
#![expect(unsafe_code, reason = "`main` is a symbol by its C name, and its arguments are C's")]

use entrypoint::sys::CommandLine;
use std::ffi::{c_char, c_int};

#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    // SAFETY: count and words are those of the C runtime.
    entrypoint::run(unsafe { CommandLine::of(count, words) }).into()
}
