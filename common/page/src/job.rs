//! The report of a job, from its documents.

use crate::excerpt::Excerpt;
use crate::manifest::{Container, JobName, Pass, Rest};
use crate::objects::Objects;
use crate::test_results::TestResults;
use common::report::Report;
use common::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// At most this many secrets that were not masked are named.
const MAX_COMPLAINTS: usize = 20;

/// More containers are counted, but container nothing about.
const MAX_CONTAINERS: usize = 50;

/// At most this many of the job's own values are shown, and so many characters of each.
const MAX_METADATA: usize = 100;
const MAX_VALUE: usize = 500;

/// The key of these programs in the metadata, and that of the sentence alone.
const OWN_KEYS: [&str; 2] = ["pod-utils", "pod-utils-cause"];

/// The key of what was wrong with metadata files.
const ERRORS_KEY: &str = "sidecar-errors";

/// `finished.json`, as far as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Unix seconds.
    pub timestamp: Option<i64>,
    /// `SUCCESS`, `FAILURE` or `ABORTED`.
    pub result: String,
    /// The commit that was tested.
    pub revision: String,
    /// Names and values that the job gave about itself, at most a hundred.
    pub metadata: Vec<(String, String)>,
    /// The number of further ones.
    pub metadata_left_out: usize,
    /// Mistakes in the metadata of the job.
    pub errors: Vec<String>,
    cause: String,
}

/// One container with its report and its log.
#[derive(Clone, Debug)]
pub struct ContainerReport {
    /// Its line in the manifest.
    pub entry: Container,
    /// The report of its entrypoint.
    pub report: Option<Report>,
    /// Its log's name below the destination.
    pub log_name: String,
    /// An excerpt of the log, or the reason why there is none.
    pub log: Result<Excerpt, String>,
}

/// Everything known about one job.
#[derive(Debug)]
pub struct JobReport {
    /// The destination as people write it.
    pub destination: String,
    /// The job's name and its build.
    pub job: JobName,
    /// `SUCCESS`, `FAILURE` or `ABORTED`; `UNKNOWN` without a result.
    pub result: String,
    /// The reason of the result, in one sentence.
    pub cause: String,
    /// The result's document.
    pub finished: Option<Finished>,
    /// The containers, in the order of the options.
    pub containers: Vec<ContainerReport>,
    /// Number of further containers.
    pub containers_left_out: usize,
    /// Sidecar's passes.
    pub passes: Vec<Pass>,
    /// The time when sidecar had to end.
    pub deadline: Option<Timestamp>,
    /// The delivered objects.
    pub objects: Objects,
    /// The tests that the job's reports hold.
    pub tests: Option<TestResults>,
    /// Secrets that were not masked.
    pub not_masked: Vec<String>,
    /// Problems met while reading.
    pub problems: Vec<String>,
}

impl JobReport {
    /// Joins the documents; `problems` says what is wrong with them. The logs are not
    /// read yet.
    pub fn new(
        destination: String,
        finished: Option<Finished>,
        rest: Rest,
        objects: Objects,
        mut problems: Vec<String>,
    ) -> Self {
        problems.extend(rest.gaps());
        let mut containers = rest.containers;
        let containers_left_out = rest.containers_left_out + containers.len().saturating_sub(MAX_CONTAINERS);
        containers.truncate(MAX_CONTAINERS);
        let container = |(index, entry): (usize, Container)| {
            let report = report_of(&rest.reports, &entry.name, index).cloned();
            let log_name = objects.name(&entry.log).to_owned();
            ContainerReport { entry, report, log_name, log: Err("it was not read".to_owned()) }
        };
        let containers: Vec<_> = containers.into_iter().enumerate().map(container).collect();
        let result =
            finished.as_ref().map(|finished| finished.result.clone()).filter(|text| !text.is_empty());
        Self {
            job: rest.job.unwrap_or_else(|| job_of(objects.base.as_deref(), &destination)),
            destination,
            result: result.unwrap_or_else(|| "UNKNOWN".to_owned()),
            cause: cause(finished.as_ref(), &containers),
            finished,
            containers,
            containers_left_out,
            passes: rest.passes,
            deadline: rest.deadline,
            tests: rest.tests,
            not_masked: rest.censoring.complaints().take(MAX_COMPLAINTS).collect(),
            objects,
            problems,
        }
    }

    /// From the first start to the last thing that is known to have happened.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let reports = || self.containers.iter().filter_map(|container| container.report.as_ref());
        let begins =
            reports().map(|report| report.started).chain(self.passes.iter().map(|pass| pass.started));
        let ends = reports()
            .map(|report| report.finished)
            .chain(self.passes.iter().map(|pass| pass.finished.unwrap_or(pass.started)));
        Some((begins.min()?, ends.max()?))
    }
}

/// A build lies in a folder of its number within the job's.
fn job_of(base: Option<&str>, destination: &str) -> JobName {
    let path = base.filter(|base| base.contains('/')).unwrap_or(destination).trim_end_matches('/');
    let (folder, build_id) = path.rsplit_once('/').unwrap_or(("", path));
    let name = folder.rsplit('/').next().unwrap_or_default();
    JobName { name: name.to_owned(), build_id: build_id.to_owned() }
}

/// A name that several containers have is told apart by its index.
fn report_of<'a>(reports: &'a BTreeMap<String, Report>, name: &str, index: usize) -> Option<&'a Report> {
    reports.get(&format!("{name}#{index}")).or_else(|| reports.get(name))
}

impl Finished {
    /// Parses `finished.json`. The error is one line.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(default)]
            timestamp: Option<i64>,
            result: String,
            #[serde(default)]
            revision: String,
            #[serde(borrow, default)]
            metadata: Option<&'a RawValue>,
        }
        let read: Document<'_> =
            serde_json::from_slice(bytes).map_err(|error| format!("finished.json: {error}"))?;
        let mut finished = Self {
            timestamp: read.timestamp,
            result: read.result,
            revision: read.revision,
            ..Self::default()
        };
        // Metadata is the job's: whatever it put under our names is not ours.
        let metadata = read.metadata.and_then(|raw| members(raw.get())).unwrap_or_default();
        for (name, value) in metadata {
            match name.as_str() {
                "pod-utils" => finished.cause = cause_of(value.get()).unwrap_or_default(),
                ERRORS_KEY => finished.errors = errors(value.get()),
                name if OWN_KEYS.contains(&name) => {}
                _ if finished.metadata.len() == MAX_METADATA => finished.metadata_left_out += 1,
                _ => finished.metadata.push((shortened(&name), value_text(value.get()))),
            }
        }
        Ok(finished)
    }
}

/// Members of an object, in the order of their names.
fn members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(text).ok()
}

fn cause_of(own: &str) -> Option<String> {
    serde_json::from_str(members(own)?.get("cause")?.get()).ok()
}

/// One line for each file that could not be read.
fn errors(text: &str) -> Vec<String> {
    match members(text) {
        Some(members) => {
            let lines =
                members.iter().map(|(name, why)| format!("{}: {}", shortened(name), value_text(why.get())));
            lines.take(MAX_COMPLAINTS).collect()
        }
        None => vec![value_text(text)],
    }
}

/// A text as it is, anything else as JSON.
fn value_text(json: &str) -> String {
    let text: Option<String> = serde_json::from_str(json).ok();
    shortened(text.as_deref().unwrap_or(json))
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_VALUE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Describes in one sentence why the job ended.
fn cause(finished: Option<&Finished>, containers: &[ContainerReport]) -> String {
    if let Some(finished) = finished.filter(|finished| !finished.cause.is_empty()) {
        return finished.cause.clone();
    }
    let of = |container: &ContainerReport| {
        let cause = match (&container.report, container.entry.code) {
            (Some(report), _) => report.cause.clone(),
            (None, Some(code)) => format!("it ended with code {code}"),
            (None, None) => format!("it is {}", container.entry.state),
        };
        (container.entry.code, container.entry.name.clone(), cause)
    };
    let mut all: Vec<_> = containers.iter().map(of).collect();
    let failed = all.iter().position(|(code, ..)| *code != Some(0));
    match (all.len(), failed) {
        (0, _) => "nothing is known about its containers".to_owned(),
        (1, _) => all.remove(0).2,
        (count, None) => format!("all {count} containers exited with code 0"),
        (_, Some(index)) => format!("{}: {}", all[index].1, all[index].2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jobs_own_metadata_does_not_disturb() {
        let read = |text: &str| Finished::parse(text.as_bytes());
        let ours = read(
            r#"{"timestamp":1,"result":"FAILURE","metadata":{"pod-utils":{"cause":"timed out"},"x":{}}}"#,
        );
        assert_eq!(cause(ours.as_ref().ok(), &[]), "timed out");
        // Version 0.1 wrote a list of entries.
        for entries in [r#"[{"container":"a","reason":"lost"}]"#, r#"{"a":{"reason":"lost"}}"#] {
            let text = format!(
                r#"{{"result":"FAILURE","metadata":{{"pod-utils":{{"cause":"lost","entries":{entries}}}}}}}"#
            );
            assert_eq!(cause(read(&text).as_ref().ok(), &[]), "lost");
        }
        let told = read(
            r#"{"result":"FAILURE","metadata":{"node":"a","n":{"x":1},"sidecar-errors":{"entry 0: make":"invalid JSON"}}}"#,
        )
        .expect("read");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(told.metadata, [pair("n", r#"{"x":1}"#), pair("node", "a")]);
        assert_eq!(told.errors, ["entry 0: make: invalid JSON"]);
        let many: Vec<_> = (0..150).map(|number| format!(r#""{number}":"{}""#, "x".repeat(9000))).collect();
        let many =
            read(&format!(r#"{{"result":"SUCCESS","metadata":{{{}}}}}"#, many.join(","))).expect("read");
        assert_eq!((many.metadata.len(), many.metadata_left_out), (MAX_METADATA, 50));
        assert!(many.metadata.iter().all(|(_, value)| value.chars().count() <= MAX_VALUE + 1));
        let forged =
            read(r#"{"timestamp":1,"result":"FAILURE","metadata":{"pod-utils":[1]}}"#).expect("read");
        assert_eq!((forged.result.as_str(), forged.timestamp), ("FAILURE", Some(1)));
        assert!(read("[]").expect_err("no object").starts_with("finished.json: "));
    }

    #[test]
    fn the_first_container_that_failed_is_the_cause() {
        let container = |name: &str, code| ContainerReport {
            entry: Container { name: name.to_owned(), code: Some(code), ..Container::default() },
            report: None,
            log_name: String::new(),
            log: Err(String::new()),
        };
        assert_eq!(cause(None, &[container("a", 0), container("b", 3)]), "b: it ended with code 3");
        assert_eq!(
            cause(None, &[container("a", 0), container("b", 0)]),
            "all 2 containers exited with code 0"
        );
    }

    #[test]
    fn job_and_build_are_in_the_path() {
        let of = |base, destination| {
            let JobName { name, build_id } = job_of(base, destination);
            format!("{name} {build_id}")
        };
        assert_eq!(of(Some("logs/nightly/42"), "s3://b/logs/nightly/42"), "nightly 42");
        assert_eq!(of(Some(""), "/tmp/out/local/2026/"), "local 2026");
        assert_eq!(of(None, "x"), " x");
    }
}
