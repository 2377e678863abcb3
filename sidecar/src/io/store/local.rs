//! Objects in a directory.
//!
//! An object appears under its name in one step: it is written under a
//! temporary name in the same directory and renamed. No symlink inside the
//! output tree is followed; the path to the tree is the operator's own.

use super::bytes_in_flight::{BytesGuard, BytesInFlight};
use super::local_space::{Reserve, Space, remove_stale};
use super::{Precondition, StoreError, Version, WriteError};
use crate::destination::directory_key_refusal;
use crate::io::source::Stamp;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The mode of created parents (U-25).
const DIRECTORY_MODE: u32 = 0o755;

/// A directory that holds objects.
#[derive(Clone, Debug)]
pub(in crate::io) struct Local {
    root: PathBuf,
    bytes_in_flight: BytesInFlight,
    reserved: Reserve,
}

/// An object that is being written, not yet visible under its name.
#[derive(Debug)]
pub(in crate::io) struct Draft {
    local: Local,
    key: String,
    name: String,
    space: Option<Space>,
    /// The space was taken at the start: it may be longer than the object.
    is_reserved: bool,
    bytes: u64,
    guard: BytesGuard,
}

impl Local {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, bytes_in_flight: BytesInFlight::default(), reserved: Reserve::default() }
    }

    /// Returns the counter of bytes written to incomplete objects.
    pub(super) fn bytes_in_flight(&self) -> &BytesInFlight {
        &self.bytes_in_flight
    }

    /// Takes space for an object that is written `times` times at most, as far as there
    /// is room: what cannot be taken now may be there later.
    pub(super) fn reserve(&self, key: &str, bytes: u64, times: usize) {
        self.reserved.allow(key, bytes);
        (0..times).for_each(|_| self.replenish(key));
    }

    /// Takes more space for an object that has some, as far as there is room.
    pub(super) fn enlarge(&self, key: &str, bytes: u64) {
        self.reserved.enlarge(key, bytes);
    }

    /// Makes the space anew that an object has used up.
    fn replenish(&self, key: &str) {
        let Some(bytes) = self.reserved.claim(key) else { return };
        let space = self.directory_of(key).and_then(|directory| {
            Space::filled(directory, bytes).map_err(|error| failed("no space can be taken", error))
        });
        match space {
            Ok(space) => self.reserved.put(key, space),
            Err(error) => tracing::debug!(error = %error, dest = %key, "No space can be taken"),
        }
    }

    /// Removes temporary files that nobody writes to any more, from a directory, and
    /// `below` it.
    pub(super) fn remove_stale(&self, path: &str, below: bool) {
        if let Ok(directory) = self.open_parents(path, false) {
            remove_stale(&directory, below);
        }
    }

    /// Creates the directories of a key and a temporary file there, or takes one that
    /// was made at the start.
    pub(in crate::io) fn create(&self, key: &str) -> Result<Draft, WriteError> {
        let reserved = self.reserved.take(key);
        let is_reserved = reserved.is_some();
        let name = split(key)?.1.to_owned();
        let space = match reserved {
            Some(space) => space,
            None => Space::create(self.directory_of(key)?)
                .map_err(|error| failed("a file cannot be created there", error.into()))?,
        };
        let (local, key, guard) = (self.clone(), key.to_owned(), self.bytes_in_flight.begin());
        Ok(Draft { local, key, name, space: Some(space), is_reserved, bytes: 0, guard })
    }

    /// Creates and opens the directory of a key.
    fn directory_of(&self, key: &str) -> Result<OwnedFd, WriteError> {
        let (parents, _) = split(key)?;
        let open = || self.open_parents(parents, true);
        let opened = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::DirBuilder::new()
                    .recursive(true)
                    .mode(DIRECTORY_MODE)
                    .create(&self.root)
                    .map_err(|error| failed("the directory cannot be created", error))?;
                open()
            }
            opened => opened,
        };
        opened.map_err(|error| failed("the directory cannot be opened", error))
    }

    /// Reads a whole small object.
    pub(super) fn read_small(
        &self,
        key: &str,
        limit: usize,
    ) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        let fail = |error: io::Error| StoreError::Permanent(format!("it cannot be read: {error}"));
        let Some(file) = self.open(key)? else { return Ok(None) };
        let version = version(&file).map_err(fail)?;
        let mut content = Vec::new();
        (&file).take(limit as u64 + 1).read_to_end(&mut content).map_err(fail)?;
        if content.len() > limit {
            return Err(StoreError::Permanent(format!("it has more than {limit} bytes")));
        }
        Ok(Some((content, version)))
    }

    /// Returns the current version of an object.
    pub(super) fn current_version(&self, key: &str) -> Result<Option<Version>, StoreError> {
        let fail = |error: io::Error| StoreError::Permanent(format!("it cannot be examined: {error}"));
        self.open(key)?.map(|file| version(&file).map_err(fail)).transpose()
    }

    /// Opens an object for reading; `None` when there is none.
    pub(super) fn open(&self, key: &str) -> Result<Option<File>, StoreError> {
        let (parents, name) = split(key)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = self.open_parents(parents, false).and_then(|directory| {
            rustix::fs::openat(&directory, name, flags, Mode::empty()).map_err(symlink_error)
        });
        match opened {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Permanent(format!("it cannot be read: {error}"))),
        }
    }

    /// Returns the directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn open_parents(&self, parents: &str, create: bool) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directory = rustix::fs::openat(CWD, &self.root, flags, Mode::empty())?;
        if parents.is_empty() {
            return Ok(directory);
        }
        // One call does for all that are there, where the kernel and its filters allow it.
        let confined = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        if let Ok(directory) = rustix::fs::openat2(&directory, parents, flags, Mode::empty(), confined) {
            return Ok(directory);
        }
        for name in parents.split('/').filter(|part| !part.is_empty()) {
            let open = || rustix::fs::openat(&directory, name, flags | OFlags::NOFOLLOW, Mode::empty());
            directory = match open() {
                Err(Errno::NOENT) if create => {
                    match rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(DIRECTORY_MODE)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    open().map_err(symlink_error)?
                }
                opened => opened.map_err(symlink_error)?,
            };
        }
        Ok(directory)
    }
}

/// Splits a key into its parents and its last component.
fn split(key: &str) -> Result<(&str, &str), WriteError> {
    if let Some(reason) = directory_key_refusal(key) {
        return Err(WriteError::Permanent(format!("the key cannot be stored: {reason}")));
    }
    Ok(key.rsplit_once('/').unwrap_or(("", key)))
}

impl Draft {
    /// Appends to the object.
    pub(in crate::io) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if let Some(space) = &mut self.space {
            space.file.write_all(bytes).map_err(|error| failed("it cannot be written", error))?;
        }
        self.bytes += bytes.len() as u64;
        self.guard.add(bytes.len());
        Ok(())
    }

    /// Appends zeros that take no space.
    pub(in crate::io) fn leave_hole(&mut self, bytes: u64) -> Result<(), WriteError> {
        self.bytes += bytes;
        if let Some(space) = &mut self.space {
            // A file as long as this shows at once whether the file system has such ones.
            let lengthened = space
                .file
                .set_len(self.bytes)
                .and_then(|()| std::io::Seek::seek(&mut space.file, std::io::SeekFrom::Start(self.bytes)));
            lengthened.map_err(|error| failed("it cannot be written", error))?;
        }
        Ok(())
    }

    /// Makes the object visible.
    pub(in crate::io) fn commit(mut self, precondition: &Precondition) -> Result<Version, WriteError> {
        let fail = |error: Errno| failed("it cannot be renamed to its name", error.into());
        let examined = |error: io::Error| failed("it cannot be examined", error);
        let Some(mut space) = self.space.take() else {
            return Err(WriteError::Permanent("it was made visible before".to_owned()));
        };
        if self.is_reserved {
            space
                .file
                .set_len(self.bytes)
                .map_err(|error| failed("it cannot be cut to its length", error))?;
        }
        let version = version(&space.file).map_err(examined)?;
        match precondition {
            Precondition::Overwrite => space.rename(&self.name).map_err(fail)?,
            Precondition::IfAbsent => match space.rename_unless_taken(&self.name) {
                Err(Errno::EXIST) => return Err(WriteError::PreconditionFailed),
                result => result.map_err(fail)?,
            },
            Precondition::IfVersion(seen) => {
                // Directories have one writer at a time, so looking first is enough.
                if self.current(&space).map_err(fail)?.as_ref() != Some(seen) {
                    return Err(WriteError::PreconditionFailed);
                }
                space.rename(&self.name).map_err(fail)?;
            }
        }
        self.local.replenish(&self.key);
        Ok(version)
    }

    fn current(&self, space: &Space) -> rustix::io::Result<Option<Version>> {
        match rustix::fs::statat(&space.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Version::of_file(&Stamp::of(&stat)))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Draft {
    /// Leaves space that was taken at the start to the next attempt.
    fn drop(&mut self) {
        if let Some(space) = self.space.take()
            && self.is_reserved
            && std::io::Seek::rewind(&mut &space.file).is_ok()
        {
            self.local.reserved.put(&self.key, space);
        }
    }
}

fn version(file: &File) -> io::Result<Version> {
    Ok(Version::of_file(&Stamp::of(&rustix::fs::fstat(file)?)))
}

impl Version {
    /// Identifies a file's content; a rename changes nothing of it.
    fn of_file(stamp: &Stamp) -> Self {
        let text = format!("{}-{}-{}", stamp.inode, stamp.mtime_ns, stamp.size);
        Self { e_tag: None, generation: Some(text) }
    }
}

/// Explains the errors by which the kernel refuses to follow a symlink.
fn symlink_error(errno: Errno) -> io::Error {
    match errno {
        Errno::LOOP | Errno::NOTDIR => {
            io::Error::other("a part of the path is a symbolic link or a file, not a directory")
        }
        other => other.into(),
    }
}

/// Classifies an error of the file system.
#[expect(clippy::needless_pass_by_value, reason = "it is the end of the error")]
fn failed(what: &str, error: io::Error) -> WriteError {
    let message = format!("{what}: {error}");
    let is_transient = error.raw_os_error().map(Errno::from_raw_os_error).is_some_and(|errno| {
        matches!(
            errno,
            Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::STALE | Errno::TIMEDOUT | Errno::IO
        )
    });
    if is_transient {
        WriteError::Transient { message, retry_after: None }
    } else {
        WriteError::Permanent(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn temporary_files(dir: &Path) -> Vec<u64> {
        let entries = fs::read_dir(dir).expect("a directory").flatten();
        let temporary =
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".pod-utils-"));
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
        // It may get more before it is used, and less only by what is written.
        local.enlarge("a/finished.json", 8192);
        local.enlarge("a/finished.json", 4096);
        assert_eq!(temporary_files(&dir.path().join("a")), [8192, 8192]);
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
