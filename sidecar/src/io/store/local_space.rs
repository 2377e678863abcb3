//! Space in a directory for the documents that close a delivery, and temporary files
//! of an earlier sidecar.
//!
//! A destination can fill up while a job's artifacts are copied, and the result must
//! appear all the same: its temporary files are made and filled at the start, and
//! overwritten later.
//!
//! A temporary file is locked (flock) for as long as somebody writes to it. One that is
//! not locked was left by a sidecar that was killed.

use rustix::fs::{AtFlags, FallocateFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The beginning and the end of the names of temporary files.
const TEMPORARY_PREFIX: &str = ".pod-utils-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// The mode of created files, less the umask (U-25).
const FILE_MODE: u32 = 0o666;

/// Levels of directories that are looked through for temporary files.
const MAX_DEPTH: usize = 64;

/// A temporary file whose space is taken.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) directory: OwnedFd,
    pub(super) file: File,
    /// Empty once the file has a name of its own.
    temporary: String,
}

impl Space {
    /// Creates a file under a temporary name, which does not contain the object's:
    /// that one may already have the maximum of 255 bytes.
    pub(super) fn create(directory: OwnedFd) -> rustix::io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let temporary = format!("{TEMPORARY_PREFIX}{}-{number}{TEMPORARY_SUFFIX}", std::process::id());
            match rustix::fs::openat(&directory, &temporary, flags, Mode::from_raw_mode(FILE_MODE)) {
                Ok(fd) => {
                    // Where locks are not supported, nobody can take the file for stale.
                    let _ = lock(&fd);
                    return Ok(Self { directory, file: File::from(fd), temporary });
                }
                // A killed predecessor with the same process id left it.
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Creates a file of so many bytes, which can then be overwritten on a full disk.
    pub(super) fn filled(directory: OwnedFd, bytes: u64) -> io::Result<Self> {
        let space = Self::create(directory)?;
        fill(&space.file, 0, bytes)?;
        Ok(space)
    }

    /// Gives the file its name, in the place of what has that.
    pub(super) fn rename(&mut self, name: &str) -> rustix::io::Result<()> {
        rustix::fs::renameat(&self.directory, &self.temporary, &self.directory, name)?;
        self.temporary.clear();
        Ok(())
    }

    /// Gives the file its name unless that is taken.
    pub(super) fn rename_unless_taken(&mut self, name: &str) -> rustix::io::Result<()> {
        let (directory, temporary) = (&self.directory, &self.temporary);
        match rustix::fs::renameat_with(directory, temporary, directory, name, RenameFlags::NOREPLACE) {
            Ok(()) => {
                self.temporary.clear();
                Ok(())
            }
            // File systems without that flag have hard links; the temporary name goes with
            // the space.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(directory, temporary, directory, name, AtFlags::empty())
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if self.temporary.is_empty() {
            return;
        }
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
    /// Lets an object have so much space; none of it is taken yet.
    pub(super) fn allow(&self, key: &str, bytes: u64) {
        self.lock().insert(key.to_owned(), Reserved { bytes, free: Vec::new() });
    }

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

    /// Lets an object have more space, and takes it as far as there is room.
    pub(super) fn enlarge(&self, key: &str, bytes: u64) {
        if let Some(reserved) = self.lock().get_mut(key)
            && reserved.bytes < bytes
        {
            for space in &reserved.free {
                // A failure leaves the space that was taken before; the object may need no more.
                let _ = fill(&space.file, reserved.bytes, bytes);
            }
            reserved.bytes = bytes;
        }
    }

    /// Returns how much space an object has a claim to; `None` for most objects.
    pub(super) fn claim(&self, key: &str) -> Option<u64> {
        self.lock().get(key).map(|reserved| reserved.bytes)
    }
}

/// Removes temporary files that nobody writes to any more, from a directory, and `below` it.
pub(super) fn remove_stale(directory: &OwnedFd, below: bool) {
    remove_stale_in(directory, if below { MAX_DEPTH } else { 0 });
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
fn lock(file: impl AsFd) -> rustix::io::Result<()> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// Takes space for a file that has taken so many bytes so far. Writes bytes where the file
/// system has no `fallocate` (NFS before 4.2, some FUSE).
fn fill(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    const BLOCK: &[u8; 4096] = &[b' '; 4096];
    match rustix::fs::fallocate(file, FallocateFlags::empty(), from, bytes - from) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => {
            let mut writer = file;
            let blocks = (bytes - from).div_ceil(BLOCK.len() as u64);
            let written = io::Seek::seek(&mut writer, io::SeekFrom::Start(from))
                .and_then(|_| (0..blocks).try_for_each(|_| writer.write_all(BLOCK)));
            io::Seek::rewind(&mut writer)?;
            written
        }
        result => Ok(result?),
    }
}
