//! Google credentials of the type `external_account`: exchanges a token of another
//! identity provider for one of Google's (<https://google.aip.dev/auth/4117>),
//! which the object store library does not do.
//!
//! ```text
//! file or URL ──▶ subject token ──▶ token_url ──▶ [service_account_impersonation_url] ──▶ token
//! ```
//!
//! Deliberately absent: tokens from AWS metadata, for which Google has a service
//! of its own, and tokens from programs, which would run inside sidecar.

use super::http::{Connector, client_options};
use super::{StoreError, setup};
use async_trait::async_trait;
use common::timestamp::Timestamp;
use object_store::client::{HttpClient, HttpConnector, HttpRequest};
use object_store::gcp::GcpCredential;
use object_store::{CredentialProvider, HeaderValue};
use reqwest::header::HeaderName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::Mutex;

/// The scope of the token that writes objects.
const STORAGE_SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// The scope of a token that impersonates a service account.
const PLATFORM_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The time before its end at which a token is renewed; half of its life, if that
/// is shorter.
const RENEW_BEFORE: Duration = Duration::from_mins(5);

/// A credentials file of this type.
#[derive(Debug, Deserialize)]
pub(super) struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    #[serde(default)]
    service_account_impersonation_url: Option<String>,
    credential_source: TokenSource,
}

/// The place of the other provider's token.
#[derive(Debug, Deserialize)]
struct TokenSource {
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
    #[error("its credential_source is not supported; allowed are `file` and `url`")]
    UnsupportedSource,
}

/// The reason why there is no token, without any token.
#[derive(Debug, Error)]
enum TokenError {
    #[error("the subject token {path:?}: {error}")]
    File { path: String, error: std::io::Error },
    #[error("the subject token has no text {0:?}")]
    NoField(String),
    #[error("the external account has no source of a token")]
    NoSource,
    #[error("the header's name {0:?} is wrong")]
    HeaderName(String),
    #[error("a header's value is wrong")]
    HeaderValue,
    #[error("{url:?}: {reason}")]
    Request { url: String, reason: String },
    #[error("{url}: {reason}")]
    Response { url: String, reason: String },
    #[error("the answer with a token is not what it should be")]
    Malformed,
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
        if account.credential_source.file.is_none() && account.credential_source.url.is_none() {
            return Err(AccountError::UnsupportedSource);
        }
        Ok(account)
    }

    /// Returns whether one of its addresses asks for plain HTTP.
    fn plain_http(&self) -> bool {
        let urls = [
            Some(&self.token_url),
            self.service_account_impersonation_url.as_ref(),
            self.credential_source.url.as_ref(),
        ];
        urls.into_iter().flatten().any(|url| url.starts_with("http://"))
    }
}

/// The answer of `token_url`.
#[derive(Deserialize)]
struct Exchanged {
    access_token: String,
    expires_in: u64,
}

/// The answer of `service_account_impersonation_url`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: Timestamp,
}

/// Fetches tokens, and keeps them until shortly before their end.
#[derive(Debug)]
pub(super) struct Federation {
    account: ExternalAccount,
    client: HttpClient,
    held: Mutex<Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    credential: Arc<GcpCredential>,
    renew: Instant,
    ends: Instant,
}

impl Token {
    fn new(bearer: String, life: Duration) -> Self {
        let now = Instant::now();
        let renew = now + life.saturating_sub(RENEW_BEFORE.min(life / 2));
        Self { credential: Arc::new(GcpCredential { bearer }), renew, ends: now + life }
    }
}

#[async_trait]
impl CredentialProvider for Federation {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| Instant::now() < token.renew) {
            return Ok(Arc::clone(&token.credential));
        }
        match self.token().await {
            Ok(token) => {
                let credential = Arc::clone(&token.credential);
                *held = Some(token);
                Ok(credential)
            }
            // A token that is still valid is used to its end.
            Err(error) => match held.as_ref().filter(|token| Instant::now() < token.ends) {
                Some(token) => Ok(Arc::clone(&token.credential)),
                None => Err(object_store::Error::Generic { store: "GCS", source: Box::new(error) }),
            },
        }
    }
}

impl Federation {
    pub(super) fn new(account: ExternalAccount) -> Result<Self, StoreError> {
        let options = client_options().with_allow_http(account.plain_http());
        let client = Connector::default().connect(&options).map_err(|error| setup(error.to_string()))?;
        Ok(Self { account, client, held: Mutex::new(None) })
    }

    async fn token(&self) -> Result<Token, TokenError> {
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
        let request = post(&account.token_url, "application/x-www-form-urlencoded", form)?;
        let exchanged: Exchanged = parse(&self.ask(request).await?)?;
        match &account.service_account_impersonation_url {
            None => Ok(Token::new(exchanged.access_token, Duration::from_secs(exchanged.expires_in))),
            Some(url) => self.impersonate(url, &exchanged.access_token).await,
        }
    }

    async fn subject_token(&self) -> Result<String, TokenError> {
        let source = &self.account.credential_source;
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
                self.ask(request).await?
            }
            (None, None) => return Err(TokenError::NoSource),
        };
        if source.format.r#type != "json" {
            return Ok(text.trim().to_owned());
        }
        let members: BTreeMap<String, serde_json::Value> = parse(&text)?;
        let field = &source.format.subject_token_field_name;
        let token = members.get(field).and_then(serde_json::Value::as_str);
        token.map(str::to_owned).ok_or_else(|| TokenError::NoField(field.clone()))
    }

    async fn impersonate(&self, url: &str, bearer: &str) -> Result<Token, TokenError> {
        let body = format!(r#"{{"scope":["{STORAGE_SCOPE}"],"lifetime":"3600s"}}"#);
        let mut request = post(url, "application/json", body)?;
        request.headers_mut().insert("authorization", header(&format!("Bearer {bearer}"))?);
        let impersonated: Impersonated = parse(&self.ask(request).await?)?;
        // Zero once the end has passed.
        let life = impersonated.expire_time.since(Timestamp::now()).as_std();
        Ok(Token::new(impersonated.access_token, life))
    }

    async fn ask(&self, request: HttpRequest) -> Result<String, TokenError> {
        let url = request.uri().to_string();
        let fail = |reason: &dyn std::fmt::Display| TokenError::Response {
            url: url.clone(),
            reason: reason.to_string(),
        };
        let response = self.client.execute(request).await.map_err(|error| fail(&error))?;
        let status = response.status();
        let body = response.into_body().bytes().await.map_err(|error| fail(&error))?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() { Ok(text) } else { Err(fail(&format!("{status}: {text}"))) }
    }
}

fn request(method: &str, url: &str, body: String) -> Result<HttpRequest, TokenError> {
    let wrong = |reason: &dyn std::fmt::Display| TokenError::Request {
        url: url.to_owned(),
        reason: reason.to_string(),
    };
    let mut request = HttpRequest::new(body.into());
    *request.method_mut() = method.parse().map_err(|error| wrong(&error))?;
    *request.uri_mut() = url.parse().map_err(|error| wrong(&error))?;
    Ok(request)
}

fn post(url: &str, content_type: &'static str, body: String) -> Result<HttpRequest, TokenError> {
    let mut request = request("POST", url, body)?;
    request.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    Ok(request)
}

fn header(value: &str) -> Result<HeaderValue, TokenError> {
    HeaderValue::from_str(value).map_err(|_| TokenError::HeaderValue)
}

/// Parses an answer. It may hold a token, so the error does not quote it.
fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, TokenError> {
    serde_json::from_str(text).map_err(|_| TokenError::Malformed)
}

/// Encodes as `application/x-www-form-urlencoded`.
fn form(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Writing to a String does not fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        assert_eq!(form(&[("a", "b c"), ("d", "//x?ü")]), "a=b%20c&d=%2F%2Fx%3F%C3%BC");
    }

    #[test]
    fn sources_that_cannot_be_used_are_named() {
        let text = |source: &str| {
            format!(
                r#"{{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"https://x","credential_source":{source}}}"#
            )
        };
        assert!(ExternalAccount::parse(&text(r#"{"file":"/token"}"#)).is_ok());
        let error = ExternalAccount::parse(&text(r#"{"executable":{"command":"x"}}"#)).expect_err("refused");
        assert!(error.to_string().contains("allowed are `file` and `url`"), "{error}");
        let error = ExternalAccount::parse(r#"{"audience":"a"}"#).expect_err("refused");
        assert!(error.to_string().contains("missing field"), "{error}");
    }

    #[test]
    fn tokens_are_renewed_before_their_end() {
        let now = Instant::now();
        let hour = Token::new(String::new(), Duration::from_hours(1));
        assert!(
            hour.renew > now + Duration::from_mins(54) && hour.renew + Duration::from_mins(4) < hour.ends
        );
        let short = Token::new(String::new(), Duration::from_secs(10));
        assert!(short.renew >= now + Duration::from_secs(5) && short.renew < short.ends);
    }
}
