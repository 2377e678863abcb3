//! Google Cloud Storage by its JSON API
//! (<https://docs.cloud.google.com/storage/docs/json_api>), which the object store
//! library does not speak.
//!
//! Emulators know no other API, or know the XML API in part. On Google itself the JSON
//! API alone has conditions for objects that do not fit into one request.
//!
//! | module | contents |
//! | --- | --- |
//! | `request` | addresses, requests and answers |
//! | `session` | resumable uploads |
//! | `bucket` | an emulator's bucket behind the library's traits |

mod bucket;
mod request;
mod session;

pub(super) use bucket::EmulatorBucket;
pub(super) use session::Session;

use super::bucket::Properties;
use super::http::{Connector, client_options};
use super::{Precondition, StoreError, setup};
use bytes::Bytes;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::GcpCredentialProvider;
use object_store::path::Path;
use object_store::{PutPayload, PutResult};
use request::{Resource, percent_encoded, send};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Google's own address.
pub(super) const GOOGLE: &str = "https://storage.googleapis.com";

/// A bucket as the JSON API knows it. Clones share connections.
#[derive(Clone, Debug)]
pub(super) struct JsonApi {
    client: HttpClient,
    address: String,
    bucket: String,
    credentials: GcpCredentialProvider,
}

impl JsonApi {
    /// Opens a bucket at an address without a path; nothing is contacted yet.
    pub(super) fn new(
        address: &str,
        bucket: &str,
        credentials: GcpCredentialProvider,
        connector: &Connector,
    ) -> Result<Self, StoreError> {
        let options = client_options().with_allow_http(address.starts_with("http://"));
        let client = connector.connect(&options).map_err(|error| setup(error.to_string()))?;
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { client, address, bucket: percent_encoded(bucket), credentials })
    }

    /// Stores an object in one request, whose checksum the store verifies.
    pub(super) async fn put(
        &self,
        path: &Path,
        content: Bytes,
        properties: &Properties,
        precondition: &Precondition,
    ) -> object_store::Result<PutResult> {
        static BOUNDARIES: AtomicU64 = AtomicU64::new(0);
        // Content that holds it would be cut there: it is random enough, and checked.
        let boundary = loop {
            let number = BOUNDARIES.fetch_add(1, Ordering::Relaxed);
            let boundary = format!("pod-utils-{:08x}-{number}", crc32c::crc32c(&content));
            if memchr::memmem::find(&content, boundary.as_bytes()).is_none() {
                break boundary;
            }
        };
        let mut resource = resource_of(properties);
        resource.insert("name".to_owned(), path.as_ref().into());
        resource.insert("crc32c".to_owned(), crc32c_text(crc32c::crc32c(&content)).into());
        let head = format!(
            "--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{}\r\n--{boundary}\r\n\
             Content-Type: {}\r\n\r\n",
            Value::Object(resource),
            content_type(properties),
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let body: PutPayload = [Bytes::from(head), content, Bytes::from(tail)].into_iter().collect();
        let url = self.upload_url("multipart", path, precondition);
        let headers = [("content-type", format!("multipart/related; boundary={boundary}"))];
        let answer = send(self, "POST", &url, &headers, body.into()).await?;
        Ok(Resource::parse(&answer)?.put_result())
    }

    /// Begins an upload of any length; its condition holds when it ends.
    pub(super) async fn begin(
        &self,
        path: &Path,
        properties: &Properties,
        precondition: &Precondition,
    ) -> object_store::Result<Session> {
        let resource = Value::Object(resource_of(properties)).to_string();
        let url = self.upload_url("resumable", path, precondition);
        let headers = [
            ("content-type", "application/json; charset=UTF-8".to_owned()),
            ("x-upload-content-type", content_type(properties).to_owned()),
        ];
        let answer = send(self, "POST", &url, &headers, resource.into()).await?;
        let location = answer.header("location").ok_or_else(|| request::error("it names no session"))?;
        Ok(Session::new(self.clone(), self.same_server(location)?))
    }

    /// Accepts a session's address only on the server that the credentials are for.
    fn same_server(&self, location: &str) -> object_store::Result<String> {
        let path = location.strip_prefix(&self.address).filter(|path| path.starts_with('/'));
        match path {
            Some(path) => Ok(format!("{}{path}", self.address)),
            // Emulators behind another name return the one that they know.
            None => match location.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
                Some((_, path)) => Ok(format!("{}/{path}", self.address)),
                None => Err(request::error("the session has no address")),
            },
        }
    }

    fn upload_url(&self, kind: &str, path: &Path, precondition: &Precondition) -> String {
        let mut url = format!(
            "{}/upload/storage/v1/b/{}/o?uploadType={kind}&name={}",
            self.address,
            self.bucket,
            percent_encoded(path.as_ref())
        );
        let generation = match precondition {
            Precondition::Overwrite => None,
            Precondition::IfAbsent => Some("0"),
            // A version without a generation is of another API, and never holds.
            Precondition::IfVersion(version) => Some(version.generation.as_deref().unwrap_or("1")),
        };
        if let Some(generation) = generation {
            // Writing to a String does not fail.
            let _ = write!(url, "&ifGenerationMatch={}", percent_encoded(generation));
        }
        url
    }

    fn object_url(&self, path: &Path) -> String {
        format!("{}/storage/v1/b/{}/o/{}", self.address, self.bucket, percent_encoded(path.as_ref()))
    }
}

/// Returns the properties as members of an object resource.
fn resource_of(properties: &Properties) -> Map<String, Value> {
    let mut resource = Map::new();
    resource.insert("contentType".to_owned(), content_type(properties).into());
    if let Some(encoding) = properties.content_encoding {
        resource.insert("contentEncoding".to_owned(), encoding.into());
    }
    if !properties.metadata.is_empty() {
        let metadata = properties.metadata.iter().map(|(name, value)| (name.clone(), json!(value)));
        resource.insert("metadata".to_owned(), Value::Object(metadata.collect()));
    }
    resource
}

fn content_type(properties: &Properties) -> &str {
    match properties.content_type.as_str() {
        "" => "application/octet-stream",
        known => known,
    }
}

/// Writes a checksum as the API has it: base64 of its big-endian bytes.
fn crc32c_text(sum: u32) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(sum.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::StaticCredentialProvider;
    use object_store::gcp::GcpCredential;
    use std::sync::Arc;

    #[test]
    fn no_session_takes_the_credentials_to_another_server() {
        let credentials = Arc::new(StaticCredentialProvider::new(GcpCredential { bearer: String::new() }));
        let of = |address: &str, location: &str| {
            let api =
                JsonApi::new(address, "bucket", credentials.clone(), &Connector::default()).expect("opened");
            api.same_server(location).ok()
        };
        for host in ["", ".evil.example", "@evil.example", ":8443"] {
            let found = of(GOOGLE, &format!("{GOOGLE}{host}/upload?id=1"));
            assert_eq!(found, Some(format!("{GOOGLE}/upload?id=1")), "{host}");
        }
        let found = of("http://emulator:4443/", "http://0.0.0.0:4443/upload?id=1");
        assert_eq!(found.as_deref(), Some("http://emulator:4443/upload?id=1"));
        assert_eq!(of(GOOGLE, "session"), None);
    }
}
