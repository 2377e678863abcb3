//! Space in a directory for the documents that close a delivery, and temporary files
//! of an earlier sidecar.
//!
//! A destination can fill up while a job's artifacts are copied, and the result must
//! appear all the same: its temporary files are made and filled at the start, and
//! overwritten later.
//!
//! A temporary file is locked (flock) for as long as somebody writes to it. One that is
//! not locked was left by a sidecar that was killed.

use super::local::{Local, TEMPORARY_PREFIX, TEMPORARY_SUFFIX};
use rustix::fs::{AtFlags, FallocateFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Levels of directories that are looked through for temporary files.
const MAX_DEPTH: usize = 64;

/// A temporary file whose space is taken.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) directory: OwnedFd,
    pub(super) temporary: String,
    pub(super) file: File,
}

impl Drop for Space {
    fn drop(&mut self) {
        // Nothing else can be done about a file that cannot be removed.
        let _ = rustix::fs::unlinkat(&self.directory, &self.temporary, AtFlags::empty());
    }
}

/// The space taken for objects, by key. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserve(Arc<Mutex<HashMap<String, Reserved>>>);

#[derive(Debug, Default)]
struct Reserved {
    bytes: u64,
    free: Vec<Space>,
}

impl Reserve {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Reserved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns space that was taken for an object.
    pub(super) fn take(&self, key: &str) -> Option<Space> {
        self.lock().get_mut(key)?.free.pop()
    }

    /// Gives space back that was not used, or was made anew after it was.
    pub(super) fn put(&self, key: &str, space: Space) {
        if let Some(reserved) = self.lock().get_mut(key) {
            reserved.free.push(space);
        }
    }

    /// Returns how much space an object has a claim to; `None` for most objects.
    pub(super) fn claim(&self, key: &str) -> Option<u64> {
        self.lock().get(key).map(|reserved| reserved.bytes)
    }
}

impl Local {
    /// Takes space for an object that is written `times` times at most, as far as there
    /// is room: what cannot be taken now may be there later.
    pub(super) fn reserve(&self, key: &str, bytes: u64, times: usize) {
        self.reserved().lock().insert(key.to_owned(), Reserved { bytes, free: Vec::new() });
        (0..times).for_each(|_| self.replenish(key));
    }

    fn space(&self, key: &str, bytes: u64) -> Result<Space, String> {
        let directory = self.directory_of(key).map_err(|error| error.to_string())?;
        let space = Self::temporary(directory).map_err(|error| error.to_string())?;
        fill(&space.file, bytes).map_err(|error| error.to_string())?;
        Ok(space)
    }

    /// Makes the space anew that an object has used up.
    pub(super) fn replenish(&self, key: &str) {
        let Some(bytes) = self.reserved().claim(key) else { return };
        match self.space(key, bytes) {
            Ok(space) => self.reserved().put(key, space),
            Err(error) => tracing::debug!(error, dest = %key, "No space can be taken"),
        }
    }

    /// Removes temporary files that nobody writes to any more, from a directory, and
    /// `below` it.
    pub(super) fn remove_stale(&self, path: &str, below: bool) {
        let parents = path.split('/').filter(|part| !part.is_empty());
        if let Ok(directory) = self.open_parents(parents, false) {
            remove_stale_in(&directory, if below { MAX_DEPTH } else { 0 });
        }
    }
}

fn remove_stale_in(directory: &OwnedFd, levels: usize) {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(readable) = rustix::fs::openat(directory, ".", flags, Mode::empty()) else { return };
    let Ok(entries) = rustix::fs::Dir::read_from(&readable) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let text = name.to_bytes();
        match entry.file_type() {
            FileType::Directory if !matches!(text, b"." | b"..") && levels > 0 => {
                if let Ok(below) = rustix::fs::openat(&readable, name, flags, Mode::empty()) {
                    remove_stale_in(&below, levels - 1);
                }
            }
            FileType::RegularFile
                if text.starts_with(TEMPORARY_PREFIX.as_bytes())
                    && text.ends_with(TEMPORARY_SUFFIX.as_bytes()) =>
            {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                if let Ok(file) = rustix::fs::openat(&readable, name, flags, Mode::empty())
                    && lock(&file).is_ok()
                {
                    // Another sidecar may have removed it in this moment.
                    let _ = rustix::fs::unlinkat(&readable, name, AtFlags::empty());
                }
            }
            FileType::Directory
            | FileType::RegularFile
            | FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => {}
        }
    }
}

/// Locks a temporary file for as long as it is open.
pub(super) fn lock(file: impl AsFd) -> rustix::io::Result<()> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// Takes space for an empty file. Writes bytes where the file system has no `fallocate`
/// (NFS before 4.2, some FUSE).
fn fill(file: &File, bytes: u64) -> io::Result<()> {
    const BLOCK: &[u8; 4096] = &[b' '; 4096];
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => {
            for _ in 0..bytes.div_ceil(BLOCK.len() as u64) {
                (&mut &*file).write_all(BLOCK)?;
            }
            io::Seek::rewind(&mut &*file)
        }
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Precondition;
    use super::*;
    use std::fs;
    use std::path::Path;

    fn temporary_files(dir: &Path) -> Vec<u64> {
        let entries = fs::read_dir(dir).expect("a directory").flatten();
        let temporary =
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX));
        temporary.map(|entry| entry.metadata().expect("there").len()).collect()
    }

    #[test]
    fn reserved_space_becomes_the_object_and_is_taken_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let local = Local::new(dir.path().to_owned());
        local.reserve("a/finished.json", 4096, 2);
        assert_eq!(temporary_files(&dir.path().join("a")), [4096, 4096]);
        for text in ["first", "second"] {
            let mut draft = local.create("a/finished.json").expect("made");
            draft.write(text.as_bytes()).expect("written");
            draft.commit(&Precondition::Overwrite).expect("visible");
            assert_eq!(fs::read_to_string(dir.path().join("a/finished.json")).expect("there"), text);
        }
        // An attempt that is given up leaves the space for the next one.
        drop(local.create("a/finished.json").expect("made"));
        assert_eq!(temporary_files(&dir.path().join("a")).len(), 2);
        drop(local);
        assert_eq!(temporary_files(&dir.path().join("a")), [0_u64; 0]);
    }

    #[test]
    fn only_files_that_nobody_writes_to_are_stale() {
        let dir = tempfile::tempdir().expect("a directory");
        let local = Local::new(dir.path().to_owned());
        let mut draft = local.create("job/a/object").expect("made");
        fs::write(dir.path().join("job/a/.pod-utils-1-1.tmp"), "stale").expect("written");
        fs::write(dir.path().join("job/a/.pod-utils-kept"), "not ours").expect("written");
        fs::write(dir.path().join(".pod-utils-1-2.tmp"), "stale").expect("written");
        std::os::unix::fs::symlink("/etc", dir.path().join("job/a/link")).expect("linked");
        local.remove_stale("", false);
        assert!(
            dir.path().join("job/a/.pod-utils-1-1.tmp").exists()
                && !dir.path().join(".pod-utils-1-2.tmp").exists()
        );
        local.remove_stale("job", true);
        draft.write(b"content").expect("written");
        draft.commit(&Precondition::Overwrite).expect("visible");
        let left = |name: &str| dir.path().join(name).exists();
        assert!(left("job/a/object") && left("job/a/.pod-utils-kept"));
        assert!(!left("job/a/.pod-utils-1-1.tmp"));
        local.remove_stale("no/such/directory", true);
    }
}
