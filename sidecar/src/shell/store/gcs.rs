//! Opening Google Cloud Storage (U-91).

use super::http::{Connector, Outcome, client_options, note, observed};
use super::s3::no_retries;
use super::{StoreError, setup};
use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::StaticCredentialProvider;
use object_store::gcp::{
    GcpCredential, GcpCredentialProvider, GoogleCloudStorage, GoogleCloudStorageBuilder,
};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Opens a bucket; nothing is contacted yet.
pub(super) fn open(bucket: &str, credentials: Option<&Path>) -> Result<GoogleCloudStorage, StoreError> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let options = client_options();
    let emulator = set("STORAGE_EMULATOR_HOST").map(|host| emulator_url(&host));
    let options = match &emulator {
        Some(url) => options.with_allow_http(url.starts_with("http://")),
        None => options,
    };
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_http_connector(Connector)
        .with_retry(no_retries())
        .with_client_options(options);
    let fail = |error: object_store::Error| setup(format!("gs://{bucket}: {error}"));
    if let Some(url) = emulator {
        // Emulators take requests without credentials, as the Go client sends them.
        return builder.with_base_url(&url).with_credentials(anonymous()).build().map_err(fail);
    }
    let variable = || set("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
    let file = credentials
        .map(|path| ("gcs_credentials_file", path.to_owned()))
        .or_else(|| variable().map(|path| ("GOOGLE_APPLICATION_CREDENTIALS", path)));
    if let Some((option, path)) = file {
        let text = path.display().to_string();
        let built = match kind(option, &path)? {
            Kind::ServiceAccount => builder.with_service_account_path(&text).build(),
            Kind::AuthorizedUser => builder.with_application_credentials(&text).build(),
        };
        return built.map_err(|error| setup(format!("{option} {text:?}: {error}")));
    }
    // Built once to get the chain of well-known file and metadata server,
    // and once more with that chain able to end without credentials.
    let chain = Arc::clone(builder.clone().build().map_err(fail)?.credentials());
    let provider = OrAnonymous { chain, told: AtomicBool::new(false) };
    builder.with_credentials(Arc::new(provider)).build().map_err(fail)
}

/// Reads and checks a credentials file.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    kind("gcs_credentials_file", path).map(|_| ())
}

/// The kinds of credentials files that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ServiceAccount,
    AuthorizedUser,
}

fn kind(option: &str, path: &Path) -> Result<Kind, StoreError> {
    #[derive(Deserialize)]
    struct Tagged {
        r#type: String,
    }
    let fail = |reason: String| setup(format!("{option} {:?}: {reason}", path.display().to_string()));
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let allowed = "allowed are files of the types service_account and authorized_user";
    let Tagged { r#type } = serde_json::from_str(&text)
        .map_err(|_| fail(format!("it is not a JSON object with a `type`; {allowed}")))?;
    match r#type.as_str() {
        "service_account" => Ok(Kind::ServiceAccount),
        "authorized_user" => Ok(Kind::AuthorizedUser),
        other => Err(fail(format!("credentials of type {other:?} are not supported; {allowed}"))),
    }
}

fn emulator_url(host: &str) -> String {
    let host = host.trim_end_matches('/');
    if host.contains("://") { host.to_owned() } else { format!("http://{host}") }
}

/// Credentials that the HTTP client leaves out.
fn anonymous() -> GcpCredentialProvider {
    Arc::new(StaticCredentialProvider::new(GcpCredential { bearer: String::new() }))
}

/// The default chain, ending in access without credentials where no metadata
/// server answers.
#[derive(Debug)]
struct OrAnonymous {
    chain: GcpCredentialProvider,
    told: AtomicBool,
}

#[async_trait]
impl CredentialProvider for OrAnonymous {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let (result, last) = observed(None, self.chain.get_credential()).await;
        match (result, last) {
            (Err(error), Some(Outcome::NoAnswer(_))) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "No Google credentials were found, trying without any");
                }
                anonymous().get_credential().await
            }
            (result, last) => {
                last.into_iter().for_each(note);
                result
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulator_hosts_get_a_scheme() {
        assert_eq!(emulator_url("localhost:9000"), "http://localhost:9000");
        assert_eq!(emulator_url("https://gcs.test/"), "https://gcs.test");
    }

    #[test]
    fn a_credentials_file_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.json");
        std::fs::write(&path, r#"{"type":"external_account"}"#).expect("written");
        let error = check(&path).expect_err("refused").to_string();
        assert!(error.contains("gcs_credentials_file") && error.contains("external_account"), "{error}");
        std::fs::write(&path, "private").expect("written");
        let error = check(&path).expect_err("refused").to_string();
        assert!(!error.contains("private"), "{error}");
        std::fs::write(&path, r#"{"type":"service_account"}"#).expect("written");
        assert_eq!(kind("x", &path), Ok(Kind::ServiceAccount));
        assert!(check(&dir.path().join("none")).is_err());
    }
}
