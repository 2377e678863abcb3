//! Lines on stderr.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Write;

/// Writes one line.
pub(crate) fn line(text: &str) {
    // A closed stderr leaves nowhere to report the failure to.
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

/// Writes one line unless the reader is behind: a full pipe must not hold up the
/// signals that come next.
pub(crate) fn line_unless_blocked(text: &str) {
    let stderr = std::io::stderr();
    let mut poll_fd = [PollFd::new(&stderr, PollFlags::OUT)];
    // A pipe that polls as writable takes PIPE_BUF bytes (pipe(7)), more than a line.
    if poll(&mut poll_fd, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
        line(text);
    }
}
