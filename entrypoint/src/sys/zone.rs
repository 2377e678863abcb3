//! The local time zone.

use common::timestamp::Timestamp;
use std::mem::MaybeUninit;

/// Returns the seconds east of UTC at a point in time. libc's tables of rules cost a
/// fraction of a calendar crate's.
pub(crate) fn local_zone(at: Timestamp) -> i32 {
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    let seconds = at.as_secs();
    // SAFETY: localtime_r fills the structure it is given; all zeroes is a valid
    // one should it fail. There are no other threads that could change TZ.
    let broken_down = unsafe {
        libc::localtime_r(&raw const seconds, broken_down.as_mut_ptr());
        broken_down.assume_init()
    };
    i32::try_from(broken_down.tm_gmtoff).unwrap_or(0)
}
