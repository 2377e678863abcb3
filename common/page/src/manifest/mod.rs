//! The facts in a `manifest.json`. [`read()`] passes its objects one by one, because it can be
//! larger than what this program may hold.

mod read;

use crate::escape::visible;
use crate::excerpt::LogErrors;
use crate::test_results::TestResults;
use common::bounded::first;
use common::report::Report;
use common::timestamp::Timestamp;
pub use read::read;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema's version that is understood.
pub const VERSION: u32 = 1;

/// Upper bound on an object's key: four times what any store takes.
pub const MAX_KEY_BYTES: usize = 4096;

/// The name of the document that is always at a job's upload path and that no job can
/// name: sidecar's own records.
pub const OWN_LOG: &str = "sidecar-logs.json";

/// Upper bound on the members that are kept of a list within an object.
const MAX_MEMBERS: usize = 1000;

/// One object, as far as it is shown or checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Object {
    /// The key at the destination.
    pub key: String,
    /// The file that it comes from.
    pub source: Option<String>,
    /// `stored`, `changed`, `skipped`, `withheld` or `failed`.
    pub state: String,
    /// The reason why it was skipped or withheld.
    pub reason: Option<String>,
    /// The error with which it failed.
    pub error: Option<String>,
    /// The size of its source.
    pub source_bytes: u64,
    /// Its size at the destination.
    pub stored_bytes: Option<u64>,
    /// The checksum of what is stored, eight hex digits.
    pub stored_crc32c: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its content encoding.
    pub content_encoding: Option<String>,
    /// Bytes of secrets that were masked.
    pub censored: u64,
    /// Tells whether a log is what entrypoint wrote.
    pub matches_report: Option<bool>,
}

impl Object {
    /// Returns whether something of it lies at the destination.
    pub fn is_there(&self) -> bool {
        self.stored_bytes.is_some()
    }

    /// Returns whether it is as it should be.
    pub fn is_stored(&self) -> bool {
        self.state == "stored"
    }

    /// The reason why it is not.
    pub fn why(&self) -> &str {
        self.error.as_deref().or(self.reason.as_deref()).unwrap_or_default()
    }
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its command.
    #[serde(deserialize_with = "first::<MAX_MEMBERS, _, _>")]
    pub command: Vec<String>,
    /// The key of its log.
    pub log: String,
    /// The errors in its log, noted when it was delivered.
    pub log_errors: Option<LogErrors>,
    /// `ended`, `lost`, `unreadable` or `running`.
    pub state: String,
    /// Its code, once it ended.
    pub code: Option<i32>,
}

/// Begin and end of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pass {
    /// `checkpoint`, `best_effort` or `final`.
    pub policy: String,
    /// The time when it began.
    pub started: Timestamp,
    #[serde(default)]
    /// The time when it was through; `None` if another one took over.
    pub finished: Option<Timestamp>,
}

/// The name of a job, and the number of its run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobName {
    /// The job's name.
    pub name: String,
    /// The build's id.
    pub build_id: String,
}

/// Everything but the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// The containers.
    pub containers: Vec<Container>,
    /// Number of further containers.
    pub containers_left_out: usize,
    /// Reports of entrypoints, by container.
    pub reports: BTreeMap<String, Report>,
    /// Sidecar's passes.
    pub passes: Vec<Pass>,
    /// The time when sidecar had to end.
    pub deadline: Option<Timestamp>,
    /// The tests of the job's reports.
    pub tests: Option<TestResults>,
    /// Secrets that were not masked.
    pub censoring: Censoring,
    /// Gaps in the list of files.
    pub listing: Option<Listing>,
    /// Objects beyond a limit.
    pub limits: Option<Limits>,
    /// The job and the build, where sidecar knows them.
    pub job: Option<JobName>,
}

impl Rest {
    /// Says what the delivery has left out: files that were not listed, objects beyond a
    /// limit.
    pub fn gaps(&self) -> impl Iterator<Item = String> {
        let listing = self.listing.as_ref().and_then(Listing::gap);
        listing.into_iter().chain(self.limits.as_ref().and_then(Limits::gap))
    }
}

/// The secrets that are not masked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Censoring {
    #[serde(deserialize_with = "first::<MAX_MEMBERS, _, _>")]
    not_loaded: Vec<NotLoaded>,
    #[serde(deserialize_with = "first::<MAX_MEMBERS, _, _>")]
    not_masked: Vec<String>,
}

/// A secret that could not be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct NotLoaded {
    path: String,
    reason: String,
}

impl Censoring {
    /// Says of each what is wrong with it.
    pub fn complaints(&self) -> impl Iterator<Item = String> {
        let lost = self
            .not_loaded
            .iter()
            .map(|one| format!("the secret {} could not be loaded: {}", one.path, one.reason));
        let short = self.not_masked.iter().map(|path| format!("the secret {path} is too short to be masked"));
        lost.chain(short)
    }
}

/// A listing that is not complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Listing {
    /// Always false: one that is complete is not mentioned.
    pub complete: bool,
    /// Files that were found.
    pub files: u64,
    /// The reason why there may be more.
    pub reason: String,
    /// Files that were counted only.
    pub not_listed: u64,
}

/// Objects beyond a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Their number.
    pub objects: u64,
    /// The limit that the first of them is beyond.
    pub reason: String,
}

impl Limits {
    /// Returns what was left out because of them.
    pub fn gap(&self) -> Option<String> {
        let s = if self.objects == 1 { "" } else { "s" };
        let gap = || format!("{} object{s} beyond a limit, first by {}", self.objects, visible(&self.reason));
        (self.objects > 0).then(gap)
    }
}

impl Listing {
    /// Returns what is wrong with it; `None` when it is complete.
    pub fn gap(&self) -> Option<String> {
        let why = visible(&self.reason);
        let mut gap = format!("the list of files is not complete: {} were found, then {why}", self.files);
        if self.not_listed > 0 {
            gap = format!("{gap}; {} more were counted only", self.not_listed);
        }
        (!self.complete).then_some(gap)
    }
}

/// The upload path of a job, by the one document that is always at it and that no
/// job can name; `None` for any other object.
pub fn base_of(object: &Object) -> Option<&str> {
    if object.source.is_some() {
        return None;
    }
    let base = object.key.strip_suffix(OWN_LOG)?;
    Some(base.trim_end_matches('/'))
}

/// The name of a key below the upload path; `None` for what lies elsewhere.
pub fn name_below<'a>(key: &'a str, base: &str) -> Option<&'a str> {
    match base {
        "" => Some(key),
        base => key.strip_prefix(base)?.strip_prefix('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_pass_one_by_one_and_the_rest_is_kept() {
        let text = r#"{"version":1,"objects":[{"key":"p/a","state":"stored","stored_bytes":3,"news":1},
            {"key":"p/sidecar-logs.json","state":"failed","error":"403"}],
            "containers":[{"name":"test","command":["make"],"log":"p/build-log.txt","state":"ended","code":3}],
            "tests":{"tests":"3","failed":"1","failures":[{"name":"a"}]},
            "censoring":{"secrets":1,"not_loaded":[{"path":"/s/a","reason":"gone"}],"not_masked":["/s/b"]},
            "reports":{},"passes":[{"policy":"final","started":"2026-01-01T00:00:00Z"}],"future":{}}"#;
        let mut objects = Vec::new();
        let rest = read(text.as_bytes(), &mut |object| objects.push(object)).expect("read");
        assert_eq!((objects.len(), objects[1].why()), (2, "403"));
        assert_eq!(base_of(&objects[1]), Some("p"));
        assert_eq!(name_below("p/a", "p"), Some("a"));
        assert_eq!(name_below("pp/a", "p"), None);
        assert_eq!(rest.tests.expect("tests").failures[0].name, "a");
        assert_eq!(
            rest.censoring.complaints().collect::<Vec<_>>(),
            ["the secret /s/a could not be loaded: gone", "the secret /s/b is too short to be masked"]
        );
        assert_eq!((rest.containers[0].code, rest.passes.len(), rest.deadline), (Some(3), 1, None));
    }

    #[test]
    fn keys_are_bounded() {
        let manifest = |bytes: usize| {
            let text = format!(r#"{{"version":1,"objects":[{{"key":"{}"}}]}}"#, "k".repeat(bytes));
            read(text.as_bytes(), &mut |_| {})
        };
        assert!(manifest(MAX_KEY_BYTES).is_ok());
        let error = manifest(MAX_KEY_BYTES + 1).expect_err("too long");
        assert!(error.contains("a key of 4097 bytes"), "{error}");
    }

    #[test]
    fn lists_of_a_forged_manifest_are_not_held() {
        let many = |member: &str| format!("[{}{member}]", format!("{member},").repeat(99_999));
        let texts = many("\"a\"");
        let report = r#"{"version":1,"reason":"exited","cause":"","code":0,"started":"2026-01-01T00:00:00Z",
            "finished":"2026-01-01T00:00:00Z","timeout_ns":0,"grace_period_ns":0,"leftovers":{"names":TEXTS},
            "interrupts":SIGNALS,"course":{"columns":{"at_s":NUMBERS}}}"#;
        let report = report.replace("TEXTS", &texts).replace("NUMBERS", &many("1")).replace(
            "SIGNALS",
            &many(r#"{"signal":"SIGTERM","at":"2026-01-01T00:00:00Z","from":"outside"}"#),
        );
        let text = format!(
            r#"{{"version":1,"containers":{},"reports":{{"a":{report}}},"passes":{},"tests":{{"failures":{},"slowest":{}}},
            "censoring":{{"not_loaded":{},"not_masked":{texts}}}}}"#,
            many(r#"{"name":"a","log_errors":{"errors":[]}}"#),
            many(r#"{"policy":"final","started":"2026-01-01T00:00:00Z"}"#),
            many("{}"),
            many("{}"),
            many("{}"),
        );
        let rest = read(text.as_bytes(), &mut |_| {}).expect("read");
        assert_eq!((rest.containers.len(), rest.containers_left_out), (200, 99_800));
        assert_eq!((rest.passes.len(), rest.censoring.complaints().count()), (10_000, 2000));
        let results = rest.tests.expect("tests");
        assert_eq!((results.failures.len(), results.slowest.len()), (1000, 1000));
        let report = &rest.reports["a"];
        assert_eq!((report.interrupts.len(), report.leftovers.names.len()), (1000, 1000));
        assert_eq!(report.course.as_ref().expect("a course").columns["at_s"].len(), 240);
        let container =
            format!(r#"{{"command":{texts},"log_errors":{{"errors":{}}}}}"#, many(r#"{"line":1,"text":""}"#));
        let text = format!(r#"{{"version":1,"containers":[{container}]}}"#);
        let container = read(text.as_bytes(), &mut |_| {}).expect("read").containers.remove(0);
        let errors = container.log_errors.expect("errors").errors.len();
        assert_eq!((container.command.len(), errors), (1000, 1000));
    }

    #[test]
    fn what_is_no_manifest_is_one_line() {
        for text in
            ["", "[]", "{}", r#"{"version":2}"#, r#"{"version":1,"objects":[1]}"#, r#"{"version":1} x"#]
        {
            let error = read(text.as_bytes(), &mut |_| {}).expect_err(text);
            assert!(error.starts_with("manifest.json: ") && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_job_cannot_move_the_base() {
        let forged = Object {
            key: "artifacts/sidecar-logs.json".to_owned(),
            source: Some("/logs/artifacts/sidecar-logs.json".to_owned()),
            ..Object::default()
        };
        assert_eq!(base_of(&forged), None);
    }
}
