//! The command's own copy of the kubeconfig: what it changes there stays private.

use crate::stable_file::{Observation, StableFile};
use crate::stderr;
use common::preallocated;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// Interval of checks for an original that is not there yet.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A copy of `$KUBECONFIG`, made when the original is there.
#[derive(Debug)]
pub(crate) struct PrivateCopy {
    original: StableFile,
    path: PathBuf,
}

impl PrivateCopy {
    /// The copy of `original` that belongs into the directory `dir`.
    pub(crate) fn new(original: PathBuf, dir: &Path) -> Self {
        Self { original: StableFile::new(original), path: dir.join("kubeconfig") }
    }

    /// The path of the copy, which may not exist yet.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Copies an original that is there before the command starts, as it is.
    /// Returns whether nothing is left to do.
    pub(crate) fn copy_now(&self) -> bool {
        match self.copy() {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                self.warn(&error);
                true
            }
        }
    }

    /// Waits for the original to be there and finished, and copies it once.
    pub(crate) async fn follow(mut self) {
        loop {
            match self.original.observe() {
                Observation::Absent => {}
                found @ Observation::File { .. } => {
                    if found.is_finished() {
                        if let Err(error) = self.copy() {
                            self.warn(&error);
                        }
                        return;
                    }
                }
            }
            sleep(CHECK_INTERVAL).await;
        }
    }

    fn warn(&self, error: &io::Error) {
        stderr::line(&format!(
            "warning: the kubeconfig {} is not copied: {error}",
            self.original.path().display()
        ));
    }

    /// Whoever reads the copy sees all of it or nothing.
    fn copy(&self) -> io::Result<()> {
        if !self.original.path().metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut from = File::open(self.original.path())?;
        let temp = self.path.with_extension("part");
        let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temp)?;
        io::copy(&mut from, &mut to)?;
        // Nobody needs to know of a refusal: the file was created with this mode, in a directory that
        // nobody else may enter.
        let _refused = preallocated::set_mode(&to, 0o600)?;
        fs::rename(&temp, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test(start_paused = true)]
    async fn w_73_an_original_that_comes_later_is_copied_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let original = dir.path().join("original");
        let private = dir.path().join("private");
        fs::create_dir(&private).expect("made");
        let copy = PrivateCopy::new(original.clone(), &private);
        let path = copy.path().to_owned();
        assert!(!copy.copy_now());
        let follow = tokio::spawn(copy.follow());
        sleep(Duration::from_secs(100)).await;
        fs::write(&original, "any text").expect("written");
        follow.await.expect("copied");
        assert_eq!(fs::read(&path).expect("there"), b"any text");
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&private).expect("listed").count(), 1);
    }

    #[test]
    fn w_72_an_original_that_is_there_is_copied_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let original = dir.path().join("original");
        fs::write(&original, "half a").expect("written");
        let copy = PrivateCopy::new(original, dir.path());
        assert!(copy.copy_now());
        assert_eq!(fs::read(copy.path()).expect("there"), b"half a");
        // W-74: what cannot be copied is a warning only.
        assert!(PrivateCopy::new(dir.path().to_owned(), dir.path()).copy_now());
    }
}
