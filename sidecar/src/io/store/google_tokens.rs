//! Tokens of Google's metadata server and of a user.
//!
//! The object store library gets them too, but takes `GCE_METADATA_HOST` and the
//! credentials file as they are, and panics over a line feed in them.

use super::tokens::{
    AccessToken, FORM, Token, TokenError, TokenSource, ask, form, header, parse, post, request,
};
use async_trait::async_trait;
use object_store::client::HttpClient;
use object_store::gcp::GcpCredential;
use serde::Deserialize;

/// The token of a machine, or of a pod's workload identity.
const TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// The token service for users (<https://google.aip.dev/auth/4113>).
const USERS: &str = "https://accounts.google.com/o/oauth2/token";

/// The metadata server, by its name and by its address
/// (<https://docs.cloud.google.com/compute/docs/metadata/overview>).
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) client: HttpClient,
    pub(super) hosts: [String; 2],
}

#[async_trait]
impl TokenSource for Metadata {
    type Credential = GcpCredential;

    fn store(&self) -> &'static str {
        "GCS"
    }

    async fn token(&self) -> Result<Token<GcpCredential>, TokenError> {
        let [name, address] = &self.hosts;
        match self.token_of(name).await {
            Ok(token) => Ok(token),
            Err(_) => self.token_of(address).await,
        }
    }
}

impl Metadata {
    async fn token_of(&self, host: &str) -> Result<Token<GcpCredential>, TokenError> {
        let mut request = request("GET", &format!("http://{host}{TOKEN}"), String::new())?;
        request.headers_mut().insert("metadata-flavor", header("Google")?);
        credential(&ask(&self.client, request).await?)
    }
}

/// A credentials file of the type `authorized_user`.
#[derive(Clone, Deserialize)]
pub(super) struct User {
    client_id: String,
    client_secret: String,
    refresh_token: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The tokens of a user.
#[derive(Debug)]
pub(super) struct UserTokens {
    pub(super) client: HttpClient,
    pub(super) user: User,
}

#[async_trait]
impl TokenSource for UserTokens {
    type Credential = GcpCredential;

    fn store(&self) -> &'static str {
        "GCS"
    }

    async fn token(&self) -> Result<Token<GcpCredential>, TokenError> {
        let form = form(&[
            ("grant_type", "refresh_token"),
            ("client_id", &self.user.client_id),
            ("client_secret", &self.user.client_secret),
            ("refresh_token", &self.user.refresh_token),
        ]);
        credential(&ask(&self.client, post(USERS, FORM, form)?).await?)
    }
}

fn credential(answer: &str) -> Result<Token<GcpCredential>, TokenError> {
    let (bearer, life) = parse::<AccessToken>(answer)?.into_bearer()?;
    Ok(Token::new(GcpCredential { bearer }, life))
}
