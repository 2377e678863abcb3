//! Requests of the JSON API, and their answers.

use super::JsonApi;
use crate::io::store::http::ObjectContent;
use object_store::client::{HttpError, HttpRequest, HttpRequestBody, HttpResponse};
use object_store::{Extensions, HeaderValue, PutResult};
use serde::Deserialize;

/// The end of an address that asks for an object's content.
pub(super) const MEDIA: &str = "?alt=media";

/// An answer without an object's content.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An object as the API describes it. The size is a number in text, in some emulators a
/// number.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resource {
    pub(super) name: String,
    etag: String,
    generation: serde_json::Value,
    size: serde_json::Value,
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) crc32c: Option<String>,
}

impl Resource {
    pub(super) fn parse(answer: &Answer) -> object_store::Result<Self> {
        serde_json::from_slice(&answer.body).map_err(|_| error("the answer is no object of the JSON API"))
    }

    pub(super) fn e_tag(&self) -> Option<String> {
        Some(self.etag.clone()).filter(|tag| !tag.is_empty())
    }

    pub(super) fn generation(&self) -> Option<String> {
        text(&self.generation)
    }

    pub(super) fn bytes(&self) -> Option<u64> {
        text(&self.size)?.parse().ok()
    }

    pub(super) fn put_result(&self) -> PutResult {
        PutResult { e_tag: self.e_tag(), version: self.generation(), extensions: Extensions::default() }
    }
}

/// Returns a text, or a number as text.
fn text(value: &serde_json::Value) -> Option<String> {
    let number = || value.as_number().map(ToString::to_string);
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned).or_else(number)
}

/// Sends a request and returns a successful answer. 308 is one in a resumable upload
/// (<https://docs.cloud.google.com/storage/docs/performing-resumable-uploads>).
pub(super) async fn send(
    api: &JsonApi,
    method: &str,
    url: &str,
    headers: &[(&'static str, String)],
    body: HttpRequestBody,
) -> object_store::Result<Answer> {
    let (head, body) = open(api, method, url, headers, body).await?.into_parts();
    let status = head.status.as_u16();
    let body = body.bytes().await.map_err(caused)?.to_vec();
    if !head.status.is_success() && status != 308 {
        return Err(error(&said(status, &body)));
    }
    Ok(Answer { status, headers: head.headers, body })
}

/// Sends a request and returns whatever was answered.
pub(super) async fn open(
    api: &JsonApi,
    method: &str,
    url: &str,
    headers: &[(&'static str, String)],
    body: HttpRequestBody,
) -> object_store::Result<HttpResponse> {
    let length = body.content_length();
    let mut request = HttpRequest::new(body);
    *request.method_mut() = method.parse().map_err(|_| error("the method is wrong"))?;
    *request.uri_mut() = url.parse().map_err(|_| error("the address is wrong"))?;
    let credential = api.credentials.get_credential().await?;
    let mut insert = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).map_err(|_| error("a header's value is wrong"))?;
        request.headers_mut().insert(name, value);
        Ok::<(), object_store::Error>(())
    };
    if method != "GET" {
        insert("content-length", &length.to_string())?;
    }
    if !credential.bearer.is_empty() {
        insert("authorization", &format!("Bearer {}", credential.bearer))?;
    }
    for (name, value) in headers {
        insert(name, value)?;
    }
    if url.ends_with(MEDIA) {
        request.extensions_mut().insert(ObjectContent);
    }
    api.client.execute(request).await.map_err(caused)
}

/// Returns the message of an error (<https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes>).
pub(super) fn said(status: u16, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Failed {
        error: Said,
    }
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let message = serde_json::from_slice::<Failed>(body).map(|failed| failed.error.message);
    format!("{status} {}", message.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned()))
}

/// An error with this text, to be classified by how the request ended.
pub(super) fn error(text: &str) -> object_store::Error {
    object_store::Error::Generic { store: "GCS", source: text.to_owned().into() }
}

/// A request that ended without a whole answer; its causes say why.
pub(super) fn caused(failure: HttpError) -> object_store::Error {
    object_store::Error::Generic { store: "GCS", source: Box::new(failure) }
}

/// Encodes a component of an address.
pub(super) fn percent_encoded(text: &str) -> String {
    common::percent::encoded(text, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_texts_and_as_numbers() {
        let parse = |text: &str| serde_json::from_str::<Resource>(text).expect("parsed");
        let google =
            parse(r#"{"name":"a","generation":"17","size":"3","etag":"CJ","kind":"storage#object"}"#);
        assert_eq!((google.generation(), google.bytes()), (Some("17".to_owned()), Some(3)));
        assert_eq!(parse(r#"{"generation":17,"size":3}"#).bytes(), Some(3));
        assert_eq!(parse("{}").put_result().version, None);
    }

    #[test]
    fn errors_say_their_message() {
        assert_eq!(said(404, br#"{"error":{"code":404,"message":"No such bucket"}}"#), "404 No such bucket");
        assert_eq!(said(502, b"bad gateway"), "502 bad gateway");
    }
}
