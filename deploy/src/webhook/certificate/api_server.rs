//! The API server, as a pod with a `ServiceAccount` reaches it.

use anyhow::{Context, Result, bail};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Upper bound on an answer: a Secret has at most 1 MiB, 1.4 in base64.
const MAX_ANSWER_BYTES: usize = 3 << 20;

/// Attempts at a request that fails transiently, and the pause before the second, which
/// doubles with each further one: 15 s in all.
const MAX_ATTEMPTS: u32 = 5;
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// A connection to the API server.
#[derive(Debug)]
pub(super) struct ApiServer {
    base: String,
    token_file: PathBuf,
    http: reqwest::Client,
}

/// An answer: its status, and its JSON, null where there is none.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl Answer {
    /// Returns the body of a success, else the server's message as an error.
    pub(super) fn success(self, what: &str) -> Result<Value> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let message = self.body["message"].as_str().unwrap_or("no message");
        bail!("{what}: {}: {}", self.status, crate::terminal::harmless(message));
    }
}

impl ApiServer {
    /// Reads the in-cluster configuration: two variables, and the directory of the `ServiceAccount`.
    pub(super) fn in_cluster(directory: &Path) -> Result<Self> {
        let variable = |name: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.with_context(|| format!("{name} is not set: the API server is known in pods only"))
        };
        let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("cannot speak TLS")?
            .with_root_certificates(roots(&directory.join("ca.crt"))?)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("podutils/", env!("CARGO_PKG_VERSION")))
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .build()
            .context("cannot speak TLS")?;
        Ok(Self { base: format!("https://{host}:{port}"), token_file: directory.join("token"), http })
    }

    /// Sends a request; tries again when there is no answer or the server is busy.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, &Value)>,
    ) -> Result<Answer> {
        let mut pause = MIN_PAUSE;
        for _ in 1..MAX_ATTEMPTS {
            match self.attempt(method.clone(), path, body).await {
                Ok(answer)
                    if answer.status == StatusCode::TOO_MANY_REQUESTS || answer.status.is_server_error() => {}
                Ok(answer) => return Ok(answer),
                Err(error) if error.downcast_ref::<reqwest::Error>().is_none() => return Err(error),
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.attempt(method, path, body).await
    }

    async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, &Value)>,
    ) -> Result<Answer> {
        let token = std::fs::read_to_string(&self.token_file)
            .with_context(|| format!("cannot use the token file {}", self.token_file.display()))?;
        let Ok(mut authorization) = HeaderValue::try_from(format!("Bearer {}", token.trim())) else {
            bail!("{}: it holds characters that no token has", self.token_file.display());
        };
        authorization.set_sensitive(true);
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some((kind, body)) = body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(kind)).body(body.to_string());
        }
        let mut answer = request.send().await.context("the API server cannot be reached")?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.context("the API server's answer ended early")? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER_BYTES {
                bail!("the API server's answer is longer than 3 MiB");
            }
        }
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }
}

/// The certificates of the CA file, and no others.
fn roots(path: &Path) -> Result<RootCertStore> {
    let unusable = || format!("cannot use the CA file {}", path.display());
    let pem = std::fs::read(path).with_context(unusable)?;
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    let (usable, _) = roots.add_parsable_certificates(found);
    if usable == 0 {
        bail!("{}: it holds no certificate", unusable());
    }
    Ok(roots)
}
