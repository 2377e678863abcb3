//! Counters, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// The outcome of a request for admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Decorated,
    Unchanged,
    /// The pod cannot be decorated and was refused.
    Refused,
    /// The pod cannot be decorated and was let through.
    LetThrough,
    /// It was no request for admission.
    Malformed,
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Decorated, "decorated"),
    (Outcome::Unchanged, "unchanged"),
    (Outcome::Refused, "refused"),
    (Outcome::LetThrough, "let_through"),
    (Outcome::Malformed, "malformed"),
];

impl Outcome {
    /// The outcome's name in metrics and records.
    pub(super) fn name(self) -> &'static str {
        OUTCOMES.iter().find(|(outcome, _)| *outcome == self).map_or("", |(_, name)| name)
    }
}

/// A source that is loaded again when its file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Options,
    Certificate,
}

const SOURCES: [(Source, &str); 2] = [(Source::Options, "options"), (Source::Certificate, "certificate")];

/// Upper bounds of the buckets: milliseconds, and the same in seconds as text.
const BUCKETS: [(u64, &str); 9] = [
    (1, "0.001"),
    (2, "0.002"),
    (5, "0.005"),
    (10, "0.01"),
    (20, "0.02"),
    (50, "0.05"),
    (100, "0.1"),
    (1000, "1"),
    (10_000, "10"),
];

/// All counters of the process.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    outcomes: [AtomicU64; OUTCOMES.len()],
    buckets: [AtomicU64; BUCKETS.len()],
    nanoseconds: AtomicU64,
    reloads: [[AtomicU64; 2]; SOURCES.len()],
    not_after: AtomicI64,
    certificate_refusals: AtomicU64,
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Metrics {
    /// Counts a request.
    pub(super) fn request(&self, outcome: Outcome, took: Duration) {
        for ((known, _), counter) in OUTCOMES.iter().zip(&self.outcomes) {
            add(counter, u64::from(*known == outcome));
        }
        for ((millis, _), counter) in BUCKETS.iter().zip(&self.buckets) {
            add(counter, u64::from(took <= Duration::from_millis(*millis)));
        }
        add(&self.nanoseconds, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts an attempt to load a file again.
    pub(super) fn reload(&self, source: Source, worked: bool) {
        for ((known, _), counters) in SOURCES.iter().zip(&self.reloads) {
            add(&counters[usize::from(worked)], u64::from(*known == source));
        }
    }

    /// Sets the end of the certificate's validity, in seconds since 1970.
    pub(super) fn not_after(&self, seconds: i64) {
        self.not_after.store(seconds, Ordering::Relaxed);
    }

    /// Counts a client that does not accept the certificate.
    pub(super) fn certificate_refusal(&self) {
        add(&self.certificate_refusals, 1);
    }

    /// Returns the text for Prometheus.
    pub(super) fn text(&self) -> String {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut text = String::new();
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            // Writing into memory does not fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        };
        let requests = "pod_utils_webhook_requests_total";
        head(&mut text, requests, "counter", "Requests for admission, by what became of them.");
        for ((_, name), counter) in OUTCOMES.iter().zip(&self.outcomes) {
            let _ = writeln!(text, "{requests}{{outcome=\"{name}\"}} {}", read(counter));
        }
        let duration = "pod_utils_webhook_request_duration_seconds";
        head(&mut text, duration, "histogram", "Time from the head of a request to its answer.");
        for ((_, bound), counter) in BUCKETS.iter().zip(&self.buckets) {
            let _ = writeln!(text, "{duration}_bucket{{le=\"{bound}\"}} {}", read(counter));
        }
        let count: u64 = self.outcomes.iter().map(read).sum();
        let nanos = read(&self.nanoseconds);
        let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let _ = writeln!(text, "{duration}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{duration}_sum {seconds}.{rest:09}\n{duration}_count {count}");
        let reloads = "pod_utils_webhook_reloads_total";
        head(
            &mut text,
            reloads,
            "counter",
            "Changed files that were read again, by whether they could be used.",
        );
        for ((_, name), counters) in SOURCES.iter().zip(&self.reloads) {
            for (worked, counter) in ["false", "true"].into_iter().zip(counters) {
                let _ = writeln!(text, "{reloads}{{file=\"{name}\",used=\"{worked}\"}} {}", read(counter));
            }
        }
        let not_after = "pod_utils_webhook_certificate_not_after_seconds";
        head(&mut text, not_after, "gauge", "End of the certificate's validity, in seconds since 1970.");
        let _ = writeln!(text, "{not_after} {}", self.not_after.load(Ordering::Relaxed));
        let refusals = "pod_utils_webhook_certificate_refusals_total";
        head(&mut text, refusals, "counter", "Connections that clients gave up because of the certificate.");
        // Writing to a string does not fail.
        let _ = writeln!(text, "{refusals} {}", read(&self.certificate_refusals));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up() {
        let metrics = Metrics::default();
        metrics.request(Outcome::Decorated, Duration::from_micros(1500));
        metrics.request(Outcome::Refused, Duration::from_millis(30));
        metrics.request(Outcome::Decorated, Duration::from_secs(20));
        metrics.reload(Source::Certificate, true);
        metrics.reload(Source::Options, false);
        metrics.not_after(1_800_000_000);
        metrics.certificate_refusal();
        let text = metrics.text();
        for line in [
            "pod_utils_webhook_requests_total{outcome=\"decorated\"} 2",
            "pod_utils_webhook_requests_total{outcome=\"refused\"} 1",
            "pod_utils_webhook_requests_total{outcome=\"malformed\"} 0",
            "pod_utils_webhook_request_duration_seconds_bucket{le=\"0.001\"} 0",
            "pod_utils_webhook_request_duration_seconds_bucket{le=\"0.002\"} 1",
            "pod_utils_webhook_request_duration_seconds_bucket{le=\"10\"} 2",
            "pod_utils_webhook_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "pod_utils_webhook_request_duration_seconds_sum 20.031500000",
            "pod_utils_webhook_request_duration_seconds_count 3",
            "pod_utils_webhook_reloads_total{file=\"certificate\",used=\"true\"} 1",
            "pod_utils_webhook_reloads_total{file=\"options\",used=\"false\"} 1",
            "pod_utils_webhook_certificate_not_after_seconds 1800000000",
            "pod_utils_webhook_certificate_refusals_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').expect("name and value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
