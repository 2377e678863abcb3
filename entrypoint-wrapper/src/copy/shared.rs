//! Copying the files of `SHARED_DIR` to where the step may change them.
//!
//! Kubernetes mounts a Secret as links into a directory that it swaps; what
//! arrives here are regular files. Directories stay behind, and what cannot be
//! read is named and left out: one dangling link must not block a step.

use crate::stderr;
use anyhow::{Context, Result};
use rustix::fs::{FileType, Mode, OFlags};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One read; between two of them a signal is heard.
const CHUNK: usize = 64 * 1024;

/// Copies every file of `source` into the directory `target`. The names that
/// were written to are added to `written`, also when the copy fails.
pub(crate) async fn files(source: &Path, target: &Path, written: &mut BTreeSet<OsString>) -> Result<()> {
    let unreadable = || format!("cannot read SHARED_DIR {}", source.display());
    for entry in fs::read_dir(source).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name();
        let left_out = match open(&source.join(&name)) {
            Ok(Source::Directory) => None,
            Ok(Source::Other(kind)) => Some(format!("it is {}", common::open_beneath::describe(kind))),
            Ok(Source::File(from)) => {
                written.insert(name.clone());
                contents(from, &target.join(&name)).await?
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = left_out {
            stderr::line(&format!("warning: {} is not copied: {reason}", source.join(&name).display()));
        }
    }
    Ok(())
}

enum Source {
    File(File),
    Directory,
    Other(FileType),
}

/// Follows links, and waits for nobody: a named pipe must not hold up the step.
fn open(path: &Path) -> io::Result<Source> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let found = path.metadata()?;
    if found.is_dir() {
        return Ok(Source::Directory);
    }
    if !found.is_file() {
        return Ok(Source::Other(FileType::from_raw_mode(found.mode())));
    }
    Ok(Source::File(rustix::fs::open(path, flags, Mode::empty())?.into()))
}

/// Copies one file's bytes. `Some` says why it cannot be read; then nothing of it
/// is left. An error to write is the caller's.
async fn contents(mut from: File, target: &Path) -> Result<Option<String>> {
    let unwritable = || format!("cannot write {}", target.display());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o666);
    let mut to = File::from(rustix::fs::open(target, flags, mode).with_context(unwritable)?);
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => to.write_all(&buffer[..count]).with_context(unwritable)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                fs::remove_file(target).with_context(unwritable)?;
                return Ok(Some(error.to_string()));
            }
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    async fn copied(source: &Path, target: &Path) -> Vec<String> {
        let mut written = BTreeSet::new();
        files(source, target, &mut written).await.expect("copied");
        let mut names: Vec<String> = fs::read_dir(target)
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        assert_eq!(
            written.into_iter().map(|name| name.into_string().expect("a name")).collect::<Vec<_>>(),
            names
        );
        names
    }

    #[tokio::test]
    async fn v_wp_4_files_behind_the_links_of_kubernetes_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let (source, target) = (dir.path().join("source"), dir.path().join("target"));
        let real = source.join("..2020_03_09_17_18_45.291041453");
        fs::create_dir_all(&real).expect("made");
        fs::create_dir(&target).expect("made");
        fs::write(real.join("test0.txt"), "test0\n").expect("written");
        symlink("..2020_03_09_17_18_45.291041453", source.join("..data")).expect("linked");
        symlink("..data/test0.txt", source.join("test0.txt")).expect("linked");
        assert_eq!(copied(&source, &target).await, ["test0.txt"]);
        assert!(target.join("test0.txt").symlink_metadata().expect("there").is_file());
        assert_eq!(fs::read(target.join("test0.txt")).expect("readable"), b"test0\n");
    }

    #[tokio::test]
    async fn dangling_links_and_named_pipes_are_left_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let (source, target) = (dir.path().join("source"), dir.path().join("target"));
        fs::create_dir_all(source.join("sub")).expect("made");
        fs::create_dir(&target).expect("made");
        fs::write(source.join("good"), vec![b'x'; 3 * CHUNK + 1]).expect("written");
        symlink("nowhere", source.join("dangling")).expect("linked");
        rustix::fs::mknodat(rustix::fs::CWD, source.join("pipe"), FileType::Fifo, Mode::RUSR, 0)
            .expect("made");
        assert_eq!(copied(&source, &target).await, ["good"]);
        assert_eq!(fs::metadata(target.join("good")).expect("there").len(), 3 * CHUNK as u64 + 1);
    }

    #[tokio::test]
    async fn an_absent_directory_is_an_error_and_no_link_is_written_through() {
        let dir = tempfile::tempdir().expect("a directory");
        let (source, target) = (dir.path().join("source"), dir.path().join("target"));
        let told = files(&source, &target, &mut BTreeSet::new()).await.expect_err("absent").to_string();
        assert!(told.contains("SHARED_DIR") && told.contains("source"), "{told}");
        fs::create_dir(&source).expect("made");
        fs::create_dir(&target).expect("made");
        fs::write(source.join("a"), "secret").expect("written");
        fs::write(dir.path().join("elsewhere"), "kept").expect("written");
        symlink(dir.path().join("elsewhere"), target.join("a")).expect("linked");
        let told = files(&source, &target, &mut BTreeSet::new()).await.expect_err("a link").to_string();
        assert!(told.contains("target/a"), "{told}");
        assert_eq!(fs::read(dir.path().join("elsewhere")).expect("readable"), b"kept");
    }
}
