//! The marker file: one decimal code, written once, by atomic rename.
//!
//! A marker is terminal. Nothing about its entry changes after it appears.

use crate::open_beneath::{self, Opened};
use crate::preallocated::PreallocatedFile;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Upper bound on the size of a marker in bytes. A code is a few digits; a longer file is not a marker.
pub const MAX_BYTES: usize = 64;

/// Markers are readable and replaceable by any user of the pod, whatever the
/// umask, as upstream makes them.
pub const MODE: u32 = 0o777;

/// Returns the path of the lock file that belongs to a marker: `<marker>.lock`.
pub fn lock_path(marker: &Path) -> PathBuf {
    with_suffix(marker, ".lock")
}

/// Returns the path of the report that belongs to a marker: `<marker>.report.json`.
pub fn report_path(marker: &Path) -> PathBuf {
    with_suffix(marker, ".report.json")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    PathBuf::from(text)
}

/// Preallocates the marker at `path` (4 KiB, one block), so that it appears even if the
/// volume fills up in the meantime.
pub fn reserve(path: &Path) -> io::Result<PreallocatedFile> {
    PreallocatedFile::create(path, 4096, MODE)
}

/// The content of a marker file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// The entry ended with this code.
    Code(i32),
    /// Not a decimal number: empty, half written by an entrypoint of another make, or
    /// nonsense. Poll again a moment later.
    Unreadable(String),
}

/// Reads a marker; returns `None` when there is none.
///
/// Only a regular file counts, and no symlink is followed on the way (see
/// [`open_beneath`]), because hostile code can write to the directory. A directory at
/// the path counts as no marker: entrypoint moves it aside, and if entrypoint is gone
/// the free lock says so.
pub fn read(path: &Path) -> Option<Content> {
    match open_beneath::open(path) {
        Ok(Opened::Absent) => None,
        Ok(Opened::File(file)) => Some(match open_beneath::read_bounded(&file, MAX_BYTES) {
            Ok(bytes) => parse(&bytes),
            Err(error) => Content::Unreadable(error.to_string()),
        }),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => None,
        Err(error) => Some(Content::Unreadable(error.to_string())),
    }
}

/// Parses a marker: a decimal integer with an optional sign, surrounded by any white
/// space.
pub fn parse(bytes: &[u8]) -> Content {
    let text = String::from_utf8_lossy(bytes);
    match text.trim().parse::<i32>() {
        Ok(code) => Content::Code(code),
        Err(_) if text.trim().is_empty() => Content::Unreadable("the marker is empty".to_owned()),
        Err(_) => Content::Unreadable(format!("the marker holds {:?}, no number", text.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_with_sign_and_space_are_read() {
        assert_eq!(parse(b"0"), Content::Code(0));
        assert_eq!(parse(b" 1130\n"), Content::Code(1130));
        assert_eq!(parse(b"-1"), Content::Code(-1));
        assert_eq!(parse(b"+7"), Content::Code(7));
    }

    #[test]
    fn anything_else_is_unreadable() {
        for bytes in [&b""[..], b"\n", b"12x", b"1.0", b"\xff", b"99999999999"] {
            assert!(matches!(parse(bytes), Content::Unreadable(_)), "{bytes:?}");
        }
    }

    #[test]
    fn a_reserved_marker_appears_whole_and_open_to_all() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("marker.txt");
        let reserved = reserve(&path).expect("reserved");
        assert_eq!(read(&path), None);
        reserved.publish(b"12").expect("published");
        assert_eq!(read(&path), Some(Content::Code(12)));
        assert_eq!(std::fs::read(&path).expect("readable"), b"12");
        let mode = path.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o777);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_directory_in_place_of_a_marker_is_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("marker.txt");
        std::fs::create_dir(&path).expect("made");
        assert_eq!(read(&path), None);
    }

    #[test]
    fn a_symlink_in_place_of_a_marker_is_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "0").expect("written");
        let path = dir.path().join("marker.txt");
        std::os::unix::fs::symlink(&secret, &path).expect("linked");
        assert!(matches!(read(&path), Some(Content::Unreadable(_))));
    }
}
