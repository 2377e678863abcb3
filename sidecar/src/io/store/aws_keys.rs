//! Keys of AWS that are made from others: of a role that a profile names, of one that a
//! token vouches for, and of a container.
//!
//! The object store library gets some of them too, but takes a token's file as it is, and
//! panics over a line feed in it or in an answer.
//!
//! ```text
//! profile: role_arn ──source_profile──▶ role_arn ──▶ … ──▶ keys, container, or machine
//!          AssumeRole, signed with the keys of ──▶ the next, down to the last
//! ```

use super::error_text::element;
use super::http::{Connector, client_options, no_retries};
use super::profile::{KeySource, Role, RoleChain};
use super::tokens::{
    FORM, Kept, Token, TokenError, TokenSource, ask, check_token_file, form, header, parse, post, request,
    token_of_file,
};
use super::variables::Variables;
use super::{StoreError, setup};
use async_trait::async_trait;
use common::timestamp::Timestamp;
use object_store::StaticCredentialProvider;
use object_store::aws::{
    AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredential, AwsCredentialProvider,
};
use object_store::client::{HttpClient, HttpConnector, HttpRequest};
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::Arc;

/// Where ECS answers; its relative addresses are below it.
const ECS: &str = "http://169.254.170.2";

/// Hosts of ECS and EKS that are asked without TLS
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
const PLAIN_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// The file with a cluster's token for a role.
pub(super) const IDENTITY_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// The address of the token service.
const STS_ENDPOINT: &str = "AWS_ENDPOINT_URL_STS";

/// The addresses of a container's keys, and the file with the token for them.
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const CONTAINER_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Settings of a store, as far as keys concern it.
pub(super) struct Surroundings<'a> {
    pub(super) variables: Variables<'a>,
    pub(super) builder: &'a AmazonS3Builder,
    pub(super) connector: &'a Connector,
    /// The address for all services of the profile.
    pub(super) endpoint: Option<String>,
}

impl Surroundings<'_> {
    /// Returns the provider of keys that are got here; `None` where the library gets them.
    pub(super) fn provider(
        &self,
        roles: Option<RoleChain>,
    ) -> Result<Option<AwsCredentialProvider>, StoreError> {
        let Some(RoleChain { roles, last }) = roles else {
            let identity = self.web_identity()?;
            return if identity.is_some() { Ok(identity) } else { self.container() };
        };
        let mut keys: AwsCredentialProvider = match last {
            KeySource::Keys(keys) => Arc::new(StaticCredentialProvider::new(keys)),
            KeySource::Container => match self.container()? {
                Some(container) => container,
                None => of_library(self.builder.clone())?,
            },
            KeySource::Machine => self.machine()?,
        };
        let region = self.region();
        let url = self.variables.first(&[STS_ENDPOINT, "AWS_ENDPOINT_URL"])?;
        let url = url.or_else(|| self.endpoint.clone()).unwrap_or_else(|| sts_of(&region));
        for role in roles.into_iter().rev() {
            let (client, region) = (self.client(&url)?, region.clone());
            keys = Arc::new(Kept::new(AssumedRole { role, keys, url: url.clone(), region, client }));
        }
        Ok(Some(keys))
    }

    fn region(&self) -> String {
        let region = self.builder.get_config_value(&AmazonS3ConfigKey::Region);
        region.filter(|region| !region.is_empty()).unwrap_or_else(|| "us-east-1".to_owned())
    }

    /// The role for which a token of the cluster vouches.
    fn web_identity(&self) -> Result<Option<AwsCredentialProvider>, StoreError> {
        let (file, arn) = (self.variables.get(IDENTITY_FILE)?, self.variables.get("AWS_ROLE_ARN")?);
        let Some((file, arn)) = file.zip(arn) else { return Ok(None) };
        check_token_file(IDENTITY_FILE, &file)?;
        let session = self.variables.get("AWS_ROLE_SESSION_NAME")?;
        let session = session.unwrap_or_else(|| "WebIdentitySession".to_owned());
        let url = self.variables.get(STS_ENDPOINT)?.unwrap_or_else(|| sts_of(&self.region()));
        // The token is worth as much as the keys.
        if url.starts_with("http://") {
            return Err(StoreError::Setting(format!("{STS_ENDPOINT}: a web identity goes by https:// only")));
        }
        let client = self.client(&url)?;
        Ok(Some(Arc::new(Kept::new(WebIdentity { file, arn, session, url, client }))))
    }

    /// The role of a container.
    fn container(&self) -> Result<Option<AwsCredentialProvider>, StoreError> {
        let (variable, url) = match self.variables.get(RELATIVE)? {
            Some(path) => (RELATIVE, format!("{ECS}{path}")),
            None => match self.variables.get(FULL)? {
                Some(url) => (FULL, url),
                None => return Ok(None),
            },
        };
        if !may_get_token(&url) {
            return Err(StoreError::Setting(format!(
                "{variable}: allowed are https://, and http:// to this machine and to ECS and EKS"
            )));
        }
        let token = match self.variables.get(CONTAINER_FILE)? {
            Some(file) => {
                check_token_file(CONTAINER_FILE, &file)?;
                Some(ContainerToken::File(file))
            }
            None => self.variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")?.map(ContainerToken::Text),
        };
        let client = self.client(&url)?;
        Ok(Some(Arc::new(Kept::new(ContainerRole { url, token, client }))))
    }

    /// The role of the machine, whatever else there is.
    fn machine(&self) -> Result<AwsCredentialProvider, StoreError> {
        let mut builder =
            AmazonS3Builder::new().with_bucket_name("-").with_http_connector(self.connector.clone());
        for key in [AmazonS3ConfigKey::MetadataEndpoint, AmazonS3ConfigKey::ImdsV1Fallback] {
            if let Some(value) = self.builder.get_config_value(&key) {
                builder = builder.with_config(key, value);
            }
        }
        of_library(builder.with_client_options(client_options()).with_retry(no_retries()))
    }

    fn client(&self, url: &str) -> Result<HttpClient, StoreError> {
        let options = client_options().with_allow_http(url.starts_with("http://"));
        self.connector.connect(&options).map_err(|error| setup(error.to_string()))
    }
}

fn of_library(builder: AmazonS3Builder) -> Result<AwsCredentialProvider, StoreError> {
    let store = builder.build().map_err(|error| setup(format!("AWS profile: {error}")))?;
    Ok(Arc::clone(store.credentials()))
}

fn sts_of(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://sts.{region}.amazonaws.com{suffix}")
}

/// Returns whether the token, which is worth as much as the keys, may go there.
fn may_get_token(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return url.starts_with("https://") };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || PLAIN_HOSTS.contains(&host) || address.is_ok_and(|address| address.is_loopback())
}

/// A role, and the keys that may assume it
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
#[derive(Debug)]
struct AssumedRole {
    role: Role,
    keys: AwsCredentialProvider,
    url: String,
    region: String,
    client: HttpClient,
}

#[async_trait]
impl TokenSource for AssumedRole {
    type Credential = AwsCredential;

    fn store(&self) -> &'static str {
        "AWS STS"
    }

    async fn token(&self) -> Result<Token<AwsCredential>, TokenError> {
        let keys = self.keys.get_credential().await?;
        let mut pairs = vec![
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.role.arn),
            ("RoleSessionName", &self.role.session_name),
        ];
        pairs.extend(self.role.external_id.as_deref().map(|id| ("ExternalId", id)));
        pairs.extend(self.role.seconds.as_deref().map(|seconds| ("DurationSeconds", seconds)));
        let mut request = post(&self.url, FORM, form(&pairs))?;
        sign(&mut request, &keys, &self.region)?;
        assumed(&ask(&self.client, request).await?)
    }
}

/// Reads the keys in an answer of STS.
fn assumed(text: &str) -> Result<Token<AwsCredential>, TokenError> {
    let said = |name| element(text, name).map(str::to_owned).ok_or(TokenError::Malformed);
    let token = Some(said("SessionToken")?);
    credential(said("AccessKeyId")?, said("SecretAccessKey")?, token, &said("Expiration")?)
}

/// A role, and the file with the token for it
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>).
#[derive(Debug)]
struct WebIdentity {
    file: String,
    arn: String,
    session: String,
    url: String,
    client: HttpClient,
}

#[async_trait]
impl TokenSource for WebIdentity {
    type Credential = AwsCredential;

    fn store(&self) -> &'static str {
        "AWS STS"
    }

    async fn token(&self) -> Result<Token<AwsCredential>, TokenError> {
        let form = form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.arn),
            ("RoleSessionName", &self.session),
            ("WebIdentityToken", &token_of_file(IDENTITY_FILE, &self.file)?),
        ]);
        assumed(&ask(&self.client, post(&self.url, FORM, form)?).await?)
    }
}

/// The role of a container, for which most services want a token.
struct ContainerRole {
    url: String,
    token: Option<ContainerToken>,
    client: HttpClient,
}

/// The place of a container's token. That in a file changes.
enum ContainerToken {
    Text(String),
    File(String),
}

impl std::fmt::Debug for ContainerRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContainerRole").field("url", &self.url).finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenSource for ContainerRole {
    type Credential = AwsCredential;

    fn store(&self) -> &'static str {
        "AWS container"
    }

    async fn token(&self) -> Result<Token<AwsCredential>, TokenError> {
        let mut request = request("GET", &self.url, String::new())?;
        let token = match &self.token {
            Some(ContainerToken::Text(token)) => Some(token.clone()),
            Some(ContainerToken::File(path)) => Some(token_of_file(CONTAINER_FILE, path)?),
            None => None,
        };
        if let Some(token) = token {
            request.headers_mut().insert("authorization", header(&token)?);
        }
        let keys: HandedOut = parse(&ask(&self.client, request).await?)?;
        credential(keys.access_key_id, keys.secret_access_key, keys.token, &keys.expiration)
    }
}

/// Keys as the services of machines and containers hand them out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HandedOut {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    #[serde(default)]
    pub(super) token: Option<String>,
    #[serde(default)]
    expiration: String,
}

/// Refuses what could be in no header: it would end the program when it is used.
fn credential(
    key_id: String,
    secret_key: String,
    token: Option<String>,
    expiration: &str,
) -> Result<Token<AwsCredential>, TokenError> {
    let token = token.filter(|token| !token.is_empty());
    let is_usable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let ends: Timestamp = expiration.parse().map_err(|_| TokenError::Malformed)?;
    if [Some(&key_id), Some(&secret_key), token.as_ref()].into_iter().flatten().all(|text| is_usable(text)) {
        Ok(Token::until(AwsCredential { key_id, secret_key, token }, ends))
    } else {
        Err(TokenError::Malformed)
    }
}

/// Signs a request to the token service.
pub(super) fn sign(request: &mut HttpRequest, keys: &AwsCredential, region: &str) -> Result<(), TokenError> {
    header(keys.token.as_deref().unwrap_or_default())?;
    Ok(AwsAuthorizer::new(keys, "sts", region).try_authorize(request, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_to_this_machine_or_by_tls() {
        for url in [
            "https://keys.example.com/",
            "http://127.0.0.1:8080/x",
            "http://localhost/x",
            "http://[::1]:1/x",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
        ] {
            assert!(may_get_token(url), "{url}");
        }
        for url in
            ["http://keys.example.com/", "http://169.254.169.254/", "http://127.0.0.1@evil/", "ftp://x", "/x"]
        {
            assert!(!may_get_token(url), "{url}");
        }
    }

    #[test]
    fn keys_that_no_request_could_hold_are_refused() {
        let made = |secret: &str, token: &str, ends: &str| {
            credential("ID".to_owned(), secret.to_owned(), Some(token.to_owned()), ends).is_ok()
        };
        assert!(made("s", "t", "2099-01-01T00:00:00Z") && made("s", "", "2099-01-01T00:00:00Z"));
        assert!(!made("s", "t\n", "2099-01-01T00:00:00Z") && !made("", "t", "2099-01-01T00:00:00Z"));
        assert!(!made("s", "t", "soon"));
    }

    #[test]
    fn the_token_service_is_that_of_the_region() {
        assert_eq!(sts_of("eu-west-1"), "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(sts_of("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
    }
}
