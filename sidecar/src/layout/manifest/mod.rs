//! `manifest.json`: lists the delivered objects, so that a bucket can be audited and
//! a job's history reconstructed without the pod.
//!
//! ```json
//! {"version":1,
//!  "job":{"name":"nightly","build_id":"7"},
//!  "objects":[{"key":"logs/job/7/build-log.txt","source":"/logs/process-log.txt","state":"stored",
//!              "source_bytes":12,"source_crc32c":"f1e2d3c4","stored_bytes":12,"stored_crc32c":"f1e2d3c4",
//!              "content_type":"text/plain; charset=utf-8","censored":0,"matches_report":true}],
//!  "containers":[{"name":"test","command":["make","test"],"log":"logs/job/7/build-log.txt",
//!                 "log_errors":{"lines":99,"errors":[{"line":7,"text":"…"}],"left_out":0,"unread":0},"state":"ended","code":0}],
//!  "censoring":{"secrets":5,"not_loaded":[{"path":"…","reason":"…"}],"not_masked":["/secrets/short"],
//!               "sources":[{"path":"/secrets/.netrc","format":"netrc","values":2}]},
//!  "reports":{"test":{…}},
//!  "tests":{"tests":"412","failed":"3","failures":[{…}],"slowest":[{…}]},
//!  "passes":[{"policy":"final","started":"…","finished":"…"}]}
//! ```
//!
//! `state` is `stored`, `changed` (the source changed while it was read, or the
//! object is of an earlier pass), `skipped` and `withheld` with a `reason`, or
//! `failed` with an `error`. The manifest itself and `finished.json`, which follow,
//! are not listed. Where not all files could be listed, `"listing"` is
//! `{"complete":false,"files":1000,"reason":"…","not_listed":7}`. Where objects are beyond
//! a limit, and therefore skipped, `"limits"` is `{"objects":3,"reason":"…"}`.

use super::value::{Value, masked_members};
use common::report::{Report, crc32c_text};
use common::timestamp::Timestamp;
use job_page::excerpt::LogErrors;
use job_page::manifest::JobName;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The schema's version.
pub const VERSION: u32 = job_page::manifest::VERSION;

/// The whole document. `objects` iterates over every object, in the order of the
/// keys; they are built one by one while the document is written, and `listing` is asked
/// after them.
#[derive(Clone, Debug)]
pub struct Manifest<O, L> {
    /// [`VERSION`].
    pub version: u32,
    /// The job and its build, where they are known.
    pub job: Option<JobName>,
    /// Iterates over the objects.
    pub objects: O,
    /// Returns something when not all files could be listed.
    pub listing: L,
    /// Present when objects are beyond a limit.
    pub limits: Option<LimitsGap>,
    /// The entries, in the order of the options.
    pub containers: Vec<ManifestContainer>,
    /// The state of the secrets; absent when nothing is censored.
    pub censoring: Option<Censoring>,
    /// The entries' reports, by container name.
    pub reports: BTreeMap<String, Value>,
    /// The tests of the job's reports, masked.
    pub tests: Option<Value>,
    /// Sidecar's passes.
    pub passes: Vec<PassTimes>,
    /// The time when sidecar has to end, once it was told to stop and has a grace
    /// period.
    pub deadline: Option<Timestamp>,
}

impl<O, I, L> Serialize for Manifest<O, L>
where
    O: Fn() -> I,
    I: Iterator<Item = ManifestObject>,
    L: Fn() -> Option<ListingGap>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Manifest", 10)?;
        document.serialize_field("version", &self.version)?;
        match &self.job {
            Some(job) => document.serialize_field("job", job)?,
            None => document.skip_field("job")?,
        }
        document.serialize_field("objects", &Sequence(&self.objects))?;
        if let Some(listing) = (self.listing)() {
            document.serialize_field("listing", &listing)?;
        }
        if let Some(limits) = &self.limits {
            document.serialize_field("limits", limits)?;
        }
        document.serialize_field("containers", &self.containers)?;
        match &self.censoring {
            Some(censoring) => document.serialize_field("censoring", censoring)?,
            None => document.skip_field("censoring")?,
        }
        document.serialize_field("reports", &self.reports)?;
        match &self.tests {
            Some(tests) => document.serialize_field("tests", tests)?,
            None => document.skip_field("tests")?,
        }
        document.serialize_field("passes", &self.passes)?;
        if let Some(deadline) = &self.deadline {
            document.serialize_field("deadline", deadline)?;
        }
        document.end()
    }
}

struct Sequence<'a, O>(&'a O);

impl<O, I> Serialize for Sequence<'_, O>
where
    O: Fn() -> I,
    I: Iterator<Item = ManifestObject>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A listing that is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ListingGap {
    /// Always false: a listing that is complete is not mentioned.
    pub complete: bool,
    /// The files that were found.
    pub files: u64,
    /// The reason why there may be more.
    pub reason: &'static str,
    /// The files that were counted only.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_listed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl fmt::Display for ListingGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the list of files is not complete: {} were found, then {}", self.files, self.reason)?;
        match self.not_listed {
            0 => Ok(()),
            more => write!(f, "; {more} more were counted only"),
        }
    }
}

/// Objects that are beyond a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitsGap {
    /// Their number.
    pub objects: usize,
    /// The limit that the first of them is beyond.
    pub reason: String,
}

impl fmt::Display for LimitsGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { objects, reason } = self;
        let s = if *objects == 1 { "" } else { "s" };
        write!(f, "{objects} object{s} beyond a limit, first by {reason}")
    }
}

/// The state of the secrets, without any of their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Censoring {
    /// The number of values that are masked.
    pub secrets: usize,
    /// Secrets that could not be loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_loaded: Vec<NotLoaded>,
    /// Files with a value that is too short to be masked, or a boolean.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_masked: Vec<String>,
    /// Files with more than one value, at most 1,000 of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SecretSource>,
}

/// How a file with more than one value was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretSource {
    /// The file.
    pub path: String,
    /// The format that it was recognized as, or configured to be.
    pub format: &'static str,
    /// The number of values found in it, beside its whole text.
    pub values: usize,
}

/// A secret that could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotLoaded {
    /// The file or directory.
    pub path: String,
    /// The reason.
    pub reason: String,
}

/// Sizes and checksums of an object and its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Bytes read.
    pub source_bytes: u64,
    /// CRC32C of the bytes read.
    pub source_crc32c: String,
    /// Bytes of the object.
    pub stored_bytes: u64,
    /// CRC32C of the object.
    pub stored_crc32c: String,
    /// Its content type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its content encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// Bytes that were overwritten because they belonged to secrets.
    pub censored: u64,
    /// A note on the parts of a container that were left out or not inspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestObject {
    /// Its key below the destination.
    pub key: String,
    /// The file it comes from; absent for documents that sidecar makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its name held a secret, which is masked in key and source.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub name_masked: bool,
    /// The outcome; see the module's header.
    pub state: &'static str,
    /// The reason why it was skipped or withheld, or is of an earlier pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason why it could not be stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The object at the destination.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// For a build log: the bytes read are those that entrypoint reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches_report: Option<bool>,
}

impl From<ManifestObject> for job_page::manifest::Object {
    fn from(object: ManifestObject) -> Self {
        let proof = object.proof;
        Self {
            key: object.key,
            source: object.source,
            state: object.state.to_owned(),
            reason: object.reason,
            error: object.error,
            source_bytes: proof.as_ref().map_or(0, |proof| proof.source_bytes),
            stored_bytes: proof.as_ref().map(|proof| proof.stored_bytes),
            stored_crc32c: proof.as_ref().map(|proof| proof.stored_crc32c.clone()),
            content_type: proof.as_ref().and_then(|proof| proof.content_type.clone()),
            content_encoding: proof.as_ref().and_then(|proof| proof.content_encoding.clone()),
            censored: proof.map_or(0, |proof| proof.censored),
            matches_report: object.matches_report,
        }
    }
}

/// One wrapped container; its texts are masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestContainer {
    /// Its name; may be empty.
    pub name: String,
    /// Its command.
    pub command: Vec<String>,
    /// The key of its build log.
    pub log: String,
    /// The errors in its build log, if that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_errors: Option<LogErrors>,
    /// `ended`, `unreadable` (its marker), `lost` (its entrypoint was killed) or `running`.
    pub state: &'static str,
    /// The code in its marker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
}

/// The times of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassTimes {
    /// `checkpoint` (the last one), `best_effort` or `final`.
    pub policy: &'static str,
    /// Its start.
    pub started: Timestamp,
    /// The time when everything but the closing objects was settled; absent when
    /// another pass took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
}

/// Returns a report as the manifest holds it: with the job's texts masked, but not
/// keys, codes and times, which entrypoint writes.
pub fn report_value(report: &Report, mask: &dyn Fn(&str) -> String) -> Value {
    let text = common::json::to_go_string(report);
    let Ok(Value::Object(mut members)) = Value::parse(&text) else {
        return Value::Null;
    };
    for key in ["cause", "leftovers", "processes"] {
        if let Some(value) = members.remove(key) {
            members.insert(key.to_owned(), mask_texts(value, mask));
        }
    }
    Value::Object(members)
}

/// Masks texts, but not keys and numbers, which entrypoint writes.
fn mask_texts(value: Value, mask: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Text(text) => Value::Text(mask(&text)),
        Value::List(list) => Value::List(list.into_iter().map(|value| mask_texts(value, mask)).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(key, value)| (key, mask_texts(value, mask))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Written(_) => value,
    }
}

/// Returns the reports by container name; their indices distinguish equal names.
pub fn reports<'a>(
    entries: impl IntoIterator<Item = (&'a str, Option<&'a Report>)>,
    mask: &dyn Fn(&str) -> String,
) -> BTreeMap<String, Value> {
    let mut reports = BTreeMap::new();
    for (index, (container, report)) in entries.into_iter().enumerate() {
        let Some(report) = report else { continue };
        let taken = reports.contains_key(container);
        let name = if taken { format!("{container}#{index}") } else { container.to_owned() };
        reports.insert(name, report_value(report, mask));
    }
    masked_keys(reports, mask)
}

fn masked_keys(reports: BTreeMap<String, Value>, mask: &dyn Fn(&str) -> String) -> BTreeMap<String, Value> {
    let names = reports.keys().map(|key| (key.clone(), Value::Null)).collect();
    let masked = masked_members(names, mask).into_keys();
    masked.zip(reports.into_values()).collect()
}

/// Returns whether a log is the one that entrypoint reports; `None` where the
/// report cannot prove it.
pub fn matches_report(report: &Report, source_bytes: u64, source_crc32c: u32) -> Option<bool> {
    let output = &report.output;
    if output.dropped_bytes > 0 || output.log_crc32c.is_empty() {
        return None;
    }
    Some(output.log_bytes == source_bytes && output.log_crc32c == crc32c_text(source_crc32c))
}

#[cfg(test)]
mod tests;
