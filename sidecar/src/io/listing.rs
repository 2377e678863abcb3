//! What the destination should hold, from the files as they are now.

mod walk;

use super::object::{Fingerprint, Origin, Wanted};
use super::source::FileSource;
use crate::censor::Censor;
use crate::deliver::{Class, Desired};
use crate::destination::Destination;
use crate::layout::media_types::MediaTypes;
use crate::layout::names::{base_name, name_rule};
use crate::layout::paths::{ObjectPaths, keeps_names};
use crate::settings::{ItemNames, Settings};
use bytes::Bytes;
use cap_std::fs::Dir;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use walk::Found;

/// Keys longer than this are refused by all of the stores, in bytes.
const LONGEST_KEY: usize = 1024;

/// An item as it was found.
#[derive(Clone, Debug)]
pub enum Item {
    /// A directory, held open so that its files cannot lead elsewhere.
    Directory(Arc<Dir>),
    /// A file.
    File(FileSource),
}

/// What is not sent, and why.
pub type Refused = (Wanted, String);

/// The bulk of a pass.
#[derive(Debug, Default)]
pub struct Listing {
    /// What to send.
    pub wanted: Vec<Wanted>,
    /// What not to send, and why.
    pub skipped: Vec<Refused>,
    /// The same, where another object has the key.
    pub displaced: Vec<Refused>,
    /// The items, by number; `None` where there is nothing.
    pub items: Vec<Option<Item>>,
    /// The secrets that names were masked with; `None` when nothing is censored.
    pub censor: Option<Arc<Censor>>,
}

/// Lists everything but the closing objects. Blocks.
pub fn list(settings: &Settings, types: &MediaTypes, censor: Option<Arc<Censor>>) -> Listing {
    let mut lister = Lister {
        settings,
        types,
        generation: censor.as_ref().map_or(0, |censor| censor.generation()),
        censor: censor.as_deref(),
        local: settings.destination.as_ref().is_some_and(keeps_names),
        taken: HashSet::new(),
        numbers: HashMap::new(),
        listing: Listing::default(),
    };
    lister.pointers();
    lister.build_logs();
    for (number, item) in (0..).zip(&settings.upload.items) {
        lister.item(number, item);
    }
    let (displaced, skipped) = lister.displaced();
    let listing = lister.listing;
    Listing { skipped, displaced, censor, ..listing }
}

struct Lister<'a> {
    settings: &'a Settings,
    types: &'a MediaTypes,
    censor: Option<&'a Censor>,
    generation: u64,
    local: bool,
    /// Keys of items' files, hashed: the first one wins.
    taken: HashSet<Fingerprint>,
    /// The last number behind a masked key that several files have.
    numbers: HashMap<Fingerprint, u32>,
    listing: Listing,
}

impl Lister<'_> {
    fn pointers(&mut self) {
        let paths = &self.settings.paths;
        let alias = paths.alias.iter().map(|pointer| (Class::Alias, pointer));
        let latest = paths.latest_build.iter().map(|pointer| (Class::LatestBuild, pointer));
        for (class, pointer) in alias.chain(latest) {
            let content = Bytes::copy_from_slice(pointer.content.as_bytes());
            self.listing.wanted.push(document(format!("/{}", pointer.key), class, content));
        }
    }

    /// Process logs. One that cannot be opened becomes a line that says so (S-42).
    fn build_logs(&mut self) {
        let names = &self.settings.build_logs;
        for (index, (entry, name)) in self.settings.entries.iter().zip(names).enumerate() {
            if names[index + 1..].contains(name) {
                // Equal names overwrite each other; the last entry wins (S-40).
                continue;
            }
            let path = Path::new(&entry.process_log);
            self.listing.wanted.push(match FileSource::configured(path.to_owned()).open() {
                Ok(file) => Desired {
                    key: name.as_str().into(),
                    class: Class::BuildLog,
                    bytes: file.stamp().size,
                    source: Origin::Log(index),
                    fingerprint: Fingerprint::of_file(&file.stamp()).under(self.generation),
                },
                Err(error) => {
                    let reason = go_text(&error);
                    let path = &entry.process_log;
                    tracing::error!(error = %reason, path = %path, "Failed to open process log");
                    let line = format!("Failed to open {path}: open {path}: {reason}\n");
                    document(name.clone(), Class::BuildLog, Bytes::from(self.masked(&line)))
                }
            });
        }
    }

    fn item(&mut self, number: u32, path: &str) {
        let item = match open_item(Path::new(path)) {
            Ok(Some(item)) => item,
            Ok(None) => {
                tracing::warn!(path = %path, "Encountered error in resolving items to upload: it does not exist");
                self.listing.items.push(None);
                return;
            }
            Err(error) => {
                tracing::warn!(error = %error, path = %path, "Encountered error in resolving items to upload");
                self.skip(base_name(path), number, None, &error.to_string());
                self.listing.items.push(None);
                return;
            }
        };
        self.listing.items.push(Some(item.clone()));
        match item {
            Item::File(source) => match source.open() {
                Ok(file) => {
                    let found = Found::File { stamp: file.stamp(), target: None };
                    self.found(number, "", Path::new(base_name(path)), found);
                }
                Err(error) => self.skip(base_name(path), number, None, &error.to_string()),
            },
            Item::Directory(dir) => {
                let prefix = format!("{}/", base_name(path));
                walk::walk(&dir, Path::new(path), &mut |file, found| {
                    self.found(number, &prefix, file, found);
                });
            }
        }
    }

    /// Takes a file: `prefix` is what its key has in front of its `path`, the
    /// base name of a directory item and a slash.
    fn found(&mut self, number: u32, prefix: &str, path: &Path, found: Found) {
        let raw = path.as_os_str().as_bytes();
        let (key, is_masked) = self.key(prefix, raw);
        let (stamp, target) = match found {
            Found::Other(reason) => return self.skip(&key, number, None, &reason),
            Found::File { stamp, target } => (stamp, target),
        };
        // Most keys tell the path of their file, which then needs no memory.
        let told = key.strip_prefix(prefix).is_some_and(|rest| rest.as_bytes() == raw);
        let path = target.or_else(|| (!told).then(|| path.into()));
        let key = if is_masked { self.free(&key) } else { key };
        if let Some(reason) = self.refusal(&key) {
            return self.skip(&key, number, path, &reason);
        }
        self.listing.wanted.push(Desired {
            key: key.into(),
            class: Class::Artifact,
            bytes: stamp.size,
            source: Origin::Item(number, path),
            fingerprint: Fingerprint::of_file(&stamp).under(self.generation),
        });
    }

    /// The key of a file, and whether it would have held a secret. A secret that
    /// is no text is looked for in the name as the file has it.
    fn key(&self, prefix: &str, raw: &[u8]) -> (String, bool) {
        let name = self.censor.map_or_else(|| raw.to_vec(), |censor| censor.bytes(raw));
        let shown = escaped(&name, self.local);
        let key = format!("{prefix}{}", if self.local { shown } else { self.renamed(&shown) });
        let key = key.trim_end_matches('/');
        let masked = self.masked(key);
        let is_masked = name != raw || masked != key;
        (masked, is_masked)
    }

    /// A masked name says little: when another file has it already, a number follows.
    fn free(&mut self, key: &str) -> String {
        let mut free = key.to_owned();
        while self.taken.contains(&Fingerprint::of_document(free.as_bytes())) {
            let number = self.numbers.entry(Fingerprint::of_document(key.as_bytes())).or_insert(1);
            *number += 1;
            free = format!("{key}-{number}");
        }
        free
    }

    fn masked(&self, text: &str) -> String {
        self.censor.map_or_else(|| text.to_owned(), |censor| censor.text(text))
    }

    /// The path with the file-name rule applied to its last component.
    fn renamed(&self, path: &str) -> String {
        let (parent, name) = path.rsplit_once('/').map_or(("", path), |(parent, name)| (parent, name));
        let name = name_rule(name, self.types).name;
        if parent.is_empty() { name } else { format!("{parent}/{name}") }
    }

    /// Parts what is not sent into what stands in the way of another object
    /// under the same key, and the rest.
    fn displaced(&mut self) -> (Vec<Refused>, Vec<Refused>) {
        let mut taken = std::mem::take(&mut self.taken);
        std::mem::take(&mut self.listing.skipped).into_iter().partition(|(skipped, _)| {
            // Of several that are not sent the first one has the key.
            self.is_reserved(&skipped.key) || !taken.insert(Fingerprint::of_document(skipped.key.as_bytes()))
        })
    }

    fn is_reserved(&self, key: &str) -> bool {
        self.settings.item_names == ItemNames::Unreserved
            && ObjectPaths::is_reserved(key, &self.settings.build_logs)
    }

    /// Why a key cannot be used.
    fn refusal(&mut self, key: &str) -> Option<String> {
        if self.is_reserved(key) {
            return Some("its name belongs to an object of sidecar's own".to_owned());
        }
        let full = self.settings.paths.key(key).len() + prefix_bytes(self.settings.destination.as_ref());
        if !self.local && full > LONGEST_KEY {
            return Some(format!("its key would have {full} bytes, more than {LONGEST_KEY}"));
        }
        (!self.taken.insert(Fingerprint::of_document(key.as_bytes())))
            .then(|| "its name at the destination is taken by another file".to_owned())
    }

    fn skip(&mut self, key: &str, number: u32, path: Option<Box<Path>>, reason: &str) {
        tracing::warn!(path = %key, reason = %reason, "Skipping a file");
        let skipped = Desired {
            key: key.into(),
            class: Class::Artifact,
            bytes: 0,
            source: Origin::Item(number, path),
            fingerprint: Fingerprint::of_document(reason.as_bytes()),
        };
        self.listing.skipped.push((skipped, reason.to_owned()));
    }
}

/// An object whose content is a document.
pub fn document(key: impl Into<Box<str>>, class: Class, content: Bytes) -> Wanted {
    Desired {
        key: key.into(),
        class,
        bytes: content.len() as u64,
        fingerprint: Fingerprint::of_document(&content),
        source: Origin::Document(Box::new(content)),
    }
}

/// Opens an item; `None` when nothing is there. A symbolic link is an error.
fn open_item(path: &Path) -> std::io::Result<Option<Item>> {
    match common::open_beneath::open_directory(path) {
        Ok(Some(fd)) => Ok(Some(Item::Directory(Arc::new(Dir::from_std_file(fd.into()))))),
        Ok(None) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            let source = FileSource::configured(path.to_owned());
            source.open().map(|_| Some(Item::File(source)))
        }
        Err(error) => Err(error),
    }
}

/// What a destination's own prefix adds to a key.
fn prefix_bytes(destination: Option<&Destination>) -> usize {
    match destination {
        Some(
            Destination::Gs { prefix, .. } | Destination::S3 { prefix, .. } | Destination::Az { prefix, .. },
        ) if !prefix.is_empty() => prefix.len() + 1,
        Some(_) | None => 0,
    }
}

/// A path as a key can hold it: what is not UTF-8, and for buckets control
/// characters too, as `%XX`.
fn escaped(path: &[u8], local: bool) -> String {
    let mut key = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_ascii_control() && !local {
                // Writing to a String does not fail.
                let _ = write!(key, "%{:02X}", u32::from(c));
            } else {
                key.push(c);
            }
        }
        for byte in chunk.invalid() {
            // As above.
            let _ = write!(key, "%{byte:02X}");
        }
    }
    key
}

/// A system error as Go words it: in lower case, without its number.
fn go_text(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::NotFound {
        return "no such file or directory".to_owned();
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    if error.kind() == std::io::ErrorKind::PermissionDenied { text.to_lowercase() } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
