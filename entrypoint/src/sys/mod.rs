//! System calls without a safe wrapper that does what is needed here. All unsafe
//! code of the crate is in this module.

#![expect(
    unsafe_code,
    reason = "argv, signalfd, clone, kill, getrusage, rlimits and localtime_r have no safe form that fits"
)]

mod argv;
mod signals;
mod spawn;
mod usage;
mod zone;

pub use argv::CommandLine;
pub(crate) use signals::{block_signals, group_of, kill, kill_descriptor, signal_descriptor};
pub(crate) use spawn::{Program, start};
pub(crate) use usage::{raise_descriptors, usage_of_children};
pub(crate) use zone::local_zone;

use std::ffi::c_int;
use std::io;

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
