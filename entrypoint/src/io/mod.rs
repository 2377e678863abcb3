//! The I/O layer around the supervision machine: carries out its effects and feeds
//! it events. It makes no decision about the job.

mod cgroup;
mod course;
mod driver;
mod effects;
mod files;
mod previous;
mod process_log;
mod processes;
mod pump;
pub(crate) mod records;
mod report;
mod signals;
mod snapshot;
mod spawn;
mod start_hint;
mod stat;
mod stdio;
mod stdout;
mod sys_files;
mod timers;
mod timestamps;
mod trace;

pub(crate) use driver::run;

use crate::sys;
use rustix::process::DumpableBehavior;
use std::io;

/// Blocks every signal, keeps debuggers out and opens missing standard streams. Called
/// first in `main`, because a signal that arrives earlier has its default effect.
pub(crate) fn init() -> io::Result<()> {
    sys::block_signals()?;
    // A job of the same user could stop its supervisor by ptrace. Where a sandbox
    // refuses the call it does not.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    stdio::open_missing()
}
