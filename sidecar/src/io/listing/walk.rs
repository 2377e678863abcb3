//! Walks the files below an item's directory.
//!
//! Hostile code owns the directory. Only its open handle is used, which no path
//! can leave (cap-std). A directory stays open only while names are left to be read of
//! it, so that depth alone costs no descriptors, and the names that are held are bounded.

use crate::io::source::Stamp;
use cap_std::fs::{Dir, Metadata, MetadataExt};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::ffi::OsStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Upper bound on the symbolic links followed in a row, as in the kernel.
const MAX_LINKS: usize = 40;

/// Upper bound on the names that are held, in bytes. A directory with more than half of it
/// is read in pieces.
const MAX_HELD_BYTES: usize = 2 << 20;

/// The least piece of a directory, however much is held.
const MIN_PIECE_BYTES: usize = 4 << 10;

/// Upper bound on the directories that are read in pieces within each other.
const MAX_OPEN: usize = 64;

const TOO_MANY_LARGE: &str = "it lies within too many directories with very many names";
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
/// names; one with very many names in pieces, each in that order.
pub(super) fn walk(
    root: &Dir,
    configured: &Path,
    each: &mut dyn FnMut(&Path, Found) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut walk = Walk { root, configured, each, nested: Vec::new(), held: 0 };
    walk.enter(Path::new("").into())?;
    while let Some(directory) = walk.nested.last_mut() {
        if let Some(name) = directory.subdirectories.next() {
            let path = directory.path.join(OsStr::from_bytes(name));
            walk.enter(path.into())?;
        } else if directory.rest.is_some() {
            walk.read_on()?;
        } else if let Some(left) = walk.nested.pop() {
            walk.held -= left.subdirectories.bytes();
        }
    }
    ControlFlow::Continue(())
}

/// The way from the item to where the walk is.
struct Walk<'a> {
    root: &'a Dir,
    configured: &'a Path,
    each: &'a mut dyn FnMut(&Path, Found) -> ControlFlow<()>,
    nested: Vec<Directory>,
    /// Bytes of the names that are held of all of them.
    held: usize,
}

/// A directory that was entered.
struct Directory {
    path: Arc<Path>,
    /// Open while names are left to be read.
    rest: Option<rustix::fs::Dir>,
    /// Those still to be entered.
    subdirectories: Names,
}

impl Walk<'_> {
    fn enter(&mut self, path: Arc<Path>) -> ControlFlow<()> {
        let open = self.nested.iter().filter(|directory| directory.rest.is_some()).count();
        if open >= MAX_OPEN {
            return (self.each)(&path, Found::Other(TOO_MANY_LARGE.to_owned()));
        }
        match open_directory(self.root, &path).and_then(|dir| Ok(rustix::fs::Dir::new(dir)?)) {
            Ok(dir) => {
                self.nested.push(Directory { path, rest: Some(dir), subdirectories: Names::default() });
                self.read_on()
            }
            Err(error) => (self.each)(&path, unreadable(&error)),
        }
    }

    /// Reads more names of the directory that was entered last.
    fn read_on(&mut self) -> ControlFlow<()> {
        let Some(directory) = self.nested.last_mut() else { return ControlFlow::Continue(()) };
        let Some(mut dir) = directory.rest.take() else { return ControlFlow::Continue(()) };
        self.held -= std::mem::take(&mut directory.subdirectories).bytes();
        let room = (MAX_HELD_BYTES.saturating_sub(self.held) / 2).max(MIN_PIECE_BYTES);
        let parent = Arc::clone(&directory.path);
        let (names, is_all) = match names(&mut dir, room) {
            Ok(names) => names,
            Err(error) => return (self.each)(&parent, unreadable(&error)),
        };
        let subdirectories = self.tell(&parent, &dir, &names)?;
        self.held += subdirectories.bytes();
        let Some(directory) = self.nested.last_mut() else { return ControlFlow::Continue(()) };
        directory.subdirectories = subdirectories;
        if !is_all {
            directory.rest = Some(dir);
        }
        ControlFlow::Continue(())
    }

    /// Tells of everything but directories; returns these.
    fn tell(&mut self, parent: &Path, dir: &rustix::fs::Dir, names: &Names) -> ControlFlow<(), Names> {
        let mut subdirectories = Names::default();
        let fd = match dir.fd() {
            Ok(fd) => fd,
            Err(error) => {
                (self.each)(parent, unreadable(&error.into()))?;
                return ControlFlow::Continue(subdirectories);
            }
        };
        for (name, kind) in names.iter() {
            let path = parent.join(OsStr::from_bytes(name));
            let kind = if kind == FileType::Unknown { kind_of(fd, name) } else { kind };
            let found = match kind {
                FileType::Directory => {
                    subdirectories.push(name, kind);
                    continue;
                }
                FileType::RegularFile => file(fd, name),
                FileType::Symlink => link(self.root, self.configured, &path),
                FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => {
                    let what = common::open_beneath::describe(kind);
                    Found::Other(format!("it is {what}, not a regular file"))
                }
            };
            (self.each)(&path, found)?;
        }
        ControlFlow::Continue(subdirectories)
    }
}

fn unreadable(error: &io::Error) -> Found {
    Found::Other(format!("the directory cannot be read: {error}"))
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

/// Names in one directory, in one block of memory: there can be very many.
#[derive(Default)]
struct Names {
    bytes: Vec<u8>,
    /// Start, length and reported type of each name.
    each: Vec<(u32, u8, FileType)>,
    /// How many of them were taken.
    taken: usize,
}

impl Names {
    /// Adds a name, which has at most 255 bytes (`NAME_MAX`).
    fn push(&mut self, name: &[u8], kind: FileType) {
        if let (Ok(start), Ok(length)) = (u32::try_from(self.bytes.len()), u8::try_from(name.len())) {
            self.bytes.extend_from_slice(name);
            self.each.push((start, length, kind));
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], FileType)> {
        self.each.iter().map(|(start, length, kind)| (piece(&self.bytes, *start, *length), *kind))
    }

    /// Takes the next name.
    fn next(&mut self) -> Option<&[u8]> {
        let (start, length, _) = *self.each.get(self.taken)?;
        self.taken += 1;
        Some(piece(&self.bytes, start, length))
    }

    /// Returns the memory that they take.
    fn bytes(&self) -> usize {
        self.bytes.capacity() + self.each.capacity() * size_of::<(u32, u8, FileType)>()
    }
}

fn piece(bytes: &[u8], start: u32, length: u8) -> &[u8] {
    &bytes[start as usize..][..usize::from(length)]
}

/// Reads names in a directory until they take so many bytes, sorted by their own; returns
/// also whether they are all that were left.
fn names(dir: &mut rustix::fs::Dir, room: usize) -> io::Result<(Names, bool)> {
    let mut names = Names::default();
    let mut is_all = true;
    for entry in dir.by_ref() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name, entry.file_type());
        }
        if names.bytes.len() + names.each.len() * size_of::<(u32, u8, FileType)>() >= room {
            is_all = false;
            break;
        }
    }
    let bytes = &names.bytes;
    names.each.sort_unstable_by_key(|(start, length, _)| piece(bytes, *start, *length));
    Ok((names, is_all))
}

fn kind_of(dir: BorrowedFd<'_>, name: &[u8]) -> FileType {
    rustix::fs::statat(dir, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}

fn file(dir: BorrowedFd<'_>, name: &[u8]) -> Found {
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
