//! The I/O layer around the machine: it does what the machine asks for and reports
//! what happens. It decides nothing about the job.

mod child;
mod driver;
mod files;
mod live;
mod log;
mod memory;
mod output;
mod perform;
mod previous;
pub(crate) mod records;
mod signals;
mod story;
mod streams;
mod sys;
mod timers;
mod timestamps;
mod tree;

pub(crate) use driver::run;
pub use sys::{Arena, CommandLine};

use std::io;

/// The first thing in main: blocks every signal, because one that comes earlier
/// has its default effect, and makes sure of the three standard streams.
pub(crate) fn begin() -> io::Result<()> {
    sys::block_signals()?;
    streams::open_missing()
}
