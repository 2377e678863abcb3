//! Values that a job adds while it runs.
//!
//! The job, which is not trusted, can write to a secret directory in the log
//! volume. Therefore only regular files directly in it count, links are not
//! followed, and the total is bounded for the lifetime of the program. Whole files
//! are masked, and what a simple reader finds in credentials files, which counts
//! towards the bounds; no parser of YAML reads a hostile program's output.

use super::Round;
use super::credentials::{Owner, recognize};
use super::files::{is_hidden, read};
use common::open_beneath;
use rustix::fs::{Dir, FileType, Mode, OFlags};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Minimum length of a value: with `e` a job could mask every log.
pub(super) const MIN_BYTES: usize = 8;

/// Maximum number of files of all such directories, for the program's lifetime.
const MAX_FILES: usize = 1000;

/// Maximum total size of all such values.
const MAX_BYTES: usize = 1 << 20;

/// Maximum number of names read from one directory.
const MAX_NAMES: usize = 20_000;

/// The remaining allowance of the job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    files: usize,
    bytes: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { files: MAX_FILES, bytes: MAX_BYTES }
    }
}

impl Allowance {
    /// Takes a value from the allowance, if it fits.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let fits = self.files > 0 && bytes <= self.bytes;
        if fits {
            self.files -= 1;
            self.bytes -= bytes;
        }
        fits
    }
}

/// Returns whether a directory is at or below one that the job can write to.
/// Compares paths by name. The root (as the parent of a file there) would make
/// every directory the job's and does not count.
pub(super) fn is_written_by_job(directory: &Path, volumes: &[PathBuf]) -> bool {
    let clean = |path: &Path| {
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => {
                    // The parent of the root is the root.
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

/// Reads the files of one of the job's directories, which need not exist yet.
pub(super) fn read_directory(directory: &Path, round: &mut Round) {
    let fd = match open_beneath::open_directory(directory) {
        Ok(Some(fd)) => fd,
        Ok(None) => return,
        Err(error) => return round.problem(directory, format!("the directory cannot be read: {error}")),
    };
    let names = match names(&fd) {
        Ok(names) => names,
        Err(error) => return round.problem(directory, format!("the directory cannot be read: {error}")),
    };
    if names.len() > MAX_NAMES {
        round.problem(directory, format!("it holds more than {MAX_NAMES} files, the rest is not read"));
    }
    let mut files = 0;
    for name in names.iter().take(MAX_NAMES) {
        match open(&fd, name).and_then(|file| read(&file, MAX_BYTES)) {
            Ok(_) if files == MAX_FILES => {
                let reason = format!("it holds more than {MAX_FILES} values, the rest is not read");
                return round.problem(directory, reason);
            }
            Ok(content) => {
                files += 1;
                let path = directory.join(name);
                let recognized = recognize(&name.to_string_lossy(), &content, Owner::Job);
                round.of_job(&path, content);
                if let Some(recognized) = recognized {
                    round.source(&path, recognized.format, recognized.values.len());
                    recognized.values.into_iter().for_each(|value| round.of_job(&path, value));
                }
            }
            Err(error) => round.problem(&directory.join(name), format!("it cannot be read: {error}")),
        }
    }
}

/// Returns the names in a directory in order, at most one more than the maximum.
fn names(fd: &OwnedFd) -> io::Result<BTreeSet<OsString>> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && !is_hidden(name) {
            names.insert(name.to_owned());
        }
        if names.len() > MAX_NAMES {
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
        Err(io::Error::other(format!("it is {}, not a regular file", open_beneath::describe(kind))))
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
