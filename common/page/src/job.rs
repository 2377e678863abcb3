//! The report of a job, from its documents.

use crate::excerpt::Excerpt;
use crate::manifest::{Container, Pass, Rest};
use crate::objects::Objects;
use crate::test_results::TestResults;
use common::report::Report;
use common::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// At most this many secrets that were not masked are named.
const MAX_COMPLAINTS: usize = 20;

/// More containers are counted, but container nothing about.
const MAX_CONTAINERS: usize = 50;

/// `finished.json`, as far as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Finished {
    /// Unix seconds.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// `SUCCESS`, `FAILURE` or `ABORTED`.
    pub result: String,
    /// The commit that was tested.
    #[serde(default)]
    pub revision: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Metadata {
    #[serde(rename = "pod-utils", default)]
    ours: Option<OwnMetadata>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct OwnMetadata {
    #[serde(default)]
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
        let containers_left_out = containers.len().saturating_sub(MAX_CONTAINERS);
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

/// A name that several containers have is told apart by its index.
fn report_of<'a>(
    reports: &'a std::collections::BTreeMap<String, Report>,
    name: &str,
    index: usize,
) -> Option<&'a Report> {
    reports.get(&format!("{name}#{index}")).or_else(|| reports.get(name))
}

impl Finished {
    /// Parses `finished.json`. The error is one line.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let lenient = |error: serde_json::Error| -> Result<Self, serde_json::Error> {
            // Metadata is the job's: whatever it put under our name is not ours.
            #[derive(Deserialize)]
            struct WithoutMetadata {
                #[serde(default)]
                timestamp: Option<i64>,
                result: String,
                #[serde(default)]
                revision: String,
                #[expect(dead_code, reason = "it is stepped over")]
                metadata: Option<Box<RawValue>>,
            }
            let read: WithoutMetadata = serde_json::from_slice(bytes).map_err(|_| error)?;
            let WithoutMetadata { timestamp, result, revision, .. } = read;
            Ok(Self { timestamp, result, revision, metadata: Metadata::default() })
        };
        serde_json::from_slice(bytes).or_else(lenient).map_err(|error| format!("finished.json: {error}"))
    }
}

/// Describes in one sentence why the job ended.
fn cause(finished: Option<&Finished>, containers: &[ContainerReport]) -> String {
    if let Some(why) = finished.and_then(|finished| finished.metadata.ours.as_ref())
        && !why.cause.is_empty()
    {
        return why.cause.clone();
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
}
