//! Values that a job adds while it runs.
//!
//! The job, which is not trusted, can write to a secret directory in the log
//! volume. Therefore only regular files directly in it count, links are not
//! followed, and the total is bounded for the lifetime of the program, and what is read of
//! them at a time. Whole files are masked, and what a simple reader finds in credentials
//! files, which counts towards the bounds; no parser of YAML reads a hostile program's output.

use super::allowance::{Extent, Room};
use super::credentials::{Owner, recognize};
use super::files::is_hidden;
use super::{Added, Found, Round, SecretBytes, ValueKind};
use common::open_beneath;
use rustix::fs::{Dir, FileType, Mode, OFlags};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// Minimum length of a value: with `e` a job could mask every log.
pub(super) const MIN_BYTES: usize = 8;

/// Maximum number of names read from one directory.
const MAX_NAMES: usize = 5000;

/// Maximum size of a file of the job's that is looked into: what a parser makes of a hostile
/// one takes many times its size.
const MAX_RECOGNIZED_BYTES: usize = 128 << 10;

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

/// Reads the files of one of the job's directories, which need not exist yet, as far as there
/// is room. `add` makes a value known; returns whether there was a new one.
pub(super) fn read_directory(
    directory: &Path,
    room: &mut Room,
    round: &mut Round,
    add: &mut dyn FnMut(Found) -> Added,
) -> bool {
    let names = match open_beneath::open_directory(directory) {
        Ok(Some(fd)) => names(&fd).map(|names| (fd, names)),
        Ok(None) => return false,
        Err(error) => Err(error),
    };
    let (fd, names) = match names {
        Ok(found) => found,
        Err(error) => {
            round.problem(directory, format!("the directory cannot be read: {error}"));
            return false;
        }
    };
    if names.len() > MAX_NAMES {
        round.problem(directory, format!("it holds more than {MAX_NAMES} files, the rest is not read"));
    }
    let mut is_new = false;
    for name in names.iter().take(MAX_NAMES) {
        let path = directory.join(name);
        match open(&fd, name).and_then(|file| room.read(&file)) {
            Ok(Some(content)) => is_new |= file(&path, content, round, add),
            Ok(None) => round.problem(&path, "the job has added more than it may, it is not read"),
            Err(error) => round.problem(&path, format!("it cannot be read: {error}")),
        }
    }
    is_new
}

/// Adds the values of a file.
fn file(path: &Path, content: SecretBytes, round: &mut Round, add: &mut dyn FnMut(Found) -> Added) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let recognized =
        if content.len() > MAX_RECOGNIZED_BYTES { None } else { recognize(&name, &content, Owner::Job) };
    let mut values = vec![content];
    if let Some(recognized) = recognized {
        round.source(path, recognized.format, recognized.values.len());
        values.extend(recognized.values);
    }
    let file: Rc<str> = path.display().to_string().into();
    let (mut is_new, mut least) = (false, Extent::All);
    for bytes in values {
        let added = add(Found { bytes, file: Rc::clone(&file), kind: ValueKind::OfJob });
        is_new |= added.is_new;
        least = least.min(added.extent);
    }
    match least {
        Extent::All | Extent::WithoutRare => {}
        Extent::Least => {
            round.problem(path, "the job has added so much that it is masked only as it is, and as base64");
        }
        Extent::Nothing => {
            round.problem(path, "the job has added more values than it may, this one is not masked");
        }
    }
    is_new
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
