//! Copying a program into a shared volume: whole or not at all.

use crate::stderr;
use anyhow::{Context, Result, bail};
use common::preallocated;
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// The running executable, whatever its path is called in this container.
const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// Copies the running executable to `destination`, making its parent directories.
pub(crate) fn own_executable(destination: &Path) -> Result<()> {
    if let Some(parent) = destination.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .with_context(|| format!("cannot make the directory {}", parent.display()))?;
    }
    atomically(Path::new(OWN_EXECUTABLE), destination)
}

/// Copies one file as `cp` does: into `destination` when that is a directory.
pub(crate) fn file(source: &Path, destination: &Path) -> Result<()> {
    match source.file_name() {
        Some(name) if destination.is_dir() => atomically(source, &destination.join(name)),
        Some(_) | None => atomically(source, destination),
    }
}

fn atomically(source: &Path, destination: &Path) -> Result<()> {
    let unreadable = || format!("cannot read {}", source.display());
    let mut from = File::open(source).with_context(unreadable)?;
    let metadata = from.metadata().with_context(unreadable)?;
    if !metadata.is_file() {
        bail!("cannot copy {}: it is no regular file", source.display());
    }
    let mode = metadata.permissions().mode() & 0o7777;
    // Whoever starts the copy sees the old program or the new one, never half of it.
    let refused = preallocated::copy(&mut from, destination, mode)
        .with_context(|| format!("cannot write {}", destination.display()))?;
    if let Some(error) = refused {
        stderr::line(&format!("warning: the mode of {} cannot be set: {error}", destination.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        path.metadata().expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn the_own_executable_arrives_whole_and_executable() {
        let dir = tempfile::tempdir().expect("a directory");
        let destination = dir.path().join("a/b/program");
        own_executable(&destination).expect("copied");
        own_executable(&destination).expect("copied again");
        let own = std::env::current_exe().expect("known");
        assert_eq!(fs::read(&destination).expect("readable"), fs::read(&own).expect("readable"));
        assert_eq!(mode_of(&destination), mode_of(&own));
        assert_eq!(fs::read_dir(dir.path().join("a/b")).expect("listed").count(), 1);
    }

    #[test]
    fn like_cp_into_a_directory_with_the_mode_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let source = dir.path().join("source");
        fs::write(&source, "text\nmore\n").expect("written");
        fs::set_permissions(&source, fs::Permissions::from_mode(0o751)).expect("set");
        let into = dir.path().join("into");
        fs::create_dir(&into).expect("made");
        file(&source, &into).expect("copied");
        assert_eq!(fs::read(into.join("source")).expect("readable"), b"text\nmore\n");
        assert_eq!(mode_of(&into.join("source")), 0o751);
    }

    #[test]
    fn failures_name_the_file_and_leave_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("missing");
        let told = file(&missing, dir.path()).expect_err("no source").to_string();
        assert!(told.contains("missing"), "{told}");
        let told = file(dir.path(), &missing).expect_err("no regular file").to_string();
        assert!(told.contains("no regular file"), "{told}");
        let source = dir.path().join("source");
        fs::write(&source, "text").expect("written");
        let told = file(&source, &missing.join("deeper")).expect_err("no directory").to_string();
        assert!(told.contains("missing/deeper"), "{told}");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }
}
