//! The report of a job, read from its destination.

use super::log::{self, Excerpt};
use super::manifest::{self, Container, Pass};
use super::objects::Objects;
use super::test_results::TestResults;
use crate::results::Results;
use crate::terminal::Problem;
use anyhow::{Context, Result, anyhow};
use common::report::Report;
use common::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// `finished.json` holds what the job says about itself, a MiB for each entry.
const MAX_FINISHED_BYTES: u64 = 16 << 20;

/// At most this many secrets that were not masked are named.
const MAX_COMPLAINTS: usize = 20;

/// More containers are counted, but container nothing about.
const MAX_CONTAINERS: usize = 50;

/// `finished.json`, as far as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Finished {
    /// Unix seconds.
    #[serde(default)]
    pub(crate) timestamp: Option<i64>,
    pub(crate) result: String,
    #[serde(default)]
    pub(crate) revision: String,
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
pub(crate) struct ContainerReport {
    pub(crate) entry: Container,
    pub(crate) report: Option<Report>,
    /// Its log's name below the destination.
    pub(crate) log_name: String,
    /// An excerpt of the log, or the reason why there is none.
    pub(crate) log: Result<Excerpt, String>,
}

/// Everything known about one job.
#[derive(Debug)]
pub(crate) struct JobReport {
    /// The destination as people write it.
    pub(crate) destination: String,
    /// `SUCCESS`, `FAILURE` or `ABORTED`; `UNKNOWN` without a result.
    pub(crate) result: String,
    /// The reason of the result, in one sentence.
    pub(crate) cause: String,
    pub(crate) finished: Option<Finished>,
    pub(crate) containers: Vec<ContainerReport>,
    pub(crate) containers_left_out: usize,
    pub(crate) passes: Vec<Pass>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) objects: Objects,
    /// The tests that the job's reports hold.
    pub(crate) tests: Option<TestResults>,
    /// Secrets that were not masked.
    pub(crate) not_masked: Vec<String>,
    /// Problems met while reading.
    pub(crate) problems: Vec<String>,
}

impl JobReport {
    /// Reads everything; fails only if nothing at all can be read.
    pub(crate) async fn read(results: &Results) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let finished = match results.small("finished.json", MAX_FINISHED_BYTES).await {
            Ok(Some(bytes)) => {
                parse_finished(&bytes).map_err(|error| problems.push(format!("{error:#}"))).ok()
            }
            Ok(None) => {
                problems.push(
                    "there is no finished.json: the job may still run, or nothing was delivered".to_owned(),
                );
                None
            }
            Err(error) => {
                problems.push(format!("{error:#}"));
                None
            }
        };
        let mut objects = Objects::default();
        let rest = match results.document("manifest.json").await {
            Ok(Some(file)) => manifest::read(file, &mut |object| objects.add(object)),
            Ok(None) => Err(anyhow!("there is no manifest.json: sidecar writes it after its final upload")),
            Err(error) => Err(error),
        };
        let rest = rest.unwrap_or_else(|error| {
            problems.push(format!("{error:#}"));
            manifest::Rest::default()
        });
        if finished.is_none() && objects.all.count == 0 {
            return Err(Problem::new(format!("{}: {}", results.display(), problems.join("; "))));
        }
        problems.extend(rest.listing.and_then(|listing| listing.gap()));
        let mut containers = rest.containers;
        let containers_left_out = containers.len().saturating_sub(MAX_CONTAINERS);
        containers.truncate(MAX_CONTAINERS);
        let mut reported = Vec::new();
        for (index, entry) in containers.into_iter().enumerate() {
            let report = report_of(&rest.reports, &entry.name, index).cloned();
            let log_name = objects.name(&entry.log).to_owned();
            let log = read_log(results, &objects, &entry.log, &log_name).await;
            let log = log.map_err(|error| format!("{error:#}"));
            reported.push(ContainerReport { entry, report, log_name, log });
        }
        let result =
            finished.as_ref().map(|finished| finished.result.clone()).filter(|text| !text.is_empty());
        Ok(Self {
            destination: results.display(),
            result: result.unwrap_or_else(|| "UNKNOWN".to_owned()),
            cause: cause(finished.as_ref(), &reported),
            finished,
            containers: reported,
            containers_left_out,
            passes: rest.passes,
            deadline: rest.deadline,
            tests: rest.tests,
            not_masked: rest.censoring.complaints().take(MAX_COMPLAINTS).collect(),
            objects,
            problems,
        })
    }

    /// From the first start to the last thing that is known to have happened.
    pub(crate) fn span(&self) -> Option<(Timestamp, Timestamp)> {
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

async fn read_log(results: &Results, objects: &Objects, key: &str, name: &str) -> Result<Excerpt> {
    // Without its line in the manifest it is read as it is.
    let all = objects.troubled.iter().chain(objects.largest());
    let encoding =
        all.into_iter().find(|object| object.key == key).and_then(|object| object.content_encoding.clone());
    let read = log::read(results, name, encoding.as_deref()).await?;
    read.with_context(|| format!("{name} is not there"))
}

fn parse_finished(bytes: &[u8]) -> Result<Finished> {
    let lenient = |error: serde_json::Error| -> Result<Finished, serde_json::Error> {
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
        Ok(Finished { timestamp, result, revision, metadata: Metadata::default() })
    };
    serde_json::from_slice(bytes).or_else(lenient).context("finished.json")
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
        let read = |text: &str| parse_finished(text.as_bytes());
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
        assert!(format!("{:#}", read("[]").expect_err("no object")).starts_with("finished.json: "));
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
