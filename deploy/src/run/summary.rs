//! The closing lines: result and why, how long it took, where everything is.

use super::delivered::Delivered;
use super::destination::Destination;
use super::failures::Failures;
use super::kubelet::{End, Ends};
use super::pod::Pod;
use crate::terminal;
use common::report::Reason;
use job_page::escape::visible;
use serde_json::Value;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

/// At most this many of sidecar's complaints, beside those about objects, are repeated.
const MAX_COMPLAINTS: usize = 5;

/// A store that has just taken everything answers sooner.
const READ_BACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Enough of the end of sidecar's records to find some ten thousand complaints.
const RECORDS_TAIL: u64 = 8 << 20;

/// The final report of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    /// `SUCCESS`, `FAILURE` or `ABORTED`.
    result: String,
    /// In one sentence.
    cause: String,
    /// The time of the job, without its delivery.
    took: Duration,
    /// The rest; `None` where it cannot be told apart.
    delivery_took: Option<Duration>,
    test_status: u8,
    /// The destination as people write it.
    place: String,
    /// The delivered objects, if the manifest could be read.
    delivered: Option<Delivered>,
    /// Reasons why delivery is not complete; empty if it is.
    complaints: Vec<String>,
}

impl Summary {
    /// Gathers everything, reading the result back from the destination.
    pub(crate) async fn gather(pod: &Pod, destination: &Destination, ends: &Ends, took: Duration) -> Self {
        let (finished, manifest) = match ends.sidecar {
            End::Code(0) => read_back(destination).await,
            // A store that took nothing would only make people wait again.
            End::Code(_) | End::Signal(_) => (Err(anyhow::anyhow!("delivery had failed before")), None),
        };
        let complaints = complaints(pod, ends, finished.as_ref().err(), &destination.display());
        let finished = finished.ok();
        let result_told = finished.as_ref().and_then(|value| value["result"].as_str().map(str::to_owned));
        let report = pod.report();
        // Of an entrypoint that was killed more is known here: by which signal.
        let told = finished.as_ref().filter(|_| report.is_some()).and_then(told_cause);
        let job_took = report.as_ref().map(|report| report.finished.since(report.started).as_std());
        Self {
            result: result_told.unwrap_or_else(|| result(pod, ends.entrypoint).to_owned()),
            cause: told.unwrap_or_else(|| cause(pod, ends.entrypoint)),
            took: job_took.filter(|job| *job <= took).unwrap_or(took),
            delivery_took: job_took.and_then(|job| took.checked_sub(job)),
            test_status: ends.entrypoint.status(),
            place: destination.display(),
            delivered: manifest.map(|manifest| Delivered::new(&manifest, |key| destination.name_of(key))),
            complaints,
        }
    }

    /// Returns whether everything reached the destination.
    pub(crate) fn is_delivered(&self) -> bool {
        self.complaints.is_empty()
    }

    /// The test's status; 1 when it passed but delivery failed.
    pub(crate) fn exit_status(&self) -> u8 {
        match self.test_status {
            0 if !self.is_delivered() => common::codes::EXIT_FAILURE,
            status => status,
        }
    }

    /// The lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{} after {}: {}", self.result, terminal::time(self.took), self.cause)];
        if let Some(time) = self.delivery_took.filter(|_| self.is_delivered()) {
            lines.push(format!("delivery took {}", terminal::time(time)));
        }
        lines.extend(self.delivered.iter().flat_map(|delivered| delivered.lines(&self.place)));
        if !self.is_delivered() {
            lines.push(format!("delivery to {} is not complete:", self.place));
            lines.extend(self.complaints.iter().map(|complaint| format!("  {}", visible(complaint))));
        }
        lines
    }
}

/// The result and the manifest. A manifest that is not shown is no failure.
async fn read_back(destination: &Destination) -> (anyhow::Result<Value>, Option<Value>) {
    let both = async {
        let finished = destination.read_back("finished.json").await;
        (finished, destination.read_back("manifest.json").await.ok())
    };
    match tokio::time::timeout(READ_BACK_TIMEOUT, both).await {
        Ok(both) => both,
        Err(_) => (Err(anyhow::anyhow!("no answer within {}", terminal::time(READ_BACK_TIMEOUT))), None),
    }
}

/// The result when the destination does not tell: sidecar's rule for one entry.
fn result(pod: &Pod, end: End) -> &'static str {
    let aborted = pod.report().is_some_and(|report| report.reason == Reason::Aborted);
    match (end, aborted) {
        (End::Code(0), _) => "SUCCESS",
        (_, true) => "ABORTED",
        (_, false) => "FAILURE",
    }
}

/// The sentence in the result, which knows of tests, too; a plain success has none.
fn told_cause(finished: &Value) -> Option<String> {
    let cause = finished["metadata"]["pod-utils"]["cause"].as_str()?;
    Some(visible(cause).into_owned())
}

fn cause(pod: &Pod, end: End) -> String {
    match (pod.report(), end) {
        (Some(report), _) => visible(&report.cause).into_owned(),
        (None, End::Signal(signal)) => {
            format!("entrypoint was killed by {signal} and left no result")
        }
        (None, End::Code(code)) => format!("entrypoint ended with {code} and left no report"),
    }
}

/// Returns the reasons why delivery is not complete.
fn complaints(pod: &Pod, ends: &Ends, unread: Option<&anyhow::Error>, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    match ends.sidecar {
        End::Code(0) => {}
        _ if ends.killed => found.push("the pod's grace period was over first".to_owned()),
        End::Code(code) => found.push(format!("sidecar ended with {code}")),
        End::Signal(signal) => found.push(format!("sidecar was killed by {signal}")),
    }
    if found.is_empty() {
        found.extend(unread.map(|why| format!("the result cannot be read back: {why:#}")));
    }
    if !found.is_empty() {
        found.extend(told_complaints(&pod.sidecar_log(), place));
    }
    found
}

/// The objects that failed, and the last other records of level error or fatal, in the order they
/// were written.
fn told_complaints(log: &Path, place: &str) -> Vec<String> {
    // Without the file there is only less to tell.
    let text = tail(log).unwrap_or_default();
    let mut failures = Failures::default();
    let others = text.lines().filter(|line| {
        let record = serde_json::from_str::<Value>(line).unwrap_or_default();
        !failures.take(&record, place)
    });
    let mut others: Vec<_> = others.filter_map(complaint).collect();
    let last = others.split_off(others.len().saturating_sub(MAX_COMPLAINTS));
    failures.lines().into_iter().chain(last).collect()
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(RECORDS_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(RECORDS_TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The text of a record that complains; a line that is no record is taken whole.
fn complaint(line: &str) -> Option<String> {
    let Ok(record) = serde_json::from_str::<Value>(line) else {
        return Some(line.to_owned()).filter(|line| !line.trim().is_empty());
    };
    let message = record["msg"].as_str()?;
    match (record["level"].as_str()?, record["error"].as_str()) {
        ("error" | "fatal", Some(error)) => Some(format!("{message}: {error}")),
        ("error" | "fatal", None) => Some(message.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(test_status: u8, complaints: &[&str]) -> Summary {
        Summary {
            result: "SUCCESS".to_owned(),
            cause: "the command exited with 0".to_owned(),
            took: Duration::from_millis(1500),
            delivery_took: Some(Duration::from_millis(200)),
            test_status,
            place: "/out".to_owned(),
            delivered: None,
            complaints: complaints.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn the_tests_status_wins_over_deliverys() {
        assert_eq!(summary(0, &[]).exit_status(), 0);
        assert_eq!(summary(0, &["refused"]).exit_status(), 1);
        assert_eq!(summary(3, &["refused"]).exit_status(), 3);
    }

    #[test]
    fn what_was_not_delivered_is_said() {
        assert_eq!(summary(0, &[]).lines()[1], "delivery took 200ms");
        let lines = summary(0, &["refused\u{1b}"]).lines();
        assert_eq!(lines[0], "SUCCESS after 1.5s: the command exited with 0");
        assert_eq!(lines[1], "delivery to /out is not complete:");
        assert_eq!(lines[2], "  refused\\u{1b}");
    }

    #[test]
    fn only_errors_are_complaints() {
        assert_eq!(complaint(r#"{"level":"info","msg":"m"}"#), None);
        assert_eq!(complaint(r#"{"level":"error","msg":"m","error":"e"}"#), Some("m: e".to_owned()));
        assert_eq!(complaint(r#"{"level":"fatal","msg":"m"}"#), Some("m".to_owned()));
        assert_eq!(complaint("thread panicked"), Some("thread panicked".to_owned()));
    }
}
