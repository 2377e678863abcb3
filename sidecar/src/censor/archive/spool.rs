//! Spooled content: in memory if small, else in an unnamed file in the temporary
//! directory, or in memory where there is none.

use super::bytes::ReadAt;
use super::{Stop, Walk};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Size up to which memory is cheaper than a file. There are at most two spools
/// per nesting level, and three at the end of a zip archive.
const MAX_IN_MEMORY_BYTES: usize = 256 * 1024;

/// Spooled content.
pub(super) struct Spool<'a> {
    memory: Vec<u8>,
    file: Option<(File, u64)>,
    /// Bytes of memory accounted for.
    held: u64,
    walk: Walk<'a>,
}

impl<'a> Spool<'a> {
    pub(super) fn new(walk: Walk<'a>) -> Self {
        Self { memory: Vec::new(), file: None, held: 0, walk }
    }

    /// Spools the whole input.
    pub(super) fn fill(walk: Walk<'a>, input: &mut dyn Read) -> Result<Self, Stop> {
        let mut spool = Self::new(walk);
        io::copy(input, &mut spool)?;
        Ok(spool)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.file.is_none() && self.memory.len() + bytes.len() > MAX_IN_MEMORY_BYTES {
            self.file = temporary_file().map(|file| (file, 0));
            let kept = std::mem::take(&mut self.memory);
            if self.file.is_some() {
                self.write_file(&kept)?;
            } else {
                self.memory = kept;
            }
        }
        if self.file.is_some() {
            return self.write_file(bytes);
        }
        if self.memory.len() + bytes.len() > MAX_IN_MEMORY_BYTES {
            // A growing vector can take twice its length.
            let grown = 2 * (self.memory.len() + bytes.len()) as u64;
            self.walk.hold_memory(grown - self.held)?;
            self.held = grown;
        }
        self.memory.extend_from_slice(bytes);
        Ok(())
    }

    fn write_file(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let Some((file, length)) = &mut self.file else { return Ok(()) };
        self.walk.meter().spool(bytes.len())?;
        *length += bytes.len() as u64;
        file.write_all(bytes).map_err(|error| {
            Stop::Member(format!("it cannot be kept in the temporary directory: {}", error.kind()))
        })
    }
}

impl Write for Spool<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for Spool<'_> {
    fn len(&self) -> u64 {
        self.file.as_ref().map_or(self.memory.len() as u64, |file| file.1)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        match &self.file {
            Some(file) => file.read_at(at, into),
            None => self.memory.as_slice().read_at(at, into),
        }
    }
}

impl Drop for Spool<'_> {
    fn drop(&mut self) {
        self.walk.release_memory(self.held);
        if let Some((_, length)) = &self.file {
            self.walk.meter().release(*length);
        }
    }
}

/// Creates a file that vanishes when it is closed, if possible.
pub(crate) fn temporary_file() -> Option<File> {
    let dir = std::env::temp_dir();
    let (flags, mode) = (OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR);
    match rustix::fs::open(&dir, flags | OFlags::TMPFILE, mode) {
        Ok(file) => Some(file.into()),
        // Not every file system supports unnamed files.
        Err(_) => named(&dir, flags, mode),
    }
}

fn named(dir: &Path, flags: OFlags, mode: Mode) -> Option<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = dir.join(format!(".sidecar-{}-{number}", std::process::id()));
    let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let file = rustix::fs::open(&path, flags, mode).ok()?;
    std::fs::remove_file(&path).ok()?;
    Some(file.into())
}
