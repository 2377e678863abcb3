//! Loading of secrets (C-10 … C-22). One that cannot be loaded disables only itself.

use super::LoadProblem;
use super::encodings::encodings;
use super::{docker, ini};
use common::confined::read_bounded;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use zeroize::Zeroizing;

/// A larger file is no secret: Kubernetes allows 1 MiB for all keys of one
/// (<https://kubernetes.io/docs/concepts/configuration/secret/>).
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Directories nested deeper than this are not read.
const MOST_DEPTH: usize = 64;

/// Everything that was loaded, and what was not.
#[derive(Default)]
pub(super) struct Loaded {
    values: Vec<Zeroizing<Vec<u8>>>,
    pub(super) problems: Vec<LoadProblem>,
}

impl Loaded {
    /// Reads all files of the directories.
    pub(super) fn from_directories(directories: &[String], ini_filenames: &[String]) -> Self {
        let mut loaded = Self::default();
        for directory in directories {
            let path = Path::new(directory);
            if path.file_name().is_some_and(is_hidden) {
                loaded.problem(path, "its name begins with `..`, so nothing is loaded from it");
            } else {
                loaded.directory(path, ini_filenames, 0);
            }
        }
        loaded
    }

    /// How many values were loaded.
    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    /// The patterns to look for (C-20 … C-22, and more encodings); the matcher zeroes them.
    pub(super) fn patterns(&self, minimum_length: usize) -> Vec<Vec<u8>> {
        let mut patterns = Vec::new();
        for raw in &self.values {
            let trimmed = trim(raw);
            if is_masked(trimmed, minimum_length) {
                patterns.extend(encodings(raw, trimmed));
            }
        }
        patterns
    }

    fn problem(&mut self, path: &Path, reason: impl Into<String>) {
        self.problems.push(LoadProblem { path: path.display().to_string(), reason: reason.into() });
    }

    fn directory(&mut self, directory: &Path, ini_filenames: &[String], depth: usize) {
        if depth > MOST_DEPTH {
            return self.problem(directory, "directories are nested too deeply here");
        }
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                return self.problem(directory, format!("the directory cannot be read: {error}"));
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => names.push(entry.file_name()),
                Err(error) => self.problem(directory, format!("an entry cannot be read: {error}")),
            }
        }
        // The entries `..data` and `..2024_…` of Kubernetes hold what the
        // others point at.
        names.retain(|name| !is_hidden(name));
        names.sort_unstable();
        for name in names {
            let path = directory.join(&name);
            // Links to directories are not followed, links to files are.
            match std::fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.directory(&path, ini_filenames, depth + 1),
                Ok(_) => self.file(&path, &name, ini_filenames),
                Err(error) => self.problem(&path, format!("it cannot be examined: {error}")),
            }
        }
    }

    fn file(&mut self, path: &Path, name: &OsStr, ini_filenames: &[String]) {
        let content = match read(path) {
            Ok(content) => Zeroizing::new(content),
            Err(error) => return self.problem(path, format!("it cannot be read: {error}")),
        };
        let parts = if ini_filenames.iter().any(|listed| OsStr::new(listed) == name) {
            ini::values(&content)
        } else if name == ".dockercfg" {
            docker::credentials(&content)
        } else if name == ".dockerconfigjson" {
            docker::config_credentials(&content)
        } else {
            Ok(Vec::new())
        };
        self.values.push(content);
        match parts {
            Ok(values) => self.values.extend(values),
            Err(ini::Malformed { values, reason }) => {
                self.values.extend(values);
                self.problem(path, format!("{reason}; its whole text is masked"));
            }
        }
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"..")
}

/// Reads a regular file. A pipe among the secrets must not hang the program.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    if kind != FileType::RegularFile {
        let what = common::confined::describe(kind);
        return Err(io::Error::other(format!("it is {what}, not a regular file")));
    }
    read_bounded(&file, MOST_BYTES)
}

/// Removes white space around a value: that of Unicode where it is text (C-20).
fn trim(value: &[u8]) -> &[u8] {
    match std::str::from_utf8(value) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => value.trim_ascii(),
    }
}

/// Whether a trimmed value can be masked at all (C-21).
fn is_masked(trimmed: &[u8], minimum_length: usize) -> bool {
    let boolean = [&b"true"[..], b"false"].iter().any(|word| trimmed.eq_ignore_ascii_case(word));
    !trimmed.is_empty() && !boolean && trimmed.len() >= minimum_length
}

#[cfg(test)]
impl Loaded {
    /// Values as if they had been read.
    pub(super) fn from_values<V: AsRef<[u8]>>(values: &[V]) -> Self {
        let values = values.iter().map(|value| Zeroizing::new(value.as_ref().to_vec())).collect();
        Self { values, problems: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn load(dir: &Path, ini_filenames: &[&str]) -> (Vec<String>, Vec<String>) {
        let ini_filenames: Vec<String> = ini_filenames.iter().map(|&name| name.to_owned()).collect();
        let loaded = Loaded::from_directories(&[dir.display().to_string()], &ini_filenames);
        let values = loaded.values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        let below = dir.display().to_string();
        let problems = loaded
            .problems
            .iter()
            .map(|problem| problem.path.trim_start_matches(&below).trim_start_matches('/').to_owned())
            .collect();
        (values, problems)
    }

    #[test]
    fn the_layout_of_kubernetes_is_read_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("..2024_01_01");
        fs::create_dir(&data).expect("made");
        fs::write(data.join("key"), "value").expect("written");
        symlink("..2024_01_01", dir.path().join("..data")).expect("linked");
        symlink("..data/key", dir.path().join("key")).expect("linked");
        fs::create_dir(dir.path().join("nested")).expect("made");
        fs::write(dir.path().join("nested/other"), "second").expect("written");
        let (values, problems) = load(dir.path(), &[]);
        assert_eq!(values, ["value", "second"]);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn one_bad_secret_does_not_disable_the_others() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a"), "first").expect("written");
        symlink("none", dir.path().join("b-dangling")).expect("linked");
        symlink("/usr", dir.path().join("c-directory")).expect("linked");
        rustix::fs::mknodat(CWD, dir.path().join("d-pipe"), FileType::Fifo, 0o600.into(), 0).expect("made");
        fs::write(dir.path().join("e-large"), vec![b'x'; MOST_BYTES + 1]).expect("written");
        fs::write(dir.path().join("f"), "last").expect("written");
        let (values, problems) = load(dir.path(), &[]);
        assert_eq!(values, ["first", "last"]);
        assert_eq!(problems, ["b-dangling", "c-directory", "d-pipe", "e-large"]);
        let (values, problems) = load(&dir.path().join("none"), &[]);
        assert_eq!((values.len(), problems.len()), (0, 1));
    }

    #[test]
    fn v_cd_1_to_3_docker_files_and_ini_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let docker = r#"{"registry":{"password":"a","auth":"b"},"third":{"auth":"e"}}"#;
        fs::write(dir.path().join(".dockercfg"), docker).expect("written");
        fs::write(dir.path().join(".dockerconfigjson"), "notreallyjson").expect("written");
        fs::write(dir.path().join("cred"), "[default]\nkey = ini-value\n").expect("written");
        let (values, problems) = load(dir.path(), &["cred"]);
        assert_eq!(
            values,
            [docker, "b", "a", "e", "notreallyjson", "[default]\nkey = ini-value\n", "ini-value"]
        );
        assert_eq!(problems, [".dockerconfigjson"]);
        // The list takes precedence over the name.
        let (_, problems) = load(dir.path(), &[".dockercfg", ".dockerconfigjson"]);
        assert_eq!(problems, [".dockerconfigjson"]);
    }

    #[test]
    fn white_space_of_unicode_is_cut() {
        assert_eq!(trim("\u{a0} x\u{2003}\n".as_bytes()), b"x");
        assert_eq!(trim(b" \xff "), b"\xff");
    }
}
