//! The program `entrypoint`; everything is in the library.
//!
//! Its first instruction is our own: what the standard library prepares before a
//! Rust `main` (a stack for overflow handlers, dispositions) is not used here and
//! would cost every start a dozen system calls.

#![no_main]
#![expect(unsafe_code, reason = "`main` is a symbol by its C name, and its arguments are C's")]

use entrypoint::io::{Arena, CommandLine};
use std::ffi::{c_char, c_int};

#[global_allocator]
static ALLOCATOR: Arena = Arena::new();

#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    // SAFETY: count and words are those of the C runtime.
    entrypoint::run(unsafe { CommandLine::of(count, words) }).into()
}
