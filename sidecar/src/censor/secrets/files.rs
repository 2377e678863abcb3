//! Reading of secret directories (C-10 … C-15). An unreadable file does not affect
//! the others.

use super::credentials::{Owner, Recognized, recognize};
use super::{Round, SecretBytes, ValueKind, docker, ini, structured};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Maximum size of a file; Kubernetes allows 1 MiB for all keys of a Secret
/// (<https://kubernetes.io/docs/concepts/configuration/secret/>).
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Maximum nesting of directories.
const MAX_DEPTH: usize = 64;

/// Base names of files with more than one secret.
#[derive(Clone, Debug, Default)]
pub(super) struct FileKinds {
    pub(super) ini: Vec<String>,
    pub(super) structured: Vec<String>,
}

/// How a file of a kind that the contract or an option names is read.
struct Named {
    format: &'static str,
    kind: ValueKind,
    read: fn(&[u8]) -> Result<Vec<SecretBytes>, ini::Malformed>,
}

impl FileKinds {
    /// Returns how to read a file by its name. The lists take precedence over the
    /// well-known names.
    fn named(&self, name: &OsStr) -> Option<Named> {
        let listed = |list: &[String]| list.iter().any(|listed| OsStr::new(listed) == name);
        if listed(&self.ini) {
            Some(Named { format: "INI", kind: ValueKind::Member, read: ini::values })
        } else if listed(&self.structured) {
            Some(Named { format: "YAML or JSON", kind: ValueKind::Scalar, read: structured::scalars })
        } else if name == ".dockercfg" {
            Some(Named { format: DOCKER, kind: ValueKind::Member, read: docker::credentials })
        } else if name == ".dockerconfigjson" {
            Some(Named { format: DOCKER, kind: ValueKind::Member, read: docker::config_credentials })
        } else {
            None
        }
    }
}

/// The format of a registry's credentials.
const DOCKER: &str = "registry credentials";

/// Reads all files of one of the operator's directories.
pub(super) fn read_directory(directory: &Path, kinds: &FileKinds, round: &mut Round) {
    if directory.file_name().is_some_and(is_hidden) {
        return round.problem(directory, "its name begins with `..`, so nothing is loaded from it");
    }
    walk(directory, kinds, round, 0);
}

fn walk(directory: &Path, kinds: &FileKinds, round: &mut Round, depth: usize) {
    if depth > MAX_DEPTH {
        return round.problem(directory, "directories are nested too deeply here");
    }
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return round.problem(directory, format!("the directory cannot be read: {error}")),
    };
    let mut names = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => names.push(entry.file_name()),
            Err(error) => round.problem(directory, format!("an entry cannot be read: {error}")),
        }
    }
    // The other entries are links into Kubernetes' `..data` and `..2024_…`.
    names.retain(|name| !is_hidden(name));
    names.sort_unstable();
    for name in names {
        if round.is_full() {
            return;
        }
        let path = directory.join(&name);
        // Links to directories are not followed, links to files are.
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => walk(&path, kinds, round, depth + 1),
            Ok(_) => file(&path, &name, kinds, round),
            Err(error) => round.problem(&path, format!("it cannot be examined: {error}")),
        }
    }
}

fn file(path: &Path, name: &OsStr, kinds: &FileKinds, round: &mut Round) {
    let content = match open(path).and_then(|file| read(&file, MAX_BYTES)) {
        Ok(content) => content,
        Err(error) => return round.problem(path, format!("it cannot be read: {error}")),
    };
    let named = kinds.named(name);
    let is_listed = named.as_ref().is_some_and(|named| named.format != DOCKER);
    let parts = named.map(|named| (named.format, named.kind, (named.read)(&content)));
    let shown = name.to_string_lossy();
    let recognized = if is_listed { None } else { recognize(&shown, &content, Owner::Operator) };
    round.whole(path, content);
    let mut source = None;
    match parts {
        Some((format, kind, Ok(parts))) => {
            source = Some((format, parts.len()));
            round.parts(path, parts, kind);
        }
        Some((_, kind, Err(ini::Malformed { values, reason }))) => {
            round.parts(path, values, kind);
            round.problem(path, format!("{reason}; its whole text is masked"));
        }
        None => {}
    }
    if let Some(Recognized { format, values }) = recognized {
        source = Some((format, source.map_or(0, |(_, count)| count).max(values.len())));
        round.parts(path, values, ValueKind::Derived);
    }
    if let Some((format, count)) = source {
        round.source(path, format, count);
    }
}

pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"..")
}

/// Opens a regular file. A pipe among the secrets must not hang the program.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    if kind != FileType::RegularFile {
        let what = common::open_beneath::describe(kind);
        return Err(io::Error::other(format!("it is {what}, not a regular file")));
    }
    Ok(file)
}

/// Reads a whole file into zeroed memory; fails if it is larger than `limit` bytes.
pub(super) fn read(file: &File, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let too_large = || io::Error::other(format!("it is larger than {limit} bytes"));
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if size > limit {
        return Err(too_large());
    }
    // Room for the whole file from the start: growing would leave copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(size + 1));
    file.take(limit as u64 + 1).read_to_end(&mut content)?;
    if content.len() > limit { Err(too_large()) } else { Ok(content) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn load(dir: &Path, ini_filenames: &[&str]) -> (Vec<String>, Vec<String>) {
        let ini = ini_filenames.iter().map(|&name| name.to_owned()).collect();
        let kinds = FileKinds { ini, structured: vec!["kubeconfig".to_owned()] };
        let mut round = Round::default();
        read_directory(dir, &kinds, &mut round);
        let values =
            round.values.iter().map(|found| String::from_utf8_lossy(&found.bytes).into_owned()).collect();
        let below = dir.display().to_string();
        let problems = round
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
        fs::write(dir.path().join("e-large"), vec![b'x'; MAX_BYTES + 1]).expect("written");
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
    fn every_value_of_a_listed_document_is_a_secret() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("kubeconfig"), "users:\n- user: {token: \"a-token\"}\n").expect("written");
        let (values, problems) = load(dir.path(), &[]);
        assert_eq!(values[1..], ["a-token"]);
        assert!(problems.is_empty(), "{problems:?}");
        fs::write(dir.path().join("kubeconfig"), "a: [\nb: x").expect("written");
        let (values, problems) = load(dir.path(), &[]);
        assert_eq!((values.len(), problems.len()), (1, 1), "its whole text is a secret");
    }
}
