//! Walks the files below an item's directory.
//!
//! Hostile code owns the directory. Only its open handle is used, which no path
//! can leave (cap-std), and one directory is open at a time, so that depth costs
//! no descriptors.

use crate::io::source::Stamp;
use cap_std::fs::{Dir, Metadata, MetadataExt};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::ffi::OsStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Upper bound on the symbolic links followed in a row, as in the kernel.
const MAX_LINKS: usize = 40;

const LEAVES: &str = "it is a symbolic link that leaves the item";
const TO_DIRECTORY: &str = "it is a symbolic link to a directory";

/// The file behind a name in a directory.
pub(super) enum Found {
    /// A file to deliver.
    File {
        /// Identifies its content.
        stamp: Stamp,
        /// The path in the item to open instead, where the name is a symbolic link.
        target: Option<Box<Path>>,
    },
    /// Something that is not delivered; the reason.
    Other(String),
}

/// Until `each` breaks, calls it with the path in the item of everything that is no directory, and
/// of directories that cannot be read. Enters directories in the order of their
/// names.
pub(super) fn walk(
    root: &Dir,
    configured: &Path,
    each: &mut dyn FnMut(&Path, Found) -> ControlFlow<()>,
) -> ControlFlow<()> {
    // Each with its parent, which its siblings share: there can be very many.
    let mut pending: Vec<(Arc<Path>, Box<OsStr>)> = vec![(Path::new("").into(), Box::default())];
    while let Some((parent, name)) = pending.pop() {
        let path: Arc<Path> = parent.join(&*name).into();
        let listed = open_directory(root, &path).and_then(|dir| names(&dir).map(|names| (dir, names)));
        let (dir, names) = match listed {
            Ok(listed) => listed,
            Err(error) => {
                each(&path, Found::Other(format!("the directory cannot be read: {error}")))?;
                continue;
            }
        };
        let first = pending.len();
        let parent = path;
        for (name, kind) in names.iter() {
            let path = parent.join(OsStr::from_bytes(name));
            let kind = if kind == FileType::Unknown { kind_of(&dir, name) } else { kind };
            match kind {
                FileType::Directory => pending.push((Arc::clone(&parent), OsStr::from_bytes(name).into())),
                FileType::RegularFile => each(&path, file(&dir, name))?,
                FileType::Symlink => {
                    let found = link(root, configured, &path);
                    each(&path, found)?;
                }
                FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => {
                    let what = common::open_beneath::describe(kind);
                    each(&path, Found::Other(format!("it is {what}, not a regular file")))?;
                }
            }
        }
        pending[first..].reverse();
    }
    ControlFlow::Continue(())
}

fn open_directory(root: &Dir, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // A directory that cap-std opens is a starting point only and cannot be read.
    Ok(if path.as_os_str().is_empty() {
        rustix::fs::openat(root, ".", flags, Mode::empty())?
    } else {
        rustix::fs::openat(root.open_dir(path)?, ".", flags, Mode::empty())?
    })
}

/// The names in one directory, in one block of memory: there can be very many.
#[derive(Default)]
struct Names {
    bytes: Vec<u8>,
    /// Start, length and reported type of each name.
    each: Vec<(u32, u16, FileType)>,
}

impl Names {
    fn push(&mut self, name: &[u8], kind: FileType) -> io::Result<()> {
        let (Ok(start), Ok(length)) = (u32::try_from(self.bytes.len()), u16::try_from(name.len())) else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.bytes.extend_from_slice(name);
        self.each.push((start, length, kind));
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], FileType)> {
        self.each.iter().map(|(start, length, kind)| (piece(&self.bytes, *start, *length), *kind))
    }
}

fn piece(bytes: &[u8], start: u32, length: u16) -> &[u8] {
    &bytes[start as usize..][..usize::from(length)]
}

/// Reads the names in a directory, sorted by their bytes.
fn names(dir: &OwnedFd) -> io::Result<Names> {
    let mut names = Names::default();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name, entry.file_type())?;
        }
    }
    let bytes = &names.bytes;
    names.each.sort_unstable_by_key(|(start, length, _)| piece(bytes, *start, *length));
    Ok(names)
}

fn kind_of(dir: &OwnedFd, name: &[u8]) -> FileType {
    rustix::fs::statat(dir, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}

fn file(dir: &OwnedFd, name: &[u8]) -> Found {
    match rustix::fs::statat(dir, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
            Found::File { stamp: Stamp::of(&stat), target: None }
        }
        Ok(_) => Found::Other("it was replaced while it was listed".to_owned()),
        Err(error) => Found::Other(io::Error::from(error).to_string()),
    }
}

/// Follows a link as long as it stays inside the item. Where the handle refuses to,
/// reads the link: an absolute target below the item's own path counts as relative
/// to the item.
fn link(root: &Dir, configured: &Path, path: &Path) -> Found {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let refused = match root.metadata(&path) {
            Ok(metadata) => return followed(&metadata, path),
            Err(error) => error,
        };
        let Ok(target) = root.read_link_contents(&path) else {
            return Found::Other(if refused.kind() == io::ErrorKind::NotFound {
                "it is a symbolic link to nothing".to_owned()
            } else if refused.kind() == io::ErrorKind::PermissionDenied {
                LEAVES.to_owned()
            } else {
                format!("it is a symbolic link that cannot be followed: {refused}")
            });
        };
        let inside = match target.strip_prefix(configured) {
            Ok(inside) => Some(inside.to_owned()),
            Err(_) => lexical(path.parent().unwrap_or(Path::new("")), &target),
        };
        path = match inside {
            Some(inside) if inside.as_os_str().is_empty() => return Found::Other(TO_DIRECTORY.to_owned()),
            Some(inside) => inside,
            None => return Found::Other(LEAVES.to_owned()),
        };
    }
    Found::Other("it is a chain of too many symbolic links".to_owned())
}

fn followed(metadata: &Metadata, path: PathBuf) -> Found {
    if metadata.is_dir() {
        return Found::Other(TO_DIRECTORY.to_owned());
    }
    if !metadata.is_file() {
        return Found::Other("it is a symbolic link to something that is no regular file".to_owned());
    }
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let stamp = Stamp {
        size: metadata.size(),
        mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        device: metadata.dev(),
        inode: metadata.ino(),
    };
    Found::File { stamp, target: Some(path.into()) }
}

/// Resolves a relative `target` from `parent`; `None` when it leaves the item or is
/// absolute.
fn lexical(parent: &Path, target: &Path) -> Option<PathBuf> {
    let mut path = parent.to_owned();
    for part in target.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            Component::Normal(name) => path.push(name),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}
