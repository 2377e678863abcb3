//! Resource usage of reaped processes.

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
