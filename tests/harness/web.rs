//! A small HTTP server that a test plays: token services, metadata servers, and
//! stores that need no more than an answer.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
    /// The body as it came.
    pub bytes: Bytes,
}

impl Asked {
    /// A header's value; empty without it.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// An answer: status, headers, body.
#[derive(Clone, Debug)]
pub struct Answer(pub u16, pub Vec<(&'static str, String)>, pub String);

impl Answer {
    /// 200 with a body.
    pub fn ok(body: impl Into<String>) -> Self {
        Self(200, Vec::new(), body.into())
    }

    /// Properties of an object that a store holds now.
    pub fn stored() -> Self {
        let headers = vec![
            ("etag", "\"tag\"".to_owned()),
            ("x-goog-generation", "17".to_owned()),
            ("last-modified", "Sun, 22 Nov 2026 01:00:00 GMT".to_owned()),
        ];
        Self(201, headers, String::new())
    }
}

type Play = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The running server; it ends with the value.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    ca: Option<String>,
    asked: Arc<Mutex<Vec<Asked>>>,
    _alive: oneshot::Sender<()>,
}

impl Web {
    /// A server on 127.0.0.1.
    pub fn start(play: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(None, play)
    }

    /// A server with TLS and a CA of its own, on 127.0.0.1.
    pub fn start_tls(play: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let (ca, config) = crate::api_server::certificates(IpAddr::from([127, 0, 0, 1]));
        Self::start_with(Some((ca, TlsAcceptor::from(Arc::new(config)))), play)
    }

    fn start_with(
        tls: Option<(String, TlsAcceptor)>,
        play: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("not blocking");
        let address = listener.local_addr().expect("its address");
        let (ca, tls) = tls.unzip();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (alive, ended) = oneshot::channel();
        let (noting, play): (_, Arc<Play>) = (Arc::clone(&asked), Arc::new(play));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = accept(listener, tls, noting, play) => {}
                    // The test is over.
                    _ = ended => {}
                }
            });
        });
        Self { address, ca, asked, _alive: alive }
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The address with its scheme.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.ca.is_some() { "https" } else { "http" }, self.address)
    }

    /// The certificate of its CA as PEM.
    pub fn ca(&self) -> &str {
        self.ca.as_deref().unwrap_or_default()
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn accept(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    asked: Arc<Mutex<Vec<Asked>>>,
    play: Arc<Play>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("in the runtime");
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let (tls, asked, play) = (tls.clone(), Arc::clone(&asked), Arc::clone(&play));
        tokio::spawn(async move {
            match tls {
                None => serve(connection, asked, play).await,
                // A client that distrusts the certificate hangs up here.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(connection).await {
                        serve(stream, asked, play).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    asked: Arc<Mutex<Vec<Asked>>>,
    play: Arc<Play>,
) {
    let service = service_fn(move |request| {
        let (asked, play) = (Arc::clone(&asked), Arc::clone(&play));
        answer(request, asked, play)
    });
    // How a connection ends is the client's business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    asked: Arc<Mutex<Vec<Asked>>>,
    play: Arc<Play>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut seen = Asked {
        method: request.method().to_string(),
        path: request.uri().to_string(),
        headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::new(),
        bytes: Bytes::new(),
    };
    seen.bytes = request.into_body().collect().await?.to_bytes();
    seen.body = String::from_utf8_lossy(&seen.bytes).into_owned();
    let Answer(status, headers, body) = play(&seen);
    asked.lock().unwrap().push(seen);
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(Bytes::from(body))).expect("a response"))
}
