//! The home directory and git's configuration in it.

use anyhow::{Context, Result};
use rustix::fs::{Access, access};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Sources are checked out by another user than the step runs as; git refuses
/// such directories unless told otherwise.
const GIT_CONFIG: &str = "[safe]\n    directory = *\n";

/// Returns whether the real user may write into the directory.
pub(crate) fn is_writable(dir: &OsStr) -> bool {
    access(dir, Access::WRITE_OK).is_ok()
}

/// Makes `.gitconfig` where there is none. A home directory that does not exist
/// is nobody's mistake: not every image has one.
pub(crate) fn make_git_config(home: &Path) -> Result<()> {
    let path = home.join(".gitconfig");
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot make {}", path.display())),
    };
    file.write_all(GIT_CONFIG.as_bytes())
        .inspect_err(|_| {
            // Half a configuration would break every git command; the error to report is the first one.
            let _ = fs::remove_file(&path);
        })
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w_61_exactly_this_content_and_never_over_another() {
        let dir = tempfile::tempdir().expect("a directory");
        make_git_config(dir.path()).expect("made");
        let path = dir.path().join(".gitconfig");
        assert_eq!(fs::read_to_string(&path).expect("there"), "[safe]\n    directory = *\n");
        fs::write(&path, "mine").expect("written");
        make_git_config(dir.path()).expect("nothing to do");
        assert_eq!(fs::read_to_string(&path).expect("there"), "mine");
    }

    #[test]
    fn w_62_no_home_is_fine_and_a_file_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        make_git_config(&dir.path().join("gone")).expect("nothing to do");
        fs::write(dir.path().join("file"), "").expect("written");
        let told = make_git_config(&dir.path().join("file")).expect_err("no directory");
        assert!(told.to_string().contains("file/.gitconfig"), "{told:#}");
    }
}
