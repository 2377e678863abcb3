//! Short-lived credentials: how services are asked for them, and how long they are kept.

use super::StoreError;
use super::setting::{Kind, checked};
use async_trait::async_trait;
use common::percent;
use common::timestamp::Timestamp;
use object_store::client::{HttpClient, HttpRequest};
use object_store::{CredentialProvider, HeaderValue};
use serde::Deserialize;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::Mutex;

/// The time before its end at which a token is renewed; half of its life, if that
/// is shorter.
const RENEW_BEFORE: Duration = Duration::from_mins(5);

/// Upper bound on a token's life: an answer may say any number.
const MAX_LIFE: Duration = Duration::from_hours(24);

/// The media type of [`form`]s.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// The reason why there is no token, without any token.
#[derive(Debug, Error)]
pub(super) enum TokenError {
    #[error("the token {path:?}: {error}")]
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
    /// The keys to ask with.
    #[error(transparent)]
    Keys(#[from] object_store::Error),
    #[error("{0}")]
    Setting(String),
}

/// A credential and its life.
#[derive(Clone)]
pub(super) struct Token<C> {
    credential: Arc<C>,
    renew: Instant,
    ends: Instant,
}

impl<C> Token<C> {
    pub(super) fn new(credential: C, life: Duration) -> Self {
        let (now, life) = (Instant::now(), life.min(MAX_LIFE));
        let renew = now + life.saturating_sub(RENEW_BEFORE.min(life / 2));
        Self { credential: Arc::new(credential), renew, ends: now + life }
    }

    /// One that has ended is used once.
    pub(super) fn until(credential: C, end: Timestamp) -> Self {
        Self::new(credential, end.since(Timestamp::now()).as_std())
    }
}

/// A source of tokens.
#[async_trait]
pub(super) trait TokenSource: Debug + Send + Sync + 'static {
    type Credential: Send + Sync + 'static;

    /// Returns the name of the store in errors.
    fn store(&self) -> &'static str;

    /// Asks for a new one.
    async fn token(&self) -> Result<Token<Self::Credential>, TokenError>;
}

/// Keeps a source's token until shortly before its end.
pub(super) struct Kept<C> {
    source: Box<dyn TokenSource<Credential = C>>,
    held: Mutex<Option<Token<C>>>,
}

impl<C: Send + Sync + 'static> Kept<C> {
    pub(super) fn new(source: impl TokenSource<Credential = C>) -> Self {
        Self { source: Box::new(source), held: Mutex::new(None) }
    }
}

impl<C> Debug for Kept<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("source", &self.source).finish_non_exhaustive()
    }
}

#[async_trait]
impl<C: Send + Sync + 'static> CredentialProvider for Kept<C> {
    type Credential = C;

    async fn get_credential(&self) -> object_store::Result<Arc<C>> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| Instant::now() < token.renew) {
            return Ok(Arc::clone(&token.credential));
        }
        match self.source.token().await {
            Ok(token) => {
                let credential = Arc::clone(&token.credential);
                *held = Some(token);
                Ok(credential)
            }
            // A token that is still valid is used to its end.
            Err(error) => match held.as_ref().filter(|token| Instant::now() < token.ends) {
                Some(token) => Ok(Arc::clone(&token.credential)),
                None => {
                    Err(object_store::Error::Generic { store: self.source.store(), source: Box::new(error) })
                }
            },
        }
    }
}

/// Sends a request and returns the text of its answer.
pub(super) async fn ask(client: &HttpClient, request: HttpRequest) -> Result<String, TokenError> {
    let url = request.uri().to_string();
    let fail = |reason: &dyn std::fmt::Display| TokenError::Response {
        url: url.clone(),
        reason: reason.to_string(),
    };
    let response = client.execute(request).await.map_err(|error| fail(&error))?;
    let status = response.status();
    let body = response.into_body().bytes().await.map_err(|error| fail(&error))?;
    let text = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() { Ok(text) } else { Err(fail(&format!("{status}: {text}"))) }
}

pub(super) fn request(method: &str, url: &str, body: String) -> Result<HttpRequest, TokenError> {
    let wrong = |reason: &dyn std::fmt::Display| TokenError::Request {
        url: url.to_owned(),
        reason: reason.to_string(),
    };
    let mut request = HttpRequest::new(body.into());
    *request.method_mut() = method.parse().map_err(|error| wrong(&error))?;
    *request.uri_mut() = url.parse().map_err(|error| wrong(&error))?;
    // What signs it takes it apart anew.
    reqwest::Url::parse(&request.uri().to_string()).map_err(|error| wrong(&error))?;
    Ok(request)
}

pub(super) fn post(url: &str, content_type: &'static str, body: String) -> Result<HttpRequest, TokenError> {
    let mut request = request("POST", url, body)?;
    request.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    Ok(request)
}

pub(super) fn header(value: &str) -> Result<HeaderValue, TokenError> {
    HeaderValue::from_str(value).map_err(|_| TokenError::HeaderValue)
}

/// Reads a token from a file, which tools end with a line feed.
pub(super) fn token_of_file(source: &str, path: &str) -> Result<String, TokenError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| TokenError::File { path: path.to_owned(), error })?;
    let token = checked(&format!("{source} {path:?}"), Kind::Text, &text);
    token.map_err(|error| TokenError::Setting(error.to_string()))
}

/// Refuses a token that no request can hold. Its file may come until it is needed.
pub(super) fn check_token_file(source: &str, path: &str) -> Result<(), StoreError> {
    match token_of_file(source, path) {
        Err(TokenError::Setting(error)) => Err(StoreError::Setting(error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A token of OAuth 2.0, as most services answer
/// (<https://www.rfc-editor.org/rfc/rfc6749#section-5.1>).
#[derive(Deserialize)]
pub(super) struct AccessToken {
    access_token: String,
    expires_in: u64,
}

impl AccessToken {
    /// Refuses what could be in no header: the library would panic when it is used.
    pub(super) fn into_bearer(self) -> Result<(String, Duration), TokenError> {
        Ok((usable(self.access_token)?, Duration::from_secs(self.expires_in)))
    }
}

/// Refuses a bearer token that could be in no header.
pub(super) fn usable(bearer: String) -> Result<String, TokenError> {
    header(&bearer)?;
    Ok(bearer)
}

/// Parses an answer. It may hold a token, so the error does not quote it.
pub(super) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, TokenError> {
    serde_json::from_str(text).map_err(|_| TokenError::Malformed)
}

/// Encodes as a [`FORM`].
pub(super) fn form(pairs: &[(&str, &str)]) -> String {
    let encoded = pairs.iter().map(|(name, value)| format!("{name}={}", percent::encoded(value, &[])));
    encoded.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        assert_eq!(form(&[("a", "b c"), ("d", "//x?ü")]), "a=b%20c&d=%2F%2Fx%3F%C3%BC");
    }

    #[test]
    fn a_token_of_a_file_has_no_line_feed_at_its_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token").display().to_string();
        assert!(matches!(token_of_file("TOKEN_FILE", &path), Err(TokenError::File { .. })));
        assert_eq!(check_token_file("TOKEN_FILE", &path), Ok(()), "it may come");
        std::fs::write(&path, "the-token\n").expect("written");
        assert_eq!(token_of_file("TOKEN_FILE", &path).expect("a token"), "the-token");
        std::fs::write(&path, "the-\ntoken").expect("written");
        let error = check_token_file("TOKEN_FILE", &path).expect_err("refused").to_string();
        assert!(error.contains("TOKEN_FILE") && !error.contains("the-"), "{error}");
    }

    #[test]
    fn tokens_that_no_request_could_hold_are_refused() {
        assert!(usable("ya29.a-token".to_owned()).is_ok());
        assert!(usable("ya29.\na-token".to_owned()).is_err());
    }

    #[test]
    fn tokens_are_renewed_before_their_end() {
        let now = Instant::now();
        let hour = Token::new((), Duration::from_hours(1));
        assert!(
            hour.renew > now + Duration::from_mins(54) && hour.renew + Duration::from_mins(4) < hour.ends
        );
        let short = Token::new((), Duration::from_secs(10));
        assert!(short.renew >= now + Duration::from_secs(5) && short.renew < short.ends);
        let endless = Token::new((), Duration::from_secs(u64::MAX));
        assert!(endless.renew > hour.renew && endless.ends <= now + Duration::from_hours(25));
    }
}
