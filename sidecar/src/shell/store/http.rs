//! The HTTP client below the object stores: trust roots, and what a call met.
//!
//! The object store library hides statuses and `Retry-After` in its errors and
//! has no conditional completion of multipart uploads. So each call runs in a
//! task-local scope: the client adds a header to its completing request and
//! notes how the last request ended.

use async_trait::async_trait;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{Certificate, ClientOptions, HeaderValue};
use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

/// One part has to be through in this time; then the attempt counts as failed.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(5);

/// A store that does not answer the handshake for so long is taken as unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A `Retry-After` beyond this is cut: nobody waits longer at the end of a job.
const MOST_RETRY_AFTER: Duration = Duration::from_mins(2);

tokio::task_local! {
    static CALL: RefCell<Call>;
}

/// What a call adds to its requests, and what it met.
#[derive(Debug, Default)]
pub(super) struct Call {
    completion_header: Option<(&'static str, HeaderValue)>,
    /// How the last request ended; `None` when none was sent.
    pub(super) last: Option<Outcome>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The server's `Retry-After`, when it gave one in seconds.
        retry_after: Option<Duration>,
    },
    /// There was no complete answer.
    NoAnswer(HttpErrorKind),
}

/// Runs a store operation and tells what it met.
pub(super) async fn observed<T>(
    completion_header: Option<(&'static str, HeaderValue)>,
    operation: impl Future<Output = T>,
) -> (T, Option<Outcome>) {
    let call = RefCell::new(Call { completion_header, last: None });
    CALL.scope(call, async {
        let result = operation.await;
        (result, CALL.with(|call| call.borrow().last))
    })
    .await
}

/// Tells the call, if there is one: aborts have nobody to tell.
pub(super) fn note(outcome: Outcome) {
    let _ = CALL.try_with(|call| call.borrow_mut().last = Some(outcome));
}

/// The settings every client starts from.
pub(super) fn client_options() -> ClientOptions {
    ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT)
}

/// Makes clients that observe their calls.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Building a client panics without a provider, so do not rely on `main`.
        super::install_tls();
        let client = ReqwestConnector::default().connect(options).or_else(|_| {
            // Images made from scratch carry no trust roots: use the bundled ones.
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
        anonymous(&mut request);
        add_completion_header(&mut request);
        let result = self.0.execute(request).await;
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

/// An empty token means access without credentials, which is said by silence.
fn anonymous(request: &mut HttpRequest) {
    let empty = |value: &HeaderValue| value.as_bytes().trim_ascii() == b"Bearer";
    if request.headers().get("authorization").is_some_and(empty) {
        request.headers_mut().remove("authorization");
    }
}

fn add_completion_header(request: &mut HttpRequest) {
    let completes = request.method().as_str() == "POST"
        && request.uri().query().is_some_and(|query| query.contains("uploadId="));
    if completes
        && let Ok(Some((name, value))) = CALL.try_with(|call| call.borrow().completion_header.clone())
    {
        request.headers_mut().insert(name, value);
    }
}

fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MOST_RETRY_AFTER))
}
