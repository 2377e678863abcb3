//! Copy mode: copies the running executable into a shared volume.

use common::preallocated;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Copies the running executable to `destination`, atomically and with its mode, and
/// makes missing parent directories. Replaces an earlier copy, which may be running.
/// Returns the error of a file system that refused the mode of a copy that works.
pub fn copy_self(destination: &Path) -> io::Result<Option<io::Error>> {
    copy(Path::new("/proc/self/exe"), destination)
}

/// Copies `source` to `destination`.
fn copy(source: &Path, destination: &Path) -> io::Result<Option<io::Error>> {
    let mut from = File::open(source)?;
    let mode = from.metadata()?.permissions().mode() & 0o7777;
    if let Some(parent) = destination.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    if destination.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    preallocated::copy(&mut from, destination, mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v_cp_1_copies_bytes_and_mode_into_a_new_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let source = dir.path().join("source");
        let destination = dir.path().join("not/yet/there");
        std::fs::write(&source, "several\nlines\n").expect("written");
        std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o644)).expect("set");
        for _ in 0..2 {
            assert!(copy(&source, &destination).expect("copied").is_none());
            assert_eq!(std::fs::read(&destination).expect("read"), b"several\nlines\n");
            let mode = destination.metadata().expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o644);
        }
        assert_eq!(std::fs::read_dir(dir.path().join("not/yet")).expect("listed").count(), 1);
    }

    #[test]
    fn a_directory_is_no_destination() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(copy_self(dir.path()).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
    }
}
