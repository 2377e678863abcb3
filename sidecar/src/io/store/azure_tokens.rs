//! Tokens of Azure: those of an application and of a managed identity.
//!
//! The object store library gets them too, but takes `IDENTITY_HEADER` and the token's
//! file as they are, and panics over a line feed in them or in an answer.

use super::tokens::{
    AccessToken, FORM, Token, TokenError, TokenSource, ask, form, header, parse, post, request,
    token_of_file, usable,
};
use async_trait::async_trait;
use object_store::azure::AzureCredential;
use object_store::client::HttpClient;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// The variable that names the file of a federated token.
pub(super) const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// The proof that an application is the one it says.
pub(super) enum Proof {
    /// Its secret.
    Secret(String),
    /// The file with a token that a cluster signs.
    File(String),
}

/// An application of Entra
/// (<https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).
pub(super) struct Application {
    pub(super) client: HttpClient,
    pub(super) url: String,
    pub(super) id: String,
    pub(super) proof: Proof,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").field("url", &self.url).field("id", &self.id).finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenSource for Application {
    type Credential = AzureCredential;

    fn store(&self) -> &'static str {
        "Microsoft Entra"
    }

    async fn token(&self) -> Result<Token<AzureCredential>, TokenError> {
        let (name, proof) = match &self.proof {
            Proof::Secret(secret) => ("client_secret", secret.clone()),
            Proof::File(path) => ("client_assertion", token_of_file(TOKEN_FILE, path)?),
        };
        let mut pairs = vec![
            ("client_id", self.id.as_str()),
            ("grant_type", "client_credentials"),
            ("scope", "https://storage.azure.com/.default"),
            (name, &proof),
        ];
        if let Proof::File(_) = self.proof {
            pairs.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        }
        let request = post(&self.url, FORM, form(&pairs))?;
        let (bearer, life) = parse::<AccessToken>(&ask(&self.client, request).await?)?.into_bearer()?;
        Ok(Token::new(AzureCredential::BearerToken(bearer), life))
    }
}

/// The identity of a machine, or of an application of App Service
/// (<https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity#rest-endpoint-reference>).
pub(super) struct ManagedIdentity {
    pub(super) client: HttpClient,
    pub(super) url: String,
    /// The identity, where there are several.
    pub(super) id: Option<String>,
    /// The secret of App Service, in its header.
    pub(super) secret: Option<String>,
}

impl std::fmt::Debug for ManagedIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManagedIdentity").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The answer for a managed identity: the end is a number in text, in some services a
/// number.
#[derive(Deserialize)]
struct Managed {
    access_token: String,
    expires_on: serde_json::Value,
}

#[async_trait]
impl TokenSource for ManagedIdentity {
    type Credential = AzureCredential;

    fn store(&self) -> &'static str {
        "Azure managed identity"
    }

    async fn token(&self) -> Result<Token<AzureCredential>, TokenError> {
        let mut pairs = vec![("api-version", "2019-08-01"), ("resource", "https://storage.azure.com")];
        pairs.extend(self.id.as_deref().map(|id| ("client_id", id)));
        let separator = if self.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}{}", self.url, form(&pairs));
        let mut request = request("GET", &url, String::new())?;
        request.headers_mut().insert("metadata", header("true")?);
        if let Some(secret) = &self.secret {
            request.headers_mut().insert("x-identity-header", header(secret)?);
        }
        let Managed { access_token, expires_on } = parse(&ask(&self.client, request).await?)?;
        let seconds = expires_on.as_u64().or_else(|| expires_on.as_str()?.parse().ok());
        let ends = Duration::from_secs(seconds.ok_or(TokenError::Malformed)?);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Ok(Token::new(AzureCredential::BearerToken(usable(access_token)?), ends.saturating_sub(now)))
    }
}
