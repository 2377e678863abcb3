//! Sends the trace of a job to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! Settings are the variables that OpenTelemetry's own libraries read
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). There is one attempt:
//! the result is stored by then, and the pod is to end.

mod environment;

pub use environment::Environment;

use crate::io::store::bundled_roots;
use crate::layout::trace::otlp::{
    KeyValue, Request, Resource, ResourceSpans, Response, Scope, ScopeSpans, Span, Value,
};
use environment::Encoding;
use prost::Message;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect;
use std::time::Duration;

/// Upper bound on the time that a trace may take.
pub const MAX_TIME: Duration = Duration::from_secs(2);

/// Upper bound on an answer that is looked at.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Where traces go.
#[derive(Debug)]
pub struct Telemetry(Environment);

impl Telemetry {
    /// Reads the variables. `None` when no trace is wanted, or when they cannot work, which
    /// is a warning: a job is never refused for its trace.
    pub fn from_env() -> Option<Self> {
        match Environment::new(|name| std::env::var(name).ok()) {
            Ok(environment) => environment.map(Self),
            Err(problem) => {
                tracing::warn!("No trace is sent: {problem}");
                None
            }
        }
    }

    /// Sends the spans, within `limit` and [`MAX_TIME`]. A failure is a warning. `mask` is
    /// for the texts of the environment; those of the spans are masked already.
    pub async fn send(&self, spans: Vec<Span>, limit: Option<Duration>, mask: &dyn Fn(&str) -> String) {
        let time = limit.unwrap_or(MAX_TIME).min(MAX_TIME).min(self.0.timeout);
        if time.is_zero() {
            return tracing::warn!("The trace was not sent: the given time is over");
        }
        let body = self.body(spans, mask);
        let outcome = tokio::time::timeout(time, self.post(body)).await;
        let problem = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(problem)) => problem,
            Err(_) => format!("the collector did not answer within {} ms", time.as_millis()),
        };
        tracing::warn!("The trace was not sent: {}", mask(&problem));
    }

    fn body(&self, spans: Vec<Span>, mask: &dyn Fn(&str) -> String) -> Vec<u8> {
        let attributes = self.0.resource.iter();
        let attributes = attributes.map(|(key, value)| KeyValue::new(mask(key), Value::Text(mask(value))));
        let scope =
            Scope { name: "pod-utils/sidecar".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let request = Request {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource { attributes: attributes.collect() }),
                scope_spans: vec![ScopeSpans { scope: Some(scope), spans }],
            }],
        };
        match self.0.encoding {
            Encoding::Protobuf => request.encode_to_vec(),
            Encoding::Json => serde_json::to_vec(&request).expect("memory takes it, and all keys are texts"),
        }
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let media_type = match self.0.encoding {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        };
        let request = self.client()?.post(self.0.url.clone()).headers(self.0.headers.clone());
        let request = request.header(CONTENT_TYPE, media_type).body(body);
        let mut response = request.send().await.map_err(|error| chain(&error.without_url()))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("the collector answered {status}"));
        }
        let mut answer = Vec::new();
        // What it accepted is of interest, not why the rest of its answer was lost.
        while let Ok(Some(piece)) = response.chunk().await {
            if answer.len() + piece.len() > MAX_ANSWER_BYTES {
                return Ok(());
            }
            answer.extend_from_slice(&piece);
        }
        match self.rejected(&answer) {
            0 => Ok(()),
            rejected => Err(format!("the collector refused {rejected} of its spans")),
        }
    }

    fn rejected(&self, answer: &[u8]) -> i64 {
        match self.0.encoding {
            Encoding::Protobuf => {
                let partial = Response::decode(answer).unwrap_or_default().partial_success;
                partial.map_or(0, |partial| partial.rejected_spans)
            }
            Encoding::Json => {
                let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
                let rejected = &answer["partialSuccess"]["rejectedSpans"];
                // A number of 64 bits is a text in Protobuf's JSON; some send a number.
                rejected.as_i64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0)
            }
        }
    }

    fn client(&self) -> Result<reqwest::Client, String> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("pod-utils/", env!("CARGO_PKG_VERSION")))
                // It would carry the headers, with their credentials, to another host.
                .redirect(redirect::Policy::none())
                .http1_only()
        };
        let client = match &self.0.roots {
            Some(roots) => builder().tls_certs_only(roots.iter().cloned()).build(),
            None => builder().build().or_else(|_| builder().tls_certs_only(bundled_roots()?).build()),
        };
        client.map_err(|error| chain(&error))
    }
}

/// The error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
