//! An API server of Kubernetes as far as entrypoint-wrapper needs one: TLS with a
//! CA of its own, a check of the token, and answers as a test wants them.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// The token that is accepted at first.
pub const TOKEN: &str = "the-first-token";

/// Answer to a request that carries an accepted token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Stores the object: 200.
    Accept,
    /// Stores the object when the test says so: [`ApiServer::release`].
    Hold,
    /// Refuses with this status and a `Status` object with this message.
    Refuse(u16, &'static str),
    /// Refuses with 429 and these seconds in `Retry-After`.
    Busy(u32),
    /// Answers with this status and this text, as a proxy in between would.
    Text(u16, &'static str),
    /// Never answers.
    Hang,
    /// Closes the connection without an answer.
    Drop,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it was complete.
    pub at: Instant,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The value of `Authorization`.
    pub authorization: String,
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl Seen {
    /// The values of the Secret in the body, as text.
    #[track_caller]
    pub fn data(&self) -> Vec<(String, String)> {
        decoded(&self.body)
    }
}

/// The values of a Secret, as text.
#[track_caller]
pub fn decoded(secret: &str) -> Vec<(String, String)> {
    let secret: Value = serde_json::from_str(secret).expect("JSON");
    let decoded = |value: &Value| decode_base64(value.as_str().expect("a text"));
    let data = secret["data"].as_object().into_iter().flatten();
    data.map(|(name, value)| (name.clone(), decoded(value))).collect()
}

#[derive(Debug)]
struct State {
    tokens: Mutex<Vec<String>>,
    script: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<Seen>>,
    stored: Mutex<Vec<String>>,
    released: watch::Sender<bool>,
}

/// A running server; it ends with the value.
#[derive(Debug)]
pub struct ApiServer {
    state: Arc<State>,
    address: SocketAddr,
    account: tempfile::TempDir,
    // The server's thread ends with it.
    _alive: oneshot::Sender<()>,
}

impl ApiServer {
    /// A server that accepts everything with [`TOKEN`], on 127.0.0.1.
    pub fn start() -> Self {
        Self::start_on(IpAddr::from([127, 0, 0, 1])).expect("a free port")
    }

    /// A server on this address.
    pub fn start_on(ip: IpAddr) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((ip, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (ca, tls) = certificates(ip);
        let account = tempfile::tempdir()?;
        fs::write(account.path().join("ca.crt"), ca)?;
        fs::write(account.path().join("token"), format!("{TOKEN}\n"))?;
        // Tests start wrappers as other users, too.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(account.path(), mode)?;
        let state = Arc::new(State {
            tokens: Mutex::new(vec![TOKEN.to_owned()]),
            script: Mutex::default(),
            seen: Mutex::default(),
            stored: Mutex::default(),
            released: watch::Sender::new(false),
        });
        let (alive, ended) = oneshot::channel();
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = serve(listener, tls, serving) => {}
                    _ = ended => {}
                }
            });
        });
        Ok(Self { state, address, account, _alive: alive })
    }

    /// Answers the next requests like this, and those after them with 200.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.script.lock().unwrap().extend(answers);
    }

    /// Lets every held request go on, now and later.
    pub fn release(&self) {
        self.state.released.send_replace(true);
    }

    /// Replaces the token in the pod, and the ones that are accepted.
    pub fn rotate_token(&self, token: &str) {
        self.state.tokens.lock().unwrap().clone_from(&vec![token.to_owned()]);
        let file = self.account_dir().join("token");
        fs::write(file.with_extension("new"), token).expect("written");
        fs::rename(file.with_extension("new"), file).expect("renamed");
    }

    /// Every request so far that carried any token.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// The bodies that were stored, in order.
    pub fn stored(&self) -> Vec<String> {
        self.state.stored.lock().unwrap().clone()
    }

    /// Waits until this many requests have come.
    #[track_caller]
    pub fn until_seen(&self, count: usize) -> Seen {
        crate::wait::until(&format!("request {count}"), || self.seen().get(count - 1).cloned())
    }

    /// Where `token` and `ca.crt` lie.
    pub fn account_dir(&self) -> PathBuf {
        self.account.path().to_owned()
    }

    /// The variables by which a pod finds the server.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("KUBERNETES_SERVICE_HOST", self.address.ip().to_string()),
            ("KUBERNETES_SERVICE_PORT", self.address.port().to_string()),
        ]
    }
}

async fn serve(listener: std::net::TcpListener, tls: ServerConfig, state: Arc<State>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    let tls = TlsAcceptor::from(Arc::new(tls));
    loop {
        let (connection, _) = listener.accept().await.expect("a connection");
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            // A client that distrusts the certificate hangs up here.
            let Ok(stream) = tls.accept(connection).await else { return };
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            // Connections that are dropped on request end with an error.
            drop(served);
        });
    }
}

/// The CA's certificate as PEM, and the server's side.
pub(crate) fn certificates(ip: IpAddr) -> (String, ServerConfig) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca_params = CertificateParams::new(Vec::new()).expect("no names");
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = ca_params.self_signed(&ca_key).expect("signed");
    let key = KeyPair::generate().expect("a key");
    let names = CertificateParams::new(vec![ip.to_string()]).expect("a name");
    let certificate = names.signed_by(&key, &Issuer::new(ca_params, ca_key)).expect("signed");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a key for the certificate");
    (ca.pem(), config)
}

/// The request is dropped without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped as the test wants it")
    }
}

impl std::error::Error for Dropped {}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let header = |name: &str| {
        let value = request.headers().get(name).map(|value| value.to_str().expect("plain text").to_owned());
        value.unwrap_or_default()
    };
    let (authorization, content_type) = (header("authorization"), header("content-type"));
    let (method, path) = (request.method().to_string(), request.uri().to_string());
    let Ok(body) = request.into_body().collect().await else { return Err(Dropped) };
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let seen = Seen { at: Instant::now(), method, path, authorization, content_type, body: body.clone() };
    let accepted =
        state.tokens.lock().unwrap().iter().any(|token| seen.authorization == format!("Bearer {token}"));
    // Decided before the test can see the request, so that a script set for the next one is the next one's.
    let planned = if accepted {
        state.script.lock().unwrap().pop_front()
    } else {
        Some(Answer::Refuse(401, "Unauthorized"))
    };
    state.seen.lock().unwrap().push(seen);
    let planned = planned.unwrap_or(Answer::Accept);
    match planned {
        Answer::Accept => Ok(store(&state, body)),
        Answer::Hold => {
            let mut released = state.released.subscribe();
            let _ = released.wait_for(|released| *released).await;
            Ok(store(&state, body))
        }
        Answer::Refuse(code, message) => Ok(response(code, None, status_object(code, message))),
        Answer::Busy(seconds) => {
            Ok(response(429, Some(seconds), status_object(429, "the server has received too many requests")))
        }
        Answer::Text(code, text) => Ok(response(code, None, text.to_owned())),
        Answer::Hang => {
            tokio::time::sleep(Duration::from_hours(1)).await;
            Err(Dropped)
        }
        Answer::Drop => Err(Dropped),
    }
}

fn store(state: &State, body: String) -> Response<Full<Bytes>> {
    state.stored.lock().unwrap().push(body.clone());
    response(200, None, body)
}

fn status_object(code: u16, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code})
        .to_string()
}

fn response(code: u16, retry_after: Option<u32>, body: String) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(StatusCode::from_u16(code).expect("a status"));
    if let Some(seconds) = retry_after {
        builder = builder.header("Retry-After", seconds.to_string());
    }
    builder.header("Content-Type", "application/json").body(Full::new(Bytes::from(body))).expect("a response")
}

/// Standard base64 with padding, which is all that Kubernetes takes.
fn decode_base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert_eq!(text.len() % 4, 0, "{text}");
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let digits = group.iter().filter(|byte| **byte != b'=');
        let digits: Vec<usize> =
            digits.map(|digit| ALPHABET.iter().position(|b| b == digit).expect("a digit")).collect();
        let bits = digits.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - digits.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[5..][..digits.len() - 1]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decode_base64;

    #[test]
    fn base64_is_read_back() {
        for (encoded, text) in [("", ""), ("dGVzdDAK", "test0\n"), ("YQ==", "a"), ("YWI=", "ab")] {
            assert_eq!(decode_base64(encoded), text);
        }
    }
}
