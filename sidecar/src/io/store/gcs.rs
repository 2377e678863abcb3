//! Opens Google Cloud Storage (U-91).

use super::bucket::Bucket;
use super::failure::message;
use super::federation::Federation;
use super::gcs_file::{Account, CredentialsFile};
use super::google::{EmulatorBucket, GOOGLE, JsonApi};
use super::google_tokens::{Metadata, UserTokens};
use super::http::{Connector, Ended, Outcome, adopt, client_options, no_retries, with_call_context};
use super::remote::Json;
use super::tokens::Kept;
use super::variables::Variables;
use super::{StoreError, setup};
use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::client::HttpConnector;
use object_store::gcp::{GcpCredential, GcpCredentialProvider, GoogleCloudStorageBuilder};
use object_store::{ClientOptions, StaticCredentialProvider};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Opens a bucket; nothing is contacted yet.
pub(super) fn open(bucket: &str, credentials: Option<&Path>) -> Result<(Arc<dyn Bucket>, Json), StoreError> {
    open_with(bucket, credentials, Variables::of_process())
}

/// Reads every setting without opening a bucket.
pub(super) fn check_settings(credentials: Option<&Path>) -> Result<(), StoreError> {
    let variables = Variables::of_process();
    Connector::new(variables)?;
    match access(credentials, variables)? {
        Access::Account { account: Account::External(account), .. } => account.check(variables),
        Access::Emulator(_) | Access::Account { .. } | Access::Machine { .. } => Ok(()),
    }
}

/// Reads and checks a credentials file.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    CredentialsFile::read(OPTION, path).map(drop)
}

/// The option with a credentials file, and the variable of Google's own tools.
const OPTION: &str = "gcs_credentials_file";
const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// The file that `gcloud auth application-default login` writes, below the home directory.
const WELL_KNOWN: &str = ".config/gcloud/application_default_credentials.json";

/// The time for which a metadata server, which may be absent, is waited for.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// The way to a store, as its settings say.
enum Access {
    /// Emulators take requests without credentials, as the Go client sends them.
    Emulator(String),
    Account {
        source: String,
        account: Account,
        address: Option<String>,
    },
    Machine {
        hosts: [String; 2],
        address: Option<String>,
    },
}

fn access(credentials: Option<&Path>, variables: Variables<'_>) -> Result<Access, StoreError> {
    if let Some(url) = variables.get("STORAGE_EMULATOR_HOST")? {
        return Ok(Access::Emulator(url));
    }
    let variable = variables.get(VARIABLE)?.map(PathBuf::from);
    let named = credentials.map(|path| (OPTION, path.to_owned())).or(variable.map(|path| (VARIABLE, path)));
    if let Some((source, path)) = named {
        let CredentialsFile { account, address } = CredentialsFile::read(source, &path)?;
        let source = format!("{source} {:?}", path.display().to_string());
        return Ok(Access::Account { source, account, address });
    }
    // By this name gcloud knows private endpoints.
    let endpoint = variables.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE")?;
    if let Some(path) = variables.home().map(|home| home.join(WELL_KNOWN)).filter(|path| path.exists()) {
        let CredentialsFile { account, address } = CredentialsFile::read("gcloud's file", &path)?;
        let source = format!("gcloud's file {:?}", path.display().to_string());
        return Ok(Access::Account { source, account, address: endpoint.or(address) });
    }
    let name = variables.first(&["GCE_METADATA_HOST", "GCE_METADATA_ROOT"])?;
    let address = variables.get("GCE_METADATA_IP")?;
    let hosts = [
        name.unwrap_or_else(|| "metadata.google.internal".to_owned()),
        address.unwrap_or_else(|| "169.254.169.254".to_owned()),
    ];
    Ok(Access::Machine { hosts, address: endpoint })
}

fn open_with(
    bucket: &str,
    credentials: Option<&Path>,
    variables: Variables<'_>,
) -> Result<(Arc<dyn Bucket>, Json), StoreError> {
    // One, so that each client knows the tokens that another one has sent.
    let connector = Connector::new(variables)?;
    let (source, account, address) = match access(credentials, variables)? {
        Access::Emulator(url) => {
            let api = JsonApi::new(&url, bucket, anonymous(), &connector)?;
            return Ok((Arc::new(EmulatorBucket::new(api.clone())), Json { api, is_emulator: true }));
        }
        Access::Account { source, account, address } => (source, Ok(account), address),
        Access::Machine { hosts, address } => (format!("gs://{bucket}"), Err(hosts), address),
    };
    let fail = |error: object_store::Error| setup(format!("{source}: {error}"));
    let client = |options: ClientOptions| connector.connect(&options).map_err(fail);
    let is_plain = address.as_ref().is_some_and(|url| url.starts_with("http://"));
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_http_connector(connector.clone())
        .with_retry(no_retries())
        .with_client_options(client_options().with_allow_http(is_plain));
    if let Some(url) = &address {
        builder = builder.with_base_url(url);
    }
    let builder = match account {
        Ok(Account::Service(text)) => builder.with_service_account_key(text),
        Ok(Account::User(user)) => {
            let tokens = UserTokens { client: client(client_options())?, user };
            builder.with_credentials(Arc::new(Kept::new(tokens)))
        }
        Ok(Account::External(account)) => {
            builder.with_credentials(Arc::new(Federation::kept(*account, &connector)?))
        }
        Err(hosts) => {
            let options = client_options().with_allow_http(true).with_connect_timeout(METADATA_TIMEOUT);
            let tokens = Kept::new(Metadata { client: client(options)?, hosts });
            builder.with_credentials(Arc::new(OrAnonymous::new(Arc::new(tokens))))
        }
    };
    let store = builder.build().map_err(fail)?;
    let credentials = Arc::clone(store.credentials());
    let api = JsonApi::new(address.as_deref().unwrap_or(GOOGLE), bucket, credentials, &connector)?;
    Ok((Arc::new(store), Json { api, is_emulator: false }))
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
        for (host, url) in
            [("localhost:9000", "http://localhost:9000"), ("https://gcs.test/\n", "https://gcs.test")]
        {
            let variables = |name: &str| (name == "STORAGE_EMULATOR_HOST").then(|| host.into());
            let access = access(None, Variables::new(&variables)).expect("allowed");
            assert!(matches!(access, Access::Emulator(found) if found == url), "{host:?}");
        }
    }

    #[test]
    fn a_metadata_server_is_found_without_the_line_feed_of_its_variable() {
        let variables = |name: &str| (name.starts_with("GCE_METADATA_")).then(|| "host:1\n".into());
        let access = access(None, Variables::new(&variables)).expect("allowed");
        assert!(matches!(access, Access::Machine { hosts, .. } if hosts == ["host:1", "host:1"]));
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
        let host = |name: &str| (name == "STORAGE_EMULATOR_HOST").then(|| "localhost:1".into());
        let (_, json) = open_with("bucket", None, Variables::new(&host)).expect("opened");
        assert!(json.is_emulator);
        assert!(
            anonymous().get_credential().now_or_never().expect("at hand").expect("static").bearer.is_empty()
        );
    }
}
