//! Builds HTTP clients: trust roots, time limits, proxies.
//!
//! The client is reqwest's, built here and not by the object store library, which
//! follows redirects: a store could send a request, with the token or signature that
//! it carries, to any other host.
//!
//! Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`. reqwest
//! would read them too, and ignore one that ends with a line feed.

use super::Observer;
use super::own_credentials::{Credentials, Tokens};
use crate::io::store::variables::Variables;
use crate::io::store::{StoreError, install_tls, setup};
use common::duration::GoDuration;
use object_store::client::{HttpClient, HttpConnector};
use object_store::{ClientConfigKey, ClientOptions, RetryConfig};
use reqwest::{Certificate, NoProxy, Proxy, redirect};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bound on any request: assembling a large object can take minutes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>).
pub(super) const MAX_REQUEST_TIMEOUT: Duration = Duration::from_mins(5);

/// A store that does not complete the handshake in this time is unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the settings that every client starts from.
pub(in crate::io::store) fn client_options() -> ClientOptions {
    ClientOptions::new().with_timeout(MAX_REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT)
}

/// Turns the library's retries off: only the caller knows how much time is left.
pub(in crate::io::store) fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// Builds clients that record the outcomes of their requests. Those with equal settings are
/// one, so that they share its connections.
#[derive(Clone, Debug, Default)]
pub(in crate::io::store) struct Connector {
    roots: Option<Arc<[Certificate]>>,
    proxies: Arc<[Proxy]>,
    credentials: Credentials,
    tokens: Tokens,
    clients: Arc<Mutex<Vec<(Settings, HttpClient)>>>,
}

/// The options in which clients differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    connect_timeout: Duration,
    allows_http: bool,
    allows_invalid_certificates: bool,
}

impl Settings {
    fn of(options: &ClientOptions) -> Self {
        let is_set = |key| options.get_config_value(&key).is_some_and(|value| value == "true");
        // The library has its own time limit for metadata servers, which may be absent.
        let connect_timeout = options.get_config_value(&ClientConfigKey::ConnectTimeout);
        let connect_timeout = connect_timeout.and_then(|text| text.parse::<GoDuration>().ok());
        Self {
            connect_timeout: connect_timeout.map_or(CONNECT_TIMEOUT, GoDuration::as_std),
            allows_http: is_set(ClientConfigKey::AllowHttp),
            allows_invalid_certificates: is_set(ClientConfigKey::AllowInvalidCertificates),
        }
    }
}

impl Connector {
    /// Builds clients as an environment says.
    pub(in crate::io::store) fn new(variables: Variables<'_>) -> Result<Self, StoreError> {
        // What verifies certificates reads them.
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            variables.require_clean(name)?;
        }
        Ok(Self { proxies: proxies(variables)?.into(), ..Self::default() })
    }

    /// Trusts the certificates of a file only, as `AWS_CA_BUNDLE` says.
    pub(in crate::io::store) fn with_roots(self, source: &str, file: &Path) -> Result<Self, StoreError> {
        let fail = |reason: &dyn std::fmt::Display| {
            setup(format!("{source} {:?}: {reason}", file.display().to_string()))
        };
        let text = std::fs::read(file).map_err(|error| fail(&error))?;
        let roots =
            Certificate::from_pem_bundle(&text).map_err(|_| fail(&"it holds no certificates in PEM"))?;
        if roots.is_empty() {
            return Err(fail(&"it holds no certificates in PEM"));
        }
        Ok(Self { roots: Some(roots.into()), clients: Arc::default(), ..self })
    }

    /// Masks these values in what servers answer.
    pub(in crate::io::store) fn with_credentials(self, values: impl IntoIterator<Item = String>) -> Self {
        let credentials = values.into_iter().collect();
        Self { credentials, clients: Arc::default(), ..self }
    }
}

impl Connector {
    fn builder(&self, settings: Settings) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("pod-utils/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            // Other crates may have enabled them; they would change the bytes and the length.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .timeout(MAX_REQUEST_TIMEOUT)
            .connect_timeout(settings.connect_timeout)
            .http1_only()
            .tls_danger_accept_invalid_certs(settings.allows_invalid_certificates)
            .https_only(!settings.allows_http)
            .no_proxy();
        self.proxies.iter().cloned().fold(builder, reqwest::ClientBuilder::proxy)
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let settings = Settings::of(options);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == settings) {
            return Ok(client.clone());
        }
        // Building a client without a provider panics: do not rely on the caller.
        install_tls();
        let client = match &self.roots {
            Some(roots) => self.builder(settings).tls_certs_only(roots.iter().cloned()).build(),
            None => self.builder(settings).build().or_else(|_| {
                // Images built from scratch have no trust roots: use the bundled ones.
                self.builder(settings).tls_certs_only(bundled_roots()?).build()
            }),
        };
        let client = client.map_err(|error| object_store::Error::Generic {
            store: "HTTP client",
            source: Box::new(error),
        })?;
        let observer = Observer::new(HttpClient::new(client), self.credentials.clone(), self.tokens.clone());
        let client = HttpClient::new(observer);
        clients.push((settings, client.clone()));
        Ok(client)
    }
}

/// Makes a proxy for some addresses, or for all.
type Kind = fn(String) -> reqwest::Result<Proxy>;

/// Reads the proxies of an environment by the rules of curl, as most programs do.
fn proxies(variables: Variables<'_>) -> Result<Vec<Proxy>, StoreError> {
    // There a client can set HTTP_PROXY, by a header (<https://httpoxy.org/>).
    if variables.is_set("REQUEST_METHOD") {
        return Ok(Vec::new());
    }
    let excepted = variables.first(&["NO_PROXY", "no_proxy"])?;
    let excepted = NoProxy::from_string(&excepted.unwrap_or_default());
    let kinds: [([&str; 2], Kind); 3] = [
        (["HTTP_PROXY", "http_proxy"], Proxy::http),
        (["HTTPS_PROXY", "https_proxy"], Proxy::https),
        (["ALL_PROXY", "all_proxy"], Proxy::all),
    ];
    let mut proxies = Vec::new();
    for (names, proxy) in kinds {
        let Some(url) = variables.first(&names)? else { continue };
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        let proxy = proxy(url).map_err(|_| {
            StoreError::Setting(format!("{}: it is no address of a proxy", names.join(" or ")))
        })?;
        proxies.push(proxy.no_proxy(excepted.clone()));
    }
    Ok(proxies)
}

/// Returns the roots that sidecar brings along.
pub(in crate::io) fn bundled_roots() -> reqwest::Result<Vec<Certificate>> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn proxies_of_the_environment_count_with_white_space_around_them() {
        let found = |variables: &[(&str, &str)]| {
            let environment = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            };
            proxies(Variables::new(&environment)).map(|found| found.len()).map_err(|error| error.to_string())
        };
        assert_eq!(found(&[("HTTP_PROXY", "http://proxy:3128\n"), ("no_proxy", "a, b\n")]), Ok(1));
        assert_eq!(found(&[("https_proxy", "proxy:3128"), ("ALL_PROXY", "socks5://user:pass@proxy")]), Ok(2));
        assert_eq!(found(&[("HTTP_PROXY", "http://proxy"), ("REQUEST_METHOD", "GET")]), Ok(0));
        assert_eq!(found(&[("HTTP_PROXY", " \n")]), Ok(0));
        for wrong in ["http://hun\nter", "http://hunter:99999", "http://hun ter"] {
            let error = found(&[("http_proxy", wrong)]).expect_err("refused");
            assert!(error.contains("http_proxy") && !error.contains("hun"), "{error}");
        }
        assert!(found(&[("NO_PROXY", "hun\u{1}ter")]).is_err());
    }

    #[test]
    fn clients_with_equal_settings_are_one() {
        let connector = Connector::default();
        let open = |options: &ClientOptions| {
            connector.clone().connect(options).expect("a client");
            connector.clients.lock().expect("not poisoned").len()
        };
        assert_eq!(open(&client_options()), 1);
        assert_eq!(open(&client_options()), 1);
        assert_eq!(open(&client_options().with_allow_http(true)), 2);
        assert_eq!(open(&client_options().with_allow_invalid_certificates(true)), 3);
        assert_eq!(open(&client_options()), 3);
    }
}
