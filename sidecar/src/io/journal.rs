//! The objects that were taken out of the plan, as the manifest has them: compressed, in an
//! unnamed file in the temporary directory, or in bounded memory where there is none.

use super::compressed_document::{CompressedDocument, Compressing};
use super::object::Fingerprint;
use crate::censor::archive::temporary_file;
use crate::deliver::Key;
use crate::layout::manifest::ManifestObject;
use crate::layout::paths::WITHHELD_SUFFIX;
use job_page::objects::Objects;
use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// Objects that are lost together when the file cannot be written to any more.
const PER_PART: u64 = 8192;

/// Names of files that look like notes about withheld ones and are remembered, so that no
/// note takes the place of such a file.
const MAX_NOTE_NAMES: usize = 100_000;

/// See the module. `add` what was taken out, and take a `document` whenever a manifest is
/// made.
#[derive(Debug)]
pub(super) struct Journal {
    file: Option<Arc<File>>,
    /// Where the next part begins in the file.
    end: u64,
    /// Bytes of memory where there is no file.
    memory: usize,
    parts: CompressedDocument,
    part: Option<(Compressing, u64)>,
    objects: u64,
    left_out: u64,
    /// The page's figures of the same objects, if there is a page.
    page: Option<Objects>,
    /// Hashes of the keys of files that are named as notes are.
    notes: HashSet<u64>,
}

impl Journal {
    /// Holds nothing. Without a file it takes so many bytes of memory.
    pub(super) fn new(memory: usize, has_page: bool) -> Self {
        Self::in_file(temporary_file(), memory, has_page)
    }

    fn in_file(file: Option<File>, memory: usize, has_page: bool) -> Self {
        let page = has_page.then(Objects::default);
        let (parts, part) = (CompressedDocument::default(), None);
        let (file, notes) = (file.map(Arc::new), HashSet::new());
        Self { file, end: 0, memory, parts, part, objects: 0, left_out: 0, page, notes }
    }

    /// Remembers a file's key if a note about a withheld file could have it.
    pub(super) fn remember_name(&mut self, key: &Key) {
        if key.has_suffix(WITHHELD_SUFFIX) && self.notes.len() < MAX_NOTE_NAMES {
            self.notes.insert(hash(&key.to_string()));
        }
    }

    /// Returns whether a file that is named as a note has this key.
    pub(super) fn has_file(&self, key: &str) -> bool {
        self.notes.contains(&hash(key))
    }

    /// Adds an object.
    pub(super) fn add(&mut self, object: ManifestObject) {
        if self.is_full() {
            self.left_out += 1;
        } else {
            self.write(&object);
        }
        if let Some(page) = &mut self.page {
            page.add(object.into());
        }
    }

    fn is_full(&self) -> bool {
        let part = self.part.as_ref().map_or(0, |(part, _)| part.written());
        let part = usize::try_from(part).unwrap_or(usize::MAX);
        // A growing vector can take twice its length.
        self.file.is_none() && self.parts.memory().saturating_add(2 * part) > self.memory
    }

    fn write(&mut self, object: &ManifestObject) {
        let is_first = self.objects == 0;
        let file = self.file.as_ref().map(|file| (Arc::clone(file), self.end));
        let (part, objects) = self.part.get_or_insert_with(|| (Compressing::new(file), 0));
        let separated = if is_first { Ok(()) } else { part.write_all(b",") };
        let written = separated.and_then(|()| common::json::to_go_writer(&mut *part, object));
        *objects += 1;
        self.objects += 1;
        match written {
            Ok(()) if *objects == PER_PART => self.end_part(),
            Ok(()) => {}
            Err(_) => {
                let lost = *objects;
                self.lose(lost);
            }
        }
    }

    /// Ends the part. The next one begins in its place where it could not be written.
    fn end_part(&mut self) {
        let Some((part, objects)) = self.part.take() else { return };
        match part.finish() {
            Ok(part) => {
                self.end = part.end().unwrap_or(self.end);
                self.parts.push(part);
            }
            Err(_) => self.lose(objects),
        }
    }

    fn lose(&mut self, objects: u64) {
        self.part = None;
        self.objects -= objects;
        self.left_out += objects;
    }

    /// Returns what is held: objects in JSON, with commas between them. `None` if there are
    /// none.
    pub(super) fn document(&mut self) -> Option<CompressedDocument> {
        self.end_part();
        (self.objects > 0).then(|| self.parts.clone())
    }

    /// Returns the number of objects that are held.
    pub(super) fn objects(&self) -> u64 {
        self.objects
    }

    /// Returns the number of objects for which there was no room.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Returns what the page says of the objects.
    pub(super) fn page(&self) -> Objects {
        self.page.clone().unwrap_or_default()
    }
}

fn hash(key: &str) -> u64 {
    Fingerprint::of_document(key.as_bytes()).hash()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io::Read;

    fn object(number: u64) -> ManifestObject {
        ManifestObject {
            key: format!("logs/artifacts/{number}"),
            source: None,
            name_masked: false,
            state: "stored",
            reason: None,
            error: None,
            proof: None,
            matches_report: None,
        }
    }

    fn keys(journal: &mut Journal) -> Vec<String> {
        let Some(document) = journal.document() else { return Vec::new() };
        let mut text = String::new();
        document.open().read_to_string(&mut text).expect("read");
        let list: Vec<Value> = serde_json::from_str(&format!("[{text}]")).expect("JSON");
        list.iter().map(|object| object["key"].as_str().expect("a key").to_owned()).collect()
    }

    #[test]
    fn i8_objects_come_back_at_any_time_and_take_no_memory_where_there_is_a_file() {
        let mut journal = Journal::in_file(Some(tempfile::tempfile().expect("a file")), 0, true);
        assert!(journal.document().is_none());
        for number in 0..2 * PER_PART + 10 {
            journal.add(object(number));
            if [0, 7, PER_PART].contains(&number) {
                assert_eq!(keys(&mut journal).len() as u64, number + 1);
            }
        }
        let keys = keys(&mut journal);
        let all: Vec<_> = (0..2 * PER_PART + 10).map(|number| object(number).key).collect();
        assert!(keys == all && journal.left_out() == 0, "{}", keys.len());
        assert_eq!(journal.parts.memory(), 0);
        assert_eq!(journal.page().all.count, all.len() as u64);
    }

    #[test]
    fn i8_without_a_file_what_does_not_fit_is_counted() {
        let mut journal = Journal::in_file(None, 100_000, false);
        (0..100_000).for_each(|number| journal.add(object(number)));
        let kept = keys(&mut journal);
        assert!(journal.parts.memory() <= 100_000, "{}", journal.parts.memory());
        assert!(kept.len() > 10_000, "{}", kept.len());
        assert_eq!(kept.len() as u64 + journal.left_out(), 100_000);
        assert_eq!(kept[7], object(7).key);
    }

    #[test]
    fn no_note_takes_the_name_of_a_file() {
        let mut journal = Journal::in_file(None, 0, false);
        for name in ["a", "a.withheld.txt", "dir/b-2.withheld.txt"] {
            journal.remember_name(&Key::new(name));
        }
        let taken = ["a", "a.withheld.txt", "b.withheld.txt", "dir/b-2.withheld.txt"];
        assert_eq!(taken.map(|key| journal.has_file(key)), [false, true, false, true]);
    }

    #[test]
    fn objects_that_cannot_be_written_are_counted() {
        // Reading is all that is permitted.
        let file = File::open("/dev/null").expect("there");
        let mut journal = Journal::in_file(Some(file), 0, false);
        (0..PER_PART + 5).for_each(|number| journal.add(object(number)));
        assert!(journal.document().is_none());
        assert_eq!(journal.left_out(), PER_PART + 5);
    }
}
