//! Builds the result of a pass.

use super::object::ObjectPlan;
use crate::deliver::sentence::{Evidence, Told};
use crate::deliver::{Machine, Verdict};
use crate::junit::Reports;
use crate::layout::finished::Finished;
use crate::layout::manifest::LimitsGap;
use crate::layout::metadata;
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

/// Counts what is beyond a limit.
pub fn over_limit(plan: &ObjectPlan) -> Option<LimitsGap> {
    let held = || plan.objects().find_map(|object| object.state.over_limit());
    let reason = plan.retired().over_limit.as_deref().or_else(held)?.to_owned();
    Some(LimitsGap { objects: plan.summary().over_limit, reason })
}

/// Returns the key below the destination of a key of the plan.
pub fn full_key(settings: &Settings, key: &str) -> String {
    match key.strip_prefix('/') {
        Some(root) => root.to_owned(),
        None => settings.paths.key(key),
    }
}
