//! Google credentials of the type `external_account`: exchanges a token of another
//! identity provider for one of Google's (<https://google.aip.dev/auth/4117>),
//! which the object store library does not do.
//!
//! ```text
//! file or URL ──▶ subject token ──▶ token_url ──▶ [service_account_impersonation_url] ──▶ token
//! ```
//!
//! On AWS the subject token is a signed request ([`super::aws_identity`]). Deliberately
//! absent: tokens from programs, which would run inside sidecar.

use super::aws_identity::{AwsSource, of_environment};
use super::http::{Connector, client_options};
use super::tokens::{
    AccessToken, FORM, Kept, Token, TokenError, TokenSource, ask, form, header, parse, post, request, usable,
};
use super::variables::Variables;
use super::{StoreError, setup};
use async_trait::async_trait;
use common::timestamp::Timestamp;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::GcpCredential;
use reqwest::header::HeaderName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use thiserror::Error;

/// The scope of the token that writes objects.
const STORAGE_SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// The scope of a token that impersonates a service account.
const PLATFORM_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A credentials file of this type.
#[derive(Debug, Deserialize)]
pub(super) struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    #[serde(default)]
    service_account_impersonation_url: Option<String>,
    credential_source: CredentialSource,
}

/// Where the other provider's token comes from.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum CredentialSource {
    /// It is made from the keys of a role.
    Aws(AwsSource),
    Token(TokenPlace),
}

/// The place of the other provider's token.
#[derive(Debug, Deserialize)]
struct TokenPlace {
    #[serde(default)]
    file: Option<PathBuf>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Default, Deserialize)]
struct Format {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    subject_token_field_name: String,
}

/// The reason why a credentials file cannot be used, without its content.
#[derive(Debug, Error)]
pub(super) enum AccountError {
    /// A field is missing; serde names it.
    #[error("{0}")]
    MissingField(String),
    #[error("it is no external account")]
    NoAccount,
    #[error("its credential_source is not supported; allowed are `file`, `url` and AWS (`aws1`)")]
    UnsupportedSource,
}

impl ExternalAccount {
    /// Parses a credentials file.
    pub(super) fn parse(text: &str) -> Result<Self, AccountError> {
        let account: Self = serde_json::from_str(text).map_err(|error| {
            // A type error quotes the value, a missing field is named.
            let text = error.to_string();
            if text.starts_with("missing field") {
                AccountError::MissingField(text)
            } else {
                AccountError::NoAccount
            }
        })?;
        let is_usable = match &account.credential_source {
            CredentialSource::Aws(source) => source.is_known(),
            CredentialSource::Token(source) => source.file.is_some() || source.url.is_some(),
        };
        if is_usable { Ok(account) } else { Err(AccountError::UnsupportedSource) }
    }

    /// Reads the variables that its source needs.
    pub(super) fn check(&self, variables: Variables<'_>) -> Result<(), StoreError> {
        match &self.credential_source {
            CredentialSource::Aws(_) => of_environment(variables).map(drop),
            CredentialSource::Token(_) => Ok(()),
        }
    }

    /// Returns whether one of its addresses asks for plain HTTP.
    fn plain_http(&self) -> bool {
        let mut urls = vec![&self.token_url];
        urls.extend(&self.service_account_impersonation_url);
        match &self.credential_source {
            CredentialSource::Aws(source) => urls.extend(source.urls()),
            CredentialSource::Token(source) => urls.extend(&source.url),
        }
        urls.into_iter().any(|url| url.starts_with("http://"))
    }
}

/// The answer of `service_account_impersonation_url`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: Timestamp,
}

/// Fetches tokens.
#[derive(Debug)]
pub(super) struct Federation {
    account: ExternalAccount,
    client: HttpClient,
}

#[async_trait]
impl TokenSource for Federation {
    type Credential = GcpCredential;

    fn store(&self) -> &'static str {
        "GCS"
    }

    async fn token(&self) -> Result<Token<GcpCredential>, TokenError> {
        let account = &self.account;
        let impersonates = account.service_account_impersonation_url.is_some();
        let subject = self.subject_token().await?;
        let form = form(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", &account.audience),
            ("scope", if impersonates { PLATFORM_SCOPE } else { STORAGE_SCOPE }),
            ("subject_token_type", &account.subject_token_type),
            ("subject_token", &subject),
        ]);
        let request = post(&account.token_url, FORM, form)?;
        let (bearer, life) = parse::<AccessToken>(&ask(&self.client, request).await?)?.into_bearer()?;
        match &account.service_account_impersonation_url {
            None => Ok(Token::new(GcpCredential { bearer }, life)),
            Some(url) => self.impersonate(url, &bearer).await,
        }
    }
}

impl Federation {
    pub(super) fn kept(
        account: ExternalAccount,
        connector: &Connector,
    ) -> Result<Kept<GcpCredential>, StoreError> {
        let options = client_options().with_allow_http(account.plain_http());
        let client = connector.connect(&options).map_err(|error| setup(error.to_string()))?;
        Ok(Kept::new(Self { account, client }))
    }

    async fn subject_token(&self) -> Result<String, TokenError> {
        let source = match &self.account.credential_source {
            CredentialSource::Aws(aws) => {
                return aws.subject_token(&self.account.audience, &self.client).await;
            }
            CredentialSource::Token(source) => source,
        };
        let text = match (&source.file, &source.url) {
            (Some(path), _) => std::fs::read_to_string(path)
                .map_err(|error| TokenError::File { path: path.display().to_string(), error })?,
            (None, Some(url)) => {
                let mut request = request("GET", url, String::new())?;
                for (name, value) in &source.headers {
                    let name = HeaderName::from_bytes(name.as_bytes())
                        .map_err(|_| TokenError::HeaderName(name.clone()))?;
                    request.headers_mut().insert(name, header(value)?);
                }
                ask(&self.client, request).await?
            }
            (None, None) => return Err(TokenError::NoSource),
        };
        if source.format.r#type != "json" {
            return Ok(text.trim().to_owned());
        }
        let members: BTreeMap<String, serde_json::Value> = parse(&text)?;
        let field = &source.format.subject_token_field_name;
        let token = members.get(field).and_then(serde_json::Value::as_str);
        token.map(|token| token.trim().to_owned()).ok_or_else(|| TokenError::NoField(field.clone()))
    }

    async fn impersonate(&self, url: &str, bearer: &str) -> Result<Token<GcpCredential>, TokenError> {
        let body = format!(r#"{{"scope":["{STORAGE_SCOPE}"],"lifetime":"3600s"}}"#);
        let mut request = post(url, "application/json", body)?;
        request.headers_mut().insert("authorization", header(&format!("Bearer {bearer}"))?);
        let Impersonated { access_token, expire_time } = parse(&ask(&self.client, request).await?)?;
        Ok(Token::until(GcpCredential { bearer: usable(access_token)? }, expire_time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_that_cannot_be_used_are_named() {
        let text = |source: &str| {
            format!(
                r#"{{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"https://x","credential_source":{source}}}"#
            )
        };
        assert!(ExternalAccount::parse(&text(r#"{"file":"/token"}"#)).is_ok());
        let aws = r#"{"environment_id":"aws1","regional_cred_verification_url":"https://sts.{region}.x"}"#;
        assert!(ExternalAccount::parse(&text(aws)).is_ok());
        assert!(ExternalAccount::parse(&text(&aws.replace("aws1", "aws2"))).is_err());
        let error = ExternalAccount::parse(&text(r#"{"executable":{"command":"x"}}"#)).expect_err("refused");
        assert!(error.to_string().contains("allowed are `file`, `url` and AWS"), "{error}");
        let error = ExternalAccount::parse(r#"{"audience":"a"}"#).expect_err("refused");
        assert!(error.to_string().contains("missing field"), "{error}");
    }
}
