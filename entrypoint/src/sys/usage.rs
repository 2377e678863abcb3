//! Resource limits, and the usage of reaped processes.

use std::mem::MaybeUninit;
use std::time::Duration;

/// Returns the usage of reaped descendants: largest resident set in bytes, user and
/// system time.
pub(crate) fn usage_of_children() -> (u64, Duration, Duration) {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the structure it is given; all zeroes is a valid
    // one should it fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |value: libc::timeval| {
        Duration::from_micros(
            u64::try_from(value.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(value.tv_usec).unwrap_or(0),
        )
    };
    let kibibytes = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    (kibibytes * 1024, time(usage.ru_utime), time(usage.ru_stime))
}

/// Descriptors that supervision has open at once, with some to spare.
const NEEDED_DESCRIPTORS: libc::rlim_t = 16;

/// Raises a soft limit of open descriptors that is too low for supervision, as far as
/// the hard limit allows, and returns the limit that the child is to get.
pub(crate) fn raise_descriptors() -> Option<libc::rlimit> {
    let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit fills the structure it is given.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut found) } != 0
        || found.rlim_cur >= NEEDED_DESCRIPTORS
    {
        return None;
    }
    let raised = libc::rlimit { rlim_cur: NEEDED_DESCRIPTORS.min(found.rlim_max), ..found };
    // SAFETY: setrlimit reads the structure it is given.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) };
    (set == 0).then_some(found)
}
