//! Files whose space is allocated before it is needed.
//!
//! A log volume can fill up while a test runs, and marker and report must appear all
//! the same. Entrypoint therefore creates and fills their temporary files at the start,
//! and later overwrites them in place, truncates and renames them.
//!
//! Order of calls: [`PreallocatedFile::create`], then [`PreallocatedFile::publish`];
//! dropping the value instead removes the temporary file.

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A file that appears at its target path whole, by one rename.
#[derive(Debug)]
pub struct PreallocatedFile {
    target: PathBuf,
    mode: u32,
    temp: Option<(PathBuf, File)>,
}

impl PreallocatedFile {
    /// Creates a temporary file beside `target` and allocates `size` bytes for it, which
    /// can then be written even to a full disk. The final file has `mode`, whatever the
    /// umask.
    pub fn create(target: &Path, size: usize, mode: u32) -> io::Result<Self> {
        let (path, file) = create_beside(target, 0o600)?;
        let reserved = Self { target: target.to_owned(), mode, temp: Some((path, file)) };
        if let Some((_, file)) = &reserved.temp {
            take_space(file, size as u64)?;
        }
        Ok(reserved)
    }

    /// Returns the path at which the file will appear.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Publishes `bytes` at the target path by an atomic rename that replaces anything
    /// there (see [`replace`]).
    ///
    /// If the job deleted or replaced the temporary file, writes a new one, which can
    /// fail on a full disk.
    pub fn publish(mut self, bytes: &[u8]) -> io::Result<()> {
        let ours = self.temp.as_ref().is_some_and(|(path, file)| names(path, file));
        if !ours {
            self.temp = Some(create_beside(&self.target, 0o600)?);
        }
        let Some((path, file)) = &self.temp else { return Ok(()) };
        file.write_all_at(bytes, 0)?;
        file.set_len(bytes.len() as u64)?;
        if set_mode(file, self.mode)?.is_none() || self.publish_anew(bytes).is_err() {
            replace(path, &self.target)?;
            self.temp = None;
        }
        Ok(())
    }

    /// Publishes a file that has its mode, as far as the umask allows, from the
    /// beginning: the mode of an existing one cannot be set here.
    fn publish_anew(&self, bytes: &[u8]) -> io::Result<()> {
        let (path, file) = create_beside(&self.target, self.mode)?;
        let written = file.write_all_at(bytes, 0).and_then(|()| replace(&path, &self.target));
        if written.is_err() {
            // The reserved file is published instead.
            let _ = std::fs::remove_file(path);
        }
        written
    }
}

/// Sets the mode of a file. Returns the error of a file system or sandbox on which modes
/// cannot be set at all (SMB, some FUSE, seccomp): the file is as good without.
pub fn set_mode(file: &File, mode: u32) -> io::Result<Option<io::Error>> {
    match rustix::fs::fchmod(file, Mode::from_raw_mode(mode)) {
        Ok(()) => Ok(None),
        Err(errno @ (Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::NOSYS)) => {
            Ok(Some(errno.into()))
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Copies `from` to `target`, whole or not at all, with `mode` whatever the umask. Replaces a
/// file there, which may be a program that runs.
///
/// Where modes cannot be set, the copy has its mode from the beginning, as far as the umask
/// allows. Returns the error if it is of use all the same: a program that can be executed.
pub fn copy(from: &mut File, target: &Path, mode: u32) -> io::Result<Option<io::Error>> {
    let (temp, mut to) = create_beside(target, mode)?;
    let copied = io::copy(from, &mut to).and_then(|_| {
        let refused = set_mode(&to, mode)?;
        match refused {
            Some(error) if mode & to.metadata()?.mode() & 0o111 == 0 && mode & 0o111 != 0 => Err(error),
            refused => std::fs::rename(&temp, target).map(|()| refused),
        }
    });
    if copied.is_err() {
        // Only the first error is reported: a copy that stays behind is no second one.
        let _ = std::fs::remove_file(&temp);
    }
    copied
}

/// Allocates `size` bytes for an empty file.
///
/// Writes bytes where the file system has no `fallocate` (NFS before 4.2, some FUSE).
/// Entrypoint does this at every start, so the block is small and static.
fn take_space(file: &File, size: u64) -> io::Result<()> {
    const BLOCK: &[u8; 4096] = &[b' '; 4096];
    if size == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size) {
        // Beyond RLIMIT_FSIZE: what fits will be written, without a reservation.
        Ok(()) | Err(Errno::FBIG) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => {
            let mut at = 0;
            while at < size {
                let count = (size - at).min(BLOCK.len() as u64);
                file.write_all_at(&BLOCK[..usize::try_from(count).unwrap_or(BLOCK.len())], at)?;
                at += count;
            }
            Ok(())
        }
        Err(errno) => Err(errno.into()),
    }
}

impl Drop for PreallocatedFile {
    fn drop(&mut self) {
        if let Some((path, file)) = self.temp.take()
            && names(&path, &file)
        {
            // A file left behind is harmless: only an odd name in the log volume.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Writes a file beside `target` and renames it into place, with `mode` whatever the
/// umask.
pub fn write_atomically(target: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    PreallocatedFile::create(target, 0, mode)?.publish(bytes)
}

/// Renames `path` to `target`, even if a directory is there.
///
/// The job can put a directory at any path of its entry, and rename(2) does not replace
/// a directory by a file: it is moved aside, to a temporary name beside it.
pub fn replace(path: &Path, target: &Path) -> io::Result<()> {
    match std::fs::rename(path, target) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            move_aside(target)?;
            std::fs::rename(path, target)
        }
        renamed => renamed,
    }
}

/// Clears `path`: removes a file or link, moves a directory aside, because its content
/// may matter to somebody. Succeeds if nothing is there.
pub fn clear(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Linux says EISDIR, POSIX also allows EPERM.
        Err(_) if path.symlink_metadata().is_ok_and(|found| found.is_dir()) => move_aside(path),
        Err(error) => Err(error),
    }
}

fn move_aside(path: &Path) -> io::Result<()> {
    let (free, _) = create_beside(path, 0o600)?;
    let aside = free.with_extension("moved");
    let moved = std::fs::rename(path, &aside);
    // It only served to find a unique name.
    std::fs::remove_file(free)?;
    moved
}

/// Returns true if `path` itself, without following a link, is the open `file`.
pub fn names(path: &Path, file: &File) -> bool {
    match (path.symlink_metadata(), file.metadata()) {
        (Ok(at_path), Ok(open)) => at_path.ino() == open.ino() && at_path.dev() == open.dev(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Creates a new, empty file with a unique name in the directory of `target`,
/// close-on-exec. Never opens an existing file.
pub fn create_beside(target: &Path, mode: u32) -> io::Result<(PathBuf, File)> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let dir = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    if target.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    }
    for _ in 0..100 {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        // Not derived from the target's name, which may already be as long as names can be.
        // Nor from the process alone: it is PID 1 in every container, and what a
        // killed one left behind stays.
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let name = format!(".pod-utils-{}-{moment:x}-{number}.tmp", std::process::id());
        let path = dir.join(name);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::open(&path, flags, Mode::from_raw_mode(mode)) {
            Ok(fd) => return Ok((path, File::from(fd))),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name for a temporary file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_after_the_job_deleted_the_temporary_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("file");
        let reserved = PreallocatedFile::create(&target, 4096, 0o644).expect("reserved");
        for entry in std::fs::read_dir(dir.path()).expect("listed") {
            std::fs::remove_file(entry.expect("an entry").path()).expect("removed");
        }
        reserved.publish(b"still here").expect("published");
        assert_eq!(std::fs::read(&target).expect("read"), b"still here");
    }

    #[test]
    fn a_reserved_file_that_is_never_published_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(PreallocatedFile::create(&dir.path().join("file"), 10, 0o644).expect("reserved"));
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
    }

    #[test]
    fn a_directory_at_the_target_is_moved_aside_with_its_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("file");
        let reserved = PreallocatedFile::create(&target, 4096, 0o644).expect("reserved");
        std::fs::create_dir(&target).expect("made");
        std::fs::write(target.join("inside"), "kept").expect("written");
        reserved.publish(b"12").expect("published");
        assert_eq!(std::fs::read(&target).expect("read"), b"12");
        let others = std::fs::read_dir(dir.path()).expect("listed").filter_map(|entry| {
            let path = entry.expect("an entry").path();
            (path != target).then(|| std::fs::read(path.join("inside")).expect("read"))
        });
        assert_eq!(others.collect::<Vec<_>>(), [b"kept"]);
    }

    #[test]
    fn a_forged_temporary_file_is_not_published() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("file");
        let reserved = PreallocatedFile::create(&target, 4096, 0o644).expect("reserved");
        let temp = std::fs::read_dir(dir.path()).expect("listed").next();
        let temp = temp.expect("one file").expect("an entry").path();
        std::fs::remove_file(&temp).expect("removed");
        std::fs::write(&temp, "forged").expect("written");
        reserved.publish(b"true").expect("published");
        assert_eq!(std::fs::read(&target).expect("read"), b"true");
    }
}
