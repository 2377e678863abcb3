//! The trace of the job, for a collector.

use super::Driver;
use crate::deliver::JobResult;
use crate::io::markers::WatchedEntry;
use crate::io::object::ObjectPlan;
use crate::io::telemetry::Telemetry;
use crate::junit::TestSummary;
use crate::layout::trace::otlp::Span;
use crate::layout::trace::{EntryFacts, Facts, MAX_UPLOADS, Upload, spans};
use common::timestamp::Timestamp;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::Instant;

/// A collector, and what is kept for its trace while objects are sent.
#[derive(Debug)]
pub(super) struct Tracing {
    pub(super) telemetry: Telemetry,
    running: HashMap<u32, Timestamp>,
    /// The slowest first.
    slowest: Vec<Sent>,
}

#[derive(Debug)]
struct Sent {
    key: String,
    bytes: u64,
    time: (Timestamp, Timestamp),
}

impl Sent {
    fn nanos(&self) -> i64 {
        self.time.1.since(self.time.0).as_nanos()
    }
}

impl Tracing {
    pub(super) fn new(telemetry: Telemetry) -> Self {
        Self { telemetry, running: HashMap::new(), slowest: Vec::new() }
    }

    /// The transfer of an object begins.
    pub(super) fn begins(&mut self, number: u32) {
        self.running.insert(number, Timestamp::now());
    }

    /// It has ended, in whichever way.
    pub(super) fn ends(&mut self, number: u32, plan: &ObjectPlan) {
        let Some(begun) = self.running.remove(&number) else { return };
        let time = (begun, Timestamp::now());
        let nanos = time.1.since(time.0).as_nanos();
        let at = self.slowest.partition_point(|other| other.nanos() >= nanos);
        if at == MAX_UPLOADS {
            return;
        }
        let desired = &plan.object(number).desired;
        self.slowest.insert(at, Sent { key: desired.key.to_string(), bytes: desired.bytes, time });
        self.slowest.truncate(MAX_UPLOADS);
    }
}

impl Driver {
    /// Sends a trace of the job to this collector at the end.
    #[must_use]
    pub fn tracing(mut self, telemetry: Option<Telemetry>) -> Self {
        self.tracing = telemetry.map(Tracing::new);
        self
    }

    /// Makes the spans of the job, whose result is stored. `None` when nobody wants them,
    /// and in a dry run.
    pub(super) fn spans(
        &self,
        result: JobResult,
        sentence: &str,
        tests: Option<&TestSummary>,
    ) -> Option<Vec<Span>> {
        let tracing = self.tracing.as_ref()?;
        self.context.store()?;
        let told = self.told();
        let entries = told.iter().zip(self.entries.iter().map(WatchedEntry::report)).map(
            |((container, told), report)| EntryFacts {
                container,
                report,
                told: (told.reason, told.cause.as_str()),
                code: told.code,
            },
        );
        let upload = |sent: &Sent| Upload { key: sent.key.clone(), bytes: sent.bytes, time: sent.time };
        let facts = Facts {
            job: self.settings.job.as_ref(),
            result,
            sentence,
            entries: entries.collect(),
            passes: &self.times.passes,
            uploads: tracing.slowest.iter().map(upload).collect(),
            failures: tests.map_or(&[], |tests| &tests.failures),
            time: (self.times.began, Timestamp::now()),
        };
        // Each is made with random keys of its own.
        let random = || RandomState::new().hash_one(0_u8).to_be_bytes();
        let mut fallback = [0; 16];
        fallback[..8].copy_from_slice(&random());
        fallback[8..].copy_from_slice(&random());
        Some(spans(&facts, fallback, &|text| self.context.masked(text)))
    }

    /// Returns the time until the given one is over.
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.times.deadline_at.map(|at| at.saturating_duration_since(Instant::now()))
    }
}
