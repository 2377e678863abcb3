//! Observes a file until its writer has finished it.
//!
//! [`StableFile::observe`] is called again and again; a file is finished when its text
//! cannot go on, or when nothing about it has changed since the observation before.

use saphyr_parser::{Event, Parser};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A kubeconfig is a few KiB; a Secret cannot hold more than this.
const MAX_BYTES: u64 = 1024 * 1024;

/// The completeness of a text, judged by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// No YAML or JSON document with at least one key.
    Broken,
    /// A document, which the beginning of a longer YAML text can be as well.
    Plausible,
    /// A document whose last bracket is closed: it cannot go on.
    Whole,
}

/// The outcome of one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observation {
    /// Nothing is there, or nothing that can be read.
    Absent,
    /// A file.
    File {
        /// The completeness of its text.
        text: Completeness,
        /// Inode, size and modification time are those of the previous observation.
        unchanged: bool,
    },
}

impl Observation {
    /// Returns whether the file holds a finished YAML or JSON document.
    pub(crate) fn is_finished_document(self) -> bool {
        match self {
            Self::Absent | Self::File { text: Completeness::Broken, .. } => false,
            Self::File { text: Completeness::Plausible, unchanged } => unchanged,
            Self::File { text: Completeness::Whole, .. } => true,
        }
    }

    /// Returns whether the writer has finished the file, whatever it holds.
    pub(crate) fn is_finished(self) -> bool {
        match self {
            Self::Absent => false,
            Self::File { text: Completeness::Whole, .. } => true,
            Self::File { text: Completeness::Plausible | Completeness::Broken, unchanged } => unchanged,
        }
    }
}

/// A file that is observed repeatedly.
#[derive(Debug)]
pub(crate) struct StableFile {
    path: PathBuf,
    last: Option<Identity>,
}

/// Inode, size, and time of the last change in nanoseconds.
type Identity = (u64, u64, i64, i64);

impl StableFile {
    /// Starts without an observation.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, last: None }
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Observes the file once.
    pub(crate) fn observe(&mut self) -> Observation {
        let seen = identity(&self.path);
        let unchanged = seen.is_some() && self.last == seen;
        self.last = seen;
        match seen.and_then(|_| read(&self.path)) {
            Some(bytes) => Observation::File { text: judge(&bytes), unchanged },
            None => Observation::Absent,
        }
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let found = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Judges a text by itself.
fn judge(bytes: &[u8]) -> Completeness {
    let Ok(text) = std::str::from_utf8(bytes) else { return Completeness::Broken };
    let mut keys = None;
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        let Ok((event, _)) = event else { return Completeness::Broken };
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if depth == 0 {
                    keys = keys.or(Some(matches!(event, Event::MappingStart(..))));
                }
                depth += 1;
            }
            Event::MappingEnd | Event::SequenceEnd => depth = depth.saturating_sub(1),
            Event::Scalar(..) | Event::Alias(..) => {
                keys = keys.or((depth == 0).then_some(false));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd => {}
        }
    }
    match (keys, text.trim()) {
        (Some(true), text) if text.starts_with('{') => Completeness::Whole,
        (Some(true), _) => Completeness::Plausible,
        (Some(false) | None, _) => Completeness::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str =
        "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster:\n    server: https://x\n";

    #[test]
    fn yaml_may_go_on_json_may_not() {
        assert_eq!(judge(KUBECONFIG.as_bytes()), Completeness::Plausible);
        assert_eq!(judge(br#"{"kind": "Config", "clusters": [{"name": "a"}]}"#), Completeness::Whole);
        assert_eq!(judge(b"---\nkind: Config\n"), Completeness::Plausible);
        for broken in [
            "",
            "\n",
            "kind",
            "{\"kind\": \"Config\", \"clus",
            "a: [1, 2",
            "a: \"open",
            "- a\n",
            "a: b: c",
            "# only\n",
        ] {
            assert_eq!(judge(broken.as_bytes()), Completeness::Broken, "{broken:?}");
        }
        assert_eq!(judge(b"a: \xff"), Completeness::Broken);
    }

    #[test]
    fn no_proper_beginning_of_a_json_document_is_whole() {
        let whole = r#"{"a": {"b": [1, {"c": "}"}]}, "d": "e"}"#;
        for end in 0..whole.len() {
            assert_eq!(judge(&whole.as_bytes()[..end]), Completeness::Broken, "{}", &whole[..end]);
        }
        assert_eq!(judge(whole.as_bytes()), Completeness::Whole);
    }

    #[test]
    fn a_growing_file_is_finished_when_it_has_stopped_growing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("kubeconfig");
        let mut watched = StableFile::new(path.clone());
        assert_eq!(watched.observe(), Observation::Absent);
        for end in [10, 20, KUBECONFIG.len()] {
            std::fs::write(&path, &KUBECONFIG[..end]).expect("written");
            assert!(!watched.observe().is_finished_document(), "{end}");
        }
        assert!(watched.observe().is_finished_document());
        std::fs::write(&path, "no mapping").expect("written");
        assert!(!watched.observe().is_finished());
        let last = watched.observe();
        assert!(last.is_finished() && !last.is_finished_document());
        std::fs::write(&path, "{}").expect("written");
        assert!(watched.observe().is_finished_document());
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(watched.observe(), Observation::Absent);
    }
}
