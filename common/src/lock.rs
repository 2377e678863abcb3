//! The lock file, held for as long as its entrypoint lives.
//!
//! Entrypoint holds an exclusive `flock` on `<marker>.lock` from before its
//! first wait until after its marker is visible. The kernel releases it when entrypoint
//! dies, so *lock free and no marker* means that entrypoint was killed or could not
//! write its marker. Releasing a lock raises no inotify event: readers poll it once a
//! second.

use crate::marker::{self, Content};
use crate::open_beneath::{self, Opened};
use crate::preallocated;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Mode of a lock file, whatever the umask: a reader may run as another user.
pub const MODE: u32 = 0o444;

/// A lock, held until the process ends or drops the value.
#[derive(Debug)]
pub struct HeldLock {
    file: File,
    path: PathBuf,
    mode_refused: Option<io::Error>,
}

impl HeldLock {
    /// Acquires the lock for `marker`: clears the lock, marker and report paths of an
    /// earlier run (in this order), creates the lock file under a temporary name, locks
    /// it and renames it into place. Never blocks.
    pub fn acquire(marker: &Path) -> io::Result<Self> {
        let path = marker::lock_path(marker);
        for stale in [path.as_path(), marker, &marker::report_path(marker)] {
            preallocated::clear(stale)?;
        }
        let (temp, file) = preallocated::create_beside(&path, MODE)?;
        let taken = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(io::Error::from)
            .and_then(|()| preallocated::set_mode(&file, MODE))
            .and_then(|refused| preallocated::replace(&temp, &path).map(|()| refused));
        match taken {
            Ok(mode_refused) => Ok(Self { file, path, mode_refused }),
            Err(error) => {
                // The error that matters is the one above.
                let _ = std::fs::remove_file(&temp);
                Err(error)
            }
        }
    }

    /// Returns the error of a file system on which modes cannot be set.
    pub fn mode_refused(&self) -> Option<&io::Error> {
        self.mode_refused.as_ref()
    }

    /// Returns true if the lock's path still names the held lock.
    pub fn is_in_place(&self) -> bool {
        preallocated::names(&self.path, &self.file)
    }
}

/// The state of an entry's lock while there is no marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockState {
    /// No lock file yet, or an entrypoint without locks (upstream's): only the marker
    /// counts.
    None,
    /// The entrypoint is alive.
    Held,
    /// The lock is free, and no lock file is at its path any more. A restarting
    /// entrypoint leaves this state within microseconds; an entry whose job deleted the
    /// log directory before entrypoint was killed stays in it.
    Vanished,
}

/// The status of an entry, as one [`EntryMonitor::poll`] finds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EntryStatus {
    /// No result yet.
    Waiting(LockState),
    /// The marker is there.
    Marker(Content),
    /// The entrypoint took its lock and died without writing a marker.
    Lost,
}

/// Monitors one entry through its lock and marker. Keeps the lock file open between
/// polls, so that a restarted entrypoint is told from the one before.
#[derive(Debug)]
pub struct EntryMonitor {
    marker: PathBuf,
    lock_path: PathBuf,
    lock: Option<File>,
    was_locked: bool,
}

impl EntryMonitor {
    /// Creates a monitor for the entry with this marker.
    pub fn new(marker: &Path) -> Self {
        Self {
            marker: marker.to_owned(),
            lock_path: marker::lock_path(marker),
            lock: None,
            was_locked: false,
        }
    }

    /// Returns the marker's path.
    pub fn marker(&self) -> &Path {
        &self.marker
    }

    /// Returns true once a poll has found a lock, held or free.
    pub fn was_locked(&self) -> bool {
        self.was_locked
    }

    /// Returns the status of the entry now. Never blocks.
    ///
    /// The order matters: probe the lock *first*, look for the marker *afterwards*, and
    /// compare the path with the open lock last. Only *lock free, then no marker, then
    /// same inode* means lost. Another inode belongs to a restarted entrypoint, with
    /// which the next poll starts over.
    pub fn poll(&mut self) -> EntryStatus {
        if self.lock.is_none()
            && let Ok(Opened::File(file)) = open_beneath::open(&self.lock_path)
        {
            self.lock = Some(file);
            self.was_locked = true;
        }
        let free = self.lock.as_ref().is_some_and(is_free);
        if let Some(content) = marker::read(&self.marker) {
            return EntryStatus::Marker(content);
        }
        match &self.lock {
            None => EntryStatus::Waiting(LockState::None),
            Some(_) if !free => EntryStatus::Waiting(LockState::Held),
            Some(lock) if preallocated::names(&self.lock_path, lock) => EntryStatus::Lost,
            // Anything but a regular file, such as a link of a hostile job, counts as
            // absent.
            Some(_) => match open_beneath::open(&self.lock_path) {
                Ok(Opened::File(file)) => {
                    self.lock = Some(file);
                    EntryStatus::Waiting(LockState::None)
                }
                Ok(Opened::Absent) | Err(_) => EntryStatus::Waiting(LockState::Vanished),
            },
        }
    }
}

/// Returns true if no process holds an exclusive lock on the file.
fn is_free(file: &File) -> bool {
    if rustix::fs::flock(file, FlockOperation::NonBlockingLockShared).is_err() {
        return false;
    }
    // Failing to unlock would only disturb a writer that locks the same file again,
    // which entrypoint never does.
    let _ = rustix::fs::flock(file, FlockOperation::Unlock);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn marker_in(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("marker.txt")
    }

    #[test]
    fn held_then_dropped_without_marker_is_lost() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = marker_in(&dir);
        let mut watch = EntryMonitor::new(&marker);
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::None));
        let held = HeldLock::acquire(&marker).expect("locked");
        assert!(held.is_in_place());
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Held));
        drop(held);
        assert_eq!(watch.poll(), EntryStatus::Lost);
    }

    #[test]
    fn a_marker_wins_over_a_free_lock() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = marker_in(&dir);
        let mut watch = EntryMonitor::new(&marker);
        let held = HeldLock::acquire(&marker).expect("locked");
        std::fs::write(&marker, "3").expect("written");
        drop(held);
        assert_eq!(watch.poll(), EntryStatus::Marker(Content::Code(3)));
    }

    #[test]
    fn a_new_incarnation_starts_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = marker_in(&dir);
        let first = HeldLock::acquire(&marker).expect("locked");
        let mut watch = EntryMonitor::new(&marker);
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Held));
        let second = HeldLock::acquire(&marker).expect("locked again");
        assert!(!first.is_in_place());
        drop(first);
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::None));
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Held));
        drop(second);
        assert_eq!(watch.poll(), EntryStatus::Lost);
    }

    #[test]
    fn a_deleted_lock_is_vanished_only_when_it_is_free() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = marker_in(&dir);
        let held = HeldLock::acquire(&marker).expect("locked");
        let mut watch = EntryMonitor::new(&marker);
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Held));
        std::fs::remove_file(marker::lock_path(&marker)).expect("removed");
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Held));
        drop(held);
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Vanished));
    }

    #[test]
    fn i7_a_lock_replaced_by_a_link_is_vanished_when_it_is_free() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = marker_in(&dir);
        let held = HeldLock::acquire(&marker).expect("locked");
        let mut watch = EntryMonitor::new(&marker);
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Held));
        let path = marker::lock_path(&marker);
        std::fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink("/nowhere", &path).expect("linked");
        drop(held);
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Vanished));
        assert_eq!(watch.poll(), EntryStatus::Waiting(LockState::Vanished));
    }

    #[test]
    fn acquiring_removes_what_an_earlier_run_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let marker = marker_in(&dir);
        std::fs::write(&marker, "0").expect("written");
        std::fs::write(marker::report_path(&marker), "{}").expect("written");
        let _held = HeldLock::acquire(&marker).expect("locked");
        let names: Vec<_> = std::fs::read_dir(dir.path())
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["marker.txt.lock"]);
        let mode = marker::lock_path(&marker).metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o444);
    }
}
