//! The three standard streams.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::IntoRawFd;

/// Opens `/dev/null` for each standard stream that is closed, so that none of
/// the files that are opened later is taken for one.
pub(super) fn open_missing() -> io::Result<()> {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let mut looks = streams.map(|stream| PollFd::from_borrowed_fd(stream, PollFlags::empty()));
    poll(&mut looks, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    for look in looks {
        if look.revents().contains(PollFlags::NVAL) {
            let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())?;
            // It got the lowest free number, which is that of the stream, and
            // stays open like one.
            let _ = null.into_raw_fd();
        }
    }
    Ok(())
}
