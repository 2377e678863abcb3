//! An S3 server in this process: `s3s` with its file-system store, requests
//! signed by `SigV4` or refused, faults on request.

mod answer;
mod request;

pub use request::{Fault, Seen};

use crate::pod::{files_below, json_of};
use answer::answer;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::{Value, json};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// The one bucket.
pub const BUCKET: &str = "bucket";
/// The access key.
pub const ACCESS_KEY: &str = "AKIAPODUTILSTEST";
/// Another access key that the server knows, with the same secret key.
pub const RENEWED_KEY: &str = "AKIAPODUTILSRENEWED";
/// The secret key of both.
pub const SECRET_KEY: &str = "the-secret-key-of-the-test-server";

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Script = Box<dyn Fn(&Seen) -> Fault + Send + Sync>;

/// The server; it ends with the value.
#[derive(Debug)]
pub struct S3 {
    root: tempfile::TempDir,
    endpoint: String,
    ca: Option<String>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    service: S3Service,
    seen: Mutex<Vec<Seen>>,
    script: Mutex<Script>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Default for S3 {
    fn default() -> Self {
        Self::start()
    }
}

impl S3 {
    /// Starts a server with one empty bucket, [`BUCKET`].
    pub fn start() -> Self {
        Self::start_in(&std::env::temp_dir())
    }

    /// The same, with its objects in a directory that is made in `parent`.
    pub fn start_in(parent: &Path) -> Self {
        Self::start_on(std::net::TcpListener::bind("127.0.0.1:0").expect("a port"), parent)
    }

    /// The same, on a listener that is bound already.
    pub fn start_on(listener: std::net::TcpListener, parent: &Path) -> Self {
        Self::start_with(listener, parent, None)
    }

    /// Starts one with TLS and a CA of its own.
    pub fn start_tls() -> Self {
        Self::start_tls_in(&std::env::temp_dir())
    }

    /// The same, with its objects in a directory that is made in `parent`.
    pub fn start_tls_in(parent: &Path) -> Self {
        let (ca, config) = crate::api_server::certificates(IpAddr::from([127, 0, 0, 1]));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        Self::start_with(listener, parent, Some((ca, TlsAcceptor::from(Arc::new(config)))))
    }

    fn start_with(
        listener: std::net::TcpListener,
        parent: &Path,
        tls: Option<(String, TlsAcceptor)>,
    ) -> Self {
        let root = tempfile::Builder::new().prefix("pod-utils-s3-").tempdir_in(parent).expect("a directory");
        fs::create_dir(root.path().join(BUCKET)).expect("the bucket");
        let store = s3s_fs::FileSystem::new(root.path()).expect("the store");
        let mut builder = S3ServiceBuilder::new(store);
        let mut auth = SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY);
        auth.register(RENEWED_KEY.to_owned(), SECRET_KEY.into());
        builder.set_auth(auth);
        let shared = Arc::new(Shared {
            service: builder.build(),
            seen: Mutex::default(),
            script: Mutex::new(Box::new(|_| Fault::None)),
        });
        let (ca, tls) = tls.unzip();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let endpoint = format!("{scheme}://{}", listener.local_addr().expect("its address"));
        listener.set_nonblocking(true).expect("not blocking");
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(listener, tls.as_ref(), &served, stopped));
        Self { root, endpoint, ca, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://127.0.0.1:<port>`, or with `https`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The certificate of its CA as PEM.
    pub fn ca(&self) -> &str {
        self.ca.as_deref().unwrap_or_default()
    }

    /// Answers with `fault` from the first request on for as long as `outage`, and
    /// then serves. Returns how many requests came in that time.
    pub fn out_for(&self, outage: Duration, fault: Fault) -> Arc<AtomicUsize> {
        let (first, refused) = (OnceLock::new(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&refused);
        self.script(move |_| {
            if first.get_or_init(Instant::now).elapsed() >= outage {
                return Fault::None;
            }
            count.fetch_add(1, Ordering::Relaxed);
            fault
        });
        refused
    }

    /// Decides what happens to each request from now on.
    pub fn script(&self, script: impl Fn(&Seen) -> Fault + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// The requests so far, in order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Writes an `s3_credentials_file` for this server; with TLS its certificate counts.
    pub fn credentials_file(&self, dir: &Path) -> PathBuf {
        let path = dir.join("s3-credentials.json");
        let text = json!({
            "region": "us-east-1",
            "endpoint": self.endpoint,
            "insecure": self.ca.is_none(),
            "s3_force_path_style": true,
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
        });
        fs::write(&path, text.to_string()).expect("the credentials file");
        path
    }

    /// The same as environment variables.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    }

    /// `gcs_options` that deliver `items` to the bucket.
    pub fn options(&self, dir: &Path, items: &[PathBuf]) -> Value {
        json!({
            "items": items,
            "bucket": format!("s3://{BUCKET}"),
            "path_strategy": "explicit",
            "s3_credentials_file": self.credentials_file(dir),
            "dry_run": false,
        })
    }

    /// The keys of all objects, sorted.
    pub fn keys(&self) -> Vec<String> {
        files_below(&self.root.path().join(BUCKET)).into_iter().filter(|key| !key.contains(".tmp.")).collect()
    }

    /// An object's bytes.
    #[track_caller]
    pub fn object(&self, key: &str) -> Vec<u8> {
        let path = self.root.path().join(BUCKET).join(key);
        fs::read(&path).unwrap_or_else(|error| panic!("{key}: {error}; there are {:?}", self.keys()))
    }

    /// An object as text.
    #[track_caller]
    pub fn text(&self, key: &str) -> String {
        String::from_utf8_lossy(&self.object(key)).into_owned()
    }

    /// An object as JSON.
    #[track_caller]
    pub fn json(&self, key: &str) -> Value {
        json_of(&self.root.path().join(BUCKET).join(key))
    }

    /// Where an object, or the directory of objects below a key, is on this disk.
    pub fn object_path(&self, key: &str) -> PathBuf {
        self.root.path().join(BUCKET).join(key)
    }

    /// The key of the object that was written last, by the order of requests.
    pub fn last_written(&self) -> Option<String> {
        self.seen().into_iter().rev().find(Seen::makes_an_object).map(|seen| seen.key)
    }

    /// The parts of uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self) -> Vec<String> {
        let names = fs::read_dir(self.root.path()).expect("the store").flatten();
        names
            .map(|entry| entry.file_name().display().to_string())
            .filter(|name| name.contains("upload_id"))
            .collect()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // Both fail only when the thread has ended.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn serve(
    listener: std::net::TcpListener,
    tls: Option<&TlsAcceptor>,
    shared: &Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).expect("in the runtime");
        let accepting = async {
            loop {
                if let Ok((connection, _)) = listener.accept().await {
                    let (tls, shared) = (tls.cloned(), Arc::clone(shared));
                    tokio::spawn(async move {
                        match tls {
                            None => serve_connection(connection, shared).await,
                            // A client that distrusts the certificate hangs up here.
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(connection).await {
                                    serve_connection(stream, shared).await;
                                }
                            }
                        }
                    });
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            // The test is over; connections end with the runtime.
            _ = stopped => {}
        }
    });
    // A hanging request must not hang the test's end.
    runtime.shutdown_background();
}

async fn serve_connection(
    connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Arc<Shared>,
) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let server = auto::Builder::new(TokioExecutor::new());
    // A connection that a script resets ends with an error, as it should.
    let _ = server.serve_connection(TokioIo::new(connection), service).await;
}

impl Shared {
    async fn serve(&self, request: Request<Incoming>) -> Result<Response<s3s::Body>, Failure> {
        let service = self.service.clone();
        hyper::service::Service::call(&service, request).await.map_err(|error| format!("{error:?}").into())
    }

    async fn serve_bytes(
        &self,
        head: hyper::http::request::Parts,
        body: Vec<u8>,
    ) -> Result<Response<s3s::Body>, Failure> {
        let request = Request::from_parts(head, s3s::Body::from(Bytes::from(body)));
        self.service.call(request).await.map_err(|error| format!("{error:?}").into())
    }

    fn note(&self, request: &Request<Incoming>) -> Fault {
        let mut request = Seen::of(request);
        let mut seen = self.seen.lock().unwrap();
        let same = |other: &&Seen| {
            other.method == request.method && other.key == request.key && other.query == request.query
        };
        request.earlier = seen.iter().filter(same).count();
        seen.push(request.clone());
        drop(seen);
        (self.script.lock().unwrap())(&request)
    }
}
