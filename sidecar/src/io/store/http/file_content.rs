//! Requests whose content is a part of a file.
//!
//! The library makes the request, with an empty body: its address and headers are the
//! library's. Here it gets its content, and is signed once more by that content's sum.

use super::CALL;
use crate::io::store::second_reading::{FilePart, SecondReading};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use object_store::HeaderValue;
use object_store::aws::AwsAuthorizer;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use reqwest::Body;

/// Upper bound on the answer to a part: an error, with the names of what was asked for.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The header of a part's sum, where the operator's settings ask for one.
const SHA256_HEADER: &str = "x-amz-checksum-sha256";

/// The content of the part that a call sends.
#[derive(Clone, Debug)]
pub(in crate::io::store) struct FileContent {
    pub(in crate::io::store) part: FilePart,
    pub(in crate::io::store) terms: SecondReading,
}

impl FileContent {
    /// Returns the content of a request: none but the one that sends a part has any, and
    /// not those for the keys that it is signed with.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        let is_part = request.method().as_str() == "PUT"
            && request.uri().query().is_some_and(|query| query.contains("partNumber="));
        let content = CALL.try_with(|call| call.borrow().content.clone()).ok().flatten();
        content.filter(|_| is_part)
    }

    /// Signs a request anew as the library did, but by the sum of this content.
    pub(super) async fn sign(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let headers = request.headers_mut();
        headers.insert("content-length", HeaderValue::from(self.part.bytes));
        if let Some(sum) = self.part.sha256.filter(|_| headers.contains_key(SHA256_HEADER)) {
            let sum = HeaderValue::from_str(&STANDARD.encode(sum)).map_err(failed)?;
            headers.insert(SHA256_HEADER, sum);
        }
        let Some(keys) = &self.terms.keys else { return Ok(()) };
        // Access without credentials is not signed.
        let Some(region) = headers.get("authorization").and_then(region) else { return Ok(()) };
        let unsigned = headers.get("x-amz-content-sha256").is_some_and(|sum| sum == "UNSIGNED-PAYLOAD");
        let is_paid = headers.contains_key("x-amz-request-payer");
        headers.remove("authorization");
        let credential = keys.get_credential().await.map_err(failed)?;
        let authorizer = AwsAuthorizer::new(&credential, "s3", &region);
        let authorizer = authorizer.with_sign_payload(!unsigned).with_request_payer(is_paid);
        let sum = self.part.sha256.as_ref().map(<[u8; 32]>::as_slice);
        authorizer.try_authorize(request, sum).map_err(failed)
    }

    /// Sends a request with this content, and reads the beginning of its answer.
    pub(super) async fn send(
        &self,
        client: &reqwest::Client,
        request: HttpRequest,
    ) -> Result<HttpResponse, HttpError> {
        let (head, _) = request.into_parts();
        let url = head.uri.to_string().parse().map_err(failed)?;
        let mut request = reqwest::Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        *request.body_mut() = Some(Body::wrap_stream(self.part.stream()));
        let mut answer = client.execute(request).await.map_err(unanswered)?;
        let mut text = BytesMut::new();
        while let Some(block) = answer.chunk().await.map_err(unanswered)? {
            text.extend_from_slice(&block[..block.len().min(MAX_ANSWER_BYTES - text.len())]);
            if text.len() == MAX_ANSWER_BYTES {
                break;
            }
        }
        let mut response = HttpResponse::new(text.freeze().into());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

/// Returns the region of a signature (`…Credential=KEY/DATE/REGION/s3/aws4_request, …`).
fn region(authorization: &HeaderValue) -> Option<String> {
    let text = authorization.to_str().ok()?.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
    text.split(',').next()?.rsplit('/').nth(2).map(str::to_owned)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Request, error)
}

fn unanswered(error: reqwest::Error) -> HttpError {
    let kind = match (error.is_timeout(), error.is_connect()) {
        (true, _) => HttpErrorKind::Timeout,
        (false, true) => HttpErrorKind::Connect,
        (false, false) => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_the_one_that_was_signed_for() {
        let header = |text| HeaderValue::from_str(text).expect("a header");
        let signed =
            header("AWS4-HMAC-SHA256 Credential=a/b/20260101/eu-1/s3/aws4_request, SignedHeaders=host");
        assert_eq!(region(&signed).as_deref(), Some("eu-1"));
        assert_eq!(region(&header("Bearer token")), None);
    }
}
