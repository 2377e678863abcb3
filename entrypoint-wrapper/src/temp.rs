//! The content of the temporary directory while the command runs: the copied
//! `SHARED_DIR` and a private kubeconfig, each in a directory of mode 0700.
//!
//! ```text
//! <temp dir>/secret/                 the command's SHARED_DIR (contract W-6)
//! <temp dir>/kubeconfig-<random>/    holds the command's KUBECONFIG
//! ```
//!
//! Both are removed when the value is dropped. What was in `secret` before stays
//! there, unless it was overwritten; the temporary directory itself stays.

use crate::stderr;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, Permissions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The default of `$TMPDIR`.
const DEFAULT: &str = "/tmp";

/// The directories of one run.
#[derive(Debug)]
pub(crate) struct TempData {
    base: PathBuf,
    shared_dir: PathBuf,
    before: Before,
    kubeconfig_dir: Option<PathBuf>,
    /// Names in `shared_dir` that the copy wrote to.
    pub(crate) copied: BTreeSet<OsString>,
}

/// The state of `shared_dir` before this run.
#[derive(Debug)]
enum Before {
    Absent,
    /// A directory with these names, kept as W-40 has it.
    Held(BTreeSet<OsString>),
    /// `SHARED_DIR` itself: a wrapper around this one made it, and will read it.
    Source,
}

impl TempData {
    /// Makes `<temp dir>/secret`. `tmpdir` is the variable of that name; `source`
    /// is `SHARED_DIR`.
    pub(crate) fn create(tmpdir: Option<OsString>, source: &Path) -> Result<Self> {
        let base = match tmpdir {
            Some(dir) if !dir.is_empty() => PathBuf::from(dir).components().collect(),
            Some(_) | None => PathBuf::from(DEFAULT),
        };
        let shared_dir = base.join("secret");
        let before = make(&base, &shared_dir, source)
            .with_context(|| format!("cannot make the directory {}", shared_dir.display()))?;
        Ok(Self { base, shared_dir, before, kubeconfig_dir: None, copied: BTreeSet::new() })
    }

    /// The command's `SHARED_DIR`.
    pub(crate) fn shared_dir(&self) -> &Path {
        &self.shared_dir
    }

    /// Copies the files of `source` into the command's `SHARED_DIR`.
    pub(crate) async fn fill(&mut self, source: &Path) -> Result<()> {
        match self.before {
            Before::Source => Ok(()),
            Before::Absent | Before::Held(_) => {
                crate::copy::shared::files(source, &self.shared_dir, &mut self.copied).await
            }
        }
    }

    /// Makes a directory for a private kubeconfig.
    pub(crate) fn make_kubeconfig_dir(&mut self) -> Result<PathBuf> {
        loop {
            let random = std::hash::RandomState::new().build_hasher().finish();
            let dir = self.base.join(format!("kubeconfig-{random:016x}"));
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => {
                    self.kubeconfig_dir = Some(dir.clone());
                    return Ok(dir);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot make the directory {}", dir.display()));
                }
            }
        }
    }

    fn remove(&self) -> io::Result<()> {
        if let Some(dir) = &self.kubeconfig_dir {
            remove_tree(dir)?;
        }
        match &self.before {
            Before::Absent => remove_tree(&self.shared_dir),
            Before::Source => Ok(()),
            Before::Held(names) => {
                for entry in absent_as_none(fs::read_dir(&self.shared_dir))?.into_iter().flatten() {
                    let name = entry?.file_name();
                    if !names.contains(&name) || self.copied.contains(&name) {
                        remove_tree(&self.shared_dir.join(name))?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Drop for TempData {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            stderr::line(&format!("warning: temporary data is left in {}: {error}", self.base.display()));
        }
    }
}

fn make(base: &Path, shared_dir: &Path, source: &Path) -> io::Result<Before> {
    // W-40: group access as far as the umask allows; the secrets lie one level deeper.
    DirBuilder::new().recursive(true).mode(0o770).create(base)?;
    match DirBuilder::new().mode(0o700).create(shared_dir) {
        Ok(()) => return Ok(Before::Absent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = shared_dir.symlink_metadata()?;
    if !found.is_dir() {
        return Err(io::Error::other("something else of that name exists"));
    }
    if source.metadata().is_ok_and(|source| source.dev() == found.dev() && source.ino() == found.ino()) {
        return Ok(Before::Source);
    }
    let user = rustix::process::geteuid().as_raw();
    if found.uid() == user {
        make_private(shared_dir, found.mode() & 0o7777)?;
    } else if found.uid() != 0 {
        // In a /tmp that others use as well, somebody may be waiting for secrets.
        return Err(io::Error::other(format!("it exists and belongs to user {}", found.uid())));
    }
    let names = fs::read_dir(shared_dir)?.map(|entry| Ok(entry?.file_name()));
    Ok(Before::Held(names.collect::<io::Result<_>>()?))
}

/// Gives a directory with secrets its mode. Where modes cannot be set (SMB, some FUSE,
/// seccomp) a step has to do with the one that it has.
fn make_private(dir: &Path, mode: u32) -> io::Result<()> {
    match fs::set_permissions(dir, Permissions::from_mode(0o700)) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) =>
        {
            if mode != 0o700 {
                stderr::line(&format!("warning: {} keeps mode {mode:03o}: {error}", dir.display()));
            }
            Ok(())
        }
        done => done,
    }
}

fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file or a directory with all it holds, also what is write-protected.
fn remove_tree(path: &Path) -> io::Result<()> {
    let Some(found) = absent_as_none(path.symlink_metadata())? else { return Ok(()) };
    if !found.is_dir() {
        return absent_as_none(fs::remove_file(path)).map(drop);
    }
    if absent_as_none(fs::remove_dir_all(path)).is_ok() {
        return Ok(());
    }
    open_up(path)?;
    absent_as_none(fs::remove_dir_all(path)).map(drop)
}

/// Makes every directory of a tree writable for its owner.
fn open_up(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Returns whether anything at all is at the path, links followed.
pub(crate) fn exists(dir: &Path, name: impl AsRef<OsStr>) -> bool {
    dir.join(name.as_ref()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        path.metadata().expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn w_6_secret_in_the_temporary_directory_which_is_made() {
        let dir = tempfile::tempdir().expect("a directory");
        let tmpdir = dir.path().join("a//b/temp-x/");
        let mut temp = TempData::create(Some(tmpdir.into()), Path::new("/nowhere")).expect("made");
        assert_eq!(temp.shared_dir().as_os_str(), dir.path().join("a/b/temp-x/secret").as_os_str());
        assert_eq!(mode_of(temp.shared_dir()), 0o700);
        let kubeconfig = temp.make_kubeconfig_dir().expect("made");
        assert!(kubeconfig.starts_with(dir.path().join("a/b/temp-x")), "{kubeconfig:?}");
        assert_eq!(mode_of(&kubeconfig), 0o700);
        let deep = temp.shared_dir().join("x/y");
        fs::create_dir_all(&deep).expect("made");
        fs::write(deep.join("z"), "").expect("written");
        fs::set_permissions(&deep, Permissions::from_mode(0o500)).expect("set");
        drop(temp);
        assert_eq!(fs::read_dir(dir.path().join("a/b/temp-x")).expect("kept").count(), 0);
    }

    #[tokio::test]
    async fn w_40_what_was_there_before_stays_unless_it_was_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let (source, held) = (dir.path().join("source"), dir.path().join("secret"));
        fs::create_dir(&source).expect("made");
        fs::create_dir(&held).expect("made");
        for name in ["mine", "shared"] {
            fs::write(held.join(name), "old").expect("written");
        }
        fs::write(source.join("shared"), "new").expect("written");
        let mut temp = TempData::create(Some(dir.path().into()), &source).expect("made");
        assert_eq!(mode_of(&held), 0o700);
        temp.fill(&source).await.expect("copied");
        fs::write(held.join("made"), "").expect("written");
        assert_eq!(fs::read(held.join("shared")).expect("there"), b"new");
        drop(temp);
        let left: Vec<_> =
            fs::read_dir(&held).expect("kept").map(|entry| entry.expect("one").file_name()).collect();
        assert_eq!(left, ["mine"]);
    }

    #[tokio::test]
    async fn a_wrapper_in_a_wrapper_works_on_the_outer_one_s_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let shared = dir.path().join("secret");
        fs::create_dir(&shared).expect("made");
        fs::write(shared.join("a"), "kept").expect("written");
        let mut temp = TempData::create(Some(dir.path().into()), &shared).expect("made");
        temp.fill(&shared).await.expect("nothing to copy");
        fs::write(shared.join("new"), "kept").expect("written");
        drop(temp);
        assert_eq!(fs::read(shared.join("a")).expect("there"), b"kept");
        assert_eq!(fs::read(shared.join("new")).expect("there"), b"kept");
    }

    #[test]
    fn places_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("file"), "").expect("written");
        let told = TempData::create(Some(dir.path().join("file").into()), Path::new("/nowhere"));
        assert!(told.expect_err("no directory").to_string().contains("file/secret"));
        std::os::unix::fs::symlink(dir.path(), dir.path().join("secret")).expect("linked");
        let told = TempData::create(Some(dir.path().into()), Path::new("/nowhere")).expect_err("a link");
        let told = format!("{told:#}");
        assert!(told.contains("something else"), "{told}");
    }
}
