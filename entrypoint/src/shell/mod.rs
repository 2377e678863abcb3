//! The shell around the machine: it does what the machine asks for and reports
//! what happens. It decides nothing about the job.

mod child;
mod driver;
mod files;
mod live;
mod log;
mod output;
mod perform;
mod previous;
pub(crate) mod records;
mod signals;
mod story;
mod sys;
mod timers;
mod timestamps;
mod tree;

pub(crate) use driver::run;
pub use signals::block as block_signals;
pub use sys::Arena;
