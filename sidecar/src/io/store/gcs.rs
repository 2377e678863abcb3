//! Opens Google Cloud Storage (U-91).

use super::bucket::Bucket;
use super::failure::message;
use super::federation::{ExternalAccount, Federation};
use super::google::{EmulatorBucket, GOOGLE, JsonApi};
use super::http::{Connector, Ended, Outcome, adopt, client_options, no_retries, with_call_context};
use super::remote::Json;
use super::variables::Variables;
use super::{StoreError, setup};
use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::StaticCredentialProvider;
use object_store::gcp::{
    GcpCredential, GcpCredentialProvider, GoogleCloudStorage, GoogleCloudStorageBuilder,
};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Opens a bucket; nothing is contacted yet.
pub(super) fn open(bucket: &str, credentials: Option<&Path>) -> Result<(Arc<dyn Bucket>, Json), StoreError> {
    open_with(bucket, credentials, |name| std::env::var(name).ok())
}

fn open_with(
    bucket: &str,
    credentials: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(Arc<dyn Bucket>, Json), StoreError> {
    let variables = Variables::new(environment);
    // One, so that each client knows the tokens that another one has sent.
    let connector = Connector::default();
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_http_connector(connector.clone())
        .with_retry(no_retries());
    let options = |url: &str| client_options().with_allow_http(url.starts_with("http://"));
    let fail = |error: object_store::Error| setup(format!("gs://{bucket}: {error}"));
    if let Some(url) = variables.get("STORAGE_EMULATOR_HOST")?.map(|host| emulator_url(&host)) {
        // Emulators take requests without credentials, as the Go client sends them.
        let api = JsonApi::new(&url, bucket, anonymous(), &connector)?;
        return Ok((Arc::new(EmulatorBucket::new(api.clone())), Json { api, is_emulator: true }));
    }
    let variable = variables.get("GOOGLE_APPLICATION_CREDENTIALS")?.map(PathBuf::from);
    let file = credentials
        .map(|path| ("gcs_credentials_file", path.to_owned()))
        .or_else(|| variable.map(|path| ("GOOGLE_APPLICATION_CREDENTIALS", path)));
    if let Some((option, path)) = file {
        let text = path.display().to_string();
        let (kind, base_url) = examine(option, &path)?;
        let builder = builder.with_client_options(options(&base_url));
        let builder = if base_url.is_empty() { builder } else { builder.with_base_url(&base_url) };
        let built = match kind {
            CredentialsFile::ExternalAccount(account) => {
                builder.with_credentials(Arc::new(Federation::new(*account, &connector)?)).build()
            }
            CredentialsFile::ServiceAccount => builder.with_service_account_path(&text).build(),
            CredentialsFile::AuthorizedUser => builder.with_application_credentials(&text).build(),
        };
        let built = built.map_err(|error| setup(format!("{option} {text:?}: {error}")))?;
        let address = Some(base_url.as_str()).filter(|url| !url.is_empty());
        return with_json(built, bucket, address, &connector);
    }
    // By this name gcloud knows private endpoints.
    let endpoint = variables.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE")?;
    let endpoint = endpoint.as_deref().map(|url| url.trim_end_matches('/'));
    let builder = match endpoint {
        Some(url) => builder.with_base_url(url).with_client_options(options(url)),
        None => builder.with_client_options(client_options()),
    };
    // The first store is built for its chain of well-known file and metadata
    // server; the second one falls back to anonymous access.
    let chain = Arc::clone(builder.clone().build().map_err(fail)?.credentials());
    let built = builder.with_credentials(Arc::new(OrAnonymous::new(chain))).build().map_err(fail)?;
    with_json(built, bucket, endpoint, &connector)
}

/// Adds the JSON API, with the same credentials.
fn with_json(
    store: GoogleCloudStorage,
    bucket: &str,
    address: Option<&str>,
    connector: &Connector,
) -> Result<(Arc<dyn Bucket>, Json), StoreError> {
    let api = JsonApi::new(address.unwrap_or(GOOGLE), bucket, Arc::clone(store.credentials()), connector)?;
    Ok((Arc::new(store), Json { api, is_emulator: false }))
}

/// Reads and checks a credentials file.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    examine("gcs_credentials_file", path).map(|_| ())
}

/// A credentials file that can be used.
#[derive(Debug)]
enum CredentialsFile {
    ServiceAccount,
    AuthorizedUser,
    ExternalAccount(Box<ExternalAccount>),
}

/// Reads a credentials file; returns it with the store's address, empty where
/// the file names none.
fn examine(option: &str, path: &Path) -> Result<(CredentialsFile, String), StoreError> {
    #[derive(Deserialize)]
    struct Tagged {
        r#type: String,
        #[serde(default)]
        gcs_base_url: String,
    }
    let fail = |reason: String| setup(format!("{option} {:?}: {reason}", path.display().to_string()));
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let allowed = "allowed are files of the types service_account, authorized_user and external_account";
    let Tagged { r#type, gcs_base_url } = serde_json::from_str(&text)
        .map_err(|_| fail(format!("it is not a JSON object with a `type`; {allowed}")))?;
    match r#type.as_str() {
        "service_account" => Ok((CredentialsFile::ServiceAccount, gcs_base_url)),
        "authorized_user" => Ok((CredentialsFile::AuthorizedUser, gcs_base_url)),
        "external_account" => match ExternalAccount::parse(&text) {
            Ok(account) => Ok((CredentialsFile::ExternalAccount(Box::new(account)), gcs_base_url)),
            Err(error) => Err(fail(error.to_string())),
        },
        other => Err(fail(format!("credentials of type {other:?} are not supported; {allowed}"))),
    }
}

fn emulator_url(host: &str) -> String {
    let host = host.trim_end_matches('/');
    if host.contains("://") { host.to_owned() } else { format!("http://{host}") }
}

/// Returns credentials that the HTTP client leaves out of its requests.
fn anonymous() -> GcpCredentialProvider {
    Arc::new(StaticCredentialProvider::new(GcpCredential { bearer: String::new() }))
}

/// The time for which a metadata server that did not answer counts as absent:
/// asking it for every object would cost a second each.
const METADATA_RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// The default chain, with anonymous access where no metadata server answers.
/// Once the chain has returned a token, its failures are reported.
#[derive(Debug)]
struct OrAnonymous {
    chain: GcpCredentialProvider,
    state: Mutex<ChainState>,
}

#[derive(Clone, Copy, Debug)]
enum ChainState {
    Untried,
    Works,
    Silent { since: Instant },
}

impl OrAnonymous {
    fn new(chain: GcpCredentialProvider) -> Self {
        Self { chain, state: Mutex::new(ChainState::Untried) }
    }

    fn state(&self) -> MutexGuard<'_, ChainState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether asking the chain again would be in vain.
    fn is_silent(&self) -> bool {
        matches!(*self.state(), ChainState::Silent { since } if since.elapsed() < METADATA_RETRY_INTERVAL)
    }

    /// Notes that the chain did not answer; returns false when it did before.
    fn note_silence(&self, error: &object_store::Error, ended: &Ended) -> bool {
        let mut state = self.state();
        match *state {
            ChainState::Works => return false,
            ChainState::Silent { .. } => {}
            ChainState::Untried => {
                let error = message(error, ended);
                tracing::warn!(error, "No Google credentials were found, trying without any");
            }
        }
        *state = ChainState::Silent { since: Instant::now() };
        true
    }
}

#[async_trait]
impl CredentialProvider for OrAnonymous {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        if self.is_silent() {
            return anonymous().get_credential().await;
        }
        let (result, ended) = with_call_context(None, self.chain.get_credential()).await;
        match &result {
            Err(error)
                if matches!(ended.last, Some(Outcome::NoAnswer(_))) && self.note_silence(error, &ended) =>
            {
                return anonymous().get_credential().await;
            }
            Ok(_) => *self.state() = ChainState::Works,
            Err(_) => {}
        }
        adopt(ended);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::store::http::note;
    use futures::FutureExt;

    #[test]
    fn emulator_hosts_get_a_scheme() {
        assert_eq!(emulator_url("localhost:9000"), "http://localhost:9000");
        assert_eq!(emulator_url("https://gcs.test/"), "https://gcs.test");
    }

    #[tokio::test]
    async fn a_silent_metadata_server_means_no_credentials() {
        #[derive(Debug)]
        struct Silent(Mutex<usize>);
        #[async_trait]
        impl CredentialProvider for Silent {
            type Credential = GcpCredential;
            async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
                *self.0.lock().expect("not poisoned") += 1;
                note(Outcome::NoAnswer(object_store::client::HttpErrorKind::Connect));
                Err(object_store::Error::Generic { store: "GCS", source: "silent".into() })
            }
        }
        let chain = Arc::new(Silent(Mutex::new(0)));
        let provider = OrAnonymous::new(Arc::clone(&chain) as GcpCredentialProvider);
        for _ in 0..3 {
            assert_eq!(provider.get_credential().await.expect("anonymous").bearer, "");
        }
        assert_eq!(*chain.0.lock().expect("not poisoned"), 1, "asked once");
        *provider.state() = ChainState::Works;
        assert!(provider.get_credential().await.is_err());
    }

    #[test]
    fn an_emulator_is_told_by_its_variable() {
        let host = |name: &str| (name == "STORAGE_EMULATOR_HOST").then(|| "localhost:1".to_owned());
        let (_, json) = open_with("bucket", None, host).expect("opened");
        assert!(json.is_emulator);
        assert!(
            anonymous().get_credential().now_or_never().expect("at hand").expect("static").bearer.is_empty()
        );
    }

    #[test]
    fn a_credentials_file_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.json");
        std::fs::write(&path, r#"{"type":"impersonated_service_account"}"#).expect("written");
        let error = check(&path).expect_err("refused").to_string();
        assert!(error.contains("gcs_credentials_file") && error.contains("impersonated"), "{error}");
        std::fs::write(&path, r#"{"type":"external_account"}"#).expect("written");
        assert!(check(&path).expect_err("refused").to_string().contains("audience"));
        std::fs::write(&path, "private").expect("written");
        let error = check(&path).expect_err("refused").to_string();
        assert!(!error.contains("private"), "{error}");
        std::fs::write(&path, r#"{"type":"service_account"}"#).expect("written");
        assert!(matches!(examine("x", &path), Ok((CredentialsFile::ServiceAccount, _))));
        assert!(check(&dir.path().join("none")).is_err());
    }
}
