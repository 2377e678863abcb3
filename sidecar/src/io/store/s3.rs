//! Opens S3 and compatible stores (U-92, U-93).

use super::aws_keys::{IDENTITY_FILE, Surroundings};
use super::clients::Clients;
use super::failure::message;
use super::http::{Connector, Outcome, adopt, client_options, no_retries, with_call_context};
use super::profile::Profile;
use super::s3_address::Address;
use super::s3_clients::{self, wants_checksums};
use super::setting::{Kind, checked};
use super::variables::Variables;
use super::{StoreError, setup};
use async_trait::async_trait;
use object_store::aws::{
    AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider, S3ConditionalPut,
};
use object_store::{CredentialProvider, StaticCredentialProvider};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroize;

/// The file of U-92. Absent keys and empty values mean the same.
#[derive(Default, Deserialize)]
struct CredentialsFile {
    #[serde(default)]
    region: String,
    #[serde(default)]
    endpoint: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    s3_force_path_style: bool,
    #[serde(default)]
    access_key: String,
    #[serde(default)]
    secret_key: String,
    #[serde(default)]
    session_token: String,
}

impl CredentialsFile {
    fn clean(&mut self, path: &Path) -> Result<(), StoreError> {
        let values = [
            ("region", Kind::Label, &mut self.region),
            ("endpoint", Kind::Base("https"), &mut self.endpoint),
            ("access_key", Kind::Text, &mut self.access_key),
            ("secret_key", Kind::Text, &mut self.secret_key),
            ("session_token", Kind::Text, &mut self.session_token),
        ];
        for (key, kind, value) in values {
            let source = format!("s3_credentials_file {:?}: {key}", path.display().to_string());
            let clean = checked(&source, kind, value)?;
            value.zeroize();
            *value = clean;
        }
        Ok(())
    }
}

impl Drop for CredentialsFile {
    fn drop(&mut self) {
        self.secret_key.zeroize();
        self.session_token.zeroize();
    }
}

/// Opens a bucket; nothing is contacted yet.
pub(super) fn open(bucket: &str, credentials: Option<&Path>) -> Result<Clients, StoreError> {
    let file = credentials.map(load).transpose()?.unwrap_or_default();
    let variables = Variables::of_process();
    let Settings { builder, has_keys, wants_checksums } = settings(bucket, &file, variables)?;
    let fail = |error: object_store::Error| setup(format!("s3://{bucket}: {error}"));
    let mut store = builder.clone().build().map_err(fail)?;
    if !has_keys && is_last_resort(&builder, variables) {
        let chain = Arc::clone(store.credentials());
        store = builder.clone().with_credentials(Arc::new(LastResort { chain })).build().map_err(fail)?;
    }
    if wants_checksums {
        s3_clients::beside(store, builder).map_err(fail)
    } else {
        Ok(Clients::new(Arc::new(store)))
    }
}

/// Returns whether only the machine's own role is left as a source of keys, and nobody
/// said that there is one.
fn is_last_resort(builder: &AmazonS3Builder, variables: Variables<'_>) -> bool {
    use AmazonS3ConfigKey as Key;
    let keys = [
        Key::AccessKeyId,
        Key::WebIdentityTokenFile,
        Key::ContainerCredentialsRelativeUri,
        Key::ContainerCredentialsFullUri,
        Key::MetadataEndpoint,
    ];
    let is_set = |text: Option<String>| text.is_some_and(|text| !text.is_empty());
    let skips = builder.get_config_value(&Key::SkipSignature).is_some_and(|value| value == "true");
    !skips
        && !keys.into_iter().any(|key| is_set(builder.get_config_value(&key)))
        && !variables.is_set("AWS_EC2_METADATA_SERVICE_ENDPOINT")
}

/// The role of the machine, which is asked where no other source of keys was named.
#[derive(Debug)]
struct LastResort {
    chain: AwsCredentialProvider,
}

#[async_trait]
impl CredentialProvider for LastResort {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let (result, mut ended) = with_call_context(None, self.chain.get_credential()).await;
        let error = match result {
            Ok(credential) => return Ok(credential),
            Err(error) => error,
        };
        // Without an answer no later attempt can succeed: nobody is there.
        ended.last = ended.last.take().filter(|last| matches!(last, Outcome::Answered { .. }));
        let text = format!(
            "no credentials were found; looked at s3_credentials_file, AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE \
             with AWS_ROLE_ARN, the profile, AWS_CONTAINER_CREDENTIALS_…_URI, and the role of the machine: {}",
            message(&error, &ended)
        );
        adopt(ended);
        Err(object_store::Error::Generic { store: "S3", source: text.into() })
    }
}

/// Reads every setting without opening the bucket.
pub(super) fn check_settings(bucket: &str, credentials: Option<&Path>) -> Result<(), StoreError> {
    let file = credentials.map(load).transpose()?.unwrap_or_default();
    settings(bucket, &file, Variables::of_process()).map(drop)
}

/// Reads and checks a credentials file.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    load(path).map(drop)
}

fn load(path: &Path) -> Result<CredentialsFile, StoreError> {
    let fail = |reason: &dyn std::fmt::Display| {
        setup(format!("s3_credentials_file {:?}: {reason}", path.display().to_string()))
    };
    let mut text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
    let parsed = if text.trim().is_empty() {
        Ok(CredentialsFile::default())
    } else {
        // The message gives the error's position, not its text: that might quote a key.
        serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            fail(&format!("it is not a JSON object of strings and booleans (line {line}, column {column})"))
        })
    };
    text.zeroize();
    let mut file = parsed?;
    file.clean(path)?;
    Ok(file)
}

/// The settings of a bucket from all their sources.
struct Settings {
    builder: AmazonS3Builder,
    /// It has keys, or a source of them, that the library did not find.
    has_keys: bool,
    wants_checksums: bool,
}

fn settings(bucket: &str, file: &CredentialsFile, variables: Variables<'_>) -> Result<Settings, StoreError> {
    let mut options = client_options();
    if file.insecure {
        options = options.with_allow_invalid_certificates(true);
    }
    let mut builder = of_process_environment(variables)?
        .with_bucket_name(bucket)
        .with_retry(no_retries())
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    let has_static = !file.access_key.is_empty() && !file.secret_key.is_empty();
    let has_key = variables.get("AWS_ACCESS_KEY_ID")?.is_some();
    let from_environment =
        has_key || (variables.get(IDENTITY_FILE)?.is_some() && variables.get("AWS_ROLE_ARN")?.is_some());
    let profile = Profile::load(variables)?;
    let roles = if has_static || from_environment { None } else { profile.roles(variables)? };
    let fixed = if has_static {
        Some((file.access_key.as_str(), file.secret_key.as_str(), file.session_token.as_str()))
    } else if from_environment || roles.is_some() {
        None
    } else {
        profile.keys()?
    };
    if let Some(keys) = fixed {
        builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(credential(keys))));
    }
    let region = Some(file.region.clone())
        .filter(|region| !region.is_empty())
        .or(variables.first(&["AWS_REGION", "AWS_DEFAULT_REGION"])?)
        .or_else(|| profile.region());
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    let endpoint = Some(file.endpoint.clone())
        .filter(|endpoint| !endpoint.is_empty())
        .or(variables.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])?)
        .or_else(|| profile.endpoint());
    let address = Address::of(bucket, endpoint.as_deref(), file.s3_force_path_style)?;
    if let Some(endpoint) = address.endpoint {
        options = options.with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    let wants_checksums = wants_checksums(variables, &profile)?;
    let connector = connector(&builder, fixed, &profile, variables)?;
    let builder = builder
        .with_virtual_hosted_style_request(address.virtual_hosted)
        .with_client_options(options)
        .with_http_connector(connector.clone());
    if fixed.is_some() || has_key {
        return Ok(Settings { builder, has_keys: fixed.is_some(), wants_checksums });
    }
    let surroundings =
        Surroundings { variables, builder: &builder, connector: &connector, endpoint: profile.endpoint() };
    match surroundings.provider(roles)? {
        Some(keys) => {
            let builder = builder.with_credentials(keys);
            Ok(Settings { builder, has_keys: true, wants_checksums })
        }
        None => Ok(Settings { builder, has_keys: false, wants_checksums }),
    }
}

/// Returns the connector with the trust that SDKs of AWS have
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>, `ca_bundle`).
fn connector(
    builder: &AmazonS3Builder,
    fixed: Option<Keys<'_>>,
    profile: &Profile,
    variables: Variables<'_>,
) -> Result<Connector, StoreError> {
    let configured = [AmazonS3ConfigKey::SecretAccessKey, AmazonS3ConfigKey::Token];
    let configured = configured.iter().filter_map(|key| builder.get_config_value(key));
    let fixed = fixed.into_iter().flat_map(|(_, secret, token)| [secret.to_owned(), token.to_owned()]);
    let connector = Connector::new(variables)?.with_credentials(configured.chain(fixed));
    match (variables.get("AWS_CA_BUNDLE")?, profile.ca_bundle()) {
        (Some(file), _) => connector.with_roots("AWS_CA_BUNDLE", Path::new(&file)),
        (None, Some(file)) => connector.with_roots("AWS profile: ca_bundle", Path::new(&file)),
        (None, None) => Ok(connector),
    }
}

/// Access key, secret key and session token, which is often empty.
type Keys<'a> = (&'a str, &'a str, &'a str);

/// Applies the variables that the library knows, as its own `from_env` does, but
/// cleaned.
fn of_process_environment(variables: Variables<'_>) -> Result<AmazonS3Builder, StoreError> {
    let mut builder = AmazonS3Builder::new();
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| name.starts_with("AWS_")) {
        let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else { continue };
        if let Some(value) = variables.get(&name)? {
            builder = builder.with_config(key, value);
        }
    }
    Ok(builder)
}

/// Builds a credential of exactly these: the environment's session token belongs
/// to the environment's key.
fn credential((id, secret, token): Keys<'_>) -> AwsCredential {
    AwsCredential {
        key_id: id.to_owned(),
        secret_key: secret.to_owned(),
        token: Some(token.to_owned()).filter(|token| !token.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn v_su_8_every_key_of_the_credentials_file_applies() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("credentials");
        std::fs::write(
            &path,
            r#"{"region":"eu01","endpoint":"https://foobar.com","insecure":true,"s3_force_path_style":true,
                "access_key":"access","secret_key":"secret"}"#,
        )
        .expect("written");
        let file = load(&path).expect("loaded");
        assert!(file.insecure);
        let Settings { builder, .. } = settings("bucket", &file, Variables::new(&|_| None)).expect("built");
        let value = |key| builder.get_config_value(&key);
        assert_eq!(value(AmazonS3ConfigKey::Region).as_deref(), Some("eu01"));
        assert_eq!(value(AmazonS3ConfigKey::S3Endpoint).as_deref(), Some("https://foobar.com"));
        let store = builder.clone().build().expect("built");
        let credential =
            store.credentials().get_credential().now_or_never().expect("at hand").expect("static");
        assert_eq!((credential.key_id.as_str(), credential.secret_key.as_str()), ("access", "secret"));
        assert_eq!(credential.token, None);
        assert_eq!(value(AmazonS3ConfigKey::VirtualHostedStyleRequest).as_deref(), Some("false"));
        let insecure = object_store::ClientConfigKey::AllowInvalidCertificates;
        assert_eq!(value(AmazonS3ConfigKey::Client(insecure)).as_deref(), Some("true"));
    }

    #[test]
    fn a_malformed_file_is_one_line_without_its_content() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("credentials");
        std::fs::write(&path, r#"{"access_key": hunter2}"#).expect("written");
        let error = check(&path).expect_err("refused").to_string();
        assert!(error.contains("s3_credentials_file") && !error.contains("hunter2"), "{error}");
        std::fs::write(&path, " \n").expect("written");
        assert!(check(&path).is_ok());
        assert!(check(&dir.path().join("none")).is_err());
    }
}
