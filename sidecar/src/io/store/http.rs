//! The HTTP client below the object stores: trust roots, timeouts, and a context
//! for each call.
//!
//! The object store library hides statuses and `Retry-After` in its errors, has
//! no conditional completion of multipart uploads, and sends Google no checksum.
//! So each call runs in a task-local context: the client adds a header to the
//! request it belongs to, and records how the last request ended.

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{Certificate, ClientOptions, HeaderValue};
use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

/// The time for a request, beside the transfer of its content.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Lower bound on a store's throughput; a slower one counts as unavailable.
const MIN_BYTES_PER_SECOND: u64 = 32 * 1024;

/// Upper bound on any request: assembling a large object can take minutes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>).
const MAX_REQUEST_TIMEOUT: Duration = Duration::from_mins(5);

/// A store that does not complete the handshake in this time is unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Upper bound on an honoured `Retry-After`: nobody waits longer at the end of a
/// job.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(2);

tokio::task_local! {
    static CALL: RefCell<Call>;
}

/// The context of a call: a header to add, and the outcome of its last request.
#[derive(Debug, Default)]
pub(super) struct Call {
    extra: Option<Extra>,
    /// The outcome of the last request; `None` when none was sent.
    pub(super) last: Option<Outcome>,
}

/// A header that the library does not send.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    /// The request it belongs to.
    pub(super) on: On,
    /// The header's name, in lower case.
    pub(super) name: &'static str,
    /// The header's value.
    pub(super) value: HeaderValue,
}

/// A request of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// The one that carries content.
    Content,
    /// The one that completes a multipart upload.
    Completion,
    /// The one that reads an object, or asks about it.
    Reading,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The server's `Retry-After`, when it gave one in seconds.
        retry_after: Option<Duration>,
    },
    /// No complete answer arrived.
    NoAnswer(HttpErrorKind),
}

/// Runs a store operation in a context of its own; returns its result and how
/// its last request ended.
pub(super) async fn with_call_context<T>(
    extra: Option<Extra>,
    operation: impl Future<Output = T>,
) -> (T, Option<Outcome>) {
    let call = RefCell::new(Call { extra, last: None });
    CALL.scope(call, async {
        let result = operation.await;
        (result, CALL.with(|call| call.borrow().last))
    })
    .await
}

/// Records an outcome in the call's context; aborts run without one.
pub(super) fn note(outcome: Outcome) {
    let _ = CALL.try_with(|call| call.borrow_mut().last = Some(outcome));
}

/// Returns how the call's last request ended.
pub(super) fn last_outcome() -> Option<Outcome> {
    CALL.try_with(|call| call.borrow().last).ok().flatten()
}

/// Returns the settings that every client starts from.
pub(super) fn client_options() -> ClientOptions {
    ClientOptions::new().with_timeout(MAX_REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT)
}

/// Builds clients that record the outcomes of their requests.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Building a client without a provider panics: do not rely on the caller.
        super::install_tls();
        let client = ReqwestConnector::default().connect(options).or_else(|_| {
            // Images built from scratch have no trust roots: use the bundled ones.
            ReqwestConnector::default().connect(&bundled_roots(options)?)
        })?;
        Ok(HttpClient::new(Observer(client)))
    }
}

fn bundled_roots(options: &ClientOptions) -> object_store::Result<ClientOptions> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|certificate| Certificate::from_der(certificate))
        .try_fold(options.clone().with_no_system_certificates(true), |options, certificate| {
            Ok(options.with_root_certificate(certificate?))
        })
}

#[derive(Debug)]
struct Observer(HttpClient);

#[async_trait]
impl HttpService for Observer {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        drop_empty_token(&mut request);
        add_extra(&mut request);
        let limit = request_timeout(&request);
        let whole = request.method().as_str() == "PUT" && request.uri().query().is_none();
        let mut result = match tokio::time::timeout(limit, self.0.execute(request)).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::new(HttpErrorKind::Timeout, TimedOut(limit))),
        };
        if let Ok(response) = result.as_mut().map(HttpResponse::headers_mut)
            && whole
        {
            // Some stores return no version of what they accepted. The library insists
            // on one; this one never matches a precondition.
            response.entry("etag").or_insert(HeaderValue::from_static(UNKNOWN_VERSION));
        }
        let outcome = match &result {
            Ok(response) => Outcome::Answered {
                status: response.status().as_u16(),
                retry_after: response.headers().get("retry-after").and_then(retry_after),
            },
            Err(error) => Outcome::NoAnswer(error.kind()),
        };
        note(outcome);
        result
    }
}

/// Stands for the version of an object whose store returned none.
const UNKNOWN_VERSION: &str = "\"unknown\"";

/// The store did not answer in time.
#[derive(Debug)]
struct TimedOut(Duration);

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the store did not answer within {} s", self.0.as_secs())
    }
}

impl std::error::Error for TimedOut {}

/// Returns how long a request may take.
fn request_timeout(request: &HttpRequest) -> Duration {
    if request.method().as_str() == "POST" {
        return MAX_REQUEST_TIMEOUT;
    }
    let content = request.body().content_length() as u64;
    (ANSWER_TIMEOUT + Duration::from_secs(content / MIN_BYTES_PER_SECOND)).min(MAX_REQUEST_TIMEOUT)
}

/// Drops the `Authorization` header when the token is empty (anonymous access).
fn drop_empty_token(request: &mut HttpRequest) {
    let empty = |value: &HeaderValue| value.as_bytes().trim_ascii() == b"Bearer";
    if request.headers().get("authorization").is_some_and(empty) {
        request.headers_mut().remove("authorization");
    }
}

fn add_extra(request: &mut HttpRequest) {
    let Ok(Some(extra)) = CALL.try_with(|call| call.borrow().extra.clone()) else { return };
    let method = request.method().as_str();
    let belongs = match extra.on {
        On::Content => method == "PUT",
        On::Reading => matches!(method, "GET" | "HEAD"),
        On::Completion => {
            method == "POST" && request.uri().query().is_some_and(|query| query.contains("uploadId="))
        }
    };
    if belongs {
        request.headers_mut().insert(extra.name, extra.value);
    }
}

fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}
