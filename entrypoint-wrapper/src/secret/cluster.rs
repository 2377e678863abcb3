//! The API server as Kubernetes tells a pod about it, and writing to it.

use super::response::{Failure, judge};
use crate::options::Lookup;
use anyhow::{Context, Result, bail};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// For the connection with its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Upper bound on what is read of an answer; a Secret of 1 MiB comes back as 1.4.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The API server's address, and the files with its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cluster {
    /// `https://host:port`.
    base: String,
    token_file: PathBuf,
    ca_file: PathBuf,
}

impl Cluster {
    /// Reads the in-cluster configuration and checks that its files can be used.
    ///
    pub(crate) fn load(env: Lookup<'_>, service_account_dir: &Path) -> Result<Self> {
        let host = part(env, "KUBERNETES_SERVICE_HOST")?;
        let port = part(env, "KUBERNETES_SERVICE_PORT")?;
        if !port.parse::<u16>().is_ok_and(|port| port > 0) {
            bail!("KUBERNETES_SERVICE_PORT is {port:?}; allowed are 1 to 65535");
        }
        let base = base(&host, &port);
        if reqwest::Url::parse(&base).is_err() {
            bail!("KUBERNETES_SERVICE_HOST is {host:?}; it must be a host name or an IP address");
        }
        let cluster = Self {
            base,
            token_file: service_account_dir.join("token"),
            ca_file: service_account_dir.join("ca.crt"),
        };
        cluster.roots()?;
        cluster.authorization()?;
        Ok(cluster)
    }

    /// A client for one update: memory for TLS is only taken while it is needed,
    /// and CA certificates that were replaced meanwhile count.
    pub(super) fn client(&self) -> Result<Client<'_>> {
        let unusable = "cannot speak TLS";
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context(unusable)?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("entrypoint-wrapper/", env!("CARGO_PKG_VERSION")))
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // An attempt never depends on a connection that may be dead by now.
            .pool_max_idle_per_host(0)
            .build()
            .context(unusable)?;
        Ok(Client { cluster: self, http })
    }

    /// The certificates of the CA file, and no others. One that cannot be used does
    /// not stand in the way of those that can.
    fn roots(&self) -> Result<RootCertStore> {
        let unusable = || format!("cannot use the CA file {}", self.ca_file.display());
        let pem = std::fs::read(&self.ca_file).with_context(unusable)?;
        let mut roots = RootCertStore::empty();
        let mut bad = None;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = match certificate {
                Ok(certificate) => roots.add(certificate).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            bad = added.err().or(bad);
        }
        if roots.is_empty() {
            bail!("{}: {}", unusable(), bad.unwrap_or_else(|| "it holds no certificate".to_owned()));
        }
        Ok(roots)
    }

    /// The header with the token as it is now: the kubelet replaces it.
    fn authorization(&self) -> Result<HeaderValue> {
        let unusable = || format!("cannot use the token file {}", self.token_file.display());
        let token = std::fs::read_to_string(&self.token_file).with_context(unusable)?;
        let token = token.trim();
        if token.is_empty() {
            bail!("{}: it is empty", unusable());
        }
        let Ok(mut header) = HeaderValue::try_from(format!("Bearer {token}")) else {
            bail!("{}: it holds characters that no token has", unusable());
        };
        header.set_sensitive(true);
        Ok(header)
    }
}

fn part(env: Lookup<'_>, name: &str) -> Result<String> {
    match env(name).filter(|value| !value.is_empty()) {
        Some(value) => Ok(value.to_string_lossy().into_owned()),
        None => bail!(
            "{name} is not set: the API server is unknown outside a pod; --mode=skip-kubeconfig and --dry-run do without"
        ),
    }
}

fn base(host: &str, port: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("https://[{host}]:{port}")
    } else {
        format!("https://{host}:{port}")
    }
}

/// A client of one API server.
#[derive(Debug)]
pub(super) struct Client<'a> {
    cluster: &'a Cluster,
    http: reqwest::Client,
}

impl Client<'_> {
    /// Replaces the object at `path` in one attempt of at most `limit`.
    pub(super) async fn put(
        &self,
        path: &str,
        document: &str,
        limit: Duration,
    ) -> std::result::Result<(), Failure> {
        // A token that is being replaced may be absent for a moment.
        let authorization = self
            .cluster
            .authorization()
            .map_err(|error| Failure::Transient { message: format!("{error:#}"), retry_after: None })?;
        let request = self
            .http
            .put(format!("{}{path}", self.cluster.base))
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .timeout(limit)
            .body(document.to_owned());
        let mut answer = request.send().await.map_err(|error| Failure::without_answer(&error))?;
        let status = answer.status();
        if status.is_success() {
            // The rest of the answer repeats what was sent.
            return Ok(());
        }
        let retry_after =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        // The status counts even when the explanation does not arrive.
        while let Ok(Some(chunk)) = answer.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= MAX_ANSWER_BYTES {
                break;
            }
        }
        judge(status, retry_after.as_deref(), &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn ipv6_hosts_are_put_in_brackets() {
        assert_eq!(base("10.0.0.1", "443"), "https://10.0.0.1:443");
        assert_eq!(base("kubernetes.default.svc", "6443"), "https://kubernetes.default.svc:6443");
        assert_eq!(base("fd00::1", "443"), "https://[fd00::1]:443");
        assert_eq!(base("[fd00::1]", "443"), "https://[fd00::1]:443");
    }

    #[test]
    fn w_3_8_each_part_that_is_missing_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let load = |host: &str, port: &str| {
            let env = |name: &str| match name {
                "KUBERNETES_SERVICE_HOST" => Some(OsString::from(host)),
                "KUBERNETES_SERVICE_PORT" => Some(OsString::from(port)),
                _ => None,
            };
            format!("{:#}", Cluster::load(&env, dir.path()).expect_err("incomplete"))
        };
        assert!(load("", "443").starts_with("KUBERNETES_SERVICE_HOST is not set"));
        assert!(load("10.0.0.1", "").starts_with("KUBERNETES_SERVICE_PORT is not set"));
        assert!(load("10.0.0.1", "0").starts_with("KUBERNETES_SERVICE_PORT is \"0\""));
        assert!(load("not a host", "443").starts_with("KUBERNETES_SERVICE_HOST is \"not a host\""));
        assert!(load("10.0.0.1", "443").contains("ca.crt"));
        std::fs::write(dir.path().join("ca.crt"), "no certificate").expect("written");
        assert!(load("10.0.0.1", "443").contains("holds no certificate"));
    }
}
