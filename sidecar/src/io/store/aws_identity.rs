//! The identity of an AWS role as Google's token service takes it
//! (<https://google.aip.dev/auth/4117>, "Determining the subject token in AWS"): a request
//! for `GetCallerIdentity`, signed but not sent. Google sends it.

use super::StoreError;
use super::aws_keys::{HandedOut, sign};
use super::tokens::{TokenError, ask, header, parse, request};
use super::variables::Variables;
use common::percent;
use object_store::aws::AwsCredential;
use object_store::client::{HttpClient, HttpRequest};
use serde::Deserialize;
use serde_json::json;

/// The only version that there is.
const ENVIRONMENT: &str = "aws1";

/// Seconds for which the metadata server is asked.
const SESSION_SECONDS: &str = "300";

/// A `credential_source` with an `environment_id`.
#[derive(Debug, Deserialize)]
pub(super) struct AwsSource {
    environment_id: String,
    #[serde(default)]
    region_url: Option<String>,
    #[serde(default)]
    url: Option<String>,
    regional_cred_verification_url: String,
    #[serde(default)]
    imdsv2_session_token_url: Option<String>,
}

impl AwsSource {
    pub(super) fn is_known(&self) -> bool {
        self.environment_id == ENVIRONMENT
    }

    /// Returns its addresses.
    pub(super) fn urls(&self) -> impl Iterator<Item = &String> {
        let optional = [&self.region_url, &self.url, &self.imdsv2_session_token_url];
        optional.into_iter().flatten().chain([&self.regional_cred_verification_url])
    }

    /// Returns the signed request, for this audience.
    pub(super) async fn subject_token(
        &self,
        audience: &str,
        client: &HttpClient,
    ) -> Result<String, TokenError> {
        let setting = |error: StoreError| TokenError::Setting(error.to_string());
        let (region, keys) = of_environment(Variables::of_process()).map_err(setting)?;
        let session = match &self.imdsv2_session_token_url {
            Some(url) if region.is_none() || keys.is_none() => {
                let mut request = request("PUT", url, String::new())?;
                request
                    .headers_mut()
                    .insert("x-aws-ec2-metadata-token-ttl-seconds", header(SESSION_SECONDS)?);
                Some(ask(client, request).await?)
            }
            Some(_) | None => None,
        };
        let metadata = Metadata { session, client };
        let region = if let Some(region) = region {
            region
        } else {
            // A zone is its region and a letter.
            let zone = metadata.get(self.region_url.as_deref(), "region_url").await?;
            zone.trim().trim_end_matches(|last: char| last.is_ascii_lowercase()).to_owned()
        };
        let keys = match keys {
            Some(keys) => keys,
            None => self.keys_of_machine(&metadata).await?,
        };
        let url = self.regional_cred_verification_url.replace("{region}", &region);
        let mut request = request("POST", &url, String::new())?;
        request.headers_mut().insert("x-goog-cloud-target-resource", header(audience)?);
        sign(&mut request, &keys, &region)?;
        serialized(&url, &request)
    }

    async fn keys_of_machine(&self, metadata: &Metadata<'_>) -> Result<AwsCredential, TokenError> {
        let role = metadata.get(self.url.as_deref(), "url").await?;
        let url = self.url.as_ref().map(|url| format!("{}/{}", url.trim_end_matches('/'), role.trim()));
        let keys: HandedOut = parse(&metadata.get(url.as_deref(), "url").await?)?;
        Ok(AwsCredential {
            key_id: keys.access_key_id,
            secret_key: keys.secret_access_key,
            token: keys.token,
        })
    }
}

/// Returns the region and the keys of an environment.
pub(super) fn of_environment(
    variables: Variables<'_>,
) -> Result<(Option<String>, Option<AwsCredential>), StoreError> {
    let region = variables.first(&["AWS_REGION", "AWS_DEFAULT_REGION"])?;
    let id = variables.get("AWS_ACCESS_KEY_ID")?;
    let secret = variables.get("AWS_SECRET_ACCESS_KEY")?;
    let token = variables.get("AWS_SESSION_TOKEN")?;
    let keys = id.zip(secret).map(|(key_id, secret_key)| AwsCredential { key_id, secret_key, token });
    Ok((region, keys))
}

/// The metadata server of a machine.
struct Metadata<'a> {
    session: Option<String>,
    client: &'a HttpClient,
}

impl Metadata<'_> {
    async fn get(&self, url: Option<&str>, key: &str) -> Result<String, TokenError> {
        let url = url.ok_or_else(|| TokenError::NoField(format!("credential_source.{key}")))?;
        let mut request = request("GET", url, String::new())?;
        if let Some(session) = &self.session {
            request.headers_mut().insert("x-aws-ec2-metadata-token", header(session.trim())?);
        }
        ask(self.client, request).await
    }
}

/// Writes a request as Google wants it: as JSON, percent-encoded.
fn serialized(url: &str, request: &HttpRequest) -> Result<String, TokenError> {
    let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let mut headers = vec![json!({"key": "host", "value": host})];
    for (name, value) in request.headers() {
        let value = value.to_str().map_err(|_| TokenError::HeaderValue)?;
        headers.push(json!({"key": name.as_str(), "value": value}));
    }
    let request = json!({"url": url, "method": "POST", "headers": headers});
    Ok(percent::encoded(&request.to_string(), &[]))
}
