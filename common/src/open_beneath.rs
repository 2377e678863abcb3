//! Opens files in directories that hostile code can write to.
//!
//! The test shares the log volume and can replace a log, marker or report by a symlink,
//! a FIFO or a device. Therefore a configured path is opened from its mount point
//! downwards, component by component, without following symlinks; the last component
//! without blocking, and only if it is a regular file. Below a mount point of `/`, no
//! symlink at all is followed.

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The outcome of [`open`].
#[derive(Debug)]
pub enum Opened {
    /// A regular file, open for reading, non-blocking.
    File(File),
    /// No file is at the path.
    Absent,
}

/// Opens a configured regular file for reading.
///
/// Returns an error that names the kind for a symlink, FIFO, socket, device or directory.
pub fn open(path: &Path) -> io::Result<Opened> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let Some(fd) = absent_as_none(open_at_mount(path, flags))? else {
        return Ok(Opened::Absent);
    };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode);
    let refused = match kind {
        FileType::RegularFile => return Ok(Opened::File(File::from(fd))),
        FileType::Directory => io::ErrorKind::IsADirectory,
        FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => io::ErrorKind::Other,
    };
    Err(io::Error::new(refused, format!("it is {}, not a regular file", describe(kind))))
}

/// Opens a configured directory by the same rules; returns `None` when it is absent.
pub fn open_directory(path: &Path) -> io::Result<Option<OwnedFd>> {
    absent_as_none(open_at_mount(path, OFlags::RDONLY | OFlags::DIRECTORY))
}

fn absent_as_none(opened: io::Result<OwnedFd>) -> io::Result<Option<OwnedFd>> {
    match opened {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a file of at most `limit` bytes; a larger one is an error.
pub fn read_bounded(file: &File, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// Returns the name of a file type, with its article.
pub fn describe(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    }
}

/// Opens `path` from its mount point downwards without following symlinks.
fn open_at_mount(path: &Path, last: OFlags) -> io::Result<OwnedFd> {
    let path = absolute(path)?;
    let mount = mount_point_of(&path);
    let below = path.strip_prefix(&mount).unwrap_or(&path);
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // The way to the mount point may cross symlinks of the pod's author.
    let mut dir = rustix::fs::openat(CWD, &mount, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let mut components = below.components().peekable();
    if components.peek().is_none() {
        return Ok(rustix::fs::openat(CWD, &mount, last | OFlags::CLOEXEC, Mode::empty())?);
    }
    while let Some(component) = components.next() {
        let name = component.as_os_str();
        if components.peek().is_some() {
            dir = rustix::fs::openat(&dir, name, step, Mode::empty()).map_err(step_error)?;
        } else {
            let flags = last | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            return rustix::fs::openat(&dir, name, flags, Mode::empty()).map_err(link_error);
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Explains ELOOP, the kernel's answer to a symlink under `O_NOFOLLOW`.
fn link_error(errno: Errno) -> io::Error {
    match errno {
        Errno::LOOP => io::Error::other("it is a symbolic link, which is not followed here"),
        other => other.into(),
    }
}

/// Explains ENOTDIR on the way, where the kernel does not distinguish a symlink from a
/// file.
fn step_error(errno: Errno) -> io::Error {
    match errno {
        Errno::NOTDIR => io::Error::other(
            "a part of its path is no directory, or a symbolic link, which is not followed here",
        ),
        other => link_error(other),
    }
}

/// Makes a path absolute and removes `.` and `..`. Resolving `..` by name differs from
/// the kernel only behind a symlink, and none is followed here.
fn absolute(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => {
                // Above the root is the root.
                clean.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
        }
    }
    Ok(clean)
}

/// Returns the longest mount point of this process that is a prefix of `path`.
fn mount_point_of(path: &Path) -> PathBuf {
    // Without /proc the mounts are unknown, and `/` is the strictest answer.
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    longest_mount(&mounts, path)
}

/// Returns the longest prefix of `path` among the mount points of a `mountinfo` text
/// (`proc_pid_mountinfo(5)`: fifth field, white space and backslash as octal).
fn longest_mount(mountinfo: &[u8], path: &Path) -> PathBuf {
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(std::ffi::OsStr::from_bytes(&unescape(field))))
        .filter(|mount| path.starts_with(mount))
        .max_by_key(|mount| mount.as_os_str().len())
        .unwrap_or_else(|| PathBuf::from("/"))
}

fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal =
            tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|d| matches!(d, b'0'..=b'7')));
        if let Some(digits) = octal {
            let value = digits.iter().fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
            bytes.push(u8::try_from(value).unwrap_or(b'?'));
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_longest_mount_wins_and_names_are_unescaped() {
        let table = b"1 0 8:1 / / rw - ext4 x rw\n2 1 0:5 / /logs rw - tmpfs x rw\n3 1 0:6 / /logs/a\\040b rw - tmpfs x rw\n";
        assert_eq!(longest_mount(table, Path::new("/logs/x")), Path::new("/logs"));
        assert_eq!(longest_mount(table, Path::new("/logs/a b/x")), Path::new("/logs/a b"));
        assert_eq!(longest_mount(table, Path::new("/logsx")), Path::new("/"));
        assert_eq!(longest_mount(b"", Path::new("/x")), Path::new("/"));
    }

    #[test]
    fn a_link_on_the_way_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("real")).expect("made");
        std::fs::write(dir.path().join("real/file"), "x").expect("written");
        symlink("real", dir.path().join("link")).expect("linked");
        assert!(matches!(open(&dir.path().join("real/file")), Ok(Opened::File(_))));
        let error = open(&dir.path().join("link/file")).expect_err("refused");
        assert!(error.to_string().contains("symbolic link, which is not followed"), "{error}");
        let error = open(&dir.path().join("link")).expect_err("refused");
        assert!(error.to_string().contains("symbolic link, which is not followed"), "{error}");
        assert!(open_directory(&dir.path().join("link")).is_err());
        assert!(open_directory(&dir.path().join("real")).expect("opened").is_some());
        assert!(matches!(open(&dir.path().join("real/none")), Ok(Opened::Absent)));
    }

    #[test]
    fn parents_are_cut_off_by_name_and_never_lead_through_a_link() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("inside")).expect("made");
        std::fs::write(dir.path().join("inside/file"), "inside").expect("written");
        std::fs::write(dir.path().join("file"), "here").expect("written");
        symlink("inside/..", dir.path().join("inside/link")).expect("linked");
        let Ok(Opened::File(file)) = open(&dir.path().join("inside/link/../file")) else {
            panic!("not opened");
        };
        assert_eq!(read_bounded(&file, 10).expect("read"), b"inside");
        assert!(matches!(open(&dir.path().join("./inside/.././file")), Ok(Opened::File(_))));
        assert_eq!(absolute(Path::new("/../../a/./b/../c")).expect("a path"), Path::new("/a/c"));
    }

    #[test]
    fn a_fifo_neither_blocks_nor_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("fifo");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("made");
        let error = open(&path).expect_err("refused");
        assert!(error.to_string().contains("named pipe"), "{error}");
    }

    #[test]
    fn reads_are_bounded() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, [b'x'; 65]).expect("written");
        let file = File::open(&path).expect("opened");
        assert!(read_bounded(&file, 64).is_err());
    }
}
