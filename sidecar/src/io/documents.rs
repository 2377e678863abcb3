//! Builds the documents that close a pass.

use super::compressed_document::CompressedDocument;
use super::markers::WatchedEntry;
use super::object::{ObjectPlan, Origin, path_in_item};
use crate::censor::{Censor, Source};
use crate::deliver::sentence::{Evidence, Told};
use crate::deliver::{Class, End, Key, Machine, Object, State, Verdict};
use crate::junit::Reports;
use crate::layout::finished::Finished;
use crate::layout::manifest::{
    self, Censoring, LimitsGap, ListingGap, Manifest, ManifestContainer, ManifestObject, NotLoaded,
    PassTimes, SecretSource,
};
use crate::layout::metadata;
use crate::layout::test_results;
use crate::layout::value::Value;
use crate::settings::Settings;
use bytes::Bytes;
use common::entry::Entry;
use common::open_beneath::{self, Opened};
use common::report::Report;
use common::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// Masks a text.
pub type Mask<'a> = &'a dyn Fn(&str) -> String;

/// The reason of an object that was not reached.
const NO_TIME: &str = "there was no time left for it";

/// Reads an entry's metadata file.
pub fn read_metadata(entry: &Entry) -> metadata::Read {
    if entry.metadata_file.is_empty() {
        return Ok(None);
    }
    match open_beneath::open(Path::new(&entry.metadata_file))? {
        Opened::Absent => Ok(None),
        Opened::File(file) => open_beneath::read_bounded(&file, metadata::MAX_BYTES).map(Some),
    }
}

/// Tells how each entry ended, with its container's name.
pub fn told<'a, 'b>(
    settings: &'a Settings,
    machine: &Machine,
    reports: impl Iterator<Item = Option<&'b Report>>,
    evidence: &[Evidence],
) -> Vec<(&'a str, Told)> {
    let entries = settings.entries.iter().zip(reports).zip(evidence).enumerate();
    entries
        .map(|(index, ((entry, report), evidence))| {
            (entry.container_name.as_str(), Told::of(machine.end(index), report, evidence))
        })
        .collect()
}

/// Reads the metadata of all entries.
pub fn metadata(settings: &Settings, mask: Mask<'_>) -> BTreeMap<String, Value> {
    let files = settings.entries.iter().map(|entry| (entry, read_metadata(entry)));
    metadata::merge(files, mask)
}

/// Builds `finished.json`. `told` is one for each entry.
pub fn finished(
    settings: &Settings,
    metadata: BTreeMap<String, Value>,
    told: Vec<Told>,
    reports: &Reports,
    verdict: Verdict,
    mask: Mask<'_>,
) -> Bytes {
    let entries: Vec<_> =
        settings.entries.iter().map(|entry| entry.container_name.as_str()).zip(told).collect();
    let now = Timestamp::now().as_secs();
    let document = Finished::new(
        now,
        verdict,
        metadata,
        &settings.revision,
        &entries,
        reports.summary(mask).as_ref(),
        mask,
    );
    common::json::to_go_string(&document).into()
}

/// Builds `manifest.json`, compressed: it grows with the number of files.
pub fn manifest(
    settings: &Settings,
    plan: &ObjectPlan,
    entries: &[&WatchedEntry],
    machine: &Machine,
    reports: &Reports,
    (passes, deadline, listing): (&[PassTimes], Option<Timestamp>, Option<ListingGap>),
    censor: Option<&Censor>,
) -> CompressedDocument {
    let mask: Mask<'_> = &|text: &str| censor.map_or_else(|| text.to_owned(), |censor| censor.text(text));
    let objects = || {
        let listed =
            plan.objects().filter(|object| !matches!(object.desired.class, Class::Manifest | Class::Result));
        listed.map(|object| manifest_object(settings, object, entries, mask))
    };
    let names = settings.entries.iter().map(|entry| entry.container_name.as_str());
    let document = Manifest {
        version: manifest::VERSION,
        objects,
        listing,
        limits: over_limit(plan),
        containers: containers(settings, machine, mask),
        censoring: censor.map(|censor| censoring(censor, mask)),
        reports: manifest::reports(names.zip(entries.iter().map(|entry| entry.report())), mask),
        tests: reports.summary(mask).map(|tests| test_results::in_manifest(&tests)),
        passes: passes.to_vec(),
        deadline,
    };
    CompressedDocument::new(|writer| common::json::to_go_writer(writer, &document))
        .expect("compressing into memory does not fail, and keys are texts")
}

/// Counts what is beyond a limit.
pub fn over_limit(plan: &ObjectPlan) -> Option<LimitsGap> {
    let mut reasons = plan.objects().filter_map(|object| object.state.over_limit());
    let reason = reasons.next()?.to_owned();
    Some(LimitsGap { objects: 1 + reasons.count(), reason })
}

fn containers(settings: &Settings, machine: &Machine, mask: Mask<'_>) -> Vec<ManifestContainer> {
    let entries = settings.entries.iter().zip(&settings.build_logs).enumerate();
    let container = |(index, (entry, log)): (usize, (&Entry, &String))| {
        let (state, code) = match machine.end(index) {
            Some(End::Marker { code, .. }) => ("ended", Some(code)),
            Some(End::Unreadable) => ("unreadable", None),
            Some(End::Lost { .. }) => ("lost", None),
            None => ("running", None),
        };
        ManifestContainer {
            name: mask(&entry.container_name),
            command: entry.args.iter().map(|word| mask(word)).collect(),
            log: full_key(settings, log),
            state,
            code,
        }
    };
    entries.map(container).collect()
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

fn manifest_object(
    settings: &Settings,
    object: &Object<Origin, super::object::Fingerprint, super::object::Record>,
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
        State::OutOfTime | State::Aborting(_) if stored.is_some() => {
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
        | State::Aborting(_)
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
        key: full_key(settings, &shown),
        source: source_path(settings, key, &object.desired.source).map(|path| mask(&path)),
        name_masked,
        state,
        reason,
        error,
        proof: stored.map(super::object::Record::proof),
        matches_report: log.zip(stored).and_then(|(report, stored)| {
            let (bytes, crc32c) = stored.source();
            manifest::matches_report(report, bytes, crc32c)
        }),
    }
}

/// Returns the key below the destination of a key of the plan.
pub fn full_key(settings: &Settings, key: &str) -> String {
    match key.strip_prefix('/') {
        Some(root) => root.to_owned(),
        None => settings.paths.key(key),
    }
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
