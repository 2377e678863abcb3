//! Looking at the marker of the entry before this one.

use crate::supervise::{Pace, Predecessor};
use common::lock::{EntryWatch, LockState, Sighting};
use common::marker::Content;
use rustix::fs::inotify;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// A freed lock raises no event, so a look is due this often.
const LOOK: Duration = Duration::from_secs(1);

/// The watch. Events are hints; a look decides.
#[derive(Debug)]
pub(super) struct PreviousWatch {
    entry: EntryWatch,
    hints: Option<OwnedFd>,
    /// When a look is due whatever happens.
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
        Self { entry: EntryWatch::new(marker), hints, due: Instant::now(), hinted: false }
    }

    /// When the next look is due without a hint.
    pub(super) fn deadline(&self) -> Instant {
        self.due
    }

    /// Whether a look is to be taken now.
    pub(super) fn wants_look(&self, now: Instant) -> bool {
        self.hinted || self.due <= now
    }

    /// What to poll for hints.
    pub(super) fn hints(&self) -> Option<BorrowedFd<'_>> {
        self.hints.as_ref().map(AsFd::as_fd)
    }

    /// Empties the queue of hints: the next look sees it all.
    pub(super) fn hinted(&mut self) {
        let mut events = [0_u8; 4096];
        if let Some(fd) = &self.hints {
            while matches!(rustix::io::read(fd, &mut events), Ok(1..)) {}
        }
        self.hinted = true;
    }

    /// Takes a look.
    pub(super) fn look(&mut self) -> (Predecessor, Pace) {
        let now = Instant::now();
        let pace = if now >= self.due { Pace::Due } else { Pace::Hinted };
        if pace == Pace::Due {
            self.due = now + LOOK;
        }
        self.hinted = false;
        let found = match self.entry.look() {
            Sighting::Waiting(LockState::None | LockState::Held) => Predecessor::Waiting,
            Sighting::Waiting(LockState::Vanished) => Predecessor::Vanished,
            Sighting::Marker(Content::Code(code)) => Predecessor::Code(code),
            Sighting::Marker(Content::Unreadable(why)) => Predecessor::Unreadable(why),
            Sighting::Lost => Predecessor::Lost,
        };
        (found, pace)
    }
}

/// Hints about the marker's directory. Where it does not exist yet or watches
/// have run out, the looks alone have to do.
fn watch(marker: &Path) -> rustix::io::Result<OwnedFd> {
    use inotify::{CreateFlags, WatchFlags};
    let parent = marker.parent().filter(|parent| !parent.as_os_str().is_empty());
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let wanted = WatchFlags::MOVED_TO | WatchFlags::CREATE | WatchFlags::CLOSE_WRITE;
    inotify::add_watch(&fd, parent.unwrap_or(Path::new(".")), wanted)?;
    Ok(fd)
}
