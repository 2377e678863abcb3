//! Lists the objects that the destination is to hold, from the files as they are
//! now.

mod hashes;
mod piece;
mod refusals;
mod text;
mod walk;
mod walking;

use super::fault_injection;
use super::gzip_names::GzipNames;
use super::object::{Fingerprint, ItemPath, Origin, Wanted};
use super::repeated::Repeated;
use super::source::FileSource;
use super::weight::Weigher;
use crate::censor::Censor;
use crate::deliver::{Class, Desired, Key};
use crate::destination::Destination;
use crate::layout::media_types::MediaTypes;
use crate::layout::names::{has_gzip_name, item_name, name_rule};
use crate::settings::Settings;
use bytes::Bytes;
use cap_std::fs::Dir;
use hashes::Hashes;
pub use piece::{Begin, Item, Piece, Refused};
use refusals::MAX_SKIPPED_BYTES;
use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use text::{escaped, go_text};
use walk::Found;
pub use walking::{News, Walking};

/// The reason of a build log that is not sent.
const NOT_MASKED: &str = "the secrets could not be read again, so that it cannot be masked";

/// Files in a piece.
const PIECE: u64 = 256;

/// Memory of a piece.
const PIECE_BYTES: usize = 256 << 10;

/// Masked keys whose last number is remembered; that of others is found by trying.
const MAX_NUMBERED: usize = 10_000;

/// Lists everything but the closing objects, and calls `take` with each piece until
/// that breaks: pointers at once, build logs once `secrets` has returned those that mask
/// them, then files as they are found. Blocks.
pub fn list(
    settings: &Settings,
    types: &MediaTypes,
    secrets: impl FnOnce() -> Option<Arc<Censor>>,
    take: &mut dyn FnMut(Piece) -> ControlFlow<()>,
) {
    let mut lister = Lister::new(settings, types, take);
    lister.pointers();
    if lister.flush().is_break() {
        return;
    }
    lister.censor = secrets();
    lister.generation = lister.censor.as_ref().map_or(0, |censor| censor.generation());
    lister.piece.begin = Some(Begin { censor: lister.censor.clone() });
    lister.build_logs();
    if lister.flush().is_break() {
        return;
    }
    fault_injection::point(format_args!("items"));
    let items: Vec<_> = settings.upload.items.iter().map(|path| (path, open_item(Path::new(path)))).collect();
    lister.items = items.iter().map(|(_, item)| item.as_ref().ok().cloned().flatten()).collect();
    lister.piece.items = Some(lister.items.clone());
    fault_injection::point(format_args!("listing"));
    for (number, (path, item)) in (0..).zip(items) {
        if lister.item(number, path, item).is_break() {
            return;
        }
    }
    for (reason, files) in lister.repeated.take_unwritten() {
        tracing::warn!(reason = %reason, "Skipping {files} more files, which the manifest names");
    }
    lister.hand_over_skipped();
    // Nothing follows that could be stopped.
    let _ = lister.flush();
}

/// Returns the build logs as skipped, because the secrets are not known that would mask them.
pub fn without_secrets(settings: &Settings) -> Piece {
    let names = &settings.build_logs;
    let last = names.iter().enumerate().filter(|(index, name)| !names[index + 1..].contains(name));
    let log = |(index, name): (usize, &String)| Desired {
        key: name.as_str().into(),
        class: Class::BuildLog,
        bytes: 0,
        source: Origin::Log(index),
        fingerprint: Fingerprint::of_document(NOT_MASKED.as_bytes()),
    };
    let skipped = last.map(|named| (log(named), NOT_MASKED.to_owned())).collect();
    Piece { skipped, ..Piece::default() }
}

struct Lister<'a> {
    settings: &'a Settings,
    types: &'a MediaTypes,
    censor: Option<Arc<Censor>>,
    generation: u64,
    local: bool,
    /// The keys of items' files: the first one wins.
    taken: Hashes,
    /// The keys of files that are not sent.
    refused: Hashes,
    weigher: Weigher,
    /// The memory that the skipped files take.
    skipped_weight: usize,
    /// The last number appended to a masked key that several files share.
    numbers: HashMap<Fingerprint, u32>,
    gzip_names: GzipNames,
    /// The items, by number.
    items: Vec<Option<Item>>,
    /// Files that may still be listed.
    room: u64,
    /// The last key and the last path, whose directories the next ones may share.
    last: (Option<Key>, Option<ItemPath>),
    repeated: Repeated,
    piece: Piece,
    skipped: Vec<Refused>,
    take: &'a mut dyn FnMut(Piece) -> ControlFlow<()>,
}

impl<'a> Lister<'a> {
    fn new(
        settings: &'a Settings,
        types: &'a MediaTypes,
        take: &'a mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Self {
        Self {
            settings,
            types,
            generation: 0,
            censor: None,
            local: settings.destination.as_ref().is_some_and(Destination::keeps_names),
            taken: Hashes::default(),
            refused: Hashes::default(),
            weigher: Weigher::default(),
            skipped_weight: 0,
            numbers: HashMap::new(),
            gzip_names: GzipNames::default(),
            items: Vec::new(),
            last: (None, None),
            repeated: Repeated::default(),
            room: settings.delivery.limits().files(),
            piece: Piece::default(),
            skipped: Vec::new(),
            take,
        }
    }
}

impl Lister<'_> {
    fn pointers(&mut self) {
        let paths = &self.settings.paths;
        let alias = paths.alias.iter().map(|pointer| (Class::Alias, pointer));
        let latest = paths.latest_build.iter().map(|pointer| (Class::LatestBuild, pointer));
        for (class, pointer) in alias.chain(latest) {
            let content = Bytes::copy_from_slice(pointer.content.as_bytes());
            self.piece.wanted.push(document(format!("/{}", pointer.key), class, content));
        }
    }

    /// Adds the process logs. One that cannot be opened becomes a line that says
    /// so (S-42).
    fn build_logs(&mut self) {
        let names = &self.settings.build_logs;
        for (index, (entry, name)) in self.settings.entries.iter().zip(names).enumerate() {
            if names[index + 1..].contains(name) {
                // Equal names overwrite each other; the last entry wins (S-40).
                continue;
            }
            let path = Path::new(&entry.process_log);
            self.piece.wanted.push(match FileSource::configured(path.to_owned()).open() {
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

    /// Hands over what was found.
    fn flush(&mut self) -> ControlFlow<()> {
        (self.take)(std::mem::take(&mut self.piece))
    }

    fn item(&mut self, number: u32, path: &str, item: io::Result<Option<Item>>) -> ControlFlow<()> {
        let name = item_name(path);
        let item = match item {
            Ok(Some(item)) => item,
            Ok(None) => {
                tracing::warn!(path = %path, "Encountered error in resolving items to upload: it does not exist");
                return ControlFlow::Continue(());
            }
            Err(error) => {
                tracing::warn!(error = %error, path = %path, "Encountered error in resolving items to upload");
                self.skip(&name, number, None, &error.to_string());
                return ControlFlow::Continue(());
            }
        };
        match item {
            Item::File(source) => match source.open() {
                Ok(file) => {
                    let found = Found::File { stamp: file.stamp(), target: None };
                    self.found(number, "", Path::new(&name), found)
                }
                Err(error) => {
                    self.skip(&name, number, None, &error.to_string());
                    ControlFlow::Continue(())
                }
            },
            Item::Directory(dir) => {
                let prefix = if name.is_empty() { name } else { format!("{name}/") };
                walk::walk(&dir, Path::new(path), &mut |file, found| {
                    let found = match found {
                        // The path is not the key without its first component.
                        Found::File { stamp, target: None } if prefix.is_empty() => {
                            Found::File { stamp, target: Some(file.into()) }
                        }
                        found @ (Found::File { .. } | Found::Other(_)) => found,
                    };
                    self.found(number, &prefix, file, found)
                })
            }
        }
    }

    /// Adds a file, or counts it once there are too many, and hands over a piece that is
    /// full.
    fn found(&mut self, number: u32, prefix: &str, path: &Path, found: Found) -> ControlFlow<()> {
        if let Some(room) = self.room.checked_sub(1) {
            self.room = room;
            self.add(number, prefix, path, found);
            self.piece.files += 1;
        } else {
            self.piece.not_listed += 1;
        }
        if self.skipped_weight > MAX_SKIPPED_BYTES {
            self.hand_over_skipped();
        }
        if self.piece.files + self.piece.not_listed < PIECE && self.piece.weight < PIECE_BYTES {
            ControlFlow::Continue(())
        } else {
            self.flush()
        }
    }

    /// Adds a file. Its key is `prefix`, the base name of a directory item and a
    /// slash, followed by its `path`.
    fn add(&mut self, number: u32, prefix: &str, path: &Path, found: Found) {
        let raw = path.as_os_str().as_bytes();
        let keeps_name = self.local || self.keeps_gzip_name(number, path, &found);
        let (key, is_masked) = self.key(prefix, raw, keeps_name);
        let (stamp, target) = match found {
            Found::Other(reason) => return self.skip(&key, number, None, &reason),
            Found::File { stamp, target } => (stamp, target),
        };
        let is_in_key = key.strip_prefix(prefix).is_some_and(|rest| rest.as_bytes() == raw);
        let path = match &target {
            Some(target) => Some(Box::new(self.shared_path(target))),
            None => (!is_in_key).then(|| Box::new(self.shared_path(path))),
        };
        let key = if is_masked { self.free(&key) } else { key };
        if let Some(reason) = self.refusal(&key) {
            return self.skip(&key, number, path, &reason);
        }
        let key = self.shared_key(&key);
        let wanted = Desired {
            key,
            class: Class::Artifact,
            bytes: stamp.size,
            source: Origin::Item { item: number, path },
            fingerprint: Fingerprint::of_file(&stamp).under(self.generation),
        };
        self.piece.weight += self.weigher.weigh(&wanted);
        self.piece.wanted.push(wanted);
    }

    fn shared_key(&mut self, text: &str) -> Key {
        let key = Key::beside(self.last.0.as_ref(), text);
        if !self.last.0.as_ref().is_some_and(|last| last.is_beside(&key)) {
            self.last.0 = Some(key.clone());
        }
        key
    }

    fn shared_path(&mut self, path: &Path) -> ItemPath {
        let path = ItemPath::beside(self.last.1.as_ref(), path);
        if !self.last.1.as_ref().is_some_and(|last| last.is_beside(&path)) {
            self.last.1 = Some(path.clone());
        }
        path
    }

    /// Returns whether a file's name ends with `.gz` but its content is no gzip file.
    fn keeps_gzip_name(&mut self, number: u32, path: &Path, found: &Found) -> bool {
        let Found::File { target, .. } = found else { return false };
        if !path.file_name().is_some_and(|name| has_gzip_name(&name.to_string_lossy())) {
            return false;
        }
        let source = match self.items.get(number as usize) {
            Some(Some(Item::Directory(dir))) => {
                let path = target.as_deref().unwrap_or(path);
                FileSource::in_item(Arc::clone(dir), path.to_owned())
            }
            Some(Some(Item::File(source))) => source.clone(),
            Some(None) | None => return false,
        };
        !self.gzip_names.is_gzip(&source)
    }

    /// Returns the key of a file, and whether a secret was masked in it. Secrets that
    /// are no text are masked in the name's own bytes.
    fn key(&self, prefix: &str, raw: &[u8], keeps_name: bool) -> (String, bool) {
        let name = self.censor.as_ref().map_or_else(|| raw.to_vec(), |censor| censor.bytes(raw));
        let shown = escaped(&name, self.local);
        let key = format!("{prefix}{}", if keeps_name { shown } else { self.renamed(&shown) });
        let key = key.trim_end_matches('/');
        let masked = self.masked(key);
        let is_masked = name != raw || masked != key;
        (masked, is_masked)
    }

    /// Appends a number to a masked key that another file has already.
    fn free(&mut self, key: &str) -> String {
        let mut free = key.to_owned();
        while self.taken.contains(&free) {
            if self.numbers.len() > MAX_NUMBERED {
                self.numbers.clear();
            }
            let number = self.numbers.entry(Fingerprint::of_document(key.as_bytes())).or_insert(1);
            *number += 1;
            free = format!("{key}-{number}");
        }
        free
    }

    fn masked(&self, text: &str) -> String {
        self.censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text))
    }

    /// Applies the file-name rule to the last component of a path.
    fn renamed(&self, path: &str) -> String {
        let (parent, name) = path.rsplit_once('/').map_or(("", path), |(parent, name)| (parent, name));
        let name = name_rule(name, self.types).name;
        if parent.is_empty() { name } else { format!("{parent}/{name}") }
    }
}

/// Makes an object whose content is a document.
pub fn document(key: impl Into<Key>, class: Class, content: Bytes) -> Wanted {
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

#[cfg(test)]
mod tests;
