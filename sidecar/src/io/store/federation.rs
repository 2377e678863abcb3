//! Google credentials of the type `external_account`: a token of another
//! identity provider is exchanged for one of Google's
//! (<https://google.aip.dev/auth/4117>), which the object store library does not do.
//!
//! ```text
//! file or URL ──▶ subject token ──▶ token_url ──▶ [service_account_impersonation_url] ──▶ token
//! ```
//!
//! Tokens from AWS metadata and from programs are deliberately absent: the one
//! has a Google service of its own, the other would run code in sidecar.

use super::http::{Connector, client_options};
use super::{StoreError, setup};
use async_trait::async_trait;
use jiff::Timestamp;
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
use tokio::sync::Mutex;

/// What the token may be used for.
const STORAGE_SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// What it takes to act as a service account.
const PLATFORM_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A token is renewed this long before its end, or at half of a shorter life.
const RENEW_BEFORE: Duration = Duration::from_mins(5);

/// Such a credentials file.
#[derive(Debug, Deserialize)]
pub(super) struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    #[serde(default)]
    service_account_impersonation_url: Option<String>,
    credential_source: TokenSource,
}

/// Where the token of the other provider is.
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

impl ExternalAccount {
    /// Reads such a file; what is wrong with it is said without its content.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let account: Self = serde_json::from_str(text).map_err(|error| {
            // A type error quotes the value, a missing field is named.
            let text = error.to_string();
            if text.starts_with("missing field") { text } else { "it is no external account".to_owned() }
        })?;
        if account.credential_source.file.is_none() && account.credential_source.url.is_none() {
            return Err("its credential_source is not supported; allowed are `file` and `url`".to_owned());
        }
        Ok(account)
    }

    /// Whether something is to be asked without TLS.
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

/// Gets tokens and keeps them until shortly before their end.
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
            // One that is still good is used to its end.
            Err(error) => match held.as_ref().filter(|token| Instant::now() < token.ends) {
                Some(token) => Ok(Arc::clone(&token.credential)),
                None => Err(object_store::Error::Generic { store: "GCS", source: error.into() }),
            },
        }
    }
}

impl Federation {
    pub(super) fn new(account: ExternalAccount) -> Result<Self, StoreError> {
        let options = client_options().with_allow_http(account.plain_http());
        let client = Connector.connect(&options).map_err(|error| setup(error.to_string()))?;
        Ok(Self { account, client, held: Mutex::new(None) })
    }

    async fn token(&self) -> Result<Token, String> {
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

    async fn subject_token(&self) -> Result<String, String> {
        let source = &self.account.credential_source;
        let text = match (&source.file, &source.url) {
            (Some(path), _) => std::fs::read_to_string(path)
                .map_err(|error| format!("the subject token {:?}: {error}", path.display().to_string()))?,
            (None, Some(url)) => {
                let mut request = request("GET", url, String::new())?;
                for (name, value) in &source.headers {
                    let name = HeaderName::from_bytes(name.as_bytes())
                        .map_err(|_| format!("the header's name {name:?} is wrong"))?;
                    request.headers_mut().insert(name, header(value)?);
                }
                self.ask(request).await?
            }
            (None, None) => return Err("the external account has no source of a token".to_owned()),
        };
        if source.format.r#type != "json" {
            return Ok(text.trim().to_owned());
        }
        let members: BTreeMap<String, serde_json::Value> = parse(&text)?;
        let field = &source.format.subject_token_field_name;
        let token = members.get(field).and_then(serde_json::Value::as_str);
        token.map(str::to_owned).ok_or_else(|| format!("the subject token has no text {field:?}"))
    }

    async fn impersonate(&self, url: &str, bearer: &str) -> Result<Token, String> {
        let body = format!(r#"{{"scope":["{STORAGE_SCOPE}"],"lifetime":"3600s"}}"#);
        let mut request = post(url, "application/json", body)?;
        request.headers_mut().insert("authorization", header(&format!("Bearer {bearer}"))?);
        let impersonated: Impersonated = parse(&self.ask(request).await?)?;
        let life = impersonated.expire_time.duration_since(Timestamp::now());
        Ok(Token::new(impersonated.access_token, life.try_into().unwrap_or(Duration::ZERO)))
    }

    async fn ask(&self, request: HttpRequest) -> Result<String, String> {
        let place = request.uri().to_string();
        let fail = |error: &dyn std::fmt::Display| format!("{place}: {error}");
        let response = self.client.execute(request).await.map_err(|error| fail(&error))?;
        let status = response.status();
        let body = response.into_body().bytes().await.map_err(|error| fail(&error))?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() { Ok(text) } else { Err(fail(&format!("{status}: {text}"))) }
    }
}

fn request(method: &str, url: &str, body: String) -> Result<HttpRequest, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{url:?}: {error}");
    let mut request = HttpRequest::new(body.into());
    *request.method_mut() = method.parse().map_err(|error| wrong(&error))?;
    *request.uri_mut() = url.parse().map_err(|error| wrong(&error))?;
    Ok(request)
}

fn post(url: &str, content_type: &'static str, body: String) -> Result<HttpRequest, String> {
    let mut request = request("POST", url, body)?;
    request.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    Ok(request)
}

fn header(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| "a header's value is wrong".to_owned())
}

/// An answer may hold a token, so that an error does not quote it.
fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|_| "the answer with a token is not what it should be".to_owned())
}

/// `application/x-www-form-urlencoded`.
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
        assert!(error.contains("allowed are `file` and `url`"), "{error}");
        let error = ExternalAccount::parse(r#"{"audience":"a"}"#).expect_err("refused");
        assert!(error.contains("missing field"), "{error}");
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
