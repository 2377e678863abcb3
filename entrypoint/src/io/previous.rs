//! Checking the marker of the previous entry.

use crate::supervise::{Predecessor, Trigger};
use common::lock::{EntryMonitor, EntryStatus, LockState};
use common::marker::Content;
use rustix::fs::inotify;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// Interval between checks: a freed lock raises no inotify event.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Watches the previous entry. inotify events are hints; a check decides.
#[derive(Debug)]
pub(super) struct PreviousWatch {
    entry: EntryMonitor,
    hints: Option<OwnedFd>,
    /// Time of the next regular check.
    due: Instant,
    hinted: bool,
}

impl PreviousWatch {
    pub(super) fn new(marker: &Path) -> Self {
        let hints = watch(marker)
            .inspect_err(
                |error| tracing::warn!(error = %std::io::Error::from(*error), "fsnotify watch error"),
            )
            .ok();
        Self { entry: EntryMonitor::new(marker), hints, due: Instant::now(), hinted: false }
    }

    /// Returns the time of the next regular check.
    pub(super) fn deadline(&self) -> Instant {
        self.due
    }

    /// Returns true if the marker should be checked now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.hinted || self.due <= now
    }

    /// Returns the descriptor to poll for hints.
    pub(super) fn hints(&self) -> Option<BorrowedFd<'_>> {
        self.hints.as_ref().map(AsFd::as_fd)
    }

    /// Empties the queue of hints: the next check covers them all.
    pub(super) fn hinted(&mut self) {
        let mut events = [0_u8; 4096];
        if let Some(fd) = &self.hints {
            while matches!(rustix::io::read(fd, &mut events), Ok(1..)) {}
        }
        self.hinted = true;
    }

    /// Checks the marker.
    pub(super) fn check(&mut self) -> (Predecessor, Trigger) {
        let now = Instant::now();
        let trigger = if now >= self.due { Trigger::Interval } else { Trigger::Inotify };
        if trigger == Trigger::Interval {
            self.due = now + CHECK_INTERVAL;
        }
        self.hinted = false;
        let found = match self.entry.poll() {
            EntryStatus::Waiting(LockState::None | LockState::Held) => Predecessor::Waiting,
            EntryStatus::Waiting(LockState::Vanished) => Predecessor::Vanished,
            EntryStatus::Marker(Content::Code(code)) => Predecessor::Code(code),
            EntryStatus::Marker(Content::Unreadable(why)) => Predecessor::Unreadable(why),
            EntryStatus::Lost => Predecessor::Lost,
        };
        (found, trigger)
    }
}

/// Watches the marker's directory. Where it does not exist yet or the user's watches
/// are exhausted, regular checks must do.
fn watch(marker: &Path) -> rustix::io::Result<OwnedFd> {
    use inotify::{CreateFlags, WatchFlags};
    let parent = marker.parent().filter(|parent| !parent.as_os_str().is_empty());
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let wanted = WatchFlags::MOVED_TO | WatchFlags::CREATE | WatchFlags::CLOSE_WRITE;
    inotify::add_watch(&fd, parent.unwrap_or(Path::new(".")), wanted)?;
    Ok(fd)
}
