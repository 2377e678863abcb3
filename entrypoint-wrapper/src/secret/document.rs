//! The files of a directory as the Secret of Kubernetes that holds them.

use super::checks;
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::json::to_go_string;
use rustix::fs::{FileType, Mode, OFlags};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The files of a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    data: BTreeMap<String, Vec<u8>>,
    left_out: Vec<String>,
}

impl Files {
    /// Returns a line naming what no Secret can hold; `None` if nothing is left out.
    pub(super) fn left_out_warning(&self) -> Option<String> {
        (!self.left_out.is_empty())
            .then(|| format!("not shared with the steps after this one: {}", checks::listed(&self.left_out)))
    }
}

/// Reads and checks the files of `dir`; `None` when there is no such directory.
/// The error is one line.
pub(super) fn read(dir: &Path) -> Result<Option<Files>> {
    let unreadable = || format!("cannot read {}", dir.display());
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(unreadable),
    };
    let mut sizes = BTreeMap::new();
    let mut left_out = Vec::new();
    for entry in entries {
        let name = entry.with_context(unreadable)?.file_name();
        match kind(&dir.join(&name)).with_context(|| format!("cannot read {}", name.display()))? {
            Kind::File(size) => {
                sizes.insert(name, size);
            }
            Kind::Other(kind) => left_out.push(format!("{} ({kind})", name.display())),
            Kind::Gone => {}
        }
    }
    left_out.sort();
    checks::names(sizes.keys().map(|name| name.as_bytes()))?;
    // The check above has left ASCII names only.
    let sizes: BTreeMap<String, u64> =
        sizes.into_iter().map(|(name, size)| (name.to_string_lossy().into_owned(), size)).collect();
    checks::size(sizes.iter().map(|(name, size)| (name.as_str(), *size)))?;
    let mut data = BTreeMap::new();
    for name in sizes.into_keys() {
        let bytes = contents(&dir.join(&name)).with_context(|| format!("cannot read {name}"))?;
        data.insert(name, bytes);
    }
    // A file may have grown since its size was taken.
    checks::size(data.iter().map(|(name, bytes)| (name.as_str(), bytes.len() as u64)))?;
    Ok(Some(Files { data, left_out }))
}

/// The kind of a directory entry, links followed.
enum Kind {
    /// A file of this size.
    File(u64),
    /// This, which no Secret can hold.
    Other(&'static str),
    /// It was removed after it had been listed.
    Gone,
}

fn kind(path: &Path) -> io::Result<Kind> {
    let found = match path.metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let link = path.symlink_metadata().is_ok();
            return Ok(if link { Kind::Other("a link to nothing") } else { Kind::Gone });
        }
        Err(error) => return Err(error),
    };
    Ok(if found.is_file() {
        Kind::File(found.len())
    } else if found.is_dir() {
        Kind::Other("a subdirectory")
    } else {
        Kind::Other(common::open_beneath::describe(FileType::from_raw_mode(found.mode())))
    })
}

/// Reads no more than can be sent, and one byte more to notice.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut bytes = Vec::new();
    file.take(checks::MAX_SIZE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The Secret as JSON, its keys in the order in which upstream writes them (W-97).
pub(super) fn encode(name: &str, files: &Files) -> String {
    let data = files.data.iter().map(|(name, bytes)| (name.as_str(), STANDARD.encode(bytes))).collect();
    to_go_string(&SecretObject {
        kind: "Secret",
        api_version: "v1",
        metadata: Metadata {
            name,
            creation_timestamp: (),
            labels: BTreeMap::from([("ci.openshift.io/skip-censoring", "true")]),
        },
        data,
        r#type: "Opaque",
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretObject<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: BTreeMap<&'a str, String>,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    name: &'a str,
    /// Always `null`: the server knows.
    creation_timestamp: (),
    labels: BTreeMap<&'static str, &'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn w_97_exactly_these_bytes() {
        let dir = tempfile::tempdir().expect("a directory");
        let empty = read(dir.path()).expect("readable").expect("there");
        let head = r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"e2e","creationTimestamp":null,"labels":{"ci.openshift.io/skip-censoring":"true"}},"#;
        assert_eq!(encode("e2e", &empty), format!(r#"{head}"type":"Opaque"}}"#));
        fs::write(dir.path().join("note.txt"), "hello\n").expect("written");
        fs::write(dir.path().join("B"), [0, 255]).expect("written");
        let files = read(dir.path()).expect("readable").expect("there");
        let data = r#""data":{"B":"AP8=","note.txt":"aGVsbG8K"},"#;
        assert_eq!(encode("e2e", &files), format!(r#"{head}{data}"type":"Opaque"}}"#));
    }

    #[test]
    fn w_91_links_to_files_are_read_and_the_rest_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("sub")).expect("made");
        fs::write(at("file"), "x").expect("written");
        symlink("file", at("link")).expect("linked");
        symlink("sub", at("to-sub")).expect("linked");
        symlink("gone", at("dangling")).expect("linked");
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).expect("made");
        let files = read(dir.path()).expect("readable").expect("there");
        assert_eq!(files.data.keys().collect::<Vec<_>>(), ["file", "link"]);
        let told = files.left_out_warning().expect("a warning");
        for part in [
            "sub (a subdirectory)",
            "to-sub (a subdirectory)",
            "dangling (a link to nothing)",
            "pipe (a named pipe)",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn w_90_no_directory_is_nothing_to_write_and_too_much_is_not_read() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(read(&dir.path().join("gone")).expect("nothing to read"), None);
        // Sparse: reading it would take a terabyte of memory.
        File::create(dir.path().join("huge")).expect("made").set_len(1 << 40).expect("grown");
        let told = read(dir.path()).expect_err("too large").to_string();
        assert!(told.contains("huge (1099511627776 bytes)"), "{told}");
    }
}
