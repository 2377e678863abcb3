//! Builds manifest and page from what is known when a pass is closed.

use super::compressed_document::CompressedDocument;
use super::documents::{Mask, full_key, over_limit};
use super::fault_injection;
use super::logs::Logs;
use super::markers::WatchedEntry;
use super::object::{Fingerprint, ObjectPlan, Origin, Record, path_in_item};
use super::page::Page;
use crate::censor::{Censor, Source};
use crate::deliver::{Class, End, Key, Machine, Object, State};
use crate::junit::Reports;
use crate::layout::manifest::{
    self, Censoring, ListingGap, Manifest, ManifestContainer, ManifestObject, NotLoaded, PassTimes,
    SecretSource,
};
use crate::layout::paths::{FINISHED, MANIFEST, PAGE};
use crate::layout::test_results;
use crate::settings::Settings;
use common::entry::Entry;
use common::job_spec::JobSpec;
use common::timestamp::Timestamp;
use job_page::manifest::{JobName, MAX_KEY_BYTES};
use job_page::objects::{FOLLOWS, Objects};
use std::cell::Cell;
use std::io;
use tokio::time::Instant;

/// The reason of an object that was not reached.
const NO_TIME: &str = "there was no time left for it";

/// The reason why the objects that follow are not written down.
const TOO_SLOW: &str = "there was no time left to write them down";

/// The same where a directory is full.
pub const NO_ROOM: &str = "there was no room for more of the manifest";

/// The state of everything that a pass has delivered.
pub struct Delivered<'a> {
    /// The options.
    pub settings: &'a Settings,
    /// The objects.
    pub plan: &'a ObjectPlan,
    /// The entries, in the order of the options.
    pub entries: &'a [&'a WatchedEntry],
    /// Knows how the entries ended.
    pub machine: &'a Machine,
    /// The test reports.
    pub reports: &'a Reports,
    /// Excerpts of the logs.
    pub logs: &'a Logs,
    /// The passes.
    pub passes: &'a [PassTimes],
    /// The end of the given time.
    pub deadline: Option<Timestamp>,
    /// The gap of the listing.
    pub listing: Option<ListingGap>,
    /// How much of the objects is written down.
    pub bounds: Bounds,
    /// Masks texts.
    pub censor: Option<&'a Censor>,
}

/// How much of the objects is written down; the rest is counted.
#[derive(Debug)]
pub struct Bounds {
    /// Until then.
    until: Instant,
    /// Bytes of JSON.
    bytes: u64,
    /// Bytes that were written.
    written: Cell<u64>,
    /// Objects that were left out, and why the first of them was.
    left_out: Cell<Option<(u64, &'static str)>>,
}

impl Bounds {
    /// Bounds the time, and the bytes where there is a limit.
    pub fn new(until: Instant, bytes: Option<u64>) -> Self {
        Self { until, bytes: bytes.unwrap_or(u64::MAX), written: Cell::default(), left_out: Cell::default() }
    }

    /// Returns the number of objects that were left out, and why.
    pub fn left_out(&self) -> Option<(u64, &'static str)> {
        self.left_out.get()
    }

    fn begin(&self) {
        self.written.set(0);
        self.left_out.set(None);
    }

    /// Returns whether one more object is left out, which is counted then.
    fn is_reached(&self) -> bool {
        let reason = match self.left_out.get() {
            Some((_, reason)) => Some(reason),
            None if self.written.get() > self.bytes => Some(NO_ROOM),
            None => (Instant::now() >= self.until).then_some(TOO_SLOW),
        };
        let Some(reason) = reason else { return false };
        let before = self.left_out.get().map_or(0, |(objects, _)| objects);
        self.left_out.set(Some((before + 1, reason)));
        true
    }

    fn takes(&self, object: &ManifestObject) {
        if self.bytes < u64::MAX {
            let bytes = common::json::to_go_string(object).len() as u64;
            self.written.set(self.written.get() + bytes);
        }
    }
}

impl Delivered<'_> {
    /// Builds `manifest.json`, compressed: it grows with the number of files. `retired` are
    /// the objects that the plan holds no longer.
    pub fn manifest(&self, retired: Option<CompressedDocument>) -> CompressedDocument {
        let mask = self.mask();
        let whole = match retired {
            None => {
                let document = self.document(|| self.objects(&mask), &mask);
                CompressedDocument::new(|writer| common::json::to_go_writer(writer, &document))
            }
            Some(retired) => self.manifest_around(retired, &mask),
        };
        whole.expect("compressing into memory does not fail, and keys are texts")
    }

    fn manifest_around(&self, retired: CompressedDocument, mask: Mask<'_>) -> io::Result<CompressedDocument> {
        CompressedDocument::around(retired, |writer, place| {
            let is_first = Cell::new(true);
            let objects = || {
                let through = std::iter::from_fn(|| {
                    place(if is_first.get() { "" } else { "," });
                    None
                });
                self.objects(mask).inspect(|_| is_first.set(false)).chain(through)
            };
            let document = self.document(objects, mask);
            common::json::to_go_writer(writer, &document)
        })
    }

    /// Gathers what the page shows of it. `destination` is where the objects are, `objects`
    /// are those that the plan holds no longer.
    pub fn page(&self, destination: String, mut objects: Objects) -> Page {
        let mask = self.mask();
        self.objects(&mask).for_each(|object| objects.add(object.into()));
        for name in [PAGE, MANIFEST, FINISHED] {
            objects.add_closing(&full_key(self.settings, name), FOLLOWS);
        }
        let document = self.document(std::iter::empty::<ManifestObject>, &mask);
        let logs = (0..self.entries.len()).map(|index| self.logs.get(index)).collect();
        Page { destination, manifest: common::json::to_go_string(&document), objects, logs }
    }

    fn mask(&self) -> impl Fn(&str) -> String {
        let censor = self.censor;
        move |text: &str| censor.map_or_else(|| text.to_owned(), |censor| censor.text(text))
    }

    /// The gap of the listing, or of what is written down of it.
    fn gap(&self) -> Option<ListingGap> {
        widened(self.listing, self.bounds.left_out(), self.plan)
    }

    fn objects<'a>(&'a self, mask: Mask<'a>) -> impl Iterator<Item = ManifestObject> + 'a {
        self.bounds.begin();
        let listed = self
            .plan
            .objects()
            .filter(|object| !matches!(object.desired.class, Class::Manifest | Class::Result));
        listed.filter(|_| !self.bounds.is_reached()).map(move |object| {
            fault_injection::point(format_args!("row"));
            let row = manifest_object(self.settings, object, self.entries, mask);
            self.bounds.takes(&row);
            row
        })
    }

    fn document<O>(
        &self,
        objects: O,
        mask: Mask<'_>,
    ) -> Manifest<O, impl Fn() -> Option<ListingGap> + use<'_, O>> {
        let names = self.settings.entries.iter().map(|entry| entry.container_name.as_str());
        Manifest {
            version: manifest::VERSION,
            job: self.settings.job.as_ref().map(job_name),
            objects,
            listing: || self.gap(),
            limits: over_limit(self.plan),
            containers: self.containers(mask),
            censoring: self.censor.map(|censor| censoring(censor, mask)),
            reports: manifest::reports(names.zip(self.entries.iter().map(|entry| entry.report())), mask),
            tests: self.reports.summary(mask).map(|tests| test_results::in_manifest(&tests)),
            passes: self.passes.to_vec(),
            deadline: self.deadline,
        }
    }

    fn containers(&self, mask: Mask<'_>) -> Vec<ManifestContainer> {
        let entries = self.settings.entries.iter().zip(&self.settings.build_logs).enumerate();
        let container = |(index, (entry, log)): (usize, (&Entry, &String))| {
            let (state, code) = match self.machine.end(index) {
                Some(End::Marker { code, .. }) => ("ended", Some(code)),
                Some(End::Unreadable) => ("unreadable", None),
                Some(End::Lost { .. }) => ("lost", None),
                None => ("running", None),
            };
            ManifestContainer {
                name: mask(&entry.container_name),
                command: entry.args.iter().map(|word| mask(word)).collect(),
                log: full_key(self.settings, log),
                log_errors: self.logs.get(index).map(|excerpt| excerpt.log_errors()),
                state,
                code,
            }
        };
        entries.map(container).collect()
    }
}

/// Adds objects that were delivered and are not listed, with the reason, to a gap.
pub fn widened(
    gap: Option<ListingGap>,
    left_out: Option<(u64, &'static str)>,
    plan: &ObjectPlan,
) -> Option<ListingGap> {
    let Some((objects, reason)) = left_out else { return gap };
    let gap = gap.unwrap_or_else(|| {
        let sum = plan.summary();
        let files = (sum.stored + sum.skipped + sum.failed + sum.withheld) as u64;
        ListingGap { complete: false, files, reason, not_listed: 0 }
    });
    Some(ListingGap { not_listed: gap.not_listed + objects, ..gap })
}

fn job_name(spec: &JobSpec) -> JobName {
    JobName { name: spec.job.clone(), build_id: spec.build_id.clone() }
}

fn censoring(censor: &Censor, mask: Mask<'_>) -> Censoring {
    let not_loaded = censor
        .problems()
        .iter()
        .map(|problem| NotLoaded { path: mask(&problem.path), reason: mask(&problem.reason) });
    let source = |source: &Source| SecretSource {
        path: mask(&source.path),
        format: source.format,
        values: source.values,
    };
    Censoring {
        secrets: censor.secrets(),
        not_loaded: not_loaded.collect(),
        not_masked: censor.unmasked().iter().map(|path| mask(path)).collect(),
        sources: censor.sources().iter().map(source).collect(),
    }
}

/// Returns an object as the manifest has it.
pub fn manifest_object(
    settings: &Settings,
    object: &Object<Origin, Fingerprint, Record>,
    entries: &[&WatchedEntry],
    mask: Mask<'_>,
) -> ManifestObject {
    let stored = object.stored.as_deref();
    let text = |text: &str| Some(mask(text));
    let (state, reason, error) = match &object.state {
        State::Stored => ("stored", None, None),
        State::Changed => ("changed", None, None),
        State::Skipped(reason) | State::OverLimit(reason) if stored.is_some() => {
            ("changed", text(reason), None)
        }
        State::Skipped(reason) | State::OverLimit(reason) => ("skipped", text(reason), None),
        State::OutOfTime | State::Aborting { .. } if stored.is_some() => {
            ("changed", Some(NO_TIME.to_owned()), None)
        }
        State::Withheld(reason) => ("withheld", text(reason), None),
        State::Failed(error) => ("failed", None, text(error)),
        // A manifest is made when everything else is settled; what is open then
        // is of a pass that never came to it.
        State::OutOfTime
        | State::Queued
        | State::InFlight
        | State::Restarting
        | State::Aborting { .. }
        | State::Pausing => ("skipped", Some(NO_TIME.to_owned()), None),
    };
    let log = match object.desired.source {
        Origin::Log(index) => entries.get(index).and_then(|entry| entry.report()),
        Origin::Document(_) | Origin::Compressed(_) | Origin::Item { .. } => None,
    };
    let key = &object.desired.key;
    let name_masked = match &object.desired.source {
        Origin::Item { path: Some(path), .. } => {
            let path = path.path();
            let path = path.to_string_lossy();
            mask(&path) != path
        }
        Origin::Item { path: None, .. } | Origin::Document(_) | Origin::Compressed(_) | Origin::Log(_) => {
            false
        }
    };
    // An earlier pass may have named the object before a secret in it was known.
    let shown =
        if object.desired.class == Class::Artifact { mask(&key.to_string()) } else { key.to_string() };
    ManifestObject {
        key: listed_key(full_key(settings, &shown)),
        source: source_path(settings, key, &object.desired.source).map(|path| mask(&path)),
        name_masked,
        state,
        reason,
        error,
        proof: stored.map(Record::proof),
        matches_report: log.zip(stored).and_then(|(report, stored)| {
            let (bytes, crc32c) = stored.source();
            manifest::matches_report(report, bytes, crc32c)
        }),
    }
}

/// Cuts a key that no store takes: what reads manifests refuses a longer one.
fn listed_key(mut key: String) -> String {
    const MARK: char = '…';
    if key.len() > MAX_KEY_BYTES {
        key.truncate(key.floor_char_boundary(MAX_KEY_BYTES - MARK.len_utf8()));
        key.push(MARK);
    }
    key
}

/// Returns the file that an object comes from, as people would write it.
fn source_path(settings: &Settings, key: &Key, origin: &Origin) -> Option<String> {
    match origin {
        Origin::Document(_) | Origin::Compressed(_) => None,
        Origin::Log(index) => settings.entries.get(*index).map(|entry| entry.process_log.clone()),
        Origin::Item { item, path } => {
            let item = settings.upload.items.get(*item as usize)?.trim_end_matches('/');
            let path = path_in_item(key, path.as_deref());
            Some(if path.as_os_str().is_empty() {
                item.to_owned()
            } else {
                format!("{item}/{}", path.display())
            })
        }
    }
}
