//! Sources of an object's content: restartable, and confined to their item.
//!
//! Every attempt opens the file again and reads at most the size it had then, so
//! that a growing log or an endless file becomes an object of known length.

use super::compressed_document::CompressedDocument;
use crate::censor::Identity;
use bytes::Bytes;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use common::open_beneath::{self, Opened};
use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, OFlags, SeekFrom, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// A restartable source of one object's content.
#[derive(Clone, Debug)]
pub enum Source {
    /// A document that sidecar made.
    Bytes(Bytes),
    /// A large document that sidecar made.
    Compressed(Arc<CompressedDocument>),
    /// A file that the job wrote.
    File(FileSource),
}

/// A regular file, opened again for every attempt.
#[derive(Clone, Debug)]
pub struct FileSource {
    location: Location,
    plain: bool,
    linked: bool,
}

#[derive(Clone, Debug)]
enum Location {
    Configured(PathBuf),
    Item { dir: Arc<Dir>, path: PathBuf },
}

/// Identifies a file's content at the time when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The file's size in bytes.
    pub size: u64,
    /// Modification time: nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Change time of the inode: nanoseconds since 1970.
    pub ctime_ns: i128,
    /// The device the file lies on.
    pub device: u64,
    /// The file's inode number there.
    pub inode: u64,
}

impl FileSource {
    /// A path from the options, opened by the rules of [`common::open_beneath`].
    pub fn configured(path: PathBuf) -> Self {
        Self { location: Location::Configured(path), plain: false, linked: false }
    }

    /// A file below an item's directory, whose handle it cannot leave.
    pub fn in_item(dir: Arc<Dir>, path: PathBuf) -> Self {
        Self { location: Location::Item { dir, path }, plain: false, linked: false }
    }

    /// The same file, to be censored as plain bytes whatever it begins with:
    /// process logs are no containers (C-2).
    #[must_use]
    pub fn plain(self) -> Self {
        Self { plain: true, ..self }
    }

    /// The same file, which a symbolic link may have led to.
    #[must_use]
    pub fn linked(self, linked: bool) -> Self {
        Self { linked, ..self }
    }

    /// Returns whether the file is never taken for a container.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// Opens the file; anything but a regular file is an error.
    pub fn open(&self) -> io::Result<OpenFile> {
        let fd: OwnedFd = match &self.location {
            Location::Configured(path) => match open_beneath::open(path)? {
                Opened::File(file) => file.into(),
                Opened::Absent => return Err(io::ErrorKind::NotFound.into()),
            },
            Location::Item { dir, path } => open_below(dir, path)?.into(),
        };
        OpenFile::new(fd, self.linked)
    }
}

fn open_below(dir: &Dir, path: &std::path::Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    Ok(dir.open_with(path, &options)?.into_std())
}

/// The unit of `st_blocks`.
const BLOCK_BYTES: u64 = 512;

/// An open regular file, read up to the size it had when it was opened.
#[derive(Debug)]
pub struct OpenFile {
    fd: OwnedFd,
    stamp: Stamp,
    left: u64,
    has_other_names: bool,
    /// It takes less space than its size.
    is_sparse: bool,
}

impl OpenFile {
    fn new(fd: OwnedFd, linked: bool) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&fd)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::RegularFile {
            let what = open_beneath::describe(kind);
            return Err(io::Error::other(format!("it is {what}, not a regular file")));
        }
        let stamp = Stamp::of(&stat);
        let blocks = u64::try_from(stat.st_blocks).unwrap_or(u64::MAX);
        Ok(Self {
            fd,
            stamp,
            left: stamp.size,
            has_other_names: linked || stat.st_nlink > 1,
            is_sparse: blocks.saturating_mul(BLOCK_BYTES) < stamp.size,
        })
    }

    /// Returns whether the same file may be met under another name.
    pub fn has_other_names(&self) -> bool {
        self.has_other_names
    }

    /// Returns the file's identity when it was opened.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Returns how many bytes are still to be read.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Fills the spare capacity of `buffer`, in one read; 0 means the end.
    pub fn append_to(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let before = buffer.len();
        let read = loop {
            match rustix::io::read(&self.fd, spare_capacity(buffer)) {
                Ok(read) => break read,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        let kept = usize::try_from(self.left).unwrap_or(usize::MAX).min(read);
        buffer.truncate(before + kept);
        self.left -= kept as u64;
        Ok(kept)
    }

    /// Skips a hole of at least `least` bytes that begins where the next read would; returns
    /// its length, 0 for none.
    pub fn skip_hole(&mut self, least: u64) -> u64 {
        if !self.is_sparse || self.left < least {
            return 0;
        }
        let at = self.stamp.size - self.left;
        let data = match rustix::fs::seek(&self.fd, SeekFrom::Data(at)) {
            Ok(data) => data.min(self.stamp.size),
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => self.stamp.size,
            Err(_) => at,
        };
        let hole = data.saturating_sub(at);
        let skipped = if hole < least { 0 } else { hole };
        if rustix::fs::seek(&self.fd, SeekFrom::Start(at + skipped)).is_err() {
            // Never for a regular file; what follows would be read at a wrong place.
            self.left = 0;
            return 0;
        }
        self.left -= skipped;
        skipped
    }

    /// Returns whether a range holds no data but a hole.
    pub fn is_hole(&self, at: u64, length: u64) -> bool {
        if !self.is_sparse {
            return false;
        }
        let is_hole = match rustix::fs::seek(&self.fd, SeekFrom::Data(at)) {
            Ok(data) => data >= at.saturating_add(length),
            Err(error) => error == Errno::NXIO,
        };
        // The next read begins where it would have; never fails for a regular file.
        let is_back = rustix::fs::seek(&self.fd, SeekFrom::Start(self.stamp.size - self.left));
        is_hole && is_back.is_ok()
    }

    /// Reads at an offset, up to the size that the file had when it was opened.
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.stamp.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        Ok(rustix::io::retry_on_intr(|| rustix::io::pread(&self.fd, &mut into[..most], at))?)
    }

    /// Returns whether the file has been changed since it was opened: grown,
    /// truncated, written, renamed or deleted.
    pub fn changed(&self) -> bool {
        // A file whose state is unknown counts as changed.
        rustix::fs::fstat(&self.fd).map_or(true, |stat| Stamp::of(&stat) != self.stamp)
    }
}

impl Stamp {
    /// Returns what distinguishes the content from that of all other files.
    pub fn identity(&self) -> Identity {
        (self.device, self.inode, self.size, self.mtime_ns, self.ctime_ns)
    }

    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: nanoseconds(i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)),
            ctime_ns: nanoseconds(i128::from(stat.st_ctime), i128::from(stat.st_ctime_nsec)),
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

fn nanoseconds(seconds: i128, fraction: i128) -> i128 {
    seconds * 1_000_000_000 + fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    fn read_all(source: &FileSource) -> io::Result<Vec<u8>> {
        let mut file = source.open()?;
        let mut all = Vec::new();
        loop {
            all.reserve(7);
            if file.append_to(&mut all)? == 0 {
                return Ok(all);
            }
        }
    }

    #[test]
    fn a_file_gives_what_it_held_when_it_was_opened() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        std::fs::write(&path, "twelve bytes").expect("written");
        let source = FileSource::configured(path.clone());
        let mut file = source.open().expect("opened");
        let mut append = File::options().append(true).open(&path).expect("opened");
        append.write_all(b" and more").expect("written");
        let mut all = Vec::with_capacity(100);
        while file.append_to(&mut all).expect("read") > 0 {}
        assert_eq!(all, b"twelve bytes");
        assert!(file.changed());
        assert_eq!(read_all(&source).expect("read"), b"twelve bytes and more");
        assert!(!source.open().expect("opened").changed());
    }

    #[test]
    fn an_item_is_not_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let item = dir.path().join("item");
        std::fs::create_dir(&item).expect("made");
        std::fs::write(dir.path().join("secret"), "s").expect("written");
        std::fs::write(item.join("file"), "content").expect("written");
        symlink("../secret", item.join("out")).expect("linked");
        symlink("file", item.join("inside")).expect("linked");
        symlink(".", item.join("self")).expect("linked");
        let handle = Arc::new(Dir::open_ambient_dir(&item, ambient_authority()).expect("opened"));
        let source = |path: &str| FileSource::in_item(Arc::clone(&handle), PathBuf::from(path));
        assert_eq!(read_all(&source("inside")).expect("read"), b"content");
        assert_eq!(read_all(&source("self/self/file")).expect("read"), b"content");
        for refused in ["out", "../secret", "self", "none", "/etc/passwd"] {
            assert!(source(refused).open().is_err(), "{refused}");
        }
    }

    #[test]
    fn a_pipe_is_refused_without_waiting() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, 0o600.into(), 0).expect("made");
        let handle = Dir::open_ambient_dir(dir.path(), ambient_authority()).expect("opened");
        let error = FileSource::in_item(Arc::new(handle), PathBuf::from("pipe")).open().expect_err("refused");
        assert!(error.to_string().contains("named pipe"), "{error}");
        assert!(FileSource::configured(path).open().is_err());
    }
}
