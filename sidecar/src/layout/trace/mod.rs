//! The trace of a job: one span for the job, and below it its entries with their
//! phases, the passes with their slowest uploads, and the tests that failed.
//!
//! ```text
//!  RUN job                        cicd.pipeline.*, vcs.*, the result, the sentence
//!  ├─ RUN container               the span that the command's own spans hang below
//!  │  ├─ running, terminating, draining, leftovers
//!  │  └─ failed tests
//!  └─ final pass
//!     └─ the slowest uploads
//! ```
//!
//! Attributes are those of the semantic conventions for CI/CD
//! (<https://opentelemetry.io/docs/specs/semconv/cicd/>); what has no convention begins
//! with `pod_utils.`. All texts that are not ours pass through `mask`.

mod attributes;
pub mod otlp;
mod phases;

#[cfg(test)]
mod tests;

use crate::deliver::JobResult;
use crate::junit::Failure;
use crate::layout::manifest::PassTimes;
use attributes::{Attributes, text};
use common::job_spec::JobSpec;
use common::report::{Reason, Report, Trace};
use common::timestamp::Timestamp;
use otlp::{KIND_INTERNAL, KIND_SERVER, KeyValue, Link, STATUS_ERROR, STATUS_OK, Span, Status};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Masks a text.
pub type Mask<'a> = &'a dyn Fn(&str) -> String;

/// Upper bound on the uploads that have a span.
pub const MAX_UPLOADS: usize = 20;

/// Upper bound on the failed tests that have a span.
pub const MAX_TESTS: usize = 200;

/// The facts that a trace is made of. Texts are not masked yet.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The job, where it is known.
    pub job: Option<&'a JobSpec>,
    /// The result that was stored.
    pub result: JobResult,
    /// The sentence about the job.
    pub sentence: &'a str,
    /// One for each container.
    pub entries: Vec<EntryFacts<'a>>,
    /// The passes.
    pub passes: &'a [PassTimes],
    /// The slowest uploads, at most [`MAX_UPLOADS`].
    pub uploads: Vec<Upload>,
    /// Tests that failed; their texts are masked.
    pub failures: &'a [Failure],
    /// Sidecar's start, and now.
    pub time: (Timestamp, Timestamp),
}

/// Facts about an entry.
#[derive(Debug)]
pub struct EntryFacts<'a> {
    /// Its container.
    pub container: &'a str,
    /// Its report, if it left one.
    pub report: Option<&'a Report>,
    /// Its result as one word, and the sentence.
    pub told: (&'a str, &'a str),
    /// The code that counts.
    pub code: Option<i32>,
}

/// An upload.
#[derive(Debug)]
pub struct Upload {
    /// The object's key below the upload path.
    pub key: String,
    /// The bytes of its source.
    pub bytes: u64,
    /// Its begin and its end.
    pub time: (Timestamp, Timestamp),
}

/// Makes the spans. `fallback` is the id of the trace when no report has one.
pub fn spans(facts: &Facts<'_>, fallback: [u8; 16], mask: Mask<'_>) -> Vec<Span> {
    let context =
        |entry: &EntryFacts<'_>| entry.report.and_then(|report| report.trace.as_ref()).and_then(Context::of);
    let contexts: Vec<_> = facts.entries.iter().map(context).collect();
    let first = contexts.iter().flatten().next();
    let trace = first.map_or(fallback, |context| context.trace);
    let mut builder = Builder { trace, mask, spans: Vec::new() };
    let job = builder.job(facts, first);
    for (index, (entry, context)) in facts.entries.iter().zip(&contexts).enumerate() {
        builder.entry(facts, (index, entry), context.as_ref(), &job);
    }
    builder.passes(facts, &job);
    builder.spans
}

/// The ids that a report has.
#[derive(Clone, Copy, Debug)]
struct Context {
    trace: [u8; 16],
    span: [u8; 8],
    /// The span is somebody else's, and above the job.
    inherited: bool,
}

impl Context {
    /// Takes them only as what they have to be.
    fn of(trace: &Trace) -> Option<Self> {
        let context = Self {
            trace: u128::from_str_radix(&trace.trace_id, 16).ok()?.to_be_bytes(),
            span: u64::from_str_radix(&trace.span_id, 16).ok()?.to_be_bytes(),
            inherited: trace.inherited,
        };
        trace.is_valid().then_some(context)
    }
}

struct Builder<'a> {
    trace: [u8; 16],
    mask: Mask<'a>,
    spans: Vec<Span>,
}

/// A span's place in a trace.
struct Place {
    trace: [u8; 16],
    span: Vec<u8>,
}

impl Builder<'_> {
    /// Returns the id of a span of ours: the same whenever the same job is told again.
    fn id(&self, what: &str, index: usize) -> Vec<u8> {
        let mut hasher = DefaultHasher::new();
        (self.trace, what, index).hash(&mut hasher);
        // Zero is no id.
        hasher.finish().max(1).to_be_bytes().to_vec()
    }

    fn push(
        &mut self,
        place: &Place,
        parent: &[u8],
        name: String,
        (start, end): (Timestamp, Timestamp),
        attributes: Vec<KeyValue>,
    ) -> &mut Span {
        let nanos = |time: Timestamp| u64::try_from(time.as_nanos()).unwrap_or_default();
        self.spans.push(Span {
            trace_id: place.trace.to_vec(),
            span_id: place.span.clone(),
            parent_span_id: parent.to_vec(),
            name,
            kind: KIND_INTERNAL,
            start_time_unix_nano: nanos(start),
            // A clock that was set meanwhile must not make it negative.
            end_time_unix_nano: nanos(end).max(nanos(start)),
            attributes,
            links: Vec::new(),
            status: None,
        });
        self.spans.last_mut().expect("pushed")
    }

    fn job(&mut self, facts: &Facts<'_>, first: Option<&Context>) -> Place {
        let place = Place { trace: self.trace, span: self.id("job", 0) };
        let parent =
            first.filter(|context| context.inherited).map(|context| context.span).into_iter().flatten();
        let parent: Vec<u8> = parent.collect();
        let (began, now) = facts.time;
        let starts = facts.entries.iter().filter_map(|entry| Some(entry.report?.started));
        let start = starts.min().map_or(began, |first| first.min(began));
        let name = facts.job.map_or("", |job| job.job.as_str());
        let mut attributes = Attributes::new(self.mask);
        attributes.job(facts);
        let name = format!("RUN {}", text(self.mask, if name.is_empty() { "job" } else { name }));
        let status = match facts.result {
            JobResult::Success => Status { message: String::new(), code: STATUS_OK },
            JobResult::Aborted | JobResult::Failure => {
                Status { message: text(self.mask, facts.sentence), code: STATUS_ERROR }
            }
        };
        let span = self.push(&place, &parent, name, (start, now), attributes.list);
        span.kind = KIND_SERVER;
        span.status = Some(status);
        place
    }

    /// An entry whose command has another trace than the job is a root there, and linked
    /// with the job: each container of a pod has a `TRACEPARENT` of its own.
    fn entry(
        &mut self,
        facts: &Facts<'_>,
        (index, entry): (usize, &EntryFacts<'_>),
        context: Option<&Context>,
        job: &Place,
    ) {
        let own = context.filter(|context| !context.inherited);
        let place = Place {
            trace: context.map_or(job.trace, |context| context.trace),
            span: own.map_or_else(|| self.id("entry", index), |context| context.span.to_vec()),
        };
        let is_elsewhere = place.trace != job.trace;
        let time = entry.report.map_or(facts.time, |report| (report.started, report.finished));
        let mut attributes = Attributes::new(self.mask);
        attributes.entry(entry);
        let container = if entry.container.is_empty() { "test" } else { entry.container };
        let name = format!("RUN {}", text(self.mask, container));
        let failed = entry.code != Some(0);
        let status = Status { message: text(self.mask, entry.told.1), code: STATUS_ERROR };
        let above = context.filter(|context| context.inherited).map(|context| context.span.to_vec());
        let parent = if is_elsewhere { above.unwrap_or_default() } else { job.span.clone() };
        let link = |place: &Place| Link { trace_id: place.trace.to_vec(), span_id: place.span.clone() };
        let (there, here) = (link(job), link(&place));
        let span = self.push(&place, &parent, name, time, attributes.list);
        span.status = failed.then_some(status);
        if is_elsewhere {
            span.links.push(there);
            self.spans[0].links.push(here);
        }
        if let Some(report) = entry.report {
            for (number, phase) in phases::of(report).into_iter().enumerate() {
                let id = self.id(phase.name, index * phases::MAX_PHASES + number);
                let below = Place { trace: place.trace, span: id };
                self.push(&below, &place.span, phase.name.to_owned(), phase.time, Vec::new());
            }
        }
        // Reports of tests do not say which container wrote them.
        if index == 0 {
            self.tests(facts, &place, time.1);
        }
    }

    /// A report says how long a test took, not when: they end where their entry does.
    fn tests(&mut self, facts: &Facts<'_>, entry: &Place, end: Timestamp) {
        let failed = facts.failures.iter().filter(|failure| !failure.flaky).take(MAX_TESTS);
        for (index, failure) in failed.enumerate() {
            let place = Place { trace: entry.trace, span: self.id("test", index) };
            let nanos =
                std::time::Duration::try_from_secs_f64(failure.seconds).unwrap_or_default().as_nanos();
            let start = end.as_nanos().saturating_sub(i64::try_from(nanos).unwrap_or_default()).max(0);
            let mut attributes = Attributes::new(self.mask);
            attributes.test(failure);
            let name = text(self.mask, &failure.name);
            let message = text(self.mask, &failure.message);
            let time = (Timestamp::from_nanos(start), end);
            let span = self.push(&place, &entry.span, name, time, attributes.list);
            span.status = Some(Status { message, code: STATUS_ERROR });
        }
    }

    fn passes(&mut self, facts: &Facts<'_>, job: &Place) {
        let now = facts.time.1;
        let mut places = Vec::new();
        for (index, pass) in facts.passes.iter().enumerate() {
            let place = Place { trace: job.trace, span: self.id("pass", index) };
            // The last one has ended by now: its result is stored.
            let next = facts.passes.get(index + 1).map_or(now, |next| next.started);
            let time = (pass.started, next);
            self.push(&place, &job.span, format!("{} pass", pass.policy.replace('_', "-")), time, Vec::new());
            places.push((pass.started, place));
        }
        for (index, upload) in facts.uploads.iter().enumerate() {
            let below = places.iter().rev().find(|(started, _)| *started <= upload.time.0);
            let parent =
                below.or(places.first()).map_or_else(|| job.span.clone(), |(_, place)| place.span.clone());
            let place = Place { trace: job.trace, span: self.id("upload", index) };
            let mut attributes = Attributes::new(self.mask);
            attributes.upload(upload);
            self.push(
                &place,
                &parent,
                format!("upload {}", text(self.mask, &upload.key)),
                upload.time,
                attributes.list,
            );
        }
    }
}

/// The values of `cicd.pipeline.result`.
fn result_of(facts: &Facts<'_>) -> &'static str {
    let reasons = || facts.entries.iter().filter_map(|entry| Some(entry.report?.reason));
    match facts.result {
        JobResult::Success => "success",
        JobResult::Aborted => "cancellation",
        JobResult::Failure if reasons().any(|reason| reason == Reason::TimedOut) => "timeout",
        JobResult::Failure if reasons().any(|reason| reason == Reason::InternalError) => "error",
        JobResult::Failure => "failure",
    }
}
