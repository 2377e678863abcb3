//! Values that a job adds while it runs.
//!
//! A listed directory in the log volume is written by the job, which is not
//! trusted: only regular files directly in it count, no link leads out of it,
//! and what can be added is bounded for as long as the program runs. Such
//! values are only ever masked as they are, whatever the name of the file: no
//! parser reads what a hostile program wrote.

use super::Round;
use super::files::{is_hidden, read};
use common::confined;
use rustix::fs::{Dir, FileType, Mode, OFlags};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Shorter values are not taken: a job could mask every log by adding `e`.
pub(super) const LEAST_BYTES: usize = 8;

/// Files of all such directories together, for as long as the program runs.
const MOST_FILES: usize = 1000;

/// Bytes of all such values together.
const MOST_BYTES: usize = 1 << 20;

/// Names that are looked at in one directory.
const MOST_NAMES: usize = 20_000;

/// What a job may still add.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    files: usize,
    bytes: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { files: MOST_FILES, bytes: MOST_BYTES }
    }
}

impl Allowance {
    /// Whether a value may still be added; it is then.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.files > 0 && bytes <= self.bytes;
        if fits {
            self.files -= 1;
            self.bytes -= bytes;
        }
        fits
    }
}

/// Whether a directory is at or below one that the job writes to. Paths are
/// compared by their names. The root, as the parent of a file that lies there,
/// would make every directory the job's and does not count.
pub(super) fn is_written_by_job(directory: &Path, volumes: &[PathBuf]) -> bool {
    let clean = |path: &Path| {
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => {
                    // Above the root is the root.
                    clean.pop();
                }
                Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
            }
        }
        clean
    };
    let directory = clean(directory);
    volumes
        .iter()
        .map(|volume| clean(volume))
        .any(|volume| volume.parent().is_some() && directory.starts_with(&volume))
}

/// Reads what a job has put into a directory. One that does not exist yet holds nothing.
pub(super) fn read_directory(directory: &Path, round: &mut Round) {
    let fd = match confined::open_directory(directory) {
        Ok(Some(fd)) => fd,
        Ok(None) => return,
        Err(error) => return round.problem(directory, format!("the directory cannot be read: {error}")),
    };
    let names = match names(&fd) {
        Ok(names) => names,
        Err(error) => return round.problem(directory, format!("the directory cannot be read: {error}")),
    };
    if names.len() > MOST_NAMES {
        round.problem(directory, format!("it holds more than {MOST_NAMES} files, the rest is not read"));
    }
    let mut files = 0;
    for name in names.iter().take(MOST_NAMES) {
        match open(&fd, name).and_then(|file| read(&file, MOST_BYTES)) {
            Ok(_) if files == MOST_FILES => {
                let reason = format!("it holds more than {MOST_FILES} values, the rest is not read");
                return round.problem(directory, reason);
            }
            Ok(content) => {
                files += 1;
                round.of_job(&directory.join(name), content);
            }
            Err(error) => round.problem(&directory.join(name), format!("it cannot be read: {error}")),
        }
    }
}

/// The names in a directory, in order; at most one more than are looked at.
fn names(fd: &OwnedFd) -> io::Result<BTreeSet<OsString>> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && !is_hidden(name) {
            names.insert(name.to_owned());
        }
        if names.len() > MOST_NAMES {
            break;
        }
    }
    Ok(names)
}

fn open(directory: &OwnedFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty()).map_err(|errno| {
        if errno == rustix::io::Errno::LOOP {
            io::Error::other("it is a symbolic link, which is not followed here")
        } else {
            errno.into()
        }
    })?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    if kind == FileType::RegularFile {
        Ok(File::from(file))
    } else {
        Err(io::Error::other(format!("it is {}, not a regular file", confined::describe(kind))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_volume_is_the_jobs() {
        let volumes = [PathBuf::from("/logs"), PathBuf::from("/work/items/"), PathBuf::from("/")];
        for (path, expected) in [
            ("/logs", true),
            ("/logs/secrets", true),
            ("/secrets/../logs/x", true),
            ("/logs/../secrets", false),
            ("/work/items", true),
            ("/logsx", false),
            ("/secrets", false),
        ] {
            assert_eq!(is_written_by_job(Path::new(path), &volumes), expected, "{path}");
        }
    }
}
