//! The three standard streams.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::IntoRawFd;

/// Opens `/dev/null` for each closed standard stream, so that no file opened later
/// takes its place.
pub(super) fn open_missing() -> io::Result<()> {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let mut polled = streams.map(|stream| PollFd::from_borrowed_fd(stream, PollFlags::empty()));
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    for stream in polled {
        if stream.revents().contains(PollFlags::NVAL) {
            let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())?;
            // The kernel assigned the lowest free number, which is the stream's; it
            // must stay open like one.
            let _ = null.into_raw_fd();
        }
    }
    Ok(())
}
