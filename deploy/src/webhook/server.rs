//! Connections: TLS, limits of time and number, and an orderly end.
//!
//! | limit | why |
//! | --- | --- |
//! | [`HANDSHAKE_TIMEOUT`], [`FIRST_REQUEST_TIMEOUT`] | whoever connects and says nothing holds no place |
//! | [`IDLE_TIMEOUT`] | longer than the API server keeps an idle connection, so that it closes first and never sends a pod into a closing one |
//! | [`MAX_CONNECTIONS`] | bounds memory |

use super::service::Service;
use super::tls;
use crate::terminal::Problem;
use common::records::tracing::{debug, info};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Go's client closes idle connections after 90 s.
const IDLE_TIMEOUT: Duration = Duration::from_mins(3);

const MAX_CONNECTIONS: usize = 512;

/// Heads of Kubernetes' requests have some hundred bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Pause after a connection could not be accepted, for lack of descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Upper bound on the requests that are still answered after the end of draining.
const LAST_REQUESTS_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `stop` says so, then for `drain` in a way that sends clients elsewhere, then
/// until the last request is answered.
pub(super) async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    mut stop: watch::Receiver<bool>,
    drain: Duration,
) -> Result<(), Problem> {
    let config = tls::config(Arc::clone(&service.files.certificate))?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (end, ended) = watch::channel(false);
    let accepting = async {
        loop {
            // It is never closed.
            let place = Arc::clone(&places).acquire_owned().await;
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    debug!(error = %error, "A connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (acceptor, service, ended) = (acceptor.clone(), Arc::clone(&service), ended.clone());
            tokio::spawn(async move {
                connection(stream, acceptor, service, ended).await;
                drop(place);
            });
        }
    };
    let draining = async {
        // An error means that nobody can stop the server any more.
        let _ = stop.wait_for(|stop| *stop).await;
        info!("Told to end: no longer ready, requests are answered for {drain:?}");
        service.is_draining.store(true, Ordering::Relaxed);
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        () = accepting => {}
        () = draining => {}
    }
    drop(listener);
    // Idle connections close at once, the others after their answer.
    let _ = end.send(true);
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    let last = tokio::time::timeout(LAST_REQUESTS_TIMEOUT, places.acquire_many(all)).await;
    if last.is_err() {
        info!("Requests that were not complete are dropped");
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: Arc<Service>,
    mut ended: watch::Receiver<bool>,
) {
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            if tls::refuses_certificate(&error) {
                service.certificate_refused(&error);
            }
            return debug!(error = %error, "A client gave up the handshake");
        }
        Err(_) => return debug!("A client was too slow for the handshake"),
    };
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let answer = service_fn(move |request| {
        asked.store(true, Ordering::Relaxed);
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    let connection = http.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let first = tokio::time::sleep(FIRST_REQUEST_TIMEOUT);
    tokio::pin!(first);
    let mut is_first = true;
    let mut is_ending = false;
    loop {
        tokio::select! {
            served = connection.as_mut() => {
                if let Err(error) = served {
                    debug!(error = %error, "A connection ended early");
                }
                return;
            }
            () = first.as_mut(), if is_first => {
                if !has_asked.load(Ordering::Relaxed) {
                    return debug!("A client sent no request");
                }
                is_first = false;
            }
            _ = ended.wait_for(|ended| *ended), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
