//! What an object's content is read from: restartable and confined.

use bytes::Bytes;
use cap_std::fs::Dir;
use std::path::PathBuf;
use std::sync::Arc;

/// A restartable source of one object's content.
#[derive(Clone, Debug)]
pub enum Source {
    /// A document made by us.
    Bytes(Bytes),
    /// A file that others wrote.
    File(FileSource),
}

/// A regular file that is opened anew for every attempt.
#[derive(Clone, Debug)]
pub struct FileSource {
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Configured(PathBuf),
    Item { dir: Arc<Dir>, path: PathBuf },
}

/// What identified a file's content when it was opened.
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
    /// A path from the options, opened by the rules of [`common::confined`].
    pub fn configured(path: PathBuf) -> Self {
        Self { place: Place::Configured(path) }
    }

    /// A file below an item's directory, whose handle it cannot leave.
    pub fn in_item(dir: Arc<Dir>, path: PathBuf) -> Self {
        Self { place: Place::Item { dir, path } }
    }
}
