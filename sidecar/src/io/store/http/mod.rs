//! The HTTP client below the object stores: bounds on time and memory, and a context
//! for each call.
//!
//! The object store library hides statuses and `Retry-After` in its errors, has
//! no conditional completion of multipart uploads, sends Google no checksum, and
//! quotes answers that it cannot read. So each call runs in a task-local context:
//! the client adds a header to the request it belongs to, and records how the last
//! request ended and which credentials were sent.

mod answer;
mod checksum;
mod connector;
mod ended;
mod own_credentials;

pub(super) use answer::ObjectContent;
pub(super) use checksum::expect_checksum;
pub(in crate::io) use connector::bundled_roots;
pub(super) use connector::{Connector, client_options, no_retries};
pub(super) use ended::Ended;

use answer::{Expected, ReadAnswer};
use async_trait::async_trait;
use connector::MAX_REQUEST_TIMEOUT;
use object_store::HeaderValue;
use object_store::client::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};
use own_credentials::{Credentials, Sent, Tokens};
use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

/// The time for a request, beside the transfer of its content.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Lower bound on a store's throughput; a slower one counts as unavailable.
const MIN_BYTES_PER_SECOND: u64 = 32 * 1024;

/// Upper bound on an honoured `Retry-After`: nobody waits longer at the end of a
/// job.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(2);

tokio::task_local! {
    static CALL: RefCell<Call>;
}

/// The context of a call: a header to add, what the store should say, and how its requests
/// ended.
#[derive(Debug, Default)]
struct Call {
    extra: Option<Extra>,
    checksum: Option<String>,
    ended: Ended,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The server's `Retry-After`, when it gave one in seconds.
        retry_after: Option<Duration>,
        /// A later attempt can succeed, by the status or the code of the error.
        transient: bool,
        /// A sentence for people that the headers of the answer add to its error.
        hint: Option<String>,
    },
    /// No complete answer arrived.
    NoAnswer(HttpErrorKind),
}

/// Runs a store operation in a context of its own; returns its result and how
/// its requests ended.
pub(super) async fn with_call_context<T>(
    extra: Option<Extra>,
    operation: impl Future<Output = T>,
) -> (T, Ended) {
    let call = RefCell::new(Call { extra, ..Call::default() });
    CALL.scope(call, async {
        let result = operation.await;
        (result, CALL.with(|call| std::mem::take(&mut call.borrow_mut().ended)))
    })
    .await
}

/// Records an outcome in the call's context, where there is one.
pub(super) fn note(outcome: Outcome) {
    let _ = CALL.try_with(|call| call.borrow_mut().ended.last = Some(outcome));
}

/// Adds the requests of a call inside this one.
pub(super) fn adopt(inner: Ended) {
    let _ = CALL.try_with(|call| call.borrow_mut().ended.append(inner));
}

/// Returns how the call's last request ended.
pub(super) fn last_outcome() -> Option<Outcome> {
    CALL.try_with(|call| call.borrow().ended.last.clone()).ok().flatten()
}

/// Records what a request sends, before any part of its answer can be quoted.
fn record(sent: Sent) {
    let _ = CALL.try_with(|call| call.borrow_mut().ended.sent.push(sent));
}

/// Sends requests, reads their answers within bounds, and records their outcomes.
#[derive(Debug)]
struct Observer {
    client: HttpClient,
    credentials: Credentials,
    tokens: Tokens,
}

impl Observer {
    fn new(client: HttpClient, credentials: Credentials, tokens: Tokens) -> Self {
        Self { client, credentials, tokens }
    }

    /// Sends a request and reads its answer, except an object's content.
    async fn exchange(&self, request: HttpRequest) -> Result<ReadAnswer, HttpError> {
        let (expected, sent) = (Expected::of(&request), Sent::of(&request, &self.credentials, &self.tokens));
        record(sent.clone());
        let response = self.client.execute(request).await?;
        answer::read(response, expected, |text| own_credentials::masked([&sent], text)).await
    }
}

#[async_trait]
impl HttpService for Observer {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        drop_empty_token(&mut request);
        add_extra(&mut request);
        let limit = request_timeout(&request);
        let result = tokio::time::timeout(limit, self.exchange(request))
            .await
            .unwrap_or_else(|_| Err(HttpError::new(HttpErrorKind::Timeout, TimedOut(limit))));
        note(match &result {
            Ok(read) => Outcome::Answered {
                status: read.response.status().as_u16(),
                retry_after: read.response.headers().get("retry-after").and_then(retry_after),
                transient: read.transient,
                hint: read.hint.clone(),
            },
            Err(error) => Outcome::NoAnswer(error.kind()),
        });
        result.map(|read| read.response)
    }
}

/// Gives up a read of at most `bytes` that takes longer than a request with so much
/// content may: the answer's beginning has a limit of its own.
pub(super) async fn within<T>(bytes: u64, read: impl Future<Output = T>) -> Result<T, object_store::Error> {
    let limit = time_for(bytes);
    tokio::time::timeout(limit, read).await.map_err(|_| {
        note(Outcome::NoAnswer(HttpErrorKind::Timeout));
        object_store::Error::Generic { store: "HTTP client", source: Box::new(TimedOut(limit)) }
    })
}

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
    time_for(request.body().content_length() as u64)
}

/// Returns how long the transfer of so many bytes may take, with the answer.
fn time_for(bytes: u64) -> Duration {
    (ANSWER_TIMEOUT + Duration::from_secs(bytes / MIN_BYTES_PER_SECOND)).min(MAX_REQUEST_TIMEOUT)
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
        On::Completion => is_completion(request),
    };
    if belongs {
        request.headers_mut().insert(extra.name, extra.value);
    }
}

/// Returns whether a request completes a multipart upload.
fn is_completion(request: &HttpRequest) -> bool {
    request.method().as_str() == "POST"
        && request.uri().query().is_some_and(|query| query.contains("uploadId="))
}

fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}
