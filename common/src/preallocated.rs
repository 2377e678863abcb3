//! Files whose space is taken before it is needed.
//!
//! A log volume can fill up while a test runs. Markers and reports must appear
//! all the same, so their temporary files are created and filled at start,
//! later overwritten in place, cut to size and renamed.

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A file that will appear at its target path, whole, in one rename.
#[derive(Debug)]
pub struct PreallocatedFile {
    target: PathBuf,
    mode: u32,
    temp: Option<(PathBuf, File)>,
}

impl PreallocatedFile {
    /// Creates a temporary file beside `target` and fills it with `size` bytes,
    /// so that as many can be written later on a full disk. `mode` is the final
    /// file's, whatever the umask.
    pub fn create(target: &Path, size: usize, mode: u32) -> io::Result<Self> {
        let (path, file) = create_beside(target, 0o600)?;
        let reserved = Self { target: target.to_owned(), mode, temp: Some((path, file)) };
        if let Some((_, file)) = &reserved.temp {
            take_space(file, size as u64)?;
        }
        Ok(reserved)
    }

    /// The path at which the file will appear.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes `bytes` appear at the target path by an atomic rename, which
    /// replaces what is there (see [`replace`]).
    ///
    /// When the temporary file has been deleted or replaced meanwhile, a new
    /// one is made, as far as there is room.
    pub fn publish(mut self, bytes: &[u8]) -> io::Result<()> {
        let ours = self.temp.as_ref().is_some_and(|(path, file)| names(path, file));
        if !ours {
            self.temp = Some(create_beside(&self.target, 0o600)?);
        }
        if let Some((path, file)) = &self.temp {
            file.write_all_at(bytes, 0)?;
            file.set_len(bytes.len() as u64)?;
            rustix::fs::fchmod(file, Mode::from_raw_mode(self.mode))?;
            replace(path, &self.target)?;
        }
        self.temp = None;
        Ok(())
    }
}

/// Makes sure that `size` bytes can be written to an empty file later.
///
/// `fallocate` promises it at once; where a file system does not know it (NFS
/// before 4.2, some FUSE), bytes are written. Entrypoint does this at every
/// start, so the block is small and static.
fn take_space(file: &File, size: u64) -> io::Result<()> {
    const BLOCK: &[u8; 4096] = &[b' '; 4096];
    if size == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size) {
        Ok(()) => Ok(()),
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
            // Left behind, the file is only an odd name in the log volume.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Writes a whole file beside `target` and renames it into place. `mode` is the
/// final file's, whatever the umask.
pub fn write_atomically(target: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    PreallocatedFile::create(target, 0, mode)?.publish(bytes)
}

/// Renames `path` to `target`, whatever is there.
///
/// A directory cannot be replaced by a file, and the job can put one at any
/// path of its entry: it is moved aside, under an odd name beside it.
pub fn replace(path: &Path, target: &Path) -> io::Result<()> {
    match std::fs::rename(path, target) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            move_aside(target)?;
            std::fs::rename(path, target)
        }
        renamed => renamed,
    }
}

/// Removes what is at `path`: a file or link for good, a directory by moving it
/// aside, because what is in it is somebody's. Nothing there is no error.
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
    // Its name served to find one that nobody else has.
    std::fs::remove_file(free)?;
    moved
}

/// Whether `path` itself (no link followed) is the open `file`.
pub fn names(path: &Path, file: &File) -> bool {
    match (path.symlink_metadata(), file.metadata()) {
        (Ok(at_path), Ok(open)) => at_path.ino() == open.ino() && at_path.dev() == open.dev(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Creates a new, empty file in the directory of `target` under a name of its
/// own, close-on-exec, without ever opening something that exists.
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
