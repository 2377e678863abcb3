//! Routes each request and answers it.

use super::files::Files;
use super::metrics::{Metrics, Outcome};
use super::review::{self, Undecoratable};
use super::validity::Standing;
use common::records::tracing::{info, warn};
use common::timestamp::Timestamp;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Upper bound on the body of a request; an API server takes no larger object.
const MAX_BODY_BYTES: usize = 3 << 20;

/// Upper bound on receiving and answering one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// An API server that does not accept the certificate tries again for each pod.
const REFUSAL_RECORD_INTERVAL_SECONDS: i64 = 60;

/// Where the API server sends pods.
pub(super) const MUTATE: &str = "/mutate";

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that answers need.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) files: Arc<Files>,
    pub(super) undecoratable: Undecoratable,
    pub(super) metrics: Metrics,
    /// The server is about to end: it answers, but wants no more requests.
    pub(super) is_draining: AtomicBool,
    /// The last record about a client that does not accept the certificate, in seconds since 1970.
    pub(super) refusal_recorded: AtomicI64,
}

type Answer = Response<Full<Bytes>>;

impl Service {
    /// Answers a request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        let mut answer = match (request.method(), request.uri().path()) {
            (&Method::POST, MUTATE) => self.mutate(request).await,
            (_, MUTATE) => text(StatusCode::METHOD_NOT_ALLOWED, "POST an AdmissionReview here"),
            (&Method::GET | &Method::HEAD, "/healthz") => text(StatusCode::OK, "ok"),
            (&Method::GET | &Method::HEAD, "/readyz") => self.ready(),
            (&Method::GET | &Method::HEAD, "/metrics") => {
                respond(StatusCode::OK, PROMETHEUS, self.metrics.text().into_bytes())
            }
            _ => text(StatusCode::NOT_FOUND, "there are /mutate, /healthz, /readyz and /metrics"),
        };
        if self.is_draining.load(Ordering::Relaxed) {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    fn ready(&self) -> Answer {
        if self.is_draining.load(Ordering::Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "ending");
        }
        match self.files.certificate.get().validity.standing(Timestamp::now().as_secs()) {
            Standing::Good | Standing::EndsSoon => text(StatusCode::OK, "ok"),
            Standing::Over => text(StatusCode::SERVICE_UNAVAILABLE, "the certificate's validity is over"),
            Standing::NotYet => text(StatusCode::SERVICE_UNAVAILABLE, "the certificate is not valid yet"),
        }
    }

    /// Counts a client that does not accept the certificate, and records it once in a while.
    pub(super) fn certificate_refused(&self, error: &std::io::Error) {
        self.metrics.certificate_refusal();
        let now = Timestamp::now().as_secs();
        let last = self.refusal_recorded.load(Ordering::Relaxed);
        if now - last >= REFUSAL_RECORD_INTERVAL_SECONDS {
            self.refusal_recorded.store(now, Ordering::Relaxed);
            warn!(error = %error, "A client does not accept the certificate: is it good, and does the caBundle fit?");
        }
    }

    async fn mutate(&self, request: Request<Incoming>) -> Answer {
        let begin = Instant::now();
        let (answer, outcome) = match tokio::time::timeout(REQUEST_TIMEOUT, self.review(request)).await {
            Ok(done) => done,
            Err(_) => (text(StatusCode::REQUEST_TIMEOUT, "the request took too long"), Outcome::Malformed),
        };
        self.metrics.request(outcome, begin.elapsed());
        answer
    }

    async fn review(&self, request: Request<Incoming>) -> (Answer, Outcome) {
        let malformed = |status, why: &str| {
            warn!(reason = why, "A request is no request for admission");
            (text(status, why), Outcome::Malformed)
        };
        let too_long = "longer than 3 MiB";
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if kind != Some(JSON) {
            return malformed(StatusCode::UNSUPPORTED_MEDIA_TYPE, "allowed is application/json");
        }
        if request.body().size_hint().lower() > MAX_BODY_BYTES as u64 {
            return malformed(StatusCode::PAYLOAD_TOO_LARGE, too_long);
        }
        let body = match Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return malformed(StatusCode::PAYLOAD_TOO_LARGE, too_long);
            }
            Err(_) => return malformed(StatusCode::BAD_REQUEST, "the body ended early"),
        };
        match review::review(&body, &self.files.admission(), self.undecoratable) {
            Ok(reviewed) => {
                let (pod, outcome, reason) = (reviewed.pod, reviewed.outcome, reviewed.reason);
                match outcome {
                    Outcome::Refused | Outcome::LetThrough => {
                        warn!(pod, outcome = outcome.name(), reason, "A pod cannot be decorated");
                    }
                    Outcome::Decorated | Outcome::Unchanged | Outcome::Malformed => {
                        info!(pod, outcome = outcome.name(), reason, "A pod was looked at");
                    }
                }
                (respond(StatusCode::OK, JSON, reviewed.body), outcome)
            }
            Err(why) => malformed(StatusCode::BAD_REQUEST, &why),
        }
    }
}

fn text(status: StatusCode, text: &str) -> Answer {
    respond(status, TEXT, format!("{text}\n").into_bytes())
}

fn respond(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
