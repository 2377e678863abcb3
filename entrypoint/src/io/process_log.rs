//! The process log: counts and checksums what it appends, and is restored if the job
//! deleted it.

use super::timestamps::Stamper;
use common::preallocated;
use common::timestamp::Timestamp;
use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Mode bits that a log gets whatever the umask: sidecar may run as another user.
const READABLE: u32 = 0o444;

/// The process log.
#[derive(Debug)]
pub(super) struct ProcessLog {
    file: File,
    path: PathBuf,
    /// The last component of its path was a symlink.
    linked: bool,
    stamper: Option<Stamper>,
    bytes: u64,
    crc32c: u32,
    dropped: u64,
    reported: u64,
    line: Line,
}

/// Position of the end of what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Line {
    /// At the start of a line.
    #[default]
    Start,
    /// Inside a line.
    Inside,
}

impl Line {
    /// Returns the position after these bytes.
    pub(super) fn after(self, bytes: &[u8]) -> Self {
        match bytes.last() {
            Some(b'\n') => Self::Start,
            Some(_) => Self::Inside,
            None => self,
        }
    }
}

impl ProcessLog {
    /// Creates the log or truncates an existing one.
    pub(super) fn create(path: &Path, stamper: Option<Stamper>) -> io::Result<Self> {
        // Opened for reading too, so that it can be restored.
        let open = |access: OFlags| {
            // A named pipe at the path must not block us for ever; a regular file
            // ignores the flag.
            let flags = access
                | OFlags::CREATE
                | OFlags::TRUNC
                | OFlags::APPEND
                | OFlags::CLOEXEC
                | OFlags::NOCTTY
                | OFlags::NONBLOCK;
            rustix::fs::open(path, flags, Mode::from_raw_mode(0o666))
        };
        // A write-only file will do as a log.
        let file = File::from(open(OFlags::RDWR).or_else(|_| open(OFlags::WRONLY))?);
        let stat = rustix::fs::fstat(&file)?;
        if is_regular(&file) {
            let mode = Mode::from_raw_mode((stat.st_mode & 0o7777) | READABLE);
            // Another user's file keeps the mode its owner gave it.
            let _ = rustix::fs::fchmod(&file, mode);
        }
        let linked = path.is_symlink();
        Ok(Self {
            file,
            path: path.to_owned(),
            linked,
            stamper,
            bytes: 0,
            crc32c: 0,
            dropped: 0,
            reported: 0,
            line: Line::Start,
        })
    }

    /// Appends the child's output.
    pub(super) fn write_output(&mut self, bytes: &[u8]) {
        let Some(stamper) = &mut self.stamper else {
            let written = self.append(bytes);
            self.dropped += (bytes.len() - written) as u64;
            return;
        };
        let with_times = stamper.stamp(bytes, Timestamp::now);
        let written = self.append(&with_times);
        if written < with_times.len() {
            // An approximation: which bytes of a stamped chunk are missing does not matter.
            self.dropped += bytes.len().min(with_times.len() - written) as u64;
        }
    }

    /// Appends a record of our own, on a line of its own.
    pub(super) fn write_record(&mut self, bytes: &[u8]) {
        if self.line == Line::Inside {
            self.append(b"\n");
        }
        if let Some(stamper) = &mut self.stamper {
            stamper.begin_line();
        }
        // A record that does not fit is not counted as dropped output.
        self.append(bytes);
    }

    /// Appends as many bytes as fit and returns their number.
    fn append(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match rustix::io::write(&self.file, &bytes[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(rustix::io::Errno::INTR) => {}
                // Full, over quota or broken: drop the rest, and try again with the
                // next bytes.
                Err(_) => break,
            }
        }
        self.bytes += written as u64;
        self.line = self.line.after(&bytes[..written]);
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes[..written]);
        written
    }

    /// Returns the number of output bytes dropped since the last call.
    pub(super) fn newly_dropped(&mut self) -> u64 {
        let new = self.dropped - self.reported;
        self.reported = self.dropped;
        new
    }

    /// Returns bytes written, their CRC32C, and output bytes dropped.
    pub(super) fn totals(&self) -> (u64, u32, u64) {
        (self.bytes, self.crc32c, self.dropped)
    }

    /// Returns the end of the log, at most `limit` bytes; nothing of one that cannot be
    /// read.
    pub(super) fn tail(&self, limit: usize) -> Vec<u8> {
        let mut bytes = vec![0; limit.min(usize::try_from(self.bytes).unwrap_or(limit))];
        let from = self.bytes - bytes.len() as u64;
        let read = self.file.read_at(&mut bytes, from).unwrap_or(0);
        bytes.truncate(read);
        bytes
    }

    /// Copies the log back to its path if that no longer names it, as far as there is
    /// room.
    pub(super) fn restore(&self) -> io::Result<()> {
        // Sidecar follows no link that the job can have made, so a log that was moved
        // and linked counts as deleted.
        let moved = !self.linked && self.path.is_symlink();
        if !is_regular(&self.file) || !moved && names(&self.path, &self.file) {
            return Ok(());
        }
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let (temp, copy) = preallocated::create_beside(&self.path, 0o644)?;
        let copied =
            copy_all(&self.file, &copy).and_then(|()| preallocated::set_mode(&copy, 0o644).map(drop));
        // Part of a log is better than none.
        preallocated::replace(&temp, &self.path)?;
        copied
    }
}

impl AsFd for ProcessLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn is_regular(file: &File) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

/// Returns true if `path`, with links followed, is the open file.
fn names(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (path.metadata(), file.metadata()) {
        (Ok(at_path), Ok(open)) => at_path.ino() == open.ino() && at_path.dev() == open.dev(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

fn copy_all(from: &File, to: &File) -> io::Result<()> {
    let mut buffer = vec![0_u8; 64 * 1024];
    let mut offset = 0;
    loop {
        match from.read_at(&mut buffer, offset)? {
            0 => return Ok(()),
            length => {
                to.write_all_at(&buffer[..length], offset)?;
                offset += length as u64;
            }
        }
    }
}
